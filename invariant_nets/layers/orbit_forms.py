r"""Equal ways to evaluate $y_a = \sum_b x_b W_{\mathrm{id}(a, b)}$; the orbits say which exist."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from invariant_nets._precision import as_written, widened
from invariant_nets._sets import at_least_single

_MOST_BLOCKS = 16
_LEAST_FFT = 64
_MOST_SUMMED = 16


def fast_form(
    ids: Int[Tensor, "m n"],
    out_orbit: Int[Tensor, " m"],
    in_orbit: Int[Tensor, " n"],
    shape: tuple[int, ...],
) -> PooledForm | GridForm | CyclicForm | None:
    """Return the closed form that the orbits allow, or None. It maps `x` and the weights.

    Args:
        ids: the orbital of each pair.
        out_orbit: the orbit of each point that goes out.
        in_orbit: the orbit of each point that comes in.
        shape: the grid on which the group acts on what comes in.
    """
    if len(shape) == 2 and min(shape) > 1 and torch.equal(ids, _grid_ids(*shape)):
        return GridForm(*shape)
    orbitals, blocks = int(ids.max()) + 1, int(out_orbit.max() + 1) * int(in_orbit.max() + 1)
    if blocks <= _MOST_BLOCKS:
        # A pair of orbits holds one orbital at least; with itself, two: the diagonal is one.
        if orbitals == blocks:
            return PooledForm(ids, out_orbit, in_orbit, diagonal=False)
        several = int((in_orbit.bincount() > 1).sum())
        if torch.equal(out_orbit, in_orbit) and orbitals == blocks + several:
            return PooledForm(ids, out_orbit, in_orbit, diagonal=True)
    if len(ids) >= _LEAST_FFT and _is_circulant(ids):
        return CyclicForm(ids[0])
    return None


def dense_weight(
    ids: Int[Tensor, "m n"], weight: Float[Tensor, "orbitals in out"]
) -> Float[Tensor, "n_in m_out"]:
    """Write the weights out, one row for each number that comes in, one column for each out."""
    m, n = ids.shape
    _, channels, out = weight.shape
    # The gradient of a weight is a sum over its pairs.
    full = widened(weight).flatten(1).index_select(0, ids.t().flatten()).to(weight.dtype)
    return full.view(n, m, channels, out).transpose(1, 2).reshape(n * channels, m * out)


def dense(
    x: Float[Tensor, "batch n in"], full: Float[Tensor, "n_in m_out"], m: int
) -> Float[Tensor, "batch m out"]:
    """Multiply by the weights that `dense_weight` wrote out."""
    return (x.flatten(1) @ full).view(x.shape[0], m, full.shape[1] // m)


class PooledForm(nn.Module):
    r"""$y_a = x_a (W_{aa} - W_A) + \sum_B W_{AB} \sum_{b \in B} x_b$ for $a$ in the orbit $A$."""

    columns: Tensor
    order: Tensor

    def __init__(
        self,
        ids: Int[Tensor, "m n"],
        out_orbit: Int[Tensor, " m"],
        in_orbit: Int[Tensor, " n"],
        diagonal: bool,
    ) -> None:
        super().__init__()
        rows, columns = (
            [(orbits == orbit).nonzero().flatten() for orbit in range(int(orbits.max()) + 1)]
            for orbits in (out_orbit, in_orbit)
        )
        # The block's last column, beside the diagonal in its first row; alone if both are one.
        self.off = [[int(ids[a[0], b[-1]]) for b in columns] for a in rows]
        self.on = [int(ids[a[0], a[0]]) for a in rows] if diagonal else []
        self.out_sizes, self.in_sizes = list(map(len, rows)), list(map(len, columns))
        self.register_buffer("columns", torch.cat(columns), persistent=False)
        self.register_buffer("order", torch.cat(rows).argsort(), persistent=False)

    def forward(
        self, x: Float[Tensor, "batch n in"], weight: Float[Tensor, "orbitals in out"]
    ) -> Float[Tensor, "batch m out"]:
        """Apply the layer with these weights."""
        x = x.index_select(1, self.columns) if len(self.in_sizes) > 1 else x
        orbits = torch.split(x, self.in_sizes, 1)
        sums = torch.cat([widened(members).sum(1) for members in orbits], 1)
        parts = []
        for number, size in enumerate(self.out_sizes):
            with as_written(x):
                off = weight[self.off[number]].flatten(0, 1).to(sums.dtype)
                pooled = (sums @ off)[:, None].to(x.dtype)
            if self.on and size > 1:
                own = weight[self.on[number]] - weight[self.off[number][number]]
                parts.append(torch.baddbmm(pooled, orbits[number], own.expand(x.shape[0], -1, -1)))
            else:
                parts.append(pooled.expand(-1, size, -1))
        return parts[0] if len(parts) == 1 else torch.cat(parts, 1).index_select(1, self.order)


def _grid_ids(n: int, d: int) -> Int[Tensor, "nd nd"]:
    row, column = torch.arange(n * d) // d, torch.arange(n * d) % d
    other_row, other_column = (row != row[:, None]), (column != column[:, None])
    # In the order of their first appearance: same, same row, same column, neither.
    return 2 * other_row + 1 * other_column


class GridForm(nn.Module):
    r"""Entries, sums along rows, sums along columns, and the sum of all."""

    def __init__(self, n: int, d: int) -> None:
        super().__init__()
        self.shape = n, d

    def forward(
        self, x: Float[Tensor, "batch nd in"], weight: Float[Tensor, "4 in out"]
    ) -> Float[Tensor, "batch nd out"]:
        """Apply the layer with these weights."""
        wide = at_least_single(x.dtype)
        same, row, column, neither = weight.to(wide)
        grid = x.reshape(x.shape[0], *self.shape, x.shape[2])
        rows = grid.sum(2, keepdim=True, dtype=wide)
        columns = grid.sum(1, keepdim=True, dtype=wide)
        total = rows.sum(1, keepdim=True)
        with as_written(x):
            pooled = rows @ (row - neither) + (columns @ (column - neither) + total @ neither)
        own = (same - row - column + neither).to(weight.dtype)
        y: Tensor = grid @ own + pooled.to(x.dtype)
        return y.flatten(1, 2)


def _is_circulant(ids: Int[Tensor, "m n"]) -> bool:
    if ids.shape[0] != ids.shape[1]:
        return False
    points = torch.arange(len(ids))
    return torch.equal(ids, ids[0][(points - points[:, None]) % len(ids)])


class CyclicForm(nn.Module):
    r"""$y_a = \sum_k x_{a+k} W_k$, a product of spectra: $\hat y = \hat x\,\bar{\hat W}$."""

    first: Tensor

    def __init__(self, first: Int[Tensor, " n"]) -> None:
        super().__init__()
        self.register_buffer("first", first, persistent=False)

    def forward(
        self, x: Float[Tensor, "batch n in"], weight: Float[Tensor, "orbitals in out"]
    ) -> Float[Tensor, "batch n out"]:
        """Apply the layer with these weights."""
        if x.shape[0] == 0:
            return x @ weight[0]  # no library transforms nothing
        # There is no transform in half precision.
        kernel = widened(weight).index_select(0, self.first).movedim(0, 2)
        kind = at_least_single(x.dtype)
        # Channels first: transforms along the last axis are the fast ones.
        inputs = torch.fft.rfft(x.transpose(1, 2).to(kind).contiguous())
        weights = torch.fft.rfft(kernel.contiguous()).conj()
        if len(weights) > _MOST_SUMMED:
            product = (inputs.movedim(2, 0) @ weights.movedim(2, 0)).movedim(0, 2)
        else:
            # For few channels one sum after the other beats many small matrix products.
            product = inputs[:, :1] * weights[0]
            for i in range(1, len(weights)):
                product = torch.addcmul(product, inputs[:, i, None], weights[i])
        y: Tensor = torch.fft.irfft(product, n=len(self.first)).transpose(1, 2)
        return y.to(x.dtype)
