r"""The layers of a group against the product with their written-out weights.

    python -m benchmarks.orbit_layers

Forward only; the dense product is given its weights, and does not pay for writing them out.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from benchmarks.comparison import compare
from benchmarks.results import OURS, Result
from benchmarks.running import alone
from benchmarks.timing import Rival
from invariant_nets import (
    OrbitLinear,
    PermutationGroup,
    cyclic_group,
    direct_product,
    pocket_cube_group,
    symmetric_group,
)
from invariant_nets._orbit_forms import dense_weight

DENSE = "dense product"
ROUNDS = 20
Case = tuple[PermutationGroup, int, int]  # the group, the channels, the batch


def cases() -> list[Case]:
    """Return what is measured."""
    grid = direct_product(symmetric_group(16), symmetric_group(16), on="grid")
    return [
        (cyclic_group(1000), 1, 128),
        (cyclic_group(1000), 4, 32),
        (cyclic_group(1000), 16, 32),
        (symmetric_group(1000), 1, 128),
        (symmetric_group(100), 16, 64),
        (grid, 16, 32),
        (pocket_cube_group(), 16, 64),
    ]


def product(x: Tensor, weight: Tensor) -> Tensor:
    """Multiply by the weight of all pairs of points and channels."""
    return x.flatten(1) @ weight


@torch.no_grad()
def measure(quick: bool) -> list[Result]:
    """Return the results of all groups."""
    results = []
    for group, channels, batch in [(cyclic_group(4), 2, 2)] if quick else cases():
        layer = OrbitLinear(group, channels, channels, bias=False).eval()
        x = torch.randn(batch, group.degree, channels)
        weight = dense_weight(layer.ids, layer.weight)
        rivals: dict[str, Rival | str] = {
            DENSE: partial(product, x, weight),
            OURS: partial(layer, x),
        }
        case = f"{group.name}, {channels} {'channel' if channels == 1 else 'channels'}"
        results += compare(case, rivals, 2 if quick else ROUNDS, DENSE)
    return results


if __name__ == "__main__":
    alone("orbit_layers")
