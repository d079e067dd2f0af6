r"""Sorting the rows and the columns of a matrix: one element of each orbit of $S_n \times S_d$."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor

from invariant_nets._rows import is_in_onnx_export, is_traced, permute_rows
from invariant_nets._sets import zero_padding
from invariant_nets.canonicalization.rows_and_columns.ties import least_orders
from invariant_nets.canonicalization.sorting import (
    Ordering,
    check_sets,
    lexicographic_order,
    row_ranks,
    runs,
)


def row_column_sort(
    x: Shaped[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None = None
) -> Shaped[Tensor, "batch n d"]:
    r"""Sort the rows of a matrix by their sorted entries, and the columns by theirs.

    The sorted entries of a row do not depend on the order of the columns, and vice versa, so the
    two sorts are independent. If rows hold the same entries, the sorted columns distinguish them;
    then the sorted rows do so for the columns. If both tie, that is, two different rows hold the
    same entries and so do two different columns, every order of the tied columns is tried, or every
    order of the tied rows if there are fewer, and the least matrix is taken.

    Exactly invariant to $S_n \times S_d$ if all these orders together have at most $2^{22}$
    entries, as for every matrix with up to 5 columns and 6,000 rows, or 7 columns and 100 rows.
    **Beyond**, and in an export to ONNX, the result may depend on the original order where both
    tie. To find a canonical form of every 0-1 matrix is at least as hard as to decide whether two
    graphs are isomorphic; `canonical_form` with $S_n \times S_d$ on a grid does it. It is not
    continuous.

    Args:
        x: the matrices. NaN counts as larger than every number.
        mask: true where a row is; by default everywhere.

    Shape:
        $(\mathrm{batch}, n, d)$ to the same shape.

    Raises:
        TypeError: if `x` is complex, or of another type whose order torch does not know.
        ValueError: if `x` has another rank, or $n$ or $d$ is 0.

    Example:
        >>> x = torch.tensor([[[3.0, 1.0, 5.0], [2.0, 6.0, 4.0]]])
        >>> row_column_sort(x).tolist()
        [[[1.0, 3.0, 5.0], [6.0, 2.0, 4.0]]]
        >>> torch.equal(row_column_sort(x.flip(1).roll(1, dims=2)), row_column_sort(x))
        True

    Chapter 7 derives canonical forms.
    """
    rows, columns, _ = _row_column_orders(x, mask, False)
    return _arranged(zero_padding(x, mask), rows, columns)


def row_column_ordering(
    x: Shaped[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None = None
) -> Ordering:
    """Return the order of the entries, and which are exchanged by what leaves the matrix as it is.

    Beyond the limit of `row_column_sort` it may be only those in equal rows and equal columns.
    """
    rows, columns, classes = _row_column_orders(x, mask, True)
    return Ordering((rows[:, :, None] * x.shape[2] + columns[:, None]).flatten(1), classes)


def _row_column_orders(
    x: Shaped[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None, classed: bool
) -> tuple[Int[Tensor, "batch n"], Int[Tensor, "batch d"], Int[Tensor, "batch nd"]]:
    check_sets(x, mask)
    # Padding adds the same zeros to the keys of all columns, which leaves their order as it is.
    x = zero_padding(x.detach(), mask)
    if is_in_onnx_export():
        rows, columns, classes, *_ = _by_keys(x, mask, classed)
        return rows, columns, classes
    # What is traced cannot branch on ties.
    orders = _untraced_orders if is_traced() or x.is_meta else _exact_orders
    return orders(x, mask, classed)


def _by_keys(x: Tensor, mask: Tensor | None, classed: bool) -> tuple[Tensor, ...]:
    row_keys, column_keys = x.sort(-1).values, x.mT.sort(-1).values
    by_columns = permute_rows(x.mT, lexicographic_order(column_keys)).mT
    rows = lexicographic_order(torch.cat((row_keys, by_columns), -1), mask)
    columns = lexicographic_order(torch.cat((column_keys, permute_rows(x, rows).mT), -1))
    classes = rows.new_empty(len(rows), 0)
    if classed:
        z = _arranged(x, rows, columns)
        classes = (runs(z, mask)[:, :, None] * x.shape[2] + runs(z.mT)[:, None]).flatten(1)
    return rows, columns, classes, row_keys, column_keys


def _exact_orders(x: Tensor, mask: Tensor | None, classed: bool) -> tuple[Tensor, Tensor, Tensor]:
    rows, columns, classes, row_keys, column_keys = _by_keys(x, mask, classed)
    # Sorted keys that do not grow may tie; NaN never compares greater, so it counts as a tie.
    least = column_keys[..., 0].gather(1, columns)
    (some,) = (~(least[:, 1:] > least[:, :-1]).all(1)).nonzero(as_tuple=True)
    if not len(some):
        return rows, columns, classes
    present = None if mask is None else mask[some]
    z = _arranged(x[some], rows[some], columns[some])
    row_ties = runs(permute_rows(row_keys[some], rows[some]), present)
    column_ties = runs(permute_rows(column_keys[some], columns[some]))
    both = (row_ties != runs(z, present)).any(1) & (column_ties != runs(z.mT)).any(1)
    if both.any():
        some, z = some[both], z[both]
        ranks = row_ranks(z.flatten(1)[..., None]).view_as(z)
        *found, searched = least_orders(ranks, row_ties[both], column_ties[both], classed)
        some = some[searched]
        rows[some] = rows[some].gather(1, found[0][searched])
        columns[some] = columns[some].gather(1, found[1][searched])
        if classed:
            classes[some] = found[2][searched]
    return rows, columns, classes


@torch.library.custom_op("invariant_nets::row_column_orders", mutates_args=())
def _untraced_orders(
    x: Tensor, mask: Tensor | None, classed: bool
) -> tuple[Tensor, Tensor, Tensor]:
    # One operation to a compiler and an exporter, which do not look inside.
    return _exact_orders(x, mask, classed)


@_untraced_orders.register_fake
def _like(x: Tensor, mask: Tensor | None, classed: bool) -> tuple[Tensor, Tensor, Tensor]:
    batch, n, d = x.shape
    sizes = n, d, n * d if classed else 0
    rows, columns, classes = (x.new_empty((batch, size), dtype=torch.long) for size in sizes)
    return rows, columns, classes


@_untraced_orders.register_vmap
def _stacked(
    info: Any, in_dims: Sequence[int | None], x: Tensor, mask: Tensor | None, classed: bool
) -> tuple[tuple[Tensor, ...], tuple[int, int, int]]:
    sets = _in_front(x, in_dims[0], info.batch_size)
    if mask is not None:
        mask = _in_front(mask, in_dims[1], info.batch_size).flatten(0, 1)
    every = _untraced_orders(sets.flatten(0, 1), mask, classed)
    return tuple(t.reshape(*sets.shape[:2], t.shape[1]) for t in every), (0, 0, 0)


def _in_front(x: Tensor, dim: int | None, size: int) -> Tensor:
    return x.expand(size, *x.shape) if dim is None else x.movedim(dim, 0)


def _arranged(
    x: Shaped[Tensor, "batch n d"], rows: Int[Tensor, "batch n"], columns: Int[Tensor, "batch d"]
) -> Shaped[Tensor, "batch n d"]:
    return permute_rows(permute_rows(x, rows).mT, columns).mT
