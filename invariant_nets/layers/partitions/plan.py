r"""Every linear map between tensors is a sum, a product with a matrix of channels, and a copy.

A set partition of all axes is the same as a node of the input (its axes in blocks, some of which
are kept), a node of the output, and a bijection of their kept blocks. So the maps whose kept blocks
have the same names are all triples of a bijection and two nodes, and one matrix product computes
them together.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from invariant_nets.layers.partitions.partition import Partition, numbered
from invariant_nets.layers.partitions.sides import Diagonal, Node, Side


@dataclass(eq=False)
class Kind:
    """The maps whose kept blocks have the same names: all triples (bijection, row, column).

    Attributes:
        bijections: to which kept block of the input each kept block of the output belongs.
        rows: the nodes of the input.
        columns: the nodes of the output.
        start: the number of the first of these maps.
    """

    bijections: tuple[tuple[int, ...], ...]
    rows: tuple[Node, ...]
    columns: tuple[Node, ...]
    start: int

    @property
    def shape(self) -> tuple[int, int, int]:
        """How many bijections, rows and columns there are."""
        return len(self.bijections), len(self.rows), len(self.columns)

    @property
    def stop(self) -> int:
        """The number behind the last of these maps."""
        return self.start + len(self.bijections) * len(self.rows) * len(self.columns)

    def transposed(self) -> Kind:
        """Return the kind of the transposed maps, in the same order of weights."""
        inverse = tuple(tuple(map(s.index, range(len(s)))) for s in self.bijections)
        return Kind(inverse, self.columns, self.rows, self.start)


class Plan:
    """All maps of a pattern, in the order in which a layer stores their weights.

    Attributes:
        names: the sets whose permutations move the axes.
        inner: the side that comes in.
        outer: the side that goes out.
        top: the kind that keeps all axes of both sides, if there is one: permutations of axes.
        lower: the other kinds, those that keep much first.
        maps: the partition of all axes that each map is, those of the input first.
    """

    def __init__(self, inner: tuple[str, ...], outer: tuple[str, ...]) -> None:
        self.names = tuple(dict.fromkeys(inner + outer))
        self.inner, self.outer = Side(inner, self.names), Side(outer, self.names)
        self.top: Kind | None = None
        self.lower: list[Kind] = []
        self.maps: list[Partition] = []
        rows, columns = _by_kind(self.inner), _by_kind(self.outer)
        for counts in sorted(rows.keys() & columns.keys(), key=lambda c: (-sum(c), c)):
            kind = Kind(_bijections(counts), rows[counts], columns[counts], len(self.maps))
            if sum(counts) == len(inner) == len(outer):
                self.top = kind
            else:
                self.lower.append(kind)
            for maps in itertools.product(kind.bijections, kind.rows, kind.columns):
                self.maps.append(self._partition(*maps))

    def __reduce__(self) -> tuple[Any, ...]:
        """Be made once, also by what is read from a file."""
        return plan_of, (self.inner.axes, self.outer.axes)

    def __deepcopy__(self, memo: dict[int, Any]) -> Plan:
        """Be shared by copies of a layer."""
        return self

    @property
    def top_maps(self) -> int:
        """How many maps the top has; they come first."""
        return 0 if self.top is None else self.top.stop

    @cached_property
    def counts(self) -> list[tuple[tuple[int, int], ...]]:
        """For each map and name: how many blocks of the input are kept, and how many summed."""
        k, found = len(self.inner.axes), []
        for labels in self.maps:
            outer = set(labels[k:])
            blocks = [
                {label for a, label in zip(self.inner.axes, labels, strict=False) if a == name}
                for name in self.names
            ]
            found.append(tuple((len(b & outer), len(b - outer)) for b in blocks))
        return found

    def _partition(self, bijection: tuple[int, ...], row: Node, column: Node) -> Partition:
        labels: dict[int, tuple[str, int]] = {}
        for number, block in enumerate(_diagonal_of(self.inner, row).blocks):
            labels |= dict.fromkeys(block, ("in", number))
        owner = {column.kept[j]: row.kept[i] for j, i in enumerate(bijection)}
        for number, block in enumerate(_diagonal_of(self.outer, column).blocks):
            label = ("in", owner[number]) if number in owner else ("out", number)
            labels |= {len(self.inner.axes) + axis: label for axis in block}
        return numbered([labels[axis] for axis in range(len(labels))])


@cache
def plan_of(inner: tuple[str, ...], outer: tuple[str, ...]) -> Plan:
    """Return the plan of a pattern, made once."""
    return Plan(inner, outer)


def _by_kind(side: Side) -> dict[tuple[int, ...], tuple[Node, ...]]:
    found: dict[tuple[int, ...], tuple[Node, ...]] = {}
    for node in side.nodes:
        found[node.kind] = (*found.get(node.kind, ()), node)
    return found


def _diagonal_of(side: Side, node: Node) -> Diagonal:
    return next(diagonal for diagonal in side.diagonals if node in diagonal.nodes)


def _bijections(counts: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """Return all bijections of blocks that keep names."""
    begins = itertools.accumulate(counts, initial=0)
    choices = [
        itertools.permutations(range(b, b + c)) for b, c in zip(begins, counts, strict=False)
    ]
    return tuple(tuple(itertools.chain(*parts)) for parts in itertools.product(*choices))
