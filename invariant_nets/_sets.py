"""Batches of sets as tensors: padding and masks, rows, precision, and how many go at once.

Padding is 0 on the way in, and 0 on the way out.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator
from typing import Any

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn

_SUPERBATCH_SETS = 8192
_COMPILED_CHUNK = 256


def zero_padding(
    x: Shaped[Tensor, "batch n *rest"], mask: Bool[Tensor, "batch n"] | None
) -> Shaped[Tensor, "batch n *rest"]:
    """Return `x` with 0 where no member is; whatever was there reaches no value and no gradient."""
    if mask is None:
        return x
    return x.masked_fill(~mask.reshape(*mask.shape, *[1] * (x.ndim - mask.ndim)), 0)


def member_counts(mask: Bool[Tensor, "batch n"], dtype: torch.dtype) -> Float[Tensor, "batch 1"]:
    """Return how many members each set has, but 1 where it has none: a divisor of sums."""
    return mask.sum(1, keepdim=True).clamp(min=1).to(dtype)


def member_mean(
    x: Float[Tensor, "batch n *rest"], mask: Bool[Tensor, "batch n"] | None
) -> Float[Tensor, "batch *rest"]:
    """Return the mean over the members of sets whose padding is 0; that of an empty set is 0."""
    if mask is None:
        return x.mean(1)
    wide = at_least_single(x.dtype)
    counts = member_counts(mask, wide).reshape(-1, *[1] * (x.ndim - 2))
    return (x.sum(1, dtype=wide) / counts).to(x.dtype)


def members_first(mask: Bool[Tensor, "*shape"], dim: int = 1) -> Int[Tensor, "*shape"]:
    """Return the order that moves the members to the front and leaves their order as it is."""
    return (~mask).to(torch.uint8).argsort(dim=dim, stable=True)


def front(mask: Bool[Tensor, "batch n"] | None) -> Bool[Tensor, "batch n"] | None:
    """Return the mask of the sets whose members were moved to the front."""
    if mask is None:
        return None
    return torch.arange(mask.shape[1], device=mask.device) < mask.sum(1, keepdim=True)


def takes_mask(model: Callable[..., Any]) -> bool:
    """Return whether a module or function has an argument `mask`."""
    function = model.forward if isinstance(model, nn.Module) else model
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
    return "mask" in parameters


def call(
    model: Callable[..., Any],
    x: Tensor,
    mask: Bool[Tensor, "batch n"] | None,
    name: str = "model",
) -> Any:
    """Call a model on sets without padding, or with it if it takes a mask; else raise."""
    if mask is None:
        return model(x)
    if not takes_mask(model):
        raise TypeError(
            f"{name} must take a mask to be given sets with padding, {name}(x, mask=mask), got "
            f"{getattr(model, '__name__', type(model).__name__)}; in a SetNetwork, modules that "
            "act on every member by itself need none"
        )
    return model(x, mask=mask)


def at_least_single(dtype: torch.dtype) -> torch.dtype:
    """Return the type for sums and counts: half precision has no large numbers, or few digits."""
    return torch.promote_types(dtype, torch.float32)


def is_transformed(x: Tensor) -> bool:
    """Return whether a compiler, autocast or a transform of `torch.func` sees every operation.

    A compiler fuses by itself, autocast chooses the type of each product, and a transform has a
    rule of its own for each operation that writes a new tensor.
    """
    return (
        torch.compiler.is_compiling()
        or is_autocast(x)
        or torch._C._are_functorch_transforms_active()
    )


def is_autocast(x: Tensor) -> bool:
    """Return whether autocast is on for the device of `x`; some, such as meta, have none."""
    if not torch._C._is_any_autocast_enabled():  # the quick answer to most calls
        return False
    kind = x.device.type
    return torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)


@contextlib.contextmanager
def modes_kept(model: Callable[..., Any]) -> Iterator[list[nn.Module]]:
    """Let the modules of a model change between training and evaluation; undone afterwards."""
    modules = list(model.modules()) if isinstance(model, nn.Module) else []
    modes = [module.training for module in modules]
    try:
        yield modules
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode


def permute_rows(
    x: Shaped[Tensor, "batch n d"], orders: Int[Tensor, "batch n"]
) -> Shaped[Tensor, "batch n d"]:
    r"""Permute the rows of every set by a permutation of its own: $y_{bi} = x_{b, \sigma_b(i)}$."""
    return x.gather(1, orders[..., None].expand_as(x))


def chunk_size(chosen: int | None, batch: int) -> int:
    """Return how many permutations of `batch` sets make a super-batch: as chosen, or a good number.

    Example:
        >>> chunk_size(None, 32), chunk_size(10, 32)
        (256, 10)
    """
    if chosen is not None:
        return chosen
    if torch.compiler.is_compiling():
        return _COMPILED_CHUNK  # one that depends on the batch would tie the model to it
    return max(1, _SUPERBATCH_SETS // max(1, batch))
