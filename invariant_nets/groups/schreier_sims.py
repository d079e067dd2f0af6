r"""The stabilizer chain of any generators, exactly; and generators of a stabilizer.

Join all points that one generator moves: the generators of different components generate the
factors of a direct product. A factor with a certificate that it is all of $S_m$ or $A_m$ on the
points that it moves gets the chain of that group in closed form. Every other factor goes through
sympy's deterministic algorithm of Schreier and Sims.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from invariant_nets.groups.chain import Level, StabilizerChain, table_level
from invariant_nets.groups.known_chains import symmetric_levels
from invariant_nets.groups.orbits import components, point_orbits
from invariant_nets.groups.permutation import Permutation, are_odd, stack_permutations

_LEAST_GIANT = 8
_RANDOM_WORDS = 400


def levels_of(images: Int[Tensor, "generators n"]) -> list[Level]:
    """Return the levels of the group that the rows of `images` generate."""
    levels = []
    for some, moved in _parts(images):
        if is_giant(some, moved):
            levels += symmetric_levels(moved, images.shape[1], not bool(are_odd(some).any()))
        else:
            levels += _schreier_sims(some)
    return levels


def holds_giants(images: Int[Tensor, "generators n"]) -> bool:
    """Return whether a proof was found that each orbit has its own symmetric or alternating group.

    A point that stays where it is counts as one.
    """
    return all(is_giant(*part) for part in _parts(images))


def _parts(
    images: Int[Tensor, "generators n"],
) -> Iterator[tuple[Int[Tensor, "some n"], Int[Tensor, " m"]]]:
    """Yield the generators of factors that move different points, and the points of each."""
    moves = (images != torch.arange(images.shape[1], device="cpu")).numpy()
    images, moves = images[torch.from_numpy(moves.any(1))], moves[moves.any(1)]
    # From each point an edge to the first one of every generator that moves it.
    first = moves.argmax(1)
    starts = np.concatenate(([0], moves.sum(0).cumsum()))
    part = components(first[moves.T.nonzero()[1]], starts)
    for number in np.unique(part[first]):
        yield (
            images[torch.from_numpy(part[first] == number)],
            torch.from_numpy((part == number).nonzero()[0]),
        )


def is_giant(images: Int[Tensor, "generators n"], moved: Int[Tensor, " m"]) -> bool:
    r"""Return whether a proof was found that the group holds every even permutation of `moved`.

    By Jordan's theorem a primitive group of degree $m$ that holds a cycle of prime length
    $p \le m - 3$, or of length 2 or 3, contains $A_m$. An element with one cycle of length $p$, and
    no other length that $p$ divides, has that cycle alone as a power. A cycle of prime length lies
    within one block of any block system, or moves whole blocks, which then have one point. So if
    the least block that holds the cycle is all of `moved`, its conjugates generate a primitive
    group, and the certificate is complete; if it is smaller, the group is no giant.

    The elements tried are the generators, then random words in them. If none of them has such a
    cycle, nothing is proved.
    """
    m = len(moved)
    if m < _LEAST_GIANT:
        return False
    orbits = point_orbits(images)[moved]
    if (orbits != orbits[0]).any():
        return False
    for word in _words(images):
        cycles = Permutation._trusted(word).cycles()
        lengths = [len(cycle) for cycle in cycles]
        for cycle, p in zip(cycles, lengths, strict=True):
            if (p <= m - 3 or p <= 3) and _is_prime(p) and sum(n % p == 0 for n in lengths) == 1:
                return _least_block(images, cycle) == m
    return False


def _is_prime(p: int) -> bool:
    return all(p % q for q in range(2, math.isqrt(p) + 1))


def _words(images: Int[Tensor, "generators n"]) -> Iterator[Int[Tensor, " n"]]:
    yield from images
    source = torch.Generator("cpu").manual_seed(0)
    # Product replacement, one half of the pool times the other: it stays a generating set and its
    # members become random.
    half = max(5, (len(images) + 1) // 2)
    pool = images[torch.arange(2 * half, device="cpu") % len(images)]
    tried = 0
    while tried < _RANDOM_WORDS:
        first, second = torch.randperm(2 * half, generator=source, device="cpu").view(2, half)
        changed, other = (first, second) if tried % 2 else (second, first)
        pool[first] = pool[changed].gather(1, pool[other])
        yield from pool[first[:10]]
        tried += 10


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


def stabilizing(
    degree: int, point: int, order: int, draw: Callable[[], Int[Tensor, "1 n"]]
) -> list[Permutation]:
    """Return generators of the stabilizer of a point, of which the order is known.

    Random elements of it are collected until they generate a subgroup of that order.
    """
    found: list[Permutation] = []
    chain = StabilizerChain(degree, [])
    first: dict[int, Permutation] = {}
    while chain.order < order:
        g = Permutation._trusted(draw()[0])
        image = int(g.index_tensor[point])
        # If g and h take the point to one place, then g h⁻¹ leaves it; it is uniform there.
        if chain.digits(fixing := g @ first.setdefault(image, g).inverse()) is None:
            found.append(fixing)
            chain = StabilizerChain(degree, levels_of(stack_permutations(found)))
    return found or [Permutation.identity(degree)]


def _schreier_sims(images: Int[Tensor, "generators n"]) -> list[Level]:
    from sympy import combinatorics

    group = combinatorics.PermutationGroup(
        [combinatorics.Permutation(row) for row in images.tolist()]
    )
    levels = []
    for base, transversal in zip(group.base, group.basic_transversals, strict=True):
        # The identity first, so that digit 0 always changes nothing.
        points = sorted(transversal, key=lambda point: (point != base, point))
        rows = torch.tensor([transversal[point].array_form for point in points], device="cpu")
        levels.append(table_level(base, rows))
    return levels
