import copy
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from invariant_nets import (
    ExchangeableEquivariant,
    ExchangeableInvariant,
    OrbitLinear,
    direct_product,
    symmetric_group,
    test_equivariant,
    test_invariant,
)

DOUBLE = {"dtype": torch.float64}
sizes = {
    "n": st.integers(1, 5),
    "d": st.integers(1, 4),
    "channels": st.integers(1, 3),
    "out": st.integers(1, 3),
    "bias": st.booleans(),
    "seed": st.integers(0, 2**32 - 1),
}
both = pytest.mark.parametrize("layer", [ExchangeableEquivariant, ExchangeableInvariant])


def drawn(layer, n, d, channels, out, bias, seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = layer(channels, out, bias=bias, **DOUBLE)
        if bias:
            nn.init.normal_(made.bias)
        return made, torch.randn(2, n, d, channels, **DOUBLE)


def by_loops(layer, x):
    """One entry, one pair of channels and one term at a time."""
    batch, n, d, channels = x.shape
    a, b, c, grand = layer.weight
    y = torch.zeros(batch, n, d, layer.out_channels, **DOUBLE)
    for k in range(batch):
        for i in range(n):
            for j in range(d):
                for o in range(layer.out_channels):
                    total = 0 if layer.bias is None else layer.bias[o]
                    for q in range(channels):
                        row = sum(x[k, i, m, q] for m in range(d)) / d
                        column = sum(x[k, m, j, q] for m in range(n)) / n
                        every = sum(x[k, m, r, q] for m in range(n) for r in range(d)) / (n * d)
                        total = total + a[q, o] * x[k, i, j, q] + b[q, o] * row
                        total = total + c[q, o] * column + grand[q, o] * every
                    y[k, i, j, o] = total
    return y


@given(**sizes)
def test_the_layer_is_its_formula(n, d, channels, out, bias, seed):
    layer, x = drawn(ExchangeableEquivariant, n, d, channels, out, bias, seed)
    torch.testing.assert_close(layer(x), by_loops(layer, x))


@given(**sizes)
def test_the_invariant_layer_is_a_linear_map_of_the_mean(n, d, channels, out, bias, seed):
    layer, x = drawn(ExchangeableInvariant, n, d, channels, out, bias, seed)
    for matrix, y in zip(x, layer(x), strict=True):
        mean = sum(matrix[i, j] for i in range(n) for j in range(d)) / (n * d)
        expected = mean @ layer.weight
        torch.testing.assert_close(y, expected + layer.bias if bias else expected)


@both
@given(**sizes)
def test_rows_and_columns_may_come_in_any_order(layer, n, d, channels, out, bias, seed):
    layer, x = drawn(layer, n, d, channels, out, bias, seed)
    source = torch.Generator().manual_seed(seed)
    rows, columns = torch.randperm(n, generator=source), torch.randperm(d, generator=source)
    y, moved = layer(x), layer(x[:, rows][:, :, columns])
    torch.testing.assert_close(moved, y[:, rows][:, :, columns] if y.ndim == 4 else y)


def test_a_layer_that_tells_columns_apart_is_caught():
    grid = direct_product(symmetric_group(4), symmetric_group(3), on="grid")
    x = torch.randn(16, 4, 3)
    layer = ExchangeableEquivariant(1, 2)
    assert test_equivariant(lambda x: layer(x[..., None]), x, grid)
    assert not test_equivariant(lambda x: layer(x[..., None]) + x[:, :, :1, None], x, grid)
    pooled = ExchangeableInvariant(1, 2)
    assert test_invariant(lambda x: pooled(x[..., None]), x, grid)
    assert not test_invariant(lambda x: pooled(x[..., None]) + x[:, 0, :1], x, grid)


@pytest.mark.parametrize(("n", "d"), [(2, 2), (5, 3), (3, 6)])
def test_it_is_the_layer_that_the_generators_give(n, d):
    group = direct_product(symmetric_group(n), symmetric_group(d), on="grid")
    layer = ExchangeableEquivariant(3, 2, **DOUBLE)
    a, b, c, grand = layer.weight.detach()
    # A pair of entries contributes to every mean that holds both.
    neither = grand / (n * d)
    row, column = b / d + neither, c / n + neither
    orbits = OrbitLinear(group, 3, 2, **DOUBLE)
    same = a + b / d + c / n + neither
    orbits.load_state_dict({"weight": torch.stack((same, row, column, neither)),
                            "bias": layer.bias[None]})  # fmt: skip
    x = torch.randn(4, n, d, 3, **DOUBLE)
    torch.testing.assert_close(layer(x).flatten(1, 2), orbits(x.flatten(1, 2)))


def test_the_four_maps_are_independent():
    x = torch.randn(1, 3, 3, 1, **DOUBLE)
    layer = ExchangeableEquivariant(1, 1, bias=False, **DOUBLE)
    outputs = []
    for k in range(4):
        layer.load_state_dict({"weight": torch.eye(4, **DOUBLE)[k].view(4, 1, 1)})
        outputs.append(layer(x).flatten())
    assert torch.linalg.matrix_rank(torch.stack(outputs)) == 4


def components(x):
    grand = x.mean((1, 2), keepdim=True)
    rows, columns = x.mean(2, keepdim=True) - grand, x.mean(1, keepdim=True) - grand
    return x - rows - columns - grand, rows, columns, grand


@pytest.mark.parametrize(("channels", "out"), [(64, 64), (16, 64)])
def test_every_component_starts_with_twice_its_mean_square(channels, out):
    torch.manual_seed(0)
    layer = ExchangeableEquivariant(channels, out, **DOUBLE)
    x = torch.randn(8, 6, 4, channels, **DOUBLE)
    for before, after in zip(components(x), components(layer(x)), strict=True):
        ratio = after.square().mean() / before.square().mean()
        assert ratio.item() == pytest.approx(2, rel=1e-6)


def test_a_deep_network_keeps_the_scale_of_its_signal():
    torch.manual_seed(0)
    x = torch.randn(64, 10, 5, 64)
    layers = [part for _ in range(10) for part in (ExchangeableEquivariant(64, 64), nn.ReLU())]
    ratio = nn.Sequential(*layers)(x).square().mean() / x.square().mean()
    assert 0.3 < ratio < 3


@both
def test_it_takes_matrices_of_every_size_with_the_same_weights(layer):
    layer = layer(2, 3)
    for n, d in ((1, 1), (7, 2), (2, 9)):
        assert layer(torch.randn(4, n, d, 2)).shape[-1] == 3
    assert layer(torch.randn(0, 3, 2, 2)).shape[0] == 0


@both
def test_gradients_are_those_of_the_formula(layer):
    layer = layer(2, 3, **DOUBLE)
    x = torch.randn(2, 3, 2, 2, requires_grad=True, **DOUBLE)
    assert torch.autograd.gradcheck(layer, (x,))
    assert torch.autograd.gradgradcheck(layer, (x,))


@both
def test_it_is_copied_saved_compiled_and_exported(layer):
    layer = layer(2, 3)
    x = torch.randn(4, 5, 3, 2)
    y = layer(x)
    other = type(layer)(2, 3)
    other.load_state_dict(layer.state_dict())
    copies = [other, copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))]
    copies.append(torch.compile(layer, fullgraph=True, backend="eager"))
    copies.append(torch.export.export(layer, (x,)).module())
    for made in copies:
        torch.testing.assert_close(made(x), y)


