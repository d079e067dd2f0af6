r"""Sums of products of fixed integers, modulo $2^{64}$, by which orders are told apart quickly.

That two hashes differ proves that what they are of differs; that they agree proves nothing, and
whoever relies on it compares the entries. The integers are written out by a formula, since the
canonical form depends on them.
"""

from __future__ import annotations

import numpy as np

_ROUNDS = 3
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def mixed(numbers: np.ndarray, kind: int) -> np.ndarray:
    """Return a fixed 64-bit integer for each integer; `kind` chooses one of many such functions.

    Example:
        >>> mixed(np.arange(2), 0).tolist()
        [-2152535657050944081, 7960286522194355700]
    """
    with np.errstate(over="ignore"):
        z = (numbers.astype(np.uint64) + np.uint64(1 + (kind << 32))) * _GOLDEN
        z = (z ^ (z >> np.uint64(30))) * _FIRST
        z = (z ^ (z >> np.uint64(27))) * _SECOND
    z = z ^ (z >> np.uint64(31))
    return z.view(np.int64)


def small(numbers: np.ndarray, kind: int) -> np.ndarray:
    """Return fixed integers below $2^{16}$ as floats: sums of $2^{20}$ products are exact."""
    return (mixed(numbers, kind) & 0xFFFF).astype(np.float64)


class Hashes:
    r"""Hashes of sets whose entries are ranks below some bound.

    $$\sum_i a_{\ell(i)}\, b_{y(i)} \bmod 2^{64}$$

    depends only on which ranks, how often each, stand on the points of each label $\ell$.
    """

    def __init__(self, points: int, ranks: int) -> None:
        self._of_label = mixed(np.arange(points), 0)
        self._of_rank = mixed(np.arange(ranks), 1)

    def __call__(self, y: np.ndarray, labels: np.ndarray) -> np.ndarray:
        """Return the hash of each row of ranks."""
        hashes: np.ndarray = (self._of_rank[y] * self._of_label[labels]).sum(1)
        return hashes

    def related(self, y: np.ndarray, labels: np.ndarray, relation: np.ndarray) -> np.ndarray:
        r"""Return the hash of each row, which also sees how its points are related.

        $$c_i \leftarrow \operatorname{mix}\bigl(c_i, \textstyle\sum_k a_{ik}\, b_{c_k}\bigr)$$

        is the color refinement of Weisfeiler & Leman (1968) on the points, with the orbits of pairs
        as relations $a$; it begins with the label and the rank of each point.
        """
        colors = self._of_rank[y] + mixed(labels, 3)
        for kind in range(_ROUNDS):
            sums = small(colors, 4 + kind) @ relation.T
            colors = mixed(colors + mixed(sums.astype(np.int64), 5), 6)
        hashes: np.ndarray = mixed(colors, 7).sum(1)
        return hashes
