"""Which indices of each name there are in each entry of a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from invariant_nets._sets import Mask


def checked_masks(
    mask: Mask | Mapping[str, Tensor], axes: Sequence[str], lengths: Mapping[str, int], batch: int
) -> dict[str, Tensor]:
    """Return the masks by name, or raise; one tensor is that of the first axis."""
    if mask is None:
        return {}
    several = isinstance(mask, Mapping)
    given: Mapping[str, Any] = mask if isinstance(mask, Mapping) else {axes[0]: mask}
    found: dict[str, Tensor] = {}
    for name, each in given.items():
        text = f"mask[{name!r}]" if several else "mask"
        if name not in lengths:
            raise ValueError(f"mask must be of names in {sorted(lengths)}, got one of {name!r}")
        present = getattr(each, "mask", each)
        if not isinstance(present, Tensor):
            raise TypeError(f"{text} must be a tensor, got {type(present).__name__}")
        if present.dtype != torch.bool:
            raise TypeError(f"{text} must be of bool, True where one is, got {present.dtype}")
        if tuple(present.shape) != (batch, lengths[name]):
            raise ValueError(
                f"{text} must have shape (batch, {name}) = {(batch, lengths[name])}, "
                f"got {tuple(present.shape)}"
            )
        found[name] = present
    return found


def zero_outside(x: Tensor, axes: Sequence[str], masks: Mapping[str, Tensor]) -> Tensor:
    """Return `x` with 0 where an index of an axis is not there."""
    absent = None
    for axis, name in enumerate(axes):
        if name in masks:
            shape = [1] * x.ndim
            shape[0], shape[1 + axis] = masks[name].shape
            here = ~masks[name].view(shape)
            absent = here if absent is None else absent | here
    return x if absent is None else x.masked_fill(absent, 0)
