r"""The least rotation of a sequence: a canonical form for the cyclic group.

Of the $n$ rotations of a sequence of rows the one that comes first in the dictionary is chosen.
Compared row by row this would take $n^2$ steps; ranks of windows that double in length take
$\lceil \log_2 n \rceil$ sorts, and ties or periods do not slow them down.
"""

from __future__ import annotations

import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from invariant_nets.permutation import permute_rows
from invariant_nets.sorting import Ordering, row_ranks


def least_rotation(x: Shaped[Tensor, "batch n d"]) -> Shaped[Tensor, "batch n d"]:
    r"""Rotate the rows of every sequence so that it is the least of its rotations.

    Rows are compared by their first feature, ties by the second, and so on; sequences by their
    first rows, ties by the second ones. Invariant to $C_n$, exactly, also for periodic sequences,
    which have several least rotations that look the same. It is not continuous.

    Args:
        x: the sequences. NaN counts as larger than every number.

    Shape:
        $(\mathrm{batch}, n, d)$ to the same shape.

    Raises:
        ValueError: if `x` has another rank, or $n$ or $d$ is 0.

    Example:
        >>> least_rotation(torch.tensor([[[2.0], [1.0], [3.0], [1.0], [1.0]]])).flatten().tolist()
        [1.0, 1.0, 2.0, 1.0, 3.0]

    References:
        Karp, Miller & Rosenberg (1972), *Rapid Identification of Repeated Patterns in Strings,
        Trees and Arrays*: windows that double.

    Derived in chapter 7.
    """
    return permute_rows(x, least_rotation_ordering(x).order)


def least_rotation_ordering(x: Shaped[Tensor, "batch n d"]) -> Ordering:
    r"""Return the order of the rows, and which places are a period apart.

    Example:
        >>> order, classes = least_rotation_ordering(torch.tensor([[[2.0], [1.0], [2.0], [1.0]]]))
        >>> order.tolist(), classes.tolist()
        ([[1, 2, 3, 0]], [[0, 1, 0, 1]])
    """
    ranks = rotation_ranks(x)
    n = ranks.shape[1]
    places = torch.arange(n, device=x.device)
    least = ranks == 0
    # A sequence of period p has n/p least rotations, p apart.
    period = n // least.sum(1, keepdim=True)
    return Ordering((least.int().argmax(1)[:, None] + places) % n, places % period)


def rotation_ranks(x: Shaped[Tensor, "batch n d"]) -> Int[Tensor, "batch n"]:
    r"""Return the rank, from 0, of the rotation that starts at each row, equal ones sharing it.

    If $r_i$ ranks the windows of $w$ rows from row $i$ on, then the pairs $(r_i, r_{i+w})$ rank
    those of $2w$ rows.

    Example:
        >>> rotation_ranks(torch.tensor([[[2.0], [1.0], [3.0], [1.0], [1.0]]])).tolist()
        [[3, 2, 4, 0, 1]]
    """
    ranks, window, n = row_ranks(x), 1, x.shape[1]
    while window < n and bool((ranks.amax(1) < n - 1).any()):
        ranks = row_ranks(torch.stack((ranks, ranks.roll(-window, 1)), -1))
        window *= 2
    return ranks
