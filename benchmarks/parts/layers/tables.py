r"""The layers of $S_n \times S_d$ against a bare `nn.Linear` and against other ways to write them.

    python -m benchmarks --only exchangeable

Forward without gradients; then forward and backward, gradients of the input included. And the layer
of the observed entries against the layer of the whole matrix with a mask.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.harness.comparison import compare
from benchmarks.harness.results import OURS, Result
from benchmarks.harness.timing import Rival
from benchmarks.parts.layers.sets import (
    BOUND,
    FEW_MICROSECONDS,
    FLOOR,
    GEOMETRIC,
    LOOP,
    ROUNDS_OF_THE_LOOP,
    call,
    direction,
)
from benchmarks.peers.environment import Worker, over_there, working
from invariant_nets import ExchangeableEquivariant, SparseExchangeableEquivariant

SHAPES = ((64, 10, 5, 16, 16), (64, 32, 32, 32, 32), (8, 100, 100, 32, 32))
SPARSE = (500, 500, 32, 32)
OBSERVED = (0.01, 0.1, 0.5)
ROUNDS = 30


def term_by_term(layer: ExchangeableEquivariant, x: Tensor) -> Tensor:
    """The published formula: four maps, of the entries and of three means, added."""
    entry, row, column, grand = layer.weight
    assert layer.bias is not None
    y: Tensor = x @ entry + x.mean(2, keepdim=True) @ row + x.mean(1, keepdim=True) @ column
    y = y + x.mean((1, 2), keepdim=True) @ grand + layer.bias
    return y


def double_loop(layer: ExchangeableEquivariant, x: Tensor) -> Tensor:
    """Output channel by input channel, each pair with its four maps."""
    assert layer.bias is not None
    entry, row, column, grand = layer.weight
    inputs, outputs = x.unbind(-1), []
    for j in range(layer.out_channels):
        total = torch.zeros_like(inputs[0])
        for i, X in enumerate(inputs):
            total = total + entry[i, j] * X + row[i, j] * X.mean(2, keepdim=True)
            total = total + column[i, j] * X.mean(1, keepdim=True)
            total = total + grand[i, j] * X.mean((1, 2), keepdim=True)
        outputs.append(total + layer.bias[j])
    return torch.stack(outputs, dim=-1)


def dense(shape: tuple[int, ...], backward: bool, peer: Worker | str, rounds: int) -> list[Result]:
    """Return the results of one shape and direction."""
    batch, n, d, channels, out = shape
    x = torch.randn(batch, n, d, channels, requires_grad=backward)
    mask = torch.rand(batch, n, d) < 0.5
    layer, gradient = ExchangeableEquivariant(channels, out), torch.randn(batch, n, d, out)

    def rival(forward: Callable[[], Tensor]) -> Rival:
        return partial(call, forward, gradient, backward)

    floor = {FLOOR: rival(partial(nn.Linear(channels, out), x))}
    rivals: dict[str, Rival | str] = {
        **floor,
        OURS: rival(partial(layer, x)),
        "Hartford's formula": rival(partial(term_by_term, layer, x)),
        GEOMETRIC: over_there(peer, layer="exchangeable", shape=shape, backward=backward),
    }
    loop = {**floor, LOOP: rival(partial(double_loop, layer, x))}
    masked = {**floor, f"{OURS}, with a mask": rival(partial(layer, x, mask))}
    case = f"({batch}, {n}, {d}, {channels} → {out}), {direction(backward)}"
    bound = BOUND if batch * n * d * channels * out > FEW_MICROSECONDS else None
    return [
        *compare(case, rivals, rounds, FLOOR, bound),
        *compare(case, loop, min(rounds, ROUNDS_OF_THE_LOOP), FLOOR)[1:],
        *compare(case, masked, rounds, FLOOR)[1:],
    ]


def sparse(shape: tuple[int, ...], share: float, rounds: int) -> list[Result]:
    """Return how the sparse layer does against the masked one, forward and backward."""
    n, d, channels, out = shape
    mask = torch.rand(1, n, d) < share
    indices = mask[0].nonzero().T.contiguous()
    x = torch.randn(1, n, d, channels, requires_grad=True)
    values = x.detach()[mask].requires_grad_()
    layer = SparseExchangeableEquivariant(channels, out)
    masked = ExchangeableEquivariant(channels, out)
    rivals: dict[str, Rival | str] = {
        "masked layer": partial(call, partial(masked, x, mask), torch.randn(1, n, d, out), True),
        "sparse layer": partial(
            call, partial(layer, values, indices, (n, d)), torch.randn(len(values), out), True
        ),
    }
    case = f"observed {share:.0%} of ({n}, {d}, {channels} → {out})"
    return compare(case, rivals, rounds, "masked layer")


def measure(quick: bool) -> list[Result]:
    """Return the results of all shapes, forward and with backward, and of the sparse layer."""
    shapes, rounds = (((2, 3, 2, 2, 2),), 2) if quick else (SHAPES, ROUNDS)
    with working("torch_geometric", "benchmarks.peers.peer_geometric", quick) as peer:
        results = [
            result
            for shape in shapes
            for backward in (False, True)
            for result in dense(shape, backward, peer, rounds)
        ]
    for share in OBSERVED:
        results += sparse((20, 20, 2, 2) if quick else SPARSE, share, rounds)
    return results
