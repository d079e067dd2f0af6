r"""Products of groups: on the union of their points, on a grid of them, and of sets of sets.

| product | acts on | order | what it keeps |
|---|---|---|---|
| $G \times H$, union | $m + k$ points | $\lvert G \rvert \lvert H \rvert$ | the two parts |
| $G \times H$, grid | $m \times k$ entries | $\lvert G \rvert \lvert H \rvert$ | rows, columns |
| $G \wr H$ | $k$ blocks of $m$ | $\lvert G \rvert^k \lvert H \rvert$ | the blocks |
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Literal

import torch
from torch import Tensor

from invariant_nets.chain import Level
from invariant_nets.closed_form import grid_levels, union_levels
from invariant_nets.groups import PermutationGroup


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
    name = " × ".join(group.name for group in groups)
    levels = union_levels if on == "union" else grid_levels
    images = [
        _embedded(generator.index_tensor, degrees, axis, on)
        for axis, group in enumerate(groups)
        for generator in group.generators
    ]
    return PermutationGroup._known(
        torch.stack(images),
        name,
        partial(_product_levels, levels, groups),
        shape=None if on == "union" else tuple(degrees),
    )


def wreath_product(inner: PermutationGroup, outer: PermutationGroup) -> PermutationGroup:
    r"""Return the wreath product $G \wr H$: $G$ inside each block of points, $H$ on the blocks.

    A set of $k$ sets of $m$ members has the symmetry $S_m \wr S_k$: the members of each set may be
    permuted by themselves, and the sets as wholes. Block $b$ holds the points
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
    images = [
        _embedded(generator.index_tensor, [m] * k, orbit[0], "union")
        for orbit in outer.orbits()
        for generator in inner.generators
    ]
    images += [_embedded(g.index_tensor, [k, m], 0, "grid") for g in outer.generators]
    return PermutationGroup._known(
        torch.stack(images),
        f"{inner.name} ≀ {outer.name}",
        partial(_wreath_levels, inner, outer),
        shape=(k, m),
    )


def _product_levels(
    levels: Callable[..., list[Level]], groups: Sequence[PermutationGroup]
) -> list[Level]:
    degrees = [group.degree for group in groups]
    return levels(degrees, [group._chain.levels for group in groups])


def _wreath_levels(inner: PermutationGroup, outer: PermutationGroup) -> list[Level]:
    m, k = inner.degree, outer.degree
    # First where the blocks go, then what happens inside each.
    blocks = grid_levels([k, m], [outer._chain.levels, []])
    return [*blocks, *union_levels([m] * k, [inner._chain.levels] * k)]


def _embedded(images: Tensor, degrees: Sequence[int], axis: int, on: str) -> Tensor:
    # How a permutation of one factor's points moves the points of the product.
    if on == "grid":
        points = torch.arange(math.prod(degrees)).view(*degrees)
        return points.index_select(axis, images).flatten()
    points = torch.arange(sum(degrees))
    start = sum(degrees[:axis])
    points[start : start + degrees[axis]] = start + images
    return points
