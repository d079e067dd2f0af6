"""How the memory of an exact average grows with the order of its group."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import torch

from benchmarks.averaging import RECOMPUTE, D, step
from benchmarks.curves import Term, with_slope
from benchmarks.memory import megabytes_above
from benchmarks.results import OURS, Result
from invariant_nets import PermutationGroup, SymmetryModel, mlp

N = 10
LARGEST = 400_000  # elements; beyond, what keeps all chunks takes gigabytes
WAYS: dict[str, Term | None] = {  # and how they grow
    OURS: float,
    RECOMPUTE: None,
    f"{OURS}, forward only": None,
}


def degree_of(order: int) -> int:
    """Return the n with n! elements in S_n."""
    return next(n for n in range(1, 20) if math.factorial(n) == order)


def on_first(order: int, n: int) -> PermutationGroup:
    """Return the S_k of this order, on the first k of n points."""
    k = degree_of(order)
    rest = list(range(k, n))
    return PermutationGroup([[*range(1, k), 0, *rest], [1, 0, *range(2, k), *rest]], f"S_{k}")


def once(way: str, order: int) -> None:
    """Run a step of the average over a group in one of the ways."""
    model = SymmetryModel(mlp(N, D), on_first(order, N), recompute=way == RECOMPUTE)
    step(model, torch.randn(2, N, D), "forward only" not in way)


def memory(orders: Sequence[int], rounds: int, ways: Iterable[str] = WAYS) -> list[Result]:
    """Return how the memory of a step, above that of one over S_2, grows with the order."""
    peaks: dict[str, dict[int, list[float]]] = {way: {} for way in ways}
    for _ in range(rounds):
        for order in orders:
            for way, columns in peaks.items():
                if way == OURS and order > LARGEST:
                    continue
                above = megabytes_above((way, 2), (way, order), once)
                columns.setdefault(order, []).append(max(above, 0.1))
    case = "memory of an average, against the order of the group"
    return [result for way in ways for result in with_slope(case, way, peaks[way], WAYS[way], "MB")]
