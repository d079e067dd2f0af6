"""A comparison that can be run: first learning rates are chosen, then all models are trained."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR
from torch.utils.data import DataLoader
from tqdm import tqdm

from invariant_nets._arguments import one_of, positive_int
from invariant_nets._files import make_folder
from invariant_nets._sets import at_least_single, call
from invariant_nets.comparison.models import MODELS, chosen_models
from invariant_nets.comparison.report import Comparison
from invariant_nets.comparison.results import ModelResult, ModelSpec, Run
from invariant_nets.comparison.tasks import (
    CHOOSING_SEED,
    DataTask,
    GaussianTask,
    Setting,
)
from invariant_nets.comparison.trainings import (
    Training,
    check,
    checked_device,
    checked_rates,
    checked_seeds,
    claim,
    first_line,
)
from invariant_nets.data.labeled_sets import LabeledSets
from invariant_nets.ranks import Ranks, join_ranks
from invariant_nets.training.trainer import Trainer

_VALIDATION_BATCH = 200
_TEST_BATCH = 500


class Plan:
    """A comparison that can be run; its arguments are those of `compare`, and checked here."""

    def __init__(
        self,
        models: Iterable[str] | Mapping[str, ModelSpec] | None,
        task: DataTask | None,
        epochs: int,
        batch_size: int,
        seeds: int | Sequence[int],
        lr: float | Sequence[float] | None,
        schedule: str,
        checkpoint: str | os.PathLike[str] | None,
        device: torch.device | str | None,
        log: bool,
    ) -> None:
        self.task = GaussianTask() if task is None else task
        if not hasattr(self.task, "training_data"):
            raise TypeError(f"task must be a GaussianTask or a SetsTask, got {type(task).__name__}")
        tables = isinstance(self.task, GaussianTask)
        self.models = chosen_models(models, tables, self.task.goal.per_member)
        self.epochs = positive_int("epochs", epochs)
        self.batch_size = positive_int("batch_size", batch_size)
        self.seeds = checked_seeds(seeds)
        self.rates = checked_rates(lr, self.task.rates)
        one_of("schedule", schedule, ("constant", "cosine"))
        self.schedule = schedule
        self.checkpoint = None if checkpoint is None else Path(checkpoint)
        self.device = checked_device(device)
        self.log = log
        # Seed by seed, so that an interrupted comparison is one of all models.
        self.tried = self.rates if len(self.rates) > 1 else ()
        self.choices = [
            Training(name, CHOOSING_SEED, rate) for name in self.models for rate in self.tried
        ]
        self.pairs = [(name, seed) for seed in self.seeds for name in self.models]
        self.test = _test_data(self.task)
        if self.checkpoint is not None:
            self._check_folders(self.checkpoint)

    def run(self) -> Comparison:
        """Train and test the models."""
        join_ranks()
        ranks = Ranks()
        steps = self._steps()
        total = len(self.choices) + len(self.pairs)
        runs: dict[str, list[Run]] = {name: [] for name in self.models}
        losses: dict[str, dict[float, float | None]] = {name: {} for name in self.models}
        done, interrupted, shown = 0, False, self.log and ranks.first
        try:
            with (
                ranks.deferred_interrupt() as interrupt_came,
                tqdm(total=total * steps, unit="step", disable=not shown) as bar,
            ):
                for training in chain(self.choices, self._final(losses)):
                    bar.set_description(str(training))
                    run = self._run(training, bar, ranks)
                    if training.choosing:
                        losses[training.name][training.lr] = _last_losses(run)
                    else:
                        runs[training.name].append(run)
                    done += 1
                    bar.update(done * steps - bar.n)  # what a checkpoint had
                    # Where an interrupt met a rank outside of a fit, all end here together.
                    device = next(run.model.parameters()).device
                    if any(any(row) for row in ranks.gather([interrupt_came()], device)):
                        raise KeyboardInterrupt
        except KeyboardInterrupt:
            interrupted = True
        stopped = f"all {total} trainings done"
        if interrupted:
            stopped = f"interrupted after {done} of {total} trainings"
        return Comparison(
            self.task,
            self.epochs,
            self.batch_size,
            self.seeds,
            self._ranked(runs, losses),
            stopped,
            interrupted,
            self.tried,
            self.schedule,
        )

    def _steps(self) -> int:
        return self.epochs * math.ceil(int(self.task.settings()["train_sets"]) / self.batch_size)

    def _final(self, losses: Mapping[str, Mapping[float, float | None]]) -> Iterator[Training]:
        for name, seed in self.pairs:
            yield Training(name, seed, self._lr(name, losses[name]))

    def _lr(self, name: str, losses: Mapping[float, float | None]) -> float:
        if not self.rates:
            return self.models[name].lr
        # NaN and infinity have failed already; of two that are level the smaller rate.
        found = {rate: loss for rate, loss in losses.items() if loss is not None}
        return min(found, key=found.__getitem__) if found else self.rates[0]

    def _check_folders(self, checkpoint: Path) -> None:
        for name in self.models:
            if name != os.path.basename(name) or name.startswith("."):
                raise ValueError(f"models must have names fit for a folder, got {name!r}")
        make_folder("checkpoint", checkpoint)
        finals = [
            Training(name, seed, rate)
            for name, seed in self.pairs
            for rate in self.rates or (self.models[name].lr,)
        ]
        for training in [*self.choices, *finals]:
            check(checkpoint / self._folder(training), self._settings(training))

    def _folder(self, training: Training) -> str:
        name, seed, rate = training.name, training.seed, f"-lr-{training.lr:g}"
        if training.choosing:
            return f"{name}-chooses{rate}"
        return f"{name}-seed-{seed}" + (rate if self.tried else "")

    def _run(self, training: Training, bar: Any, ranks: Ranks) -> Run:
        test, folder, goal = self.test, None, self.task.goal
        name, seed = training.name, training.seed
        if self.checkpoint is not None:
            folder = self.checkpoint / self._folder(training)
            ranks.from_first(lambda: claim(folder, self._settings(training)))
        gpus = list(range(torch.cuda.device_count())) if self.device.type == "cuda" else []
        with torch.random.fork_rng(gpus):
            torch.default_generator.manual_seed(seed)
            if gpus:
                torch.cuda.manual_seed_all(seed)
            model = self.models[name].model(self.task.n, self.task.d, goal.outputs, goal.per_member)
            real = all(weight.is_floating_point() for weight in model.parameters())
            optimizer = torch.optim.Adam(model.parameters(), lr=training.lr, fused=real)
            optimizer.register_step_post_hook(lambda *_: bar.update())
            scheduler = None
            if self.schedule == "cosine":
                scheduler = CosineAnnealingLR(optimizer, self._steps())
            trainer = Trainer(
                model,
                goal,
                optimizer,
                self.device,
                scheduler=scheduler,
                per_step=scheduler is not None,
            )
            try:
                history = trainer.fit(*self._loaders(name, seed), self.epochs, checkpoint=folder)
            except FloatingPointError as error:
                return Run(seed, trainer.history, model, None, None, str(error))
            if history.interrupted:
                raise KeyboardInterrupt
            if training.choosing:
                return Run(seed, history, model, None, None)
            outputs = _outputs(model, test, trainer.device)
        found, labels = goal.of_members(outputs, test.y, test.mask)
        if not found.isfinite().all():
            problem = "the outputs on the test sets are not finite"
            return Run(seed, history, model, None, None, problem)
        exact = labels.double() if labels.is_floating_point() else labels
        by_set = _by_set(goal.score_fn(found.double(), exact), test, goal.per_member)
        # As in training: where the loss may have weights, in the type that they have.
        found = found.to(trainer.device, at_least_single(found.dtype))
        labels = labels.to(
            found.device, found.dtype if labels.is_floating_point() else labels.dtype
        )
        loss = goal.loss_fn(found, labels).item()
        return Run(seed, history, model, by_set.mean().item(), loss, by_set=by_set)

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

    def _ranked(
        self,
        runs: Mapping[str, list[Run]],
        losses: Mapping[str, Mapping[float, float | None]],
    ) -> dict[str, ModelResult]:
        goal = self.task.goal
        results = [
            ModelResult(
                name,
                self.models[name],
                self._lr(name, losses[name]),
                tuple(done),
                goal,
                losses[name],
            )
            for name, done in runs.items()
            if done
        ]
        sign = -1 if goal.maximize else 1
        results.sort(key=lambda r: math.inf if r.score is None else sign * r.score)
        return {result.name: result for result in results}

    def _settings(self, training: Training) -> dict[str, Setting]:
        return {
            "model": training.name,
            "seed": training.seed,
            "lr": training.lr,
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "schedule": self.schedule,
            **self.task.settings(),
        }


def _outputs(model: nn.Module, sets: LabeledSets, device: torch.device) -> Tensor:
    model.eval()
    masks: Any = repeat(None) if sets.mask is None else torch.split(sets.mask, _TEST_BATCH)
    with torch.no_grad():
        outputs = [
            call(model, x.to(device), None if mask is None else mask.to(device)).cpu()
            for x, mask in zip(torch.split(sets.x, _TEST_BATCH), masks, strict=False)
        ]
    return torch.cat(outputs)


def _by_set(scores: Tensor, test: LabeledSets, per_member: bool) -> Float[Tensor, " sets"]:
    """Return what each set adds to the mean score: their mean is the mean over all labels."""
    scores = scores.double()
    if not per_member:
        return scores.reshape(len(test), -1).mean(1)
    scores = scores.reshape(len(scores), -1).mean(1)
    mask = torch.ones(test.x.shape[:2], dtype=torch.bool) if test.mask is None else test.mask
    sums = torch.zeros(mask.shape, dtype=torch.float64)
    sums[mask] = scores
    return sums.sum(1) * len(test) / mask.sum()


def _last_losses(run: Run) -> float | None:
    """Return the mean validation loss over the last quarter of the epochs; None of a failed run."""
    losses = run.history.valid_loss
    last = losses[-max(1, len(losses) // 4) :]
    return None if run.problem or not last else sum(last) / len(last)


def _test_data(task: DataTask) -> LabeledSets:
    try:
        return task.test_data()
    except (MemoryError, OverflowError, RuntimeError, TypeError, ValueError) as error:
        message = f"task must have test sets that can be drawn ({first_line(error)})"
        raise ValueError(message) from error
