"""The four maps of a matrix: of its entries, rows, columns and whole, and their weights."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from invariant_nets._arguments import positive_int
from invariant_nets._sets import at_least_single
from invariant_nets.layers.initialization import semi_orthogonal
from invariant_nets.layers.units import UNIT, InUnits, Shown

# One over how many entries a row has and a column has, and a row's share of all entries, of shapes
# (batch, n, 1), (batch, d, 1) and (batch, n, 1), or that broadcast to them; None if all are there.
# Every entry weighs the same in the grand mean: a row's scale times its share is one number.
Scales = tuple[Tensor, Tensor, Tensor]
Means = tuple[Float[Tensor, "batch n in"], Float[Tensor, "batch d in"], Float[Tensor, "batch in"]]


class ChannelMaps(InUnits):
    r"""The common part of the layers of $S_n × S_d$: maps of channels, and a bias.

    With the unit $\kappa$ of the averaged layer, $\mathrm{in} / \kappa$ times a weight is stored,
    and $1 / \kappa$ times a bias.
    """

    weight, bias = Shown(), Shown()
    maps: tuple[int, ...] = ()

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.in_channels = positive_int("in_channels", in_channels)
        self.out_channels = positive_int("out_channels", out_channels)
        shape = *self.maps, self.in_channels, self.out_channels
        factory: dict[str, Any] = {"device": device, "dtype": dtype}
        self.stored_weight = nn.Parameter(torch.empty(shape, **factory))
        self.stored_bias = nn.Parameter(torch.empty(shape[-1], **factory)) if bias else None
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw the weights anew, as the class describes, from torch's global generator."""
        self.weight = self._drawn()
        if self.stored_bias is not None:
            self.stored_bias.zero_()

    def _drawn(self) -> Float[Tensor, "*maps in out"]:
        """Draw weights."""
        raise NotImplementedError

    def _unit(self, name: str, like: Tensor) -> float:
        return UNIT / self.in_channels if name == "weight" else UNIT

    def _orthogonal(self, gain: float) -> Float[Tensor, "in out"]:
        """Draw a semi-orthogonal matrix that multiplies the mean square by `gain`²."""
        channels = self.in_channels, self.out_channels
        return semi_orthogonal(self.stored_weight.view(-1, *channels)[0], channels, gain)

    def extra_repr(self) -> str:
        """Show the constructor's arguments."""
        return f"{self.in_channels}, {self.out_channels}, bias={self.stored_bias is not None}"


class FourMaps(ChannelMaps):
    """The parameters $A, B, C, D$ and $b$ of a layer of $S_n × S_d$, and their initialization."""

    maps = (4,)

    def _drawn(self) -> Float[Tensor, "4 in out"]:
        rest, rows, columns, grand = (self._orthogonal(math.sqrt(2)) for _ in range(4))
        parts = (rest, rows - rest, columns - rest, grand - rows - columns + rest)
        return torch.stack(parts)


def four_maps(
    x: Float[Tensor, "batch n d in"],
    weight: Float[Tensor, "4 in out"],
    bias: Float[Tensor, "out"] | None,
    scales: Scales | None = None,
) -> Float[Tensor, "batch n d out"]:
    r"""Return $x_{ij} A + r_i B + c_j C + t D + b$ for the means $r, c, t$ of `x`."""
    rows, columns, total = _means(x, scales)
    entry, row, column, grand = weight.unbind()
    everywhere = total @ grand if bias is None else torch.addmm(bias, total, grand)
    # What an entry shares with its row, its column and all; x A is added in one product.
    shared = (rows @ row)[:, :, None] + (columns @ column + everywhere[:, None])[:, None]
    y = torch.addmm(shared.flatten(0, 2), x.reshape(-1, x.shape[3]), entry)
    return y.reshape(shared.shape)


def _means(x: Float[Tensor, "batch n d in"], scales: Scales | None) -> Means:
    dtype = at_least_single(x.dtype)
    if scales is None:
        rows = x.mean(2, dtype=dtype)
        return rows.to(x.dtype), x.mean(1), rows.mean(1).to(x.dtype)
    row_scale, column_scale, row_share = scales
    rows, columns = x.sum(2, dtype=dtype) * row_scale, x.sum(1, dtype=dtype) * column_scale
    return rows.to(x.dtype), columns.to(x.dtype), (rows * row_share).sum(1).to(x.dtype)
