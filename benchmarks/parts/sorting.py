r"""The lexicographic sort of rows against one `torch.sort` of their first entries.

    python -m benchmarks --only sorting

The floor sorts the keys alone: it moves no row and breaks no tie. The other rivals sort whole rows:
by a stable sort of every feature, the last one first; by that only for the sets in which first
entries tie; and by a loop over the sets.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor

from benchmarks.harness.comparison import compare
from benchmarks.harness.devices import here, on_cpu, threads
from benchmarks.harness.results import OURS, Result
from benchmarks.harness.timing import Rival
from invariant_nets import lexicographic_sort

LARGE = (1024, 1000, 5)
SHAPES = (LARGE, (64, 1000, 128), (64, 100, 5), (2000, 10, 5), (32, 10, 5))
THREADS = (1, 2)
ROUNDS, ROUNDS_OF_THE_SLOW = 15, 3
BOUND = 1.5
FLOOR = "torch.sort of the keys"


def stable_order(x: Tensor) -> Tensor:
    """Return the order of the rows by a stable sort of every feature."""
    order = torch.arange(x.shape[1]).expand(x.shape[:2])
    for column in reversed(x.unbind(-1)):
        order = order.gather(1, column.gather(1, order).argsort(dim=1, stable=True))
    return order


def moved(x: Tensor, order: Tensor) -> Tensor:
    """Return the rows in an order."""
    return x.gather(1, order[..., None].expand_as(x))


def by_stable_sorts(x: Tensor) -> Tensor:
    """Sort the rows by a stable sort of every feature."""
    return moved(x, stable_order(x))


def by_stable_sorts_of_ties(x: Tensor) -> Tensor:
    """Sort the rows by their first entries; only the sets in which some tie need the others."""
    keys, order = x[..., 0].sort(1)
    tied = ~(keys[:, 1:] > keys[:, :-1]).all(1)
    if tied.any():
        order[tied] = stable_order(x[tied])
    return moved(x, order)


def by_a_loop(x: Tensor) -> Tensor:
    """Sort the rows of one set after the other."""
    sets = x.cpu().numpy()
    return torch.from_numpy(np.stack([rows[np.lexsort(rows.T[::-1])] for rows in sets]))


def normal(*shape: int) -> Tensor:
    """Return sets in which next to nothing ties."""
    draws = torch.Generator().manual_seed(0)
    return torch.randn(shape, generator=draws, device="cpu").to(here())


def tied(*shape: int) -> dict[str, Tensor]:
    """Return sets in which something ties, little or much."""
    x, y, z = (normal(*shape) for _ in range(3))
    y[..., 0] = y[..., 0] > 0
    few = max(1, shape[1] // 100)
    z[:, :few, 0] = z[:, -few:, 0]
    draws = torch.Generator().manual_seed(1)
    integers = torch.randint(10, shape, generator=draws, device="cpu").float().to(here())
    copies = torch.randint(shape[1] // 2, shape[1:2], generator=draws, device="cpu").to(here())
    return {
        "1 % of first features tie": z,
        "integers from 0 to 9": integers,
        "all rows equal": torch.ones(shape),
        "first feature binary": y,
        "all features binary": (x > 0).float(),
        "each row twice or so": x[:, copies],
    }


def in_case(case: str, x: Tensor, count: int, rounds: int, bound: float | None) -> list[Result]:
    """Return the results for some sets and threads."""
    floor: dict[str, Rival | str] = {FLOOR: partial(torch.sort, x[..., 0].contiguous(), 1)}
    slow: dict[str, Rival | str] = {
        "a stable sort a feature": partial(by_stable_sorts, x),
        "the same, of sets with ties": partial(by_stable_sorts_of_ties, x),
    }
    if on_cpu():
        slow["np.lexsort, set by set"] = partial(by_a_loop, x)
    expected = by_a_loop(x)
    for sort in (lexicographic_sort, by_stable_sorts, by_stable_sorts_of_ties):
        assert torch.equal(sort(x).cpu(), expected)
    case = f"{case}, {count} thread{'s' if count > 1 else ''}"
    with threads(count):
        return [
            *compare(case, {**floor, OURS: partial(lexicographic_sort, x)}, rounds, FLOOR, bound),
            *compare(case, {**floor, **slow}, min(rounds, ROUNDS_OF_THE_SLOW), FLOOR)[1:],
        ]


def measure(quick: bool) -> list[Result]:
    """Return the results for sets without ties of several shapes, and for sets with ties."""
    shapes, large, rounds = (((3, 4, 2),), (2, 6, 3), 2) if quick else (SHAPES, LARGE, ROUNDS)
    results = []
    for count in THREADS if on_cpu() else (1,):
        for shape in shapes:
            bound = BOUND if shape == LARGE else None
            results += in_case(str(shape), normal(*shape), count, rounds, bound)
        for name, x in tied(*large).items():
            results += in_case(f"{large}, {name}", x, count, rounds, None)
    return results
