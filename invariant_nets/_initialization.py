"""How linear maps start: random semi-orthogonal matrices that set the scale of what goes out."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from invariant_nets._precision import at_least_single


def semi_orthogonal(
    like: Float[Tensor, "rows columns"], channels: tuple[int, int], gain: float, scale: float = 1.0
) -> Float[Tensor, "rows columns"]:
    """Draw a matrix such that `scale` times it multiplies the mean square by `gain`².

    Args:
        like: a matrix of the same shape, type and device, in either layout.
        channels: how many features come in, and how many go out.
        gain: by how much the root mean square grows.
        scale: the factor that stands before the matrix where it is used.
    """
    d, out = channels
    # There is no QR decomposition in half precision.
    matrix = torch.empty(like.shape, dtype=at_least_single(like.dtype), device=like.device)
    return nn.init.orthogonal_(matrix, gain * math.sqrt(max(1, out / d)) / scale)
