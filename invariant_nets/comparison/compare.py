r"""Comparing models: one task, one budget, several seeds, and test sets that chose nothing."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from tqdm import tqdm

from invariant_nets._arguments import int_at_least, positive_int, step_size
from invariant_nets._files import make_folder, write_whole
from invariant_nets._sets import call
from invariant_nets.comparison.models import MODELS, chosen_models
from invariant_nets.comparison.report import Comparison
from invariant_nets.comparison.results import ModelResult, ModelSpec, Run
from invariant_nets.comparison.tasks import TRAINING_SEEDS, GaussianTask, Setting, Task
from invariant_nets.data.labeled_sets import LabeledSets
from invariant_nets.ranks import Ranks, join_ranks
from invariant_nets.training.binary import BinaryTrainer
from invariant_nets.training.resuming.checkpoint import LAST, PREVIOUS, CheckpointError

_VALIDATION_BATCH = 200
_TEST_BATCH = 500
SETTINGS = "settings.json"


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
    return Plan(models, task, epochs, batch_size, seeds, lr, checkpoint, device, log).run()


class Plan:
    """A comparison that can be run; its arguments are those of `compare`, and checked here."""

    def __init__(
        self,
        models: Iterable[str] | Mapping[str, ModelSpec] | None,
        task: Task | None,
        epochs: int,
        batch_size: int,
        seeds: int | Sequence[int],
        lr: float | None,
        checkpoint: str | os.PathLike[str] | None,
        device: torch.device | str | None,
        log: bool,
    ) -> None:
        self.models = chosen_models(models)
        self.task = GaussianTask() if task is None else task
        if not hasattr(self.task, "training_data"):
            raise TypeError(f"task must be a GaussianTask or a SetsTask, got {type(task).__name__}")
        self.epochs = positive_int("epochs", epochs)
        self.batch_size = positive_int("batch_size", batch_size)
        self.seeds = _seeds(seeds)
        self.lr = None if lr is None else step_size("lr", lr)
        self.checkpoint = None if checkpoint is None else Path(checkpoint)
        self.device = _device(device)
        self.log = log
        # Seed by seed, so that an interrupted comparison is one of all models.
        self.trainings = [(name, seed) for seed in self.seeds for name in self.models]
        self.test = _test_data(self.task)
        if self.checkpoint is not None:
            self._check_folders(self.checkpoint)

    def run(self) -> Comparison:
        """Train and test the models."""
        join_ranks()
        ranks = Ranks()
        steps = self.epochs * math.ceil(int(self.task.settings()["train_sets"]) / self.batch_size)
        runs: dict[str, list[Run]] = {name: [] for name in self.models}
        interrupted, shown = False, self.log and ranks.first
        try:
            with (
                ranks.deferred_interrupt() as interrupt_came,
                tqdm(total=len(self.trainings) * steps, unit="step", disable=not shown) as bar,
            ):
                for number, (name, seed) in enumerate(self.trainings, start=1):
                    bar.set_description(f"{name}, seed {seed}")
                    run = self._run(name, seed, bar, ranks)
                    runs[name].append(run)
                    bar.update(number * steps - bar.n)  # what a checkpoint had
                    # Where an interrupt met a rank outside of a fit, all end here together.
                    device = next(run.model.parameters()).device
                    if any(any(row) for row in ranks.gather([interrupt_came()], device)):
                        raise KeyboardInterrupt
        except KeyboardInterrupt:
            interrupted = True
        done = sum(map(len, runs.values()))
        stopped = f"all {done} trainings done"
        if interrupted:
            stopped = f"interrupted after {done} of {len(self.trainings)} trainings"
        found = self._ranked(runs)
        return Comparison(
            self.task, self.epochs, self.batch_size, self.seeds, found, stopped, interrupted
        )

    def _check_folders(self, checkpoint: Path) -> None:
        for name in self.models:
            if name != os.path.basename(name) or name.startswith("."):
                raise ValueError(f"models must have names fit for a folder, got {name!r}")
        make_folder("checkpoint", checkpoint)
        for training in self.trainings:
            _check(checkpoint / _folder_name(*training), self._settings(*training))

    def _run(self, name: str, seed: int, bar: Any, ranks: Ranks) -> Run:
        test, folder = self.test, None
        if self.checkpoint is not None:
            folder = self.checkpoint / _folder_name(name, seed)
            ranks.from_first(lambda: _claim(folder, self._settings(name, seed)))
        gpus = list(range(torch.cuda.device_count())) if self.device.type == "cuda" else []
        with torch.random.fork_rng(gpus):
            torch.default_generator.manual_seed(seed)
            if gpus:
                torch.cuda.manual_seed_all(seed)
            model = self.models[name].build(self.task.n, self.task.d)
            optimizer = torch.optim.Adam(model.parameters(), lr=self._lr(name))
            optimizer.register_step_post_hook(lambda *_: bar.update())
            trainer = BinaryTrainer(model, nn.BCEWithLogitsLoss(), optimizer, self.device)
            try:
                history = trainer.fit(*self._loaders(name, seed), self.epochs, checkpoint=folder)
            except FloatingPointError as error:
                return Run(seed, trainer.history, model, None, None, str(error))
            if history.interrupted:
                raise KeyboardInterrupt
            outputs = _logits(model, test, trainer.device)
        if not outputs.isfinite().all():
            problem = "the outputs on the test sets are not finite"
            return Run(seed, history, model, None, None, problem)
        accuracy = ((outputs > 0) == (test.y > 0.5)).double().mean().item()
        loss = F.binary_cross_entropy_with_logits(outputs.double(), test.y.double()).item()
        return Run(seed, history, model, accuracy, loss)

    def _loaders(self, name: str, seed: int) -> tuple[DataLoader[Any], DataLoader[Any]]:
        order: dict[str, Any] = {}
        if self.task.shuffle:
            order = {"shuffle": True, "generator": torch.Generator().manual_seed(seed)}
        # A model's validation sets do not depend on the other models.
        number = [*MODELS, *(other for other in self.models if other not in MODELS)].index(name)
        return (
            DataLoader(self.task.training_data(seed), self.batch_size, **order),
            DataLoader(self.task.validation_data(number), _VALIDATION_BATCH),
        )

    def _ranked(self, runs: Mapping[str, list[Run]]) -> dict[str, ModelResult]:
        count, limit = len(self.test), self.task.bayes_accuracy
        results = [
            ModelResult(name, self.models[name], self._lr(name), tuple(done), count, limit)
            for name, done in runs.items()
            if done
        ]
        results.sort(key=lambda r: math.inf if r.accuracy is None else -r.accuracy)
        return {result.name: result for result in results}

    def _lr(self, name: str) -> float:
        return self.models[name].lr if self.lr is None else self.lr

    def _settings(self, name: str, seed: int) -> dict[str, Setting]:
        return {
            "model": name,
            "seed": seed,
            "lr": self._lr(name),
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            **self.task.settings(),
        }


def _logits(model: nn.Module, sets: LabeledSets, device: torch.device) -> Float[Tensor, "sets 1"]:
    model.eval()
    masks: Any = repeat(None) if sets.mask is None else torch.split(sets.mask, _TEST_BATCH)
    with torch.no_grad():
        outputs = [
            call(model, x.to(device), None if mask is None else mask.to(device)).cpu()
            for x, mask in zip(torch.split(sets.x, _TEST_BATCH), masks, strict=False)
        ]
    return torch.cat(outputs)


def _folder_name(name: str, seed: int) -> str:
    return f"{name}-seed-{seed}"


def _check(folder: Path, settings: Mapping[str, Setting]) -> None:
    """Raise if the folder has checkpoints of a training with other settings, or of none."""
    file = folder / SETTINGS
    if not any((folder / name).exists() for name in (SETTINGS, LAST, PREVIOUS)):
        return
    try:
        before = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(before, dict):
            raise ValueError("no object")
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file} does not say of which training the folder is") from error
    for key in {**settings, **before}:
        if before.get(key) != settings.get(key):
            raise CheckpointError(
                f"{folder} is of a training with {key} {before.get(key)}, not "
                f"{settings.get(key)}: give the same settings, or another folder"
            )


def _claim(folder: Path, settings: Mapping[str, Setting]) -> None:
    """Make the folder of a training, and write down its settings."""
    make_folder("checkpoint", folder)
    write_whole(folder / SETTINGS, (json.dumps(settings, indent=1) + "\n").encode())


def _test_data(task: Task) -> LabeledSets:
    try:
        return task.test_data()
    except (MemoryError, OverflowError, RuntimeError, TypeError, ValueError) as error:
        message = f"task must have test sets that can be drawn ({_first_line(error)})"
        raise ValueError(message) from error


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


def _device(device: torch.device | str | None) -> torch.device:
    try:
        chosen = torch.device("cpu" if device is None else device)
        torch.ones(1, device=chosen).item()
    except (RuntimeError, AssertionError, TypeError) as error:
        message = f"device must be one that torch can use, got {device} ({_first_line(error)})"
        raise ValueError(message) from error
    return chosen


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0] or type(error).__name__
