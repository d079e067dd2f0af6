r"""The linear layers of $S_n \times S_d$: matrices whose rows and columns have no order.

Two entries of a matrix can be the same, share their row, share their column, or neither. So the
linear maps that commute with permutations of rows and of columns are spanned by four: the identity,
the means of the rows, the means of the columns, and the mean of all.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from invariant_nets._arguments import dense, of_weights, set_mask
from invariant_nets._sets import Members, at_least_single, members_of, zero_padding, zero_padding_
from invariant_nets.layers.four_maps import ChannelMaps, FourMaps, Scales, four_maps


class ExchangeableEquivariant(FourMaps):
    r"""The linear layer that is equivariant to permutations of rows and of columns.

    $$y_{ij} = x_{ij} A + \operatorname*{mean}_{j'} x_{ij'}\, B
    + \operatorname*{mean}_{i'} x_{i'j}\, C + \operatorname*{mean}_{i'j'} x_{i'j'}\, D + b.$$

    Equivariant to $S_n \times S_d$, and every equivariant affine map has this form. No weight
    depends on $n$ or $d$.

    The layer is four linear maps: $A$ on the deviation of an entry from the means of its row and
    column, $A + B$ on the deviation of a row's mean from the grand mean, $A + C$ on that of a
    column's mean, and $A + B + C + D$ on the grand mean. Each is initialized as a random
    semi-orthogonal matrix of its own, scaled to double the mean square of its input, and $b = 0$; a
    ReLU then halves it.

    The parameters are stored in the unit $\kappa = 8$ of `LinearEquivariant`: `stored_weight` holds
    $\mathrm{in} / \kappa$ times `weight`, and `stored_bias` one eighth of `bias`. To change
    `weight` or `bias`, assign to it.

    A mask says which rows are present, (batch, n), or which entries were observed, (batch, n, d).
    Every mean is then over the observed entries. A mean over no entries is 0, and so is the output
    at entries that were not observed. The values of `x` there, even NaN, affect no output and no
    gradient.

    Args:
        in_channels: the number of input features of an entry, at least 1.
        out_channels: the number of output features, at least 1.
        bias: whether there is a $b$.
        device: where the parameters live.
        dtype: their floating-point type.

    Shape:
        $(\mathrm{batch}, n, d, \mathrm{in})$ to $(\mathrm{batch}, n, d, \mathrm{out})$ for all
        $n, d \ge 1$; `weight` holds $A, B, C, D$, $(4, \mathrm{in}, \mathrm{out})$.

    Raises:
        TypeError: if the input is no tensor of the weights' type, or the mask no tensor of bool.
        ValueError: if a number of channels is below 1, or the input or its mask has another shape.

    Example:
        >>> layer = ExchangeableEquivariant(3, 8)
        >>> x = torch.randn(16, 10, 5, 3)
        >>> torch.allclose(layer(x.flip(1, 2)), layer(x).flip(1, 2), atol=1e-5)
        True
        >>> observed = torch.rand(16, 10, 5) < 0.3
        >>> layer(x, mask=observed)[~observed].any().item()
        False

    References:
        Hartford et al. (2018), *Deep Models of Interactions Across Sets*, theorem 2.1.

    Derived in chapter 6; chapter 12 derives the same maps from the orbitals of the group.
    """

    takes_members = True

    def forward(
        self,
        x: Float[Tensor, "batch n d in"],
        mask: Bool[Tensor, "batch n"] | Bool[Tensor, "batch n d"] | None = None,
    ) -> Float[Tensor, "batch n d out"]:
        """Apply the layer to a batch of matrices of features; `mask` tells what is observed."""
        _matrices(x, mask, self.in_channels, self.stored_weight)
        members = members_of(mask)
        weight, bias = self._coefficients()
        if members is None:
            return four_maps(x, weight, bias)
        x = zero_padding(x, members)
        return zero_padding_(four_maps(x, weight, bias, _scales(members, x)), members)


class ExchangeableInvariant(ChannelMaps):
    r"""The linear layer that is invariant to permutations of rows and of columns.

    $$y = \operatorname*{mean}_{ij} x_{ij}\, A + b.$$

    Invariant to $S_n \times S_d$, and in fact to all permutations of the entries, since an
    invariant linear map sees only their mean. $A$ is initialized semi-orthogonal and keeps the mean
    square of its input. With a mask, of rows (batch, n) or of entries (batch, n, d), the mean is
    over the observed entries; if there are none, it is 0.

    The parameters are stored in the unit $\kappa = 8$ of `LinearEquivariant`: `stored_weight` holds
    $\mathrm{in} / \kappa$ times `weight`, and `stored_bias` one eighth of `bias`. To change
    `weight` or `bias`, assign to it.

    Args:
        in_channels: the number of input features of an entry, at least 1.
        out_channels: the number of outputs, at least 1.
        bias: whether there is a $b$.
        device: where the parameters live.
        dtype: their floating-point type.

    Shape:
        $(\mathrm{batch}, n, d, \mathrm{in})$ to $(\mathrm{batch}, \mathrm{out})$ for all
        $n, d \ge 1$; `weight` is $(\mathrm{in}, \mathrm{out})$.

    Raises:
        TypeError: if the input is no tensor of the weights' type, or the mask no tensor of bool.
        ValueError: if a number of channels is below 1, or the input or its mask has another shape.

    Example:
        >>> layer = ExchangeableInvariant(3, 1)
        >>> x = torch.randn(16, 10, 5, 3)
        >>> torch.allclose(layer(x.flip(1, 2)), layer(x), atol=1e-5)
        True

    References:
        Hartford et al. (2018), *Deep Models of Interactions Across Sets*.

    Derived in chapter 6.
    """

    takes_members = True

    def _drawn(self) -> Float[Tensor, "in out"]:
        return self._orthogonal(1.0)

    def forward(
        self,
        x: Float[Tensor, "batch n d in"],
        mask: Bool[Tensor, "batch n"] | Bool[Tensor, "batch n d"] | None = None,
    ) -> Float[Tensor, "batch out"]:
        """Apply the layer to a batch of matrices of features; `mask` tells what is observed."""
        _matrices(x, mask, self.in_channels, self.stored_weight)
        members = members_of(mask)
        if members is None:
            means = x.mean((1, 2))
        else:
            row_scale, _, row_share = _scales(members, x)
            rows = zero_padding(x, members).sum(2, dtype=row_scale.dtype)
            means = (rows * row_scale * row_share).sum(1).to(x.dtype)
        weight, bias = self._coefficients()
        y = means @ weight
        return y if bias is None else y + bias


def _scales(members: Members, x: Float[Tensor, "batch n d in"]) -> Scales:
    """Return one over how many entries rows and columns have, and the rows' shares of all."""
    mask, dtype = members.mask, at_least_single(x.dtype)
    if mask.ndim == 2:
        share = members.counts(dtype).reciprocal().unsqueeze(2)
        return torch.full_like(share, 1 / x.shape[2]), share, share
    # A row without entries counts as one of a single entry, so that its mean is 0.
    in_rows, in_columns = mask.sum(2, keepdim=True), mask.sum(1).unsqueeze(2)
    in_all = in_rows.sum(1, keepdim=True)
    rows, columns, every = (count.clamp(min=1).to(dtype) for count in (in_rows, in_columns, in_all))
    return 1 / rows, 1 / columns, rows / every


def _matrices(x: Tensor, mask: Tensor | None, channels: int, weight: Tensor) -> None:
    dense(x)
    if x.ndim != 4 or x.shape[3] != channels:
        raise ValueError(f"x must have shape (batch, n, d, {channels}), got {tuple(x.shape)}")
    if x.shape[1] < 1 or x.shape[2] < 1:
        raise ValueError(f"x must hold matrices with n ≥ 1 and d ≥ 1, got {tuple(x.shape)}")
    of_weights(x, weight)
    set_mask(mask, x, 1, 2)
