r"""Stabilizer chains that need no search: of the named groups, of products, of actions on tuples.

The chain of $S_n$ fixes $0, 1, \dots$ in turn; $u_{jk}$ takes $j$ to $k$ and shifts the points
between by one, so that the elements come in lexicographic order.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from invariant_nets.groups.chain import Draw, Level, Moves, StabilizerChain, table_level
from invariant_nets.groups.enumeration import uniform_even_orders, uniform_orders
from invariant_nets.groups.permutation import Permutation

_Lift = Callable[[Int[Tensor, "k m"]], Int[Tensor, "k n"]]


def symmetric_levels(points: Int[Tensor, " m"], degree: int, even: bool = False) -> list[Level]:
    """Return the levels of all (even) permutations of some of `degree` points."""
    m = len(points)
    place = np.full(degree, -1)
    place[points.numpy()] = np.arange(m)
    draw = _drawn(
        partial(uniform_even_orders if even else uniform_orders, m),
        partial(on_some, points, degree),
    )
    levels = [_symmetric_level(j, points, place, even) for j in range(m - 2 if even else m - 1)]
    if levels:
        levels[0] = replace(levels[0], draw=draw, wheels=len(levels))
    return levels


def symmetric_images(points: Int[Tensor, " m"], degree: int, even: bool) -> Int[Tensor, "k n"]:
    """Return generators of all (even) permutations of some points: a cycle and a shortest one."""
    m = len(points)
    cycles = [points[: 3 if even else 2], points[1 - m % 2 if even else 0 :]]
    cycles = [cycle for cycle in cycles if len(cycle) > (2 if even else 1)]
    if m < 3 or (even and m < 4):
        cycles = cycles[:1]
    images = torch.arange(degree, device="cpu").repeat(max(1, len(cycles)), 1)
    for row, cycle in zip(images, cycles, strict=False):
        row[cycle] = cycle.roll(-1)
    return images


def on_some(
    points: Int[Tensor, " m"], degree: int, local: Int[Tensor, "k m"]
) -> Int[Tensor, "k n"]:
    """Return what permutations of some of `degree` points, numbered in turn, do to all of them."""
    full = torch.arange(degree, device="cpu").repeat(len(local), 1)
    full[:, points] = points[local]
    return full


def _symmetric_level(j: int, points: Int[Tensor, " m"], place: np.ndarray, even: bool) -> Level:
    m, degree, every = len(points), len(place), points.numpy()

    def digit(point: int) -> int:
        return max(-1, int(place[point]) - j)

    def rows(digits: Int[Tensor, " k"]) -> Int[Tensor, "k n"]:
        positions = torch.arange(m, device="cpu")
        target = j + digits[:, None]
        # j ↦ k, and j + 1, …, k move down by one.
        local = torch.where((positions > j) & (positions <= target), positions - 1, positions)
        local[:, j] = target[:, 0]
        if even:
            # The cycle has the parity of k − j; a swap of the last two points mends an odd one.
            swapped = torch.cat((positions[:-2], positions[[-1, -2]]))
            local = torch.where(digits[:, None] % 2 == 1, local[:, swapped], local)
        return on_some(points, degree, local)

    def moves(digit: int) -> Moves:
        moved = np.arange(j, j + digit + 1)
        targets = np.roll(moved, 1)
        if even and digit % 2:
            last = np.arange(max(m - 2, j + digit + 1), m)
            moved, targets = np.concatenate((moved, last)), np.concatenate((targets, last))
            targets[-2:] = targets[[-1, -2]]
        return every[moved], every[targets]

    return Level(m - j, int(every[j]), digit, rows, moves)


def cyclic_levels(n: int) -> list[Level]:
    """Return the one level of the shifts of `n` points."""
    points = torch.arange(n, device="cpu")

    def rows(digits: Int[Tensor, " k"]) -> Int[Tensor, "k n"]:
        return (points + digits[:, None]) % n

    return [Level(n, 0, int, rows, lambda digit: (points.numpy(), np.roll(points.numpy(), -digit)))]


def power_levels(generator: Int[Tensor, " n"]) -> list[Level]:
    r"""Return the levels of the powers of one permutation, by its cycles, without a table.

    Let $L_j$ be the least common multiple of the first $j$ cycle lengths. The powers of $g^{L_j}$
    leave these cycles where they are, so level $j$ holds the $g^{L_{j-1} d}$ with
    $0 \le d < L_j / L_{j-1}$, which its base in cycle $j$ tells apart.

    Example:
        >>> [level.size for level in power_levels(torch.tensor([1, 0, 3, 4, 5, 2]))]
        [2, 2]
    """
    cycles = Permutation._trusted(generator).cycles()
    levels, before = [], 1
    for number, cycle in enumerate(cycles):
        after = math.lcm(before, len(cycle))
        if after > before:
            levels.append(_power_level(cycles, number, before, after // before, len(generator)))
        before = after
    return levels


def _power_level(
    cycles: Sequence[Sequence[int]], number: int, power: int, size: int, degree: int
) -> Level:
    own = cycles[number]
    digit_of = {own[power * digit % len(own)]: digit for digit in range(size)}

    @cache
    def points() -> np.ndarray:
        return np.concatenate(cycles)

    @cache
    def places() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        sizes = np.array([len(cycle) for cycle in cycles])
        length, start = sizes.repeat(sizes), (sizes.cumsum() - sizes).repeat(sizes)
        steps = np.array([power % len(cycle) for cycle in cycles]).repeat(sizes)
        return start, np.arange(len(length)) - start, steps, length

    def targets(digits: np.ndarray) -> np.ndarray:
        start, place, steps, length = places()
        images: np.ndarray = start + (place + steps * digits) % length
        return images

    def rows(digits: Int[Tensor, " k"]) -> Int[Tensor, "k n"]:
        local = torch.from_numpy(targets(digits.numpy()[:, None]))
        return on_some(torch.from_numpy(points()), degree, local)

    def moves(digit: int) -> Moves:
        return points(), points()[targets(np.array(digit))]

    return Level(size, own[0], lambda point: digit_of.get(point, -1), rows, moves)


def dihedral_levels(n: int) -> list[Level]:
    r"""Return the levels of the shifts and of the reflection $i \mapsto -i$ of `n` points."""
    points = torch.arange(n, device="cpu")
    if n < 3:
        return cyclic_levels(n)
    return [*cyclic_levels(n), table_level(1, torch.stack((points, -points % n)))]


def union_levels(degrees: Sequence[int], levels: Sequence[Sequence[Level]]) -> list[Level]:
    """Return the levels of a direct product on the disjoint union of the factors' points."""
    total = sum(degrees)
    offsets = itertools.accumulate(degrees, initial=0)

    def shifted(level: Level, offset: int, degree: int) -> Level:
        def digit(point: int) -> int:
            return level.digit(point - offset) if offset <= point < offset + degree else -1

        def lift(rows: Int[Tensor, "k m"]) -> Int[Tensor, "k n"]:
            full = torch.arange(total, device="cpu").repeat(len(rows), 1)
            full[:, offset : offset + degree] = offset + rows
            return full

        def moves(digit: int) -> Moves:
            points, targets = level.moves(digit)
            return offset + points, offset + targets

        return _lifted(level, offset + level.base, digit, lift, moves)

    every = [
        shifted(level, offset, degree)
        for factor, offset, degree in zip(levels, offsets, degrees, strict=False)
        for level in factor
    ]
    if every:
        draw = partial(_side_by_side, _chains(degrees, levels))
        every[0] = replace(every[0], draw=draw, wheels=len(every))
    return every


