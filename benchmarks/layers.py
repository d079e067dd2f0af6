r"""The averaged layer against a bare `nn.Linear` and against other ways to write it.

    python -m benchmarks.layers

Forward and backward, gradients of the input included; the ratio of each round to that of
`nn.Linear` in the same round, as median and quartiles.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.timing import ratio_quartiles, seconds_by_turns
from invariant_nets import LinearEquivariant

SHAPES = ((32, 10, 5, 10), (256, 128, 64, 64), (64, 1000, 128, 128))
DOUBLE_LOOP_LIMIT = 500  # pairs of channels; beyond it the loop takes minutes


def double_loop(layer: LinearEquivariant, x: Tensor) -> Tensor:
    """F(x)_j = s Σ_i (a_ij x_i + b_ij mean(x_i) 1 + c_ij 1), term by term."""
    columns = []
    for j in range(layer.out_channels):
        total = torch.zeros_like(x[..., 0])
        for i in range(layer.in_channels):
            mean = x[..., i].mean(-1, keepdim=True)
            total = total + layer.a[i, j] * x[..., i] + layer.b[i, j] * mean + layer.c[i, j]
        columns.append(layer.scale * total)
    return torch.stack(columns, dim=-1)


def deep_sets(layer: LinearEquivariant, x: Tensor) -> Tensor:
    """DeepSets' form: two linear maps, of the members and of their mean, added."""
    s = layer.scale
    return x @ (s * layer.a) + x.mean(1, keepdim=True) @ (s * layer.b) + s * layer.c.sum(0)


def step(forward: Callable[[], Tensor], gradient: Tensor) -> None:
    """Run forward and backward once."""
    forward().backward(gradient)  # type: ignore[no-untyped-call]


def main() -> None:
    """Print one table a shape."""
    parser = argparse.ArgumentParser(description="The averaged layer against nn.Linear.")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    for batch, n, d, out in SHAPES:
        x = torch.randn(batch, n, d, requires_grad=True)
        gradient = torch.randn(batch, n, out)
        linear, layer = nn.Linear(d, out), LinearEquivariant(d, out)
        forwards: dict[str, Callable[[], Tensor]] = {
            "nn.Linear": partial(linear, x),
            "LinearEquivariant": partial(layer, x),
            "DeepSets' form": partial(deep_sets, layer, x),
        }
        if d * out <= DOUBLE_LOOP_LIMIT:
            forwards["double loop"] = partial(double_loop, layer, x)
        rivals = {name: partial(step, forward, gradient) for name, forward in forwards.items()}
        seconds = seconds_by_turns(rivals, arguments.rounds)
        print(f"({batch}, {n}, {d} → {out}), {arguments.threads} threads")
        for name, values in seconds.items():
            lower, median, upper = ratio_quartiles(values, seconds["nn.Linear"])
            print(f"  {name:<18} {median:8.2f}×  [{lower:.2f}, {upper:.2f}]")


if __name__ == "__main__":
    main()
