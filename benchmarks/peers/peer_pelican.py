"""What pelican-lite offers for graphs: the 15 maps over lists of edges; runs where it is there."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import torch

pelican: Any = importlib.import_module("pelican.layers")


def make(shape: list[int], backward: bool) -> Callable[[], None]:
    """Return a call of the layer on dense graphs, all of whose edges are listed."""
    batch, n, channels = shape
    layer = pelican.Aggregator2to2(channels, channels)
    rows, columns = torch.cartesian_prod(torch.arange(batch * n), torch.arange(n)).T
    edges = torch.stack((rows, rows // n * n + columns))
    graph = torch.arange(batch).repeat_interleave(n)
    x = torch.randn(batch * n * n, channels, requires_grad=backward)
    gradient = torch.randn(len(x), channels)

    def call() -> None:
        with torch.set_grad_enabled(backward):
            y = layer(x, edges, graph)
        if backward:
            y.backward(gradient)

    return call
