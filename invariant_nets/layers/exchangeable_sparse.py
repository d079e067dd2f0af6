r"""The layer of $S_n \times S_d$ on the observed entries of a matrix alone.

A matrix of ratings may have an entry for one pair of a user and a film in a hundred. The layer's
means are over the observed entries, so it needs a list of entries, and no matrix.
"""

from __future__ import annotations

from typing import SupportsIndex

import torch
from jaxtyping import Float, Int
from torch import Tensor

from invariant_nets._arguments import dense, of_weights, positive_int
from invariant_nets._precision import widened
from invariant_nets._sets import at_least_single
from invariant_nets.layers.four_maps import FourMaps


class SparseExchangeableEquivariant(FourMaps):
    r"""The layer `ExchangeableEquivariant` of one matrix that is given by its observed entries.

    $$y_e = x_e A + \operatorname*{mean}_{e' :\, i_{e'} = i_e} x_{e'}\, B
    + \operatorname*{mean}_{e' :\, j_{e'} = j_e} x_{e'}\, C
    + \operatorname*{mean}_{e'} x_{e'}\, D + b,$$

    where entry $e$ is in row $i_e$ and column $j_e$. A mean over no entries is 0. Equivariant to
    $S_n \times S_d$, and to the order in which the entries are listed. It has the parameters of
    `ExchangeableEquivariant`, whose state it loads, and returns what that layer returns with a
    mask, but its cost grows with the number of entries, not with the size of the matrix.

    All terms but the first have a value at entries that were not observed, too: give these as
    `queries`. So a last layer predicts the missing ratings of a matrix from the observed ones.

    Args:
        in_channels: the number of input features of an entry, at least 1.
        out_channels: the number of output features, at least 1.
        bias: whether there is a $b$.
        device: where the parameters live.
        dtype: their floating-point type.

    Shape:
        `values` $(\mathrm{entries}, \mathrm{in})$ and `indices` $(2, \mathrm{entries})$, rows then
        columns as in `torch.sparse_coo_tensor`, to $(\mathrm{entries}, \mathrm{out})$; with
        `queries` $(2, q)$ to $(q, \mathrm{out})$. An index that appears twice is two entries, and
        counts twice.

    Raises:
        TypeError: if the values are no tensor of the weights' type, or the indices or queries no
            tensor of int32 or int64.
        ValueError: if a number of channels or a size is below 1, a tensor has another shape, or an
            index is not in the matrix. This last check waits for a GPU, and is left to the lookup
            itself under `torch.compile` and `torch.export`.

    Example:
        >>> layer = SparseExchangeableEquivariant(3, 8)
        >>> indices = torch.tensor([[0, 0, 2], [0, 4, 4]])  # three entries of a 3 × 5 matrix
        >>> values = torch.randn(3, 3)
        >>> layer(values, indices, (3, 5)).shape
        torch.Size([3, 8])
        >>> layer(values, indices, (3, 5), queries=torch.tensor([[1], [4]])).shape
        torch.Size([1, 8])

    References:
        Hartford et al. (2018), *Deep Models of Interactions Across Sets*.

    Derived in chapter 6.
    """

    def forward(
        self,
        values: Float[Tensor, "entries in"],
        indices: Int[Tensor, "2 entries"],
        size: tuple[SupportsIndex, SupportsIndex],
        queries: Int[Tensor, "2 q"] | None = None,
    ) -> Float[Tensor, "entries out"] | Float[Tensor, "q out"]:
        """Apply the layer to the entries, or give what it has at `queries` without $x A$."""
        n, d = _checked(values, indices, size, queries, self.stored_weight)
        weight, bias = self._coefficients()
        entry, row, column, grand = weight
        wide = values.to(at_least_single(values.dtype))
        total = (wide.sum(0) / max(1, len(values))).to(values.dtype) @ grand
        if bias is not None:
            total = total + bias
        row_terms = _means(wide, indices[0], n).to(values.dtype) @ row + total
        column_terms = _means(wide, indices[1], d).to(values.dtype) @ column
        rows, columns = indices if queries is None else queries
        # The gradient of a term is a sum over the entries of its row or column.
        row_terms, column_terms = widened(row_terms), widened(column_terms)
        shared = row_terms.index_select(0, rows) + column_terms.index_select(0, columns)
        shared = shared.to(total.dtype)
        return torch.addmm(shared, values, entry) if queries is None else shared


def _means(
    values: Float[Tensor, "entries in"], index: Int[Tensor, "entries"], groups: int
) -> Float[Tensor, "groups in"]:
    """Return the mean of the values of each group, 0 where it has none."""
    counts = index.new_zeros(groups).index_add(0, index, torch.ones_like(index))
    sums = values.new_zeros(groups, values.shape[1]).index_add(0, index, values)
    return sums / counts.clamp(min=1)[:, None]


def _checked(
    values: Tensor, indices: Tensor, size: object, queries: Tensor | None, weight: Tensor
) -> tuple[int, int]:
    if not isinstance(size, tuple | list) or len(size) != 2:
        raise ValueError(f"size must be (n, d), got {size!r}")
    n, d = positive_int("size[0]", size[0]), positive_int("size[1]", size[1])
    dense(values, "values")
    channels = weight.shape[1]
    if values.ndim != 2 or values.shape[1] != channels:
        raise ValueError(f"values must have shape (entries, {channels}), got {tuple(values.shape)}")
    of_weights(values, weight, "values")
    _check_indices("indices", indices, n, d)
    if indices.shape[1] != len(values):
        raise ValueError(
            f"indices must have shape (2, {len(values)}), one pair per value, "
            f"got {tuple(indices.shape)}"
        )
    if queries is not None:
        _check_indices("queries", queries, n, d)
    return n, d


def _check_indices(name: str, indices: Tensor, n: int, d: int) -> None:
    if not isinstance(indices, Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(indices).__name__}")
    if indices.dtype not in (torch.int32, torch.int64):
        raise TypeError(f"{name} must be of int64 or int32, got {indices.dtype}")
    if indices.ndim != 2 or indices.shape[0] != 2:
        raise ValueError(f"{name} must have shape (2, pairs), got {tuple(indices.shape)}")
    if torch.compiler.is_compiling() or indices.is_meta or indices.shape[1] == 0:
        return
    low, high = (bounds.tolist() for bounds in torch.aminmax(indices, dim=1))
    for axis, least, most, length in zip(("rows", "columns"), low, high, (n, d), strict=True):
        if least < 0 or most >= length:
            raise ValueError(
                f"{name} must name {axis} from 0 to {length - 1}, got one of "
                f"{least if least < 0 else most}"
            )
