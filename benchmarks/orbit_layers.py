r"""The layers of a group against the product with their written-out weights.

    python -m benchmarks.orbit_layers

Forward only; the dense product is given its weights, and does not pay for writing them out.
"""

from __future__ import annotations

import argparse
from functools import partial

import torch
from torch import Tensor

from benchmarks.timing import ratio_quartiles, seconds_by_turns
from invariant_nets import (
    OrbitLinear,
    cyclic_group,
    direct_product,
    pocket_cube_group,
    symmetric_group,
)
from invariant_nets._orbit_forms import dense_weight

CASES = {
    "C_1000, 1 channel": (cyclic_group(1000), 1, 128),
    "C_1000, 4 channels": (cyclic_group(1000), 4, 32),
    "C_1000, 16 channels": (cyclic_group(1000), 16, 32),
    "S_1000, 1 channel": (symmetric_group(1000), 1, 128),
    "S_100, 16 channels": (symmetric_group(100), 16, 64),
    "S_16 × S_16, 16 channels": (
        direct_product(symmetric_group(16), symmetric_group(16), on="grid"),
        16,
        32,
    ),
    "pocket cube, 16 channels": (pocket_cube_group(), 16, 64),
}


def main() -> None:
    """Print the ratio of each layer to its dense product."""
    parser = argparse.ArgumentParser(description="OrbitLinear against its dense product.")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    def product(x: Tensor, weight: Tensor) -> Tensor:
        return x.flatten(1) @ weight

    print(f"layer / dense product, {arguments.threads} threads")
    with torch.no_grad():
        for name, (group, channels, batch) in CASES.items():
            layer = OrbitLinear(group, channels, channels, bias=False).eval()
            x = torch.randn(batch, group.degree, channels)
            weight = dense_weight(layer.ids, layer.weight)
            rivals = {"layer": partial(layer, x), "dense": partial(product, x, weight)}
            seconds = seconds_by_turns(rivals, arguments.rounds)
            lower, median, upper = ratio_quartiles(seconds["layer"], seconds["dense"])
            print(f"  {name:<26} {median:6.3f}×  [{lower:.3f}, {upper:.3f}]")


if __name__ == "__main__":
    main()
