"""When code that writes in place, or brings its own derivatives, must leave the work to others."""

from __future__ import annotations

import torch
from torch import Tensor


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
