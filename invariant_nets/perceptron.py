r"""The perceptron, started so that a signal keeps its scale at any depth."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from invariant_nets._initialization import semi_orthogonal
from invariant_nets._validation import positive_int


def perceptron(*widths: int) -> nn.Sequential:
    r"""Build linear layers between the widths, with a ReLU between two layers.

    $$x \mapsto W_L\, \mathrm{ReLU}(\cdots \mathrm{ReLU}(W_1 x + b_1) \cdots) + b_L.$$

    On sets it acts on every member by itself, so it is equivariant to $S_n$.

    Every matrix starts semi-orthogonal and every bias 0. A matrix before a ReLU doubles the mean
    square that comes in, and the ReLU halves it, so the signal keeps its scale at any depth; the
    last matrix keeps the mean square.

    Args:
        *widths: the numbers of features, from what comes in to what goes out, each at least 1; at
            least two.

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
        modules += [layer, nn.ReLU()]
    return nn.Sequential(*modules[:-1])


@torch.no_grad()
def orthogonal_(linear: nn.Linear, gain: float) -> None:
    """Start a linear layer such that it multiplies the mean square that comes in by `gain`²."""
    channels = linear.in_features, linear.out_features
    linear.weight.copy_(semi_orthogonal(linear.weight, channels, gain))
    # The annotation of torch forgets that there may be none.
    bias: Tensor | None = linear.bias
    if bias is not None:
        bias.zero_()


def layer_widths(first: int, hidden: Sequence[int]) -> list[int]:
    """Return the widths of a network from what comes in on; at least one must be hidden."""
    if len(hidden) < 1:
        raise ValueError(f"hidden must hold at least one width, got {hidden!r}")
    return [first, *hidden]


def checked_widths(name: str, widths: Sequence[int]) -> list[int]:
    """Return the widths as integers of at least 1, or raise an error that says which is not."""
    return [positive_int(f"{name}[{k}]", width) for k, width in enumerate(widths)]
