r"""The layer of $S_n \times S_d$ against a bare `nn.Linear` of the same size.

    python -m benchmarks.exchangeable

Forward and backward, gradients of the input included; the ratio of each round to that of
`nn.Linear` in the same round, as median and quartiles.
"""

from __future__ import annotations

import argparse
from functools import partial

import torch
from torch import nn

from benchmarks.layers import step
from benchmarks.timing import ratio_quartiles, seconds_by_turns
from invariant_nets import ExchangeableEquivariant

SHAPES = ((64, 32, 32, 32, 32), (64, 10, 5, 16, 16), (8, 100, 100, 32, 32))


def main() -> None:
    """Print one line a shape."""
    parser = argparse.ArgumentParser(description="The exchangeable layer against nn.Linear.")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for batch, n, d, channels, out in SHAPES:
        x = torch.randn(batch, n, d, channels, requires_grad=True)
        gradient = torch.randn(batch, n, d, out)
        layers = {
            "linear": nn.Linear(channels, out),
            "layer": ExchangeableEquivariant(channels, out),
        }
        rivals = {
            name: partial(step, partial(layer, x), gradient) for name, layer in layers.items()
        }
        seconds = seconds_by_turns(rivals, arguments.rounds)
        lower, median, upper = ratio_quartiles(seconds["layer"], seconds["linear"])
        print(f"({batch}, {n}, {d}, {channels} → {out}) {median:.2f}×  [{lower:.2f}, {upper:.2f}]")


if __name__ == "__main__":
    main()
