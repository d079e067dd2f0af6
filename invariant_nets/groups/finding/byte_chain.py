r"""A stabilizer chain on up to 256 points, with permutations as bytes, proved as it is found.

A permutation of so few points is a table of bytes, so that a product is one call of
`bytes.translate`, and an inverse one of `bytes.maketrans`.

Let $S_j$ be generators of level $j$, $U_j$ words in them that take the base $b_j$ to each point of
its orbit $\Delta_j$, and $P_j = U_m \cdots U_j$ all that passes the levels from $j$ on. Each of
Schreier's generators

$$u_p \, s \, u_{s(p)}^{-1}, \qquad p \in \Delta_j, \; s \in S_j,$$

that does not pass the levels from $j + 1$ on joins $S_{j+1}$ when it is met, and these levels are
made whole before the next one. So $P_j$ is the group $\langle S_j \rangle$ whenever level $j$ is
done.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from invariant_nets.groups.finding.random_chain import Rows, random_words

MOST_POINTS = 256
_POINTS = bytes(range(MOST_POINTS))
_FEW_POINTS = 32
_RANDOM_FIRST = 2


class ByteChain:
    """A chain of stabilizers that is whole after each generator.

    Args:
        images: generators of the group, an index row each, of at most 256 points.
        base: the first base; by default the first point that the first generator moves.

    References:
        Knuth (1991), *Efficient Representation of Perm Groups*.
    """

    def __init__(self, images: Rows, base: int | None = None) -> None:
        self.levels = [] if base is None else [_Wheel(base)]
        n = images.shape[1]
        if n > _FEW_POINTS:
            # Two random elements generate most of the group, by shorter words than the others.
            images = np.concatenate((next(random_words(images))[:_RANDOM_FIRST], images))
        for row in images.astype(np.uint8):
            self._take(row.tobytes() + _POINTS[n:], 0)

    def _take(self, row: bytes, number: int) -> None:
        # Let a level hold an element that leaves the bases before it.
        if self._passes(row, number):
            return
        if number == len(self.levels):
            self.levels.append(_Wheel(next(i for i in _POINTS if row[i] != i)))
        wheel = self.levels[number]
        wheel.generators.append(row)
        pairs = [(u, row) for u in wheel.elements.values()]
        for u, s in pairs:
            # (u s)(i) = s(u(i))
            product = u.translate(s)
            point = product[wheel.base]
            if point in wheel.elements:
                self._take(product.translate(wheel.inverses[point]), number + 1)
            else:
                wheel.elements[point] = product
                wheel.inverses[point] = bytes.maketrans(product, _POINTS)
                pairs += [(product, generator) for generator in wheel.generators]

    def _passes(self, row: bytes, number: int) -> bool:
        for wheel in self.levels[number:]:
            inverse = wheel.inverses.get(row[wheel.base])
            if inverse is None:
                return False
            row = row.translate(inverse)
        return row == _POINTS


def rows_of(elements: Iterable[bytes]) -> Rows:
    """Return permutations as index rows of 256 points."""
    return np.frombuffer(b"".join(elements), np.uint8).reshape(-1, MOST_POINTS)


class _Wheel:
    """A level: a base, generators, and by point what takes the base there, and its inverse."""

    def __init__(self, base: int) -> None:
        self.base = base
        self.generators: list[bytes] = []
        self.elements, self.inverses = {base: _POINTS}, {base: _POINTS}

    def __len__(self) -> int:
        return len(self.elements)

    @property
    def rows(self) -> Rows:
        return rows_of(self.elements.values())
