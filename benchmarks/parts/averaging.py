r"""Exact averages of a perceptron over $S_n$: evaluations a second, and memory.

    python -m benchmarks --only averaging

The floor is the perceptron on as many inputs, without permuting anything: it reads the same few
thousand sets again and again. The other ways get all permutations as a tensor, made before.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.func import vmap

from benchmarks.harness.comparison import compare
from benchmarks.harness.memory import megabytes_above
from benchmarks.harness.results import OURS, Result, at_least
from benchmarks.harness.timing import quartiles, ratio_quartiles, seconds_by_turns
from invariant_nets import SymmetryModel, mlp, symmetric_group

D = 5
CHUNK = 256  # permutations; a batch of 32 makes 8,192 sets
BARE, RECOMPUTE = "bare perceptron", f"{OURS}, recompute"
BOUND = 0.85

Model = Callable[[Tensor], Tensor]


def all_orders(n: int) -> Tensor:
    """Return all permutations of n points, a row each."""
    return torch.tensor(list(itertools.permutations(range(n))))


def chunked(backbone: nn.Module, orders: Tensor, x: Tensor) -> Tensor:
    """Average a chunk at a time."""
    total = torch.zeros(len(x), 1)
    for chunk in torch.split(orders, CHUNK):
        sets = x[:, chunk]
        total = total + backbone(sets.flatten(0, 1)).unflatten(0, sets.shape[:2]).sum(1)
    return total / len(orders)


def mapped(backbone: nn.Module, orders: Tensor, x: Tensor) -> Tensor:
    """Average by `vmap` over the permutations, which runs a chunk at a time too."""
    outputs: Tensor = vmap(lambda order: backbone(x[:, order]), chunk_size=CHUNK)(orders)
    return outputs.mean(0)


def looped(backbone: nn.Module, orders: Tensor, x: Tensor) -> Tensor:
    """Average a permutation at a time."""
    total = torch.zeros(len(x), 1)
    for order in orders:
        total = total + backbone(x[:, order])
    return total / len(orders)


RIVALS = {"plain chunking": chunked, "vmap": mapped, "Python loop": looped}


def bare(backbone: nn.Module, sets: Tensor, count: int) -> None:
    """Run the backbone on as many sets, the same ones again and again."""
    for start in range(0, count, len(sets)):
        backbone(sets[: count - start])


def speed(n: int, batch: int, part: int, rounds: int) -> list[Result]:
    """Return evaluations a second; rivals of the average run on the first `part` permutations."""
    x, backbone, orders = torch.randn(batch, n, D), mlp(n, D).eval(), all_orders(n)
    count, some = math.factorial(n) * batch, orders[:part]
    works: dict[str, tuple[int, Callable[[], object]]] = {
        BARE: (count, partial(bare, backbone, torch.randn(CHUNK * 32, n, D), count)),
        OURS: (count, partial(SymmetryModel(backbone, symmetric_group(n)), x)),
    }
    for name, rival in RIVALS.items():
        works[name] = len(some) * batch, partial(rival, backbone, some, x)
    with torch.no_grad():
        seconds = seconds_by_turns({name: work for name, (_, work) in works.items()}, rounds)
    results = []
    for name, (evaluations, _) in works.items():
        speeds = [evaluations / value for value in seconds[name]]
        ratio = ratio_quartiles(speeds, [count / value for value in seconds[BARE]])
        goal = at_least(BOUND, ratio[1]) if name == OURS else {}
        case = f"all of S_{n}, batch {batch}"
        results.append(Result(case, name, quartiles(speeds), "1/s", ratio, BARE, **goal))
    return results


def model_of(way: str, n: int) -> Model:
    """Return the average over all of S_n, taken in one of the ways."""
    backbone = mlp(n, D)
    if way in RIVALS:
        return partial(RIVALS[way], backbone, all_orders(n))
    return SymmetryModel(backbone, symmetric_group(n), recompute=way == RECOMPUTE)


def step(model: Model, x: Tensor, backward: bool) -> None:
    """Run forward without gradients, or forward and backward."""
    with torch.set_grad_enabled(backward):
        y = model(x)
    if backward:
        y.square().sum().backward()  # type: ignore[no-untyped-call]


def once(way: str, n: int, batch: int, backward: bool) -> None:
    """Run one step in one of the ways."""
    step(model_of(way, n), torch.randn(batch, n, D), backward)


def memory(n: int, batch: int, backward: bool, ways: list[str], rounds: int) -> list[Result]:
    """Return how much more memory a step of each way takes than the same over S_3."""
    peaks: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for way in ways:
            small, large = (way, 3, batch, backward), (way, n, batch, backward)
            peaks[way].append(megabytes_above(small, large, once))
    case = f"memory, S_{n}, batch {batch}, {'forward and backward' if backward else 'forward'}"
    return [Result(case, way, quartiles(values), "MB") for way, values in peaks.items()]


def training(n: int, batch: int, rounds: int) -> list[Result]:
    """Return how long a step takes that runs its chunks again, and one that keeps them."""
    x = torch.randn(batch, n, D)
    rivals = {way: partial(step, model_of(way, n), x, True) for way in (OURS, RECOMPUTE)}
    return compare(f"training step, S_{n}, batch {batch}", rivals, rounds, OURS)


def measure(quick: bool) -> list[Result]:
    """Return speed, memory and the price of recomputing."""
    if quick:
        return [
            *speed(4, 2, 24, 2),
            *memory(4, 2, True, [RECOMPUTE], 1),
            *training(4, 2, 2),
        ]
    ways = [OURS, *RIVALS]
    return [
        *speed(8, 32, 2_000, 9),
        *speed(10, 1, 50_000, 5),
        *memory(8, 32, False, ways, 3),
        *memory(8, 32, True, [RECOMPUTE, *ways], 3),
        *memory(10, 1, False, ways[:2], 1),
        *training(8, 32, 5),
    ]
