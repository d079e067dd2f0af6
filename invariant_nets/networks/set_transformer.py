r"""The set transformer: attention among the members, then pooling by attention."""

from __future__ import annotations

from torch import nn

from invariant_nets._arguments import int_at_least, positive_int
from invariant_nets.networks.attention import (
    AttentionPooling,
    InducedSetAttentionBlock,
    SetAttentionBlock,
)
from invariant_nets.networks.perceptron import perceptron
from invariant_nets.networks.set_network import SetNetwork, sigmoid_if


def set_transformer(
    n: int,
    d: int,
    *,
    width: int = 16,
    num_heads: int = 2,
    num_blocks: int = 1,
    num_points: int | None = None,
    layer_norm: bool = False,
    probabilities: bool = False,
) -> SetNetwork:
    r"""Build the set transformer: $d \to$ width, attention blocks, attention pooling, to 1.

    Invariant to $S_n$ by construction, and it takes sets of every size. Unlike in `deep_sets` the
    members look at each other before they are pooled.

    The linear layers start semi-orthogonal with biases 0 and keep the mean square that comes in;
    the blocks start as in `MultiheadAttentionBlock`.

    Args:
        n: the set size, at least 1; no weight depends on it, it is there so that every backbone
            is built alike.
        d: the number of features, at least 1.
        width: the number of features inside, at least 1.
        num_heads: the number of heads of every attention, a divisor of `width`.
        num_blocks: how many attention blocks come before the pooling, at least 0.
        num_points: if given, the blocks are `InducedSetAttentionBlock` with so many points, in time
            proportional to the set size; else `SetAttentionBlock`, proportional to its square.
        layer_norm: whether the blocks have the layer norms of the paper. They need smaller steps,
            and take away what the scale of a member says.
        probabilities: end in a sigmoid instead of giving logits.

    Shape:
        $(\mathrm{batch}, m, d)$ to $(\mathrm{batch}, 1)$, for every $m \ge 1$; `mask` is
        $(\mathrm{batch}, m)$, true where a member is.

    Raises:
        ValueError: if an argument is out of its range.

    Example:
        >>> import torch
        >>> network = set_transformer(10, 5)
        >>> network(torch.zeros(32, 10, 5), mask=torch.rand(32, 10) < 0.5).shape
        torch.Size([32, 1])

    References:
        Lee, Lee, Kim, Kosiorek, Choi & Teh (2019), *Set Transformer: A Framework for
        Attention-based Permutation-Invariant Neural Networks*, ICML.

    Trained in chapter 13.
    """
    positive_int("n", n)
    d, width = positive_int("d", d), positive_int("width", width)
    blocks: list[nn.Module] = []
    for _ in range(int_at_least("num_blocks", num_blocks, 0)):
        if num_points is None:
            blocks += [SetAttentionBlock(width, num_heads, layer_norm=layer_norm)]
        else:
            blocks += [
                InducedSetAttentionBlock(width, num_heads, num_points, layer_norm=layer_norm)
            ]
    return SetNetwork(
        *perceptron(d, width),
        *blocks,
        AttentionPooling(width, num_heads, layer_norm=layer_norm),
        nn.Flatten(),
        *perceptron(width, 1),
        *sigmoid_if(probabilities),
        d=d,
    )
