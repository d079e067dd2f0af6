r"""Groups with a name: symmetric, alternating, cyclic, dihedral; puzzles; Mathieu's.

| group | order | what it keeps |
|---|---|---|
| $S_n$ | $n!$ | the set |
| $A_n$ | $n!/2$ | the set; the sign of its order |
| $C_n$ | $n$ | the cycle, with its direction |
| $D_n$ | $2n$ | the cycle |
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from invariant_nets._arguments import positive_int
from invariant_nets.groups.chain import Level
from invariant_nets.groups.enumeration import uniform_even_orders, uniform_orders
from invariant_nets.groups.group import PermutationGroup
from invariant_nets.groups.known_chains import (
    cyclic_levels,
    dihedral_levels,
    symmetric_images,
    symmetric_levels,
)
from invariant_nets.groups.orbits import circulant, equal_or_not
from invariant_nets.groups.permutation import Permutation, images_of_cycles


def symmetric_group(n: int) -> PermutationGroup:
    r"""Return $S_n$, all $n!$ permutations of $n$ points, from an $n$-cycle and a transposition.

    Raises:
        ValueError: if `n` is below 1.

    Example:
        >>> symmetric_group(10).order
        3628800
    """
    points = np.arange(positive_int("n", n))
    images = np.array((points + 1, points) if n > 2 else (points + 1,))
    images[0, -1] = 0
    if n > 2:
        images[1, :2] = 1, 0
    return PermutationGroup._known(
        torch.from_numpy(images),
        f"S_{n}",
        partial(_symmetric_levels, n),
        draw=partial(uniform_orders, n),
        orbitals=partial(equal_or_not, n),
        stabilizer=partial(_without, n, False),
    )


def alternating_group(n: int) -> PermutationGroup:
    r"""Return $A_n$, the $n!/2$ even permutations of $n$ points.

    Raises:
        ValueError: if `n` is below 1.

    Example:
        >>> alternating_group(5).order, alternating_group(5).is_subgroup(symmetric_group(5))
        (60, True)
    """
    if positive_int("n", n) < 3:
        return _renamed(trivial_group(n), f"A_{n}")
    # A 3-cycle, and the longest cycle that is even.
    cycles = [(0, 1, 2), tuple(range(1 - n % 2, n))]
    return PermutationGroup._known(
        torch.tensor([images_of_cycles(n, [cycle]) for cycle in cycles], device="cpu"),
        f"A_{n}",
        partial(_symmetric_levels, n, even=True),
        draw=partial(uniform_even_orders, n),
        orbitals=partial(equal_or_not, n) if n > 3 else partial(_cyclic_orbitals, n),
        stabilizer=partial(_without, n, True),
    )


def cyclic_group(n: int) -> PermutationGroup:
    r"""Return $C_n$, the $n$ cyclic shifts of $n$ points.

    Raises:
        ValueError: if `n` is below 1.

    Example:
        >>> [str(g) for g in cyclic_group(3)]
        ['()', '(0 1 2)', '(0 2 1)']
    """
    return PermutationGroup._known(
        torch.arange(1, positive_int("n", n) + 1, device="cpu")[None] % n,
        f"C_{n}",
        partial(cyclic_levels, n),
        orbitals=partial(_cyclic_orbitals, n),
        stabilizer=partial(_identity, n),
    )


def dihedral_group(n: int) -> PermutationGroup:
    r"""Return $D_n$, the $2n$ symmetries of a polygon of $n$ corners ($n \ge 3$).

    On one or two points every reflection is a shift, so the group is $C_n$.

    Raises:
        ValueError: if `n` is below 1.

    Example:
        >>> dihedral_group(4).order
        8
    """
    points = np.arange(positive_int("n", n))
    images = np.array((points + 1, n - points))
    images[0, -1] = images[1, 0] = 0
    return PermutationGroup._known(
        torch.from_numpy(images),
        f"D_{n}",
        partial(dihedral_levels, n),
        orbitals=partial(_dihedral_orbitals, n),
        stabilizer=partial(_reflection, n),
    )


def trivial_group(n: int) -> PermutationGroup:
    r"""Return the group whose only element leaves `n` points where they are.

    Raises:
        ValueError: if `n` is below 1.

    Example:
        >>> trivial_group(3).order
        1
    """
    identity = torch.arange(positive_int("n", n), device="cpu")[None]
    return PermutationGroup._known(identity, "{e}", list, orbitals=partial(_all_pairs, n))


def mathieu_group(n: int) -> PermutationGroup:
    r"""Return Mathieu's sporadic group $M_{11}$, $M_{12}$ or $M_{24}$.

    Args:
        n: 11, 12 or 24.

    Raises:
        ValueError: if `n` is another number.

    Example:
        >>> [mathieu_group(n).order for n in (11, 12, 24)]
        [7920, 95040, 244823040]

    References:
        Conway & Sloane (1988), *Sphere Packings, Lattices and Groups*, chapters 10 and 11.
    """
    if n not in _MATHIEU:
        raise ValueError(f"n must be 11, 12 or 24, got {n!r}")
    return PermutationGroup._known(_images(n, _MATHIEU[n]), f"M_{n}")


def rubiks_cube_group() -> PermutationGroup:
    r"""Return the group of Rubik's cube: the six quarter turns, on its 48 facelets that move.

    Example:
        >>> rubiks_cube_group().order
        43252003274489856000
    """
    return PermutationGroup._known(_TURNS.clone(), "Rubik's cube")


def pocket_cube_group() -> PermutationGroup:
    r"""Return the group of the 2×2×2 cube: three quarter turns that leave one corner, 24 facelets.

    Example:
        >>> pocket_cube_group().order
        3674160
    """
    corners = [p for p in range(48) if p % 8 in (0, 2, 5, 7)]
    number = {facelet: i for i, facelet in enumerate(corners)}
    turns = _TURNS[[0, 2, 3]][:, corners].tolist()
    images = [[number[facelet] for facelet in turn] for turn in turns]
    return PermutationGroup._known(torch.tensor(images, device="cpu"), "the pocket cube")


def _symmetric_levels(n: int, even: bool = False) -> list[Level]:
    return symmetric_levels(torch.arange(n, device="cpu"), n, even)


def _without(n: int, even: bool, point: int) -> PermutationGroup:
    # All (even) permutations of the other points.
    every = torch.arange(n, device="cpu")
    others = every[every != point]
    return PermutationGroup._known(
        symmetric_images(others, n, even), None, partial(symmetric_levels, others, n, even)
    )


def _identity(n: int, point: int) -> PermutationGroup:
    return trivial_group(n)


def _reflection(n: int, point: int) -> PermutationGroup:
    # i ↦ 2p − i leaves the point p.
    return PermutationGroup([[(2 * point - i) % n for i in range(n)]] if n > 2 else [range(n)])


def _cyclic_orbitals(n: int, every: bool = True) -> Tensor:
    return _shifts(np.arange(n), every)


def _dihedral_orbitals(n: int, every: bool = True) -> Tensor:
    points = np.arange(n)
    return _shifts(np.minimum(points, n - points), every)


def _shifts(first_row: np.ndarray, every: bool) -> Tensor:
    return circulant(first_row) if every else torch.from_numpy(first_row[None])


def _all_pairs(n: int, every: bool = True) -> Tensor:
    return torch.arange(n * n, device="cpu").view(n, n)


def _renamed(group: PermutationGroup, name: str) -> PermutationGroup:
    group._name = name
    return group


def _images(n: int, generators: Sequence[Sequence[Sequence[int]]]) -> Tensor:
    # Points are numbered from 1 in the tables below, so point 0 stays where it is, and goes.
    images = np.array([images_of_cycles(n + 1, cycles) for cycles in generators])
    return torch.from_numpy(images[:, 1:] - 1)


_MATHIEU = {
    11: ((range(1, 12),), ((3, 7, 11, 8), (4, 10, 5, 6))),
    12: (
        (range(1, 12),),
        ((3, 7, 11, 8), (4, 10, 5, 6)),
        ((1, 12), (2, 11), (3, 6), (4, 8), (5, 9), (7, 10)),
    ),
    24: (
        (range(1, 24),),
        ((3, 17, 10, 7, 9), (4, 13, 14, 19, 5), (8, 18, 11, 12, 23), (15, 20, 22, 21, 16)),
        ((1, 24), (2, 23), (3, 12), (4, 16), (5, 18), (6, 10), (7, 20), (8, 14), (9, 21), (11, 17),
         (13, 22), (19, 15)),
    ),
}  # fmt: skip

# Facelets 1 to 8 lie around the upper face, then left, front, right, back and down.
_TURNS = _images(48, (
    ((1, 3, 8, 6), (2, 5, 7, 4), (9, 33, 25, 17), (10, 34, 26, 18), (11, 35, 27, 19)),
    ((9, 11, 16, 14), (10, 13, 15, 12), (1, 17, 41, 40), (4, 20, 44, 37), (6, 22, 46, 35)),
    ((17, 19, 24, 22), (18, 21, 23, 20), (6, 25, 43, 16), (7, 28, 42, 13), (8, 30, 41, 11)),
    ((25, 27, 32, 30), (26, 29, 31, 28), (3, 38, 43, 19), (5, 36, 45, 21), (8, 33, 48, 24)),
    ((33, 35, 40, 38), (34, 37, 39, 36), (3, 9, 46, 32), (2, 12, 47, 29), (1, 14, 48, 27)),
    ((41, 43, 48, 46), (42, 45, 47, 44), (14, 22, 30, 38), (15, 23, 31, 39), (16, 24, 32, 40)),
))  # fmt: skip


def cyclic_generator(n: int) -> Permutation:
    r"""Return the shift $i \mapsto i + 1 \bmod n$, which generates the cyclic group $C_n$.

    Example:
        >>> cyclic_generator(4)
        Permutation([1, 2, 3, 0])
    """
    return Permutation.from_cycles(n, range(n))
