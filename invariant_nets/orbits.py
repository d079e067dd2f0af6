r"""Orbits of points and of pairs of points, as connected components.

Join $i$ to $g(i)$ for every generator $g$: the components are the orbits. On pairs,
$(i, j) \sim (g(i), g(j))$, they are the orbitals, and

$$\dim \operatorname{Hom}_G(\mathbb R^X, \mathbb R^Y) = |(Y \times X) / G|.$$
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor


def point_orbits(images: Int[Tensor, "generators n"]) -> Int[Tensor, " n"]:
    """Return the number of each point's orbit; orbits are numbered as they first appear.

    Args:
        images: the generators, an index tensor a row.

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
        rows: how the generators act on the first points, an index tensor a row.
        columns: how the same generators act on the second points.

    Example:
        >>> shift = torch.tensor([[1, 2, 0]])
        >>> pair_orbits(shift, shift).tolist()
        [[0, 1, 2], [2, 0, 1], [1, 2, 0]]
    """
    m, n = rows.shape[1], columns.shape[1]
    images = (rows[:, :, None] * n + columns[:, None, :]).flatten(1)
    return torch.from_numpy(_components(images.numpy())).view(m, n)


def _components(images: np.ndarray) -> np.ndarray:
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    generators, size = images.shape
    # A row of the graph holds one edge a generator, so the CSR arrays need no sorting.
    targets = np.ascontiguousarray(images.T, dtype=np.int32).ravel()
    starts = np.arange(0, generators * size + 1, generators, dtype=np.int32)
    graph = csr_array((np.ones(len(targets), dtype=np.int8), targets, starts), shape=(size, size))
    count, labels = connected_components(graph, directed=True, connection="weak")
    # The last write wins, so written backward each label keeps the place where it first appears.
    first = np.empty(count, dtype=np.int64)
    first[labels[::-1]] = np.arange(size - 1, -1, -1)
    renumbered = np.empty(count, dtype=np.int64)
    renumbered[first.argsort()] = np.arange(count)
    numbers: np.ndarray = renumbered[labels]
    return numbers
