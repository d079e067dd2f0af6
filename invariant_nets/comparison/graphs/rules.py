r"""The rules: which few operations each operation of torch becomes.

A rule is given the lowering, what torch computed, and the operation's own arguments. An argument
that its signature does not have is an error, so nothing is dropped in silence. What a step reads is
laid out for it by views: a sum reads a tensor whose last axes are those that it sums.

| step | reads | options | gives |
|---|---|---|---|
| `add`, `sub`, `mul`, `div`, `max`, `min`, `lt`, `eq` | $a, b$ | | number by number |
| `relu`, `sqrt`, `silu`, `not`, `copy` | $a$ | | number by number |
| `fill` | $a$, where | $c$ | $c$ where it is true, else $a$ |
| `sum`, `any`, `cumsum` | $a$ | run | of each run of so many numbers |
| `argsort` | $a$ | run, descending | the stable order of each run; NaN is the largest |
| `gather` | $a$, index | stride | the number so many strides further |
| `cat` | any | | one after the other |
| `matmul` | $a, b$, perhaps $c$ | $m, k, p, \alpha, \beta$ | $\alpha\, a b + \beta\, c$ |
| `attention` | $q, k, v$, perhaps $c$ | $L, S, E, F, s$ | $\mathrm{softmax}(s\, q k^T + c)\, v$ |
| `layer_norm` | $a$, weight, bias | run, $\varepsilon$ | of each run |
| `rand` | | low, number | uniform integers |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from invariant_nets.comparison.graphs.along_axes import (
    of_any,
    of_argsort,
    of_cat,
    of_cumsum,
    of_gather,
    of_index,
    of_index_select,
    of_sort,
    of_stack,
    of_sum,
)
from invariant_nets.comparison.graphs.elementwise import (
    Rule,
    of_bools,
    of_clamp,
    of_clamp_min,
    of_copy,
    of_fill,
    of_not,
    of_pairwise,
    of_reciprocal,
    of_repeat_interleave,
    of_single,
    of_square,
    of_to,
    of_where,
)
from invariant_nets.comparison.graphs.products import (
    of_addmm,
    of_attention,
    of_layer_norm,
    of_linear,
    of_product,
)

if TYPE_CHECKING:
    from invariant_nets.comparison.graphs.lowering import Lowering

CONSTANT = ("zeros_like", "ones_like", "full_like")  # whatever they are like
DRAWING = ("randint",)


def of_randint(low: Lowering, value: Tensor, *bounds: Any, **_: object) -> Tensor:
    """Draw integers."""
    first, last = bounds[:-1] if len(bounds) == 3 else (0, bounds[0])
    return low.emit("rand", value, [], [first, last - first])


RULES: dict[str, Rule] = {
    **{name: of_pairwise(name) for name in ("add", "sub", "mul", "div", "lt", "eq")},
    **{"gt": of_pairwise("lt", swapped=True), "rsub": of_pairwise("sub", swapped=True)},
    **{"__and__": of_bools("min"), "__or__": of_bools("max")},
    **{"logical_and": of_bools("min"), "logical_or": of_bools("max")},
    **{"bitwise_not": of_not, "logical_not": of_not},
    **{name: of_single(name) for name in ("relu", "sqrt", "silu")},
    **{"square": of_square, "reciprocal": of_reciprocal},
    **{"clamp": of_clamp, "clamp_min": of_clamp_min, "masked_fill": of_fill, "where": of_where},
    **dict.fromkeys(("reshape", "flatten", "contiguous", "clone"), of_copy),
    **{"to": of_to, "repeat_interleave": of_repeat_interleave},
    **{"sum": of_sum, "any": of_any, "cumsum": of_cumsum},
    **{"argsort": of_argsort, "sort": of_sort, "gather": of_gather},
    **{"index_select": of_index_select, "index": of_index, "cat": of_cat, "stack": of_stack},
    **{"linear": of_linear, "matmul": of_product, "mm": of_product, "bmm": of_product},
    **{"addmm": of_addmm, "baddbmm": of_addmm},
    **{"scaled_dot_product_attention": of_attention, "layer_norm": of_layer_norm},
    "randint": of_randint,
}
"""The rule of each operation, by its name in torch."""
