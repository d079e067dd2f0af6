r"""Orbits of points and of pairs of points, as connected components; those known without a search.

Join $i$ to $g(i)$ for every generator $g$: the components are the orbits. On pairs,
$(i, j) \sim (g(i), g(j))$, they are the orbitals, and

$$\dim \operatorname{Hom}_G(\mathbb R^X, \mathbb R^Y) = |(Y \times X) / G|.$$

The orbitals of the named groups are known in closed form, and those of a product follow from those
of its factors:

| group | $(i, j)$ and $(i', j')$ are in one orbital if and only if |
|---|---|
| $S_n$; $A_n$, $n \ge 4$ | $i = j$ and $i' = j'$, or neither |
| $C_n$ | $j - i \equiv j' - i' \pmod n$ |
| $D_n$ | $j - i \equiv \pm (j' - i') \pmod n$ |
| $\{e\}$ | they are equal |
| $G \times H$, grid | both of their coordinates are, in one of $G$ and in one of $H$ |
| $G \times H$, union | they are in one of $G$ or of $H$; or $i, i'$ in one orbit, and $j, j'$ |
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

_FEW_EDGES = 1 << 9


def point_orbits(images: Int[Tensor, "generators n"]) -> Int[Tensor, " n"]:
    """Return the number of each point's orbit; orbits are numbered as they first appear.

    Args:
        images: the generators, one index tensor per row.

    Example:
        >>> point_orbits(torch.tensor([[1, 0, 2, 4, 3]])).tolist()
        [0, 0, 1, 2, 2]
    """
    return torch.from_numpy(_components(images.numpy()))


def pair_orbits(
    rows: Int[Tensor, "generators m"], columns: Int[Tensor, "generators n"]
) -> Int[Tensor, "m n"]:
    """Return the number of the orbit of each pair of points of two actions of one group.

    Args:
        rows: how the generators act on the first points, one index tensor per row.
        columns: how the same generators act on the second points.

    Example:
        >>> shift = torch.tensor([[1, 2, 0]])
        >>> pair_orbits(shift, shift).tolist()
        [[0, 1, 2], [2, 0, 1], [1, 2, 0]]
    """
    m, n = rows.shape[1], columns.shape[1]
    images = (rows.numpy()[:, :, None] * n + columns.numpy()[:, None, :]).reshape(len(rows), m * n)
    return torch.from_numpy(_components(images)).view(m, n)


def first_points(orbits: Int[Tensor, " n"]) -> Int[Tensor, " k"]:
    """Return the first point of each orbit, whose rows of pairs hold every orbital.

    Example:
        >>> first_points(torch.tensor([0, 0, 1, 2, 2])).tolist()
        [0, 2, 3]
    """
    return torch.from_numpy(np.unique(orbits.numpy(), return_index=True)[1])


def equal_or_not(n: int, every: bool = True) -> Int[Tensor, "rows n"]:
    """Return the orbitals of a doubly transitive group: pairs of equal points, and all others.

    Args:
        n: how many points there are.
        every: whether of all pairs, or of those of the first point alone.
    """
    numbers = np.ones(n * n if every else n, dtype=np.int64)
    numbers[:: n + 1] = 0
    return torch.from_numpy(numbers.reshape(-1, n))


def apart_or_not(orbits: Int[Tensor, " n"]) -> Int[Tensor, "k n"]:
    """Return the orbitals of the first point of each orbit, if $G$ is $S_m$ or $A_m$ on each apart.

    Example:
        >>> apart_or_not(torch.tensor([0, 0, 1, 0, 1])).tolist()
        [[0, 1, 2, 1, 2], [3, 3, 4, 3, 5]]
    """
    first, numbers = first_points(orbits).numpy(), orbits.numpy()
    labels = numbers[first][:, None] * len(first) + numbers
    labels[np.arange(len(first)), first] += len(first) ** 2
    return torch.from_numpy(_as_they_appear(labels))


def circulant(first_row: np.ndarray) -> Int[Tensor, "n n"]:
    r"""Return the matrix with $a_{ij} = r_{(j - i) \bmod n}$.

    Example:
        >>> circulant(np.arange(3)).tolist()
        [[0, 1, 2], [2, 0, 1], [1, 2, 0]]
    """
    n = len(first_row)
    # Row n − 1 − i reads n entries of (r, r) from place 1 + i on.
    twice = torch.from_numpy(np.concatenate((first_row, first_row)))
    return twice.as_strided((n, n), (1, 1), 1).flip(0)


def grid_orbitals(factors: Sequence[Int[Tensor, "rows n"]]) -> Int[Tensor, "rows m"]:
    r"""Return the orbitals of a direct product on the grid: one of each factor.

    Args:
        factors: the orbitals of each factor, of all points or of the first of each orbit.

    Example:
        >>> grid_orbitals([equal_or_not(2), equal_or_not(2)]).tolist()
        [[0, 1, 2, 3], [1, 0, 3, 2], [2, 3, 0, 1], [3, 2, 1, 0]]
    """
    numbers, *others = (factor.numpy() for factor in factors)
    count = int(numbers.max()) + 1
    for factor in others:
        size = int(factor.max()) + 1
        count *= size
        n, m = numbers.shape[1], factor.shape[1]
        # Entry (i, i') meets (j, j') in row (i, j), column (i', j'): long rows add up fastest.
        wide = (numbers * size).repeat(m, axis=1)
        numbers = (wide[:, None] + np.concatenate([factor] * n, axis=1)).reshape(-1, n * m)
    # The first row is in order; if all factors are transitive, it holds every orbital.
    if int(numbers[0].max()) + 1 < count:
        numbers = _as_they_appear(numbers)
    return torch.from_numpy(numbers)


def union_orbitals(
    factors: Sequence[Int[Tensor, "rows n"]], orbits: Sequence[Int[Tensor, " n"]]
) -> Int[Tensor, "rows m"]:
    """Return the orbitals of a direct product on the union of the factors' points.

    Args:
        factors: the orbitals of each factor, of all points or of the first of each orbit.
        orbits: the orbits of the points of each factor.

    Example:
        >>> one = torch.tensor([0, 0])
        >>> union_orbitals([equal_or_not(2), equal_or_not(2)], [one, one]).tolist()
        [[0, 1, 2, 2], [1, 0, 2, 2], [3, 3, 4, 5], [3, 3, 5, 4]]
    """
    before = np.cumsum([0, *(int(orbit.max()) + 1 for orbit in orbits)]).tolist()
    # Factors are independent: a point of one meets a point of another by their orbits alone.
    of_point = np.concatenate([orbit.numpy() + b for orbit, b in zip(orbits, before, strict=False)])
    every = [len(factor) == len(orbit) for factor, orbit in zip(factors, orbits, strict=True)]
    of_row = of_point if all(every) else np.arange(before[-1])
    numbers = of_row[:, None] * before[-1] + of_point
    used = before[-1] ** 2
    row = column = 0
    for factor in factors:
        rows, columns = factor.shape
        numbers[row : row + rows, column : column + columns] = factor.numpy() + used
        row, column, used = row + rows, column + columns, used + int(factor.max()) + 1
    return torch.from_numpy(_as_they_appear(numbers))


def _as_they_appear(labels: np.ndarray) -> np.ndarray:
    return _numbered(labels.ravel(), int(labels.max()) + 1).reshape(labels.shape)


def _numbered(labels: np.ndarray, count: int) -> np.ndarray:
    # The last write wins, so written backward each label keeps the place where it first appears;
    # a label that is not used comes after all.
    size = len(labels)
    first = np.full(count, size)
    first[labels[::-1]] = np.arange(size - 1, -1, -1)
    renumbered = np.empty(count, dtype=np.int64)
    renumbered[first.argsort()] = np.arange(count)
    numbers: np.ndarray = renumbered[labels]
    return numbers


def _components(images: np.ndarray) -> np.ndarray:
    generators, size = images.shape
    # A row of the graph holds one edge a generator, so the CSR arrays need no sorting.
    targets = np.ascontiguousarray(images.T, dtype=np.int32).ravel()
    starts = np.arange(0, generators * size + 1, generators, dtype=np.int32)
    return components(targets, starts)


def components(targets: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return the number of each node's component, as they first appear, of a graph in CSR form.

    Example:
        >>> components(np.array([2]), np.array([0, 1, 1, 1])).tolist()
        [0, 1, 0]
    """
    if len(targets) <= _FEW_EDGES:
        return _few_components(targets.tolist(), starts.tolist())
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    size = len(starts) - 1
    graph = csr_array((np.ones(len(targets), dtype=np.int8), targets, starts), shape=(size, size))
    count, labels = connected_components(graph, directed=True, connection="weak")
    return _numbered(labels, count)


def _few_components(targets: list[int], starts: list[int]) -> np.ndarray:
    # The root of a point is never above it, nor is that of a tree that joins another (Rem).
    roots = list(range(len(starts) - 1))
    for node in range(len(roots)):
        for other in targets[starts[node] : starts[node + 1]]:
            high, low = node, other
            while roots[high] != roots[low]:
                if roots[high] < roots[low]:
                    high, low = low, high
                roots[high], high = roots[low], roots[high]
    numbers: list[int] = []
    fresh = itertools.count()
    for node, root in enumerate(roots):
        numbers.append(numbers[root] if root < node else next(fresh))
    return np.array(numbers, dtype=np.int64)
