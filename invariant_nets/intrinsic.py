r"""The networks that are invariant by construction: equivariant layers, then an invariant one."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from torch import nn

from invariant_nets._validation import positive_int
from invariant_nets.exchangeable import ExchangeableEquivariant, ExchangeableInvariant
from invariant_nets.layers import LinearEquivariant, LinearInvariant, Normalization, Pooling
from invariant_nets.perceptron import layer_widths
from invariant_nets.set_network import SetNetwork, sigmoid_if


def intrinsic(
    n: int,
    d: int,
    *,
    hidden: Sequence[int] = (10, 10),
    normalization: Normalization = "mean",
    pooling: Pooling = "mean",
    probabilities: bool = False,
) -> SetNetwork:
    r"""Build the network of equivariant layers: $d \to 10 \to 10$ with ReLU, then invariant to 1.

    Invariant to $S_n$ by construction, and it takes sets of every size. An empty set gives the
    readout's constant.

    Args:
        n: the set size, at least 1; no weight depends on it, it is there so that every backbone
            is built alike.
        d: the number of features, at least 1.
        hidden: the widths of the equivariant layers, at least one.
        normalization: of every layer, see `LinearEquivariant`.
        pooling: of every layer, see `LinearEquivariant`.
        probabilities: end in a sigmoid instead of giving logits.

    Shape:
        $(\mathrm{batch}, m, d)$ to $(\mathrm{batch}, 1)$, for every $m \ge 1$; `mask` is
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
    widths = layer_widths(positive_int("d", d), hidden)
    modules: list[nn.Module] = []
    for width_in, width_out in itertools.pairwise(widths):
        modules += [LinearEquivariant(width_in, width_out, normalization, pooling), nn.ReLU()]
    modules += [LinearInvariant(widths[-1], 1, normalization, pooling)]
    return SetNetwork(*modules, *sigmoid_if(probabilities), d=d)


def exchangeable_matrix(
    n: int,
    d: int,
    *,
    hidden: Sequence[int] = (16, 16),
    probabilities: bool = False,
) -> SetNetwork:
    r"""Build the network of the $S_n \times S_d$ layers: $1 \to 16 \to 16$ with ReLU, then to 1.

    $$f(\sigma x \tau) = f(x) \quad \text{for all } \sigma \in S_n,\ \tau \in S_d.$$

    Invariant to $S_n \times S_d$ by construction: every entry is a point with one feature, and
    neither rows nor columns have an order. It takes matrices of every size $n \times d$. An empty
    set gives the readout's bias.

    Args:
        n: the number of rows, at least 1; no weight depends on it or on `d`, they are there so
            that every backbone is built alike.
        d: the number of columns, at least 1.
        hidden: the widths of the equivariant layers, at least one.
        probabilities: end in a sigmoid instead of giving logits.

    Shape:
        $(\mathrm{batch}, m, d)$ to $(\mathrm{batch}, 1)$, for every $m \ge 1$; `mask` is
        $(\mathrm{batch}, m)$, true where a row is.

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
    widths = layer_widths(1, hidden)
    modules: list[nn.Module] = [nn.Unflatten(2, (positive_int("d", d), 1))]
    for width_in, width_out in itertools.pairwise(widths):
        modules += [ExchangeableEquivariant(width_in, width_out), nn.ReLU()]
    modules += [ExchangeableInvariant(widths[-1], 1)]
    return SetNetwork(*modules, *sigmoid_if(probabilities), d=d)
