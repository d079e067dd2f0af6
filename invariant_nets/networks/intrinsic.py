r"""The networks that are invariant by construction: equivariant layers, then an invariant one."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import nn

from invariant_nets._arguments import checked_widths, layer_widths, one_of, positive_int
from invariant_nets.groups.named import cyclic_group
from invariant_nets.layers.averaged import (
    LinearEquivariant,
    LinearInvariant,
    Normalization,
    Pooling,
)
from invariant_nets.layers.exchangeable import ExchangeableEquivariant, ExchangeableInvariant
from invariant_nets.layers.orbit import OrbitInvariant, OrbitLinear
from invariant_nets.layers.partitions.classes import Symmetric
from invariant_nets.layers.symmetric_elements import SymmetricElements, SymmetricElementsInvariant
from invariant_nets.layers.tensors.layer import TensorLinear
from invariant_nets.networks.set_network import GraphNetwork, SetNetwork, to_probabilities


def intrinsic(
    n: int,
    d: int,
    *,
    hidden: Sequence[int] = (10, 10),
    normalization: Normalization = "mean",
    pooling: Pooling = "mean",
    outputs: int = 1,
    per_member: bool = False,
    probabilities: bool = False,
) -> SetNetwork:
    r"""Build the network of equivariant layers: $d \to 10 \to 10$ with ReLU, then invariant.

    Invariant to $S_n$ by construction, and it takes sets of every size. The output for an empty set
    is the readout's constant.

    With `per_member` the last layer $F$ is a `LinearEquivariant` too, so the network is
    equivariant: $y_i = F(h)_i$ for the last hidden $h$ of all members. $F$ is initialized at
    $1 / \sqrt 2$ of the scale of the others, since no ReLU follows it.

    Args:
        n: the set size, at least 1; no weight depends on it; it is there so that every backbone
            is built alike.
        d: the number of features, at least 1.
        hidden: the widths of the equivariant layers, at least one.
        normalization: of every layer, see `LinearEquivariant`.
        pooling: of every layer, see `LinearEquivariant`.
        outputs: the number of outputs per set, or per member, at least 1.
        per_member: whether the outputs are of each member, not of the set.
        probabilities: end in a sigmoid, or with several outputs in a softmax over them, instead of
            giving logits.

    Shape:
        $(\mathrm{batch}, m, d)$ to $(\mathrm{batch}, \mathrm{outputs})$, or per member to
        $(\mathrm{batch}, m, \mathrm{outputs})$, for every $m \ge 1$; `mask` is
        $(\mathrm{batch}, m)$, true where a member is.

    Raises:
        ValueError: if an argument is out of its range.

    Example:
        >>> import torch
        >>> intrinsic(10, 5)(torch.zeros(32, 10, 5)).shape
        torch.Size([32, 1])

    Built in chapter 4.
    """
    positive_int("n", n)
    outputs = positive_int("outputs", outputs)
    widths = layer_widths(positive_int("d", d), hidden)
    modules: list[nn.Module] = []
    for width_in, width_out in itertools.pairwise(widths):
        modules += [LinearEquivariant(width_in, width_out, normalization, pooling), nn.ReLU()]
    if per_member:
        modules += [_as_readout(LinearEquivariant(widths[-1], outputs, normalization, pooling))]
    else:
        modules += [LinearInvariant(widths[-1], outputs, normalization, pooling)]
    return SetNetwork(*modules, *to_probabilities(probabilities, outputs), d=d)


@torch.no_grad()
def _as_readout(layer: LinearEquivariant) -> LinearEquivariant:
    """Initialize a layer so that it keeps the mean square, since no ReLU follows it."""
    layer.a, layer.b = layer.a / math.sqrt(2), layer.b / math.sqrt(2)
    return layer


def graph_network(
    *,
    edge_features: int = 1,
    node_features: int = 0,
    hidden: Sequence[int] = (16, 16),
    outputs: int = 1,
    per: Literal["graph", "node", "pair"] = "graph",
    undirected: bool = False,
    probabilities: bool = False,
) -> GraphNetwork:
    r"""Build the network of the layers of pairs of nodes, $e + f \to 16 \to 16$, then a readout.

    $$f(\sigma A \sigma^{-1}) = f(A) \quad \text{for all } \sigma \in S_n.$$

    Invariant to every order of the nodes, or with outputs of nodes or pairs equivariant to it. No
    weight depends on $n$: the network takes graphs of every size.

    Args:
        edge_features: the number of features a pair of nodes has, at least 1.
        node_features: the number of features a node has, at least 0.
        hidden: the widths of the layers of pairs, each with a ReLU, at least one.
        outputs: the number of outputs per graph, node or pair, at least 1.
        per: what the outputs are of: `"graph"`, `"node"` or `"pair"`.
        undirected: whether the edges have no direction, $A_{ij} = A_{ji}$: 9 maps a layer, not 15.
        probabilities: end in a sigmoid, or with several outputs in a softmax over them, instead of
            giving logits.

    Shape:
        See `GraphNetwork`; to $(\mathrm{batch}, \mathrm{outputs})$, $(\mathrm{batch}, n,
        \mathrm{outputs})$ or $(\mathrm{batch}, n, n, \mathrm{outputs})$.

    Raises:
        ValueError: if an argument is out of its range.

    Example:
        >>> import torch
        >>> network, edges = graph_network(), torch.rand(4, 9, 9)
        >>> order = torch.randperm(9)
        >>> torch.allclose(network(edges[:, order][:, :, order]), network(edges), atol=1e-5)
        True

    References:
        Maron et al. (2019), *Invariant and Equivariant Graph Networks*.

    Derived in chapter 12.
    """
    one_of("per", per, ("graph", "node", "pair"))
    features = positive_int("edge_features", edge_features) + node_features
    outputs, widths = positive_int("outputs", outputs), layer_widths(features, hidden)
    inside: Symmetric = "both" if undirected else "none"
    modules: list[nn.Module] = []
    for width_in, width_out in itertools.pairwise(widths):
        layer = TensorLinear("n n -> n n", width_in, width_out, symmetric=inside)
        modules += [layer, nn.ReLU()]
    pattern = {"graph": "n n ->", "node": "n n -> n", "pair": "n n -> n n"}[per]
    readout = TensorLinear(pattern, widths[-1], outputs, symmetric=inside)
    if per != "graph":  # no ReLU follows it
        with torch.no_grad():
            readout.weight = readout.weight / math.sqrt(2)
    modules += [readout, *to_probabilities(probabilities, outputs)]
    return GraphNetwork(*modules, edge_features=edge_features, node_features=node_features)


def exchangeable_matrix(
    n: int,
    d: int,
    *,
    hidden: Sequence[int] = (16, 16),
    outputs: int = 1,
    probabilities: bool = False,
) -> SetNetwork:
    r"""Build the network of the $S_n \times S_d$ layers, $1 \to 16 \to 16$, then invariant.

    $$f(\sigma x \tau) = f(x) \quad \text{for all } \sigma \in S_n,\ \tau \in S_d.$$

    Invariant to $S_n \times S_d$ by construction: every entry is a point with one feature, and
    neither rows nor columns have an order. It takes matrices of every size $n \times d$. An empty
    set gives the readout's bias.

    Args:
        n: the number of rows, at least 1; no weight depends on it or on `d`; they are there so
            that every backbone is built alike.
        d: the number of columns, at least 1.
        hidden: the widths of the equivariant layers, at least one.
        outputs: the number of outputs per set, at least 1.
        probabilities: end in a sigmoid, or with several outputs in a softmax over them, instead of
            giving logits.

    Shape:
        $(\mathrm{batch}, m, d)$ to $(\mathrm{batch}, \mathrm{outputs})$, for every $m \ge 1$;
        `mask` is $(\mathrm{batch}, m)$, true where a row is.

    Raises:
        ValueError: if an argument is out of its range.

    Example:
        >>> import torch
        >>> network, x = exchangeable_matrix(10, 5), torch.randn(32, 10, 5)
        >>> torch.allclose(network(x.flip(1, 2)), network(x), atol=1e-5)
        True

    References:
        Hartford et al. (2018), *Deep Models of Interactions Across Sets*.

    Derived in chapter 6.
    """
    positive_int("n", n)
    outputs = positive_int("outputs", outputs)
    widths = layer_widths(1, hidden)
    modules: list[nn.Module] = [nn.Unflatten(2, (positive_int("d", d), 1))]
    for width_in, width_out in itertools.pairwise(widths):
        modules += [ExchangeableEquivariant(width_in, width_out), nn.ReLU()]
    modules += [ExchangeableInvariant(widths[-1], outputs)]
    return SetNetwork(*modules, *to_probabilities(probabilities, outputs), d=d)


def cyclic_elements(
    n: int,
    d: int,
    *,
    hidden: Sequence[int] = (10, 10),
    pooling: Pooling = "mean",
    outputs: int = 1,
    per_member: bool = False,
    probabilities: bool = False,
) -> SetNetwork:
    r"""Build the network of `SymmetricElements` on sets of cyclic signals of length $d$.

    Invariant to $S_n \times C_d$: to every order of the rows, and to every cyclic shift of the
    features, the same for all rows. It takes sets of every size.

    The maps on the elements' deviations from their mean and on their mean, $\mathrm{element}$ and
    $\mathrm{element} + \mathrm{shared}$ for a mean pool, are initialized as in `OrbitLinear` but
    $\sqrt 2$ times as large, independently of each other: they double the variance of independent
    inputs, and a ReLU halves the mean square. The readout is initialized as in `OrbitInvariant`.

    With `per_member` it is equivariant to $S_n$ and invariant to $C_d$: the readout is
    $y_i = \mathrm{element}(h_i) + \mathrm{shared}(\mathrm{pool}_j\, h_j)$ with two such maps, the
    first with a bias.

    Args:
        n: the set size, at least 1; no weight depends on it; it is there so that every backbone
            is built alike.
        d: the number of features, at least 1.
        hidden: the channels of the layers, each with a ReLU, at least one.
        pooling: of every layer, see `SymmetricElements`.
        outputs: the number of outputs per set, or per member, at least 1.
        per_member: whether the outputs are of each member, not of the set.
        probabilities: end in a sigmoid, or with several outputs in a softmax over them, instead of
            giving logits.

    Shape:
        $(\mathrm{batch}, m, d)$ to $(\mathrm{batch}, \mathrm{outputs})$, or per member to
        $(\mathrm{batch}, m, \mathrm{outputs})$, for every $m \ge 1$; `mask` is
        $(\mathrm{batch}, m)$, true where a member is.

    Raises:
        ValueError: if an argument is out of its range.

    Example:
        >>> network = cyclic_elements(10, 5)
        >>> x = torch.randn(32, 10, 5)
        >>> torch.allclose(network(x.flip(1).roll(2, -1)), network(x), atol=1e-5)
        True

    References:
        Maron, Litany, Chechik & Fetaya (2020), *On Learning Sets of Symmetric Elements*, ICML.

    Chapter 6 has the case $S_n \times S_d$.
    """
    positive_int("n", n)
    outputs = positive_int("outputs", outputs)
    channels = layer_widths(1, hidden)
    checked_widths("hidden", hidden)
    group = cyclic_group(positive_int("d", d))
    modules: list[nn.Module] = [nn.Unflatten(2, (d, 1))]
    for k in range(len(hidden)):
        element = OrbitLinear(group, channels[k], channels[k + 1])
        shared = OrbitLinear(group, channels[k], channels[k + 1], bias=False)
        with torch.no_grad():
            element.weight = element.weight * math.sqrt(2)
            shared.weight = shared.weight * math.sqrt(2) - element.weight
        modules += [SymmetricElements(element, shared, pooling), nn.ReLU()]
    readout = OrbitInvariant(group, channels[-1], outputs)
    if per_member:
        pooled = OrbitInvariant(group, channels[-1], outputs, bias=False)
        modules += [SymmetricElements(readout, pooled, pooling)]
    else:
        modules += [SymmetricElementsInvariant(readout, pooling)]
    return SetNetwork(*modules, *to_probabilities(probabilities, outputs), d=d)
