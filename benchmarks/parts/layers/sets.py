r"""The averaged layer against `nn.Linear`, those of any group against a dense product, and masks.

    python -m benchmarks --only layers orbit_layers masks

Forward without gradients; for the averaged layer then forward and backward, gradients of the input
included.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.harness.comparison import compare
from benchmarks.harness.devices import threads
from benchmarks.harness.results import OURS, Result
from benchmarks.harness.timing import Rival
from benchmarks.peers.environment import Worker, over_there, working
from invariant_nets import (
    MODELS,
    LinearEquivariant,
    OrbitLinear,
    PermutationGroup,
    build_model,
    cyclic_group,
    direct_product,
    pocket_cube_group,
    symmetric_group,
)
from invariant_nets.layers.orbit_forms import dense_weight
from invariant_nets.layers.units import UNIT

SHAPES = ((32, 10, 5, 10), (256, 128, 64, 64), (64, 1000, 128, 128))
SETS = (4, 10, 5)  # with a mask: so few that the launch of each operation is what costs
ROUNDS, ROUNDS_OF_THE_LOOP, ROUNDS_OF_GROUPS, ROUNDS_OF_MASKS = 40, 2, 20, 100
BOUND, BOUND_OF_MASKS = 1.15, 1.8
FEW_MICROSECONDS = 100_000  # products of numbers; below, nothing but the launch is measured
FLOOR, LOOP, GEOMETRIC = "nn.Linear", "double loop", "torch_geometric"
DENSE, UNMASKED = "dense product", "without a mask"


class DeepSetsLayer(nn.Module):
    """The published layer: a linear map of the members, less another one of their mean."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.gamma = nn.Linear(in_channels, out_channels)
        self.lam = nn.Linear(in_channels, out_channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, n, in) to (batch, n, out)."""
        y: Tensor = self.gamma(x) - self.lam(x.mean(1, keepdim=True))
        return y


def two_products(layer: LinearEquivariant, x: Tensor) -> Tensor:
    """The same layer as two products of matrices and two sums."""
    # The stored coefficients: that each is shown in its unit is the layer's affair.
    s = UNIT * layer.scale
    a, b, c = layer.stored_a, layer.stored_b, layer.stored_c
    y: Tensor = x @ (s * a) + x.mean(1, keepdim=True) @ (s * b) + s * c.sum(0)
    return y


def double_loop(layer: LinearEquivariant, x: Tensor) -> Tensor:
    """F(x)_j = s Σ_i (a_ij x_i + b_ij mean(x_i) 1 + c_ij 1), term by term."""
    # Taken apart once: slices would each have a gradient as large as x.
    columns, outputs = x.unbind(-1), []
    a, b, c = (UNIT * stored for stored in (layer.stored_a, layer.stored_b, layer.stored_c))
    for j in range(layer.out_channels):
        total = torch.zeros_like(columns[0])
        for i, column in enumerate(columns):
            mean = column.mean(-1, keepdim=True)
            total = total + a[i, j] * column + b[i, j] * mean + c[i, j]
        outputs.append(layer.scale * total)
    return torch.stack(outputs, dim=-1)


def call(forward: Callable[[], Tensor], gradient: Tensor, backward: bool) -> None:
    """Run forward, or forward and backward."""
    with torch.set_grad_enabled(backward):
        y = forward()
    if backward:
        y.backward(gradient)  # type: ignore[no-untyped-call]


def direction(backward: bool) -> str:
    """Say what is run."""
    return "forward and backward" if backward else "forward"


def in_case(
    shape: tuple[int, ...], backward: bool, peer: Worker | str, rounds: int
) -> list[Result]:
    """Return the results of one shape and direction."""
    batch, n, d, out = shape
    x = torch.randn(batch, n, d, requires_grad=backward)
    layer, gradient = LinearEquivariant(d, out), torch.randn(batch, n, out)

    def rival(forward: Callable[[], Tensor]) -> Rival:
        return partial(call, forward, gradient, backward)

    floor = {FLOOR: rival(partial(nn.Linear(d, out), x))}
    rivals: dict[str, Rival | str] = {
        **floor,
        OURS: rival(partial(layer, x)),
        "DeepSets' formula": rival(partial(DeepSetsLayer(d, out), x)),
        "two products": rival(partial(two_products, layer, x)),
        GEOMETRIC: over_there(peer, layer="set", shape=shape, backward=backward),
    }
    loop = {**floor, LOOP: rival(partial(double_loop, layer, x))}
    case = f"({batch}, {n}, {d} → {out}), {direction(backward)}"
    bound = BOUND if batch * n * d * out > FEW_MICROSECONDS else None
    return [
        *compare(case, rivals, rounds, FLOOR, bound),
        *compare(case, loop, min(rounds, ROUNDS_OF_THE_LOOP), FLOOR)[1:],
    ]


def measure(quick: bool) -> list[Result]:
    """Return the results of all shapes, forward and with backward."""
    shapes, rounds = (((4, 3, 2, 2),), 2) if quick else (SHAPES, ROUNDS)
    with working("torch_geometric", "benchmarks.peers.peer_geometric", quick) as peer:
        return [
            result
            for shape in shapes
            for backward in (False, True)
            for result in in_case(shape, backward, peer, rounds)
        ]


def groups() -> list[tuple[PermutationGroup, int, int]]:
    """Return the groups that are measured, each with its channels and its batch."""
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
def measure_orbit_layers(quick: bool) -> list[Result]:
    """Return the results of all groups, forward only; the dense product is given its weights."""
    results = []
    for group, channels, batch in [(cyclic_group(4), 2, 2)] if quick else groups():
        layer = OrbitLinear(group, channels, channels, bias=False).eval()
        x = torch.randn(batch, group.degree, channels)
        weight = dense_weight(layer.ids, layer.weight)
        rivals: dict[str, Rival | str] = {
            DENSE: partial(product, x, weight),
            OURS: partial(layer, x),
        }
        case = f"{group.name}, {channels} {'channel' if channels == 1 else 'channels'}"
        results += compare(case, rivals, 2 if quick else ROUNDS_OF_GROUPS, DENSE)
    return results


@torch.no_grad()
def measure_masks(quick: bool) -> list[Result]:
    """Return what a mask costs each of the book's models, forward only and with one thread."""
    x, mask = torch.randn(SETS), torch.rand(SETS[:2]) < 0.7
    names, rounds = (["mlp"], 2) if quick else (list(MODELS), ROUNDS_OF_MASKS)
    results = []
    with threads(1):  # a second one has nothing to do, and waits where others work
        for name in names:
            model = build_model(name, *SETS[1:]).eval()
            rivals: dict[str, Rival | str] = {
                UNMASKED: partial(model, x),
                OURS: partial(model, x, mask=mask),
            }
            results += compare(name, rivals, rounds, UNMASKED, BOUND_OF_MASKS)
    return results
