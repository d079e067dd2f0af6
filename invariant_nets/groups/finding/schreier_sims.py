r"""The stabilizer chain of any generators, exactly.

Join all points that one generator moves: the generators of different components generate the
factors of a direct product. The chain of the powers of one generator is known by its cycles. A
factor with a certificate that it is all of $S_m$ or $A_m$ on the points that it moves gets the
chain of that group in closed form. Every other factor goes through the algorithm of Schreier and
Sims: on up to 256 points with permutations as bytes, on more through the one with random elements.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from invariant_nets.groups.chain import Level, table_level
from invariant_nets.groups.finding.byte_chain import MOST_POINTS, ByteChain
from invariant_nets.groups.finding.giants import is_giant, restricted
from invariant_nets.groups.finding.random_chain import RandomChain
from invariant_nets.groups.known_chains import power_levels, symmetric_levels
from invariant_nets.groups.permutation import are_odd


def levels_of(images: Int[Tensor, "generators n"]) -> list[Level]:
    """Return the levels of the group that the rows of `images` generate."""
    return [level for part in parts(images) for level in _part_levels(*part)]


def holds_giants(images: Int[Tensor, "generators n"]) -> bool:
    """Return whether a proof was found that each orbit has its own symmetric or alternating group.

    A point that stays where it is counts as one.
    """
    return all(is_giant(*part) for part in parts(images))


def parts(
    images: Int[Tensor, "generators n"],
) -> Iterator[tuple[Int[Tensor, "some n"], Int[Tensor, " m"]]]:
    """Yield the generators of factors that move different points, and the points of each."""
    found: list[tuple[list[int], set[int]]] = []
    for number, row in enumerate(images.tolist()):
        rows, points = [number], {i for i, image in enumerate(row) if i != image}
        apart = []
        for part in found:
            if part[1].isdisjoint(points):
                apart.append(part)
            else:
                rows, points = part[0] + rows, part[1] | points
        found = [*apart, (rows, points)]
    for rows, points in sorted((part for part in found if part[1]), key=lambda part: min(part[1])):
        some = images if len(rows) == len(images) else images[np.array(sorted(rows))]
        yield some, torch.from_numpy(np.array(sorted(points)))


def _part_levels(images: Int[Tensor, "some n"], moved: Int[Tensor, " m"]) -> list[Level]:
    if len(images) == 1:
        return power_levels(images[0])
    if is_giant(images, moved):
        return symmetric_levels(moved, images.shape[1], not bool(are_odd(images).any()))
    return searched_levels(images, moved)


def searched_levels(
    images: Int[Tensor, "some n"], moved: Int[Tensor, " m"], order: int | None = None
) -> list[Level]:
    """Return the levels of a group on some points, by a search, with a proof.

    On many points and if its order is known, the proof is left out: levels whose sizes have that
    product are whole.
    """
    local, m, n = restricted(images, moved).numpy(), len(moved), images.shape[1]
    chain: ByteChain | RandomChain
    if m <= MOST_POINTS:
        chain = ByteChain(local)
    else:
        chain = RandomChain(local.astype(np.int32))
        chain.fill(order)
        if order is None:
            chain.prove()
    if not chain.levels:
        return []
    # The identity comes first, so that digit 0 always changes nothing.
    rows, every = np.concatenate([wheel.rows[:, :m] for wheel in chain.levels]), moved.numpy()
    full = np.empty((len(rows), n), dtype=np.int64)
    full[:] = np.arange(n)
    full[:, every] = every[rows]
    levels, start = [], 0
    for wheel in chain.levels:
        table = torch.from_numpy(full[start : start + len(wheel)])
        levels.append(table_level(int(every[wheel.base]), table))
        start += len(wheel)
    return levels
