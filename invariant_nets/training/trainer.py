r"""Training a binary classifier, and stopping in time."""

from __future__ import annotations

import copy
import math
import os
import time
from collections.abc import Iterable, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from invariant_nets._arguments import positive_int
from invariant_nets.ranks import Ranks, join_ranks
from invariant_nets.training.arguments import (
    check_loader,
    check_loss,
    check_optimizer,
    threshold_of,
)
from invariant_nets.training.batches import Batch, ShardedBatches
from invariant_nets.training.checkpoint import CheckpointError
from invariant_nets.training.history import Epoch, History
from invariant_nets.training.passes import DataParallel, Loss, Passes
from invariant_nets.training.state import TrainingState

Batches = Iterable[Batch]


class BinaryTrainer:
    r"""Fits a model with one output to labels 0 and 1; regression and classes are not possible.

    It reads from the loss what the outputs are, to count how many lie on the right side: logits
    for `BCEWithLogitsLoss` (threshold 0), probabilities for `BCELoss` (threshold 1/2).

    Args:
        model: a module that maps a batch to outputs of the labels' shape.
        loss_fn: `BCEWithLogitsLoss`, `BCELoss`, or their functional forms; anything else needs
            `threshold`. It must average over the batch.
        optimizer: an optimizer of the model's parameters; a warning names those that it leaves out.
        device: where the model and the batches are moved; by default the model stays where it is.
            With several ranks on a machine, "cuda" is each one's own GPU.
        log: show a progress bar.
        threshold: outputs above it count as label 1; by default it follows from `loss_fn`.
        process_group: with several ranks, those among which each batch is divided; all by default.
            In a mesh it is the axis of the data, and what the other axis divides, such as the
            group of a `SymmetryModel`, is the model's matter.

    Raises:
        TypeError: if an argument is of the wrong kind.
        ValueError: if the threshold does not follow from `loss_fn` and is not given, the loss is
            one of several classes or no mean, the optimizer is that of another model, or no
            parameter requires a gradient.

    Example:
        >>> from torch.utils.data import DataLoader
        >>> from invariant_nets import GaussianDataset, intrinsic
        >>> train, test = (GaussianDataset(n, (10, 5), 1.0, 0.8, static=True) for n in (64, 32))
        >>> model = intrinsic(10, 5)
        >>> optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        >>> trainer = BinaryTrainer(model, nn.BCEWithLogitsLoss(), optimizer)
        >>> history = trainer.fit(DataLoader(train, 32), DataLoader(test, 32), num_epochs=2)
        >>> history.num_epochs, history.stopped
        (2, 'all 2 epochs done')

    Used in every chapter; chapter 10 shows what it guards against.
    """

    def __init__(
        self,
        model: nn.Module,
        loss_fn: Loss,
        optimizer: torch.optim.Optimizer,
        device: torch.device | str | None = None,
        log: bool = False,
        *,
        threshold: float | None = None,
        process_group: dist.ProcessGroup | None = None,
    ) -> None:
        if not isinstance(model, nn.Module):
            raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
        if isinstance(model, DistributedDataParallel):
            raise TypeError("model must be the module itself, for `fit` makes it data-parallel")
        check_loss(loss_fn)
        if not isinstance(optimizer, torch.optim.Optimizer):
            raise TypeError(f"optimizer must be a torch optimizer, got {type(optimizer).__name__}")
        self.threshold = threshold_of(loss_fn, threshold)
        self.process_group = process_group
        self.device = _device_of(model) if device is None else _own_device(device)
        self.model = model.to(self.device)
        self.loss_fn = loss_fn.to(self.device) if isinstance(loss_fn, nn.Module) else loss_fn
        check_optimizer(self.model, optimizer)
        self.optimizer = optimizer
        self.log = log
        self.history = History()

    def fit(
        self,
        dl_train: Batches,
        dl_test: Batches,
        num_epochs: int,
        print_every: int | None = None,
        early_stopping: int | None = None,
        *,
        checkpoint: str | os.PathLike[str] | None = None,
        stateless: Sequence[Any] = (),
    ) -> History:
        """Train for some epochs, testing after each.

        Ctrl-C ends the fit; the history then holds the completed epochs. The same seed gives the
        same weights, to the last bit, on a CPU with the same versions and number of threads, with
        any number of loader workers.

        Started by `torchrun`, the same call trains on all ranks together, as one process would: the
        batches of the loaders are divided among the ranks, gradients, losses and accuracies are
        those of the whole batch, and every rank has the same weights and the same history. Only
        the first one shows a progress bar and writes checkpoints. An error or Ctrl-C on one rank
        ends all. What mixes the sets of a batch sees those of its rank: batch normalization, say,
        is not that of one process.

        With a `checkpoint` folder the same call, in a program that makes model, optimizer and
        loaders the same way, goes on where a run was killed, and ends with the same weights to the
        last bit. Kept after each epoch are the history; the weights, buffers and best weights of
        the model; the optimizer; the global generators of Python, NumPy and torch; and, found by a
        walk through loaders, model, loss and optimizer, their functions and hooks, every generator
        of these three kinds and every object with `state_dict` and `load_state_dict`, such as a
        `GaussianDataset` in a `Subset`, or a scheduler of the learning rate that a hook calls.
        Everything else must stay as it is while the model is trained: an attribute that changes,
        what cannot be looked into, and lasting workers of data of your own are refused, unless you
        declare them `stateless`. Not looked at are what compiled code and other programs keep, the
        global variables of a module that are neither numbers, tensors nor generators, and what a
        function adds to a list.

        Args:
            dl_train: batches `(x, label)` to train on, drawn anew each epoch; or
                `((x, mask), label)` for sets of different sizes, as `collate_sets` makes them.
                With several ranks each of them has the same loader; of a dataset with indices it
                loads its part only, in the first one's order.
            dl_test: batches to test on.
            num_epochs: at most so many passes over `dl_train`, at least 1.
            print_every: with `log`, also write a line every so many epochs, at least 1.
            early_stopping: stop after so many epochs in a row without a lower test loss, at least
                1, and end with the weights of the epoch that had the lowest, however the fit ends.
                By default all epochs run and the last weights stay.
            checkpoint: a folder for the last two checkpoints; one that has some is gone on from.
            stateless: objects among data, model, loss and optimizer that may change with a
                checkpoint, for nothing that follows depends on it: a cache, a file, a record.
                Generators in them are kept all the same.

        Returns:
            The history of this fit, also kept as `trainer.history`.

        Raises:
            TypeError: if a loader is an iterator, which would be spent after one epoch, or a
                dataset; a batch is of another kind; `x` is not of the type of the weights; or the
                model returns no tensor.
            ValueError: if an argument is out of its range, a loader is empty, labels do not fit
                the outputs or leave $[0, 1]$, `BCELoss` is given other outputs than probabilities,
                or the loss is no mean or does not depend on the outputs. One test pass is made
                before the training starts.
            CheckpointError: if the folder's checkpoints are damaged or of another run, or, at the
                first one at the latest, if the run depends on something that is not kept.
            OSError: if a checkpoint cannot be written; the last one is then intact.
            FloatingPointError: if a loss becomes NaN or infinite; the message names the epoch, and
                the weights are those before the batch that showed it.
            RuntimeError: if another rank failed, was killed, or does not answer.
        """
        num_epochs = positive_int("num_epochs", num_epochs)
        print_every = None if print_every is None else positive_int("print_every", print_every)
        patience = (
            None if early_stopping is None else positive_int("early_stopping", early_stopping)
        )
        for name, batches in (("dl_train", dl_train), ("dl_test", dl_test)):
            check_loader(name, batches)
        check_optimizer(self.model, self.optimizer)
        if not isinstance(stateless, list | tuple):
            raise TypeError(
                f"stateless must be a list of objects, got {type(stateless).__name__}: [it]"
            )

        join_ranks()
        ranks = Ranks(self.process_group)
        self.history = history = History()
        train_batches, test_batches = (
            ShardedBatches(batches, ranks, name)
            for name, batches in (("dl_train", dl_train), ("dl_test", dl_test))
        )
        best: dict[str, Any] | None = None
        weights: dict[str, Any] | None = None
        shown = self.log and ranks.first
        try:
            with (
                ranks.deferred_interrupt() as interrupted,
                tqdm(total=num_epochs, desc="fit", disable=not shown) as bar,
            ):
                state = TrainingState(
                    self.model,
                    self.optimizer,
                    history,
                    (dl_train, dl_test),
                    ranks,
                    checkpoint,
                    self.loss_fn,
                    stateless,
                )
                passes = Passes(
                    self.model, self.loss_fn, self.threshold, self.device, ranks, interrupted
                )
                parallel = DataParallel(self.model, ranks, self.device)
                # What the first test would raise is raised before an epoch is spent on training. A
                # whole pass: how much of one that is cut short was drawn depends on the workers.
                with torch.random.fork_rng():
                    passes.test(test_batches, epoch=1)
                best = weights = state.resume()
                bar.initial = bar.n = history.num_epochs
                while not (reason := _reason_to_stop(history, num_epochs, patience)):
                    epoch = history.num_epochs + 1
                    start = time.perf_counter()
                    train = passes.train(train_batches, epoch, parallel, self.optimizer)
                    test = passes.test(test_batches, epoch)
                    seconds = max(ranks.gather([time.perf_counter() - start], self.device))
                    if patience is not None and test[0] < min(history.test_loss, default=math.inf):
                        weights = copy.deepcopy(self.model.state_dict())
                    # Side by side, so that an interrupted copy leaves no epoch without its weights.
                    history.epochs.append(Epoch(*train, *test, *seconds))
                    best = weights
                    state.save(best)
                    bar.update()
                    if shown:
                        bar.set_postfix(loss=f"{test[0]:.4f}", acc=f"{test[1]:.3f}")
                        if print_every is not None and epoch % print_every == 0:
                            bar.write(history.line(epoch))
            history.stopped = reason
        except KeyboardInterrupt:
            history.stopped, history.interrupted = "interrupted", True
        except (FloatingPointError, OSError, CheckpointError) as error:
            history.stopped = str(error)
            raise
        finally:
            if best is not None:
                self.model.load_state_dict(best)
                history.restored_best = True
        return history


def _reason_to_stop(history: History, num_epochs: int, patience: int | None) -> str:
    done = history.num_epochs
    if patience is not None and done - (history.best_epoch or 0) >= patience:
        return f"no lower test loss for {patience} epochs"
    return f"all {num_epochs} epochs done" if done >= num_epochs else ""


def _device_of(model: nn.Module) -> torch.device:
    return next((p.device for p in model.parameters()), torch.device("cpu"))


def _own_device(device: torch.device | str) -> torch.device:
    chosen = torch.device(device)
    if str(chosen) == "cuda" and "LOCAL_RANK" in os.environ:
        return torch.device(chosen.type, int(os.environ["LOCAL_RANK"]))
    return chosen
