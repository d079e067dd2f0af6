"""The four maps of a matrix's entries, rows, columns and whole: their weights, and a fused form."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from invariant_nets._arguments import positive_int
from invariant_nets._sets import at_least_single, is_autocast, is_transformed
from invariant_nets.layers.initialization import semi_orthogonal

# One over how many entries a row has and a column has, and a row's share of all entries, of shapes
# (batch, n, 1), (batch, d, 1) and (batch, n, 1), or that broadcast to them; None if all are there.
# Every entry weighs the same in the grand mean: a row's scale times its share is one number.
Scales = tuple[Tensor, Tensor, Tensor]
Means = tuple[Float[Tensor, "batch n in"], Float[Tensor, "batch d in"], Float[Tensor, "batch in"]]


class FourMaps(nn.Module):
    """The parameters $A, B, C, D$ and $b$ of a layer of $S_n × S_d$, and how they start."""

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
        channels = self.in_channels, self.out_channels
        starts = (semi_orthogonal(w, channels, math.sqrt(2)) for w in self.weight)
        rest, rows, columns, grand = starts
        parts = (rest, rows - rest, columns - rest, grand - rows - columns + rest)
        self.weight.copy_(torch.stack(parts))
        if self.bias is not None:
            self.bias.zero_()

    def extra_repr(self) -> str:
        """Show the constructor's arguments."""
        return f"{self.in_channels}, {self.out_channels}, bias={self.bias is not None}"


def four_maps(
    x: Float[Tensor, "batch n d in"],
    weight: Float[Tensor, "4 in out"],
    bias: Float[Tensor, "out"] | None,
    scales: Scales | None = None,
) -> Float[Tensor, "batch n d out"]:
    r"""Return $x_{ij} A + r_i B + c_j C + t D + b$ for the means $r, c, t$ of `x`."""
    if is_transformed(x):
        return _plain(x, weight, bias, scales)
    if not torch.is_grad_enabled():
        return _applied(x, _means(x, scales), weight, bias)
    y: Tensor = _Fused.apply(x, weight, bias, scales)  # type: ignore[no-untyped-call]
    return y


def _sums(x: Float[Tensor, "batch n d in"]) -> Means:
    dtype = at_least_single(x.dtype)
    rows = x.sum(2, dtype=dtype)
    return rows, x.sum(1, dtype=dtype), rows.sum(1)


def _means(x: Float[Tensor, "batch n d in"], scales: Scales | None) -> Means:
    if scales is None:
        rows = x.mean(2)
        return rows, x.mean(1), rows.mean(1)
    return _scaled(_sums(x), scales, x.dtype)


def _scaled(sums: Means, scales: Scales, dtype: torch.dtype) -> Means:
    row_scale, column_scale, row_share = scales
    rows, columns = sums[0] * row_scale, sums[1] * column_scale
    return rows.to(dtype), columns.to(dtype), (rows * row_share).sum(1).to(dtype)


def _shared(means: Means, weight: Tensor, bias: Tensor | None) -> Float[Tensor, "batch n d out"]:
    # r_i B + c_j C + t D + b, what an entry shares with its row, its column and all.
    (rows, columns, total), (_, row, column, grand) = means, weight.unbind()
    everywhere = total @ grand if bias is None else torch.addmm(bias, total, grand)
    return (rows @ row)[:, :, None] + (columns @ column + everywhere[:, None])[:, None]


def _plain(
    x: Tensor, weight: Tensor, bias: Tensor | None, scales: Scales | None
) -> Float[Tensor, "batch n d out"]:
    shared = _shared(_means(x, scales), weight, bias)
    y = torch.addmm(shared.flatten(0, 2), x.reshape(-1, x.shape[3]), weight[0])
    return y.reshape(shared.shape)


def _applied(
    x: Tensor, means: Means, weight: Tensor, bias: Tensor | None
) -> Float[Tensor, "batch n d out"]:
    # The large result is written once, and x A is added to it in place.
    y = _shared(means, weight, bias)
    y.view(-1, y.shape[3]).addmm_(x.reshape(-1, x.shape[3]), weight[0])
    return y


class _Fused(torch.autograd.Function):
    r"""The map with its derivatives by hand, which go over the large tensors least often.

    Its adjoint is the map itself with transposed weights, so the input's gradient is the map of
    $g$; the gradients of $B, C, D$ are products of the small means of `x` and sums of $g$.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, scales: Scales | None
    ) -> Tensor:
        means = _means(x, scales)
        ctx.save_for_backward(x, weight, *means, *(scales or ()))
        ctx.save_for_forward(x, weight, *(scales or ()))
        return _applied(x, means, weight, bias)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        if is_autocast(g):
            with torch.autocast(g.device.type, enabled=False):
                return _Fused.backward(ctx, g)
        x, weight, rows, columns, total, *rest = ctx.saved_tensors
        for_x, for_weight, for_bias, _ = ctx.needs_input_grad
        grad_x = grad_weight = grad_bias = None
        means, scales = (rows, columns, total), tuple(rest) or None
        if scales is None:  # a sum is a mean times a count
            n, d = g.shape[1:3]
            sums = means_of_g = _means(g, None)
            counts = 1, d, n, n * d
        else:
            sums, counts = _sums(g), (1, 1, 1, 1)
            means_of_g = _scaled(sums, scales, g.dtype)
        again = torch.is_grad_enabled()
        if for_x and (again or is_transformed(g)):
            grad_x = four_maps(g, weight.mT, None, scales)
        elif for_x:
            grad_x = _applied(g, means_of_g, weight.mT, None)
        if for_weight:
            # A second derivative runs through x itself, not through the means that were kept.
            left = (x, *(_means(x, scales) if again else means))
            terms = zip(weight.unbind(), left, (g, *sums), counts, strict=True)
            grad_weight = torch.stack([_product(*term) for term in terms])
        if for_bias:
            grad_bias = (sums[2].sum(0) * counts[3]).to(g.dtype)
        return grad_x, grad_weight, grad_bias, None

    @staticmethod
    def jvp(ctx: Any, x_t: Tensor, weight_t: Tensor, bias_t: Tensor | None, _: None) -> Tensor:
        x, weight, *rest = ctx.saved_tensors
        scales = tuple(rest) or None
        return four_maps(x_t, weight, None, scales) + four_maps(x, weight_t, bias_t, scales)


def _product(
    like: Float[Tensor, "in out"],
    a: Float[Tensor, "*rest in"],
    b: Float[Tensor, "*rest out"],
    count: int,
) -> Float[Tensor, "in out"]:
    # count aᵀ b; β = 0 takes nothing but the shape from what it is added to.
    a, b = a.reshape(-1, a.shape[-1]).to(b.dtype), b.reshape(-1, b.shape[-1])
    return torch.addmm(like.to(b.dtype), a.mT, b, beta=0, alpha=count).to(like.dtype)
