"""sympy's permutation groups, in a process that can be ended: the answers to `TASKS`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sympy.combinatorics import Permutation, PermutationGroup
from sympy.combinatorics.named_groups import AlternatingGroup

DRAWS, NUMBER = 10, 10**2000

Generators = Sequence[Permutation]


def order(generators: Generators) -> int:
    return int(PermutationGroup(generators).order())


def stabilizer(generators: Generators) -> int:
    return int(PermutationGroup(generators).stabilizer(0).order())


def orbits(generators: Generators) -> int:
    return len(PermutationGroup(generators).orbits())


def sample(generators: Generators) -> int:
    group = AlternatingGroup(generators[0].size)
    return len([group.random() for _ in range(DRAWS)])


def unrank(generators: Generators) -> int:
    return len(Permutation.unrank_lex(generators[0].size, NUMBER).array_form)


TASKS = {task.__name__: task for task in (order, stabilizer, orbits, sample, unrank)}


def make(task: str, generators: list[list[int]]) -> Callable[[], int]:
    """Return what answers a question about the group of some generators, from the beginning."""
    return partial(TASKS[task], [Permutation(generator) for generator in generators])


def once(task: str, generators: list[list[int]]) -> dict[str, Any]:
    """Return the answer as a text, and the seconds that it took."""
    call = make(task, generators)
    start = time.perf_counter()
    answer = call()
    return {"seconds": time.perf_counter() - start, "answer": str(answer)}
