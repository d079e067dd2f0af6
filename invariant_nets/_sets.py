"""Batches of sets as tensors: padding and masks, rows, precision, and how many go at once.

Smaller sets are padded, and a mask says which rows are members. What the padding holds, NaN even,
reaches no value and no gradient, by one rule:

- What takes a mask takes any padding, and leaves zeros there if it keeps the set axis. It says so
  by an attribute `zeroes_padding = True`, as all modules of this package with a mask do.
- What takes none acts on every member by itself. Linear maps and activations need numbers in the
  padding and leave numbers, such as a bias; what is not known needs zeros and may leave anything.
- `SetNetwork` and `call`, which hand sets on, put zeros where there is less than is needed.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn

_SUPERBATCH_SETS = 8192
_COMPILED_CHUNK = 256


def zero_padding(
    x: Shaped[Tensor, "batch n *rest"], mask: Bool[Tensor, "batch n"] | None
) -> Shaped[Tensor, "batch n *rest"]:
    """Return `x` with 0 where no member is; whatever was there reaches no value and no gradient."""
    return x if mask is None else x.masked_fill(_absent(x, mask), 0)


def zero_padding_(
    y: Shaped[Tensor, "batch n *rest"], mask: Bool[Tensor, "batch n"] | None
) -> Shaped[Tensor, "batch n *rest"]:
    """Do the same in place, to what a layer has just made and no derivative needs."""
    return y if mask is None else y.masked_fill_(_absent(y, mask), 0)


def _absent(x: Tensor, mask: Bool[Tensor, "batch n"]) -> Bool[Tensor, "batch n *ones"]:
    absent = ~mask
    for _ in range(x.ndim - mask.ndim):
        absent = absent.unsqueeze(-1)
    return absent


def member_counts(mask: Bool[Tensor, "batch n"], dtype: torch.dtype) -> Float[Tensor, "batch 1"]:
    """Return how many members each set has, but 1 where it has none: a divisor of sums."""
    return mask.sum(1, keepdim=True, dtype=dtype).clamp_(min=1)


def member_mean(
    x: Float[Tensor, "batch n *rest"], mask: Bool[Tensor, "batch n"] | None
) -> Float[Tensor, "batch *rest"]:
    """Return the mean over the members of sets whose padding is 0; that of an empty set is 0."""
    if mask is None:
        return x.mean(1)
    wide = at_least_single(x.dtype)
    counts = member_counts(mask, wide)
    for _ in range(x.ndim - 3):
        counts = counts.unsqueeze(-1)
    return (x.sum(1, dtype=wide) / counts).to(x.dtype)


def members_first(mask: Bool[Tensor, "*shape"], dim: int = 1) -> Int[Tensor, "*shape"]:
    """Return the order that moves the members to the front and leaves their order as it is."""
    return mask.sort(dim=dim, descending=True, stable=True).indices


def front(mask: Bool[Tensor, "batch n"] | None) -> Bool[Tensor, "batch n"] | None:
    """Return the mask of the sets whose members were moved to the front."""
    if mask is None:
        return None
    return mask.sort(dim=1, descending=True).values


ANYTHING, NUMBERS, ZEROS = range(3)  # what padding may hold


class Manner(NamedTuple):
    """How a module or function treats padding: what it needs there, and what it leaves."""

    takes_mask: bool
    pools: bool
    needs: int
    leaves: int


_BY_MEMBER = (
    nn.Linear,
    nn.ReLU,
    nn.LeakyReLU,
    nn.ELU,
    nn.GELU,
    nn.SiLU,
    nn.Tanh,
    nn.Sigmoid,
    nn.Dropout,
    nn.Identity,
)

_MANNERS: WeakKeyDictionary[Any, Manner] = WeakKeyDictionary()


def manner(model: Callable[..., Any]) -> Manner:
    """Return how a module or function treats padding, which is found out once for each."""
    if torch.compiler.is_compiling():
        return _found_out(model)
    try:
        return _MANNERS[model]
    except KeyError:
        _MANNERS[model] = _found_out(model)
        return _MANNERS[model]
    except TypeError:  # not every callable can be referred to weakly
        return _found_out(model)


def _found_out(model: Callable[..., Any]) -> Manner:
    needs, leaves = ZEROS, ANYTHING
    if getattr(model, "zeroes_padding", False):
        needs, leaves = ANYTHING, ZEROS
    elif type(model) in _BY_MEMBER:
        needs, leaves = NUMBERS, NUMBERS
    return Manner(takes_mask(model), bool(getattr(model, "pools", False)), needs, leaves)


def takes_mask(model: Callable[..., Any]) -> bool:
    """Return whether a module or function has an argument `mask`, in a wrapper too."""
    function = model.forward if isinstance(model, nn.Module) else model
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
    if "mask" in parameters:
        return True
    # Wrappers hand on what they get: torch.compile's, and those of ranks and of averaged weights.
    inside = getattr(model, "_orig_mod", getattr(model, "module", None))
    hands_on = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    return hands_on and isinstance(inside, nn.Module) and takes_mask(inside)


def call(
    model: Callable[..., Any],
    x: Tensor,
    mask: Bool[Tensor, "batch n"] | None,
    name: str = "model",
    holds: int = ANYTHING,
) -> Any:
    """Call a model on sets without padding, or with it if it takes a mask; else raise."""
    if mask is None:
        return model(x)
    how = manner(model)
    if not how.takes_mask:
        raise TypeError(
            f"{name} must take a mask to be given sets with padding, {name}(x, mask=mask), got "
            f"{getattr(model, '__name__', type(model).__name__)}; in a SetNetwork, modules that "
            "act on every member by itself need none"
        )
    return model(zero_padding(x, mask) if holds < how.needs else x, mask=mask)


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


def permute_rows(
    x: Shaped[Tensor, "batch n d"], orders: Int[Tensor, "batch n"]
) -> Shaped[Tensor, "batch n d"]:
    r"""Permute the rows of every set by a permutation of its own: $y_{bi} = x_{b, \sigma_b(i)}$."""
    return x.gather(1, orders.unsqueeze(-1).expand_as(x))


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
