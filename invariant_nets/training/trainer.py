r"""Training a model for any task, with early stopping."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau

from invariant_nets._arguments import step_size
from invariant_nets.ranks import Ranks, join_ranks
from invariant_nets.training.arguments import check_optimizer, check_scheduler
from invariant_nets.training.batches import Batch, ShardedBatches, check_loader
from invariant_nets.training.fitting import fitted
from invariant_nets.training.history import History, LossAndScore
from invariant_nets.training.passes import Passes
from invariant_nets.training.tasks import Task

Batches = Iterable[Batch]


class Trainer:
    r"""Fits a model to a task: labels 0 and 1, classes or numbers, of each set or each member.

    Args:
        model: a module that maps a batch of sets to the outputs of the task, and takes a `mask` if
            sets differ in size.
        task: the outputs, their loss and their score, see `Task`. Its loss is averaged over labels,
            of sets or of the members of all sets, in at least single precision.
        optimizer: an optimizer of the model's parameters; a warning names those that it leaves out.
        device: where the model and the batches are moved; by default the model stays where it is.
            With several ranks on one machine, "cuda" is a GPU for each rank.
        log: show a progress bar.
        scheduler: one of `torch.optim.lr_scheduler` for this optimizer, which makes a step after
            each epoch, `ReduceLROnPlateau` with the validation loss.
        per_step: whether it makes a step after each batch instead.
        clip_norm: scale the gradient down to this norm if it is larger; above 0.
        autocast: run the model under `torch.autocast` in this type, bfloat16 or float16; losses of
            float16 are scaled.
        process_group: with several ranks, those among which each batch is divided; all by default.
            In a mesh it is the axis of the data; what the other axis divides, such as the group of
            a `SymmetryModel`, is given to the model.

    Raises:
        TypeError: if an argument is of the wrong kind.
        ValueError: if the optimizer belongs to another model or the scheduler to another optimizer,
            a number is out of its range, or no parameter requires a gradient.

    Example:
        >>> from torch.utils.data import DataLoader, TensorDataset
        >>> from invariant_nets import deep_sets
        >>> x = torch.randn(64, 10, 2)
        >>> data = DataLoader(TensorDataset(x, x.amax((1, 2))[:, None]), 32)
        >>> model = deep_sets(10, 2)
        >>> optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        >>> trainer = Trainer(model, Task.regression(), optimizer)
        >>> trainer.fit(data, data, num_epochs=2).score
        'mean absolute error'
        >>> trainer.test(data).score < 3
        True

    Used in chapters 12 and 13 and appendix B; `compare` of chapter 11 trains with it.
    """

    def __init__(
        self,
        model: nn.Module,
        task: Task,
        optimizer: torch.optim.Optimizer,
        device: torch.device | str | None = None,
        log: bool = False,
        *,
        scheduler: LRScheduler | ReduceLROnPlateau | None = None,
        per_step: bool = False,
        clip_norm: float | None = None,
        autocast: torch.dtype | None = None,
        process_group: dist.ProcessGroup | None = None,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
        if isinstance(model, DistributedDataParallel):
            raise TypeError("model must be the module itself, for `fit` makes it data-parallel")
        if not isinstance(task, Task):
            raise TypeError(f"task must be a Task, such as Task.classes(3), got {task!r}")
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise TypeError(f"optimizer must be a torch optimizer, got {type(optimizer).__name__}")
        check_scheduler(scheduler, optimizer, per_step)
        if autocast not in (None, torch.bfloat16, torch.float16):
            raise ValueError(f"autocast must be torch.bfloat16 or torch.float16, got {autocast}")
        self.task = task
        self.process_group = process_group
        self.device = _device_of(model) if device is None else _own_device(device)
        self.model = model.to(self.device)
        if isinstance(task.loss_fn, nn.Module):
            task.loss_fn.to(self.device)
        check_optimizer(self.model, optimizer)
        self.optimizer = optimizer
        self.log = log
        self.scheduler, self.per_step = scheduler, per_step
        self.clip_norm = None if clip_norm is None else step_size("clip_norm", clip_norm)
        self.autocast = autocast
        self.history = History()

    def fit(
        self,
        dl_train: Batches,
        dl_valid: Batches,
        num_epochs: int,
        print_every: int | None = None,
        early_stopping: int | None = None,
        *,
        checkpoint: str | os.PathLike[str] | None = None,
        stateless: Sequence[Any] = (),
    ) -> History:
        """Train for some epochs, and evaluate the validation sets after each.

        Ctrl-C ends the fit; the history then holds the completed epochs. The same seed gives the
        same weights, to the last bit, on a CPU with the same versions and number of threads, with
        any number of loader workers.

        Started by `torchrun`, the same call trains on all ranks together, as one process would: the
        batches of the loaders are divided among the ranks, gradients, losses and scores are
        those of the whole batch, and every rank has the same weights and the same history. Only
        the first rank shows a progress bar and writes checkpoints. An error or Ctrl-C on one rank
        ends all. Modules that mix the sets of a batch see only those of their rank: for example,
        batch normalization differs from that of one process.

        With a `checkpoint` folder the same call, in a program that makes model, optimizer and
        loaders in the same way, continues where a run was killed, and ends with the same weights to
        the last bit. After each epoch it saves the history; the weights, buffers and best weights
        of the model; the optimizer; the global generators of Python, NumPy and torch; and, found by
        a walk through loaders, model, loss and optimizer, their functions and hooks, every
        generator of these three kinds and every object with `state_dict` and `load_state_dict`,
        such as a `GaussianDataset` in a `Subset`, or a scheduler of the learning rate.
        Everything else must not change while the model is trained. An attribute that changes, an
        object that cannot be inspected, and persistent workers of your own data are refused, unless
        you declare them `stateless`. The walk does not inspect the state of compiled code and of
        other programs, the global variables of a module that are neither numbers, tensors nor
        generators, and what a function adds to a list.

        Args:
            dl_train: batches `(x, label)` to train on, new in each epoch; or `((x, mask), label)`
                for sets of different sizes, as `collate_sets` makes them. With several ranks each
                rank has the same loader; of a dataset with indices a rank loads only its part, in
                the order of the first rank.
            dl_valid: batches to evaluate after each epoch. They alone may choose anything: when to
                stop, which weights to keep, and the course of a scheduler.
            num_epochs: the largest number of passes over `dl_train`, at least 1.
            print_every: with `log`, also write a line after each period of this many epochs, at
                least 1.
            early_stopping: stop after this many epochs in a row without a lower validation loss, at
                least 1, and keep the weights of the epoch with the lowest, however the fit ends. By
                default all epochs run and the last weights are kept.
            checkpoint: a folder for the last two checkpoints; training continues from one that has
                some.
            stateless: objects among data, model, loss and optimizer that may change although
                there is a checkpoint, because later results do not depend on them: a cache, a file,
                a record. Generators in them are saved nevertheless.

        Returns:
            The history of this fit, also kept as `trainer.history`.

        Raises:
            TypeError: if a loader is an iterator, which would be spent after one epoch, or a
                dataset; a batch is of another kind; `x` is not of the type of the weights; or the
                model returns no tensor.
            ValueError: if an argument is out of its range, a loader is empty, labels do not fit
                the outputs or the task, `BCELoss` is given other outputs than probabilities,
                or the loss is no mean or does not depend on the outputs. One pass over `dl_valid`
                is made before the training starts.
            CheckpointError: if the folder's checkpoints are damaged or of another run, or, at the
                latest when the first one is written, if the run depends on something not saved.
            OSError: if a checkpoint cannot be written; the last one is then intact.
            FloatingPointError: if a loss becomes NaN or infinite; the message names the epoch, and
                the weights are those before the batch in which it happened.
            RuntimeError: if another rank failed, was killed, or does not answer.
        """
        loaders = {"dl_train": dl_train, "dl_valid": dl_valid}
        options = num_epochs, print_every, early_stopping, checkpoint, stateless
        history: History = fitted(self, loaders, *options)
        return history

    def test(self, dl_test: Batches) -> LossAndScore:
        """Return the mean loss and score on sets that chose nothing, of all ranks together.

        Args:
            dl_test: batches as `fit` takes them.

        Raises:
            TypeError: if it gives no batches, or the model no tensor.
            ValueError: if it is empty, or labels do not fit.
            FloatingPointError: if the loss is NaN or infinite.
        """
        check_loader("dl_test", dl_test)
        join_ranks()
        ranks = Ranks(self.process_group)
        with ranks.deferred_interrupt() as interrupted:
            passes = Passes(self.model, self.task, self.device, ranks, interrupted, self.autocast)
            return LossAndScore(*passes.test(ShardedBatches(dl_test, ranks, "dl_test"), epoch=1))


def _device_of(model: nn.Module) -> torch.device:
    return next((p.device for p in model.parameters()), torch.device("cpu"))


def _own_device(device: torch.device | str) -> torch.device:
    chosen = torch.device(device)
    if str(chosen) == "cuda" and "LOCAL_RANK" in os.environ:
        return torch.device(chosen.type, int(os.environ["LOCAL_RANK"]))
    return chosen
