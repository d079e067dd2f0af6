r"""Equal ways to evaluate $y_a = \sum_b x_b W_{\mathrm{id}(a, b)}$; the orbits say which exist."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from invariant_nets._indices import Indexed
from invariant_nets._precision import as_written, widened
from invariant_nets._sets import at_least_single
from invariant_nets.groups.group import PermutationGroup
from invariant_nets.groups.named import cyclic_generator
from invariant_nets.layers.tensors.orbits import TensorForm, tensor_form

_MOST_BLOCKS = 16
_LEAST_FFT = 64
_MOST_SUMMED = 16
_GRID_ORBITALS = 4
_LEAST_SUMMED = 100_000


def fast_form(
    rows: Int[Tensor, "orbits n"],
    out_group: PermutationGroup,
    in_group: PermutationGroup,
    channels: int = 1,
) -> PooledForm | GridForm | CyclicForm | TensorForm | None:
    """Return the closed form that the orbits allow, or None. It maps `x` and the weights.

    Args:
        rows: the orbitals of the first point that goes out of each orbit.
        out_group: how the group acts on what goes out.
        in_group: how it acts on what comes in.
        channels: how many pairs of channels there are.
    """
    alike = out_group is in_group
    orbitals = int(rows.max()) + 1
    if alike and orbitals == _GRID_ORBITALS and len(rows) == 1 and _moves_lines(in_group):
        return GridForm(*in_group.shape)
    out_orbit, in_orbit = out_group.orbit_numbers(), in_group.orbit_numbers()
    blocks = len(rows) * (int(in_orbit.max()) + 1)
    if blocks <= _MOST_BLOCKS:
        # A pair of orbits holds one orbital at least; with itself, two: the diagonal is one.
        if orbitals == blocks:
            return PooledForm(rows, out_orbit, in_orbit, diagonal=False)
        several = int((in_orbit.bincount() > 1).sum())
        if torch.equal(out_orbit, in_orbit) and orbitals == blocks + several:
            return PooledForm(rows, out_orbit, in_orbit, diagonal=True)
    if len(rows) == 1 and len(in_orbit) >= _LEAST_FFT and _shifts(out_group, in_group):
        return CyclicForm(rows[0])
    if out_group.degree * in_group.degree * channels < _LEAST_SUMMED:
        return None  # one product with the matrix is faster
    return tensor_form(rows, out_group, in_group)


def _moves_lines(group: PermutationGroup) -> bool:
    # Whether rows of a matrix go to rows, and columns to columns: four orbitals are then the least.
    if len(group.shape) != 2 or min(group.shape) == 1:
        return False
    images = torch.stack([g.index_tensor for g in group.generators]).view(-1, *group.shape)
    row, column = images // group.shape[1], images % group.shape[1]
    return bool((row == row[:, :, :1]).all() and (column == column[:, :1]).all())


def _shifts(*groups: PermutationGroup) -> bool:
    # Whether a generator takes each point to the next one, in both actions.
    generators = zip(*(group.generators for group in groups), strict=True)
    shift = cyclic_generator(groups[0].degree)
    return any(all(g == shift for g in actions) for actions in generators)


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


class PooledForm(Indexed):
    r"""$y_a = x_a (W_{aa} - W_A) + \sum_B W_{AB} \sum_{b \in B} x_b$ for $a$ in the orbit $A$."""

    def __init__(
        self,
        first_rows: Int[Tensor, "orbits n"],
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
        self.off = [[int(row[b[-1]]) for b in columns] for row in first_rows]
        self.on = [int(row[a[0]]) for row, a in zip(first_rows, rows, strict=True)]
        self.on = self.on if diagonal else []
        self.out_sizes, self.in_sizes = list(map(len, rows)), list(map(len, columns))
        self._keep("columns", torch.cat(columns), out_orbit.device)
        self._keep("order", torch.cat(rows).argsort(), out_orbit.device)

    def forward(
        self, x: Float[Tensor, "batch n in"], weight: Float[Tensor, "orbitals in out"]
    ) -> Float[Tensor, "batch m out"]:
        """Apply the layer with these weights."""
        x = x.index_select(1, self._on(x.device, "columns")) if len(self.in_sizes) > 1 else x
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
        return (
            parts[0]
            if len(parts) == 1
            else torch.cat(parts, 1).index_select(1, self._on(x.device, "order"))
        )


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


class CyclicForm(Indexed):
    r"""$y_a = \sum_k x_{a+k} W_k$, a product of spectra: $\hat y = \hat x\,\bar{\hat W}$."""

    first: Tensor

    def __init__(self, first: Int[Tensor, " n"]) -> None:
        super().__init__()
        self._keep("first", first, first.device)

    def forward(
        self, x: Float[Tensor, "batch n in"], weight: Float[Tensor, "orbitals in out"]
    ) -> Float[Tensor, "batch n out"]:
        """Apply the layer with these weights."""
        if x.shape[0] == 0:
            return x @ weight[0]  # no library transforms nothing
        # There is no transform in half precision.
        kernel = widened(weight).index_select(0, self._on(x.device, "first")).movedim(0, 2)
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