def _chains(degrees: Sequence[int], levels: Sequence[Sequence[Level]]) -> list[StabilizerChain]:
    # Factors that share their levels share their tables.
    made: dict[int, StabilizerChain] = {}
    for degree, factor in zip(degrees, levels, strict=True):
        made.setdefault(id(factor), StabilizerChain(degree, factor))
    return [made[id(factor)] for factor in levels]


def _side_by_side(
    chains: Sequence[StabilizerChain], k: int, generator: torch.Generator | None
) -> Int[Tensor, "k n"]:
    parts, offset = [], 0
    for chain in chains:
        parts.append(chain.sample(k, generator) + offset)
        offset += chain.degree
    return torch.cat(parts, 1)


def grid_levels(degrees: Sequence[int], levels: Sequence[Sequence[Level]]) -> list[Level]:
    """Return the levels of a direct product on the grid of the factors' points, row by row."""
    coordinates = torch.arange(math.prod(degrees), device="cpu").view(*degrees)

    def along(level: Level, axis: int) -> Level:
        below = math.prod(degrees[axis + 1 :])

        def digit(point: int) -> int:
            # A point of the grid has the digit of its coordinate on the axis.
            return level.digit(point // below % degrees[axis])

        def lift(rows: Int[Tensor, "k m"]) -> Int[Tensor, "k n"]:
            moved = coordinates.index_select(axis, rows.flatten())
            shape = (*degrees[:axis], *rows.shape, *degrees[axis + 1 :])
            return moved.view(shape).movedim(axis, 0).flatten(1)

        def moves(digit: int) -> Moves:
            points, targets = (coordinates.numpy().take(p, axis) for p in level.moves(digit))
            return points.ravel(), targets.ravel()

        base = level.base * below
        return _lifted(level, base, digit, lift, moves)

    return [along(level, axis) for axis, factor in enumerate(levels) for level in factor]


def tuple_levels(group: Any, k: int) -> list[Level]:
    """Return the levels of a group as it acts on the `k`-tuples of its points."""
    degree, levels = group.degree, group._chain.levels
    step = sum(degree**i for i in range(k))
    every = np.arange(degree**k)

    def lifted(level: Level) -> Level:
        def digit(point: int) -> int:
            return -1 if point % step else level.digit(point // step)

        def moves(digit: int) -> Moves:
            points, targets = level.moves(digit)
            images = torch.arange(degree, device="cpu")
            images[points] = torch.from_numpy(targets)
            return every, on_tuples(images[None], k)[0].numpy()

        return _lifted(level, level.base * step, digit, partial(on_tuples, k=k), moves)

    return [lifted(level) for level in levels]


def tuple_stabilizer(group: Any, k: int, point: int) -> Any:
    """Return the stabilizer of a tuple: that of all its entries, as it acts on the tuples."""
    degree = group.degree
    for entry in np.unravel_index(point, (degree,) * k):
        group = group.stabilizer(int(entry))
    return group.on_tuples(k)


def _lifted(
    level: Level,
    base: int,
    digit: Callable[[int], int],
    lift: _Lift,
    moves: Callable[[int], Moves],
) -> Level:
    """Return the level of the same elements as they move other points."""
    draw = None if level.draw is None else _drawn(level.draw, lift)
    return Level(
        level.size, base, digit, lambda digits: lift(level.rows(digits)), moves, draw, level.wheels
    )


def _drawn(draw: Draw, lift: _Lift) -> Draw:
    return lambda k, generator: lift(draw(k, generator))


def on_tuples(images: Int[Tensor, "rows n"], k: int) -> Int[Tensor, "rows n_to_k"]:
    r"""Return how permutations move the tuples $(i_1, \dots, i_k)$, numbered row by row."""
    rows, n = images.shape
    moved = images.new_zeros(rows, 1)
    for _ in range(k):
        moved = (moved[:, :, None] * n + images[:, None, :]).flatten(1)
    return moved
