"""Rules of operations along an axis: sums, sorts, and what is chosen by an index."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from invariant_nets.comparison.graphs.lowering import Lowering


def _run_along(a: Tensor, dims: Sequence[int]) -> tuple[Tensor, int]:
    """Return a view whose last axes are these, and how many numbers they hold."""
    last = sorted(dim % max(1, a.ndim) for dim in dims)[: a.ndim]
    kept = [axis for axis in range(a.ndim) if axis not in last]
    return a.permute(*kept, *last), math.prod(a.shape[axis] for axis in last)


def of_sum(
    low: Lowering,
    value: Tensor,
    a: Tensor,
    dim: Sequence[int] | None = None,
    keepdim: bool = False,
    *,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Sum over axes, by default over all."""
    read, run = _run_along(a, dim or range(a.ndim))
    return low.emit("sum", value, [read], [run])


def of_any(low: Lowering, value: Tensor, a: Tensor, dim: int, keepdim: bool = False) -> Tensor:
    """Tell whether anything along an axis is true."""
    read, run = _run_along(a, [dim])
    return low.emit("any", value, [read], [run])


def _along(ndim: int, dim: int) -> list[int]:
    """Return the axes with one of them last."""
    axes = list(range(ndim))
    axes.append(axes.pop(dim % ndim))
    return axes


def of_cumsum(low: Lowering, value: Tensor, a: Tensor, dim: int) -> Tensor:
    """Sum up to each place along an axis."""
    read, run = _run_along(a, [dim])
    return low.emit("cumsum", value, [read], [run], _along(a.ndim, dim))


def of_argsort(
    low: Lowering,
    value: Tensor,
    a: Tensor,
    dim: int = -1,
    descending: bool = False,
    stable: bool = False,
) -> Tensor:
    """Return the order along an axis, stable whether asked or not."""
    read, run = _run_along(a, [dim])
    return low.emit("argsort", value, [read], [run, descending], _along(a.ndim, dim))


def of_sort(
    low: Lowering,
    value: tuple[Tensor, Tensor],
    a: Tensor,
    dim: int = -1,
    descending: bool = False,
    *,
    stable: bool = False,
) -> tuple[Tensor, Tensor]:
    """Sort: find the order, then gather."""
    order = of_argsort(low, value[1], a, dim, descending)
    return of_gather(low, value[0], a, dim, order), order


def of_gather(low: Lowering, value: Tensor, a: Tensor, dim: int, index: Tensor) -> Tensor:
    """Choose along an axis, for each place by an index of its own."""
    axis = dim % a.ndim
    for other, size in enumerate(index.shape):
        a = a if other == axis else a.narrow(other, 0, size)
    # The first number along the axis; the others are so many strides further.
    first = a.narrow(axis, 0, 1).expand(index.shape)
    return low.emit("gather", value, [first, index], [a.stride(axis)])


def of_index_select(low: Lowering, value: Tensor, a: Tensor, dim: int, index: Tensor) -> Tensor:
    """Choose whole slices of an axis."""
    return of_index(low, value, a, [*[None] * (dim % a.ndim), index])


def of_index(low: Lowering, value: Tensor, a: Tensor, indices: Sequence[Tensor | None]) -> Tensor:
    """Index one axis by a tensor of any shape."""
    given = [axis for axis, index in enumerate(indices) if index is not None]
    axis, index = given[0], indices[given[0]]
    if len(given) > 1 or index is None or index.dtype == torch.bool:
        raise ValueError(
            "indexes by a mask or several tensors, and only one of integers has a rule"
        )
    before, after = a.shape[:axis], a.shape[axis + 1 :]
    chosen = index.reshape(*[1] * len(before), *index.shape, *[1] * len(after))
    first = a.narrow(axis, 0, 1).reshape(*before, *[1] * index.ndim, *after)
    reads = [first.expand(value.shape), chosen.expand(value.shape)]
    return low.emit("gather", value, reads, [a.stride(axis)])


def of_cat(low: Lowering, value: Tensor, parts: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join along an axis."""
    axis = dim % value.ndim
    order = [axis, *(other for other in range(value.ndim) if other != axis)]
    return low.emit("cat", value, [part.movedim(axis, 0) for part in parts], (), order)


def of_stack(low: Lowering, value: Tensor, parts: Sequence[Tensor], dim: int = 0) -> Tensor:
    """Join along a new axis."""
    axis = dim % value.ndim
    return of_cat(low, value, [part.unsqueeze(axis) for part in parts], axis)
