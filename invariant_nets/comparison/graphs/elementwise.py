"""Rules of operations that work number by number, and of those that only copy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from invariant_nets.comparison.graphs.lowering import Lowering

Number = Tensor | float
Rule = Callable[..., Any]


def of_pairwise(name: str, swapped: bool = False) -> Rule:
    """Return the rule of what works on pairs of numbers, which may be swapped."""

    def rule(low: Lowering, value: Tensor, a: Number, b: Number) -> Tensor:
        pair = [t.expand(value.shape) if isinstance(t, Tensor) else t for t in (a, b)]
        return low.emit(name, value, pair[::-1] if swapped else pair)

    return rule


def of_bools(name: str) -> Rule:
    """Return the rule of what works on the bits of bools."""

    def rule(low: Lowering, value: Tensor, a: Tensor, b: Tensor) -> Tensor:
        _is_bool(value)
        return low.emit(name, value, [a.expand(value.shape), b.expand(value.shape)])

    return rule


def of_single(name: str) -> Rule:
    """Return the rule of what works on single numbers."""
    return lambda low, value, a: low.emit(name, value, [a])


def of_not(low: Lowering, value: Tensor, a: Tensor) -> Tensor:
    """Negate bools."""
    _is_bool(value)
    return low.emit("not", value, [a])


def _is_bool(value: Tensor) -> None:
    if value.dtype != torch.bool:
        raise ValueError(f"works on the bits of {value.dtype}, and only bool has a rule")


def of_square(low: Lowering, value: Tensor, a: Tensor) -> Tensor:
    """Multiply by itself."""
    return low.emit("mul", value, [a, a])


def of_reciprocal(low: Lowering, value: Tensor, a: Tensor) -> Tensor:
    """Divide 1."""
    return low.emit("div", value, [1.0, a])


def of_clamp(
    low: Lowering, value: Tensor, a: Tensor, min: float | None = None, max: float | None = None
) -> Tensor:
    """Bound from below and above."""
    above = a if min is None else low.emit("max", a.clamp(min=min), [a, min])
    return above if max is None else low.emit("min", value, [above, max])


def of_clamp_min(low: Lowering, value: Tensor, a: Tensor, min: float) -> Tensor:
    """Bound from below."""
    return low.emit("max", value, [a, min])


def of_fill(low: Lowering, value: Tensor, a: Tensor, where: Tensor, number: Number) -> Tensor:
    """Write a number where a mask is true."""
    if isinstance(number, Tensor):
        raise ValueError("fills with a tensor, and only numbers have a rule")
    return low.emit("fill", value, [t.expand(value.shape) for t in (a, where)], [number])


def of_where(low: Lowering, value: Tensor, where: Tensor, a: Number, b: Number) -> Tensor:
    """Choose between a tensor and a number."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        raise ValueError("chooses between two tensors, and only a number and a tensor have a rule")
    if isinstance(a, Tensor):
        return of_fill(low, value, a, low.emit("not", ~where, [where]), b)
    assert isinstance(b, Tensor)
    return of_fill(low, value, b, where, a)


def of_copy(low: Lowering, value: Tensor, a: Tensor, *_: object, **__: object) -> Tensor:
    """Lay numbers out anew, in the order in which the source's own axes give them."""
    return low.emit("copy", value, [a])


def of_to(low: Lowering, value: Tensor, a: Tensor, *_: object, **__: object) -> Tensor:
    """Change the type, where this changes no number."""
    if a.is_floating_point() and not value.is_floating_point() and value.dtype != a.dtype:
        raise ValueError(f"makes {value.dtype} of {a.dtype}, which no rule does")
    return low.emit("copy", value, [a])


def of_repeat_interleave(
    low: Lowering, value: Tensor, a: Tensor, repeats: int, dim: int | None = None
) -> Tensor:
    """Repeat each slice of an axis."""
    if dim is None:
        raise ValueError("repeats without a dim, and only along one there is a rule")
    axis = dim % a.ndim + 1
    return low.emit("copy", value, [a.unsqueeze(axis).expand(*_with(a.shape, axis, repeats))])


def _with(shape: Sequence[int], axis: int, size: int) -> list[int]:
    return [*shape[:axis], size, *shape[axis:]]
