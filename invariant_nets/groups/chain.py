r"""A chain of stabilizers: every element of a permutation group as the reading of an odometer.

Let $G = G_0 \ge G_1 \ge \dots \ge G_m = 1$, each $G_{j+1}$ the stabilizer in $G_j$ of a base
point $b_j$, and $U_j$ a transversal: for each point of the orbit of $b_j$ under $G_j$ one element
of $G_j$ that takes $b_j$ there. Then every $g \in G$ is a unique product

$$g = u_m \cdots u_1 u_0, \qquad u_j \in U_j,$$

so $|G| = \prod_j |U_j|$, a row of digits is an element, and uniform digits are a uniform element.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from invariant_nets._arguments import long_int
from invariant_nets._rows import is_traced
from invariant_nets.groups.enumeration import uniform_digits
from invariant_nets.groups.permutation import Permutation

_TABLE_BYTES = 1 << 23
_TABLE_ROWS = 1 << 18
_TABLE_ENTRIES = 1 << 25
# A level's rows cost no less than so many of a table do.
_CALL_ROWS = 1 << 10
# Batches of this size stay in the cache from one table to the next.
_CACHED_ENTRIES = 1 << 18
_COSET_ROWS = 1 << 10
_COSET_ENTRIES = 1 << 16
_HEAD_ENTRIES = 1 << 12

Moves = tuple[np.ndarray, np.ndarray]
Draw = Callable[[int, torch.Generator | None], Int[Tensor, "k n"]]


@dataclass(frozen=True)
class Level:
    """One wheel of the odometer.

    Attributes:
        size: how many elements its transversal has.
        base: the point whose image distinguishes its elements.
        digit: a point to the digit of the element that takes the base there, or −1.
        rows: digits, a tensor $(k,)$, to their elements as index rows $(k, n)$; 0 is the identity.
        moves: a digit to points that its element moves, all of them at least, and where they go.
        draw: how to draw products of `wheels` levels, this one and the next, if not by digits.
        wheels: how many levels `draw` is for.
    """

    size: int
    base: int
    digit: Callable[[int], int]
    rows: Callable[[Int[Tensor, " k"]], Int[Tensor, "k n"]]
    moves: Callable[[int], Moves]
    draw: Draw | None = None
    wheels: int = 1


class StabilizerChain:
    r"""The levels of a group, and the elements as mixed-radix numbers below $|G|$.

    Consecutive levels merge into a few tables of small integers, so that composing a batch of
    elements costs one gather per table. A level too large for a table computes its rows on demand.

    Args:
        degree: the number $n$ of points.
        levels: from the most significant digit to the least.
    """

    def __init__(self, degree: int, levels: Sequence[Level]) -> None:
        self.degree = degree
        self.levels = [level for level in levels if level.size > 1]
        self.order = long_int(math.prod(level.size for level in self.levels))
        self._tables: dict[int, Shaped[Tensor, "rows n"]] = {}
        self._asked: dict[int, int] = {}

    @cached_property
    def _limit(self) -> int:
        return min(_TABLE_ROWS, _TABLE_BYTES // self.degree)

    @cached_property
    def _blocks(self) -> list[list[Level]]:
        blocks: list[list[Level]] = []
        rows = self._limit + 1
        for level in self.levels:
            rows *= level.size
            if rows > self._limit:
                blocks.append([])
                rows = level.size
            blocks[-1].append(level)
        return blocks

    @cached_property
    def radices(self) -> list[int]:
        """How many rows each table has, the most significant first."""
        return [math.prod(level.size for level in block) for block in self._blocks]

    @cached_property
    def _tabled(self) -> list[bool]:
        # The last tables, which runs from the first element on ask for, and as many as are small.
        sizes = itertools.accumulate(radix * self.degree for radix in reversed(self.radices))
        return [size <= _TABLE_ENTRIES for size in sizes][::-1]

    def _table(self, number: int) -> Shaped[Tensor, "rows n"]:
        if number not in self._tables:
            points = torch.arange(self.degree, dtype=_smallest_type(self.degree), device="cpu")
            self._tables[number] = _products(self._blocks[number], points)
        return self._tables[number]

    def _pays(self, number: int, rows: int) -> bool:
        # A table that is larger than what is asked for would cost more than it saves.
        radix, asked = self.radices[number], self._asked.get(number, 0)
        self._asked[number] = asked + len(self._blocks[number]) * max(rows, _CALL_ROWS)
        return radix <= rows or (self._tabled[number] and self._asked[number] >= radix)

    def _rows(self, number: int, digits: Int[Tensor, " k"]) -> Int[Tensor, "k n"]:
        radix, block = self.radices[number], self._blocks[number]
        made = is_traced() or number in self._tables
        if radix <= self._limit and (made or self._pays(number, len(digits))):
            return self._table(number).index_select(0, digits)
        factors = []
        for level in block:
            radix //= level.size
            factors.append(level.rows(digits // radix % level.size))
        return composed(factors)

    @cached_property
    def _subgroup(self) -> Int[Tensor, "rows n"]:
        # That of as many of the last levels as have few enough elements.
        limit = min(_COSET_ROWS, _COSET_ENTRIES // self.degree)
        first, rows = len(self.levels), 1
        while first and rows * self.levels[first - 1].size <= limit:
            first -= 1
            rows *= self.levels[first].size
        return _products(self.levels[first:], torch.arange(self.degree, device="cpu"))

    def compose(self, digits: Sequence[Int[Tensor, " k"]], k: int) -> Int[Tensor, "k n"]:
        """Return the elements that have these digits, one tensor of digits per table."""
        if is_traced():
            points = torch.arange(self.degree, device="cpu").expand(k, -1)
            return composed([points, *(self._rows(*part).long() for part in enumerate(digits))])
        # A table whose digits are all 0 changes nothing, and need not even be made.
        used = [(i, digit) for i, digit in enumerate(digits) if digit.any()]
        if not used:
            return torch.arange(self.degree, device="cpu").repeat(k, 1)
        elements = _empty(k, self.degree)
        step = max(1, _CACHED_ENTRIES // self.degree)
        for start in range(0, k, step):
            part = slice(start, start + step)
            (i, digit), *others = used
            product = self._rows(i, digit[part])
            for i, digit in others:
                product = product.gather(1, self._rows(i, digit[part]).long())
            elements[part] = product
        return elements

    def runs(self, start: int, stop: int, size: int) -> Iterator[Int[Tensor, "k n"]]:
        """Yield the elements number `start`, …, `stop − 1`, `size` at a time."""
        coset, size = len(self._subgroup), max(1, min(size, stop - start))
        if start < stop < start + coset:
            yield from torch.split(self._every(1, start, stop - start), size)
            return
        # Short runs are parts of one that is no shorter than a coset.
        long = size * math.ceil(coset / size)
        block = long * max(1, _HEAD_ENTRIES // self.degree * coset // long)
        for begin in range(start, stop, block):
            end = min(stop, begin + block)
            first, last = begin // coset, (end - 1) // coset
            heads = self._every(coset, first * coset, last - first + 1)
            for low in range(begin, end, long):
                high = min(end, low + long)
                part = heads[low // coset - first : (high - 1) // coset - first + 1]
                yield from torch.split(self._whole_cosets(part)[low % coset :][: high - low], size)

    def _whole_cosets(self, heads: Int[Tensor, "h n"]) -> Int[Tensor, "hk n"]:
        # Every coset H u of the subgroup H of the last levels, and (t u)(i) = u(t(i)) for t in H.
        elements = _empty(len(heads), self._subgroup.numel())
        torch.gather(heads, 1, self._subgroup.flatten().expand_as(elements), out=elements)
        return elements.view(-1, self.degree)

    def _every(self, step: int, start: int, k: int) -> Int[Tensor, "k n"]:
        """Return the elements number `start`, `start + step`, …, as many as `k`."""
        digits: list[Tensor] = []
        carry = torch.arange(k, device="cpu") * step
        for radix in reversed(self.radices):
            start, digit = divmod(start, radix)
            carry = carry + digit
            digits.append(carry % radix)
            carry = carry // radix
        return self.compose(digits[::-1], k)

    def sample(self, k: int, generator: torch.Generator | None) -> Int[Tensor, "k n"]:
        """Return `k` independent elements, exactly uniform."""
        if all(self._tabled) or not self._draws:
            return self.compose([uniform_digits(radix, k, generator) for radix in self.radices], k)
        return composed([draw(k, generator) for draw in self._draws])

    @cached_property
    def _draws(self) -> list[Draw]:
        # Levels that cannot be drawn together are drawn by digits; none, if all are so.
        draws: list[Draw] = []
        by_digits: list[Level] = []
        first = 0
        while first < len(self.levels):
            level = self.levels[first]
            if level.draw is None:
                by_digits.append(level)
            if by_digits and (level.draw or first + 1 == len(self.levels)):
                draws.append(StabilizerChain(self.degree, by_digits).sample)
                by_digits = []
            if level.draw is not None:
                draws.append(level.draw)
            first += level.wheels
        return draws if any(level.draw for level in self.levels) else []

    def element(self, number: int) -> Int[Tensor, " n"]:
        """Return the element of a number."""
        digits = []
        for level in reversed(self.levels):
            number, digit = divmod(number, level.size)
            digits.append(digit)
        images = np.arange(self.degree)
        for level, digit in zip(self.levels, reversed(digits), strict=True):
            if digit:
                points, targets = level.moves(digit)
                images[points] = images[targets]
        return torch.from_numpy(images)

    def digits(self, permutation: object) -> list[int] | None:
        """Return the digits of a permutation, one per level, or None if it is not in the group."""
        if not isinstance(permutation, Permutation) or len(permutation) != self.degree:
            return None
        images = permutation.index_tensor.numpy()
        places = images.argsort()
        found = []
        for level in self.levels:
            digit = level.digit(int(images[level.base]))
            if digit < 0:
                return None
            found.append(digit)
            if digit:
                # Strip u from the right: (g u⁻¹)(i) = u⁻¹(g(i)), and its inverse is g⁻¹(u(i)).
                points, targets = level.moves(digit)
                moved = places[targets]
                places[points], images[moved] = moved, points
        return found if (images == np.arange(self.degree)).all() else None

    def rank(self, digits: Sequence[int]) -> int:
        """Return the number of the element with these digits, one per level."""
        number = 0
        for level, digit in zip(self.levels, digits, strict=True):
            number = number * level.size + digit
        return number


def composed(factors: Sequence[Int[Tensor, "k n"]]) -> Int[Tensor, "k n"]:
    """Return the products of factors, the first to act last."""
    return reduce(lambda product, rows: product.gather(1, rows), factors)


def _products(levels: Sequence[Level], points: Shaped[Tensor, " n"]) -> Shaped[Tensor, "rows n"]:
    table = points[None]
    for level in levels:
        # (u_{j+1} u_j)(i) = u_j(u_{j+1}(i))
        table = table[:, level.rows(torch.arange(level.size, device="cpu"))].flatten(0, 1)
    return table


def _empty(rows: int, columns: int) -> Int[Tensor, "rows columns"]:
    # NumPy asks for huge pages, torch does not: a large result is written five times faster.
    return torch.from_numpy(np.empty((rows, columns), dtype=np.int64))


def table_level(base: int, transversal: Int[Tensor, "size n"]) -> Level:
    """Return the level of a transversal that is given by its rows, the identity first."""
    digit_of = {point: digit for digit, point in enumerate(transversal[:, base].tolist())}
    every = np.arange(transversal.shape[1])
    return Level(
        len(transversal),
        base,
        lambda point: digit_of.get(point, -1),
        transversal.__getitem__,
        lambda digit: (every, transversal[digit].numpy()),
    )


def _smallest_type(degree: int) -> torch.dtype:
    if degree <= 1 << 8:
        return torch.uint8
    return torch.int16 if degree <= 1 << 15 else torch.int32
