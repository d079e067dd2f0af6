r"""Comparing models: one task, one budget, several seeds, and test sets that chose nothing."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import torch

from invariant_nets.comparison.plan import Plan
from invariant_nets.comparison.report import Comparison
from invariant_nets.comparison.results import ModelSpec
from invariant_nets.comparison.tasks import DataTask


def compare(
    models: Iterable[str] | Mapping[str, ModelSpec] | None = None,
    task: DataTask | None = None,
    *,
    epochs: int = 18,
    batch_size: int = 32,
    seeds: int | Sequence[int] = 3,
    lr: float | Sequence[float] | None = None,
    schedule: Literal["constant", "cosine"] = "constant",
    checkpoint: str | os.PathLike[str] | None = None,
    device: torch.device | str | None = None,
    log: bool = False,
) -> Comparison:
    r"""Train models on one task with one budget, and rank them by their score on test sets.

    Each model is trained once per seed with Adam and the loss of the task, and the last weights are
    tested on sets that chose nothing. If several learning rates are given, each model is first
    trained once with each of them, from a separate seed, and takes the one with the least loss on
    the validation sets, on average over the last quarter of its epochs. The result of a model
    depends on the settings and on its seed, and not on the other models compared.

    Ctrl-C ends the comparison; the result then holds the completed trainings. A training whose
    loss becomes NaN or infinite does not end it, but the model counts as failed. Started by
    `torchrun`, the same call trains every model on all ranks together, and all get the result.

    Args:
        models: names of `MODELS`; or your own models by name, each with its `ModelSpec`. By default
            all models, but on your own sets none that is invariant to exchanges of columns, and on
            labels of members those that can have outputs of each.
        task: a `GaussianTask`, which is the default, or a `SetsTask`.
        epochs: the number of passes over the training sets, at least 1.
        batch_size: the number of sets per step, at least 1.
        seeds: the number of seeds of weights and data, 0, 1, …; or a list of them, in $[0, 100)$.
        lr: the learning rate of all models, or several, of which each model chooses one. By default
            it is that of the `ModelSpec` on the Gaussian task, for which those were chosen, and one
            of 0.001, 0.003 and 0.01 on your own sets.
        schedule: whether the rate stays, or falls to 0 along half a period of the cosine.
        checkpoint: a folder with a folder for each training; the same comparison continues where it
            was killed, with the same result.
        device: where the models are trained; the CPU by default.
        log: show a progress bar.

    Raises:
        TypeError: if an argument is of the wrong kind.
        ValueError: if there is no such model or device, a number is out of its range, or the
            folder's trainings are those of another comparison.
        CheckpointError: if a checkpoint is damaged.
        OSError: if the checkpoints cannot be written.

    Example:
        >>> from invariant_nets import GaussianTask
        >>> task = GaussianTask(train_sets=64, test_sets=500)
        >>> comparison = compare(["radial"], task, epochs=2, seeds=1)
        >>> [run.seed for run in comparison["radial"].runs], comparison.stopped
        ([0], 'all 1 trainings done')

    Derived in chapter 11; `python -m invariant_nets compare` is the same as a command.
    """
    options = epochs, batch_size, seeds, lr, schedule, checkpoint, device, log
    return Plan(models, task, *options).run()
