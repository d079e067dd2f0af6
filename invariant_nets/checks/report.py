r"""How far a function is from invariant or equivariant to a permutation group.

The defect of $f$ under $\sigma$ is $\max |f(\sigma x) - f(x)|$ (invariance) or
$\max |f(\sigma x) - \sigma f(x)|$ (equivariance). By itself it says little: an untrained network
whose outputs hardly vary has a small defect whatever it is. So it is held against the spread of the
outputs over different sets.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Shaped
from torch import Tensor

from invariant_nets.checks.probe import nonempty_set_batch, permutations_to_try, probing
from invariant_nets.groups.group import PermutationGroup
from invariant_nets.groups.permutation import Permutation, stack_permutations
from invariant_nets.groups.products import moved_axes


@dataclass(frozen=True)
class SymmetryReport:
    """What a check found; true if the symmetry holds, and its text reads well in a notebook.

    Attributes:
        kind: `"invariant"` or `"equivariant"`.
        group: the group that was tested, in words.
        holds: whether the function is deterministic and no error exceeds `tolerance`.
        max_error: the largest error found.
        spread: the standard deviation of the outputs over different sets.
        relative_error: `max_error / spread`.
        tolerance: the largest error that still counts as rounding.
        permutation: the one that showed `max_error`.
        num_permutations: how many were tried.
        is_random: whether two calls on the same input differ.
        call_to_call: by how much they differ.
        dtype: the outputs' type of numbers.
    """

    kind: str
    group: str
    holds: bool
    max_error: float
    spread: float
    relative_error: float
    tolerance: float
    permutation: Permutation
    num_permutations: int
    is_random: bool
    call_to_call: float
    dtype: torch.dtype

    def __bool__(self) -> bool:
        return self.holds

    def __str__(self) -> str:
        verdict = "yes" if self.holds else "NO"
        lines = {
            "largest error": f"{self.max_error:.3g} under {self.permutation}",
            "spread of outputs": f"{self.spread:.3g}",
            "relative error": f"{self.relative_error:.3g}",
            "tolerated error": f"{self.tolerance:.3g}, in {str(self.dtype).removeprefix('torch.')}",
            "permutations tried": f"{self.num_permutations}",
            "random": f"yes, two calls differ by {self.call_to_call:.3g}"
            if self.is_random
            else "no",
        }
        body = "\n".join(f"  {name:<19} {text}" for name, text in lines.items())
        return f"{self.kind} to {self.group}: {verdict}\n{body}"

    __repr__ = __str__


def symmetry_report(
    model: Callable[[Tensor], Tensor],
    input: Shaped[Tensor, "batch n d"],
    group: PermutationGroup | Iterable[Permutation] | None = None,
    *,
    equivariant: bool = False,
    double: bool = False,
    rtol: float | None = None,
    atol: float = 0.0,
    seed: int = 0,
) -> SymmetryReport:
    r"""Measure whether $f(\sigma x) = f(x)$, or $f(\sigma x) = \sigma f(x)$, for a whole group.

    A function that passes for the generators on every input passes for the group. On one batch a
    few random elements are tried besides. It happens under `torch.no_grad()` and in evaluation
    mode; the model's modes and gradients and the global random states are left as they were.

    Args:
        model: the function $f$ of a batch of sets.
        input: the batch of sets $x$; the more sets, the better the spread is known.
        group: the group, or generators of it. It permutes the $n$ rows, or, if its `shape` is
            the grid $(n, d)$, the entries. By default all of $S_n$ on the rows.
        equivariant: whether the output is to move with the input; otherwise it is to stay.
        double: whether to run a float64 copy of the model on a float64 input, where rounding is
            nine digits smaller. A function that is no module is called as it is.
        rtol: the error, relative to the spread of the outputs, that counts as rounding; by
            default the square root of the outputs' machine epsilon.
        atol: an absolute error that is tolerated besides.
        seed: of the random elements.

    Shape:
        input: $(\mathrm{batch}, n, d)$; the output $(\mathrm{batch}, *)$, if equivariant
        $(\mathrm{batch}, n, *)$, or $(\mathrm{batch}, n, d, *)$ for a group on the grid.

    Returns:
        A report: whether it holds, the largest error, absolute and relative to the spread of the
        outputs, the permutation that showed it, and whether the function is random from call to
        call. A random function is neither invariant nor equivariant.

    Raises:
        ValueError: if the group's permutations do not fit the input, or the output does not.
        TypeError: if the model returns no tensor, or the group holds something else than
            permutations.

    Example:
        >>> from invariant_nets import cyclic_group, direct_product, symmetric_group
        >>> x = torch.randn(32, 4, 2)
        >>> def neighbors(x):
        ...     return (x * x.roll(1, dims=-2)).sum((-2, -1))
        >>> [bool(symmetry_report(neighbors, x, g(4))) for g in (cyclic_group, symmetric_group)]
        [True, False]
        >>> matrix = direct_product(symmetric_group(4), symmetric_group(2), on="grid")
        >>> bool(symmetry_report(lambda x: x - x.mean((1, 2), True), x, matrix, equivariant=True))
        True

    Derived in chapter 3.
    """
    nonempty_set_batch(input)
    source = torch.Generator().manual_seed(seed)
    fitted, permutations = permutations_to_try(group, input.shape[1], source)
    with probing(
        model,
        input,
        axes=moved_axes(fitted, input, "input"),
        equivariant=equivariant,
        double=double,
        rtol=rtol,
        atol=atol,
        source=source,
    ) as probe:
        errors = probe.errors(stack_permutations(permutations)).tolist()
    # NaN compares false: outputs that are NaN are not called random, and no NaN error is tolerated.
    is_random = probe.call_to_call > 0
    worst = max(range(len(errors)), key=lambda i: (math.isnan(errors[i]), errors[i]))
    nothing = 0.0 if not errors[worst] else math.inf
    return SymmetryReport(
        kind="equivariant" if equivariant else "invariant",
        group=fitted.name,
        holds=not is_random and errors[worst] <= probe.tolerance,
        max_error=errors[worst],
        spread=probe.spread,
        relative_error=errors[worst] / probe.spread if probe.spread else nothing,
        tolerance=probe.tolerance,
        permutation=permutations[worst],
        num_permutations=len(permutations),
        is_random=is_random,
        call_to_call=probe.call_to_call,
        dtype=probe.reference.dtype,
    )
