"""A model whose gradients are those of the batches of all ranks."""

from __future__ import annotations

import inspect
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from invariant_nets._sets import call
from invariant_nets.ranks import Ranks

# Buffers include the elements of groups, which never change; what does is shared once an epoch. The
# option was renamed in torch 2.13.
_OPTIONS = inspect.signature(DistributedDataParallel).parameters
_BUFFERS_AT_EVERY_STEP = (
    "forward_sync_buffers" if "forward_sync_buffers" in _OPTIONS else "broadcast_buffers"
)


class DataParallel:
    """Calls the model, and with several ranks averages the gradients over all of them.

    The ranks begin with the first one's weights.
    """

    def __init__(self, model: nn.Module, ranks: Ranks, device: torch.device) -> None:
        self.model = model
        self.wrapped = model
        self.alone = ranks.size == 1
        self._checked = self.alone
        if not self.alone:
            self.wrapped = DistributedDataParallel(
                model,
                device_ids=None if device.type == "cpu" else [device],
                **{_BUFFERS_AT_EVERY_STEP: False},  # type: ignore[arg-type]
            )

    def __call__(self, x: Tensor, mask: Tensor | None) -> Any:
        """Call the model, with its mask if it has one."""
        return call(self.wrapped, x, mask)

    def check_gradients(self) -> None:
        """Raise after the first backward pass if a parameter had no part in it."""
        if self._checked:
            return
        self._checked = True
        unused = [
            name
            for name, parameter in self.model.named_parameters()
            if parameter.requires_grad and parameter.grad is None
        ]
        if unused:
            raise ValueError(
                "model must use all of its parameters when several ranks train it; the loss does "
                f"not depend on {', '.join(unused)}: freeze them with requires_grad_(False)"
            )

    def share_buffers(self) -> None:
        """Give all ranks the running statistics of the first."""
        if self.alone:
            return
        lasting = self.model.state_dict()
        for name, buffer in self.model.named_buffers():
            if name in lasting:
                dist.broadcast(buffer, src=0)
