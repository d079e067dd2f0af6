"""The four maps of a matrix's entries, rows, columns and whole: their weights, and a fused form."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from invariant_nets._initialization import semi_orthogonal
from invariant_nets._validation import positive_int

# One over how many entries a row has and a column has, and a row's share of all entries: numbers,
# or tensors of shapes (batch, n, 1), (batch, d, 1) and (batch, n, 1), or that broadcast to them.
# Every entry weighs the same in the grand mean: a row's scale times its share is one number.
Scales = tuple[float, float, float] | tuple[Tensor, Tensor, Tensor]
Means = tuple[Float[Tensor, "batch n in"], Float[Tensor, "batch d in"], Float[Tensor, "batch 1 in"]]
Sums = tuple[Float[Tensor, "batch n in"], Float[Tensor, "batch d in"]]

# Numbers; without gradients, a call of the Function costs more than it saves a smaller tensor.
_SMALL = 1 << 16


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
    scales: Scales,
) -> Float[Tensor, "batch n d out"]:
    r"""Return $x_{ij} A + r_i B + c_j C + t D + b$ for the scaled sums $r, c, t$ of `x`."""
    if torch.compiler.is_compiling() or torch.is_autocast_enabled(x.device.type):
        # A compiler fuses by itself, and autocast chooses the type of each product.
        return _plain(x, weight, bias, scales)
    if x.numel() <= _SMALL and not torch.is_grad_enabled():
        return _plain(x, weight, bias, scales)
    with torch.no_grad():
        means = _means(_sums(x), scales)
    y: Tensor = _Fused.apply(x, weight, bias, *scales, *means)  # type: ignore[no-untyped-call]
    return y


def _sums(x: Float[Tensor, "batch n d in"]) -> Sums:
    return x.sum(2), x.sum(1)


def _means(sums: Sums, scales: Scales) -> Means:
    row_scale, column_scale, row_share = scales
    rows = sums[0] * row_scale
    return rows, sums[1] * column_scale, (rows * row_share).sum(1, keepdim=True)


def _shared(means: Means, weight: Tensor, bias: Tensor | None) -> Float[Tensor, "batch n d out"]:
    # r_i B + c_j C + t D + b, what an entry shares with its row, its column and all.
    (rows, columns, total), (_, row, column, grand) = means, weight.unbind()
    everywhere = total @ grand
    if bias is not None:
        everywhere = everywhere + bias
    return (rows @ row + everywhere)[:, :, None] + (columns @ column)[:, None]


def _plain(x: Tensor, weight: Tensor, bias: Tensor | None, scales: Scales) -> Tensor:
    shared = _shared(_means(_sums(x), scales), weight, bias)
    y = torch.addmm(shared.flatten(0, 2), x.reshape(-1, x.shape[3]), weight[0])
    return y.reshape(shared.shape)


def _applied(x: Tensor, means: Means, weight: Tensor, bias: Tensor | None) -> Tensor:
    # The large result is written once, and x A is added to it in place.
    y = _shared(means, weight, bias)
    y.view(-1, y.shape[3]).addmm_(x.reshape(-1, x.shape[3]), weight[0])
    return y


class _Fused(torch.autograd.Function):
    r"""The map with its derivatives by hand, which go over the large tensors least often.

    Its adjoint is the map itself with transposed weights, so the input's gradient is the map of
    $g$; the gradients of $B, C, D$ are products of the small means of `x` and sums of $g$. The
    means of `x` come in as constants, to be kept; their share of the gradient is `x`'s.
    """

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None, *rest: Any) -> Tensor:
        return _applied(x, rest[3:], weight, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, weight, _, *rest = inputs
        scales, means = rest[:3], rest[3:]
        ctx.numbers = scales if isinstance(scales[0], float) else None
        tensors = [] if ctx.numbers else scales
        ctx.save_for_backward(x, weight, *means, *tensors)
        ctx.save_for_forward(x, weight, *tensors)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, *rest = ctx.saved_tensors
        means, scales = rest[:3], ctx.numbers or rest[3:]
        for_x, for_weight, for_bias = ctx.needs_input_grad[:3]
        grad_x = grad_weight = grad_bias = None
        again = torch.is_grad_enabled()
        with torch.autocast(g.device.type, enabled=False):
            sums = _sums(g)
            if for_x and again:
                grad_x = four_maps(g, weight.mT, None, scales)
            elif for_x:
                grad_x = _applied(g, _means(sums, scales), weight.mT, None)
            if for_weight:
                # A second derivative runs through x itself, not through the means that were kept.
                left = (x, *(_means(_sums(x), scales) if again else means))
                right = (g, *sums, sums[0].sum(1))
                products = (_product(a, b) for a, b in zip(left, right, strict=True))
                grad_weight = torch.stack(tuple(products))
            if for_bias:
                grad_bias = sums[0].sum((0, 1))
        return grad_x, grad_weight, grad_bias, *[None] * 6

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *inputs: Any) -> tuple[Tensor, int]:
        def plain(x: Tensor, weight: Tensor, bias: Tensor | None, *rest: Any) -> Tensor:
            return _plain(x, weight, bias, rest[:3])

        return torch.vmap(plain, in_dims, randomness=info.randomness)(*inputs), 0

    @staticmethod
    def jvp(ctx: Any, x_t: Tensor, weight_t: Tensor, bias_t: Tensor | None, *_: Any) -> Tensor:
        x, weight, *tensors = ctx.saved_tensors
        scales = ctx.numbers or tensors
        return four_maps(x_t, weight, None, scales) + four_maps(x, weight_t, bias_t, scales)


def _product(
    a: Float[Tensor, "*rest in"], b: Float[Tensor, "*rest out"]
) -> Float[Tensor, "in out"]:
    return a.reshape(-1, a.shape[-1]).mT @ b.reshape(-1, b.shape[-1])
