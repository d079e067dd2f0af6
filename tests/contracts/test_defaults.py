"""Every module of the catalogue under another default dtype, and made where no numbers are."""

import itertools

import pytest
import torch
from torch import nn

from tests.catalogue import CATALOGUE, calls, made, seeded
from tests.defaults import default_device, default_dtype


def assert_follows_the_default_dtype(make, entry, dtype):
    """Its weights have that type, and it computes what it computes with a type that was chosen."""
    with default_dtype(dtype):
        torch.manual_seed(0)
        module = make()
        assert {p.dtype for p in [*module.parameters(), *floats(module)]} <= {dtype}
        other = CATALOGUE_OF[entry]().to(dtype)
        other.load_state_dict(module.state_dict())
        x, options = calls(entry, dtype=dtype)
        found = [seeded(module, x, option) for option in options]
    for y, option in zip(found, options, strict=True):
        assert y.dtype == dtype
        torch.testing.assert_close(y, seeded(other, x, option))


def floats(module):
    return [buffer for buffer in module.buffers() if buffer.is_floating_point()]


CATALOGUE_OF = {entry: entry.make for entry in CATALOGUE.values()}


@pytest.mark.parametrize("dtype", [torch.float64], ids=str)
@pytest.mark.parametrize("name", CATALOGUE)
def test_it_follows_the_default_dtype(name, dtype):
    assert_follows_the_default_dtype(CATALOGUE[name].make, CATALOGUE[name], dtype)


# Without numbers.


def emptied(module, state):
    """Garbage where numbers were not, and then the state."""
    module.to_empty(device="cpu")
    with torch.no_grad():
        for tensor in [*module.parameters(), *floats(module)]:
            tensor.fill_(torch.nan)
    module.load_state_dict(state)
    return module


def assigned(module, state):
    module.load_state_dict(state, assign=True)
    return module


WITHOUT_NUMBERS = {
    "in the context of a device": lambda make: in_context(torch.device("meta"), make),
    "under a default device": lambda make: in_context(default_device("meta"), make),
    "moved": lambda make: make().to("meta"),
    "with numbers": lambda make: make(),
}
FILLED = {"emptied": emptied, "assigned": assigned}


def in_context(context, make):
    with context:
        return make()


def assert_it_can_be_made_without_numbers(make, expected, entry, fillings=None):
    x, options = calls(entry)
    wanted = [seeded(expected, x, option) for option in options]
    for start, fill in fillings or itertools.product(WITHOUT_NUMBERS.values(), FILLED.values()):
        module = fill(start(make), expected.state_dict())
        found = [seeded(module, x, option) for option in options]
        torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("name", CATALOGUE)
def test_made_without_numbers_and_filled_with_a_state_it_is_the_same(name):
    assert_it_can_be_made_without_numbers(CATALOGUE[name].make, made(name), CATALOGUE[name])


@pytest.mark.parametrize("name", CATALOGUE)
def test_on_meta_it_gives_the_shape(name):
    entry, module = CATALOGUE[name], made(name).eval()
    x, _ = calls(entry)
    expected = seeded(module, x, {})
    y = module.to("meta")(x.to("meta"))
    assert y.is_meta
    assert y.shape == expected.shape


# The contracts can fail.


class Forgetful(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1, dtype=torch.float32))
        self.register_buffer("index", torch.arange(3), persistent=False)

    def forward(self, x, mask=None):
        return (x[:, self.index] * self.weight).sum(1)


def test_a_module_that_loses_its_indices_or_chooses_its_type_is_found():
    entry = CATALOGUE["LinearInvariant"]
    for fill in (emptied, assigned):
        fillings = [(WITHOUT_NUMBERS["moved"], fill)]
        with pytest.raises((AssertionError, RuntimeError, IndexError)):
            assert_it_can_be_made_without_numbers(Forgetful, Forgetful(), entry, fillings)
    with pytest.raises(AssertionError):
        assert_follows_the_default_dtype(Forgetful, entry, torch.float64)
