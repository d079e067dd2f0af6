"""All that the rest of a training run depends on: kept after an epoch, and put back."""

from __future__ import annotations

import os
import random
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from invariant_nets.ranks import Ranks
from invariant_nets.training.checkpoint import CheckpointError, CheckpointFolder
from invariant_nets.training.history import Epoch, History


class TrainingState:
    """A run, and the folder where its state is kept, if there is one.

    Each rank has its own random numbers and data; all else is the same on all of them, and the
    first one reads and writes.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        history: History,
        loaders: tuple[Any, Any],
        ranks: Ranks,
        checkpoint: str | os.PathLike[str] | None,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.history = history
        self.loaders = loaders
        self.ranks = ranks
        self.folder = None
        if checkpoint is not None:
            self.folder = ranks.from_first(lambda: CheckpointFolder(checkpoint))

    def save(self, best: dict[str, Any] | None) -> None:
        """Keep all that the rest of the run depends on, and the best weights so far."""
        if (folder := self.folder) is None:
            return
        own = {
            "random": _random_state(),
            "generators": [source.get_state() for source in self._generators()],
            "data": [data.state_dict() for data in self._datasets()],
        }
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epochs": [list(epoch) for epoch in self.history.epochs],
            "best": best,
            "ranks": self.ranks.gather_objects(own),
        }
        self.ranks.from_first(lambda: folder.save(state))

    def resume(self) -> dict[str, Any] | None:
        """Put everything back as it was last saved, if it was, and return the best weights.

        Raises:
            CheckpointError: if the state is that of another model, optimizer or data.
        """
        if self.folder is None or (state := self.ranks.from_first(self.folder.load)) is None:
            return None
        self.ranks.together(lambda: self._put_back(state))
        best: dict[str, Any] | None = state["best"]
        return best

    def _put_back(self, state: dict[str, Any]) -> None:
        generators, datasets = list(self._generators()), list(self._datasets())
        try:
            saved = state["ranks"]
            own = saved[self.ranks.number % len(saved)]
            if (len(generators), len(datasets)) != (len(own["generators"]), len(own["data"])):
                raise ValueError("the data or the generators are others")
            _check_fits(self.model, state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.model.load_state_dict(state["model"])
            for source, bits in zip(generators, own["generators"], strict=True):
                source.set_state(bits)
            for data, values in zip(datasets, own["data"], strict=True):
                data.load_state_dict(values)
            self.history.epochs.extend(Epoch(*values) for values in state["epochs"])
            _set_random_state(own["random"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            message = f"checkpoint is that of another training run: {error}"
            raise CheckpointError(message) from error
        if len(saved) != self.ranks.size and self.ranks.first:
            warnings.warn(
                f"the checkpoint of {len(saved)} ranks is gone on from by {self.ranks.size}: "
                "the random numbers that follow are others",
                RuntimeWarning,
                stacklevel=6,
            )

    def _generators(self) -> Iterator[torch.Generator]:
        owners: list[Any] = list(self.model.modules())
        for loader in self.loaders:
            owners += [loader, getattr(loader, "sampler", None)]
        for owner in owners:
            source = getattr(owner, "generator", None)
            if isinstance(source, torch.Generator):
                yield source

    def _datasets(self) -> Iterator[Any]:
        for loader in self.loaders:
            data = getattr(loader, "dataset", loader)
            if hasattr(data, "state_dict") and hasattr(data, "load_state_dict"):
                yield data


def _check_fits(model: nn.Module, weights: dict[str, Any]) -> None:
    # Before anything is changed: a state that fits in part must not be half loaded.
    own = {name: value.shape for name, value in model.state_dict().items()}
    theirs = {name: value.shape for name, value in weights.items()}
    if own != theirs:
        names = sorted({name for name, _ in own.items() ^ theirs.items()})
        raise ValueError(f"its model has other weights, {', '.join(names[:3])}")


def _random_state() -> dict[str, Any]:
    version, internal, gauss = random.getstate()
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    return {
        "torch": torch.get_rng_state(),
        "cuda": cuda,
        "python": [version, list(internal), gauss],
    }


def _set_random_state(state: dict[str, Any]) -> None:
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])
    torch.set_rng_state(state["torch"])
