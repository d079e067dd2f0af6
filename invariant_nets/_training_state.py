"""All that the rest of a training run depends on: taken after an epoch, and put back."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from invariant_nets.checkpoint import CheckpointError
from invariant_nets.history import Epoch, History


def training_state(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loaders: tuple[Any, Any],
    history: History,
    best: dict[str, Any] | None,
) -> dict[str, Any]:
    """Return the weights, the optimizer, the history, and the state of randomness and data."""
    return {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "epochs": [list(epoch) for epoch in history.epochs],
        "best": best,
        "random": _random_state(),
        "generators": [source.get_state() for source in _generators(model, loaders)],
        "data": [data.state_dict() for data in _datasets(loaders)],
    }


def restore(
    state: dict[str, Any],
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    loaders: tuple[Any, Any],
    history: History,
) -> dict[str, Any] | None:
    """Put everything back as it was, and return the best weights so far.

    Raises:
        CheckpointError: if the state is that of another model, optimizer or data.
    """
    generators, datasets = list(_generators(model, loaders)), list(_datasets(loaders))
    try:
        if (len(generators), len(datasets)) != (len(state["generators"]), len(state["data"])):
            raise ValueError("the data or the generators are others")
        _check_fits(model, state["model"])
        optimizer.load_state_dict(state["optimizer"])
        model.load_state_dict(state["model"])
        for source, bits in zip(generators, state["generators"], strict=True):
            source.set_state(bits)
        for data, values in zip(datasets, state["data"], strict=True):
            data.load_state_dict(values)
        history.epochs.extend(Epoch(*values) for values in state["epochs"])
        _set_random_state(state["random"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"checkpoint is that of another training run: {error}") from error
    best: dict[str, Any] | None = state["best"]
    return best


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


def _generators(model: nn.Module, loaders: tuple[Any, Any]) -> Iterator[torch.Generator]:
    owners: list[Any] = list(model.modules())
    for loader in loaders:
        owners += [loader, getattr(loader, "sampler", None)]
    for owner in owners:
        source = getattr(owner, "generator", None)
        if isinstance(source, torch.Generator):
            yield source


def _datasets(loaders: tuple[Any, Any]) -> Iterator[Any]:
    for loader in loaders:
        data = getattr(loader, "dataset", loader)
        if hasattr(data, "state_dict") and hasattr(data, "load_state_dict"):
            yield data
