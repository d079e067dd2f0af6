r"""The stabilizer chain of any generators, exactly; and generators of a stabilizer.

Two ways: a group that holds a certificate of being all of $S_m$ or $A_m$ on the points that it
moves gets their chain in closed form; every other one goes through the deterministic algorithm of
Schreier and Sims, as sympy has it.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Int
from torch import Tensor

from invariant_nets.groups.chain import Level, StabilizerChain, table_level
from invariant_nets.groups.known_chains import symmetric_levels
from invariant_nets.groups.orbits import point_orbits
from invariant_nets.groups.permutation import Permutation, stack_permutations

_LEAST_GIANT = 8
_RANDOM_WORDS = 200


def levels_of(images: Int[Tensor, "generators n"]) -> list[Level]:
    """Return the levels of the group that the rows of `images` generate."""
    moved = (images != torch.arange(images.shape[1])).any(0).nonzero().flatten()
    if is_giant(images, moved):
        even = not any(is_odd(row) for row in images)
        return symmetric_levels(moved, images.shape[1], even)
    return _schreier_sims(images)


def is_giant(images: Int[Tensor, "generators n"], moved: Int[Tensor, " m"]) -> bool:
    r"""Return whether a proof was found that the group holds every even permutation of `moved`.

    By Jordan's theorem a primitive group of degree $m$ that holds a cycle of prime length
    $p \le m - 3$ contains $A_m$. A transitive group with an element that has a cycle of prime
    length $p > m/2$ is primitive, and a power of the element is that $p$-cycle alone. Random words
    soon hold one in $S_m$ and $A_m$; that none is found proves nothing.
    """
    m = len(moved)
    if m < _LEAST_GIANT:
        return False
    orbits = point_orbits(images)[moved]
    if (orbits != orbits[0]).any():
        return False
    wanted = {p for p in range(m // 2 + 1, m - 2) if all(p % q for q in range(2, p))}
    source = torch.Generator().manual_seed(0)
    # Product replacement: the pool stays a generating set and its members become random.
    pool = [images[i % len(images)] for i in range(max(10, len(images)))]
    for step in range(_RANDOM_WORDS):
        i, j = torch.randperm(len(pool), generator=source)[:2].tolist()
        pool[i] = pool[j][pool[i]] if step % 2 else pool[i][pool[j]]
        if wanted & set(cycle_lengths(pool[i])):
            return True
    return False


def cycle_lengths(images: Int[Tensor, " n"]) -> list[int]:
    """Return the lengths of all cycles of a permutation."""
    targets, seen, lengths = images.tolist(), set[int](), []
    for start in range(len(targets)):
        point, length = start, 0
        while point not in seen:
            seen.add(point)
            point, length = targets[point], length + 1
        if length:
            lengths.append(length)
    return lengths


def is_odd(images: Int[Tensor, " n"]) -> bool:
    """Return whether a permutation is a product of an odd number of transpositions."""
    return sum(length - 1 for length in cycle_lengths(images)) % 2 == 1


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
        rows = torch.tensor([transversal[point].array_form for point in points])
        levels.append(table_level(base, rows))
    return levels
