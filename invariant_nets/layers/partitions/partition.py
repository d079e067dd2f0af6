r"""Set partitions of axes: what a linear map of tensors can know of its indices.

Two indices that permutations of one set move are equal or not, and nothing else of them is kept. So
an orbit of index tuples is a set partition of the axes, whose blocks hold axes of one name only.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from functools import cache

Partition = tuple[int, ...]  # the number of each axis's block; blocks come in order of first axes


@cache
def partitions(names: tuple[str, ...]) -> list[Partition]:
    """Return all partitions of axes whose blocks hold one name only, from the finest on."""
    axes = {name: [a for a, other in enumerate(names) if other == name] for name in names}
    found = []
    for blocks in itertools.product(*(_of(len(axes[name])) for name in axes)):
        labels: list[tuple[str, int]] = [("", 0)] * len(names)
        for name, numbers in zip(axes, blocks, strict=True):
            for axis, number in zip(axes[name], numbers, strict=True):
                labels[axis] = name, number
        found.append(numbered(labels))
    return sorted(found, key=lambda partition: (-count(partition), partition))


def _of(size: int) -> Iterator[Partition]:
    """Return all partitions of so many axes."""
    if size == 0:
        yield ()
        return
    for rest in _of(size - 1):
        for block in range(count(rest) + 1):
            yield *rest, block


def count(partition: Partition) -> int:
    """Return the number of blocks."""
    return max(partition, default=-1) + 1


def join(one: Partition, other: Partition) -> Partition:
    """Return the finest partition that is coarser than both."""
    labels = list(one)
    first: dict[int, int] = {}
    for axis, block in enumerate(other):
        start = first.setdefault(block, axis)
        old, new = labels[axis], labels[start]
        labels = [new if label == old else label for label in labels]
    return numbered(labels)


def coarser(one: Partition, other: Partition) -> bool:
    """Return whether every block of `other` lies within a block of `one`."""
    return join(one, other) == one


def moebius(fine: Partition, coarse: Partition) -> int:
    r"""Return $\prod (-1)^{m-1} (m-1)!$ over the blocks of `coarse`, $m$ of `fine` in each."""
    inside: dict[int, set[int]] = {}
    for block, part in zip(coarse, fine, strict=True):
        inside.setdefault(block, set()).add(part)
    sizes = [len(parts) for parts in inside.values()]
    return math.prod((-1) ** (m - 1) * math.factorial(m - 1) for m in sizes)


def numbered(labels: Sequence[object]) -> Partition:
    """Return the partition of axes whose labels are equal."""
    order: dict[object, int] = {}
    return tuple(order.setdefault(label, len(order)) for label in labels)
