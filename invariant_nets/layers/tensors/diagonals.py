r"""Diagonals of tensors: the entries on which the axes of each block have one index."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from invariant_nets._sets import at_least_single
from invariant_nets.layers.tensors.partitions import Node, Partition, Side, count


def diagonal(
    side: Side, x: Float[Tensor, "batch *axes channels"], partition: Partition
) -> Float[Tensor, "batch *blocks channels"]:
    """Return a view of a diagonal, one axis for each block."""
    blocks, order = side.blocks(partition), list(range(len(side.axes)))
    for first, *rest in blocks:
        for axis in rest:
            # Torch puts the diagonal last, behind the channels.
            x = x.diagonal(0, 1 + order.index(first), 1 + order.index(axis)).movedim(-1, -2)
            order = [a for a in order if a not in (first, axis)] + [first]
    return x.permute(0, *(1 + order.index(block[0]) for block in blocks), x.ndim - 1)


def reduced(side: Side, x: Tensor, node: Node, found: dict[Node, Tensor]) -> Tensor:
    """Return a node of `x`: a diagonal, summed over the blocks that are not kept."""
    if node not in found:
        blocks = count(node.partition)
        if len(node.kept) == blocks:
            found[node] = diagonal(side, x, node.partition)
        else:
            dropped = min(set(range(blocks)) - set(node.kept))
            kept = tuple(sorted((*node.kept, dropped)))
            parent = reduced(side, x, Node(node.partition, kept), found)
            axis = 1 + kept.index(dropped)
            found[node] = parent.sum(axis, dtype=at_least_single(x.dtype))
    return found[node]


def added_to_diagonal(
    side: Side,
    y: Float[Tensor, "batch *axes channels"] | None,
    value: Float[Tensor, "batch *blocks channels"],
    partition: Partition,
    sizes: dict[str, int],
) -> Float[Tensor, "batch *axes channels"]:
    """Return `y`, or 0, plus a value on a diagonal, as a new tensor; the value is broadcast."""
    blocks = side.blocks(partition)
    first = [block[0] for block in blocks]
    value = value.permute(0, *(1 + first.index(axis) for axis in sorted(first)), value.ndim - 1)
    for axis in range(len(side.axes)):
        if axis not in first:
            value = value.unsqueeze(1 + axis)
    value = value.expand(-1, *(sizes[name] if a in first else 1 for a, name in enumerate(side.axes)), -1)
    for axis, *rest in blocks:
        index = torch.arange(sizes[side.axes[axis]], device=value.device)
        for other in rest:
            same = _along(index, axis, len(side.axes)) == _along(index, other, len(side.axes))
            value = value.where(same, 0)
    return value if y is None else y + value


def _along(index: Tensor, axis: int, axes: int) -> Tensor:
    """Return indices that stand along one axis of a tensor with a batch and channels."""
    return index.view(*(-1 if a == axis else 1 for a in range(axes)), 1)
