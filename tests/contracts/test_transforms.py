"""Every module of the catalogue under the transforms of `torch.func`."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.func import functional_call, grad, jvp, stack_module_state, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel

from tests.catalogue import CATALOGUE, calls, made

pytestmark = [
    pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning"),  # of jvp
    pytest.mark.filterwarnings("ignore:.*batching rule for aten.+_transformer_encoder:UserWarning"),
]

DETERMINED = [name for name, entry in CATALOGUE.items() if not entry.random]


@pytest.fixture(autouse=True)
def _attention_with_rules():
    with sdpa_kernel(SDPBackend.MATH):
        yield


def assert_transforms(module, x, options):
    """Its gradients are autograd's, its directional derivatives too, and it goes over stacks."""
    states = dict(module.named_parameters())
    fixed = {name: p.detach() for name, p in states.items()}
    for option in options:

        def loss(states, x, option=option):
            torch.manual_seed(1)
            return functional_call(module, states, (x,), option).square().sum()

        x = x.detach().requires_grad_()
        expected = torch.autograd.grad(
            loss(states, x), [x, *states.values()], materialize_grads=True
        )
        of_states, of_x = grad(loss, (0, 1))(fixed, x.detach())
        torch.testing.assert_close((of_x, *of_states.values()), expected)
        direction = torch.randn_like(x)
        _, slope = jvp(partial(loss, fixed), (x.detach(),), (direction,))
        torch.testing.assert_close(slope, (expected[0] * direction).sum())


def assert_goes_over_stacks(modules, x, options):
    """Over stacks of sets, and without gradients over stacks of weights, again and again."""
    module = modules[0]
    for option in options:
        several = torch.stack((x, x.flip(0)))
        y = vmap(lambda x, option=option: module(x, **option))(several)
        torch.testing.assert_close(y, torch.stack([module(x, **option) for x in several]))
    states = stack_module_state(modules)
    if not any(states):
        return
    before = module.eval()(x)
    with torch.no_grad():
        y = vmap(lambda states: functional_call(module, states, (x,)))(states)
        torch.testing.assert_close(y, torch.stack([m.eval()(x) for m in modules]))
        torch.testing.assert_close(module(x), before)  # nothing is left of the stack


@pytest.mark.parametrize("name", CATALOGUE)
def test_derivatives_are_those_of_autograd(name):
    x, options = calls(CATALOGUE[name], dtype=torch.float64)
    assert_transforms(made(name, dtype=torch.float64), x, options)


@pytest.mark.parametrize("name", DETERMINED)
def test_stacks_of_sets_and_of_weights(name):
    x, options = calls(CATALOGUE[name])
    assert_goes_over_stacks([made(name), CATALOGUE[name].make()], x, options)


# The contracts can fail.


class Keeping(nn.Linear):
    """A layer that keeps its weights from one call to the next."""

    def forward(self, x, mask=None):
        self.kept = getattr(self, "kept", self.weight)
        return nn.functional.linear(x, self.kept)


def test_what_is_kept_is_found():
    x, options = calls(CATALOGUE["LinearInvariant"])
    with pytest.raises((AssertionError, RuntimeError, TypeError)):
        assert_goes_over_stacks([Keeping(4, 2), Keeping(4, 2)], x, options)


def test_a_wrong_derivative_is_found():
    class Detached(nn.Linear):
        def forward(self, x, mask=None):
            wrong = torch._C._are_functorch_transforms_active()
            return super().forward(x.detach() if wrong else x)

    x, options = calls(CATALOGUE["LinearInvariant"])
    with pytest.raises(AssertionError):
        assert_transforms(Detached(4, 2), x, options)
