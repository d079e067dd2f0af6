"""How often the check is wrong: a thousand random functions, half of them broken in one entry."""

import pytest
import torch
from torch import nn

from invariant_nets import symmetry_report

SETS, N, D, ENTRIES = 16, 5, 3, 4


def draw(low, high, generator):
    """A number whose logarithm is uniform."""
    exponent = torch.empty(()).uniform_(low, high, generator=generator)
    return 10 ** float(exponent)


def invariant(kind, dtype, generator):
    """A random function that no order changes, of several entries, with weights of a type."""
    w, v = (torch.randn(shape, generator=generator).to(dtype) for shape in ((D, 8), (8, ENTRIES)))
    hidden = {
        "sum": lambda x: (x @ w).tanh().sum(1),
        "mean": lambda x: (x @ w).square().mean(1),
        "max": lambda x: (x @ w).amax(1),
        "softmax": lambda x: ((x @ w).softmax(1) * (x @ w)).sum(1),
        "sorted": lambda x: (x.sort(1).values.cumsum(1) @ w).sin().sum(1),
        "pairs": lambda x: torch.einsum("bik,bjk->bk", (x @ w).relu(), (x @ w).tanh()),
    }[kind]
    return lambda x: hidden(x) @ v


def equivariant(kind, dtype, generator):
    pooled = invariant(kind, dtype, generator)
    w = torch.randn(D, ENTRIES, generator=generator).to(dtype)
    return lambda x: (x @ w).tanh() * pooled(x)[:, None]


class Weighted(nn.Module):
    """The same as a module, with weights that it registers."""

    def __init__(self, function, w):
        super().__init__()
        self.function, self.w = function, nn.Parameter(w)

    def forward(self, x):
        return self.function(x) * self.w


KINDS = ("sum", "mean", "max", "softmax", "sorted", "pairs")


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_no_verdict_is_wrong(dtype):
    generator = torch.Generator().manual_seed(0)
    epsilon = torch.finfo(dtype).eps
    wrong = []
    for number in range(1000):
        moves, broken = number % 4 >= 2, number % 2 == 1
        kind = KINDS[number % len(KINDS)]
        symmetric = (equivariant if moves else invariant)(kind, dtype, generator)
        scales = torch.tensor([draw(-6, 6, generator) for _ in range(ENTRIES)], dtype=torch.float64)
        offsets = scales * torch.randn(ENTRIES, generator=generator, dtype=torch.float64)
        scales, offsets = scales.to(dtype), offsets.to(dtype)
        entry = int(torch.randint(ENTRIES, (), generator=generator))
        x = torch.randn(SETS, N, D, generator=generator).to(dtype)
        typical = symmetric(x.double() if dtype == torch.float64 else x).double().std(0)
        typical = float(typical.flatten(0, -2).mean(0)[entry] if moves else typical[entry])
        defect = typical * max(draw(-7, 0, generator), 10 * epsilon)
        place = torch.zeros(ENTRIES, dtype=dtype)
        place[entry] = defect if broken else 0

        def function(x, symmetric=symmetric, moves=moves, add=offsets / scales, place=place):
            first = x[:, :1, :1] if moves else x[:, 0, :1]
            return symmetric(x) + add + place * first

        def scaled(x, function=function, scales=scales):
            return function(x) * scales

        model = Weighted(function, scales) if number % 3 == 0 else scaled
        report = symmetry_report(model, x, equivariant=moves)
        if report.holds == broken:
            wrong.append((number, kind, moves, broken, defect / typical, str(report)))
    assert not wrong, f"{len(wrong)} of 1000: {wrong[:3]}"
