"""Every module of the catalogue, compiled with its gradients, and exported for other sizes."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.export import Dim

from invariant_nets import (
    Permutation,
    SymmetryModel,
    dihedral_group,
    mathieu_group,
    mlp,
    symmetric_group,
)
from tests.catalogue import CATALOGUE, MODULES, PLACES, D, calls, made, output_and_gradients, seeded
from tests.contracts.test_graphs import assert_one_graph

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("compiler")]

LARGER = 9  # sets, and members where a module takes sets of every size


def compiled(module):
    torch.compiler.reset()  # each module is compiled as if it were alone
    return torch.compile(module, fullgraph=True, backend="aot_eager")


def assert_compiles(module, x, option):
    """Compiled, it has the same outputs and the same gradients."""
    other, x = compiled(module), x.requires_grad_()
    found, expected = (output_and_gradients(m, x, option) for m in (other, module))
    torch.testing.assert_close(found, expected)


def assert_exported_for_other_sizes(module, entry, x, option):
    """Exported with the batch free, and the set axis where it can be, it takes other sizes."""
    free = {0: Dim("batch", min=2), 1: Dim("n", min=2, max=PLACES)}
    fixed = {*entry.keeps, *(() if entry.sizes == "every" else ("n",))}
    free = {axis: size for axis, size in free.items() if size.__name__ not in fixed}
    shapes = {"x": free, **dict.fromkeys(option, free)}
    exported = torch.export.export(module, (x,), option, dynamic_shapes=shapes)
    exported = exported.module(check_guards=False)
    for batch, n in ((LARGER, LARGER), (2, 3)):
        sizes = batch if 0 in free else len(x), n if 1 in free else entry.n
        others, options = calls(replace(entry, n=sizes[1]), sizes[0])
        option = options[-1]
        y = seeded(exported, others, option)
        torch.testing.assert_close(y, seeded(module, others, option))


@pytest.mark.parametrize("name", MODULES)
def test_it_compiles_with_its_gradients(name):
    x, options = calls(MODULES[name])
    assert_compiles(made(name), x, options[-1])


@pytest.mark.parametrize("name", [name for name in CATALOGUE if name not in MODULES])
def test_variants_and_models_are_one_graph_without_a_mask(name):
    x, _ = calls(CATALOGUE[name])
    assert_one_graph(made(name), x, {})


@pytest.mark.parametrize("name", MODULES)
def test_an_exported_module_takes_other_sizes(name):
    entry = CATALOGUE[name]
    x, options = calls(entry)
    assert_exported_for_other_sizes(made(name), entry, x, options[-1])


# Random averages.


def test_a_sampled_average_draws_anew_when_it_is_compiled():
    for group in (symmetric_group(11), mathieu_group(11), dihedral_group(11)):
        model = SymmetryModel(mlp(11, D), group, samples=3)
        x = torch.randn(5, 11, D)
        fast = compiled(model)
        assert not torch.equal(fast(x), fast(x))


def test_compiled_draws_are_elements_of_the_group():
    group = mathieu_group(11)

    def places(x):
        return x[..., 0]

    model = SymmetryModel(places, group, samples=1)
    x = torch.arange(11.0).view(1, 11, 1)
    fast = compiled(model)
    seen = [tuple(fast(x)[0].int().tolist()) for _ in range(20)]
    assert len(set(seen)) > 15
    assert all(Permutation(order) in group for order in seen)


def test_a_group_too_large_to_be_unrolled_says_so_when_it_is_compiled():
    model = SymmetryModel(mlp(9, D), symmetric_group(9))
    with pytest.raises(Exception, match="too many to compile or export the average"):
        torch.export.export(model, (torch.randn(1, 9, D),))


# The contracts can fail.


def test_a_gradient_that_a_compiler_changes_is_found():
    class Changed(nn.Module):
        def forward(self, x, mask=None):
            return x.detach() * x if torch.compiler.is_compiling() else x * x

    with pytest.raises(AssertionError):
        assert_compiles(Changed(), torch.ones(2, 3, 4), {})


def test_a_module_that_branches_on_its_data_is_found():
    class Branching(nn.Module):
        def forward(self, x, mask=None):
            return x if x.sum() > 0 else -x

    entry = CATALOGUE["LinearInvariant"]
    x, options = calls(entry)
    with pytest.raises(torch._dynamo.exc.Unsupported):
        assert_compiles(Branching(), x, options[-1])
    with pytest.raises(Exception, match=r"data-dependent|Data-dependent"):
        assert_exported_for_other_sizes(Branching(), entry, x, options[-1])


def test_a_module_that_is_tied_to_a_size_is_found():
    class Tied(nn.Module):
        def forward(self, x, mask=None):
            return x.reshape(5, -1, D).sum(1)  # the number of sets that it was exported with

    entry = CATALOGUE["LinearInvariant"]
    x, options = calls(entry)
    with pytest.raises((AssertionError, RuntimeError, torch._dynamo.exc.UserError)):
        assert_exported_for_other_sizes(Tied(), entry, x, options[-1])
