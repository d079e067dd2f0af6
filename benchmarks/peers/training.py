"""Trains a network on more and more of the same data, by one rule for all; torch alone will do.

The rule: AdamW with PyTorch's weight decay, batches of 64, and
in the end the mean of the weights over the second half of the steps. For every size the step size
is the one that was best with data, weights and test sets of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

BATCH = 64
RATES = (3e-3, 1e-2, 3e-2)

Build = Callable[[], nn.Module]


@dataclass(frozen=True)
class Budget:
    """How much a network is trained.

    Attributes:
        sizes: the numbers of training sets; a smaller set of them is the start of a larger one.
        seeds: how many trainings a size.
        steps: how many steps of `BATCH` sets a training.
    """

    sizes: Sequence[int]
    seeds: int
    steps: int


def fitted(build: Build, x: Tensor, y: Tensor, rate: float, steps: int, seed: int) -> nn.Module:
    """Return a network that was trained on sets and labels, (sets, n, d) and (sets, 1)."""
    torch.manual_seed(seed)
    network = build()
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate)
    seen = steps * BATCH
    passes = [torch.randperm(len(x)) for _ in range(0, seen, len(x))]
    means = [torch.zeros_like(weight) for weight in network.parameters()]
    for step, chosen in enumerate(torch.split(torch.cat(passes)[:seen], BATCH)):
        loss = nn.functional.binary_cross_entropy_with_logits(network(x[chosen]), y[chosen])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step >= steps // 2:
            for mean, weight in zip(means, network.parameters(), strict=True):
                mean += weight.detach()
    with torch.no_grad():
        for mean, weight in zip(means, network.parameters(), strict=True):
            weight.copy_(mean / (steps - steps // 2))
    update_bn(torch.split(x, 500), network)  # statistics of these weights, where there are any
    return network.eval()


@torch.no_grad()
def accuracy(network: nn.Module, x: Tensor, y: Tensor, ideal: Tensor, limit: float) -> float:
    """Return the share of right answers, less the luck that these sets are.

    Args:
        network: gives logits.
        x: the sets.
        y: their labels, (sets, 1).
        ideal: which of them the ideal classifier has right, (sets,).
        limit: how often it is right in the long run.
    """
    logits = torch.cat([network(part) for part in torch.split(x, 500)])
    hits = ((logits > 0) == (y > 0.5)).flatten().double()
    shared = ideal - ideal.mean()
    slope = (hits - hits.mean()) @ shared / (shared @ shared)
    return float(hits.mean() - slope * (ideal.mean() - limit))


def learning_curve(build: Build, data: dict[str, Any], budget: Budget) -> dict[str, Any]:
    """Return the accuracies, a row a seed and a column a size, and the step size of each size.

    Args:
        build: makes the network.
        data: what `benchmarks.parts.data.task` returns.
        budget: how much to train.
    """
    steps, rates, rows = budget.steps, [], []
    sets, labels = data["tune"]
    for size in budget.sizes:
        scores = [
            accuracy(fitted(build, sets[:size], labels[:size], rate, steps, 0), *data["choose"])
            for rate in RATES
        ]
        rates.append(RATES[scores.index(max(scores))])
    for seed, (sets, labels) in enumerate(data["train"][: budget.seeds], start=1):
        row = []
        for size, rate in zip(budget.sizes, rates, strict=True):
            network = fitted(build, sets[:size], labels[:size], rate, steps, seed)
            row.append(accuracy(network, *data["test"]))
        rows.append(row)
    return {"accuracy": rows, "rates": rates}
