"""Index tensors of a module: they come from a group, and no state holds them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import torch
from torch import Tensor, nn


class Indexed(nn.Module):
    """A module whose indices go where it goes, and stay what they are whatever becomes of weights.

    `to_empty` empties all buffers, and a module that was made without numbers, on the device meta,
    has none to begin with. So the indices are kept on the CPU too.
    """

    def __init__(self) -> None:
        super().__init__()
        self._indices: dict[str, Tensor] = {}

    def _keep(self, name: str, index: Tensor, device: torch.device) -> None:
        self._indices[name] = index
        self.register_buffer(name, index.to(device), persistent=False)

    def _on(self, device: torch.device, name: str) -> Tensor:
        here: Tensor = getattr(self, name)
        return here if here.device == device else self._indices[name].to(device)

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Self:
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, index in self._indices.items():
            setattr(self, name, index.to(getattr(self, name).device))
        return self
