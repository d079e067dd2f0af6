"""The lexicographic order of rows: by the first feature, and by the others where some tie."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor

from invariant_nets._rows import is_traced, stable_sort
from invariant_nets._sets import zero_padding

FEW = 16  # where one row of so many ties, those that do are put in order by themselves


def row_order(
    x: Shaped[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None = None
) -> Int[Tensor, "batch n"]:
    """Return the order of the rows: NaN last, equal rows as they are, padding after the members."""
    x = zero_padding(x.detach(), mask)
    if is_traced() or x.is_meta:  # what has no numbers yet cannot branch on ties
        return _stable_order(_columns(x, mask))
    # Sorted keys that do not grow tie; NaN never compares greater, so it counts as a tie.
    if mask is None:
        keys, order = x[..., 0].sort(1)
        differs = keys[:, 1:] > keys[:, :-1]
    else:
        keys, order = x[..., 0].sort(dim=1, stable=True)
        members, first = mask.gather(1, order).sort(dim=1, descending=True, stable=True)
        keys, order = keys.gather(1, first), order.gather(1, first)
        differs = (keys[:, 1:] > keys[:, :-1]) | ~members[:, 1:]
    tied = ~differs.all(1)
    if not tied.any():
        return order
    n = x.shape[1]
    if n >= FEW and FEW * int((~differs).sum()) <= n * int(tied.sum()):
        return _ties_broken(x, order, ~differs)
    order[tied] = _stable_order(_columns(x[tied], None if mask is None else mask[tied]))
    return order


def _columns(x: Shaped[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None) -> list[Tensor]:
    return [*([] if mask is None else [~mask]), *x.unbind(-1)]


def _stable_order(columns: Sequence[Shaped[Tensor, "batch n"]]) -> Int[Tensor, "batch n"]:
    # A stable sort by each column, the most significant one last.
    *others, last = columns
    order = stable_sort(last)[1]
    for column in reversed(others):
        order = order.gather(1, stable_sort(column.gather(1, order))[1])
    return order


def _ties_broken(
    x: Shaped[Tensor, "batch n d"], order: Int[Tensor, "batch n"], ties: Bool[Tensor, "batch pairs"]
) -> Int[Tensor, "batch n"]:
    # The rows that tie with a neighbor, of all sets, are put in order as one set of their own, run
    # by run of ties.
    joined = torch.nn.functional.pad(ties, (1, 1))  # to the row before, and to the row after
    sets, places = (joined[:, 1:] | joined[:, :-1]).nonzero(as_tuple=True)
    rows = order[sets, places]
    runs = (~joined[sets, places]).cumsum(0)
    columns = [runs, *x[sets, rows].unbind(-1), rows]
    rows = rows[_stable_order([column[None] for column in columns])[0]]
    return order.index_put((sets, places), rows)
