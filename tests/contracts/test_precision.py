"""Every module of the catalogue in double and in half precision, and under autocast."""

import copy

import pytest
import torch
from torch import nn

from tests.catalogue import CATALOGUE, D, calls, made, seeded

HALF = {"atol": 0.15, "rtol": 0.15}
PRECISIONS = {torch.float64: {}, torch.bfloat16: HALF, torch.float16: HALF}


def assert_learns(y, module):
    """The gradients are numbers, and not all of them 0."""
    if parameters := list(module.parameters()):
        slopes = torch.autograd.grad(y.float().sum(), parameters, allow_unused=True)
        assert all(slope.isfinite().all() for slope in slopes if slope is not None)
        assert any(slope.any() for slope in slopes if slope is not None)


def assert_close_in(dtype, module, x, options):
    """It gives nearly the same, in the precision of its weights, with and without gradients."""
    x = x.bfloat16().float()  # so that the same values are sorted
    other = copy.deepcopy(module).to(dtype)
    for option in options:
        expected, y = seeded(module, x, option), seeded(other, x.to(dtype), option)
        with torch.no_grad():
            quiet = seeded(other, x.to(dtype), option)
        for output in (y, quiet):
            assert output.dtype == dtype
            torch.testing.assert_close(output.float(), expected, **PRECISIONS[dtype])
        assert_learns(y, other)


def assert_close_under_autocast(module, x, options):
    for option in options:
        expected = seeded(module, x, option)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = seeded(module, x, option)
            with torch.no_grad():
                quiet = seeded(module, x, option)
        for output in (y, quiet):
            torch.testing.assert_close(output.float(), expected, **HALF)
        assert_learns(y, module)


@pytest.mark.parametrize("name", CATALOGUE)
@pytest.mark.parametrize("dtype", PRECISIONS, ids=str)
def test_it_works_in_every_precision(name, dtype):
    assert_close_in(dtype, made(name), *calls(CATALOGUE[name]))


@pytest.mark.parametrize("name", CATALOGUE)
def test_it_trains_under_autocast(name):
    assert_close_under_autocast(made(name), *calls(CATALOGUE[name]))


# The contracts can fail.


class Summed(nn.Module):
    """A linear layer and a pool, with a mistake."""

    def __init__(self, wrong):
        super().__init__()
        self.linear, self.wrong = nn.Linear(D, 2), wrong

    def forward(self, x, mask=None):
        y = self.linear(x)
        return self.wrong(y if mask is None else y.masked_fill(~mask[..., None], 0))


MISTAKES = {
    "single precision goes out": lambda y: y.float().sum(1),
    "a sum that half precision cannot hold": lambda y: ((y.sum(1) + 1e4) * 10).sub(1e5).div(10),
    "a gradient that is no number": lambda y: y.sum(1) + (0 * y).sum().sqrt(),
    "no gradient at all": lambda y: y.detach().sum(1) + 0 * y.sum(1),
}


@pytest.mark.parametrize("wrong", MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_half_precision_is_found(wrong):
    torch.manual_seed(0)
    x, options = calls(CATALOGUE["LinearInvariant"])
    with pytest.raises(AssertionError):
        assert_close_in(torch.bfloat16, Summed(wrong), x, options)


@pytest.mark.parametrize("wrong", [*MISTAKES.values()][1:], ids=[*MISTAKES][1:])
def test_a_mistake_under_autocast_is_found(wrong):
    torch.manual_seed(0)
    x, options = calls(CATALOGUE["LinearInvariant"])
    with pytest.raises(AssertionError):
        assert_close_under_autocast(Summed(wrong), x, options)
