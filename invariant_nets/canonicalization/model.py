r"""Canonicalization: put the set in order first, and any network becomes invariant.

A canonicalization chooses one element $c(x)$ of the orbit of $x$, the same for the whole orbit:
$c(\sigma x) = c(x)$. Then $\bar f(x) = f(c(x))$ is invariant for every $f$. For an equivariant
output the order is undone at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from invariant_nets._arguments import model_output, positive_int, set_batch, set_mask
from invariant_nets._precision import Calls, added, as_written, narrowed, widened
from invariant_nets._rows import front
from invariant_nets._sets import ZEROS, Members, call, chunk_size, manner, members_of, zero_padding
from invariant_nets.canonicalization.any_group.ordering import LIMIT, GroupOrder, moved
from invariant_nets.canonicalization.frames import Frame, RelaxedOrders, WeightedOrders
from invariant_nets.canonicalization.rotation import least_rotation, least_rotation_ordering
from invariant_nets.canonicalization.rows_and_columns.sort import (
    row_column_ordering,
    row_column_sort,
)
from invariant_nets.canonicalization.sorting import (
    Ordering,
    columnwise_ordering,
    columnwise_sort,
    lexicographic_ordering,
    lexicographic_sort,
    row_ranks,
)
from invariant_nets.groups.group import PermutationGroup

Canonicalization = Callable[..., Tensor]

# Where each sort moves every point, which an equivariant output must know.
_ORDERINGS: Mapping[Canonicalization | None, Callable[..., Ordering]] = MappingProxyType(
    {
        lexicographic_sort: lexicographic_ordering,
        least_rotation: least_rotation_ordering,
        columnwise_sort: columnwise_ordering,
        row_column_sort: row_column_ordering,
    }
)


class CanonicalModel(nn.Module):
    r"""Makes any model invariant, or equivariant, by putting its input in order first.

    $$\bar f(x) = f(c(x)), \qquad c(\sigma x) = c(x);$$

    and with a weighted frame, which gives several orders $\sigma_k x$ of the set, or with
    `equivariant=True`,

    $$\bar f(x) = \sum_k w_k(x)\, f(\sigma_k x), \qquad \bar f(x) = \rho(\sigma)^{-1} f(c(x))
    \ \text{ for } c(x) = \sigma x.$$

    It is exactly invariant (equivariant) to the group of the canonicalization:

    | canonicalization | group |
    |---|---|
    | `lexicographic_sort`, the default | $S_n$ |
    | `least_rotation` | $C_n$ |
    | `row_column_sort` | $S_n \times S_d$, unless too many rows and columns tie |
    | `columnwise_sort` | $(S_n)^d$, a permutation for each column |
    | a `frame` such as `CircleFrame()` or `DirectionFrame(d, 32)` | $S_n$, and continuous |
    | `frame=LearnedOrder(order_keys(d))`, a sort by keys that are learned | $S_n$ |
    | `group=` any `PermutationGroup` instead, see `canonical_order` | that group |

    If some of these permutations leave $x$ unchanged, then $\sigma$ is not determined, and $\bar f$
    is the mean over the choices: for example, equal rows get the mean of their outputs.

    With a mask the members are put in order, the padding after them, and the model gets a mask that
    fits this order. The output for an empty set is that of the model. Your own `canonicalization`
    or `frame` must then take a `mask` too, and do the same. With a `group` that is not all of $S_n$
    padding cannot always come last: the mask moves with the members, and padding counts as largest.

    Args:
        model: any module or function of a batch of sets.
        canonicalization: the function $c$ of a batch of sets; `lexicographic_sort` by default. To
            be equivariant it must be one of those in the table.
        frame: several orders and their weights instead of one, as a function of a batch of sets
            that returns `WeightedOrders`, or `RelaxedOrders`.
        equivariant: whether the output's set axis moves with the input's; otherwise the output is
            invariant. For the two groups that move single entries it has one value per entry.
        chunksize: how many of the frame's orders go through the model together, at least 1; by
            default, as many as give about 8,000 sets.
        group: a group whose canonical form to use instead of a canonicalization or a frame. One
            whose `shape` is a grid acts on matrices too, $S_n \times S_d$ on rows and columns.
        limit: how many equally good candidates of one set a group may leave open, at least 1;
            see `canonical_order`.

    Shape:
        $(\mathrm{batch}, n, d)$ to whatever `model` returns; with a frame, $(\mathrm{batch}, *)$.
        If equivariant, $(\mathrm{batch}, n, *)$, or $(\mathrm{batch}, n, d, *)$ for the two groups
        that move single entries. `mask` is $(\mathrm{batch}, n)$, true where a member is. With a
        group on a grid also $(\mathrm{batch}, n_1, \dots, n_k, *)$, without a mask.

    Raises:
        TypeError: if `model`, `canonicalization` or `frame` is not callable, or takes no mask where
            there is one, or the model returns no tensor where one is needed, or the sets are of a
            type that cannot be put in order or that the model's weights do not go with.
        ValueError: if there are two of a canonicalization, a frame and a group, the places of the
            sorted rows are needed and not known, `chunksize` or `limit` is below 1, a set has more
            candidates than `limit`, or the input or the output has another shape.

    Example:
        >>> model = CanonicalModel(nn.Sequential(nn.Flatten(), nn.Linear(6, 1)))
        >>> x = torch.randn(4, 3, 2)
        >>> torch.equal(model(x), model(x.flip(-2)))
        True
        >>> ranks = CanonicalModel(lambda x: torch.arange(3.0).expand(len(x), 3), equivariant=True)
        >>> ranks(torch.tensor([[[7.0], [5.0], [7.0]]])).tolist()
        [[1.5, 0.0, 1.5]]

    References:
        Kaba et al. (2023), *Equivariance with Learned Canonicalization Functions*; Dym et al.
        (2024), *Equivariant Frames and the Impossibility of Continuous Canonicalization*.

    Derived in chapter 7.
    """

    def __init__(
        self,
        model: Callable[..., Any],
        canonicalization: Canonicalization | None = None,
        *,
        frame: Frame | None = None,
        equivariant: bool = False,
        chunksize: int | None = None,
        group: PermutationGroup | None = None,
        limit: int = LIMIT,
    ) -> None:
        super().__init__()
        given = {"canonicalization": canonicalization, "frame": frame, "group": group}
        chosen = [name for name, value in given.items() if value is not None]
        if len(chosen) > 1:
            raise ValueError(f"{chosen[0]} and {chosen[1]} must not both be given")
        if not chosen:
            canonicalization = lexicographic_sort
        ordering = None if group is None else GroupOrder(group, limit)
        functions = {"canonicalization": canonicalization, "frame": frame}
        functions = {name: value for name, value in functions.items() if value is not None}
        for name, value in {"model": model, **functions}.items():
            if not callable(value):
                raise TypeError(f"{name} must be a module or a function, got {value!r}")
            manner(value)
        if equivariant and canonicalization is not None and canonicalization not in _ORDERINGS:
            known = ", ".join(_name(sort) for sort in _ORDERINGS)
            raise ValueError(
                "equivariant outputs need a canonicalization that returns where the rows went, "
                f"one of {known}, or a frame; got {_name(canonicalization)}"
            )
        self.model = model
        self.canonicalization = canonicalization
        self._ordering = ordering or _ORDERINGS.get(canonicalization)
        self.group, self.limit = group, limit
        self.frame = frame
        self.equivariant = equivariant
        self.chunksize = None if chunksize is None else positive_int("chunksize", chunksize)

    def forward(
        self, x: Float[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None = None
    ) -> Any:
        """Apply the model to the sets in order, and undo the order if equivariant."""
        if isinstance(self._ordering, GroupOrder):
            return self._of_group(self._ordering, x, mask)
        set_batch(x)
        set_mask(mask, x)
        members = members_of(mask)
        if self.canonicalization is not None and not self.equivariant:
            ordered = call(self.canonicalization, x, members, "canonicalization")
            return call(self.model, ordered, None if members is None else members.front())
        x = zero_padding(x, mask)
        return self._weighted(x, mask) if self.canonicalization is None else self._undone(x, mask)

    def _undone(
        self, x: Float[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None
    ) -> Tensor:
        assert self._ordering is not None
        order, classes = self._ordering(x, mask)
        axes = 1 if order.shape[1] == x.shape[1] else 2
        ordered = _gathered(x.flatten(1, axes), order).reshape(x.shape)
        points = tuple(x.shape[1 : 1 + axes])
        members = None if mask is None else Members(mask).front()
        output = model_output(call(self.model, ordered, members, holds=ZEROS), x.shape[0], points)
        return zero_padding(_returned(output, axes, order, classes), mask)

    def _of_group(self, ordering: GroupOrder, x: Tensor, mask: Tensor | None) -> Any:
        axes = ordering.axes(x, mask)
        x = zero_padding(x, mask)
        order, classes = ordering(x, mask)
        members = None if mask is None else Members(mask.gather(1, order))
        output = call(self.model, moved(x, order, axes), members, holds=ZEROS)
        if not self.equivariant:
            return output
        output = model_output(output, x.shape[0], tuple(x.shape[1 : 1 + axes]))
        return zero_padding(_returned(output, axes, order, classes), mask)

    def _weighted(
        self, x: Float[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None
    ) -> Tensor:
        assert self.frame is not None
        batch, n, _ = x.shape
        members = front(mask)
        orders, weights, relaxed = _checked(call(self.frame, x, mask, "frame"), batch, n)
        size = chunk_size(self.chunksize, batch)
        total: Tensor | None = None
        calls = Calls(self.model)
        copied = widened(x) if torch.is_grad_enabled() else x  # its gradient is a sum over orders
        for start in range(0, orders.shape[1], size):
            chunk, shares = (t[:, start : start + size] for t in (orders, weights))
            k = chunk.shape[1]
            flat = chunk.flatten(0, 1)
            sets = _gathered(copied, chunk.flatten(1)).reshape(batch * k, *x.shape[1:])
            if relaxed is not None:
                sets = sets + _slope(relaxed[:, start : start + size], x)
            sets = sets.to(x.dtype)
            present = None
            if members is not None:
                present = Members(members.repeat_interleave(k, 0), in_front=True)
            output = calls(sets, present, holds=ZEROS)
            output = model_output(output, batch * k, (n,) if self.equivariant else ())
            if self.equivariant:
                output = _gathered(zero_padding(output, present), flat.argsort(-1))
            output = output.reshape(batch, k, *output.shape[1:])
            weight = shares.reshape(batch, k, *[1] * (output.ndim - 2))
            total = added(total, (weight * widened(output)).sum(1))
        kind = torch.promote_types(x.dtype, output.dtype)
        assert total is not None
        average = total.to(kind if kind.is_floating_point or kind.is_complex else weights.dtype)
        if self.equivariant:
            average = _class_means(average, row_ranks(x, mask))
        return average

    def extra_repr(self) -> str:
        """Show the canonicalization when it is a function."""
        parts = [] if self.canonicalization is None else [_name(self.canonicalization)]
        parts = [f"canonicalization={part}" for part in parts]
        parts += [] if self.group is None else [f"group={self.group.name}"]
        return ", ".join([*parts, *(["equivariant=True"] if self.equivariant else [])])


def _name(function: object) -> str:
    return getattr(function, "__name__", "…")


def _checked(
    frame: WeightedOrders | RelaxedOrders, batch: int, n: int
) -> tuple[Tensor, Tensor, Tensor | None]:
    orders, weights, *rest = frame
    k = weights.shape[1] if weights.ndim == 2 else 0
    if k < 1 or weights.shape[0] != batch or orders.shape != (batch, k, n):
        raise ValueError(
            f"frame must return orders ({batch}, k, {n}) and weights ({batch}, k) with k ≥ 1, "
            f"got {tuple(orders.shape)} and {tuple(weights.shape)}"
        )
    return orders, weights, rest[0] if rest else None


def _slope(relaxed: Float[Tensor, "batch k n n"], x: Tensor) -> Float[Tensor, "batch_k n d"]:
    # 0, with the gradient of the mixtures of rows; the rows have theirs from the sets in order.
    with as_written(x):
        mixed = (relaxed @ x.detach()[:, None].to(relaxed.dtype)).flatten(0, 1)
    return mixed - mixed.detach()


def _gathered(
    y: Float[Tensor, "batch points *rest"], index: Int[Tensor, "batch places"]
) -> Float[Tensor, "batch places *rest"]:
    each = torch.arange(y.shape[0], device=y.device)[:, None]
    return y[each, index]


def _returned(
    output: Float[Tensor, "batch *points_and_rest"],
    axes: int,
    order: Int[Tensor, "batch points"],
    classes: Int[Tensor, "batch points"],
) -> Float[Tensor, "batch *points_and_rest"]:
    # What stands at a place goes back to the point that was moved there.
    y = _class_means(output.flatten(1, axes), classes)
    return _gathered(y, order.argsort(1)).reshape(output.shape)


def _class_means(
    y: Float[Tensor, "batch points *rest"], classes: Int[Tensor, "batch points"]
) -> Float[Tensor, "batch points *rest"]:
    # The mean over the permutations that leave x as it is: that over each of their orbits.
    each = torch.arange(y.shape[0], device=y.device)[:, None].expand_as(classes)
    wide = widened(y)
    sums = torch.zeros_like(wide).index_put((each, classes), wide, accumulate=True)
    counts = torch.zeros_like(classes).scatter_add(1, classes, torch.ones_like(classes))
    means = sums / counts.clamp(min=1).reshape(*counts.shape, *[1] * (y.ndim - 2))
    return narrowed(means[each, classes], y)
