"""Maps that are one and the same where the input, or the output, is a symmetric tensor."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Literal

from invariant_nets.layers.partitions.partition import Partition, numbered
from invariant_nets.layers.partitions.plan import Kind, Plan

Symmetric = Literal["none", "input", "output", "both"]


class Classes:
    """The orbits of maps under permutations of the axes of one name.

    Attributes:
        plan: the maps.
        of: the number of each map's class.
        first: one map of each class.
        of_bias: the number of the class of each partition of the output.
    """

    def __init__(self, plan: Plan, symmetric: Symmetric) -> None:
        self.plan, self.symmetric = plan, symmetric
        self._sides = symmetric in ("input", "both"), symmetric in ("output", "both")
        self.of = self._numbers(*self._sides)
        self.first = [self.of.index(number) for number in range(max(self.of) + 1)]
        partitions = [diagonal.partition for diagonal in plan.outer.diagonals]
        orders = list(_orders(plan.outer.axes, self._sides[1]))
        least = [min(numbered([p[a] for a in order]) for order in orders) for p in partitions]
        self.of_bias = list(numbered(least))

    def __reduce__(self) -> tuple[Any, ...]:
        """Be made once, also by what is read from a file."""
        return classes_of, (self.plan, self.symmetric)

    def __deepcopy__(self, memo: dict[int, Any]) -> Classes:
        """Be shared by copies of a layer."""
        return self

    def _numbers(self, inner: bool, outer: bool) -> list[int]:
        """Return the number of each map's class."""
        k = len(self.plan.inner.axes)
        before = list(_orders(self.plan.inner.axes, inner))
        after = list(_orders(self.plan.outer.axes, outer))

        def least(labels: Partition) -> Partition:
            return min(
                numbered([*(labels[a] for a in one), *(labels[k + a] for a in other)])
                for one in before
                for other in after
            )

        return list(numbered([least(labels) for labels in self.plan.maps]))

    def slots(self, kind: Kind) -> tuple[int, int]:
        """Return how many different tensors the nodes of each side are, in all orders."""
        s, r, p = kind.shape
        inner, outer = s * r, s * p
        if self._sides[0]:
            inner = len(set(self._numbers(True, False)[kind.start : kind.stop : p]))
        if self._sides[1]:
            of = self._numbers(False, True)[kind.start : kind.stop]
            outer = len({of[(i * r) * p + j] for i in range(s) for j in range(p)})
        return inner, outer

    def averaging(self, kind: Kind) -> list[list[float]]:
        """Return the matrix that gives the maps of one kind the mean of their classes."""
        of = self.of[kind.start : kind.stop]
        return [[(a == b) / of.count(a) for b in of] for a in of]


@cache
def classes_of(plan: Plan, symmetric: Symmetric) -> Classes:
    """Return the classes of a plan, made once."""
    return Classes(plan, symmetric)


def _orders(axes: Sequence[str], any_order: bool) -> Iterator[list[int]]:
    """Return all orders of the axes that keep their names, or that in which they stand."""
    orders = itertools.permutations(range(len(axes))) if any_order else [range(len(axes))]
    for order in orders:
        if all(axes[a] == name for a, name in zip(order, axes, strict=True)):
            yield list(order)
