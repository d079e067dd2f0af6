r"""How cost grows with the size of sets, of groups and of layers, beside what theory says.

    python -m benchmarks --only growth

Each slope is that of a line of least squares on log-log axes through the upper half of the sizes,
once a round. The one of theory is that of the leading term over the same sizes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial

import torch
from torch import nn

from benchmarks.harness.curves import Curve, Term, points, with_slope
from benchmarks.harness.memory import megabytes_above
from benchmarks.harness.results import OURS, Result
from benchmarks.harness.timing import Rival
from benchmarks.parts.averaging import BARE, RECOMPUTE, D, bare, step
from benchmarks.parts.bases import ORBITS, generators_of, orbits_by_sympy
from benchmarks.parts.groups.elements import listed
from benchmarks.parts.layers.sets import FLOOR, call
from invariant_nets import (
    ExchangeableEquivariant,
    LinearEquivariant,
    PermutationGroup,
    SymmetryModel,
    cyclic_group,
    lexicographic_sort,
    mlp,
    rubiks_cube_group,
    symmetric_group,
)

ROUNDS = 5
SORT = "torch.sort of one column"


def layers(batch: int, shape: Sequence[int], channels: int) -> dict[str, Rival]:
    """Return forward and backward of a layer of sets or of matrices, and of `nn.Linear`."""
    x = torch.randn(batch, *shape, channels, requires_grad=True)
    gradient = torch.randn(x.shape)
    kind = LinearEquivariant if len(shape) == 1 else ExchangeableEquivariant
    modules = {FLOOR: nn.Linear(channels, channels), OURS: kind(channels, channels)}
    return {
        name: partial(call, partial(module, x), gradient, True) for name, module in modules.items()
    }


def orbits(group: Callable[[int], PermutationGroup], n: int) -> dict[str, Rival]:
    """Return the ways from generators to the orbits of pairs; sympy's only where it is fast."""
    made = group(n).generators
    ours: dict[str, Rival] = {OURS: lambda: PermutationGroup(made).orbitals()}
    generators = generators_of(group(n))
    return ours | ({ORBITS: lambda: orbits_by_sympy(generators)} if n <= 256 else {})


def average(order: int) -> dict[str, Rival]:
    """Return the average of one set over a group of this order, and the perceptron alone."""
    backbone, x = mlp(N, D).eval(), torch.randn(1, N, D)
    model = SymmetryModel(backbone, on_first(order))
    inputs = torch.randn(8192, N, D)
    return {
        BARE: partial(without_gradients, partial(bare, backbone, inputs, order)),
        OURS: partial(without_gradients, partial(model, x)),
    }


@torch.no_grad()
def without_gradients(work: Callable[[], object]) -> None:
    """Run some work."""
    work()


def sort(batch: int, n: int, d: int) -> dict[str, Rival]:
    """Return the sort of rows, and that of their first entries alone."""
    x = torch.randn(batch, n, d)
    keys = x[..., 0].contiguous()
    return {OURS: partial(lexicographic_sort, x), SORT: partial(torch.sort, keys, -1)}


def sample(group: PermutationGroup, draws: int) -> dict[str, Rival]:
    """Return uniform draws."""
    return {OURS: partial(group.sample, draws, torch.Generator().manual_seed(0))}


def powers(base: int, first: int, last: int) -> list[int]:
    return [base**exponent for exponent in range(first, last + 1)]


def factorials(first: int, last: int) -> list[int]:
    return [math.factorial(n) for n in range(first, last + 1)]


def linear(size: float) -> float:
    return size


def square(size: float) -> float:
    return size**2


def cube(size: float) -> float:
    return size**3


def with_logarithm(size: float) -> float:
    return size * math.log(size)


