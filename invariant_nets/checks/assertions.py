"""Short names for `symmetry_report`: does it hold, and raise unless it does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from jaxtyping import Shaped
from torch import Tensor

from invariant_nets.checks.report import SymmetryReport, symmetry_report
from invariant_nets.groups.group import PermutationGroup
from invariant_nets.groups.permutation import Permutation


def test_invariant(
    model: Callable[..., Any],
    input: Shaped[Tensor, "batch n *rest"],
    group: PermutationGroup | Iterable[Permutation] | None = None,
    **options: Any,
) -> SymmetryReport:
    r"""Test whether $f(\sigma x) = f(x)$ for every $\sigma$ of a permutation group.

    Args:
        model: the function $f$ of a batch of sets.
        input: the batch of sets $x$.
        group: the group, or generators of it; by default all of $S_n$.
        options: `mask`, `double`, `rtol`, `atol` and `seed`, as in `symmetry_report`.

    Shape:
        input: $(\mathrm{batch}, n, d)$; the output has any shape $(\mathrm{batch}, *)$.

    Returns:
        The report of `symmetry_report`, which is true if the invariance holds.

    Raises:
        ValueError: if the input or the group's permutations do not fit.
        TypeError: if the model returns no tensor.

    Example:
        >>> import torch
        >>> x = torch.randn(32, 4, 2)
        >>> bool(test_invariant(lambda x: x.amax(-2), x))
        True
        >>> first_row = test_invariant(lambda x: x[:, 0], x)
        >>> first_row.holds, first_row.relative_error > 0.1
        (False, True)

    Derived in chapter 3.
    """
    return symmetry_report(model, input, group, equivariant=False, **options)


def test_equivariant(
    model: Callable[..., Any],
    input: Shaped[Tensor, "batch n *rest"],
    group: PermutationGroup | Iterable[Permutation] | None = None,
    **options: Any,
) -> SymmetryReport:
    r"""Test whether $f(\sigma x) = \sigma f(x)$ for every $\sigma$ of a permutation group.

    Args:
        model: the function $f$ of a batch of sets.
        input: the batch of sets $x$.
        group: the group, or generators of it; by default all of $S_n$.
        options: `mask`, `double`, `rtol`, `atol` and `seed`, as in `symmetry_report`.

    Shape:
        input: $(\mathrm{batch}, n, d)$; the output $(\mathrm{batch}, n, *)$.

    Returns:
        The report of `symmetry_report`, which is true if the equivariance holds.

    Raises:
        ValueError: if the input or the group's permutations do not fit, or the output has no set
            axis of the input's size.
        TypeError: if the model returns no tensor.

    Example:
        >>> import torch
        >>> x = torch.randn(32, 4, 2)
        >>> bool(test_equivariant(lambda x: x - x.mean(-2, keepdim=True), x))
        True
        >>> bool(test_equivariant(lambda x: x.cumsum(-2), x))
        False

    Derived in chapter 3, used in chapter 4.
    """
    return symmetry_report(model, input, group, equivariant=True, **options)


def assert_invariant(
    model: Callable[..., Any],
    input: Shaped[Tensor, "batch n *rest"],
    group: PermutationGroup | Iterable[Permutation] | None = None,
    **options: Any,
) -> None:
    """Raise `AssertionError` with the report of `test_invariant` unless the invariance holds.

    Example:
        >>> import torch
        >>> assert_invariant(lambda x: x.sum(-2), torch.randn(32, 4, 2))
    """
    __tracebackhide__ = True
    _assert(test_invariant(model, input, group, **options))


def assert_equivariant(
    model: Callable[..., Any],
    input: Shaped[Tensor, "batch n *rest"],
    group: PermutationGroup | Iterable[Permutation] | None = None,
    **options: Any,
) -> None:
    """Raise `AssertionError` with the report of `test_equivariant` unless the equivariance holds.

    Example:
        >>> import torch
        >>> assert_equivariant(lambda x: x.relu(), torch.randn(32, 4, 2))
    """
    __tracebackhide__ = True
    _assert(test_equivariant(model, input, group, **options))


# Their names begin with test_, but they are no tests: pytest must not collect them.
test_invariant.__test__ = False  # type: ignore[attr-defined]
test_equivariant.__test__ = False  # type: ignore[attr-defined]


def _assert(report: SymmetryReport) -> None:
    __tracebackhide__ = True
    if not report:
        raise AssertionError(str(report))
