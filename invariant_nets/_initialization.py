"""How linear maps start: random semi-orthogonal matrices that set the scale of what goes out."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn


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
    # The QR decomposition behind it needs float32 at least.
    dtype = torch.promote_types(like.dtype, torch.float32)
    matrix = torch.empty(like.shape, dtype=dtype, device=like.device)
    return nn.init.orthogonal_(matrix, gain * math.sqrt(max(1, out / d)) / scale)
