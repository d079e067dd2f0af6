r"""Diagonals of tensors as views, and values added to them."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from invariant_nets.layers.partitions.sides import Diagonal, Side


def view_of(
    x: Float[Tensor, "batch *axes channels"], diagonal: Diagonal
) -> Float[Tensor, "batch *blocks channels"]:
    """Return a diagonal as a view, one axis for each block."""
    for one, other in diagonal.steps:
        x = x.diagonal(0, one, other)
    return x.permute(diagonal.order)


def spread_out(
    value: Float[Tensor, "batch *blocks channels"],
    side: Side,
    diagonal: Diagonal,
    sizes: dict[str, int],
) -> Float[Tensor, "batch *axes channels"]:
    """Return a tensor that has a value on a diagonal, and 0 elsewhere; the value is broadcast."""
    axes = range(len(side.axes))
    first = [block[0] for block in diagonal.blocks]
    value = value.permute(0, *(1 + first.index(axis) for axis in sorted(first)), value.ndim - 1)
    for axis in sorted(set(axes) - set(first)):
        value = value.unsqueeze(1 + axis)
    full = [sizes[name] if axis in first else 1 for axis, name in enumerate(side.axes)]
    value = value.expand(-1, *full, -1)
    for axis, *rest in diagonal.blocks:
        index = torch.arange(sizes[side.axes[axis]], device=value.device)
        for other in rest:
            one, two = (index.view(*(-1 if a == b else 1 for a in axes), 1) for b in (axis, other))
            value = value.where(one == two, 0)
    return value
