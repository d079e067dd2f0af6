r"""Stabilizer chains that need no search: of the named groups, of products, of actions on tuples.

The chain of $S_n$ fixes $0, 1, \dots$ in turn; $u_{jk}$ takes $j$ to $k$ and shifts the points
between by one, so that the elements come in lexicographic order.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from invariant_nets.groups.chain import Level, table_level


def symmetric_levels(points: Int[Tensor, " m"], degree: int, even: bool = False) -> list[Level]:
    """Return the levels of all (even) permutations of some of `degree` points."""
    m = len(points)
    return [_symmetric_level(j, points, degree, even) for j in range(m - 2 if even else m - 1)]


def _symmetric_level(j: int, points: Int[Tensor, " m"], degree: int, even: bool) -> Level:
    m = len(points)
    positions = torch.arange(m)

    def rows(digits: Int[Tensor, " k"]) -> Int[Tensor, "k n"]:
        target = j + digits[:, None]
        # j ↦ k, and j + 1, …, k move down by one.
        local = torch.where((positions > j) & (positions <= target), positions - 1, positions)
        local[:, j] = target[:, 0]
        if even:
            # The cycle has the parity of k − j; a swap of the last two points mends an odd one.
            swapped = torch.cat((positions[:-2], positions[[-1, -2]]))
            local = torch.where(digits[:, None] % 2 == 1, local[:, swapped], local)
        full = torch.arange(degree).repeat(len(digits), 1)
        full[:, points] = points[local]
        return full

    digit_of = torch.full((degree,), -1)
    digit_of[points] = positions - j
    return Level(m - j, int(points[j]), digit_of.clamp(min=-1), rows)


def cyclic_levels(n: int) -> list[Level]:
    """Return the one level of the shifts of `n` points."""
    points = torch.arange(n)
    return [Level(n, 0, points, lambda digits: (points + digits[:, None]) % n)]


def dihedral_levels(n: int) -> list[Level]:
    r"""Return the levels of the shifts and of the reflection $i \mapsto -i$ of `n` points."""
    points = torch.arange(n)
    if n < 3:
        return cyclic_levels(n)
    return [*cyclic_levels(n), table_level(1, torch.stack((points, -points % n)))]


def union_levels(degrees: Sequence[int], levels: Sequence[Sequence[Level]]) -> list[Level]:
    """Return the levels of a direct product on the disjoint union of the factors' points."""
    total = sum(degrees)
    offsets = [sum(degrees[:i]) for i in range(len(degrees))]

    def shifted(level: Level, offset: int, degree: int) -> Level:
        def rows(digits: Int[Tensor, " k"]) -> Int[Tensor, "k n"]:
            full = torch.arange(total).repeat(len(digits), 1)
            full[:, offset : offset + degree] = offset + level.rows(digits)
            return full

        digit_of = torch.full((total,), -1)
        digit_of[offset : offset + degree] = level.digit_of
        return Level(level.size, offset + level.base, digit_of, rows)

    return [
        shifted(level, offset, degree)
        for factor, offset, degree in zip(levels, offsets, degrees, strict=True)
        for level in factor
    ]


def grid_levels(degrees: Sequence[int], levels: Sequence[Sequence[Level]]) -> list[Level]:
    """Return the levels of a direct product on the grid of the factors' points, row by row."""
    coordinates = torch.arange(math.prod(degrees)).view(*degrees)

    def along(level: Level, axis: int) -> Level:
        # A point of the grid has the digit of its coordinate on the axis.
        shape = [-1 if i == axis else 1 for i in range(len(degrees))]
        digit_of = level.digit_of.view(shape).expand_as(coordinates).flatten()
        base = int(coordinates.select(axis, level.base).flatten()[0])

        def rows(digits: Int[Tensor, " k"]) -> Int[Tensor, "k n"]:
            images = level.rows(digits)
            moved = coordinates.index_select(axis, images.flatten())
            shape = (*degrees[:axis], *images.shape, *degrees[axis + 1 :])
            return moved.view(shape).movedim(axis, 0).flatten(1)

        return Level(level.size, base, digit_of, rows)

    return [along(level, axis) for axis, factor in enumerate(levels) for level in factor]


def tuple_levels(degree: int, levels: Sequence[Level], k: int) -> list[Level]:
    """Return the levels of the same group as it acts on the `k`-tuples of its points."""

    def lifted(level: Level) -> Level:
        diagonal = torch.arange(degree) * sum(degree**i for i in range(k))
        digit_of = torch.full((degree**k,), -1)
        digit_of[diagonal] = level.digit_of
        return Level(
            level.size,
            int(diagonal[level.base]),
            digit_of,
            lambda digits: on_tuples(level.rows(digits), k),
        )

    return [lifted(level) for level in levels]


def on_tuples(images: Int[Tensor, "rows n"], k: int) -> Int[Tensor, "rows n_to_k"]:
    r"""Return how permutations move the tuples $(i_1, \dots, i_k)$, numbered row by row."""
    rows, n = images.shape
    moved = images.new_zeros(rows, 1)
    for _ in range(k):
        moved = (moved[:, :, None] * n + images[:, None, :]).flatten(1)
    return moved
