"""Rules of products of matrices, attention and layer norms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from invariant_nets.comparison.graphs.lowering import Lowering


def of_product(
    low: Lowering,
    value: Tensor,
    a: Tensor,
    b: Tensor,
    c: Tensor | None = None,
    alpha: float = 1,
    beta: float = 1,
) -> Tensor:
    """Multiply matrices, batch by batch, and add what is given."""
    a = a.unsqueeze(0) if a.ndim == 1 else a
    b = b.unsqueeze(1) if b.ndim == 1 else b
    k, p = b.shape[-2:]
    if not k:  # a sum of no products, which no part of MODELS reads
        raise ValueError("multiplies matrices without numbers, which has no rule")
    m = a.numel() // k
    if b.ndim > 2:
        batch = value.shape[: max(a.ndim, b.ndim) - 2]
        m = a.shape[-2]
        a, b = a.expand(*batch, m, k), b.expand(*batch, k, p)
    reads = [a, b] if c is None else [a, b, c.expand(value.shape)]
    return low.emit("matmul", value, reads, [m, k, p, alpha, beta])


def of_linear(
    low: Lowering, value: Tensor, a: Tensor, weight: Tensor, bias: Tensor | None = None
) -> Tensor:
    """Multiply by a transposed weight."""
    return of_product(low, value, a, weight.mT, bias)


def of_addmm(
    low: Lowering,
    value: Tensor,
    c: Tensor,
    a: Tensor,
    b: Tensor,
    *,
    beta: float = 1,
    alpha: float = 1,
) -> Tensor:
    """Multiply and add, each with a factor."""
    return of_product(low, value, a, b, c, alpha, beta)


def of_attention(
    low: Lowering,
    value: Tensor,
    q: Tensor,
    k: Tensor,
    v: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Attend; a mask of bools becomes one that is added."""
    if dropout_p or is_causal or enable_gqa:
        raise ValueError("attends with dropout, causally, or with grouped heads, which has no rule")
    batch = value.shape[:-2]
    (rows, width), (keys, features) = q.shape[-2:], v.shape[-2:]
    reads = [t.expand(*batch, *t.shape[-2:]) for t in (q, k, v)]
    if attn_mask is not None:
        mask = attn_mask
        if mask.dtype == torch.bool:
            absent = low.emit("not", ~mask, [mask])
            added = torch.zeros(mask.shape).masked_fill(absent, -math.inf)
            mask = low.emit("fill", added, [0.0, absent], [-math.inf])
        reads.append(mask.expand(*batch, rows, keys))
    scale = 1 / math.sqrt(width) if scale is None else scale
    return low.emit("attention", value, reads, [rows, keys, width, features, scale])


def of_layer_norm(
    low: Lowering,
    value: Tensor,
    a: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Tensor:
    """Normalize the last axes."""
    reads = [1.0 if weight is None else weight, 0.0 if bias is None else bias]
    wide = [t.expand(value.shape) if isinstance(t, Tensor) else t for t in reads]
    return low.emit("layer_norm", value, [a, *wide], [math.prod(normalized_shape), eps])
