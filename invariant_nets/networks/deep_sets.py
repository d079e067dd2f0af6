r"""Deep Sets: every member is encoded by itself, the codes are pooled, the pool is decoded.

The encoder and the decoder are perceptrons, initialized so that a signal keeps its mean square.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from invariant_nets._arguments import checked_widths, layer_widths, positive_int
from invariant_nets._sets import members_of, zero_padding, zero_padding_
from invariant_nets.layers.initialization import orthogonal_
from invariant_nets.networks.pooling import PoolingName, SetPooling
from invariant_nets.networks.set_network import SetNetwork, to_probabilities

_SMALLER = 1 / 16  # the codes at the start, of all layers of φ together


def perceptron(*widths: int, activation: Callable[[], nn.Module] = nn.ReLU) -> nn.Sequential:
    r"""Build linear layers between the widths, with an activation, ReLU, between two layers.

    $$x \mapsto W_L\, \mathrm{ReLU}(\cdots \mathrm{ReLU}(W_1 x + b_1) \cdots) + b_L.$$

    On sets it acts on every member by itself, so it is equivariant to $S_n$.

    Every matrix is initialized semi-orthogonal and every bias to 0. A matrix before a ReLU doubles
    the mean square of its input, and the ReLU halves it on average; the last matrix keeps it.

    Args:
        *widths: the numbers of features, from the input to the output, each at least 1; at least
            two.
        activation: makes the activations; the scale is derived for `nn.ReLU`.

    Shape:
        $(\ldots, \text{first width})$ to $(\ldots, \text{last width})$.

    Raises:
        ValueError: if there are fewer than two widths, or one is below 1.

    Example:
        >>> perceptron(5, 8, 1)
        Sequential(
          (0): Linear(in_features=5, out_features=8, bias=True)
          (1): ReLU()
          (2): Linear(in_features=8, out_features=1, bias=True)
        )

    References:
        Saxe et al. (2014), *Exact Solutions to the Nonlinear Dynamics of Learning in Deep Linear
        Neural Networks*; He et al. (2015), *Delving Deep into Rectifiers*, section 2.2.

    Chapter 5 derives the scale.
    """
    if len(widths) < 2:
        raise ValueError(f"widths must hold at least two, got {widths!r}")
    pairs = itertools.pairwise(checked_widths("widths", widths))
    layers = [nn.Linear(width_in, width_out) for width_in, width_out in pairs]
    modules: list[nn.Module] = []
    for layer in layers:
        orthogonal_(layer, 1.0 if layer is layers[-1] else math.sqrt(2))
        modules += [layer, activation()]
    return nn.Sequential(*modules[:-1])


def deep_sets(
    n: int,
    d: int,
    *,
    hidden: Sequence[int] = (24, 24),
    readout: Sequence[int] = (24,),
    pooling: PoolingName | SetPooling = "mean",
    activation: Callable[[], nn.Module] = nn.SiLU,
    outputs: int = 1,
    per_member: bool = False,
    probabilities: bool = False,
) -> SetNetwork:
    r"""Build the network $\rho(\mathrm{pool}_i\, \varphi(x_i))$ of two perceptrons $\varphi, \rho$.

    Invariant to $S_n$, and it takes sets of every size. Members interact in the pool only. With sum
    pooling every continuous invariant function of $n$ numbers is $\rho(\sum_i \varphi(x_i))$ for
    some continuous $\varphi$ and $\rho$ if $\varphi$ has $n$ features; with fewer, some are not.

    With `per_member` it is equivariant to $S_n$ instead: the decoder gets the pool in addition to
    the code of each member, $y_i = \rho\bigl(\varphi(x_i),\ \mathrm{pool}_j\, \varphi(x_j)\bigr)$.

    Every weight matrix is initialized as in `perceptron`, but those of $\varphi$ are smaller, so
    that together they make the codes 16 times as small as ReLUs would leave them. The pool of an
    empty set is 0, so its output is $\rho(0)$.

    Args:
        n: the set size, at least 1; no weight depends on it; it is there so that every backbone
            is built alike.
        d: the number of features, at least 1.
        hidden: the widths of the layers of $\varphi$, each with an activation, at least one.
        readout: the widths of the hidden layers of $\rho$, each with an activation; a linear layer
            to the outputs follows.
        pooling: the name of a `SetPooling`, or a `SetPooling`.
        activation: makes the activations, such as `nn.ReLU`; the default is smooth.
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
        >>> network = deep_sets(10, 5)
        >>> network(torch.zeros(32, 10, 5), mask=torch.rand(32, 10) < 0.5).shape
        torch.Size([32, 1])

    References:
        Zaheer et al. (2017), *Deep Sets*; Wagstaff et al. (2019), *On the Limitations of
        Representing Functions on Sets*, for how many features the pool needs; Elfwing et al.
        (2018), *Sigmoid-Weighted Linear Units for Neural Network Function Approximation in
        Reinforcement Learning*, for `nn.SiLU`.

    Trained in chapter 13.
    """
    positive_int("n", n)
    outputs = positive_int("outputs", outputs)
    widths = layer_widths(positive_int("d", d), hidden)
    checked_widths("hidden", hidden)
    encoder = perceptron(*widths, activation=activation)
    with torch.no_grad():
        for layer in encoder:
            if isinstance(layer, nn.Linear):
                layer.weight.mul_(_SMALLER ** (1 / len(hidden)))
    pool = pooling if isinstance(pooling, SetPooling) else SetPooling(pooling)
    if pool.d not in (None, widths[-1]):
        raise ValueError(f"pooling must be of hidden[-1]={widths[-1]} features, got {pool!r}")
    codes = 2 * widths[-1] if per_member else widths[-1]
    decoder = checked_widths("readout", readout)
    return SetNetwork(
        *encoder,
        activation(),
        BesidePool(pool) if per_member else pool,
        *perceptron(codes, *decoder, outputs, activation=activation),
        *to_probabilities(probabilities, outputs),
        d=d,
    )


def order_keys(d: int, width: int = 32) -> SetNetwork:
    r"""Build the keys of a `LearnedOrder`: a number for each member, in the light of the others.

    $$s_i = \rho\bigl(\varphi(x_i),\ \operatorname{mean}_j \varphi(x_j)\bigr)$$

    with $\varphi$ of two layers of `width` features and $\rho$ linear, without a bias: the same
    number added to all keys changes no order. Equivariant to $S_n$. Every matrix is initialized as
    in `perceptron`.

    Args:
        d: the number of features, at least 1.
        width: the number of features of $\varphi$, at least 1.

    Shape:
        $(\mathrm{batch}, n, d)$ to $(\mathrm{batch}, n, 1)$ for every $n \ge 1$; `mask` is
        $(\mathrm{batch}, n)$, true where a member is.

    Raises:
        ValueError: if `d` or `width` is below 1.

    Example:
        >>> import torch
        >>> order_keys(5)(torch.zeros(32, 10, 5)).shape
        torch.Size([32, 10, 1])

    References:
        Zaheer et al. (2017), *Deep Sets*.

    Used in chapter 15.
    """
    width = positive_int("width", width)
    encoder = perceptron(positive_int("d", d), width, width)
    readout = nn.Linear(2 * width, 1, bias=False)
    orthogonal_(readout, 1.0)
    return SetNetwork(*encoder, nn.ReLU(), BesidePool(SetPooling()), readout, d=d)


class BesidePool(nn.Module):
    r"""Appends the pool of a set to each of its members.

    $$y_i = \bigl(x_i,\ \mathrm{pool}_j\, x_j\bigr)$$

    Equivariant to $S_n$. With a mask the pool is over the members, and the output is 0 at padding.

    Args:
        pool: maps $(\mathrm{batch}, n, d)$ to $(\mathrm{batch}, d)$.

    Shape:
        $(\mathrm{batch}, n, d)$ to $(\mathrm{batch}, n, 2d)$ for every $n \ge 1$; `mask` is
        $(\mathrm{batch}, n)$, true where a member is.

    Raises:
        TypeError: if the input is no tensor in floating point, or the mask not of bool.
        ValueError: if the input or the mask has another shape.

    Example:
        >>> BesidePool(SetPooling("max"))(torch.tensor([[[1.0], [3.0]]])).tolist()
        [[[1.0, 3.0], [3.0, 3.0]]]

    References:
        Qi et al. (2017), *PointNet: Deep Learning on Point Sets for 3D Classification and
        Segmentation*, section 4.2.
    """

    takes_members = True

    def __init__(self, pool: SetPooling) -> None:
        super().__init__()
        self.pool = pool

    def forward(
        self, x: Float[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None = None
    ) -> Float[Tensor, "batch n 2*d"]:
        """Return each member and the pool of its set side by side."""
        pool = self.pool(x, mask=mask)
        members = members_of(mask)
        x = zero_padding(x, members)
        return zero_padding_(torch.cat([x, pool.unsqueeze(1).expand_as(x)], dim=2), members)
