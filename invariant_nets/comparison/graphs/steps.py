"""Steps of a graph: what each reads, which of them are the same, and which nobody needs."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

EXACT = 1 << 24  # float32 holds every integer up to here
DRAWS = "rand"


class Place(NamedTuple):
    """Where the numbers of a tensor are: a source, read along axes with strides, from an offset.

    A source from 0 on is a slot: the set, its mask, then the result of each step. A negative one is
    a constant, counted from -1 downwards.
    """

    source: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int

    def plain(self) -> list[Any]:
        """Return it as plain lists."""
        return [self.source, list(self.shape), list(self.strides), self.offset]


def place(source: int, view: Tensor) -> Place:
    """Return where a view reads, with the fewest axes that visit the same places in order."""
    shape: list[int] = []
    strides: list[int] = []
    for size, stride in zip(view.shape, view.stride(), strict=True):
        if size == 1:
            continue
        if shape and strides[-1] == size * stride:
            shape[-1], strides[-1] = shape[-1] * size, stride
        else:
            shape.append(size)
            strides.append(stride)
    return Place(source, tuple(shape), tuple(strides), int(view.storage_offset()))


class Constants:
    """Numbers that do not depend on the set, each sequence of them once, for all models."""

    def __init__(self) -> None:
        self.parts: list[np.ndarray[Any, Any]] = []
        self._known: dict[str, int] = {}

    def source(self, numbers: Tensor) -> int:
        """Return the source of these numbers; raise if float32 cannot hold them."""
        exact = numbers.to(torch.float32)
        if not bool(((exact.to(numbers.dtype) == numbers) | (numbers != numbers)).all()):
            raise ValueError("has constants that float32 cannot hold")
        part = exact.numpy().astype("<f4")
        key = hashlib.sha256(part.tobytes()).hexdigest() + f" {part.size}"
        if key not in self._known:
            self._known[key] = len(self.parts)
            self.parts.append(part)
        return -1 - self._known[key]

    def sizes(self) -> list[int]:
        """Return how many numbers each has."""
        return [part.size for part in self.parts]

    def numbers(self) -> bytes:
        """Return all of them, as little-endian float32."""
        return b"".join(part.tobytes() for part in self.parts)


class Step(NamedTuple):
    """One operation: its name, how many numbers it gives, what it reads, and its options."""

    name: str
    size: int
    reads: tuple[Place, ...]
    options: tuple[float, ...]

    def plain(self) -> list[Any]:
        """Return it as plain lists."""
        reads = [read.plain() for read in self.reads]
        return [self.name, self.size, reads, list(map(_plain, self.options))]


def _plain(option: float) -> float | str:
    """Return a number as JSON has it, or the word for it in JavaScript."""
    if not math.isfinite(option):
        return "NaN" if math.isnan(option) else "Infinity" if option > 0 else "-Infinity"
    return int(option) if option == int(option) else option


@dataclass
class Graph:
    """Steps in order. Slot 0 is the set, slot 1 its mask, slot 2 what the first step gives."""

    steps: list[Step] = field(default_factory=list)
    outputs: list[Place] = field(default_factory=list)
    _known: dict[Step, int] = field(default_factory=dict)

    def add(self, step: Step) -> int:
        """Return the slot of a step, which may be that of an equal one; a draw has none."""
        if (filled := self._filled(step)) is not None:
            return filled
        if step.name != DRAWS and step in self._known:
            return self._known[step]
        self.steps.append(step)
        self._known[step] = len(self.steps) + 1
        return self._known[step]

    def _filled(self, step: Step) -> int | None:
        """Return the slot that this step would fill with the same number at the same places."""
        if step.name != "fill":
            return None
        values, where = step.reads
        whole = Place(values.source, (step.size,) if step.size > 1 else (), values.strides, 0)
        if values.source < 2 or values != whole or values.strides not in ((1,), ()):
            return None
        before = self.steps[values.source - 2]
        same = before.name == "fill" and before.reads[1] == where
        same = same and (before.size, before.options) == (step.size, step.options)
        return values.source if same else None

    def pruned(self) -> Graph:
        """Return the graph without what no output depends on."""
        needed = {output.source for output in self.outputs}
        for slot in range(len(self.steps) + 1, 1, -1):
            if slot in needed:
                needed |= {read.source for read in self.steps[slot - 2].reads}
        kept = [slot for slot in range(2, len(self.steps) + 2) if slot in needed]
        new = {0: 0, 1: 1} | {slot: number for number, slot in enumerate(kept, start=2)}

        def moved(places: Iterable[Place]) -> tuple[Place, ...]:
            return tuple(p._replace(source=new.get(p.source, p.source)) for p in places)

        steps = [self.steps[slot - 2] for slot in kept]
        steps = [step._replace(reads=moved(step.reads)) for step in steps]
        graph = Graph(steps, list(moved(self.outputs)))
        graph.check_draws()
        return graph

    def check_draws(self) -> None:
        """Raise if large draws, of which an interpreter keeps the order, are not only sorted."""
        large = {
            slot
            for slot, step in enumerate(self.steps, start=2)
            if step.name == DRAWS and step.options[1] > EXACT
        }
        for step in self.steps:
            if step.name != "argsort" and large & {read.source for read in step.reads}:
                raise ValueError("draws integers that float32 cannot hold, and does not sort them")
        if large & {output.source for output in self.outputs}:
            raise ValueError("returns draws that float32 cannot hold")

    @property
    def draws(self) -> bool:
        """Whether it draws, so that two runs differ."""
        return any(step.name == DRAWS for step in self.steps)

    def plain(self, shapes: Sequence[Sequence[int]], masked: bool) -> dict[str, Any]:
        """Return it as plain lists, with the shapes of its outputs."""
        return {
            "masked": masked,
            "steps": [step.plain() for step in self.steps],
            "outputs": [
                [place.plain(), list(shape)]
                for place, shape in zip(self.outputs, shapes, strict=True)
            ],
        }
