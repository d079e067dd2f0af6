"""What torch_geometric offers for sets; runs where it is installed, and nothing else is needed."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.peers.training import Budget, learning_curve

geometric: Any = importlib.import_module("torch_geometric.nn")


class MeanLayer(nn.Module):
    """An equivariant layer as a graph library writes it.

    Members stand in one long row, each with the number of its set. To a linear map of the members
    are added linear maps of means: over the sets, and, for matrices, over the rows and columns.
    """

    def __init__(self, in_channels: int, out_channels: int, means: int) -> None:
        super().__init__()
        self.member = nn.Linear(in_channels, out_channels)
        self.of_means = nn.ModuleList(
            nn.Linear(in_channels, out_channels, bias=False) for _ in range(means)
        )
        self.aggregate = geometric.MeanAggregation()

    def forward(self, x: Tensor, indices: list[Tensor], counts: list[int]) -> Tensor:
        """Map (members, in) to (members, out)."""
        total: Tensor = self.member(x)
        for linear, index, count in zip(self.of_means, indices, counts, strict=True):
            mean = self.aggregate(x, index, dim_size=count)
            total = total + linear(mean).index_select(0, index)
        return total


def make(layer: str, shape: list[int], backward: bool) -> Callable[[], None]:
    """Return a call of the layer, as `benchmarks.parts.layers` does."""
    batch, *sizes, in_channels, out_channels = shape
    if layer == "set":
        (n,) = sizes
        indices, counts = [torch.arange(batch).repeat_interleave(n)], [batch]
    else:
        n, d = sizes
        entry = torch.arange(batch * n * d)
        row, matrix = entry // d, entry // (n * d)
        indices, counts = [row, matrix * d + entry % d, matrix], [batch * n, batch * d, batch]
    x = torch.randn(len(indices[0]), in_channels, requires_grad=backward)
    module = MeanLayer(in_channels, out_channels, len(indices))
    gradient = torch.randn(len(x), out_channels)

    def call() -> None:
        with torch.set_grad_enabled(backward):
            y = module(x, indices, counts)
        if backward:
            y.backward(gradient)

    return call


class Network(nn.Module):
    """One logit a set: a linear layer, an aggregation, a linear layer."""

    def __init__(self, first: nn.Module, aggregate: nn.Module, last: nn.Module) -> None:
        super().__init__()
        self.first, self.aggregate, self.last = first, aggregate, last

    def forward(self, x: Tensor) -> Tensor:
        """Map (sets, n, d) to (sets, 1)."""
        sets, n, _ = x.shape
        index = torch.arange(sets).repeat_interleave(n)
        pooled = self.aggregate(self.first(x.flatten(0, 1)), index, dim_size=sets)
        logits: Tensor = self.last(pooled)
        return logits


def deep_sets(d: int, width: int = 24) -> Network:
    """As wide and as deep as `invariant_nets.deep_sets`."""
    member = nn.Sequential(nn.Linear(d, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU())
    pool = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1))
    return Network(nn.Identity(), geometric.DeepSetsAggregation(member, pool), nn.Identity())


def set_transformer(d: int, width: int = 16, heads: int = 2) -> Network:
    """As wide as `invariant_nets.set_transformer`, with a block before and one after the pool."""
    aggregate = geometric.SetTransformerAggregation(width, heads=heads)
    return Network(nn.Linear(d, width), aggregate, nn.Linear(width, 1))


NETWORKS: dict[str, Callable[[int], Network]] = {
    "torch_geometric, DeepSetsAggregation": deep_sets,
    "torch_geometric, SetTransformerAggregation": set_transformer,
}


def curve(network: str, path: str, sizes: list[int], seeds: int, steps: int) -> dict[str, Any]:
    """Return the learning curve of a network by its name, on the data in a file."""
    data = torch.load(path, weights_only=True)
    d = data["tune"][0].shape[2]
    return learning_curve(partial(NETWORKS[network], d), data, Budget(sizes, seeds, steps))
