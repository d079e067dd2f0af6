"""A comparison whose arguments were checked: trains each model from each seed, and tests it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader
from tqdm import tqdm

from invariant_nets._masking import call
from invariant_nets._training_folders import check, claim, make_folder
from invariant_nets.comparison_report import Comparison
from invariant_nets.labeled_sets import LabeledSets
from invariant_nets.model_result import ModelResult, Run
from invariant_nets.models import MODELS, ModelSpec
from invariant_nets.ranks import Ranks, join_ranks
from invariant_nets.tasks import Setting, Task
from invariant_nets.training import BinaryTrainer

_VALIDATION_BATCH = 200
_TEST_BATCH = 500


@dataclass(frozen=True)
class Plan:
    """What is to be compared; see `compare` for the fields."""

    models: Mapping[str, ModelSpec]
    task: Task
    test: LabeledSets
    epochs: int
    batch_size: int
    seeds: tuple[int, ...]
    lr: float | None
    checkpoint: Path | None
    device: torch.device
    log: bool

    def run(self) -> Comparison:
        """Train and test the models."""
        join_ranks()
        ranks = Ranks()
        steps = self.epochs * math.ceil(int(self.task.settings()["train_sets"]) / self.batch_size)
        # Seed by seed, so that an interrupted comparison is one of all models.
        trainings = [(name, seed) for seed in self.seeds for name in self.models]
        runs: dict[str, list[Run]] = {name: [] for name in self.models}
        stopped = f"all {len(trainings)} trainings done"
        shown = self.log and ranks.first
        try:
            with (
                ranks.deferred_interrupt() as interrupted,
                tqdm(total=len(trainings) * steps, unit="step", disable=not shown) as bar,
            ):
                for number, (name, seed) in enumerate(trainings, start=1):
                    bar.set_description(f"{name}, seed {seed}")
                    run = self._run(name, seed, bar, ranks)
                    runs[name].append(run)
                    bar.update(number * steps - bar.n)  # what a checkpoint had
                    # Where an interrupt met a rank outside of a fit, all end here together.
                    device = next(run.model.parameters()).device
                    if any(any(row) for row in ranks.gather([interrupted()], device)):
                        raise KeyboardInterrupt
        except KeyboardInterrupt:
            done = sum(map(len, runs.values()))
            stopped = f"interrupted after {done} of {len(trainings)} trainings"
        return self._ranked(runs, stopped)

    def check_folders(self) -> None:
        """Raise if the checkpoints cannot be kept, or are those of another comparison."""
        if self.checkpoint is not None:
            make_folder("checkpoint", self.checkpoint)
            for name in self.models:
                for seed in self.seeds:
                    check(self._folder(name, seed), self._settings(name, seed))

    def _run(self, name: str, seed: int, bar: Any, ranks: Ranks) -> Run:
        task, test, folder = self.task, self.test, None
        if self.checkpoint is not None:
            folder = self._folder(name, seed)
            ranks.from_first(lambda: claim(folder, self._settings(name, seed)))
        gpus = list(range(torch.cuda.device_count())) if self.device.type == "cuda" else []
        with torch.random.fork_rng(gpus):
            torch.default_generator.manual_seed(seed)
            if gpus:
                torch.cuda.manual_seed_all(seed)
            model = self.models[name].build(task.n, task.d)
            optimizer = torch.optim.Adam(model.parameters(), lr=self._lr(name))
            optimizer.register_step_post_hook(lambda *_: bar.update())
            trainer = BinaryTrainer(model, nn.BCEWithLogitsLoss(), optimizer, self.device)
            loaders = self._loaders(name, seed)
            try:
                history = trainer.fit(*loaders, self.epochs, checkpoint=folder)
            except FloatingPointError as error:
                return Run(seed, trainer.history, model, None, None, str(error))
            if history.stopped == "interrupted":
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

    def _ranked(self, runs: Mapping[str, list[Run]], stopped: str) -> Comparison:
        count, limit = len(self.test), self.task.bayes_accuracy
        results = [
            ModelResult(name, self.models[name], self._lr(name), tuple(done), count, limit)
            for name, done in runs.items()
            if done
        ]
        results.sort(key=lambda r: math.inf if r.accuracy is None else -r.accuracy)
        ranked = {result.name: result for result in results}
        return Comparison(self.task, self.epochs, self.batch_size, self.seeds, ranked, stopped)

    def _lr(self, name: str) -> float:
        return self.models[name].lr if self.lr is None else self.lr

    def _folder(self, name: str, seed: int) -> Path:
        assert self.checkpoint is not None
        return self.checkpoint / f"{name}-seed-{seed}"

    def _settings(self, name: str, seed: int) -> dict[str, Setting]:
        run: dict[str, Setting] = {
            "model": name,
            "seed": seed,
            "lr": self._lr(name),
            "epochs": self.epochs,
        }
        return {**run, "batch_size": self.batch_size, **self.task.settings()}


def _logits(model: nn.Module, sets: LabeledSets, device: torch.device) -> Float[Tensor, "sets 1"]:
    model.eval()
    masks: Any = repeat(None) if sets.mask is None else torch.split(sets.mask, _TEST_BATCH)
    with torch.no_grad():
        outputs = [
            call(model, x.to(device), None if mask is None else mask.to(device)).cpu()
            for x, mask in zip(torch.split(sets.x, _TEST_BATCH), masks, strict=False)
        ]
    return torch.cat(outputs)
