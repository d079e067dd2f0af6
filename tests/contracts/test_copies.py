"""Every module of the catalogue, copied, pickled, loaded from its state, and stacked."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.testing import assert_close

from tests.catalogue import CATALOGUE, D, calls, made, output_and_gradients, seeded


def loaded(module, another):
    """Another of its kind, with the state that was saved and read again."""
    buffer = io.BytesIO()
    torch.save(module.state_dict(), buffer)
    buffer.seek(0)
    other = another()
    other.load_state_dict(torch.load(buffer, weights_only=True))
    return other


COPIES = {
    "copied": lambda module, another: copy.deepcopy(module),
    "pickled": lambda module, another: pickle.loads(pickle.dumps(module)),
    "loaded": loaded,
}


def assert_copies_are_the_same_and_others(copies, module, another, x, options):
    """A copy gives what the module gives, with its gradients, and has weights of its own."""
    x.requires_grad_()
    expected = [output_and_gradients(module, x, option) for option in options]
    before = seeded(module, x, {})
    for kind, copied in copies.items():
        other = copied(module, another)
        found = [output_and_gradients(other, x, option) for option in options]
        assert_close(found, expected, rtol=0, atol=0, msg=f"{kind}: {{}}".format)
        with torch.no_grad():
            for parameter in other.parameters():
                parameter.add_(1)
        assert torch.equal(seeded(module, x, {}), before), kind
        assert not list(module.parameters()) or not torch.equal(seeded(other, x, {}), before), kind


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_copy_computes_the_same_and_is_another_module(name):
    entry = CATALOGUE[name]
    assert_copies_are_the_same_and_others(COPIES, made(name), entry.make, *calls(entry))


STACKED = [name for name, entry in CATALOGUE.items() if not entry.random]


def assert_vmaps(modules, x, options):
    """One call over stacked parameters is the calls of the modules, one after the other."""
    states = torch.func.stack_module_state(modules)
    several = x.expand(len(modules), *x.shape)
    over_sets = None if any(states) else 0  # where there is nothing else to map over
    for option in options:

        def call(states, x, option=option):
            return torch.func.functional_call(modules[0], states, (x,), option)

        with sdpa_kernel(SDPBackend.MATH):
            y = torch.func.vmap(call, (0, over_sets))(states, x if any(states) else several)
            alone = [module(x, **option) for module in modules]
        assert_close(y, torch.stack(alone))


@pytest.mark.parametrize("name", STACKED)
def test_stacked_modules_are_vmapped(name):
    entry = CATALOGUE[name]
    assert_vmaps([made(name), entry.make()], *calls(entry))


# The contracts can fail.


class Broken(nn.Module):
    """A linear layer that keeps something where it is not copied, or not found."""

    def __init__(self, keep):
        super().__init__()
        self.linear = nn.Linear(D, 2)
        self.kept = keep(self.linear)

    def forward(self, x, mask=None):
        return self.linear(x) + (self.kept(x) if callable(self.kept) else self.kept)


def a_module_that_is_not_registered(linear):
    return lambda x, linear=linear: linear(x)


def test_what_is_not_pickled_is_found():
    x, options = calls(CATALOGUE["LinearInvariant"])
    module = Broken(a_module_that_is_not_registered)
    with pytest.raises((pickle.PicklingError, AttributeError)):
        assert_copies_are_the_same_and_others(
            {"pickled": COPIES["pickled"]}, module, None, x, options
        )


@pytest.mark.parametrize(
    ("copied", "keep"),
    [
        ("copied", a_module_that_is_not_registered),  # the copy goes on using the first one's
        ("loaded", lambda linear: torch.randn(2)),  # no buffer, and in no state
    ],
)
def test_what_is_not_copied_is_found(copied, keep):
    x, options = calls(CATALOGUE["LinearInvariant"])
    torch.manual_seed(0)  # another draw than the contract's
    module = Broken(keep)
    with pytest.raises(AssertionError, match=copied):
        assert_copies_are_the_same_and_others(
            {copied: COPIES[copied]}, module, lambda: Broken(keep), x, options
        )


def test_what_is_not_stacked_is_found():
    x, options = calls(CATALOGUE["LinearInvariant"])
    modules = [Broken(lambda linear: torch.randn(2)) for _ in range(2)]
    with pytest.raises(AssertionError):
        assert_vmaps(modules, x, options)
