"""One pass of a model over the batches, on one rank or on many that add up what they find."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from invariant_nets._arguments import model_output, warn
from invariant_nets._sets import at_least_single, call
from invariant_nets.ranks import Ranks
from invariant_nets.training.arguments import (
    check_gradient,
    check_not_sum,
    check_outputs,
    takes_logits,
    takes_probabilities,
    warn_of_sigmoid,
)
from invariant_nets.training.batches import IN_WORDS, Batch, Counted, ShardedBatches
from invariant_nets.training.data_parallel import DataParallel
from invariant_nets.training.tasks import Task

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
    task: Task
    device: torch.device
    ranks: Ranks
    interrupted: Callable[[], bool]
    autocast: torch.dtype | None = None

    def test(self, batches: ShardedBatches, epoch: int) -> tuple[float, float]:
        """Return the mean loss and score over the labels, of all ranks together."""
        self.model.eval()
        with torch.no_grad():
            return self._run(batches, epoch, partial(call, self.model), None)

    def train(
        self,
        batches: ShardedBatches,
        epoch: int,
        parallel: DataParallel,
        steps: Steps,
    ) -> tuple[float, float]:
        """Make a step of the optimizer after each batch, and return the same."""
        self.model.train()
        with torch.enable_grad():
            means = self._run(batches, epoch, parallel, steps)
        parallel.share_buffers()
        return means

    def _run(
        self, batches: ShardedBatches, epoch: int, forward: Forward, steps: Steps | None
    ) -> tuple[float, float]:
        loss_sum = score_sum = all_labels = 0.0
        name, iterator = batches.name, batches.epoch(epoch)
        lowest, highest = math.inf, -math.inf  # of the labels
        while (found := self._next(iterator, name)) is not None:
            batch, count, labels = found
            judged = self._judged(batch, name, forward)
            loss = judged.loss
            own = [loss.item() * count, judged.score * count] if count else [0.0, 0.0]
            rows = self.ranks.gather([*own, *judged.labels], self.device)
            losses, scores, least, most = zip(*rows, strict=True)
            batch_loss = sum(losses)
            lowest, highest = min(lowest, *least), max(highest, *most)
            value = batch_loss / labels if labels else math.nan
            if not math.isfinite(value):
                kind = IN_WORDS.get(name, name)
                message = f"the {kind} loss became {value} in epoch {epoch}"
                raise FloatingPointError(message) from judged.problem
            if epoch == 1 and not all_labels:
                self._look_at_first(judged, steps)
            if steps is not None:
                # The mean over ranks of these is the mean over the labels of all.
                share = count * self.ranks.size / labels
                steps.take(loss if self.ranks.size == 1 else loss * share, forward)
            loss_sum += batch_loss
            score_sum += sum(scores)
            all_labels += labels
        if not all_labels:
            raise ValueError(
                f"{name} must give at least one sample, got none in epoch {epoch}: it must give "
                "its batches anew each epoch"
            )
        if epoch == 1 and steps and lowest == highest and self.ranks.first:
            warn(
                f"all labels of {name} are {lowest:g}: there is nothing to tell apart",
            )
        return loss_sum / all_labels, score_sum / all_labels

    def _look_at_first(self, judged: _Judged, steps: Steps | None) -> None:
        loss_fn = self.task.loss_fn
        if steps is None:
            if not (takes_logits(loss_fn) or takes_probabilities(loss_fn)):
                check_not_sum(loss_fn, judged.output, judged.label)
        elif judged.label.numel():
            check_gradient(loss_fn, judged.loss, judged.output, judged.label)
            if self.ranks.first:
                warn_of_sigmoid(self.model, loss_fn, judged.output)

    def _next(self, iterator: Iterator[Counted], name: str) -> tuple[Batch, int, int] | None:
        """Return the next batch, and how many labels it has here and on all ranks; or None."""
        step, counted, problem = _Step.DONE, None, None
        try:
            if (counted := next(iterator, None)) is None:
                step = _Step.NO_BATCH
        except Exception as error:
            step, problem = _Step.FAILED, error
        if self.interrupted():
            step = _Step.INTERRUPTED
        count = self._labels_of(counted) if counted else 0
        # All meet here before a model is called, in which ranks may have to wait for each other.
        rows = self.ranks.gather([step, count], self.device)
        if problem is not None:
            raise problem
        if _agreed([_Step(int(row[0])) for row in rows], name) == _Step.NO_BATCH:
            return None
        assert counted is not None
        return counted[1], count, int(sum(row[1] for row in rows))

    def _labels_of(self, counted: Counted) -> int:
        samples, (inputs, _) = counted
        if not samples:  # a stand-in, where there are more ranks than samples
            return 0
        return self.task.count(*(inputs if isinstance(inputs, tuple | list) else (inputs, None)))

    def _judged(self, batch: Batch, name: str, forward: Forward) -> _Judged:
        inputs, label = batch
        x, mask = inputs if isinstance(inputs, tuple | list) else (inputs, None)
        x, label = x.to(self.device), label.to(self.device)
        mask = None if mask is None else mask.to(self.device)
        output = self._output(x, mask, forward)
        self.task.check_labels(label, output, name)
        output, label = self.task.of_members(output, label, mask)
        labels = self.task.check_range(label, name)
        wide = at_least_single(output.dtype)
        output = output.to(wide)
        label = label.to(wide if label.is_floating_point() else torch.int64)
        if not label.numel():  # a rank whose sets are all empty
            return _Judged(output.sum() * 0, 0.0, labels, output, label, None)
        low, high = torch.stack(output.detach().aminmax()).tolist()
        score = self.task.score_fn(output.detach(), label).double().mean().item()
        if not (math.isfinite(low) and math.isfinite(high)):
            wrong = not (x if mask is None else x[mask]).isfinite().all()
            problem = ValueError(f"x of {name} holds NaN or infinite numbers") if wrong else None
            return _Judged(output.new_tensor(math.nan), score, labels, output, label, problem)
        check_outputs(self.task.loss_fn, low, high)
        loss = self.task.loss_fn(output, label)
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            shape = tuple(loss.shape) if isinstance(loss, Tensor) else type(loss).__name__
            raise ValueError(
                f"loss_fn must average over the batch, a tensor of one number, got {shape}"
            )
        return _Judged(loss, score, labels, output, label, None)

    def _output(self, x: Tensor, mask: Tensor | None, forward: Forward) -> Tensor:
        kind, cast = self.device.type, self.autocast
        with torch.autocast(kind, cast) if cast else contextlib.nullcontext():
            output = model_output(forward(x, mask), len(x))
        if not output.is_floating_point() or not output.numel():
            raise TypeError(
                "model must return floating-point numbers, one per label, got "
                f"{output.dtype} of shape {tuple(output.shape)}"
            )
        return output


class Steps:
    """Steps of an optimizer: gradients are made small where they are large, rates as scheduled."""

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        max_norm: float | None,
        scheduler: LRScheduler | ReduceLROnPlateau | None,
        scaler: torch.amp.GradScaler,
        per_step: bool = False,
    ) -> None:
        self.optimizer, self.max_norm, self.scaler = optimizer, max_norm, scaler
        self.scheduler, self.per_step = scheduler, per_step

    def take(self, loss: Tensor, forward: Forward) -> None:
        """Make a step down a loss."""
        self.optimizer.zero_grad()
        torch.autograd.backward(self.scaler.scale(loss))
        if isinstance(forward, DataParallel):
            forward.check_gradients()
        if self.max_norm is not None:
            self.scaler.unscale_(self.optimizer)
            held = [p for group in self.optimizer.param_groups for p in group["params"]]
            nn.utils.clip_grad_norm_(held, self.max_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.scheduler is not None and self.per_step:
            self.scheduler.step()

    def end_epoch(self, held_out_loss: float) -> None:
        """Let the scheduler choose the rates of the next epoch."""
        if isinstance(self.scheduler, ReduceLROnPlateau):
            self.scheduler.step(held_out_loss)
        elif self.scheduler is not None and not self.per_step:
            self.scheduler.step()


class _Judged(NamedTuple):
    """What is found of a batch: its mean loss and score, and the range of its labels."""

    loss: Tensor
    score: float
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
