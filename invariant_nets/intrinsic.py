r"""The network that is invariant by construction: equivariant layers, then an invariant one."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from torch import nn

from invariant_nets._validation import positive_int
from invariant_nets.backbones import SetNetwork, sigmoid_if
from invariant_nets.layers import LinearEquivariant, LinearInvariant, Normalization, Pooling


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

    Invariant to $S_n$ by construction, and it takes sets of every size.

    Args:
        n: the set size, at least 1; no weight depends on it, it is there so that every backbone
            is built alike.
        d: the number of features, at least 1.
        hidden: the widths of the equivariant layers, at least one.
        normalization: of every layer, see `LinearEquivariant`.
        pooling: of every layer, see `LinearEquivariant`.
        probabilities: end in a sigmoid instead of giving logits.

    Shape:
        $(\mathrm{batch}, m, d)$ to $(\mathrm{batch}, 1)$, for every $m \ge 1$.

    Raises:
        ValueError: if an argument is out of its range.

    Example:
        >>> import torch
        >>> intrinsic(10, 5)(torch.zeros(32, 10, 5)).shape
        torch.Size([32, 1])

    Built in chapter 4.
    """
    positive_int("n", n)
    widths = [positive_int("d", d), *hidden]
    if len(widths) < 2:
        raise ValueError(f"hidden must hold at least one width, got {hidden!r}")
    modules: list[nn.Module] = []
    for width_in, width_out in itertools.pairwise(widths):
        modules += [LinearEquivariant(width_in, width_out, normalization, pooling), nn.ReLU()]
    modules += [LinearInvariant(widths[-1], 1, normalization, pooling)]
    return SetNetwork(*modules, *sigmoid_if(probabilities), d=d)
