r"""The linear layers of $S_n \times S_d$: matrices whose rows and columns come in no order.

Two entries of a matrix can be the same, share their row, share their column, or neither. So the
linear maps that commute with permutations of rows and of columns are spanned by four: the identity,
the means of the rows, the means of the columns, and the mean of all.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from invariant_nets._validation import positive_int


class ExchangeableEquivariant(nn.Module):
    r"""The linear layer that is equivariant to permutations of rows and of columns.

    $$y_{ij} = x_{ij} A + \operatorname*{mean}_{j'} x_{ij'}\, B
    + \operatorname*{mean}_{i'} x_{i'j}\, C + \operatorname*{mean}_{i'j'} x_{i'j'}\, D + b.$$

    Equivariant to $S_n \times S_d$, and every affine map that is has this form. No weight depends
    on $n$ or $d$.

    The layer is four linear maps: $A$ on what is left of an entry when the means of its row and
    column are taken away, $A + B$ on what a row's mean has more than the grand mean, $A + C$ on
    that of a column, and $A + B + C + D$ on the grand mean. Each starts as a random semi-orthogonal
    matrix of its own, scaled to double the mean square that comes in, and $b = 0$; a ReLU then
    halves it.

    Args:
        in_channels: the number of features an entry has, at least 1.
        out_channels: the number of features that go out, at least 1.
        bias: whether there is a $b$.
        device: where the parameters live.
        dtype: their floating-point type.

    Shape:
        $(\mathrm{batch}, n, d, \mathrm{in})$ to $(\mathrm{batch}, n, d, \mathrm{out})$ for all
        $n, d \ge 1$; `weight` holds $A, B, C, D$, $(4, \mathrm{in}, \mathrm{out})$.

    Raises:
        TypeError: if the input is no tensor.
        ValueError: if a number of channels is below 1, or the input has another shape.

    Example:
        >>> layer = ExchangeableEquivariant(3, 8)
        >>> x = torch.randn(16, 10, 5, 3)
        >>> torch.allclose(layer(x.flip(1, 2)), layer(x).flip(1, 2), atol=1e-5)
        True

    References:
        Hartford et al. (2018), *Deep Models of Interactions Across Sets*, theorem 2.1.

    The four maps are the orbitals of chapter 12.
    """

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
        factory: dict[str, Any] = {"device": device, "dtype": dtype}
        self.weight = nn.Parameter(torch.empty(4, self.in_channels, self.out_channels, **factory))
        self.bias = nn.Parameter(torch.empty(self.out_channels, **factory)) if bias else None
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw the weights anew, as the class describes, from torch's global generator."""
        rest, rows, columns, grand = (_orthogonal(w, math.sqrt(2)) for w in self.weight)
        parts = (rest, rows - rest, columns - rest, grand - rows - columns + rest)
        self.weight.copy_(torch.stack(parts))
        if self.bias is not None:
            self.bias.zero_()

    def forward(self, x: Float[Tensor, "batch n d in"]) -> Float[Tensor, "batch n d out"]:
        """Apply the layer to a batch of matrices of features."""
        _matrices(x, self.in_channels)
        entry, row, column, grand = self.weight
        row_means, column_means = x.mean(2, keepdim=True), x.mean(1, keepdim=True)
        total = column_means.mean(2, keepdim=True) @ grand
        if self.bias is not None:
            total = total + self.bias
        # One pass over the large tensor adds what is shared along rows and along columns.
        shared = row_means @ row + (column_means @ column + total)
        y = torch.baddbmm(shared.flatten(1, 2), x.flatten(1, 2), entry.expand(len(x), -1, -1))
        return y.reshape(*x.shape[:3], self.out_channels)

    def extra_repr(self) -> str:
        """Show the constructor's arguments."""
        return f"{self.in_channels}, {self.out_channels}, bias={self.bias is not None}"


class ExchangeableInvariant(nn.Module):
    r"""The linear layer that is invariant to permutations of rows and of columns.

    $$y = \operatorname*{mean}_{ij} x_{ij}\, A + b.$$

    Invariant to $S_n \times S_d$, and in fact to all permutations of the entries: a linear map that
    is invariant can see no more than their mean. $A$ starts semi-orthogonal and keeps the mean
    square that comes in.

    Args:
        in_channels: the number of features an entry has, at least 1.
        out_channels: the number of numbers that go out, at least 1.
        bias: whether there is a $b$.
        device: where the parameters live.
        dtype: their floating-point type.

    Shape:
        $(\mathrm{batch}, n, d, \mathrm{in})$ to $(\mathrm{batch}, \mathrm{out})$ for all
        $n, d \ge 1$; `weight` is $(\mathrm{in}, \mathrm{out})$.

    Raises:
        TypeError: if the input is no tensor.
        ValueError: if a number of channels is below 1, or the input has another shape.

    Example:
        >>> layer = ExchangeableInvariant(3, 1)
        >>> x = torch.randn(16, 10, 5, 3)
        >>> torch.allclose(layer(x.flip(1, 2)), layer(x), atol=1e-5)
        True

    References:
        Hartford et al. (2018), *Deep Models of Interactions Across Sets*.
    """

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
        factory: dict[str, Any] = {"device": device, "dtype": dtype}
        self.weight = nn.Parameter(torch.empty(self.in_channels, self.out_channels, **factory))
        self.bias = nn.Parameter(torch.empty(self.out_channels, **factory)) if bias else None
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw the weights anew from torch's global generator."""
        self.weight.copy_(_orthogonal(self.weight, 1.0))
        if self.bias is not None:
            self.bias.zero_()

    def forward(self, x: Float[Tensor, "batch n d in"]) -> Float[Tensor, "batch out"]:
        """Apply the layer to a batch of matrices of features."""
        _matrices(x, self.in_channels)
        y = x.mean((1, 2)) @ self.weight
        return y if self.bias is None else y + self.bias

    def extra_repr(self) -> str:
        """Show the constructor's arguments."""
        return f"{self.in_channels}, {self.out_channels}, bias={self.bias is not None}"


def _orthogonal(like: Float[Tensor, "in out"], gain: float) -> Float[Tensor, "in out"]:
    """Draw a semi-orthogonal matrix that multiplies the mean square by `gain`²."""
    d, out = like.shape
    # The QR decomposition behind it needs float32 at least.
    dtype = torch.promote_types(like.dtype, torch.float32)
    matrix = torch.empty(d, out, dtype=dtype, device=like.device)
    return nn.init.orthogonal_(matrix, gain * math.sqrt(max(1, out / d)))


def _matrices(x: Tensor, channels: int) -> None:
    if not isinstance(x, Tensor):
        raise TypeError(f"x must be a tensor, got {type(x).__name__}")
    if x.ndim != 4 or x.shape[3] != channels:
        raise ValueError(f"x must have shape (batch, n, d, {channels}), got {tuple(x.shape)}")
    if x.shape[1] < 1 or x.shape[2] < 1:
        raise ValueError(f"x must hold matrices with n ≥ 1 and d ≥ 1, got {tuple(x.shape)}")
