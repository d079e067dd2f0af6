"""The trainings of a comparison: each has a folder with a file that names the training."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from invariant_nets._arguments import int_at_least, positive_int, step_size
from invariant_nets._files import make_folder, write_whole
from invariant_nets.comparison.tasks import CHOOSING_SEED, TRAINING_SEEDS, Setting
from invariant_nets.training.resuming.checkpoint import LAST, PREVIOUS, CheckpointError

SETTINGS = "settings.json"


@dataclass(frozen=True)
class Training:
    """A model, a seed and a learning rate; from the seed that chooses, it is not tested."""

    name: str
    seed: int
    lr: float

    @property
    def choosing(self) -> bool:
        """Whether only its validation loss is asked for."""
        return self.seed == CHOOSING_SEED

    def __str__(self) -> str:
        return f"{self.name}, {f'rate {self.lr:g}' if self.choosing else f'seed {self.seed}'}"


def check(folder: Path, settings: Mapping[str, Setting]) -> None:
    """Raise if the folder has checkpoints of a training with other settings, or of none."""
    file = folder / SETTINGS
    if not any((folder / name).exists() for name in (SETTINGS, LAST, PREVIOUS)):
        return
    try:
        before = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(before, dict):
            raise ValueError("no object")
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file} does not name the training of the folder") from error
    for key in {**settings, **before}:
        if before.get(key) != settings.get(key):
            raise CheckpointError(
                f"{folder} is of a training with {key} {before.get(key)}, not "
                f"{settings.get(key)}: give the same settings, or another folder"
            )


def claim(folder: Path, settings: Mapping[str, Setting]) -> None:
    """Make the folder of a training, and write down its settings."""
    make_folder("checkpoint", folder)
    write_whole(folder / SETTINGS, (json.dumps(settings, indent=1) + "\n").encode())


def checked_seeds(seeds: int | Sequence[int]) -> tuple[int, ...]:
    """Return the seeds, or raise unless they differ and are below those of other data."""
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


def checked_rates(lr: Any, default: tuple[float, ...] | None) -> tuple[float, ...]:
    """Return the rates to try, in order; none where each model has its own."""
    if lr is None:
        return default or ()
    if not isinstance(lr, Sequence) or isinstance(lr, str):
        return (step_size("lr", lr),)
    rates = tuple(sorted(step_size("lr", rate) for rate in lr))
    if not rates or len(set(rates)) < len(rates):
        raise ValueError(f"lr must be at least one rate, and differ, got {list(lr)}")
    return rates


def checked_device(device: torch.device | str | None) -> torch.device:
    """Return the device, or raise unless torch can use it."""
    try:
        chosen = torch.device("cpu" if device is None else device)
        torch.ones(1, device=chosen).item()
    except (RuntimeError, AssertionError, TypeError) as error:
        message = f"device must be one that torch can use, got {device} ({first_line(error)})"
        raise ValueError(message) from error
    return chosen


def first_line(error: Exception) -> str:
    """Return what an error says, in one line."""
    return str(error).partition("\n")[0] or type(error).__name__
