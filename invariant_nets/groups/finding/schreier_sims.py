r"""The stabilizer chain of any generators, exactly.

Join all points that one generator moves: the generators of different components generate the
factors of a direct product. The chain of the powers of one generator is known by its cycles. A
factor with a certificate that it is all of $S_m$ or $A_m$ on the points that it moves gets the
chain of that group in closed form. Every other factor goes through the algorithm of Schreier and
Sims: on few points through sympy's deterministic one, on many through the one with random elements.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from invariant_nets.groups.chain import Level, table_level
from invariant_nets.groups.finding.giants import is_giant, restricted
from invariant_nets.groups.finding.random_chain import RandomChain
from invariant_nets.groups.known_chains import on_some, power_levels, symmetric_levels
from invariant_nets.groups.orbits import components
from invariant_nets.groups.permutation import are_odd

_FEW_POINTS = 32


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
    moves = (images != torch.arange(images.shape[1], device="cpu")).numpy()
    images, moves = images[torch.from_numpy(moves.any(1))], moves[moves.any(1)]
    # From each point an edge to the first one of every generator that moves it.
    first = moves.argmax(1)
    starts = np.concatenate(([0], moves.sum(0).cumsum()))
    part = components(first[moves.T.nonzero()[1]], starts)
    # By part, the generators and the points in turn.
    of_rows, of_points = part[first], part
    rows, points = of_rows.argsort(kind="stable"), of_points.argsort(kind="stable")
    for number in np.unique(of_rows):
        some = rows[slice(*np.searchsorted(of_rows[rows], (number, number + 1)))]
        moved = points[slice(*np.searchsorted(of_points[points], (number, number + 1)))]
        yield images[torch.from_numpy(some)], torch.from_numpy(moved)


def _part_levels(images: Int[Tensor, "some n"], moved: Int[Tensor, " m"]) -> list[Level]:
    if len(images) == 1:
        return power_levels(images[0])
    if is_giant(images, moved):
        return symmetric_levels(moved, images.shape[1], not bool(are_odd(images).any()))
    few = len(moved) <= _FEW_POINTS
    return _schreier_sims(images) if few else searched_levels(images, moved)


def searched_levels(
    images: Int[Tensor, "some n"], moved: Int[Tensor, " m"], order: int | None = None
) -> list[Level]:
    """Return the levels of a group on some points, from random elements, with a proof.

    If its order is known, the proof is left out: levels whose sizes have that product are whole.
    """
    chain = RandomChain(restricted(images, moved).numpy().astype(np.int32))
    chain.fill(order)
    if order is None:
        chain.prove()
    levels = []
    for wheel in chain.levels:
        # The identity first, so that digit 0 always changes nothing.
        ranked = np.lexsort((wheel.points, wheel.points != wheel.base))
        rows = torch.from_numpy(wheel.rows[ranked]).long()
        levels.append(table_level(int(moved[wheel.base]), on_some(moved, images.shape[1], rows)))
    return levels


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
