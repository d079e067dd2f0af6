"""Batches of sets as tensors: padding and masks, rows, precision, and how many go at once.

Smaller sets are padded, and a mask says which rows are members. What the padding holds, NaN even,
reaches no value and no gradient, by one rule:

- What takes a mask takes any padding, and leaves zeros there if it keeps the set axis.
- What takes none must act on every member by itself, be it known to or declared so; all else is
  refused. Linear maps and activations need numbers in the padding and leave numbers, such as a
  bias; others need zeros and may leave anything.
- `SetNetwork` and `call`, which hand sets on, put zeros where there is less than is needed.

A mask is checked at the first door that it comes to, and goes on as `Members`, which is trusted, to
the parts of this package that say `takes_members = True`; to all others it goes on as it came.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor, nn

from invariant_nets._arguments import autocasts, first_weight, of_weights
from invariant_nets._rows import front, is_traced
from invariant_nets._torch_modules import acts_by_member, advice, is_sequence, is_simple, is_torchs

_SUPERBATCH_SETS = 8192  # so few keep a small network's activations in the cache
_COMPILED_CHUNK = 256


class Members:
    """A mask that was checked, and what is made of it, once.

    Attributes:
        checked: that it was.
        mask: true where a member is.
        in_front: whether all members are known to come before the padding.
    """

    checked = True
    _absent: Tensor | None = None
    _counts: Tensor | None = None
    _front: Members | None = None

    def __init__(self, mask: Bool[Tensor, "batch n"], in_front: bool = False) -> None:
        self.mask = mask
        self.in_front = in_front

    def absent(self, ndim: int) -> Bool[Tensor, "batch n *ones"]:
        """Return where no member is, for sets as a tensor with this number of axes."""
        if self._absent is None or self._absent.ndim != ndim:
            self._absent = ~self.mask
            for _ in range(ndim - self.mask.ndim):
                self._absent = self._absent.unsqueeze(-1)
        return self._absent

    def counts(self, dtype: torch.dtype) -> Float[Tensor, "batch 1"]:
        """Return how many members each set has, but 1 where it has none: a divisor of sums."""
        if self._counts is None or self._counts.dtype != dtype:
            self._counts = self.mask.sum(1, keepdim=True, dtype=dtype).clamp_min_(1)
        return self._counts

    def front(self) -> Members:
        """Return those of the sets whose members were moved to the front."""
        if self._front is None:
            present = front(self.mask)
            assert present is not None
            self._front = Members(present, in_front=True)
        return self._front


Mask = Tensor | Members | None


def members_of(mask: Mask) -> Members | None:
    """Return a mask that was checked as `Members`, which it may be already."""
    return Members(mask) if isinstance(mask, Tensor) else mask


def zero_padding(x: Shaped[Tensor, "batch n *rest"], mask: Mask) -> Shaped[Tensor, "batch n *rest"]:
    """Return `x` with 0 where no member is; whatever was there reaches no value and no gradient."""
    members = members_of(mask)
    return x if members is None else x.masked_fill(members.absent(x.ndim), 0)


def zero_padding_(
    y: Shaped[Tensor, "batch n *rest"], mask: Mask
) -> Shaped[Tensor, "batch n *rest"]:
    """Do the same in place, to what a layer has just made and no derivative needs."""
    members = members_of(mask)
    return y if members is None else y.masked_fill_(members.absent(y.ndim), 0)


def member_mean(x: Float[Tensor, "batch n *rest"], mask: Mask) -> Float[Tensor, "batch *rest"]:
    """Return the mean over the members of sets whose padding is 0; that of an empty set is 0."""
    members = members_of(mask)
    if members is None:
        return x.mean(1)
    wide = at_least_single(x.dtype)
    counts = members.counts(wide)
    for _ in range(x.ndim - 3):
        counts = counts.unsqueeze(-1)
    mean = x.sum(1, dtype=wide) / counts
    return mean if wide == x.dtype else mean.to(x.dtype)


ANYTHING, NUMBERS, ZEROS = range(3)  # what padding may hold


class Manner(NamedTuple):
    """How a module or function treats padding: what it needs there, and what it leaves.

    `refusal` says why sets with padding cannot go through it, if they cannot.
    """

    takes_mask: bool = False
    takes_members: bool = False
    by_member: bool = False
    pools: bool = False
    needs: int = ZEROS
    leaves: int = ANYTHING
    refusal: str = ""


_MANNERS: WeakKeyDictionary[Any, Manner] = WeakKeyDictionary()


def manner(model: Callable[..., Any]) -> Manner:
    """Return how a module or function treats padding, which is found out once for each."""
    if torch.compiler.is_compiling():
        return _found_out(model)
    try:
        return _MANNERS[model]
    except KeyError:
        found = _found_out(model)
        if not found.refusal:  # it may yet be declared
            _MANNERS[model] = found
        return found
    except TypeError:  # not every callable can be referred to weakly
        return _found_out(model)


def _found_out(model: Callable[..., Any]) -> Manner:
    if takes_mask(model):
        # A module by its class: what wraps it hands on tensors only.
        speaker = type(model) if isinstance(model, nn.Module) else model
        pools = bool(getattr(model, "pools", False))
        if getattr(speaker, "takes_members", False):
            return Manner(True, True, pools=pools, needs=ANYTHING, leaves=ZEROS)
        return Manner(True, pools=pools)
    if not isinstance(model, nn.Module):
        return Manner()
    if is_simple(model):
        return Manner(by_member=True, needs=NUMBERS, leaves=NUMBERS)
    return Manner(refusal=_refusal(model))


def _refusal(module: nn.Module) -> str:
    """Return why sets with padding cannot go through a module without a mask, if they cannot."""
    if getattr(module, "by_member", False) or acts_by_member(module):
        return ""
    if (inside := _wrapped(module)) is not None:
        return _refusal(inside)
    name = type(module).__name__
    if is_sequence(module):
        parts = (f"{name}, {_refusal(part)}" for part in module.children() if _refusal(part))
        return next(parts, "")
    if takes_mask(module):
        return f"{name} takes a mask, which what is around it does not hand on: use a SetNetwork"
    if (instead := advice(module)) is not None:
        return f"{name} mixes the members of a set: {instead}"
    return (
        f"{name} is not known to act on every member of a set by itself: if it does, declare it, "
        "module.by_member = True; if it mixes them, let its forward take a mask"
    )


def _wrapped(module: Any) -> nn.Module | None:
    """Return what a wrapper hands on to: torch.compile's, and those of ranks and averages."""
    inside = getattr(module, "_orig_mod", getattr(module, "module", None))
    hands_on = any(
        p.kind is inspect.Parameter.VAR_KEYWORD for p in _parameters(module.forward).values()
    )
    return inside if hands_on and isinstance(inside, nn.Module) else None


