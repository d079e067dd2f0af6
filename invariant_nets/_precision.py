"""Sums of many terms: in at least single precision, and rounded once.

bfloat16 stops growing after 256 equal terms, float16 after 2,048, and it ends at 65,504. Torch adds
up in single precision inside one sum or product, but not from one call to the next, nor in the
gradient of an index that takes one number many times.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from invariant_nets._arguments import autocasts
from invariant_nets._sets import Mask, at_least_single, call

_WIDE = (torch.float32, torch.float64)


def widened(x: Tensor) -> Tensor:
    """Return `x` in at least single precision; integers as they are."""
    if x.dtype in _WIDE or not _is_rounded(x):
        return x
    return x.to(at_least_single(x.dtype))


def narrowed(x: Tensor, like: Tensor) -> Tensor:
    """Return `x`, a mean of several `like`, in its type; that of integers as it is."""
    if _is_rounded(like):
        return x.to(like.dtype)
    return x.to(torch.get_default_dtype())


def _is_rounded(x: Tensor) -> bool:
    return x.is_floating_point() or x.is_complex()


def _is_half(x: Tensor) -> bool:
    return _is_rounded(x) and at_least_single(x.dtype) != x.dtype


def added(total: Tensor | None, part: Tensor) -> Tensor:
    """Add one part more to a running total, from the second on in double precision."""
    if total is None:
        return part
    if total.device.type == "mps":  # which has no double precision
        return total + part
    return total.to(torch.promote_types(total.dtype, torch.float64)) + part


def as_written(x: Tensor) -> AbstractContextManager[Any]:
    """Return a context without autocast: products keep the type of their factors."""
    kind = x.device.type
    return torch.autocast(kind, enabled=False) if autocasts(kind) else contextlib.nullcontext()


def product_type(x: Tensor) -> torch.dtype:
    """Return the type of a product with `x`."""
    kind = x.device.type
    halved = autocasts(kind) and x.dtype in (torch.float32, torch.float16, torch.bfloat16)
    return torch.get_autocast_dtype(kind) if halved else x.dtype


def normed(norm: nn.Module, x: Tensor) -> Tensor:
    """Apply a layer norm; the gradients of its gain and bias are sums over all rows."""
    if not isinstance(norm, nn.LayerNorm) or not _is_half(x):
        y: Tensor = norm(x)
        return y
    # Torch adds them up in the type of its input.
    gain, bias = widened(norm.weight), widened(norm.bias)
    return F.layer_norm(widened(x), norm.normalized_shape, gain, bias, norm.eps).to(x.dtype)


class LayerNorm(nn.LayerNorm):
    """The layer norm of torch, with these sums, where the layer is not called here."""

    by_member = True

    def forward(self, input: Tensor) -> Tensor:
        """Normalize the last axis."""
        return normed(self, input) if _is_half(input) else super().forward(input)


class Calls:
    """Calls a model on one chunk after the other, such that gradients add up without rounding.

    Autograd adds up the gradients of a parameter in the type in which the calls share it. So they
    share it in at least single precision, and each call rounds it anew; autocast, whose copies in
    half precision are kept from call to call, does not keep them.
    """

    def __init__(self, model: Callable[..., Any]) -> None:
        self._model = model
        self._shared: dict[str, tuple[Tensor, torch.dtype]] = {}
        if torch.is_grad_enabled() and isinstance(model, nn.Module):
            self._shared = {
                f"model.{name}": (widened(p), p.dtype)
                for name, p in model.named_parameters()
                if p.requires_grad and _is_half(p)
            }

    def __call__(self, x: Tensor, mask: Mask, holds: int) -> Any:
        """Call it on one chunk more."""
        with _copies_not_kept(x):
            if not self._shared:
                return call(self._model, x, mask, holds=holds)
            anew = {name: wide.to(dtype) for name, (wide, dtype) in self._shared.items()}
            return torch.func.functional_call(_Call(self._model), anew, (x, mask, holds))


class _Call(nn.Module):
    def __init__(self, model: Callable[..., Any]) -> None:
        super().__init__()
        self.model = model

    def forward(self, x: Tensor, mask: Mask, holds: int) -> Any:
        return call(self.model, x, mask, holds=holds)


def _copies_not_kept(x: Tensor) -> AbstractContextManager[Any]:
    kind = x.device.type
    if torch.compiler.is_compiling() or not torch.is_grad_enabled() or not autocasts(kind):
        return contextlib.nullcontext()
    return torch.autocast(kind, torch.get_autocast_dtype(kind), cache_enabled=False)