@both
def test_low_precision_stays_close(layer):
    layer = layer(2, 3)
    x = torch.randn(4, 5, 3, 2)
    y = layer(x)
    low = copy.deepcopy(layer).bfloat16()(x.bfloat16())
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.float(), y, atol=0.1, rtol=0.1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(layer(x).float(), y, atol=0.1, rtol=0.1)


@both
@pytest.mark.parametrize("shape", [(2, 3, 2), (2, 3, 2, 5), (2, 0, 2, 4), (2, 3, 0, 4)])
def test_what_are_no_matrices_of_features_is_refused(layer, shape):
    with pytest.raises(ValueError, match="x must"):
        layer(4, 1)(torch.zeros(shape))


@both
def test_bad_arguments_are_refused(layer):
    with pytest.raises(ValueError, match="in_channels must be at least 1, got 0"):
        layer(0, 1)
    with pytest.raises(ValueError, match="out_channels must be at least 1, got 0"):
        layer(1, 0)
    with pytest.raises(TypeError, match="x must be a tensor, got list"):
        layer(1, 1)([[[[1.0]]]])


def test_it_shows_its_arguments():
    text = repr(ExchangeableEquivariant(2, 3, bias=False))
    assert text == "ExchangeableEquivariant(2, 3, bias=False)"
