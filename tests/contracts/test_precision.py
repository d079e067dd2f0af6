"""Every module of the catalogue in double and in half precision, and under autocast."""

import copy

import pytest
import torch
from torch import nn

from tests.catalogue import CATALOGUE, PLACES, D, calls, made, seeded

HALF = {"atol": 0.15, "rtol": 0.15}
PRECISIONS = {torch.float64: {}, torch.bfloat16: HALF, torch.float16: HALF}


def assert_learns(y, module):
    """The gradients are numbers, and not all of them 0."""
    if parameters := list(module.parameters()):
        slopes = torch.autograd.grad(y.float().sum(), parameters, allow_unused=True)
        assert all(slope.isfinite().all() for slope in slopes if slope is not None), y.dtype
        assert any(slope.any() for slope in slopes if slope is not None), y.dtype


def assert_close_in(dtypes, module, x, options):
    """It gives nearly the same, in the precision of its weights, with and without gradients."""
    x = x.bfloat16().float()  # so that the same values are sorted
    expected = [seeded(module, x, option) for option in options]
    for dtype in dtypes:
        other, rounded = copy.deepcopy(module).to(dtype), x.to(dtype)
        for option, single in zip(options, expected, strict=True):
            y = seeded(other, rounded, option)
            with torch.no_grad():
                quiet = seeded(other, rounded, option)
            for output in (y, quiet):
                assert output.dtype == dtype
                torch.testing.assert_close(
                    output.float(), single, **PRECISIONS[dtype], msg=f"{dtype}: {{}}".format
                )
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
def test_it_works_in_every_precision(name):
    assert_close_in(PRECISIONS, made(name), *calls(CATALOGUE[name]))


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
        assert_close_in([torch.bfloat16], Summed(wrong), x, options)


@pytest.mark.parametrize("wrong", [*MISTAKES.values()][1:], ids=[*MISTAKES][1:])
def test_a_mistake_under_autocast_is_found(wrong):
    torch.manual_seed(0)
    x, options = calls(CATALOGUE["LinearInvariant"])
    with pytest.raises(AssertionError):
        assert_close_under_autocast(Summed(wrong), x, options)


# The average of a constant is that constant, for any number of terms.

MANY, MEMBERS, SCALE = 300, 7000, 32.0  # bfloat16 stops growing after 256 equal terms
# `SetNetwork, equivariant` has a norm of torch, which adds up as it does.
DETERMINED = [
    name for name, entry in CATALOGUE.items()
    if not entry.random and name != "SetNetwork, equivariant"
]  # fmt: skip
modes = pytest.mark.parametrize("autocast", [False, True], ids=["in it", "under autocast"])
every_half = pytest.mark.parametrize(
    "dtype", [torch.bfloat16, pytest.param(torch.float16, marks=pytest.mark.slow)], ids=str
)


def mean_gradients(module, x, option):
    """The gradients of the mean over the sets of what the module gives."""
    x = x.clone().requires_grad_()
    y = module(x, **option).float()
    inputs = [x, *(p for p in module.parameters() if p.requires_grad)]
    scaled = SCALE * y.mean(0).sum()  # or float16 has no numbers as small as the gradients
    slopes = torch.autograd.grad(scaled, inputs, materialize_grads=True)
    return slopes[0].float().sum(0), *(slope.float() for slope in slopes[1:])


def assert_means_do_not_depend_on_the_number_of_equal_sets(module, entry, dtype, autocast):
    x, options = calls(entry, 2)
    if not autocast:
        module, x = module.to(dtype), x.to(dtype)
    for option in options:
        one = {name: mask[:1] for name, mask in option.items()}
        many = {name: mask[:1].expand(MANY, -1) for name, mask in option.items()}
        with torch.autocast("cpu", dtype=dtype, enabled=autocast):
            expected = mean_gradients(module, x[:1], one)
            found = mean_gradients(module, x[:1].expand(MANY, *x.shape[1:]), many)
        for few, several in zip(expected, found, strict=True):
            scale = max(few.abs().max().item(), 1e-2 * SCALE)
            torch.testing.assert_close(several, few, rtol=0, atol=0.06 * scale)


# Averages over all orders take seconds each.
LIGHT = [
    pytest.param(name, marks=pytest.mark.slow) if "all orders" in name else name
    for name in DETERMINED
]


@every_half
@modes
@pytest.mark.parametrize("name", LIGHT)
def test_gradients_of_a_mean_do_not_depend_on_the_number_of_equal_sets(name, dtype, autocast):
    module = made(name)
    assert_means_do_not_depend_on_the_number_of_equal_sets(module, CATALOGUE[name], dtype, autocast)


def output_of(module, entry, n, dtype, value=2.0):
    """What it gives for a set of equal members."""
    x = torch.full((1, n, *entry.features), value, dtype=dtype)
    with torch.no_grad():
        y = module(x)
    return y[:, 0] if entry.equivariant else y


def averages(name):
    """Whether it gives the same for one member as for many equal ones."""
    entry, module = CATALOGUE[name], made(name, dtype=torch.float64)
    return torch.allclose(*(output_of(module, entry, n, torch.float64) for n in (1, PLACES)))


AVERAGING = [
    name for name, entry in CATALOGUE.items()
    if entry.sizes == "every" and not entry.random and name != "PositionalEncoding"
    and averages(name)
]  # fmt: skip


@every_half
@modes
@pytest.mark.parametrize("name", AVERAGING)
def test_means_do_not_depend_on_the_number_of_equal_members(name, dtype, autocast):
    entry = CATALOGUE[name]
    module = made(name, shuffled=True).to(torch.float32 if autocast else dtype)
    kind = torch.float32 if autocast else dtype
    with torch.autocast("cpu", dtype=dtype, enabled=autocast):
        few, many = (output_of(module, entry, n, kind, 10.0).float() for n in (1, MEMBERS))
    torch.testing.assert_close(many, few, rtol=0.02, atol=0.02 * few.abs().max().item())


class InOneType(nn.Module):
    """A mean and a bias that every member looks up, in the type of the sets."""

    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.ones(1, D))

    def forward(self, x, mask=None):
        return x + self.bias.to(x.dtype)[torch.zeros(x.shape[:2], dtype=torch.int64)]


class RunningSum(nn.Module):
    def forward(self, x):
        total = torch.zeros_like(x[:, 0])
        for members in x.split(10, 1):
            total = total + members.sum(1)
        return total / x.shape[1]


def test_sums_in_half_precision_are_found():
    entry = CATALOGUE["LinearInvariant"]
    with pytest.raises(AssertionError):
        assert_means_do_not_depend_on_the_number_of_equal_sets(
            InOneType(), entry, torch.bfloat16, autocast=False
        )
    one, many = (output_of(RunningSum(), entry, n, torch.bfloat16, 10.0) for n in (1, MEMBERS))
    assert not torch.allclose(one, many, rtol=0.02)
