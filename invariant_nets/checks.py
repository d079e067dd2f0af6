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
from jaxtyping import Float
from torch import Tensor

from invariant_nets._defect import (
    generators_of,
    largest_entry,
    outputs_of,
    random_elements,
    resampled,
    undisturbed,
)
from invariant_nets._validation import set_batch
from invariant_nets.permutation import Permutation

_ROUNDING_UNITS = 32


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

    def __bool__(self) -> bool:
        return self.holds

    def __str__(self) -> str:
        verdict = "yes" if self.holds else "NO"
        lines = {
            "largest error": f"{self.max_error:.3g} under {self.permutation}",
            "spread of outputs": f"{self.spread:.3g}",
            "relative error": f"{self.relative_error:.3g}",
            "tolerated error": f"{self.tolerance:.3g}",
            "permutations tried": f"{self.num_permutations}",
            "random": f"yes, two calls differ by {self.call_to_call:.3g}"
            if self.is_random
            else "no",
        }
        body = "\n".join(f"  {name:<19} {text}" for name, text in lines.items())
        return f"{self.kind} to {self.group}: {verdict}\n{body}"

    __repr__ = __str__


def test_invariant(
    model: Callable[[Tensor], Tensor],
    input: Float[Tensor, "batch n d"],
    group: Iterable[Permutation] | None = None,
    *,
    rtol: float | None = None,
    atol: float = 0.0,
    seed: int = 0,
) -> SymmetryReport:
    r"""Test whether $f(\sigma x) = f(x)$ for every $\sigma$ of a permutation group.

    The generators and some random elements are tried, under `torch.no_grad()` and in evaluation
    mode. The model's modes and gradients and the global random states are left as they were.

    Args:
        model: the function $f$ of a batch of sets.
        input: the batch of sets $x$; the more sets, the better the spread is known.
        group: generators of the group, each of the set's size; all of $S_n$ by default.
        rtol: the error, relative to the spread of the outputs, that counts as rounding; by
            default the square root of the outputs' machine epsilon.
        atol: an absolute error that is tolerated besides.
        seed: of the random elements.

    Shape:
        input: $(\mathrm{batch}, n, d)$; the output has any shape $(\mathrm{batch}, *)$.

    Returns:
        A report: whether it holds, the largest error, absolute and relative to the spread of the
        outputs, the permutation that showed it, and whether the function is random from call to
        call. A random function is not invariant.

    Raises:
        ValueError: if the input or the group's permutations do not fit.
        TypeError: if the model returns no tensor.

    Example:
        >>> x = torch.randn(32, 4, 2)
        >>> bool(test_invariant(lambda x: x.amax(-2), x))
        True
        >>> first_row = test_invariant(lambda x: x[:, 0], x)
        >>> first_row.holds, first_row.relative_error > 0.1
        (False, True)

    Derived in chapter 8, used in every chapter.
    """
    return _check("invariant", model, input, group, rtol, atol, seed)


def test_equivariant(
    model: Callable[[Tensor], Tensor],
    input: Float[Tensor, "batch n d"],
    group: Iterable[Permutation] | None = None,
    *,
    rtol: float | None = None,
    atol: float = 0.0,
    seed: int = 0,
) -> SymmetryReport:
    r"""Test whether $f(\sigma x) = \sigma f(x)$ for every $\sigma$ of a permutation group.

    Everything else is as in `test_invariant`.

    Args:
        model: the function $f$ of a batch of sets.
        input: the batch of sets $x$; the more sets, the better the spread is known.
        group: generators of the group, each of the set's size; all of $S_n$ by default.
        rtol: the error, relative to the spread of the outputs, that counts as rounding; by
            default the square root of the outputs' machine epsilon.
        atol: an absolute error that is tolerated besides.
        seed: of the random elements.

    Shape:
        input: $(\mathrm{batch}, n, d)$; the output $(\mathrm{batch}, n, *)$.

    Returns:
        A report, as in `test_invariant`.

    Raises:
        ValueError: if the input or the group's permutations do not fit, or the output has no set
            axis of the input's size.
        TypeError: if the model returns no tensor.

    Example:
        >>> x = torch.randn(32, 4, 2)
        >>> bool(test_equivariant(lambda x: x - x.mean(-2, keepdim=True), x))
        True
        >>> bool(test_equivariant(lambda x: x.cumsum(-2), x))
        False

    Used in chapter 4.
    """
    return _check("equivariant", model, input, group, rtol, atol, seed)


