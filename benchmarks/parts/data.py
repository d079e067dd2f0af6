r"""How many training sets a model needs to come within a point of the Bayes limit.

    python -m benchmarks --only data

Every model of the book (the network of $S_n$ layers as wide as Deep Sets), one of them also from a
smaller start, and the two networks of sets that torch_geometric builds, by the rule of
`benchmarks.peers.training`, on the same data: the book's task with $n = 10$, $d = 5$ and variances
1 and 0.8. Two processes with a thread each.
"""

from __future__ import annotations

import math
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader

from benchmarks.harness.results import Result
from benchmarks.harness.timing import Quartiles, quartiles
from benchmarks.peers.environment import MissingError, Worker, python_of
from benchmarks.peers.training import Budget, learning_curve
from invariant_nets import (
    MODELS,
    GaussianDataset,
    bayes_accuracy,
    bayes_threshold,
    build_model,
    intrinsic,
)

N, D, V1, V2 = 10, 5, 1.0, 0.8
FULL = Budget(sizes=(100, 300, 1_000, 3_000, 10_000, 30_000), seeds=3, steps=1_000)
QUICK = Budget(sizes=(8, 16), seeds=1, steps=2)
SLOW = ("cyclic-transformer", "sampled-transformer")  # ten transformers each: one seed
PROCESSES = 2
POINT = 0.01
CURVE, NEEDED = "accuracy", "sets needed"
HALVED = " at half the weights"
WIDE = "intrinsic of width 24"  # that of deep-sets


@dataclass(frozen=True)
class Job:
    """A learning curve to be computed: of which network, and where."""

    name: str
    group: str
    peer: str = ""

    def run(self, path: Path, budget: Budget) -> dict[str, Any] | str:
        """Return what `learning_curve` does in a process of its own, or why there is nothing."""
        if self.name in SLOW:
            budget = Budget(budget.sizes, 1, budget.steps)
        try:
            python = python_of(self.peer) if self.peer else sys.executable
        except MissingError as reason:
            return str(reason)
        module = "benchmarks.peers.peer_geometric" if self.peer else "benchmarks.parts.data"
        with Worker(python, module, threads=1) as worker:
            found: dict[str, Any] = worker.ask(
                "curve", network=self.name, path=str(path), **asdict(budget)
            )
        return found


JOBS = (
    *(Job(WIDE if name == "intrinsic" else name, spec.group) for name, spec in MODELS.items()),
    Job("deep-sets" + HALVED, MODELS["deep-sets"].group),
    Job("torch_geometric, DeepSetsAggregation", "S_n", "torch_geometric"),
    Job("torch_geometric, SetTransformerAggregation", "S_n", "torch_geometric"),
)


def sets(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return sets and labels."""
    data = GaussianDataset(count, (N, D), V1, V2, static=True, seed=seed)
    x, y = next(iter(DataLoader(data, count)))
    return x, y


def judged(count: int, seed: int) -> tuple[Any, ...]:
    """Return sets, labels, which of them the ideal classifier has right, and its accuracy."""
    x, y = sets(count, seed)
    ideal = (x.square().sum((1, 2)) < bayes_threshold(N, D, V1, V2)) == (y[:, 0] > 0.5)
    return x, y, ideal.double(), bayes_accuracy(N, D, V1, V2)


def task(budget: Budget, tests: int = 20_000) -> dict[str, Any]:
    """Return the data: to train on, a pair a seed; to tune the step size; to test either."""
    largest = max(budget.sizes)
    return {
        "train": [sets(largest, seed) for seed in range(budget.seeds)],
        "tune": sets(largest, 1_000),
        "choose": judged(tests, 1_001),
        "test": judged(tests, 1_002),
    }


def made(name: str) -> nn.Module:
    """Return a model by its name, with half of the weights that it starts with if that says so."""
    base = name.removesuffix(HALVED)
    model = intrinsic(N, D, hidden=(24, 24)) if base == WIDE else build_model(base, N, D)
    if name.endswith(HALVED):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.div_(2)
    return model


def curve(network: str, path: str, sizes: list[int], seeds: int, steps: int) -> dict[str, Any]:
    """Return the learning curve of a model by its name, on the data in a file."""
    data = torch.load(path, weights_only=True)
    return learning_curve(partial(made, network), data, Budget(sizes, seeds, steps))


def needed(sizes: Sequence[int], accuracies: Sequence[float], target: float) -> float:
    """Return how many sets reach an accuracy for the first time, between sizes on a log scale.

    Infinite if the largest size does not; the smallest size if that already does.
    """
    before: tuple[float, float] | None = None
    for size, reached in zip(sizes, accuracies, strict=True):
        if reached >= target:
            if before is None:
                return float(size)
            share = (target - before[1]) / (reached - before[1])
            return math.exp(math.log(before[0]) + share * math.log(size / before[0]))
        before = size, reached
    return math.inf


def results_of(job: Job, found: dict[str, Any] | str, sizes: Sequence[int]) -> list[Result]:
    """Return the accuracies of a network, and how many sets its seeds need: least, median, most."""
    name = f"{job.name} ({job.group})"
    if isinstance(found, str):
        return [Result(NEEDED, name, unit="sets", note=found)]
    rows = found["accuracy"]
    results = [
        Result(CURVE, name, quartiles(column), "", note=f"step size {rate:g}", size=size)
        for size, rate, column in zip(sizes, found["rates"], zip(*rows, strict=True), strict=True)
    ]
    limit = bayes_accuracy(N, D, V1, V2)
    counts = sorted(needed(sizes, row, limit - POINT) for row in rows)
    value: Quartiles | None = counts[0], counts[len(counts) // 2], min(counts[-1], sizes[-1])
    beyond, note = sum(map(math.isinf, counts)), ""
    if math.isinf(counts[len(counts) // 2]):
        value, note = None, f"more than {sizes[-1]:,}"
    elif beyond:
        note = f"not within {sizes[-1]:,} for {beyond} of {len(counts)} seeds"
    elif counts[-1] <= sizes[0]:
        note = f"at most {sizes[0]:,}"
    return [*results, Result(NEEDED, name, value, "sets", note=note)]


def measure(quick: bool) -> list[Result]:
    """Return accuracies and needed sets of all networks."""
    limit = bayes_accuracy(N, D, V1, V2)
    results = [Result("limit", "Bayes", (limit, limit, limit), "")]
    if quick:
        data = task(QUICK, 100)
        for job in (Job("radial", "O(nd)"), Job("sampled-mlp", "trivial")):
            found = learning_curve(partial(made, job.name), data, QUICK)
            results += results_of(job, found, QUICK.sizes)
        return results
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(PROCESSES) as pool:
        path = Path(folder) / "data.pt"
        torch.save(task(FULL), path)
        # The slow ones first, so that in the end no process is left alone with one.
        order = sorted(JOBS, key=lambda job: "transformer" not in job.name.lower())
        order.sort(key=lambda job: job.name not in SLOW)
        runs = {job: pool.submit(job.run, path, FULL) for job in order}
        for job in JOBS:
            results += results_of(job, runs[job].result(), FULL.sizes)
    return results
