r"""Sorting a set: one element of each orbit, for two groups.

| sort | group | continuous? |
|---|---|---|
| `lexicographic_sort` | $S_n$, whole rows | no, for $d > 1$ |
| `columnwise_sort` | $(S_n)^d$, each column by itself | yes |

Each has a companion function, which returns where every row or entry went. With a mask the members
come first, in the order in which they would be sorted alone, and the padding after them, as zeros.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor

from invariant_nets._arguments import set_batch, set_mask
from invariant_nets._rows import front, permute_rows
from invariant_nets._sets import Mask, members_of, zero_padding, zero_padding_
from invariant_nets.canonicalization.row_order import row_order

_ORDERED = {torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64}
_ORDERED |= {torch.float16, torch.bfloat16, torch.float32, torch.float64}


def check_sets(x: Tensor, mask: Mask) -> None:
    """Raise unless `x` is a batch of sets of a type that has an order."""
    set_batch(x)
    if x.dtype not in _ORDERED:
        raise TypeError(f"x must be of bool, float16 to float64 or uint8 to int64, got {x.dtype}")
    set_mask(mask, x)


class Ordering(NamedTuple):
    r"""How a canonicalization moves points, $c(x)_p = x_{\mathrm{order}(p)}$.

    The points are the rows of $x$, or its entries, numbered row by row.

    Attributes:
        order: the point that goes to each place.
        classes: a number for each place; places that share it are moved to each other by
            permutations that leave $c(x)$ as it is, such as those of equal rows.
    """

    order: Int[Tensor, "batch points"]
    classes: Int[Tensor, "batch points"]


def lexicographic_sort(
    x: Shaped[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None = None
) -> Shaped[Tensor, "batch n d"]:
    r"""Sort the rows of every set by their first feature, ties by the second, and so on.

    Exactly invariant to $S_n$: if equal rows change places, the result is the same. It is not
    continuous for $d > 1$: if two rows tie in the first feature, a small change makes them swap.

    Args:
        x: the sets, of a real type. NaN counts as larger than every number.
        mask: true where a member is; by default everywhere.

    Shape:
        $(\mathrm{batch}, n, d)$ to the same shape.

    Raises:
        TypeError: if `x` is complex, or of another type whose order torch does not know.
        ValueError: if `x` has another rank, or $n$ or $d$ is 0.

    Example:
        >>> lexicographic_sort(torch.tensor([[[2.0, 1.0], [1.0, 5.0], [1.0, 4.0]]])).tolist()
        [[[1.0, 4.0], [1.0, 5.0], [2.0, 1.0]]]

    Derived in chapter 7.
    """
    order = lexicographic_order(x, mask)  # it checks its arguments
    return permute_rows(zero_padding(x, mask), order)


def lexicographic_order(
    x: Shaped[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None = None
) -> Int[Tensor, "batch n"]:
    """Return the rows of every set in the order in which `lexicographic_sort` puts them.

    Example:
        >>> lexicographic_order(torch.tensor([[[2.0, 1.0], [1.0, 5.0], [1.0, 4.0]]])).tolist()
        [[2, 1, 0]]
    """
    check_sets(x, mask)
    members = members_of(mask)
    return row_order(x, None if members is None else members.mask)


def lexicographic_ordering(
    x: Shaped[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None = None
) -> Ordering:
    """Return the order of the rows, and which of the sorted rows are equal."""
    order = lexicographic_order(x, mask)
    return Ordering(order, runs(permute_rows(x, order), mask))


def row_ranks(
    x: Shaped[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None = None
) -> Int[Tensor, "batch n"]:
    """Return the rank of every row among the different rows of its set, from 0.

    Example:
        >>> row_ranks(torch.tensor([[[2.0], [1.0], [2.0], [5.0]]])).tolist()
        [[1, 0, 1, 2]]
    """
    order, classes = lexicographic_ordering(x, mask)
    return torch.zeros_like(order).scatter(1, order, classes)


def columnwise_sort(
    x: Shaped[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None = None
) -> Shaped[Tensor, "batch n d"]:
    r"""Sort every column of every set by itself.

    Invariant to $(S_n)^d$, a permutation for each column. This group is larger than $S_n$: the
    result does not show which entries were in one row. It is continuous.

    Args:
        x: the sets.
        mask: true where a member is; by default everywhere.

    Shape:
        $(\mathrm{batch}, n, d)$ to the same shape.

    Raises:
        TypeError: if `x` is complex, or of another type whose order torch does not know.
        ValueError: if `x` has another rank, or $n$ or $d$ is 0.

    Example:
        >>> columnwise_sort(torch.tensor([[[2.0, 1.0], [1.0, 5.0], [1.0, 4.0]]])).tolist()
        [[[1.0, 1.0], [1.0, 4.0], [2.0, 5.0]]]

    Derived in chapter 7.
    """
    check_sets(x, mask)
    members = members_of(mask)
    if members is None:
        return x.sort(-2).values
    # What no member comes after, so that padding takes the last places.
    last = math.nan if x.is_floating_point() else _largest(x.dtype)
    values = x.masked_fill(members.absent(3), last).sort(-2).values
    return zero_padding_(values, members.front())


def _largest(dtype: torch.dtype) -> int:
    return 1 if dtype == torch.bool else torch.iinfo(dtype).max


def columnwise_ordering(
    x: Shaped[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None = None
) -> Ordering:
    """Return the order of the entries, and which entries of a sorted column are equal."""
    check_sets(x, mask)
    batch, n, d = x.shape
    columns = x.mT.reshape(batch * d, n, 1)
    each = None if mask is None else mask.repeat_interleave(d, 0)
    order, classes = (t.reshape(batch, d, n).mT for t in lexicographic_ordering(columns, each))
    column = torch.arange(d, device=x.device)
    return Ordering((order * d + column).flatten(1), (classes * d + column).flatten(1))


# The two that need no more of a mask than what is made of it anyway.
for sort in (lexicographic_sort, columnwise_sort):
    sort.takes_members = True  # type: ignore[attr-defined]


def runs(
    rows: Shaped[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None = None
) -> Int[Tensor, "batch n"]:
    """Return the number of different rows before each: equal neighbors share it, padding none."""
    before, after = rows[:, :-1], rows[:, 1:]
    differs = ((before != after) & ~(before.isnan() & after.isnan())).any(-1)
    numbers = torch.nn.functional.pad(differs.cumsum(1), (1, 0))
    members = front(mask)
    places = torch.arange(rows.shape[1], device=rows.device)
    return numbers if members is None else torch.where(members, numbers, places)
