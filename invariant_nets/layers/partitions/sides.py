r"""The axes of one side of a map: its diagonals, and what is left when some of their axes go."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from invariant_nets.layers.partitions.partition import Partition, count, partitions


@dataclass(eq=False)
class Node:
    """A diagonal of a tensor, summed over or broadcast along all blocks but those that are kept.

    Attributes:
        index: its number among the nodes of the side.
        kept: the blocks that are kept; blocks are numbered by name, then by first axis.
        kind: how many blocks of each name are kept.
        parent: the node that keeps the first of the other blocks too, if there is one.
        axis: where in a tensor of the parent's that block stands.
    """

    index: int
    kept: tuple[int, ...]
    kind: tuple[int, ...]
    parent: Node | None = None
    axis: int = 0


@dataclass(eq=False)
class Diagonal:
    """The entries on which the axes of each block have one index.

    Attributes:
        partition: the blocks.
        blocks: their axes, by name and then by first axis.
        steps: the pairs of dimensions of which `torch.diagonal` takes the diagonal, in turn.
        order: how the dimensions are then permuted: batch, blocks, channels.
        nodes: those of this diagonal, what keeps much before what keeps little.
    """

    partition: Partition
    blocks: list[tuple[int, ...]]
    steps: list[tuple[int, int]] = field(default_factory=list)
    order: tuple[int, ...] = ()
    nodes: list[Node] = field(default_factory=list)


class Side:
    """The axes of one side, its diagonals, the finest first, and their nodes."""

    def __init__(self, axes: tuple[str, ...], names: tuple[str, ...]) -> None:
        self.axes = axes
        self.diagonals: list[Diagonal] = []
        self.nodes: list[Node] = []
        for partition in partitions(axes):
            blocks = _blocks(partition, axes, names)
            diagonal = Diagonal(partition, blocks)
            diagonal.steps, diagonal.order = _views(blocks, len(axes))
            self._add_nodes(diagonal, [names.index(axes[block[0]]) for block in blocks], len(names))
            self.diagonals.append(diagonal)

    def _add_nodes(self, diagonal: Diagonal, name_of: list[int], names: int) -> None:
        every = range(len(diagonal.blocks))
        found: dict[tuple[int, ...], Node] = {}
        for number in reversed(range(len(every) + 1)):
            for kept in itertools.combinations(every, number):
                kind = [0] * names
                for block in kept:
                    kind[name_of[block]] += 1
                node = Node(len(self.nodes), kept, tuple(kind))
                if len(kept) < len(every):
                    dropped = min(set(every) - set(kept))
                    above = tuple(sorted((*kept, dropped)))
                    node.parent, node.axis = found[above], 1 + above.index(dropped)
                found[kept] = node
                self.nodes.append(node)
                diagonal.nodes.append(node)


def _blocks(
    partition: Partition, axes: tuple[str, ...], names: tuple[str, ...]
) -> list[tuple[int, ...]]:
    found: list[list[int]] = [[] for _ in range(count(partition))]
    for axis, block in enumerate(partition):
        found[block].append(axis)
    return sorted(map(tuple, found), key=lambda block: (names.index(axes[block[0]]), block))


def _views(
    blocks: list[tuple[int, ...]], axes: int
) -> tuple[list[tuple[int, int]], tuple[int, ...]]:
    """Return the steps and the order of a diagonal; torch puts each new dimension last."""
    dimensions, steps = [-1, *range(axes), axes], []  # of the batch, the axes and the channels
    for first, *rest in blocks:
        for axis in rest:
            steps.append((dimensions.index(first), dimensions.index(axis)))
            dimensions = [d for d in dimensions if d not in (first, axis)] + [first]
    last = [-1, *(block[0] for block in blocks), axes]
    return steps, tuple(dimensions.index(d) for d in last)
