r"""Products of groups: on the union of their points, on a grid of them, of sets of sets, on blocks.

| product | acts on | order | what it keeps |
|---|---|---|---|
| $G \times H$, union | $m + k$ points | $\lvert G \rvert \lvert H \rvert$ | the two parts |
| $G \times H$, grid | $m \times k$ entries | $\lvert G \rvert \lvert H \rvert$ | rows, columns |
| $G \wr H$ | $k$ blocks of $m$ | $\lvert G \rvert^k \lvert H \rvert$ | the blocks |
| $S_{b_1} \times S_{b_2} \cdots$ | blocks of any points | $b_1!\, b_2! \cdots$ | each block |
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from invariant_nets._arguments import int_at_least, positive_int, set_batch
from invariant_nets.groups.chain import Level
from invariant_nets.groups.group import NAME_LENGTH, PermutationGroup
from invariant_nets.groups.known_chains import grid_levels, symmetric_levels, union_levels
from invariant_nets.groups.orbits import grid_orbitals, union_orbitals

_LISTED_ROWS = 5


def direct_product(
    *groups: PermutationGroup, on: Literal["union", "grid"] = "union"
) -> PermutationGroup:
    r"""Return the direct product of groups, on the union or on the grid of their points.

    On the disjoint union each factor permutes points of its own: $S_3 \times S_7$ permutes the
    first three of ten points and the last seven. On the grid $(g, h)$ takes $(i, j)$ to
    $(g(i), h(j))$: $S_n \times S_d$ permutes the rows and the columns of an $n \times d$ matrix,
    whose entry $(i, j)$ is point $i\,d + j$.

    Args:
        groups: the factors, at least one.
        on: `"union"` or `"grid"`.

    Raises:
        ValueError: if there is no factor, or `on` is something else.
        TypeError: if a factor is no `PermutationGroup`.

    Example:
        >>> from invariant_nets import symmetric_group
        >>> parts = direct_product(symmetric_group(3), symmetric_group(7))
        >>> parts.degree, parts.orbits()
        (10, ((0, 1, 2), (3, 4, 5, 6, 7, 8, 9)))
        >>> matrix = direct_product(symmetric_group(10), symmetric_group(5), on="grid")
        >>> matrix.degree, matrix.shape, int(matrix.orbitals().max()) + 1
        (50, (10, 5), 4)
    """
    if on not in ("union", "grid"):
        raise ValueError(f"on must be 'union' or 'grid', got {on!r}")
    if not groups:
        raise ValueError("groups must hold at least one group, got none")
    for group in groups:
        if not isinstance(group, PermutationGroup):
            raise TypeError(f"groups must be PermutationGroup objects, got {group!r}")
    degrees = [group.degree for group in groups]
    images = [_embedded(group._images, degrees, axis, on) for axis, group in enumerate(groups)]
    return PermutationGroup._known(
        torch.from_numpy(np.concatenate(images)),
        " × ".join(group.name for group in groups),
        partial(_product_levels, union_levels if on == "union" else grid_levels, groups),
        shape=None if on == "union" else tuple(degrees),
        axes=None if on == "union" else sum((group.axes for group in groups), ()),
        orbitals=partial(_union_orbitals if on == "union" else _grid_orbitals, groups),
        stabilizer=partial(_product_stabilizer, groups, on),
    )


def wreath_product(inner: PermutationGroup, outer: PermutationGroup) -> PermutationGroup:
    r"""Return the wreath product $G \wr H$: $G$ inside each block of points, $H$ on the blocks.

    A set of $k$ sets of $m$ members has the symmetry $S_m \wr S_k$: the members of each set may be
    permuted, and so may the sets. Block $b$ holds the points
    $b\,m, \dots, b\,m + m - 1$, so the group also acts on the entries of $k \times m$ matrices.

    Args:
        inner: the group $G$ on the $m$ points of a block.
        outer: the group $H$ on the $k$ blocks.

    Raises:
        TypeError: if one of them is no `PermutationGroup`.

    Example:
        >>> from invariant_nets import symmetric_group
        >>> sets_of_sets = wreath_product(symmetric_group(3), symmetric_group(4))
        >>> sets_of_sets.degree, sets_of_sets.order == 6**4 * 24
        (12, True)
        >>> int(sets_of_sets.orbitals().max()) + 1  # the same, the same block, another block
        3

    References:
        Dixon & Mortimer (1996), *Permutation Groups*, section 2.6.
    """
    for name, group in (("inner", inner), ("outer", outer)):
        if not isinstance(group, PermutationGroup):
            raise TypeError(f"{name} must be a PermutationGroup, got {group!r}")
    m, k = inner.degree, outer.degree
    # G on one block of each orbit of H: the others are reached by moving blocks.
    images = [_embedded(inner._images, [m] * k, orbit[0], "union") for orbit in outer.orbits()]
    images.append(_embedded(outer._images, [k, m], 0, "grid"))
    return PermutationGroup._known(
        torch.from_numpy(np.concatenate(images)),
        f"{inner.name} ≀ {outer.name}",
        partial(_wreath_levels, [inner] * k, outer),
        shape=(k, m),
        stabilizer=partial(_wreath_stabilizer, inner, outer),
    )


def young_subgroup(blocks: Sequence[Sequence[int]], n: int) -> PermutationGroup:
    r"""Return all permutations of $n$ points inside blocks, $S_{b_1} \times S_{b_2} \cdots$.

    A transposition and a cycle generate those of one block; points in no block stay fixed.

    Args:
        blocks: points of $0, \dots, n - 1$, each in at most one block.
        n: how many points there are, at least 1.

    Raises:
        ValueError: if a point is none of the $n$, or appears twice.

    Example:
        >>> young_subgroup([[0, 3], [1, 2, 4]], 5)
        PermutationGroup(S_2 on {0, 3} × S_3 on {1, 2, 4}, degree=5)

    References:
        Sagan (2001), *The Symmetric Group*, section 2.1.
    """
    n = positive_int("n", n)
    points = [int_at_least("blocks", point, 0) for block in blocks for point in block]
    if len(set(points)) < len(points) or max(points, default=0) >= n:
        raise ValueError(f"blocks must hold points below {n}, each once, got {blocks}")
    large = [torch.tensor(block, device="cpu") for block in blocks if len(block) > 1]
    images = [
        torch.arange(n, device="cpu") for _ in range(sum(min(len(b) - 1, 2) for b in large) or 1)
    ]
    number = 0
    for block in large:
        for moved in (block[:2], block)[: len(block) - 1]:
            images[number][moved] = moved.roll(-1)
            number += 1
    return PermutationGroup._known(
        torch.stack(images),
        _young_name(blocks, n),
        partial(_young_levels, large, n),
        stabilizer=partial(_young_stabilizer, blocks, n),
    )


def moved_axes(group: PermutationGroup, x: Tensor, name: str = "x") -> int:
    """Return how many axes of a batch a group permutes together, or raise if it does not fit."""
    degree, shape = group.degree, group.shape
    if not isinstance(x, Tensor) or x.ndim == 3 or len(shape) == 1:
        set_batch(x, name=name)
    if x.ndim == 3 and x.shape[1] == degree:
        return 1
    if len(shape) > 1 and x.ndim > len(shape) and x.shape[1 : 1 + len(shape)] == shape:
        return len(shape)
    grid = f" or matrices (batch, {', '.join(map(str, shape))})" if len(shape) > 1 else ""
    raise ValueError(
        f"{name} must be sets that {group.name} permutes, (batch, {degree}, d){grid}, "
        f"got {tuple(x.shape)}"
    )


def _young_levels(blocks: Sequence[Tensor], n: int) -> list[Level]:
    return [level for block in blocks for level in symmetric_levels(block, n)]


def _young_name(blocks: Sequence[Sequence[int]], n: int) -> str:
    large = [block for block in blocks if len(block) > 1]
    if not large:
        return "trivial"
    in_order = [row for block in large for row in block] == list(range(n))
    name = " × ".join(f"S_{len(b)}{'' if in_order else f' on {_listed(b)}'}" for b in large)
    return name if len(name) <= NAME_LENGTH else f"a product of {len(large)} symmetric groups"


def _listed(rows: Sequence[int]) -> str:
    shown = rows if len(rows) <= _LISTED_ROWS else [rows[0], rows[1], "…", rows[-1]]
    return f"{{{', '.join(map(str, shown))}}}"


def _product_levels(
    levels: Callable[..., list[Level]], groups: Sequence[PermutationGroup]
) -> list[Level]:
    degrees = [group.degree for group in groups]
    return levels(degrees, [group._chain.levels for group in groups])


def _grid_orbitals(groups: Sequence[PermutationGroup], every: bool = True) -> Tensor:
    return grid_orbitals([group.orbitals(every=every) for group in groups])


def _union_orbitals(groups: Sequence[PermutationGroup], every: bool = True) -> Tensor:
    return union_orbitals(
        [group.orbitals(every=every) for group in groups],
        [group.orbit_numbers() for group in groups],
    )


def _wreath_levels(inner: Sequence[PermutationGroup], outer: PermutationGroup) -> list[Level]:
    m, k = inner[0].degree, outer.degree
    # First where the blocks go, then what happens inside each.
    blocks = grid_levels([k, m], [outer._chain.levels, []])
    return [*blocks, *union_levels([m] * k, [group._chain.levels for group in inner])]


def _product_stabilizer(
    groups: Sequence[PermutationGroup], on: Literal["union", "grid"], point: int
) -> PermutationGroup:
    degrees = [group.degree for group in groups]
    if on == "grid":
        places = np.unravel_index(point, degrees)
        fixing = [group.stabilizer(int(i)) for group, i in zip(groups, places, strict=True)]
        return direct_product(*fixing, on=on)
    fixing = []
    for group in groups:
        fixing.append(group.stabilizer(point) if 0 <= point < group.degree else group)
        point -= group.degree
    return direct_product(*fixing, on=on)


def _wreath_stabilizer(
    inner: PermutationGroup, outer: PermutationGroup, point: int
) -> PermutationGroup:
    m, k = inner.degree, outer.degree
    block, place = divmod(point, m)
    # The block stays where it is; inside it the point does; all others are as they were.
    fixing, blocks = inner.stabilizer(place), outer.stabilizer(block)
    firsts = [orbit[0] for orbit in blocks.orbits()]
    inside = [fixing if number == block else inner for number in range(k)]
    images = [_embedded(inside[first]._images, [m] * k, first, "union") for first in firsts]
    images.append(_embedded(blocks._images, [k, m], 0, "grid"))
    return PermutationGroup._known(
        torch.from_numpy(np.concatenate(images)),
        None,
        partial(_wreath_levels, inside, blocks),
        shape=(k, m),
    )


def _young_stabilizer(blocks: Sequence[Sequence[int]], n: int, point: int) -> PermutationGroup:
    return young_subgroup([[i for i in block if i != point] for block in blocks], n)


def _embedded(
    images: Int[Tensor, "rows n"], degrees: Sequence[int], axis: int, on: str
) -> np.ndarray:
    # How permutations of one factor's points move the points of the product.
    before, n, after = degrees[:axis], degrees[axis], degrees[axis + 1 :]
    moved = images.numpy()
    if on == "union":
        points = np.tile(np.arange(sum(degrees)), (len(moved), 1))
        points[:, sum(before) : sum(before) + n] = moved + sum(before)
        return points
    # (a, i, b) goes to (a, g(i), b).
    points = np.arange(math.prod(degrees)).reshape(math.prod(before), n, math.prod(after))
    return points[:, moved].swapaxes(0, 1).reshape(len(moved), -1)
