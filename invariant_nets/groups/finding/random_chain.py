r"""A stabilizer chain from random elements, in arrays, and the proof that it is whole.

Random elements of $G$ are sifted through the levels found so far; what is left of one that does not
pass joins the generators of the level where it stopped. All that a level holds is a product of
generators of $G$, so

$$\textstyle\prod_j |\Delta_j| \le |G|$$

at any time, and a chain that reaches a known order is proved by that alone. Where the order is not
known, the chain is proved from its end up. Let $S_m \subset \dots \subset S_0$ with $S_j$ in the
stabilizer $G_j$, $U_j$ words in $S_j$ that take $b_j$ to each point of its orbit, and
$P_j = U_m \cdots U_j$. If $P_{j+1}$ is the group $\langle S_{j+1} \rangle$ and all of Schreier's
generators

$$u_p \, s \, u_{s(p)}^{-1}, \qquad p \in \Delta_j, \; s \in S_j,$$

lie in it, then $P_j$ is the group $\langle S_j \rangle$. It is $G$ if $P_0$ holds the generators.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice

import numpy as np
import torch
from jaxtyping import Bool, Int

_LEAST_HALF = 8
_MIXING_ROUNDS = 4
# So many random elements in a row must pass before a proof is tried, or more of them are asked for.
_PASSING = 24
_MOST_AT_ONCE = 2
_BATCH_ENTRIES = 1 << 18
# A search for an orbit that is not over after so many rounds takes random elements as shortcuts.
_ROUNDS = 6

Rows = Int[np.ndarray, "k n"]
Row = Int[np.ndarray, " n"]


def random_words(images: Rows) -> Iterator[Rows]:
    """Yield batches of random elements of the group that the rows generate, the same every time.

    References:
        Celler et al. (1995), *Generating Random Elements of a Finite Group*.
    """
    # Product replacement, one half of the pool times the other: it stays a generating set and its
    # members become random.
    source = torch.Generator("cpu").manual_seed(0)
    half = max(_LEAST_HALF, (len(images) + 1) // 2)
    pool = images[np.arange(2 * half) % len(images)]
    tried = 0
    while True:
        order = torch.randperm(2 * half, generator=source, device="cpu").numpy()
        first, second = order[:half], order[half:]
        left, right = (first, second) if tried % 2 else (second, first)
        pool[first] = np.take_along_axis(pool[right], pool[left], 1)
        tried += 1
        if tried > _MIXING_ROUNDS:
            yield pool[first]


class RandomChain:
    """A chain of stabilizers that grows by what does not sift through it.

    Args:
        images: generators of the group, an index row each, int32.
    """

    def __init__(self, images: Rows) -> None:
        self.images, self.degree = images, images.shape[1]
        self.points = np.arange(self.degree, dtype=np.int32)
        self.levels: list[_Wheel] = []
        self._words = random_words(images)

    @property
    def order(self) -> int:
        """The number of products of the levels' elements, at most the order of the group."""
        return math.prod(len(wheel.rows) for wheel in self.levels)

    def sift(self, rows: Rows, first: int) -> tuple[Rows, Int[np.ndarray, " k"]]:
        """Return what is left of elements of a level's group, and the levels where they stopped."""
        rows = rows.copy()
        stopped = np.full(len(rows), len(self.levels))
        passing = np.arange(len(rows))
        for number in range(first, len(self.levels)):
            wheel = self.levels[number]
            here = rows if len(passing) == len(rows) else rows[passing]
            digits = wheel.digit_of[here[:, wheel.base]]
            inside = digits >= 0
            if not inside.all():
                stopped[passing[~inside]] = number
                here, passing, digits = here[inside], passing[inside], digits[inside]
            # (g u⁻¹)(i) = u⁻¹(g(i))
            here = wheel.inverses.take(here + (digits * self.degree)[:, None])
            if len(passing) == len(rows):
                rows = here
            else:
                rows[passing] = here
        return rows, stopped

    def take(self, rows: Rows, first: int = 0) -> bool:
        """Return whether elements of a level's group pass; if not, let the chain grow by some."""
        residues, stopped = self.sift(rows, first)
        moved = (residues != self.points).any(1)
        if not moved.any():
            return True
        highest = int(stopped[moved].min())
        for row in residues[moved & (stopped == highest)][:_MOST_AT_ONCE]:
            if highest == len(self.levels):
                base = int((row != self.points).argmax())
                self.levels.append(_Wheel(base, self.degree))
            wheel = self.levels[highest]
            if wheel.digit_of[row[wheel.base]] < 0:
                wheel.generators.append(row)
                every = [row for lower in self.levels[highest:] for row in lower.generators]
                wheel.turn(np.array(every))
        return False

    def fill(self, order: int | None = None) -> None:
        """Let the chain grow by random elements until many pass, or until the order is reached."""
        passed = 0
        while passed < _PASSING and self.order != order:
            words = next(self._words)
            passed = passed + len(words) if self.take(words) else 0

    def prove(self) -> None:
        """Let the chain grow until it is proved to be that of the group."""
        while not (self._closed() and self.take(self.images)):
            self.fill()

    def _closed(self) -> bool:
        nested: list[Row] = []
        candidates: list[Row] = []
        for number in range(len(self.levels) - 1, -1, -1):
            wheel = self.levels[number]
            candidates = [*wheel.generators, *candidates]
            # As few more as give the whole orbit.
            reached = _orbit_points(wheel.base, np.array(nested or [self.points]))
            for row in candidates:
                if reached.sum() == len(wheel.rows):
                    break
                if not reached[row[reached]].all():
                    nested.append(row)
                    reached = _orbit_points(wheel.base, np.array(nested))
            some = np.array(nested)
            wheel.turn(some)
            if not all(self.take(rows, number + 1) for rows in wheel.schreier_generators(some)):
                return False
        return True