CURVES = (
    Curve(
        "set layer, 64 channels, against n",
        powers(2, 3, 12),
        [2, 4, 8],
        lambda n: layers(64, [n], 64),
        linear,
    ),
    Curve(
        "set layer, n = 128, against channels",
        powers(2, 3, 9),
        [2, 4, 8],
        lambda channels: layers(64, [128], channels),
        square,
    ),
    Curve(
        "matrix layer, 16 channels, against n = d",
        powers(2, 2, 8),
        [2, 4, 8],
        lambda n: layers(8, [n, n], 16),
        square,
    ),
    Curve(
        "matrix layer, 32 × 32, against channels",
        powers(2, 2, 8),
        [2, 4, 8],
        lambda channels: layers(8, [32, 32], channels),
        square,
    ),
    Curve(
        "orbits of pairs, S_n, against n",
        powers(2, 3, 10),
        [2, 4, 8],
        partial(orbits, symmetric_group),
        square,
    ),
    Curve(
        "orbits of pairs, C_n, against n",
        powers(2, 3, 10),
        [2, 4, 8],
        partial(orbits, cyclic_group),
        square,
        {ORBITS: cube},  # it goes through all remaining pairs once an orbit
    ),
    Curve(
        "average over a group, against its order",
        factorials(3, 10),
        factorials(2, 4),
        average,
        linear,
    ),
    Curve(
        "uniform elements of Rubik's cube, against draws",
        powers(10, 2, 6),
        [1, 10, 100],
        lambda draws: sample(rubiks_cube_group(), draws),
        linear,
    ),
    Curve(
        "10,000 uniform elements of S_n, against n",
        powers(2, 3, 10),
        [2, 4, 8],
        lambda n: sample(symmetric_group(n), 10_000),
        with_logarithm,
    ),
    Curve(
        "all elements of S_n, against their number",
        factorials(5, 10),
        factorials(2, 4),
        lambda order: {OURS: partial(listed, symmetric_group(degree_of(order)))},
        lambda order: order * degree_of(round(order)),
    ),
    Curve(
        "sort of 64 sets with 5 features, against n",
        powers(2, 4, 14),
        [2, 4, 8],
        lambda n: sort(64, n, 5),
        with_logarithm,
    ),
    Curve(
        "sort of 256 sets of 256, against features",
        powers(2, 0, 6),
        [1, 2, 4],
        lambda d: sort(256, 256, d),
        linear,
        {SORT: None},
    ),
)


def measure(quick: bool) -> list[Result]:
    """Return all curves."""
    rounds = 1 if quick else ROUNDS
    results = []
    for curve in CURVES:
        results += points(curve, curve.quick if quick else curve.sizes, rounds)
    if quick:
        return results + memory(factorials(2, 4), 1, [RECOMPUTE])
    return results + memory(factorials(6, 10), 3)


N = 10
LARGEST = 400_000  # elements; beyond, what keeps all chunks takes gigabytes
WAYS: dict[str, Term | None] = {  # and how they grow
    OURS: float,
    RECOMPUTE: None,
    f"{OURS}, forward only": None,
}


def degree_of(order: int) -> int:
    """Return the n with n! elements in S_n."""
    return next(n for n in range(1, 20) if math.factorial(n) == order)


def on_first(order: int) -> PermutationGroup:
    """Return the S_k of this order, on the first k of N points."""
    k = degree_of(order)
    rest = list(range(k, N))
    return PermutationGroup([[*range(1, k), 0, *rest], [1, 0, *range(2, k), *rest]], f"S_{k}")


def once(way: str, order: int) -> None:
    """Run a step of the average over a group in one of the ways."""
    model = SymmetryModel(mlp(N, D), on_first(order), recompute=way == RECOMPUTE)
    step(model, torch.randn(2, N, D), "forward only" not in way)


def memory(orders: Sequence[int], rounds: int, ways: Iterable[str] = WAYS) -> list[Result]:
    """Return how the memory of a step, above that of one over S_2, grows with the order."""
    peaks: dict[str, dict[int, list[float]]] = {way: {} for way in ways}
    for _ in range(rounds):
        for order in orders:
            for way, columns in peaks.items():
                if way == OURS and order > LARGEST:
                    continue
                above = megabytes_above((way, 2), (way, order), once)
                columns.setdefault(order, []).append(max(above, 0.1))
    case = "memory of an average, against the order of the group"
    return [result for way in ways for result in with_slope(case, way, peaks[way], WAYS[way], "MB")]
