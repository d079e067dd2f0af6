"""The initialization of linear maps: random semi-orthogonal matrices that set the scale."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from invariant_nets._sets import at_least_single


def semi_orthogonal(
    like: Float[Tensor, "rows columns"], channels: tuple[int, int], gain: float, scale: float = 1.0
) -> Float[Tensor, "rows columns"]:
    """Draw a matrix such that `scale` times it multiplies the mean square by `gain`².

    Args:
        like: a matrix of the same shape, type and device, in either layout.
        channels: the numbers of input and of output features.
        gain: by how much the root mean square grows.
        scale: the factor that stands before the matrix where it is used.
    """
    d, out = channels
    # There is no QR decomposition in half precision.
    matrix = torch.empty(like.shape, dtype=at_least_single(like.dtype), device=like.device)
    return nn.init.orthogonal_(matrix, gain * math.sqrt(max(1, out / d)) / scale)


@torch.no_grad()
def orthogonal_(linear: nn.Linear, gain: float) -> None:
    """Initialize a linear layer so that it multiplies the mean square of its input by `gain`²."""
    channels = linear.in_features, linear.out_features
    linear.weight.copy_(semi_orthogonal(linear.weight, channels, gain))
    # The annotation of torch forgets that there may be none.
    bias: Tensor | None = linear.bias
    if bias is not None:
        bias.zero_()
