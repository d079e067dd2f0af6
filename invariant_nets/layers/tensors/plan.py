r"""Every linear map between tensors is a sum, a product with a matrix of channels, and a copy.

A set partition of all axes is the same as a node of the input (its axes in blocks, some of which
are kept), a node of the output, and a bijection of their kept blocks. So the maps whose kept blocks
have the same names are all triples of a node, a node and a bijection, and one matrix product
computes them together.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache

from invariant_nets.layers.tensors.partitions import (
    Node,
    Partition,
    Side,
    coarser,
    join,
    moebius,
    numbered,
    partitions,
)

Matrix = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Kind:
    """The maps whose kept blocks have the same names: all triples (bijection, row, column).

    Attributes:
        bijections: to which kept block of the input each kept block of the output belongs.
        rows: the nodes of the input.
        columns: the nodes of the output.
        slice: where these maps are in the order of all.
    """

    bijections: tuple[tuple[int, ...], ...]
    rows: tuple[Node, ...]
    columns: tuple[Node, ...]
    slice: slice

    @property
    def shape(self) -> tuple[int, int, int]:
        """How many bijections, rows and columns there are."""
        return len(self.bijections), len(self.rows), len(self.columns)

    def transposed(self) -> Kind:
        """Return the kind of the transposed maps."""
        inverse = tuple(tuple(map(s.index, range(len(s)))) for s in self.bijections)
        return Kind(inverse, self.columns, self.rows, self.slice)


class Plan:
    """All maps of a pattern, in the order in which a layer stores their weights.

    Attributes:
        names: the sets whose permutations move the axes.
        inner: the side that comes in.
        outer: the side that goes out.
        kinds: the maps by what they keep, most first.
        maps: the partition of all axes that each map is, those of the input first.
    """

    def __init__(self, inner: tuple[str, ...], outer: tuple[str, ...]) -> None:
        self.names = tuple(dict.fromkeys(inner + outer))
        self.inner, self.outer = Side(inner, self.names), Side(outer, self.names)
        rows, columns = ({} for _ in "ab")  # type: ignore[var-annotated]
        for side, found in ((self.inner, rows), (self.outer, columns)):
            for node in side.nodes:
                found.setdefault(side.kind(node), []).append(node)
        self.kinds: list[Kind] = []
        self.maps: list[Partition] = []
        for counts in sorted(rows.keys() & columns.keys(), key=lambda c: (-sum(c), c)):
            bijections = _bijections(counts)
            begin = len(self.maps)
            self.maps += [
                self._partition(row, column, bijection)
                for bijection in bijections
                for row in rows[counts]
                for column in columns[counts]
            ]
            place = slice(begin, len(self.maps))
            self.kinds.append(Kind(bijections, (*rows[counts],), (*columns[counts],), place))

    @property
    def top(self) -> Kind | None:
        """The kind that keeps all axes of both sides, if there is one: permutations of axes."""
        first = self.kinds[0]
        all_kept = first.rows == (self.inner.finest,) and first.columns == (self.outer.finest,)
        return first if all_kept and self.inner.axes else None

    @property
    def lower(self) -> list[Kind]:
        """The kinds that are not the top."""
        return self.kinds[self.top is not None :]

    def _partition(self, row: Node, column: Node, bijection: tuple[int, ...]) -> Partition:
        labels: dict[int, tuple[str, int]] = {}
        for number, block in enumerate(self.inner.blocks(row.partition)):
            labels |= {axis: ("in", number) for axis in block}
        owner = {column.kept[j]: row.kept[i] for j, i in enumerate(bijection)}
        for number, block in enumerate(self.outer.blocks(column.partition)):
            label = ("in", owner[number]) if number in owner else ("out", number)
            labels |= {len(self.inner.axes) + axis: label for axis in block}
        return numbered([labels[axis] for axis in range(len(labels))])

    # Integer matrices that make weights those of plain sums, added to all that a node holds.

    @cached_property
    def matched(self) -> list[dict[str, tuple[int, int]]]:
        """For each map and name: how many blocks of the input are kept, and how many summed."""
        return [{name: self._counts(labels, name) for name in self.names} for labels in self.maps]

    def _counts(self, labels: Partition, name: str) -> tuple[int, int]:
        k = len(self.inner.axes)
        inner = {label for label, own in zip(labels, self.inner.axes, strict=False) if own == name}
        kept = len(inner & set(labels[k:]))
        return kept, len(inner) - kept

    @cached_property
    def of_distinct(self) -> Matrix:
        r"""How sums over distinct indices, written to entries of exactly one pattern, are made.

        By inclusion-exclusion: over coarser partitions of the input that merge no two kept blocks,
        and then over coarser partitions of the output.
        """
        k, l = len(self.inner.axes), len(self.outer.axes)
        inner = [(*p, *range(k, k + l)) for p in self.inner.partitions]
        outer = [(*range(k), *(k + block for block in p)) for p in self.outer.partitions]

        def terms(labels: Partition) -> list[tuple[Partition, int]]:
            number = _kept(labels, k)
            return [
                (last, factor * second)
                for first, factor in _coarsenings(labels, inner, slice(0, k))
                if _kept(first, k) == number
                for last, second in _coarsenings(first, outer, slice(k, k + l))
            ]

        return self._matrix(terms)

    @cached_property
    def of_orbits(self) -> Matrix:
        """How sums over the indices of exactly one partition of all axes are made."""
        every = partitions(self.inner.axes + self.outer.axes)
        return self._matrix(lambda labels: _coarsenings(labels, every, slice(None)))

    def _matrix(self, terms: Callable[[Partition], list[tuple[Partition, int]]]) -> Matrix:
        where = {labels: number for number, labels in enumerate(self.maps)}
        rows = [[0] * len(self.maps) for _ in self.maps]
        for column, labels in enumerate(self.maps):
            for image, factor in terms(labels):
                rows[where[image]][column] += factor
        return tuple(map(tuple, rows))

    @cached_property
    def of_bias(self) -> Matrix:
        """How constants on the entries of one pattern are constants on all that are coarser."""
        found = self.outer.partitions
        return tuple(
            tuple(moebius(fine, p) if coarser(p, fine) else 0 for fine in found) for p in found
        )


def _kept(labels: Partition, k: int) -> int:
    """Return how many blocks hold axes of both sides."""
    return len(set(labels[:k]) & set(labels[k:]))


def _coarsenings(
    labels: Partition, merging: list[Partition], side: slice
) -> list[tuple[Partition, int]]:
    """Return what `labels` becomes by partitions that are coarser on a side, and their factors."""
    fine = numbered(labels[side])
    return [
        (join(labels, merge), moebius(fine, merge[side]))
        for merge in merging
        if coarser(numbered(merge[side]), fine)
    ]


@lru_cache(maxsize=64)
def plan_of(inner: tuple[str, ...], outer: tuple[str, ...]) -> Plan:
    """Return the plan of a pattern, made once."""
    return Plan(inner, outer)


def _bijections(counts: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Return all bijections of blocks that keep names."""
    begins = [sum(counts[:i]) for i in range(len(counts))]
    choices = [
        itertools.permutations(range(b, b + c)) for b, c in zip(begins, counts, strict=True)
    ]
    return tuple(tuple(itertools.chain(*parts)) for parts in itertools.product(*choices))
