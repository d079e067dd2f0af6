"""Patterns such as "n n -> n": which axes come in, which go out, and which set moves each."""

from __future__ import annotations

import math
from collections import Counter
from functools import cache

from invariant_nets.layers.partitions.partition import Partition

Axes = tuple[str, ...]


def parsed(pattern: str, most_maps: int) -> tuple[Axes, Axes]:
    """Return the names of the axes on both sides, or raise."""
    if not isinstance(pattern, str):
        raise TypeError(f'pattern must be a text such as "n n -> n", got {pattern!r}')
    sides = pattern.split("->")
    if len(sides) != 2:
        raise ValueError(f'pattern must have one arrow, such as "n n -> n", got {pattern!r}')
    inner, outer = (tuple(side.split()) for side in sides)
    for name in inner + outer:
        if not name.isidentifier():
            raise ValueError(
                "pattern must name each axis by a word, with spaces between them, such as "
                f'"n n -> n", got {name!r} in {pattern!r}'
            )
    if not inner + outer:
        raise ValueError(f'pattern must have an axis, such as "n ->", got {pattern!r}: nn.Linear')
    maps = math.prod(bell((inner + outer).count(name)) for name in {*inner, *outer})
    if maps > most_maps:
        raise ValueError(
            f"pattern must have at most {most_maps} maps, got {maps} in {pattern!r}: "
            f"most_maps={maps} lets it"
        )
    return inner, outer


def written(inner: Axes, outer: Axes) -> str:
    """Return the pattern of axes as a text."""
    return f"{' '.join(inner)} -> {' '.join(outer)}".strip()


def described(labels: Partition, inner: Axes, outer: Axes) -> str:
    """Return a set partition of the axes as a text: `"n1 n2 -> n1"`."""
    names: dict[int, str] = {}
    seen: Counter[str] = Counter()
    for label, name in zip(labels, inner + outer, strict=True):
        if label not in names:
            seen[name] += 1
            names[label] = f"{name}{seen[name]}"
    found = tuple(names[label] for label in labels)
    return written(found[: len(inner)], found[len(inner) :])


@cache
def bell(size: int) -> int:
    """Return the number of set partitions of so many axes."""
    return 1 if size == 0 else sum(math.comb(size - 1, k) * bell(k) for k in range(size))
