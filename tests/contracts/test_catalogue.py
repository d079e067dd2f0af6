"""The catalogue is whole, and what it says of its modules is true."""

import inspect
from dataclasses import replace

import pytest
import torch
from torch import nn

import invariant_nets
from invariant_nets import MODELS, Permutation
from tests.catalogue import CATALOGUE, MODULES, NOTHING, N, S, calls, made, seeded

PUBLIC = {
    name
    for name, value in vars(invariant_nets).items()
    if inspect.isclass(value) and issubclass(value, nn.Module)
}


def missing(catalogue):
    """The public modules and the models that no entry is named after."""
    return (PUBLIC | set(MODELS)) - {name.split(",")[0] for name in catalogue}


def test_every_public_module_and_every_model_is_in_the_catalogue():
    assert len(PUBLIC) > 20
    assert not missing(CATALOGUE)


@pytest.mark.parametrize("name", ["AttentionPooling", "deep-sets"])
def test_one_that_is_missing_is_found(name):
    assert missing([other for other in CATALOGUE if not other.startswith(name)]) == {name}


@pytest.mark.parametrize("name", MODULES)
def test_an_entry_has_the_module_that_it_is_named_after(name):
    kinds = {type(module).__name__ for module in made(name).modules()}
    assert name.split(",")[0] in kinds


def assert_its_claims_are_true(module, entry):
    """It is symmetric to its group, and to a transposition only if that is in it."""
    x, options = calls(entry, dtype=torch.float64)
    outputs = [seeded(module, x, option) for option in options]

    def is_symmetric(p):
        """Whether rows permuted by p give the same outputs, or outputs that are permuted by p."""
        rows = p.index_tensor
        for option, y in zip(options, outputs, strict=True):
            moved = seeded(module, x[:, rows], {key: mask[:, rows] for key, mask in option.items()})
            expected = y[:, rows] if entry.equivariant else y
            if not torch.allclose(moved, expected, rtol=1e-9, atol=1e-11):
                return False
        return True

    assert all(is_symmetric(p) for p in entry.group.generators)
    swap = Permutation.from_cycles(entry.n, (0, 1))
    assert is_symmetric(swap) == (swap in entry.group)


@pytest.mark.parametrize("name", CATALOGUE)
def test_what_an_entry_claims_is_true(name):
    entry = CATALOGUE[name]
    module = made(name, shuffled=True, dtype=torch.float64)
    assert_its_claims_are_true(module.eval(), entry)
    x, _ = calls(entry, dtype=torch.float64)
    y = module.train()(x)
    assert torch.equal(module(x), y) != entry.random
    if entry.equivariant:
        assert y.shape[:2] == x.shape[:2]


@pytest.mark.parametrize("wrong", [{"group": NOTHING}, {"equivariant": True}])
def test_a_wrong_claim_of_an_invariant_layer_is_found(wrong):
    layer = made("LinearInvariant", dtype=torch.float64)
    with pytest.raises((AssertionError, IndexError)):
        assert_its_claims_are_true(layer, replace(MODULES["LinearInvariant"], **wrong))


@pytest.mark.parametrize("name", ["PositionalEncoding", "OrbitLinear", "cyclic-mlp", "mlp"])
def test_a_claim_of_too_large_a_group_is_found(name):
    assert CATALOGUE[name].n == N
    module = made(name, shuffled=True, dtype=torch.float64)
    with pytest.raises(AssertionError):
        assert_its_claims_are_true(module, replace(CATALOGUE[name], group=S))
