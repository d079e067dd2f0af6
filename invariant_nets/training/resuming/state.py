"""All that the rest of a training run depends on: kept after an epoch, and put back."""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from invariant_nets._arguments import warn
from invariant_nets.ranks import Ranks
from invariant_nets.training.history import Epoch, History
from invariant_nets.training.resuming.checkpoint import CheckpointError, CheckpointFolder
from invariant_nets.training.resuming.plain_states import check_loadable, set_state, state_of
from invariant_nets.training.resuming.surroundings import Surroundings


class TrainingState:
    """A run, and the folder where its state is kept, if there is one.

    Each rank has its own random numbers and data; all else is the same on all of them, and the
    first one reads and writes.

    Raises:
        CheckpointError: if there is a folder, and a part of the run cannot be looked into.
    """

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        history: History,
        loaders: Mapping[str, Any],
        ranks: Ranks,
        checkpoint: str | os.PathLike[str] | None,
        parts: Mapping[str, Any] | None = None,
        stateless: Iterable[Any] = (),
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self.history = history
        self.loaders = loaders
        self.ranks = ranks
        self.parts = {**(parts or {}), "optimizer": optimizer, "model": model}
        self.stateless = list(stateless)
        self.folder, self.saved = None, False
        if checkpoint is not None:
            self.folder = ranks.from_first(lambda: CheckpointFolder(checkpoint))
            self.made = _settings(optimizer)
            self.start = self._surroundings({})
            self.buffers = dict(self._hidden_buffers())
            ranks.together(self._check_seen)

    def _surroundings(self, lengths: dict[Any, int]) -> Surroundings:
        parts = {**self.loaders, **self.parts}
        kept = [self.optimizer, *self.model.modules()]
        return Surroundings(parts, kept, self.stateless, lengths)

    def _check_seen(self) -> None:
        for path, reason in self.start.unseen.items():
            raise CheckpointError(_refusal(path, f"cannot be looked into ({reason})"))
        declared = {id(value) for value in self.stateless}
        for name, loader in self.loaders.items():
            if not (isinstance(loader, DataLoader) and loader.persistent_workers):
                continue
            for part in ("dataset", "collate_fn", "worker_init_fn"):
                value = getattr(loader, part)
                found = Surroundings({part: value}).strangers if id(value) not in declared else None
                if found:
                    raise CheckpointError(
                        f"checkpoint cannot keep what lasting workers of {name} keep of {part}, "
                        f"{', '.join(sorted(found))}: make it with persistent_workers=False; or, "
                        "if no batch depends on those before it, give fit "
                        f"stateless=[{name}.{part}]"
                    )

    def _check_unchanged(self, now: Surroundings) -> None:
        for path in [*now.unseen, *now.changes_since(self.start)]:
            raise CheckpointError(_refusal(path, "changed while the model was trained"))
        if _settings(self.optimizer) != self.made and not now.states:
            raise CheckpointError(
                "checkpoint cannot keep what changes the settings of the optimizer, such as its "
                "learning rate: give the trainer a scheduler, or let a hook of the optimizer "
                "call it, optimizer.register_step_post_hook(lambda *_: scheduler.step())"
            )

    def save(self, best: dict[str, Any] | None) -> None:
        """Keep all that the rest of the run depends on, and the best weights so far.

        Raises:
            CheckpointError: if something changed that cannot be kept.
        """
        if (folder := self.folder) is None:
            return
        now = self._surroundings(self.start.lengths)
        self.ranks.together(lambda: self._check_unchanged(now))
        buffers = {
            name: buffer
            for name, buffer in self._hidden_buffers()
            if not _same(self.buffers.get(name), buffer)
        }
        own = {
            "random": _random_state(),
            "generators": [state_of(source) for source in now.generators],
            "states": [state_of(source) for source in now.states],
            "buffers": buffers,
        }
        state = {
            "made": self.made,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epochs": [list(epoch) for epoch in self.history.epochs],
            "best": best,
            "ranks": self.ranks.gather_objects(own),
        }
        if not self.saved:
            self.ranks.from_first(lambda: check_loadable(state))
            self.saved = True
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
        generators, states = self.start.generators, self.start.states
        try:
            saved = state["ranks"]
            own = saved[self.ranks.number % len(saved)]
            if (len(generators), len(states)) != (len(own["generators"]), len(own["states"])):
                raise ValueError("the data or the generators are others")
            if state["made"] != self.made:
                raise ValueError(f"its optimizer was {state['made']}, got {self.made}")
            _check_fits(self.model, state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.model.load_state_dict(state["model"])
            for source, values in zip(generators, own["generators"], strict=True):
                set_state(source, values)
            for source, values in zip(states, own["states"], strict=True):
                set_state(source, values)
            for name, buffer in own["buffers"].items():
                self._set_buffer(name, buffer)
            self.history.epochs.extend(Epoch(*values) for values in state["epochs"])
            _set_random_state(own["random"])
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            message = f"checkpoint is that of another training run: {error}"
            raise CheckpointError(message) from error
        if len(saved) != self.ranks.size and self.ranks.first:
            warn(
                f"the checkpoint of {len(saved)} ranks is continued by {self.ranks.size}: "
                "the random numbers that follow are different",
                RuntimeWarning,
            )

    def _hidden_buffers(self) -> Iterator[tuple[str, Tensor | None]]:
        """Yield the buffers that are not in the model's `state_dict`, as they are now."""
        for path, module in self.model.named_modules():
            for name in sorted(module._non_persistent_buffers_set):
                buffer = module._buffers.get(name)
                yield f"{path}.{name}", None if buffer is None else buffer.detach().clone()

    def _set_buffer(self, path: str, value: Tensor | None) -> None:
        owner, _, name = path.rpartition(".")
        module = self.model.get_submodule(owner)
        buffer = module._buffers[name]
        if buffer is not None and value is not None and buffer.shape == value.shape:
            buffer.copy_(value)
        else:
            device = next((p.device for p in self.model.parameters()), torch.device("cpu"))
            module._buffers[name] = None if value is None else value.to(device)


def _refusal(path: str, what: str) -> str:
    owner = path.removeprefix("the class of ")
    owner = owner.rpartition(".")[0] or owner if owner == path else owner
    return (
        f"checkpoint cannot keep {path}, which {what}: give it or its owner state_dict() and "
        "load_state_dict(), or make it a buffer of the model; or, if nothing that follows depends "
        f"on it, give fit stateless=[{owner}]"
    )


def _same(first: Tensor | None, second: Tensor | None) -> bool:
    if first is None or second is None:
        return first is second
    return first.dtype == second.dtype and torch.equal(first, second)


def _settings(optimizer: torch.optim.Optimizer) -> str:
    groups = [
        {name: value for name, value in sorted(group.items()) if name != "params"}
        for group in optimizer.param_groups
    ]
    return f"{type(optimizer).__name__} with {groups}"


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
        "numpy": state_of(np.random.mtrand._rand),
    }


def _set_random_state(state: dict[str, Any]) -> None:
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    set_state(np.random.mtrand._rand, state["numpy"])
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])
    torch.set_rng_state(state["torch"])
