r"""The trainer for labels 0 and 1, which infers the task from its loss."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from invariant_nets.training.arguments import threshold_of
from invariant_nets.training.fitting import fitted
from invariant_nets.training.history import History
from invariant_nets.training.tasks import Loss, Task
from invariant_nets.training.trainer import Batches, Trainer


class BinaryTrainer(Trainer):
    r"""The trainer for labels 0 and 1 of sets, for models with one output per set.

    The loss determines the threshold of the outputs: 0 for the logits of `BCEWithLogitsLoss`, 1/2
    for the probabilities of `BCELoss`. It is `Trainer` with
    `Task.binary(loss_fn, threshold=threshold)`, and calls the sets that are held out test sets. If
    they choose anything, such as when to stop, report the score on other sets.

    Args:
        model: a module that maps a batch to outputs of the labels' shape.
        loss_fn: `BCEWithLogitsLoss`, `BCELoss`, or their functional forms; anything else needs
            `threshold`. It must average over the batch.
        optimizer: as in `Trainer`, and so are `device`, `log` and the options.
        device: where the model and the batches are moved.
        log: show a progress bar.
        threshold: outputs above it count as label 1; by default it follows from `loss_fn`.
        options: `scheduler`, `per_step`, `clip_norm`, `autocast` and `process_group`.

    Raises:
        TypeError: if an argument is of the wrong kind.
        ValueError: as in `Trainer` and `Task.binary`.

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

    Used in chapters 2, 4 and 5; chapter 10 treats early stopping.
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
        **options: Any,
    ) -> None:
        if loss_fn is None:
            raise TypeError("loss_fn must be callable, got None")
        task = Task.binary(loss_fn, threshold=threshold)
        super().__init__(model, task, optimizer, device, log, **options)
        self.loss_fn, self.threshold = loss_fn, threshold_of(loss_fn, threshold)

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
        """Train for some epochs, testing after each, as `Trainer.fit` does."""
        loaders = {"dl_train": dl_train, "dl_test": dl_test}
        options = num_epochs, print_every, early_stopping, checkpoint, stateless
        return fitted(self, loaders, *options)
