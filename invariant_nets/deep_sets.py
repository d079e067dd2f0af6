r"""Deep Sets: every member is encoded by itself, the codes are pooled, the pool is decoded."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from invariant_nets._validation import positive_int
from invariant_nets.perceptron import checked_widths, layer_widths, perceptron
from invariant_nets.pooling import PoolingName, SetPooling
from invariant_nets.set_network import SetNetwork, sigmoid_if


def deep_sets(
    n: int,
    d: int,
    *,
    hidden: Sequence[int] = (24, 24),
    readout: Sequence[int] = (24,),
    pooling: PoolingName = "mean",
    probabilities: bool = False,
) -> SetNetwork:
    r"""Build the network $\rho(\mathrm{pool}_i\, \varphi(x_i))$, its $\varphi, \rho$ perceptrons.

    Invariant to $S_n$, and it takes sets of every size. Members meet in the pool only. With sum
    pooling every continuous invariant function of $n$ numbers is $\rho(\sum_i \varphi(x_i))$ for
    some continuous $\varphi$ and $\rho$ if $\varphi$ has $n$ features; with fewer, some are not.

    Every weight matrix starts as in `perceptron`. An empty set pools to 0, so it gives $\rho(0)$.

    Args:
        n: the set size, at least 1; no weight depends on it, it is there so that every backbone
            is built alike.
        d: the number of features, at least 1.
        hidden: the widths of the layers of $\varphi$, each with a ReLU, at least one.
        readout: the widths of the hidden layers of $\rho$, each with a ReLU; a linear layer to one
            number follows.
        pooling: `"mean"`, `"sum"` or `"max"`, see `SetPooling`.
        probabilities: end in a sigmoid instead of giving logits.

    Shape:
        $(\mathrm{batch}, m, d)$ to $(\mathrm{batch}, 1)$, for every $m \ge 1$; `mask` is
        $(\mathrm{batch}, m)$, true where a member is.

    Raises:
        ValueError: if an argument is out of its range.

    Example:
        >>> import torch
        >>> network = deep_sets(10, 5)
        >>> network(torch.zeros(32, 10, 5), mask=torch.rand(32, 10) < 0.5).shape
        torch.Size([32, 1])

    References:
        Zaheer et al. (2017), *Deep Sets*; Wagstaff et al. (2019), *On the Limitations of
        Representing Functions on Sets*, for how many features the pool needs.

    Trained in chapter 13.
    """
    positive_int("n", n)
    widths = layer_widths(positive_int("d", d), hidden)
    checked_widths("hidden", hidden)
    return SetNetwork(
        *perceptron(*widths),
        nn.ReLU(),
        SetPooling(pooling),
        *perceptron(widths[-1], *checked_widths("readout", readout), 1),
        *sigmoid_if(probabilities),
        d=d,
    )
