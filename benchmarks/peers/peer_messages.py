"""Message passing by torch_geometric; runs where it is installed, and nothing else is needed."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.peers.training import Budget, learning_curve

geometric: Any = importlib.import_module("torch_geometric.nn")

WIDTH = 16


class Messages(nn.Module):
    """One logit per graph: two rounds of messages, the mean over the nodes, a small head.

    Graphs are matrices with a 1 on the diagonal for every node, and 0 for padding.

    Args:
        network: makes a network of nodes, given the channels in and inside, and the rounds.
        triangles: whether a node begins with its triangles too, per pair of other nodes, and not
            only with the share of the others that are its neighbors.
    """

    def __init__(self, network: Callable[..., nn.Module], triangles: bool = False) -> None:
        super().__init__()
        self.triangles = triangles
        self.rounds = network(1 + triangles, WIDTH, 2, norm="batch_norm")
        self.head = nn.Sequential(
            nn.BatchNorm1d(WIDTH), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (graphs, n, n) to (graphs, 1)."""
        node = x.diagonal(dim1=1, dim2=2) > 0
        x = x - torch.diag_embed(node.float())
        number = (node.flatten().cumsum(0) - 1).view(node.shape)
        graph, i, j = x.nonzero().T
        edges = torch.stack((number[graph, i], number[graph, j]))
        n = node.sum(1, keepdim=True)
        begin = [x.sum(2) / (n - 1)]
        if self.triangles:
            begin.append((x @ x * x).sum(2) / (n - 1) / (n - 2))
        h = self.rounds(torch.stack(begin, 2)[node], edges)
        which = torch.arange(len(x)).repeat_interleave(n[:, 0])
        logits: Tensor = self.head(geometric.global_mean_pool(h, which, len(x)))
        return logits


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "torch_geometric, GIN": partial(Messages, geometric.GIN),
    "torch_geometric, GCN": partial(Messages, geometric.GCN),
    "torch_geometric, GIN, given triangles": partial(Messages, geometric.GIN, triangles=True),
}


def curve(network: str, path: str, sizes: list[int], seeds: int, steps: int) -> dict[str, Any]:
    """Return the learning curve of a network by its name, on the data in a file."""
    data = torch.load(path, weights_only=True)
    return learning_curve(NETWORKS[network], data, Budget(sizes, seeds, steps))
