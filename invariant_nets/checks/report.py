r"""How far a function is from invariant or equivariant to a permutation group.

The defect of $f$ under $\sigma$ is $\max |f(\sigma x) - f(x)|$ (invariance) or
$\max |f(\sigma x) - \sigma f(x)|$ (equivariance). By itself it says little: an untrained network
whose outputs hardly vary has a small defect in any case. So it is compared with the spread of the
outputs over different sets.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Shaped
from torch import Tensor

from invariant_nets._arguments import warn
from invariant_nets.checks.probe import probing, rank, set_like
from invariant_nets.checks.tries import permutations_to_try
from invariant_nets.groups.group import PermutationGroup
from invariant_nets.groups.permutation import Permutation, stack_permutations
from invariant_nets.groups.products import moved_axes


@dataclass(frozen=True)
class SymmetryReport:
    """What a check found; it is true if the symmetry holds, and prints as a table.

    Every entry of the outputs is judged by itself. The numbers below are those of the entry whose
    error is the largest in units of its tolerance.

    Attributes:
        kind: `"invariant"` or `"equivariant"`.
        group: the name of the group that was tested.
        holds: whether the function is deterministic and no error exceeds its tolerance.
        max_error: the error of that entry.
        spread: its standard deviation over different sets.
        relative_error: `max_error / spread`.
        tolerance: the largest error of that entry that still counts as rounding.
        permutation: the permutation with the error `max_error`.
        num_permutations: the number of permutations tried.
        is_random: whether two calls on the same input differ by more than rounding.
        call_to_call: by how much they differ.
        dtype: the type of numbers in which the outputs were compared.
        output: the entry, such as `output[2]` or `output['mean'][0]`.
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
    output: str = "output"

    def __bool__(self) -> bool:
        return self.holds

    def __str__(self) -> str:
        verdict = "yes" if self.holds else "NO"
        where = "" if self.output == "output" or not self.max_error else f", in {self.output}"
        lines = {
            "largest error": f"{self.max_error:.3g} under {self.permutation}{where}",
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
    model: Callable[..., Any],
    input: Shaped[Tensor, "batch n *rest"],
    group: PermutationGroup | Iterable[Permutation] | None = None,
    *,
    mask: Bool[Tensor, "batch n"] | None = None,
    equivariant: bool = False,
    double: bool | None = None,
    rtol: float | None = None,
    atol: float = 0.0,
    seed: int = 0,
) -> SymmetryReport:
    r"""Measure whether $f(\sigma x) = f(x)$, or $f(\sigma x) = \sigma f(x)$, for a whole group.

    A function that passes for the generators on every input passes for the group. Since one batch
    is not every input, a few random elements are tried as well. The model is called under
    `torch.no_grad()` and in evaluation mode; its modes and gradients and the global random states
    are left as they were.

    Args:
        model: the function $f$ of a batch of sets.
        input: the batch of sets $x$; more sets give a better estimate of the spread.
        group: the group, or generators of it. It permutes the $n$ rows, or, if its `shape` is
            the grid $(n, d)$, the entries. By default all of $S_n$ on the rows.
        mask: for sets padded to one size, true where a row is a member. It moves with the sets, and
            the model is called as `model(x, mask=mask)`. The output of an equivariant model at
            padding is not tested.
        equivariant: whether the output should move with the input; otherwise it should stay.
        double: whether outputs are compared in float64, where rounding is nine digits smaller:
            each operation of torch then takes and returns double precision, whatever the type of
            the weights. By default this is done if the function accepts it, and errors above about
            $10^{-8}$ of an entry's spread count as defects, also in a model of half precision.
        rtol: the error, relative to the spread of an output entry, that counts as rounding; by
            default the square root of the outputs' machine epsilon. Integers and booleans must be
            equal.
        atol: an absolute error that is tolerated in addition.
        seed: the seed of the random elements.

    Shape:
        input: $(\mathrm{batch}, n, d)$, or with more axes after these, which do not move; the
        output $(\mathrm{batch}, *)$, if equivariant $(\mathrm{batch}, n, *)$, or
        $(\mathrm{batch}, n, d, *)$ for a group on the grid; or a tuple, list, dict or dataclass of
        such tensors, each of which is judged. mask: $(\mathrm{batch}, n)$.

    Returns:
        A report: whether the symmetry holds, the largest error, absolute and relative to the spread
        of its output entry, the permutation that caused it, and whether the function is random from
        call to call. A random function is neither invariant nor equivariant.

    Raises:
        ValueError: if the group's permutations, the output or the mask do not fit the input; or if
            outputs vary by less than their type's rounding, which could hide a defect.
        TypeError: if the model returns no tensor, or the group holds something other than
            permutations.

    Warns:
        UserWarning: if nothing was tested, because the permutations move nothing in this input.

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
    set_like(input, mask)
    source = torch.Generator().manual_seed(seed)
    fitted, permutations = permutations_to_try(group, input.shape[1], source)
    rows = len(fitted.shape) == 1 and input.ndim > 3 and input.shape[1] == fitted.degree
    axes = 1 if rows else moved_axes(fitted, input, "input")
    with probing(
        model,
        input,
        mask=mask,
        axes=axes,
        equivariant=equivariant,
        double=double,
        rtol=rtol,
        atol=atol,
        source=source,
    ) as probe:
        images = stack_permutations(permutations)
        moved = [probe.moves(row) for row in images]
        _warn_unmoved(moved, permutations, group, fitted, equivariant)
        found = [probe.worst(row) for row in images]
    at = max(range(len(found)), key=lambda i: rank(found[i]))
    worst = found[at]
    nothing = 0.0 if not worst.error else math.inf
    return SymmetryReport(
        kind="equivariant" if equivariant else "invariant",
        group=fitted.name,
        # NaN compares false: no NaN error is tolerated.
        holds=not probe.is_random and worst.excess <= 1,
        max_error=worst.error,
        spread=worst.spread,
        relative_error=worst.error / worst.spread if worst.spread else nothing,
        tolerance=worst.tolerance,
        permutation=permutations[at],
        num_permutations=len(permutations),
        is_random=probe.is_random,
        call_to_call=probe.call_to_call,
        dtype=worst.dtype,
        output=worst.output,
    )


def _warn_unmoved(
    moved: list[bool],
    permutations: list[Permutation],
    group: object,
    fitted: PermutationGroup,
    equivariant: bool,
) -> None:
    home = Permutation.identity(fitted.degree)
    still = [p for p, moves in zip(permutations, moved, strict=True) if not moves and p != home]
    generators = [p for p in still if p in permutations[: len(fitted.generators)]]
    if not any(moved) and (still or group is None):
        words = (
            f"nothing was tested: no permutation of {fitted.name} that was tried moves the input"
        )
    elif generators and not equivariant:  # equal rows must give equal outputs
        words = f"{generators[0]} moves nothing in the input, so that this much was not tested"
    else:
        return
    warn(f"{words}; take sets whose rows differ")
