r"""The perceptron, started so that a signal keeps its scale at any depth."""

from __future__ import annotations

import itertools
import math

from torch import nn

from invariant_nets._arguments import checked_widths
from invariant_nets.layers.initialization import orthogonal_


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
