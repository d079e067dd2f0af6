r"""The stabilizer of a point, exactly: its generators, and a chain that its order proves.

Only the factor that moves the point matters. In that of a giant the stabilizer is a giant on one
point less; among the powers of $g$ it is those of $g^l$, with $l$ the length of the point's cycle.
Any other factor on few points gets a chain whose first base is the point; the generators of its
next level generate the stabilizer. On many points uniform elements do. Two that take the point to
one place give a uniform one that leaves it, $g h^{-1}$; by orbit and stabilizer,
$|G_x| = |G| / |x^G|$, and a chain of that order is the proof that a few of them are enough.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from invariant_nets.groups.chain import Level, composed
from invariant_nets.groups.enumeration import uniform_digits
from invariant_nets.groups.finding.byte_chain import MOST_POINTS, ByteChain, rows_of
from invariant_nets.groups.finding.giants import is_giant, restricted
from invariant_nets.groups.finding.schreier_sims import levels_of, parts, searched_levels
from invariant_nets.groups.known_chains import on_some, symmetric_images
from invariant_nets.groups.orbits import point_orbits
from invariant_nets.groups.permutation import Permutation, are_odd

_FIRST_FOUND = 2
_DRAWS_PER_ROOT = 4


def stabilizing(
    images: Int[Tensor, "generators n"],
    point: int,
    levels: Callable[[], list[Level]],
) -> tuple[Int[Tensor, "found n"], Callable[[], list[Level]]]:
    """Return generators of the stabilizer of a point, and what makes its levels.

    Args:
        images: the generators of the group.
        point: one that some of them move.
        levels: gives those of the group; each moves the points of one factor alone.
    """
    every = list(parts(images))
    own, moved = next(part for part in every if (part[1] == point).any())
    others = torch.cat([images[:0], *(rows for rows, _ in every if rows is not own)])
    if len(own) == 1:
        generator = Permutation._trusted(own[0])
        (cycle,) = (cycle for cycle in generator.cycles() if point in cycle)
        rows = torch.cat((others, (generator ** len(cycle))._index[None]))
        return rows, partial(levels_of, rows)
    if is_giant(own, moved):
        even = not bool(are_odd(own).any())
        found = symmetric_images(moved[moved != point], images.shape[1], even)
        rows = torch.cat((others, found))
        return rows, partial(levels_of, rows)
    if len(moved) <= MOST_POINTS:
        local = restricted(own, moved).numpy()
        chain = ByteChain(local, int(np.searchsorted(moved.numpy(), point)))
        fixing = rows_of(row for level in chain.levels[1:2] for row in level.generators)
        some = torch.from_numpy(fixing[:, : len(moved)].astype(np.int64))
        rows = _or_identity(torch.cat((others, on_some(moved, images.shape[1], some))))
        return rows, partial(levels_of, rows)
    orbits = point_orbits(own)
    size = int((orbits == orbits[point]).sum())
    inside = set(moved.tolist())
    every_level = levels()
    order = math.prod(level.size for level in every_level if level.base in inside) // size
    found = _random(every_level, images.shape[1], moved, point, size, order)
    rows = _or_identity(torch.cat((others, found)))
    return rows, partial(_levels, others, found, moved, order)


def _or_identity(rows: Int[Tensor, "k n"]) -> Int[Tensor, "found n"]:
    return rows if len(rows) else torch.arange(rows.shape[1], device="cpu")[None]


def _levels(
    others: Int[Tensor, "some n"],
    found: Int[Tensor, "k n"],
    moved: Int[Tensor, " m"],
    order: int,
) -> list[Level]:
    return [*levels_of(others), *searched_levels(found, moved, order)]


def _random(
    levels: Sequence[Level],
    degree: int,
    moved: Int[Tensor, " m"],
    point: int,
    size: int,
    order: int,
) -> Int[Tensor, "k n"]:
    """Return random elements that generate the stabilizer of a point in one factor."""
    source, wanted = torch.Generator("cpu").manual_seed(0), _FIRST_FOUND
    draws = _DRAWS_PER_ROOT * (math.isqrt(size) + 1)
    found = torch.empty(0, degree, dtype=torch.int64, device="cpu")
    while order > 1:
        while len(found) < wanted:
            more = _fixing(_uniform(levels, draws, source), point, moved)
            found = torch.cat((found, more))
        some = found[:wanted]
        if math.prod(level.size for level in searched_levels(some, moved, order)) == order:
            return some
        wanted += (wanted + 1) // 2
    return found


def _uniform(levels: Sequence[Level], k: int, generator: torch.Generator) -> Int[Tensor, "k n"]:
    # By the levels' own rows: tables would cost more than so few draws.
    return composed([level.rows(uniform_digits(level.size, k, generator)) for level in levels])


def _fixing(
    draws: Int[Tensor, "draws n"], point: int, moved: Int[Tensor, " m"]
) -> Int[Tensor, "k n"]:
    """Return what leaves a point of one factor, from pairs of draws that take it to one place."""
    targets, order = draws[:, point].sort(stable=True)
    pairs = []
    place = 0
    while place + 1 < len(order):
        if targets[place] == targets[place + 1]:
            pairs.append(place)
            place += 1
        place += 1
    g, h = draws[order[pairs]], draws[order[[place + 1 for place in pairs]]]
    # (g h⁻¹)(i) = h⁻¹(g(i)), and what the other factors do is left out.
    fixing = h.argsort(1).gather(1, g)[:, moved]
    rows = torch.arange(draws.shape[1], device="cpu").repeat(len(fixing), 1)
    rows[:, moved] = fixing
    return rows[(fixing != moved).any(1)]
