"""Coefficients are shown as the formula has them, and stored such that a step of Adam fits."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn
from torch.func import functional_call, stack_module_state, vmap

from invariant_nets import (
    ExchangeableEquivariant,
    ExchangeableInvariant,
    LinearEquivariant,
    LinearInvariant,
    OrbitInvariant,
    OrbitLinear,
    SparseExchangeableEquivariant,
    dihedral_group,
    symmetric_group,
)
from tests import oracles

UNIT = oracles.unit("mean")
AVERAGED = {"equivariant": LinearEquivariant, "invariant": LinearInvariant}
LAYERS = {
    "averaged": lambda: LinearEquivariant(3, 2),
    "averaged, sums": lambda: LinearEquivariant(3, 2, "sum"),
    "averaged readout": lambda: LinearInvariant(3, 2),
    "orbits": lambda: OrbitLinear(dihedral_group(5), 3, 2),
    "pooled orbits": lambda: OrbitLinear(symmetric_group(5), 3, 2),
    "orbits of points": lambda: OrbitInvariant(dihedral_group(5), 3, 2).linear,
    "matrices": lambda: ExchangeableEquivariant(3, 2),
    "matrices, readout": lambda: ExchangeableInvariant(3, 2),
    "observed entries": lambda: SparseExchangeableEquivariant(3, 2),
}
every_layer = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)


def shown(layer):
    """What a layer shows, by name, as plain tensors."""
    names = [name.removeprefix("stored_") for name, _ in layer.named_parameters()]
    return {name: getattr(layer, name).detach().clone() for name in names}


def drawn(layer, seed=0):
    torch.manual_seed(seed)
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    return layer


def assert_shows(layer, expected, **rounding):
    assert shown(layer).keys() == expected.keys()
    for name, value in shown(layer).items():
        torch.testing.assert_close(value, expected[name], **rounding)


# What is shown is what the formula has.


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("normalization", ["mean", "sqrt", "sum"])
@pytest.mark.parametrize("kind", AVERAGED)
def test_what_is_shown_is_exactly_the_unit_times_what_is_stored(kind, normalization, dtype):
    layer = drawn(AVERAGED[kind](5, 3, normalization, dtype=dtype))
    unit, x = oracles.unit(normalization), torch.randn(2, 4, 5, dtype=dtype)
    for name, value in shown(layer).items():
        stored = getattr(layer, f"stored_{name}").detach()
        assert value.dtype == dtype
        assert torch.equal(value.double(), unit * stored.double())
    loop = getattr(oracles, f"linear_{kind}")
    coefficients = [value.double() for value in shown(layer).values()]
    expected = loop(x.double(), *coefficients, normalization, "mean")
    digits = torch.finfo(dtype).eps * expected.abs().max().item()
    torch.testing.assert_close(layer(x).double(), expected, rtol=0, atol=8 * digits)


@every_layer
def test_what_is_set_is_shown(make):
    layer, other = drawn(make()), drawn(make(), seed=1)
    for name, value in shown(other).items():
        setattr(layer, name, value)
    assert_shows(layer, shown(other), rtol=1e-6, atol=0)


@every_layer
def test_numbers_of_every_type_may_be_set(make):
    layer = make()
    for dtype in (torch.int64, torch.bool, torch.float16, torch.float64):
        for name, value in shown(layer).items():
            setattr(layer, name, torch.ones(value.shape, dtype=dtype))
        assert_shows(layer, {name: torch.ones_like(v) for name, v in shown(layer).items()})


# States.


@every_layer
def test_a_state_from_before_the_units_loads(make):
    layer, old = make(), shown(drawn(make()))
    layer.load_state_dict(old)
    assert_shows(layer, old, rtol=1e-6, atol=0)
    nested = nn.Sequential(nn.ReLU(), nn.Sequential(make()))
    nested.load_state_dict({f"1.0.{name}": value for name, value in old.items()}, strict=True)
    assert_shows(nested[1][0], old, rtol=1e-6, atol=0)


@pytest.mark.parametrize("kind", AVERAGED)
def test_it_then_is_the_same_function_bit_for_bit(kind):
    one, other = drawn(AVERAGED[kind](5, 3)), AVERAGED[kind](5, 3)
    x, old = torch.randn(8, 4, 5), shown(one)
    names = set(old)
    other.load_state_dict(old)
    assert torch.equal(other(x), one(x))
    assert set(old) == names


@every_layer
def test_an_old_state_of_another_shape_is_refused_as_torch_does(make):
    old = {name: value[..., :1].repeat_interleave(7, -1) for name, value in shown(make()).items()}
    with pytest.raises(RuntimeError, match=r"size mismatch for stored_"):
        make().load_state_dict(old)


@every_layer
def test_a_state_with_neither_is_refused(make):
    layer = make()
    for state in ({}, {f"kept_{name}": value for name, value in shown(layer).items()}):
        with pytest.raises(RuntimeError, match=r"Missing key.*stored_"):
            layer.load_state_dict(state)


@every_layer
def test_copies_show_the_same(make):
    layer = drawn(make())
    for again in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert_shows(again, shown(layer), rtol=0, atol=0)
    for name, value in shown(layer).items():
        file = io.BytesIO()
        torch.save(getattr(layer, name).detach(), file)
        file.seek(0)
        for kept in (torch.load(file), copy.deepcopy(getattr(layer, name).detach())):
            assert type(kept) is torch.Tensor
            assert torch.equal(kept, value)


def test_a_functional_call_takes_what_is_stored_one_or_many_at_a_time():
    layers, x = [drawn(LinearEquivariant(3, 2), seed) for seed in range(3)], torch.randn(4, 5, 3)
    own = {f"stored_{name}": value / UNIT for name, value in shown(layers[1]).items()}
    assert torch.equal(functional_call(layers[0], own, (x,)), layers[1](x))
    many = vmap(lambda p: functional_call(layers[0], p, (x,)))(stack_module_state(layers)[0])
    torch.testing.assert_close(many, torch.stack([layer(x) for layer in layers]))
    # What is shown may take part in a transform that it is not made in.
    a = layers[0].a
    torch.testing.assert_close(vmap(lambda row: a.mT @ row)(x[0]), x[0] @ a)


def test_a_functional_call_of_what_is_shown_leaves_the_layer_as_it_was():
    layer, x = drawn(LinearEquivariant(3, 2)), torch.ones(1, 1, 3)
    before, new = shown(layer), {name: torch.zeros(3, 2) for name in "ab"}
    torch.testing.assert_close(functional_call(layer, new, (x,))[0, 0], before["c"].mean(0))
    assert_shows(layer, before, rtol=0, atol=0)
    new = {"a": torch.zeros(3, 2), "b": torch.zeros(3, 2, requires_grad=True)}
    with pytest.raises(ValueError, match="has a gradient, which would be lost"):
        functional_call(layer, new, (x,))
    assert_shows(layer, before, rtol=0, atol=0)


# What would change a copy is refused.

CHANGES = {
    "normal": lambda a: nn.init.normal_(a),
    "zeros": lambda a: nn.init.zeros_(a),
    "orthogonal": lambda a: nn.init.orthogonal_(a),
    "copy": lambda a: a.copy_(torch.zeros(3, 2)),
    "an entry": lambda a: a.__setitem__((0, 0), 1.0),
    "out": lambda a: torch.add(torch.ones(3, 2), 1.0, out=a),
    "data": lambda a: a.data.zero_(),
    "other data": lambda a: setattr(a, "data", torch.zeros(3, 2)),
    "detached": lambda a: a.detach().zero_(),
    "a view": lambda a: a.mT.zero_(),
    "a row": lambda a: a[0].zero_(),
    "one of several rows": lambda a: a.unbind()[0].fill_(1.0),
    "each row": lambda a: [row.mul_(2) for row in a],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@torch.no_grad()
def test_changes_of_what_is_shown_are_refused(change):
    layer = drawn(LinearEquivariant(3, 2))
    before = shown(layer)
    with pytest.raises(TypeError, match=r"would change a copy: assign it instead"):
        change(layer.a)
    assert_shows(layer, before, rtol=0, atol=0)
    change(layer.stored_a.data)  # which is there to be changed


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (nn.Parameter(torch.zeros(3, 2)), TypeError, r"stored_a the parameter: assign the values"),
        (torch.zeros(2, 3), ValueError, r"a must have shape \(3, 2\), got \(2, 3\)"),
        (torch.zeros(3, 2, requires_grad=True), ValueError, "has a gradient, which would be lost"),
        ([[0.0, 0.0]] * 3, TypeError, "a must be a tensor"),
        (1.0, TypeError, "a must be a tensor"),
        (None, TypeError, "a must be a tensor"),
        (nn.Linear(3, 2), TypeError, "a must be a tensor"),
    ],
)
def test_what_is_no_value_for_a_coefficient_is_refused(value, error, message):
    layer = drawn(LinearEquivariant(3, 2))
    before = shown(layer)
    with pytest.raises(error, match=message):
        layer.a = value
    assert_shows(layer, before, rtol=0, atol=0)


def test_a_layer_without_a_bias_shows_none_and_takes_none():
    layer = OrbitLinear(dihedral_group(5), 3, 2, bias=False)
    assert layer.bias is None
    with pytest.raises(TypeError, match="bias must be a tensor, of a layer that has it"):
        layer.bias = torch.zeros(1, 2)


def test_what_is_shown_can_be_scaled_and_its_arithmetic_is_plain():
    layer = drawn(LinearEquivariant(3, 2))
    before = shown(layer)["a"]
    with torch.no_grad():
        layer.a *= 2
        assert torch.equal(layer.a, 2 * before)
        for result in (layer.a + 1, layer.a.clone(), layer.a.T @ layer.a, layer.a.abs()):
            assert type(result) is torch.Tensor
            result.zero_()
    assert type(layer.a.to_sparse()) is torch.Tensor
    layer.a.square().sum().backward()
    torch.testing.assert_close(layer.stored_a.grad, UNIT * 2 * 2 * before)
