r"""Deep Sets: every member is encoded by itself, the codes are pooled, the pool is decoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from invariant_nets._arguments import (
    checked_widths,
    floating,
    layer_widths,
    one_of,
    positive_int,
    set_batch,
    set_mask,
)
from invariant_nets._sets import Members, member_mean, members_of, zero_padding
from invariant_nets.networks.perceptron import perceptron
from invariant_nets.networks.set_network import SetNetwork, sigmoid_if

_SMALLER = 1 / 16  # the codes at the start, of all layers of φ together


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

    Every weight matrix starts as in `perceptron`, but those of $\varphi$ smaller, so that together
    they make the codes 16 times as small. Features that must grow align with the labels while they
    do, which takes fewer sets than to fit the labels with random ones. An empty set pools to 0, so
    it gives $\rho(0)$.

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
    encoder = perceptron(*widths)
    with torch.no_grad():
        for layer in encoder:
            if isinstance(layer, nn.Linear):
                layer.weight.mul_(_SMALLER ** (1 / len(hidden)))
    return SetNetwork(
        *encoder,
        nn.ReLU(),
        SetPooling(pooling),
        *perceptron(widths[-1], *checked_widths("readout", readout), 1),
        *sigmoid_if(probabilities),
        d=d,
    )


PoolingName = Literal["sum", "mean", "max"]


class SetPooling(nn.Module):
    r"""The sum, mean or maximum over the members of a set, feature by feature.

    $$y_j = \sum_{i=1}^{n} x_{ij}, \qquad y_j = \frac1n \sum_{i=1}^{n} x_{ij}
    \qquad\text{or}\qquad y_j = \max_{i} x_{ij}.$$

    Invariant to $S_n$. A sum knows how many members there are and a mean does not; a maximum does
    not know how often a member occurs either.

    With a mask only members count, and $n$ is their number. An empty set gives 0, by the maximum
    too.

    Args:
        pooling: `"sum"`, `"mean"` or `"max"`.

    Shape:
        $(\mathrm{batch}, n, d)$ to $(\mathrm{batch}, d)$ for every $n \ge 1$; `mask` is
        $(\mathrm{batch}, n)$, true where a member is.

    Raises:
        TypeError: if the input is no tensor in floating point (complex has no maximum), or the mask
            not of bool.
        ValueError: if `pooling` is none of the three, or the input or the mask has another shape.

    Example:
        >>> x = torch.tensor([[[1.0, 4.0], [3.0, 0.0]]])
        >>> [SetPooling(pooling)(x).tolist() for pooling in ("sum", "mean", "max")]
        [[[4.0, 4.0]], [[2.0, 2.0]], [[3.0, 4.0]]]

    References:
        Zaheer et al. (2017), *Deep Sets*; Qi et al. (2017), *PointNet: Deep Learning on Point Sets
        for 3D Classification and Segmentation*, for the maximum.

    Used in chapter 13.
    """

    takes_members = pools = True

    def __init__(self, pooling: PoolingName = "mean") -> None:
        super().__init__()
        one_of("pooling", pooling, get_args(PoolingName))
        self.pooling = pooling

    def forward(
        self, x: Float[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None = None
    ) -> Float[Tensor, "batch d"]:
        """Pool each set of a batch."""
        set_batch(x)
        if self.pooling == "max" or not x.is_complex():
            floating(x)
        set_mask(mask, x)
        members = members_of(mask)
        x = zero_padding(x, members)
        if self.pooling == "max":
            return _maximum(x, members)
        if self.pooling == "sum":
            return x.sum(1)
        return member_mean(x, members)

    def extra_repr(self) -> str:
        """Show the constructor's argument."""
        return repr(self.pooling)


def _maximum(x: Float[Tensor, "batch n d"], members: Members | None) -> Float[Tensor, "batch d"]:
    if members is None:
        return x.amax(1)
    largest = x.masked_fill(members.absent(3), -torch.inf).amax(1)
    return largest.masked_fill(~members.mask.any(1, keepdim=True), 0)
