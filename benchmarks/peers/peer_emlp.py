"""The equivariant maps that emlp finds, by its numerical solver; runs where it is installed."""

from __future__ import annotations

import importlib
import time
from typing import Any

groups: Any = importlib.import_module("emlp.groups")
reps: Any = importlib.import_module("emlp.reps")
operators: Any = importlib.import_module("emlp.reps.linear_operators")
numpy: Any = importlib.import_module("numpy")


class Generated(groups.Group):  # type: ignore[misc]
    """A group of permutations from generators, for those that emlp does not have itself."""

    is_permutation = True

    def __init__(self, generators: list[list[int]]) -> None:
        self.discrete_generators = [operators.LazyPerm(numpy.array(g)) for g in generators]
        super().__init__(str(generators))


def representation(family: str, sizes: list[int], generators: list[list[int]]) -> Any:
    """Return how the group acts on its points: as emlp has it itself, or by the generators."""
    if family == "symmetric":
        return reps.V(groups.S(*sizes))
    if family == "cyclic":
        return reps.V(groups.Z(*sizes))
    if family == "product":
        n, m = sizes
        return reps.V(groups.S(n)) * reps.V(groups.S(m))
    # Its own cube is another, larger group, with 6 maps instead of 9.
    return reps.V(Generated(generators))


def basis(family: str, sizes: list[int], generators: list[list[int]]) -> tuple[float, int]:
    """Return how long the basis of the equivariant maps of a group takes, and its dimension.

    What emlp remembers of earlier bases is forgotten first; what it compiled is not.
    """
    reps.Rep.solcache.clear()
    start = time.perf_counter()
    space = representation(family, sizes, generators)
    found = (space >> space).equivariant_basis()
    return time.perf_counter() - start, int(found.shape[1])
