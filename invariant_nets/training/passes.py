"""One pass of a model over the batches, on one rank or on many that add up what they find."""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from invariant_nets._arguments import model_output
from invariant_nets._sets import at_least_single, call
from invariant_nets.ranks import Ranks
from invariant_nets.training.arguments import (
    check_gradient,
    check_labels,
    check_mean,
    takes_probabilities,
    warn_of_sigmoid,
)
from invariant_nets.training.batches import Batch, Counted, ShardedBatches

Loss = Callable[[Tensor, Tensor], Tensor]
Forward = Callable[[Tensor, Tensor | None], Tensor]


class _Step(IntEnum):
    """What a rank tells the others at every step."""

    DONE = 0
    NO_BATCH = 1
    INTERRUPTED = 2
    FAILED = 3


@dataclass(frozen=True)
class Passes:
    """What all passes of a fit share; `interrupted` says whether Ctrl-C waits to be obeyed."""

    model: nn.Module
    loss_fn: Loss
    threshold: float
    device: torch.device
    ranks: Ranks
    interrupted: Callable[[], bool]

    def test(self, batches: ShardedBatches, epoch: int) -> tuple[float, float]:
        """Return the mean loss and accuracy over the samples, of all ranks together."""
        self.model.eval()
        with torch.no_grad():
            return self._run(batches, "dl_test", epoch, partial(call, self.model), None)

    def train(
        self,
        batches: ShardedBatches,
        epoch: int,
        parallel: DataParallel,
        optimizer: torch.optim.Optimizer,
    ) -> tuple[float, float]:
        """Make a step of the optimizer after each batch, and return the same."""
        self.model.train()
        with torch.enable_grad():
            means = self._run(batches, "dl_train", epoch, parallel, optimizer)
        parallel.share_buffers()
        return means

    def _run(
        self,
        batches: ShardedBatches,
        name: str,
        epoch: int,
        forward: Forward,
        optimizer: torch.optim.Optimizer | None,
    ) -> tuple[float, float]:
        loss_sum = correct_sum = all_samples = 0.0
        iterator = batches.epoch(epoch)
        lowest, highest = math.inf, -math.inf  # of the labels
        while (found := self._next(iterator, name)) is not None:
            batch, count, samples = found
            judged = self._judged(batch, name, forward)
            loss = judged.loss
            own = [loss.item() * count, judged.correct * count] if count else [0.0, 0.0]
            rows = self.ranks.gather([*own, *judged.labels], self.device)
            losses, rights, least, most = zip(*rows, strict=True)
            batch_loss, batch_correct = sum(losses), sum(rights)
            lowest, highest = min(lowest, *least), max(highest, *most)
            value = batch_loss / samples if samples else math.nan
            if not math.isfinite(value):
                kind = "test" if optimizer is None else "training"
                message = f"the {kind} loss became {value} in epoch {epoch}"
                raise FloatingPointError(message) from judged.problem
            if epoch == 1 and not all_samples:
                if optimizer is None:
                    check_mean(self.loss_fn, judged.output, judged.label)
                else:
                    check_gradient(self.loss_fn, loss, judged.output, judged.label)
                    if self.ranks.first:
                        warn_of_sigmoid(self.model, self.loss_fn, judged.output)
            if optimizer is not None:
                optimizer.zero_grad()
                # The mean over ranks of these is the mean over the samples of all.
                share = count * self.ranks.size / samples
                torch.autograd.backward(loss if self.ranks.size == 1 else loss * share)
                if isinstance(forward, DataParallel):
                    forward.check_gradients()
                optimizer.step()
            loss_sum += batch_loss
            correct_sum += batch_correct
            all_samples += samples
        if not all_samples:
            raise ValueError(
                f"{name} must give at least one sample, got none in epoch {epoch}: it must give "
                "its batches anew each epoch"
            )
        if epoch == 1 and optimizer is not None and lowest == highest and self.ranks.first:
            warnings.warn(
                f"all labels of {name} are {lowest:g}: there is nothing to tell apart",
                UserWarning,
                stacklevel=4,
            )
        return loss_sum / all_samples, correct_sum / all_samples

    def _next(self, iterator: Iterator[Counted], name: str) -> tuple[Batch, int, int] | None:
        """Return the next batch, and how many samples it has here and on all ranks; or None."""
        step, counted, problem = _Step.DONE, None, None
        try:
            if (counted := next(iterator, None)) is None:
                step = _Step.NO_BATCH
        except Exception as error:
            step, problem = _Step.FAILED, error
        if self.interrupted():
            step = _Step.INTERRUPTED
        count = counted[0] if counted else 0
        # All meet here before a model is called, in which ranks may have to wait for each other.
        rows = self.ranks.gather([step, count], self.device)
        if problem is not None:
            raise problem
        if _agreed([_Step(int(row[0])) for row in rows], name) == _Step.NO_BATCH:
            return None
        assert counted is not None
        return counted[1], count, int(sum(row[1] for row in rows))

    def _judged(self, batch: Batch, name: str, forward: Forward) -> _Judged:
        inputs, label = batch
        x, mask = inputs if isinstance(inputs, tuple | list) else (inputs, None)
        x, label = x.to(self.device), label.to(self.device)
        mask = None if mask is None else mask.to(self.device)
        output = self._output(x, mask, forward)
        labels = check_labels(label, output, name)
        wide = at_least_single(output.dtype)
        output, label = output.to(wide), label.to(wide)
        low, high = torch.stack(output.detach().aminmax()).tolist()
        correct = ((output > self.threshold) == (label > 0.5)).double().mean().item()
        if not (math.isfinite(low) and math.isfinite(high)):
            wrong = not (x if mask is None else x[mask]).isfinite().all()
            problem = ValueError(f"x of {name} holds NaN or infinite numbers") if wrong else None
            return _Judged(output.new_tensor(math.nan), correct, labels, output, label, problem)
        if takes_probabilities(self.loss_fn) and not 0 <= low <= high <= 1:
            raise ValueError(
                "the outputs of the model must be probabilities for BCELoss, in [0, 1], got "
                f"{low if low < 0 else high:g}: take BCEWithLogitsLoss, or end in a sigmoid"
            )
        loss = self.loss_fn(output, label)
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            shape = tuple(loss.shape) if isinstance(loss, Tensor) else type(loss).__name__
            raise ValueError(
                f"loss_fn must average over the batch, a tensor of one number, got {shape}"
            )
        return _Judged(loss, correct, labels, output, label, None)

    def _output(self, x: Tensor, mask: Tensor | None, forward: Forward) -> Tensor:
        output = model_output(forward(x, mask), len(x))
        if not output.is_floating_point() or not output.numel():
            raise TypeError(
                "model must return floating-point numbers, one a label, got "
                f"{output.dtype} of shape {tuple(output.shape)}"
            )
        return output


class _Judged(NamedTuple):
    """What is found of a batch: its mean loss, the share on the right side, the range of labels."""

    loss: Tensor
    correct: float
    labels: tuple[float, float]
    output: Tensor
    label: Tensor
    problem: ValueError | None


def _agreed(steps: list[_Step], name: str) -> _Step:
    """Return what all ranks did, or raise what one of them cannot go on from."""
    if _Step.FAILED in steps:
        raise RuntimeError(f"rank {steps.index(_Step.FAILED)} failed; its own message says why")
    if _Step.INTERRUPTED in steps:
        raise KeyboardInterrupt
    if len(set(steps)) > 1:
        raise ValueError(f"{name} must give as many batches on every rank, got fewer on some")
    return steps[0]


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
