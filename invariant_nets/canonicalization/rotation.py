r"""The least rotation of a sequence: a canonical form for the cyclic group.

The least rotation is the first, in lexicographic order, of the $n$ rotations of a sequence of rows.
To compare them row by row would take $n^2$ steps. Ranks of windows that double in length take
$\lceil \log_2 n \rceil$ sorts, also with ties or periods.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor

from invariant_nets._arguments import set_batch, set_mask
from invariant_nets._rows import front, is_traced, members_first, permute_rows
from invariant_nets._sets import zero_padding
from invariant_nets.canonicalization.sorting import Ordering, row_ranks


def least_rotation(
    x: Shaped[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None = None
) -> Shaped[Tensor, "batch n d"]:
    r"""Rotate the rows of every sequence so that it is the least of its rotations.

    Rows are compared by their first feature, ties by the second, and so on; sequences by their
    first rows, ties by the second ones. Exactly invariant to $C_n$, also for periodic sequences,
    which have several least rotations that look the same. It is not continuous. With a mask, only
    the members are rotated, and the padding follows them, as zeros.

    Args:
        x: the sequences. NaN counts as larger than every number.
        mask: true where a member is; by default everywhere.

    Shape:
        $(\mathrm{batch}, n, d)$ to the same shape.

    Raises:
        TypeError: if `x` is complex, or of another type whose order torch does not know.
        ValueError: if `x` has another rank, or $n$ or $d$ is 0.

    Example:
        >>> least_rotation(torch.tensor([[[2.0], [1.0], [3.0], [1.0], [1.0]]])).flatten().tolist()
        [1.0, 1.0, 2.0, 1.0, 3.0]

    References:
        Karp, Miller & Rosenberg (1972), *Rapid Identification of Repeated Patterns in Strings,
        Trees and Arrays*: windows that double.

    Chapter 7 derives canonical forms.
    """
    return permute_rows(zero_padding(x, mask), least_rotation_ordering(x, mask).order)


def least_rotation_ordering(
    x: Shaped[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None = None
) -> Ordering:
    r"""Return the order of the rows, and which places are a period apart.

    Example:
        >>> order, classes = least_rotation_ordering(torch.tensor([[[2.0], [1.0], [2.0], [1.0]]]))
        >>> order.tolist(), classes.tolist()
        ([[1, 2, 3, 0]], [[0, 1, 0, 1]])
    """
    set_batch(x)
    set_mask(mask, x)
    present = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device) if mask is None else mask
    first = members_first(present)
    members = present.gather(1, first)
    ranks = rotation_ranks(permute_rows(zero_padding(x, mask), first), front(mask))
    n = members.sum(1, keepdim=True).clamp(min=1)
    places = torch.arange(x.shape[1], device=x.device)
    least = (ranks == 0) & members
    # A sequence of period p has n/p least rotations, p apart.
    period = n // least.sum(1, keepdim=True).clamp(min=1)
    order = torch.where(members, (least.int().argmax(1)[:, None] + places) % n, places)
    return Ordering(first.gather(1, order), torch.where(members, places % period, places))


def rotation_ranks(
    x: Shaped[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None = None
) -> Int[Tensor, "batch n"]:
    r"""Return the rank, from 0, of the rotation that starts at each row, equal ones sharing it.

    If $r_i$ ranks the windows of $w$ rows from row $i$ on, then the pairs $(r_i, r_{i+w})$ rank
    those of $2w$ rows. With a mask, whose members must come first, padding ranks after them.

    Example:
        >>> rotation_ranks(torch.tensor([[[2.0], [1.0], [3.0], [1.0], [1.0]]])).tolist()
        [[3, 2, 4, 0, 1]]
    """
    ranks, window, rows = row_ranks(x, mask), 1, x.shape[1]
    places = torch.arange(rows, device=x.device).expand(x.shape[:2])
    n = places.new_full((1, 1), rows) if mask is None else mask.sum(1, keepdim=True).clamp(min=1)
    while window < rows and _undecided(ranks):
        after = torch.where(places < n, (places + window) % n, places)
        ranks = row_ranks(torch.stack((ranks, ranks.gather(1, after)), -1), mask)
        window *= 2
    return ranks


def _undecided(ranks: Int[Tensor, "batch n"]) -> bool:
    # Ranks that are all different stay as they are; without numbers there is no stopping early.
    if is_traced() or ranks.is_meta:
        return True
    return bool((ranks.sort(1).values.diff(dim=1) == 0).any())