def takes_mask(model: Callable[..., Any]) -> bool:
    """Return whether a module or function has an argument `mask`, in a wrapper too.

    What torch's own modules call a mask is another one.
    """
    if isinstance(model, nn.Module):
        inside = _wrapped(model)
        own = not is_torchs(model) and "mask" in _parameters(model.forward)
        return own or (inside is not None and takes_mask(inside))
    return "mask" in _parameters(model)


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}


def call(
    model: Callable[..., Any], x: Tensor, mask: Mask, name: str = "model", holds: int = ANYTHING
) -> Any:
    """Call a model on sets without padding, or with it if it takes a mask; else raise."""
    members, options = members_of(mask), {}
    if members is not None:
        how = manner(model)
        if not how.takes_mask:
            in_turn = isinstance(model, nn.Module) and is_sequence(model)
            raise TypeError(
                f"{name} must take a mask to be given sets with padding, {name}(x, mask=mask), got "
                f"{getattr(model, '__name__', type(model).__name__)}"
                f"{': make it a SetNetwork, which hands the mask on' * in_turn}; in a SetNetwork, "
                "modules that act on every member by itself need none"
            )
        x = zero_padding(x, members) if holds < how.needs else x
        options = {"mask": members if how.takes_members else members.mask}
    try:
        return model(x, **options)
    except RuntimeError:  # torch does not say what is to be done about another type
        of_weights(x, first_weight(model))
        raise


def at_least_single(dtype: torch.dtype) -> torch.dtype:
    """Return the type for sums and counts: half precision has no large numbers, or few digits."""
    return torch.promote_types(dtype, torch.float32)


def is_transformed(x: Tensor) -> bool:
    """Return whether what is done to `x` is traced, or autocast chooses the type of each product.

    A compiler fuses by itself, and a transform has a rule of its own for each operation that writes
    a new tensor.
    """
    return is_traced() or autocasts(x.device.type)


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
