r"""A chain of stabilizers: every element of a permutation group as the reading of an odometer.

Let $G = G_0 \ge G_1 \ge \dots \ge G_m = 1$, each $G_{j+1}$ the stabilizer in $G_j$ of a base
point $b_j$, and $U_j$ a transversal: for each point of the orbit of $b_j$ under $G_j$ one element
of $G_j$ that takes $b_j$ there. Then every $g \in G$ is a unique product

$$g = u_m \cdots u_1 u_0, \qquad u_j \in U_j,$$

so $|G| = \prod_j |U_j|$, a row of digits is an element, and uniform digits are a uniform element.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from invariant_nets._sets import is_traced
from invariant_nets.groups.permutation import Permutation

_TABLE_BYTES = 1 << 23
_TABLE_ROWS = 1 << 18
# Batches of this size stay in the cache from one table to the next.
_CACHED_ENTRIES = 1 << 18
_COSET_ROWS = 1 << 10
_COSET_ENTRIES = 1 << 16
_HEAD_ENTRIES = 1 << 12


@dataclass(frozen=True)
class Level:
    """One wheel of the odometer.

    Attributes:
        size: how many elements its transversal has.
        base: the point that tells its elements apart.
        digit_of: for each point the digit of the element that takes the base there, or −1.
        rows: digits, a tensor $(k,)$, to their elements as index rows $(k, n)$; 0 is the identity.
    """

    size: int
    base: int
    digit_of: Int[Tensor, " n"]
    rows: Callable[[Int[Tensor, " k"]], Int[Tensor, "k n"]]


class StabilizerChain:
    r"""The levels of a group, and the elements as mixed-radix numbers below $|G|$.

    Consecutive levels merge into a few tables of small integers, so that composing a batch of
    elements costs one gather a table. A level too large for a table makes its rows as they are
    asked for.

    Args:
        degree: the number $n$ of points.
        levels: from the most significant digit to the least.
    """

    def __init__(self, degree: int, levels: Sequence[Level]) -> None:
        self.degree = degree
        self.levels = [level for level in levels if level.size > 1]
        self.order = math.prod(level.size for level in self.levels)
        self._tables: dict[int, Shaped[Tensor, "rows n"]] = {}

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

    def _table(self, number: int) -> Shaped[Tensor, "rows n"]:
        if number not in self._tables:
            points = torch.arange(self.degree, dtype=_smallest_type(self.degree))
            self._tables[number] = _products(self._blocks[number], points)
        return self._tables[number]

    def _rows(self, number: int, digits: Int[Tensor, " k"]) -> Int[Tensor, "k n"]:
        if self.radices[number] > self._limit:
            return self._blocks[number][0].rows(digits)
        return self._table(number).index_select(0, digits)

    @cached_property
    def _subgroup(self) -> Int[Tensor, "rows n"]:
        # That of as many of the last levels as have few enough elements.
        limit = min(_COSET_ROWS, _COSET_ENTRIES // self.degree)
        first, rows = len(self.levels), 1
        while first and rows * self.levels[first - 1].size <= limit:
            first -= 1
            rows *= self.levels[first].size
        return _products(self.levels[first:], torch.arange(self.degree))

    def compose(self, digits: Sequence[Int[Tensor, " k"]], k: int) -> Int[Tensor, "k n"]:
        """Return the elements that have these digits, one tensor of them a table."""
        if is_traced():
            product = torch.arange(self.degree).expand(k, -1)
            for i, digit in enumerate(digits):
                product = product.gather(1, self._rows(i, digit).long())
            return product
        # A table whose digits are all 0 changes nothing, and need not even be made.
        used = [(i, digit) for i, digit in enumerate(digits) if digit.any()]
        if not used:
            return torch.arange(self.degree).repeat(k, 1)
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
        carry = torch.arange(k) * step
        for radix in reversed(self.radices):
            start, digit = divmod(start, radix)
            carry = carry + digit
            digits.append(carry % radix)
            carry = carry // radix
        return self.compose(digits[::-1], k)

    def sample(self, k: int, generator: torch.Generator | None) -> Int[Tensor, "k n"]:
        """Return `k` independent elements, exactly uniform."""
        return self.compose([uniform_digits(radix, k, generator) for radix in self.radices], k)

    def digits(self, permutation: Permutation) -> list[int] | None:
        """Return the digits of a permutation, one a level, or None if it is not in the group."""
        rest = permutation.index_tensor
        found = []
        for level in self.levels:
            digit = int(level.digit_of[rest[level.base]])
            if digit < 0:
                return None
            found.append(digit)
            # Strip u from the right: (g u⁻¹)(i) = u⁻¹(g(i)).
            rest = level.rows(torch.tensor([digit]))[0].argsort()[rest]
        return found if torch.equal(rest, torch.arange(self.degree)) else None

    def rank(self, permutation: Permutation) -> int:
        """Return the number of a permutation in the group."""
        number = 0
        for level, digit in zip(self.levels, self.digits(permutation) or (), strict=True):
            number = number * level.size + digit
        return number


def _products(levels: Sequence[Level], points: Shaped[Tensor, " n"]) -> Shaped[Tensor, "rows n"]:
    table = points[None]
    for level in levels:
        # (u_{j+1} u_j)(i) = u_j(u_{j+1}(i))
        table = table[:, level.rows(torch.arange(level.size))].flatten(0, 1)
    return table


def _empty(rows: int, columns: int) -> Int[Tensor, "rows columns"]:
    # NumPy asks for huge pages, torch does not: a large result is written five times faster.
    return torch.from_numpy(np.empty((rows, columns), dtype=np.int64))


def table_level(base: int, transversal: Int[Tensor, "size n"]) -> Level:
    """Return the level of a transversal that is given by its rows, the identity first."""
    digit_of = torch.full(transversal.shape[1:], -1)
    digit_of[transversal[:, base]] = torch.arange(len(transversal))
    return Level(len(transversal), base, digit_of, transversal.__getitem__)


def _smallest_type(degree: int) -> torch.dtype:
    if degree <= 1 << 8:
        return torch.uint8
    return torch.int16 if degree <= 1 << 15 else torch.int32


_RANDOM_BITS = 62


def uniform_keys(
    shape: tuple[int, ...],
    generator: torch.Generator | None,
    device: torch.device | None = None,
) -> Int[Tensor, "*shape"]:
    """Return integers that are uniform below $2^{62}$; a power of two, so there is no bias."""
    # Without a generator in the call, what is exported draws for batches of every size.
    options: dict[str, Any] = {} if generator is None else {"generator": generator}
    return torch.randint(1 << _RANDOM_BITS, shape, device=device, **options)


def uniform_orders(
    n: int, k: int, generator: torch.Generator | None, device: torch.device | None = None
) -> Int[Tensor, "k n"]:
    """Return `k` permutations of `n` points, exactly uniform on all of them."""
    keys, orders = uniform_keys((k, n), generator, device).sort(-1)
    if is_traced():
        return orders  # nobody can branch on the keys; the bias is below n² 2⁻⁶²
    # The order of different keys is uniform; rows with equal ones are drawn again.
    tied = (keys[:, 1:] == keys[:, :-1]).any(-1)
    if tied.any():
        orders[tied] = uniform_orders(n, int(tied.sum()), generator, device)
    return orders


def uniform_digits(below: int, k: int, generator: torch.Generator | None) -> Int[Tensor, " k"]:
    """Return `k` integers from 0 to `below` − 1, exactly uniform."""
    # What lies beyond the last whole multiple of `below` is drawn again.
    keys = uniform_keys((k,), generator)
    if is_traced():
        return keys % below  # nobody can loop on the keys; the bias is below |level| 2⁻⁶²
    beyond = (1 << _RANDOM_BITS) // below * below
    while (again := keys >= beyond).any():
        keys[again] = uniform_keys((int(again.sum()),), generator)
    return keys % below
