r"""Integer matrices that make weights of maps those of plain sums.

Plain sums run over all indices, and a plain copy is added to all entries of a diagonal, those of
coarser ones among them. Inclusion-exclusion over set partitions, with its factor $\mu$ for merging
blocks, turns what a map is defined by into these.
"""

from __future__ import annotations

from collections.abc import Callable

from invariant_nets.layers.partitions.partition import (
    Partition,
    coarser,
    count,
    join,
    moebius,
    numbered,
    partitions,
)
from invariant_nets.layers.partitions.plan import Plan

Matrix = list[list[int]]
Terms = list[tuple[Partition, int]]


def of_distinct(plan: Plan) -> Matrix:
    r"""Return the matrix of sums over distinct indices, written to entries of exactly one pattern.

    Over coarser partitions of the input that merge no two kept blocks, and then over coarser ones
    of the output.
    """
    k = len(plan.inner.axes)

    def terms(labels: Partition) -> Terms:
        number = _kept(labels, k)
        return [
            (last, factor * second)
            for first, factor in _coarsenings(labels, plan.inner.axes, 0)
            if _kept(first, k) == number
            for last, second in _coarsenings(first, plan.outer.axes, k)
        ]

    return _matrix(plan.maps, terms)


def of_orbits(plan: Plan) -> Matrix:
    """Return the matrix of sums over the indices of exactly one partition of all axes."""
    axes = plan.inner.axes + plan.outer.axes
    return _matrix(plan.maps, lambda labels: _coarsenings(labels, axes, 0))


def of_bias(plan: Plan) -> Matrix:
    """Return the matrix of constants on the entries of exactly one pattern of the output."""
    axes = plan.outer.axes
    found = [diagonal.partition for diagonal in plan.outer.diagonals]
    return _matrix(found, lambda labels: _coarsenings(labels, axes, 0))


def of_effects(plan: Plan) -> Matrix:
    r"""Return the matrix $(-1)^{|k'| - |k|}$ for maps $k'$ that match what $k$ does, and more."""
    k = len(plan.inner.axes)
    alike: dict[tuple[Partition, Partition], list[Partition]] = {}
    for labels in plan.maps:
        alike.setdefault((numbered(labels[:k]), numbered(labels[k:])), []).append(labels)

    def terms(labels: Partition) -> Terms:
        beside = alike[numbered(labels[:k]), numbered(labels[k:])]
        return [
            (fine, (-1) ** (_kept(labels, k) - _kept(fine, k)))
            for fine in beside
            if coarser(labels, fine)
        ]

    return _matrix(plan.maps, terms)


def _matrix(maps: list[Partition], terms: Callable[[Partition], Terms]) -> Matrix:
    """Return the matrix whose column of a map holds the factors of what it is made of."""
    where = {labels: number for number, labels in enumerate(maps)}
    rows = [[0] * len(maps) for _ in maps]
    for column, labels in enumerate(maps):
        for image, factor in terms(labels):
            rows[where[image]][column] += factor
    return rows


def _kept(labels: Partition, k: int) -> int:
    """Return how many blocks hold axes of both sides."""
    return len(set(labels[:k]) & set(labels[k:]))


def _coarsenings(labels: Partition, axes: tuple[str, ...], start: int) -> Terms:
    """Return what `labels` becomes when blocks of some axes in turn are merged, and the factors."""
    stop = start + len(axes)
    fine = numbered(labels[start:stop])
    names = tuple(axes[fine.index(block)] for block in range(count(fine)))
    found = []
    for merged in partitions(names):
        # Labels of its own for each axis that is not one of them.
        rest = [len(labels) + axis for axis in range(len(labels))]
        rest[start:stop] = [merged[block] for block in fine]
        found.append((join(labels, tuple(rest)), moebius(tuple(range(len(merged))), merged)))
    return found
