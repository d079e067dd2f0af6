r"""How well networks tell whether a bisection was planted into a random graph.

    python -m benchmarks --only planted

The task of the chapter on any group, at a larger budget. All are trained by the rule of
`benchmarks.peers.training`, message passing by torch_geometric in a process of its own. A graph is
one tensor: its adjacency matrix with a 1 on the diagonal for every node, and 0 for padding.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.harness.results import OURS, Result
from benchmarks.peers.environment import working
from benchmarks.peers.training import Budget, learning_curve
from invariant_nets import TensorLinear, deep_sets, graph_network, set_transformer
from invariant_nets.networks import GraphNetwork, SetNetwork

SIZES, INSIDE, ACROSS = (10, 12, 14, 16), 0.8, 0.2  # nodes; probabilities of an edge
TESTS, LONG_RUN = 10_000, 40_000
FULL, QUICK = Budget((4_000,), seeds=5, steps=500), Budget((16,), seeds=2, steps=2)
CASE, LIMIT, TWO = "accuracy", "Bayes limit", f"{OURS}, 2-tensors"
MESSAGES = [f"torch_geometric, {name}" for name in ("GIN", "GCN", "GIN, given triangles")]

Shown = Callable[[Tensor, Tensor], Tensor]


def planted(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Return graphs, as many of each size, and labels, (count, n, n) and (count, 1).

    With label 1 there are two hidden halves, and an edge is likelier inside a half than across.
    """
    source = torch.Generator().manual_seed(seed)
    n = torch.tensor(SIZES).repeat(count // len(SIZES))[:, None]
    node = torch.arange(max(SIZES)) < n
    order = torch.rand(node.shape, generator=source).where(node, 2.0).argsort(1)
    half = order.argsort(1) < n // 2
    label = torch.randint(2, (len(n), 1, 1), generator=source).bool()
    p = torch.where(half[:, :, None] == half[:, None], INSIDE, ACROSS)
    p = p.where(label, even(n[:, :, None]))
    edge = (torch.rand(p.shape, generator=source) < p) & node[:, :, None] & node[:, None]
    upper = edge.float().triu(1)
    return upper + upper.mT + torch.diag_embed(node.float()), label[:, 0].float()


def even(n: Any) -> Any:
    """Return the probability of an edge under label 0, which gives as many edges as label 1."""
    return ((n / 2 - 1) * INSIDE + n / 2 * ACROSS) / (n - 1)


def log_odds(x: Tensor) -> Tensor:
    """Return the exact log-odds of label 1, by a mean over all bisections."""
    nodes, odds = x.diagonal(dim1=1, dim2=2).sum(1), x.new_empty(len(x))
    for n in SIZES:
        graphs = x[nodes == n, :n, :n] - torch.eye(n)
        one = torch.tensor(list(combinations(range(1, n), n // 2)))  # the half without node 0
        side = torch.ones(len(one), n).scatter_(1, one, -1.0)
        alike = (side[:, :, None] == side[:, None]).flatten(1).float()
        inner, whole = graphs.flatten(1) @ alike.T / 2, graphs.sum((1, 2))[:, None] / 2
        likelihood = torch.zeros(())
        for q, pairs, present in (
            (INSIDE, n * (n - 2) // 4, inner),
            (ACROSS, n * n // 4, whole - inner),
        ):
            edge, none = torch.tensor([q / even(n), (1 - q) / (1 - even(n))]).log()
            likelihood = likelihood + present * edge + (pairs - present) * none
        odds[nodes == n] = likelihood.logsumexp(1) - torch.tensor(len(one)).log()
    return odds


def task(budget: Budget, tests: int, long_run: int) -> dict[str, Any]:
    """Return the data: to train on, a pair a seed; to choose the learning rate; to test either."""
    # The ideal classifier is right with the larger of the two probabilities.
    sure = [log_odds(planted(2_000, seed)[0]).abs() for seed in range(long_run // 2_000)]
    limit = float(torch.cat(sure).double().sigmoid().mean())

    def judged(seed: int) -> tuple[Any, ...]:
        x, y = planted(tests, seed)
        ideal = (log_odds(x) > 0) == (y[:, 0] > 0.5)
        return x, y, ideal.double(), limit

    (count,) = budget.sizes
    return {
        "train": [planted(count, 1_000 + seed) for seed in range(budget.seeds)],
        "tune": planted(count, 2_000),
        "choose": judged(2_001),
        "test": judged(2_002),
    }


class Seen(nn.Module):
    """A network that is shown something of a graph.

    Args:
        network: takes what it is shown, and the mask.
        shown: makes this from adjacency matrices and how many other nodes each node has.
    """

    def __init__(self, network: nn.Module, shown: Shown) -> None:
        super().__init__()
        self.network, self.shown = network, shown

    def forward(self, x: Tensor) -> Tensor:
        """Map (graphs, n, n) to (graphs, 1)."""
        mask = x.diagonal(dim1=1, dim2=2) > 0
        others = mask.sum(1)[:, None, None] - 1
        shown = self.shown(x - torch.diag_embed(mask.float()), others)
        y: Tensor = self.network(shown, mask=mask)
        return y


def edges(x: Tensor, others: Tensor) -> Tensor:
    """Return the graph itself."""
    return x


def degrees(x: Tensor, others: Tensor) -> Tensor:
    """Return the share of the other nodes that are neighbors of each."""
    return x.sum(2, keepdim=True) / others


def common(x: Tensor, others: Tensor) -> Tensor:
    """Return edges, and the share of the other nodes that are neighbors of both."""
    return torch.stack((x, x @ x * (1 - torch.eye(x.shape[1])) / (others - 1)), 3)


def summaries(x: Tensor, others: Tensor) -> Tensor:
    """Return the size, moments of the degrees, the density of triangles, outer eigenvalues."""
    d, n = degrees(x, others)[:, :, 0], others[:, 0] + 1
    node = (torch.arange(x.shape[1]) < n).float()
    mean = d.sum(1, keepdim=True) / n
    off = (d - mean) * node
    moments = [(off**power).sum(1, keepdim=True) / n for power in (2, 3)]
    density = x.sum((1, 2))[:, None, None] / n[:, :, None] ** 2
    spectrum = torch.linalg.eigvalsh(x - density * node[:, :, None] * node[:, None])
    triangles = (x @ x * x).sum((1, 2))[:, None] / n**3
    return torch.cat([1 / n, mean, *moments, triangles, spectrum[:, [0, 1, -2, -1]] / n**0.5], 1)


class Regression(nn.Module):
    """Logistic regression on summaries."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Sequential(nn.BatchNorm1d(9), nn.Linear(9, 1))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Map (graphs, 9) to (graphs, 1)."""
        y: Tensor = self.linear(x)
        return y


def head() -> tuple[nn.Module, ...]:
    """Return the end of all networks; what the pool gives varies little, so it is standardized."""
    return nn.BatchNorm1d(16), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1)


def of_degrees(backbone: Callable[..., nn.Sequential]) -> nn.Module:
    """Return a network of sets."""
    return Seen(SetNetwork(*backbone(16, 1, outputs=16), *head(), d=1), degrees)


def pairs(features: int, shown: Shown) -> nn.Module:
    """Return a network of 2-tensors: two layers."""
    layers = graph_network(edge_features=features, hidden=(8, 8), outputs=16, undirected=True)
    return Seen(GraphNetwork(*layers, *head(), edge_features=features), shown)


def triples() -> nn.Module:
    """Return a network of 3-tensors: one layer."""
    lift = TensorLinear("n n -> n n n", 1, 4, symmetric="both")
    pool = TensorLinear("n n n ->", 4, 16, symmetric="both")
    return Seen(GraphNetwork(lift, nn.ReLU(), pool, *head()), edges)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    f"{OURS}, Deep Sets on degrees": partial(of_degrees, deep_sets),
    f"{OURS}, attention on degrees": partial(of_degrees, set_transformer),
    TWO: partial(pairs, 1, edges),
    f"{TWO}, given common neighbors": partial(pairs, 2, common),
    f"{OURS}, 3-tensors": triples,
    "regression on triangles and spectrum": lambda: Seen(Regression(), summaries),
}


def result_of(name: str, found: dict[str, Any] | str, tests: int) -> Result:
    """Return a mean accuracy, with one standard error less and more: over seeds and test graphs."""
    if isinstance(found, str):
        return Result(CASE, name, note=found)
    reached = [accuracy for (accuracy,) in found["accuracy"]]
    mean = statistics.fmean(reached)
    error = (statistics.variance(reached) / len(reached) + mean * (1 - mean) / tests) ** 0.5
    note = f"learning rate {found['rates'][0]:g}"
    return Result(CASE, name, (mean - error, mean, mean + error), "", note=note)


def measure(quick: bool) -> list[Result]:
    """Return the accuracies of all networks, and the limit."""
    budget, tests = (QUICK, 40) if quick else (FULL, TESTS)
    data = task(budget, tests, 2_000 if quick else LONG_RUN)
    limit = data["test"][3]
    results = [Result(CASE, LIMIT, (limit, limit, limit), "")]
    results += [
        result_of(name, learning_curve(NETWORKS[name], data, budget), tests)
        for name in ([TWO] if quick else NETWORKS)
    ]
    peer = working("torch_geometric", "benchmarks.peers.peer_messages", quick)
    with tempfile.TemporaryDirectory() as folder, peer as worker:
        path = Path(folder) / "data.pt"
        torch.save(data, path)
        for name in MESSAGES:
            found: dict[str, Any] | str = (
                worker
                if isinstance(worker, str)
                else worker.ask("curve", network=name, path=str(path), **asdict(budget))
            )
            results.append(result_of(name, found, tests))
    return results