def assert_invariant(
    model: Callable[[Tensor], Tensor],
    input: Float[Tensor, "batch n d"],
    group: Iterable[Permutation] | None = None,
    *,
    rtol: float | None = None,
    atol: float = 0.0,
    seed: int = 0,
) -> None:
    """Raise `AssertionError` with the report of `test_invariant` unless the invariance holds.

    Example:
        >>> assert_invariant(lambda x: x.sum(-2), torch.randn(32, 4, 2))
    """
    _assert(test_invariant(model, input, group, rtol=rtol, atol=atol, seed=seed))


def assert_equivariant(
    model: Callable[[Tensor], Tensor],
    input: Float[Tensor, "batch n d"],
    group: Iterable[Permutation] | None = None,
    *,
    rtol: float | None = None,
    atol: float = 0.0,
    seed: int = 0,
) -> None:
    """Raise `AssertionError` with the report of `test_equivariant` unless the equivariance holds.

    Example:
        >>> assert_equivariant(lambda x: x.relu(), torch.randn(32, 4, 2))
    """
    _assert(test_equivariant(model, input, group, rtol=rtol, atol=atol, seed=seed))


# Their names begin with test_, but they are no tests: pytest must not collect them.
test_invariant.__test__ = False  # type: ignore[attr-defined]
test_equivariant.__test__ = False  # type: ignore[attr-defined]


def _assert(report: SymmetryReport) -> None:
    if not report:
        raise AssertionError(str(report))


def _check(
    kind: str,
    model: Callable[[Tensor], Tensor],
    x: Tensor,
    group: Iterable[Permutation] | None,
    rtol: float | None,
    atol: float,
    seed: int,
) -> SymmetryReport:
    set_batch(x, name="input")
    if len(x) == 0:
        raise ValueError(f"input must hold at least one set, got the shape {tuple(x.shape)}")
    n = x.shape[1]
    generators, name = generators_of(group, n)
    random_source = torch.Generator().manual_seed(seed)
    permutations = generators + random_elements(
        None if group is None else generators, n, random_source
    )

    with undisturbed(model), torch.no_grad():
        reference = outputs_of(model, x, kind)
        call_to_call = largest_entry(outputs_of(model, x, kind) - reference)
        errors = [
            largest_entry(
                outputs_of(model, p(x), kind)
                - (p(reference, dim=1) if kind == "equivariant" else reference)
            )
            for p in permutations
        ]
        samples = reference if len(x) > 1 else outputs_of(model, resampled(x, random_source), kind)

    spread = float((samples - samples.mean(0)).square().mean().sqrt())
    # NaN compares false: outputs that are NaN are not called random, and no NaN error is tolerated.
    is_random = call_to_call > 0
    worst = max(range(len(errors)), key=lambda i: (errors[i] != errors[i], errors[i]))
    epsilon = torch.finfo(reference.dtype).eps
    rounding = _ROUNDING_UNITS * epsilon * largest_entry(reference)
    tolerance = atol + (epsilon**0.5 if rtol is None else rtol) * spread + rounding
    return SymmetryReport(
        kind=kind,
        group=name,
        holds=not is_random and errors[worst] <= tolerance,
        max_error=errors[worst],
        spread=spread,
        relative_error=errors[worst] / spread
        if spread
        else (0.0 if not errors[worst] else math.inf),
        tolerance=tolerance,
        permutation=permutations[worst],
        num_permutations=len(permutations),
        is_random=is_random,
        call_to_call=call_to_call,
    )