class _Wheel:
    """A level: a base, generators that leave those before it, a transversal, and its inverses."""

    def __init__(self, base: int, degree: int) -> None:
        self.base = base
        self.generators: list[Row] = []
        self.turn(np.empty((0, degree), dtype=np.int32))

    def __len__(self) -> int:
        return len(self.rows)

    def turn(self, generators: Rows) -> None:
        """Make the transversal anew, as words in some generators."""
        self.points, self.rows = _orbit(self.base, generators)
        self.digit_of = np.full(self.rows.shape[1], -1)
        self.digit_of[self.points] = np.arange(len(self.points))
        self.inverses = inverse_rows(self.rows)

    def schreier_generators(self, generators: Rows) -> Iterator[Rows]:
        """Yield the generators of the stabilizer of the base, many at a time, none twice in one."""
        n = self.rows.shape[1]
        step = max(1, _BATCH_ENTRIES // (n * len(self.rows)))
        weights = _weights(n)
        identity = (np.arange(n) * weights).sum()
        for start in range(0, len(generators), step):
            some = generators[start : start + step]
            # (u_p s)(i) = s(u_p(i)), which takes the base to s(p).
            digits = self.digit_of[some[:, self.points]].ravel()
            products = some[:, self.rows].reshape(-1, n)
            left = self.inverses.take(products + (digits * n)[:, None])
            keys = left @ weights
            _, kept, place = np.unique(keys, return_index=True, return_inverse=True)
            same = (left == left[kept][place]).all()
            left = left[kept[keys[kept] != identity]] if same else left
            for low in range(0, len(left), max(1, _BATCH_ENTRIES // n)):
                yield left[low : low + max(1, _BATCH_ENTRIES // n)]


def _weights(n: int) -> Int[np.ndarray, " n"]:
    # Odd multiples of one odd number modulo 2⁶⁴.
    return np.arange(1, n + 1, dtype=np.int64) ** 3 * 0x9E3779B97F4A7C1 + 1


def inverse_rows(rows: Rows) -> Rows:
    """Return the inverse of each row."""
    inverses = np.empty_like(rows)
    np.put_along_axis(inverses, rows, np.arange(rows.shape[1], dtype=rows.dtype)[None], 1)
    return inverses


def _orbit(base: int, generators: Rows) -> tuple[Int[np.ndarray, " k"], Rows]:
    """Return the orbit of a point, breadth first, and for each of its points an element."""
    n = generators.shape[1]
    seen = np.zeros(n, dtype=bool)
    seen[base] = True
    points, rows = [np.array([base])], [np.arange(n, dtype=np.int32)[None]]
    while len(points[-1]):
        if len(points) == _ROUNDS:
            words = next(islice(random_words(generators), n.bit_length(), None))
            generators = np.concatenate((generators, words))
        targets = generators[:, points[-1]]
        which = (~seen[targets]).ravel().nonzero()[0]
        fresh, first = np.unique(targets.ravel()[which], return_index=True)
        which = which[first]
        seen[fresh] = True
        generator, element = np.divmod(which, len(points[-1]))
        points.append(fresh)
        rows.append(np.take_along_axis(generators[generator], rows[-1][element], 1))
    return np.concatenate(points), np.concatenate(rows)


def _orbit_points(base: int, generators: Rows) -> Bool[np.ndarray, " n"]:
    reached = np.zeros(generators.shape[1], dtype=bool)
    frontier = np.array([base])
    while len(frontier):
        reached[frontier] = True
        targets = np.unique(generators[:, frontier])
        frontier = targets[~reached[targets]]
    return reached
