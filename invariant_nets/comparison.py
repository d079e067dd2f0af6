r"""Comparing models: one task, one budget, several seeds, and test sets that chose nothing."""

from __future__ import annotations

import math
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch

from invariant_nets._comparison_plan import Plan
from invariant_nets._validation import int_at_least, positive_int
from invariant_nets.comparison_report import Comparison
from invariant_nets.labeled_sets import LabeledSets
from invariant_nets.models import MODELS, ModelSpec
from invariant_nets.tasks import TRAINING_SEEDS, GaussianTask, Task


def compare(
    models: Iterable[str] | Mapping[str, ModelSpec] | None = None,
    task: Task | None = None,
    *,
    epochs: int = 18,
    batch_size: int = 32,
    seeds: int | Sequence[int] = 3,
    lr: float | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    device: torch.device | str | None = None,
    log: bool = False,
) -> Comparison:
    r"""Train models on one task with one budget, and rank them by their accuracy on fresh sets.

    Each model is trained once a seed with Adam and the binary cross-entropy of its logits, and the
    last weights are tested; nothing is selected. What a model comes to depends on the settings and
    on its seed, and not on the other models compared.

    Ctrl-C ends the comparison; the result then holds the completed trainings. A training whose
    loss becomes NaN or infinite does not end it, but the model counts as failed. Started by
    `torchrun`, the same call trains every model on all ranks together, and all get the result.

    Args:
        models: names of `MODELS`, all by default; or your own models by name, each with how to
            build it.
        task: a `GaussianTask`, which is the default, or a `SetsTask`.
        epochs: how often each model passes over the training sets, at least 1.
        batch_size: how many sets a step sees, at least 1.
        seeds: how many seeds of weights and data, 0, 1, …; or which ones, in $[0, 100)$.
        lr: the step size of every model; by default each has that of its `ModelSpec`.
        checkpoint: a folder in which each training is kept in a folder of its own; the same
            comparison goes on where it was killed, and comes to the same.
        device: where the models are trained; the CPU by default.
        log: show a progress bar.

    Raises:
        TypeError: if an argument is of the wrong kind.
        ValueError: if there is no such model or device, a number is out of its range, or the
            folder's trainings are those of another comparison.
        CheckpointError: if a checkpoint is damaged.
        OSError: if the checkpoints cannot be written.

    Example:
        >>> task = GaussianTask(train_sets=64, test_sets=500)
        >>> comparison = compare(["radial"], task, epochs=2, seeds=1)
        >>> [run.seed for run in comparison["radial"].runs], comparison.stopped
        ([0], 'all 1 trainings done')

    Derived in chapter 11; `python -m invariant_nets compare` is the same as a command.
    """
    return prepare(
        models,
        task,
        epochs=epochs,
        batch_size=batch_size,
        seeds=seeds,
        lr=lr,
        checkpoint=checkpoint,
        device=device,
        log=log,
    ).run()


def prepare(
    models: Iterable[str] | Mapping[str, ModelSpec] | None = None,
    task: Task | None = None,
    *,
    epochs: int = 18,
    batch_size: int = 32,
    seeds: int | Sequence[int] = 3,
    lr: float | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    device: torch.device | str | None = None,
    log: bool = False,
) -> Plan:
    """Return a comparison that can be run; its arguments are those of `compare`, and checked."""
    task = GaussianTask() if task is None else task
    if not hasattr(task, "training_data"):
        raise TypeError(f"task must be a GaussianTask or a SetsTask, got {type(task).__name__}")
    plan = Plan(
        models=_chosen(models),
        task=task,
        epochs=positive_int("epochs", epochs),
        batch_size=positive_int("batch_size", batch_size),
        seeds=_seeds(seeds),
        lr=None if lr is None else _step_size(lr),
        checkpoint=None if checkpoint is None else Path(checkpoint),
        device=_device(device),
        log=bool(log),
        test=_test_data(task),
    )
    if checkpoint is not None:
        for name in plan.models:
            if name != os.path.basename(name) or name.startswith("."):
                raise ValueError(f"models must have names fit for a folder, got {name!r}")
        plan.check_folders()
    return plan


def _test_data(task: Task) -> LabeledSets:
    try:
        return task.test_data()
    except (MemoryError, OverflowError, RuntimeError, TypeError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ValueError(f"task must have test sets that can be drawn ({reason})") from error


def _chosen(models: Iterable[str] | Mapping[str, ModelSpec] | None) -> dict[str, ModelSpec]:
    if models is None:
        return dict(MODELS)
    if isinstance(models, str) or not isinstance(models, Iterable):
        raise TypeError(f"models must be a sequence of names or a mapping, got {models!r}")
    if isinstance(models, Mapping):
        chosen = dict(models)
        for name, spec in chosen.items():
            if not isinstance(name, str) or not isinstance(spec, ModelSpec):
                raise TypeError(f"models must map names to ModelSpec, got {name!r}: {spec!r}")
    else:
        names = list(models)
        for name in names:
            if name not in MODELS:
                raise ValueError(f"models must be of {', '.join(MODELS)}; got {name!r}")
        if twice := [name for name, count in Counter(names).items() if count > 1]:
            raise ValueError(f"models must differ, got {twice[0]!r} more than once")
        chosen = {name: MODELS[name] for name in names}
    if not chosen:
        raise ValueError("models must name at least one model, got none")
    return chosen


def _seeds(seeds: int | Sequence[int]) -> tuple[int, ...]:
    if not isinstance(seeds, Sequence):
        seeds = range(positive_int("seeds", seeds))
    chosen = tuple(int_at_least("seeds", seed, 0) for seed in seeds)
    if not chosen or len(set(chosen)) < len(chosen):
        raise ValueError(f"seeds must be at least one and differ, got {list(chosen)}")
    if max(chosen) >= TRAINING_SEEDS:
        raise ValueError(
            f"seeds must be below {TRAINING_SEEDS}, where those of test sets begin, "
            f"got {max(chosen)}"
        )
    return chosen


def _step_size(lr: float) -> float:
    if isinstance(lr, bool) or not isinstance(lr, int | float):
        raise TypeError(f"lr must be a number, got {lr!r}")
    if not (math.isfinite(lr) and lr > 0):
        raise ValueError(f"lr must be positive and finite, got {lr}")
    return float(lr)


def _device(device: torch.device | str | None) -> torch.device:
    try:
        chosen = torch.device("cpu" if device is None else device)
        torch.ones(1, device=chosen).item()
    except (RuntimeError, AssertionError, TypeError) as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ValueError(
            f"device must be one that torch can use, got {device} ({reason})"
        ) from error
    return chosen
