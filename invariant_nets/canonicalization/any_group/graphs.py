r"""The entries of an $n \times n$ matrix under $S_n$ on pairs, as a graph that BLISS puts in order.

Entry $(i, j)$ colors the pair, and $(i, i)$ the node. A graph of plain edges has one copy of the
nodes for each binary digit of the pairs' colors: copy $l$ has an edge from $i$ to $j$ if digit $l$
of their color is 1, and node $i$ is joined to its next copy. Copies have colors of their own, so
that an isomorphism keeps them apart and moves the nodes alike in all of them: it is one of the
matrices.

References:
    Junttila & Kaski (2007), *Engineering an efficient canonical labeling tool for large and sparse
    graphs*; McKay & Piperno (2014), *Practical graph isomorphism, II*.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from invariant_nets.groups.group import PermutationGroup
from invariant_nets.groups.known_chains import on_tuples


def nodes_of(group: PermutationGroup) -> int:
    """Return n if a group is $S_n$ on the pairs of n nodes, and 0 if it is another.

    Example:
        >>> from invariant_nets import cyclic_group, symmetric_group
        >>> nodes_of(symmetric_group(5).on_tuples(2)), nodes_of(cyclic_group(5).on_tuples(2))
        (5, 0)
    """
    n = math.isqrt(group.degree)
    if n * n != group.degree or group.order != math.factorial(n):
        return 0
    images = torch.stack([g.index_tensor.long().cpu() for g in group.generators])
    nodes = images[:, :: n + 1] // (n + 1)  # where (i, i) goes, if it goes to a node
    return n if torch.equal(on_tuples(nodes, 2), images) else 0


def has_igraph() -> bool:
    """Return whether igraph is installed, which has BLISS."""
    try:
        import igraph  # noqa: F401
    except ImportError:
        return False
    return True


def labelled(ranks: np.ndarray, n: int) -> np.ndarray:
    """Return, for each matrix of ranks, row by row, an order of its pairs that makes it canonical.

    Example:
        >>> path, same = np.array([[0, 1, 0, 1, 0, 1, 0, 1, 0], [0, 1, 1, 1, 0, 0, 1, 0, 0]])
        >>> a, b = labelled(np.stack((path, same)), 3)
        >>> path[a].tolist() == same[b].tolist()
        True
    """
    orders = []
    for matrix in ranks.reshape(-1, n, n):
        graph, colors = _graph(matrix)
        # What the numbers mean depends on the version, and where they take the nodes does not.
        graph.vs["node"] = range(len(colors))
        ordered = graph.permute_vertices(graph.canonical_permutation(color=colors))
        nodes = np.array(ordered.vs["node"])
        orders.append(nodes[nodes < n])
    return _of_pairs(orders)


def automorphisms(ranks: np.ndarray, n: int) -> np.ndarray:
    """Return how generators of a matrix's automorphisms move its pairs."""
    graph, colors = _graph(ranks.reshape(n, n))
    maps = [images[:n] for images in graph.automorphism_group(color=colors)]
    return _of_pairs(np.array(maps, dtype=np.int64).reshape(-1, n))


def _of_pairs(nodes: Any) -> np.ndarray:
    return np.asarray(on_tuples(torch.from_numpy(np.asarray(nodes)), 2))


def _graph(matrix: np.ndarray) -> tuple[Any, list[int]]:
    import igraph

    n = len(matrix)
    apart = ~np.eye(n, dtype=bool)
    _, values, counts = np.unique(matrix[apart], return_inverse=True, return_counts=True)
    # The commonest pairs are those without an edge.
    codes = np.zeros((n, n), dtype=np.int64)
    codes[apart] = np.argsort(np.argsort(-counts, kind="stable"))[values]
    copies = max(1, int(codes.max()).bit_length())
    digits = codes >> np.arange(copies)[:, None, None] & 1
    both_ways = bool((codes == codes.T).all())
    copy, i, j = (np.triu(digits) if both_ways else digits).nonzero()
    below = np.arange((copies - 1) * n)
    edges = np.concatenate((copy * n + (i, j), (below, below + n)), axis=1).T
    colors = np.append(matrix.diagonal(), np.arange(copies - 1).repeat(n) + matrix.max() + 1)
    return igraph.Graph(n * copies, edges.tolist(), directed=not both_ways), colors.tolist()
