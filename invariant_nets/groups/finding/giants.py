r"""The certificate of a giant: a group that holds all even permutations of the points it moves."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from invariant_nets.groups.finding.random_chain import random_words
from invariant_nets.groups.orbits import pair_orbits, point_orbits
from invariant_nets.groups.permutation import cycles_of

_LEAST_GIANT = 8
# Up to here the chain is found before so many words are tried.
_FEW_POINTS = 16
_RANDOM_BATCHES = 10
_ORBITAL_EDGES = 1 << 19


def is_giant(images: Int[Tensor, "generators n"], moved: Int[Tensor, " m"]) -> bool:
    r"""Return whether a proof was found that the group holds every even permutation of `moved`.

    By Jordan's theorem a primitive group of degree $m$ that holds a cycle of prime length
    $p \le m - 3$, or of length 2 or 3, contains $A_m$. An element with one cycle of length $p$, and
    no other length that $p$ divides, has that cycle alone as a power. A cycle of prime length lies
    within one block of any block system, or moves whole blocks, which then have one point. So if
    the least block that holds the cycle is all of `moved`, its conjugates generate a primitive
    group, and the certificate is complete; if it is smaller, the group is no giant.

    The elements tried are the generators, then random words in them. If none of them has such a
    cycle, nothing is proved. Random words are not tried where more than two orbitals show that the
    group is not doubly transitive, as a giant is.
    """
    m = len(moved)
    if m < _LEAST_GIANT:
        return False
    certificate = next(_prime_cycles(images.tolist(), m), None)
    if certificate is None and m > _FEW_POINTS and not _has_more_orbitals(images, moved):
        batches = islice(random_words(images.numpy()), _RANDOM_BATCHES)
        words = (word for batch in batches for word in batch.tolist())
        certificate = next(_prime_cycles(words, m), None)
    return certificate is not None and _least_block(images, certificate) == m


def _prime_cycles(images: Iterable[Sequence[int]], m: int) -> Iterator[Sequence[int]]:
    """Yield cycles of prime lengths that powers of permutations of `m` points have alone."""
    for word in images:
        cycles = cycles_of(word)
        lengths = Counter(len(cycle) for cycle in cycles)
        for cycle in cycles:
            p = len(cycle)
            alone = lengths[p] == 1 and (p <= m - 3 or p <= 3) and _is_prime(p)
            if alone and sum(length % p == 0 for length in lengths) == 1:
                yield cycle


def _has_more_orbitals(images: Int[Tensor, "generators n"], moved: Int[Tensor, " m"]) -> bool:
    """Return whether more orbitals than the two of a giant were found, where that is fast."""
    orbits = point_orbits(images)[moved]
    if (orbits != orbits[0]).any():
        return True
    if images.shape[0] * len(moved) ** 2 > _ORBITAL_EDGES:
        return False
    some = restricted(images, moved)
    return int(pair_orbits(some, some).max()) > 1


def _is_prime(p: int) -> bool:
    return all(p % q for q in range(2, math.isqrt(p) + 1))


def _least_block(images: Int[Tensor, "generators n"], points: Sequence[int]) -> int:
    """Return the size of the least block that holds some points of one orbit."""
    n = images.shape[1]
    targets = images.t().tolist()
    root, size = list(range(n)), [1] * n

    def find(point: int) -> int:
        while root[point] != point:
            root[point] = point = root[root[point]]
        return point

    # Points of one class go to points of one class (Atkinson).
    pairs = [(points[0], point) for point in points[1:]]
    for pair in pairs:
        kept, lost = map(find, pair)
        if kept != lost:
            if size[kept] < size[lost]:
                kept, lost = lost, kept
            root[lost], size[kept] = kept, size[kept] + size[lost]
            pairs += {*zip(targets[kept], targets[lost], strict=True)}
    return size[find(points[0])]


def restricted(images: Int[Tensor, "k n"], points: Int[Tensor, " m"]) -> Int[Tensor, "k m"]:
    """Return how permutations that keep some points, as a set, move these, numbered in turn.

    Example:
        >>> restricted(torch.tensor([[0, 3, 2, 1]]), torch.tensor([1, 3])).tolist()
        [[1, 0]]
    """
    place = np.zeros(images.shape[1], dtype=np.int64)
    place[points.numpy()] = np.arange(len(points))
    return torch.from_numpy(place[images.numpy()[:, points.numpy()]])
