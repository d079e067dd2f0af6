r"""Matrices whose rows and columns both tie, under $S_n \times S_d$: the least of all their orders.

The rows are sorted by keys that do not depend on the order of the columns, and vice versa. If both
keys tie, every order of the tied columns is tried with the rows sorted in it, or every order of the
tied rows if there are fewer. How many there are depends on the orbit alone, and so does the least.
"""

from __future__ import annotations

import itertools
import math
from functools import lru_cache

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from invariant_nets._rows import permute_rows
from invariant_nets.canonicalization.row_order import row_order
from invariant_nets.groups.orbits import point_orbits

MOST_ENTRIES = 1 << 22  # of a matrix in all orders of its tied columns, or rows


def least_orders(
    ranks: Int[Tensor, "batch n d"],
    rows: Int[Tensor, "batch n"],
    columns: Int[Tensor, "batch d"],
    classed: bool,
) -> tuple[Int[Tensor, "batch n"], Int[Tensor, "batch d"], Int[Tensor, "batch nd"], Tensor]:
    """Return orders of rows and of columns, classes of entries, and whether they were searched for.

    Args:
        ranks: the matrices, rows and columns in order of their keys; rows of padding last.
        rows: a number for each row, which does not decrease; tied rows share it, and no others.
        columns: the same for the columns.
        classed: whether to find the classes; otherwise each entry has its own.
    """
    batch, n, d = ranks.shape
    device = ranks.device
    row_orders, column_orders, classes = (
        torch.arange(places, device=device).repeat(batch, 1) for places in (n, d, n * d)
    )
    searched = torch.zeros(batch, dtype=torch.bool, device=device)
    both = torch.cat((rows, columns), 1)
    patterns, which = both.unique(dim=0, return_inverse=True)  # type: ignore[no-untyped-call]
    for number, pattern in enumerate(patterns):
        sides = [pattern[:n].bincount().tolist(), pattern[n:].bincount().tolist()]
        by_rows, by_columns = (math.prod(map(math.factorial, sizes)) for sizes in sides)
        flat = min(by_rows, by_columns) * n * d
        if flat > MOST_ENTRIES:
            continue
        same = (which == number).nonzero().flatten()
        searched[same] = True
        for some in same.split(max(1, MOST_ENTRIES // flat)):
            if by_columns <= by_rows:
                least = _least(ranks[some], rows[some], sides[1], classed)
                row_orders[some], column_orders[some], found = least
            else:
                least = _least(ranks[some].mT, columns[some], sides[0], classed)
                column_orders[some], row_orders[some], found = least
                found = found.view(-1, d, n).mT.flatten(1)
            if classed:
                classes[some] = found
    return row_orders, column_orders, classes, searched


def _least(
    ranks: Int[Tensor, "batch n d"],
    rows: Int[Tensor, "batch n"],
    sizes: list[int],
    classed: bool,
) -> tuple[Int[Tensor, "batch n"], Int[Tensor, "batch d"], Int[Tensor, "batch nd"]]:
    every = _arrangements(tuple(sizes)).to(ranks.device)
    batch, n, d = ranks.shape
    k = len(every)
    moved = ranks[:, :, every].transpose(1, 2)
    numbered = torch.cat((rows[:, None, :, None].expand(-1, k, -1, -1), moved), -1).flatten(0, 1)
    orders = row_order(numbered)
    matrices = permute_rows(numbered, orders).view(batch, k, n, d + 1)
    least = _first(matrices[..., 1:].flatten(2))
    each, chosen = torch.arange(batch, device=ranks.device), least.long().argmax(1)
    orders = orders.view(batch, k, n)
    classes = torch.empty(batch, 0, dtype=torch.long, device=ranks.device)
    if classed:
        entries = orders[..., None] * d + every[:, None]
        ways = [entries[b, equal].flatten(1) for b, equal in enumerate(least)]
        classes = torch.stack([*map(_classes, ways, matrices[each, chosen])])
    return orders[each, chosen], every[chosen], classes


@lru_cache(maxsize=16)
def _arrangements(sizes: tuple[int, ...]) -> Int[Tensor, "orders d"]:
    """Return all orders of places that leave each in its run, for runs of these lengths."""
    places = iter(range(sum(sizes)))
    runs = [itertools.permutations(tuple(itertools.islice(places, size))) for size in sizes]
    return torch.tensor([[*itertools.chain(*order)] for order in itertools.product(*runs)])


def _first(flat: Int[Tensor, "batch k entries"]) -> Bool[Tensor, "batch k"]:
    """Return which of k sequences are the lexicographically least."""
    least = torch.ones(flat.shape[:2], dtype=torch.bool, device=flat.device)
    for entries in flat.movedim(2, 0).contiguous():
        if int(least.sum()) == len(least):
            break
        entries = entries.masked_fill(~least, flat.shape[2])
        least &= entries == entries.amin(1, keepdim=True)
    return least


def _classes(ways: Int[Tensor, "ways nd"], matrix: Int[Tensor, "n d1"]) -> Int[Tensor, " nd"]:
    """Return the orbits of places: all ways to the matrix differ by what leaves it as it is."""
    n, d = len(matrix), matrix.shape[1] - 1
    back = ways[0].argsort()
    # Equal rows, which also share their number, exchange places in a cycle.
    starts = torch.cat((torch.tensor([True]), (matrix[1:] != matrix[:-1]).any(1).cpu()))
    heads = starts.nonzero().flatten()
    after = torch.arange(1, n + 1)
    after[torch.cat((heads[1:], torch.tensor([n]))) - 1] = heads
    cycle = (after[:, None] * d + torch.arange(d)).flatten()
    images = torch.cat((back[ways].cpu(), cycle[None]))
    return point_orbits(images).to(matrix.device)
