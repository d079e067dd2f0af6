r"""The layers of $S_n \times S_d$ against a bare `nn.Linear` and against other ways to write them.

    python -m benchmarks.exchangeable

Forward and backward, gradients of the input included; the ratio of each round to that of
`nn.Linear` in the same round, as median and quartiles. Then the layer of the observed entries
against the layer of the whole matrix with a mask.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.layers import step
from benchmarks.timing import ratio_quartiles, seconds_by_turns
from invariant_nets import ExchangeableEquivariant
from invariant_nets.exchangeable_sparse import SparseExchangeableEquivariant

SHAPES = ((64, 32, 32, 32, 32), (64, 10, 5, 16, 16), (8, 100, 100, 32, 32))
SPARSE = (500, 500, 32, 32)
OBSERVED = (0.01, 0.1, 0.5)


def term_by_term(layer: ExchangeableEquivariant, x: Tensor) -> Tensor:
    """Hartford's formula as published: four maps of the large tensor's means, added."""
    entry, row, column, grand = layer.weight
    assert layer.bias is not None
    y: Tensor = x @ entry + x.mean(2, keepdim=True) @ row + x.mean(1, keepdim=True) @ column
    y = y + x.mean((1, 2), keepdim=True) @ grand + layer.bias
    return y


def one_product(layer: ExchangeableEquivariant, x: Tensor) -> Tensor:
    """The shared terms added first, then one product with them as its bias, without a Function."""
    entry, row, column, grand = layer.weight
    assert layer.bias is not None
    rows, columns = x.mean(2, keepdim=True), x.mean(1, keepdim=True)
    total = columns.mean(2, keepdim=True) @ grand + layer.bias
    shared = rows @ row + (columns @ column + total)
    y = torch.baddbmm(shared.flatten(1, 2), x.flatten(1, 2), entry.expand(len(x), -1, -1))
    return y.view(shared.shape)


def ratios(
    forwards: dict[str, Callable[[], Tensor]], gradients: dict[str, Tensor], rounds: int
) -> None:
    """Print the ratio of each forward and backward to that of the first."""
    rivals = {name: partial(step, f, gradients[name]) for name, f in forwards.items()}
    seconds = seconds_by_turns(rivals, rounds)
    first = next(iter(seconds))
    for name, values in seconds.items():
        lower, median, upper = ratio_quartiles(values, seconds[first])
        print(f"  {name:<20} {median:8.3f}×  [{lower:.3f}, {upper:.3f}]")


def dense(shape: tuple[int, ...], rounds: int) -> None:
    """Print the ratios to `nn.Linear`."""
    batch, n, d, channels, out = shape
    x = torch.randn(batch, n, d, channels, requires_grad=True)
    mask = torch.rand(batch, n, d) < 0.5
    layer = ExchangeableEquivariant(channels, out)
    forwards: dict[str, Callable[[], Tensor]] = {
        "nn.Linear": partial(nn.Linear(channels, out), x),
        "fused layer": partial(layer, x),
        "one product": partial(one_product, layer, x),
        "term by term": partial(term_by_term, layer, x),
        "fused, with a mask": partial(layer, x, mask),
    }
    print(f"({batch}, {n}, {d}, {channels} → {out}), {torch.get_num_threads()} threads")
    ratios(forwards, dict.fromkeys(forwards, torch.randn(batch, n, d, out)), rounds)


def sparse(share: float, rounds: int) -> None:
    """Print the ratio of the sparse layer to the masked one."""
    n, d, channels, out = SPARSE
    mask = torch.rand(1, n, d) < share
    indices = mask[0].nonzero().T.contiguous()
    x = torch.randn(1, n, d, channels, requires_grad=True)
    values = x.detach()[mask].requires_grad_()
    layer, masked = (
        SparseExchangeableEquivariant(channels, out),
        ExchangeableEquivariant(channels, out),
    )
    forwards: dict[str, Callable[[], Tensor]] = {
        "masked layer": partial(masked, x, mask),
        "sparse layer": partial(layer, values, indices, (n, d)),
    }
    gradients = {
        "masked layer": torch.randn(1, n, d, out),
        "sparse layer": torch.randn(len(values), out),
    }
    print(f"({n}, {d}, {channels} → {out}), {share:.0%} observed")
    ratios(forwards, gradients, rounds)


def main() -> None:
    """Print one table a shape, and one a share of observed entries."""
    parser = argparse.ArgumentParser(description="The exchangeable layers.")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for shape in SHAPES:
        dense(shape, arguments.rounds)
    for share in OBSERVED:
        sparse(share, arguments.rounds)


if __name__ == "__main__":
    main()
