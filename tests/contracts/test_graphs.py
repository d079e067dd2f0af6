"""Every module of the catalogue is one graph to a compiler, and nothing in its data breaks it."""

import pytest
import torch
from torch import nn

from tests.catalogue import MODULES, calls, made, seeded

# This finds graph breaks; training, gradients and whole models are in test_portability.
pytestmark = pytest.mark.xdist_group("compiler")


def assert_one_graph(module, x, option):
    """Seen as one graph, it gives what it gives."""
    torch.compiler.reset()
    compiled = torch.compile(module, backend="eager", fullgraph=True)
    torch.testing.assert_close(seeded(compiled, x, option), seeded(module, x, option))


@pytest.mark.slow
@pytest.mark.parametrize("name", MODULES)
@torch.no_grad()
def test_it_is_one_graph_in_evaluation(name):
    x, options = calls(MODULES[name])
    assert_one_graph(made(name).eval(), x, options[-1])


class Branching(nn.Module):
    def forward(self, x, mask=None):
        return x if x.sum() > 0 else -x


class LooksAtTheMask(nn.Module):
    def forward(self, x, mask=None):
        return x if mask is None or mask.any() else -x


@pytest.mark.parametrize("module", [Branching(), LooksAtTheMask()])
def test_a_module_that_branches_on_its_data_is_found(module):
    x, options = calls(MODULES["LinearInvariant"])
    with pytest.raises(torch._dynamo.exc.Unsupported):
        assert_one_graph(module, x, options[-1])


def test_a_module_that_a_compiler_mistakes_is_found():
    class Mistaken(nn.Module):
        def forward(self, x):
            return x if torch.compiler.is_compiling() else x + 1

    with pytest.raises(AssertionError):
        assert_one_graph(Mistaken(), torch.zeros(2, 3, 4), {})
