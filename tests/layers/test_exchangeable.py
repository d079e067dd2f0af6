import copy
import math

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
            made.bias = torch.randn(out, **DOUBLE)
        return made, torch.randn(2, n, d, channels, **DOUBLE)


def mean(numbers):
    return sum(numbers) / len(numbers) if numbers else 0.0


def by_loops(layer, x, observed=None):
    """One entry, one pair of channels and one term at a time, over what was observed."""
    batch, n, d, channels = x.shape
    a, b, c, grand = layer.weight
    y = torch.zeros(batch, n, d, layer.out_channels, **DOUBLE)
    for k in range(batch):
        here = [(i, j) for i in range(n) for j in range(d) if observed is None or observed[k, i, j]]
        for i, j in here:
            for o in range(layer.out_channels):
                total = 0 if layer.bias is None else layer.bias[o]
                for q in range(channels):
                    row = mean([x[k, m, r, q] for m, r in here if m == i])
                    column = mean([x[k, m, r, q] for m, r in here if r == j])
                    every = mean([x[k, m, r, q] for m, r in here])
                    total = total + a[q, o] * x[k, i, j, q] + b[q, o] * row
                    total = total + c[q, o] * column + grand[q, o] * every
                y[k, i, j, o] = total
    return y


def masks(x, seed, share=0.5):
    """A mask of rows, the same of entries, and one of single entries."""
    source = torch.Generator().manual_seed(seed)
    rows = torch.rand(x.shape[:2], generator=source) < share
    yield rows, rows[:, :, None].expand(x.shape[:3])
    entries = torch.rand(x.shape[:3], generator=source) < share
    yield entries, entries


@given(**sizes)
def test_the_layer_is_its_formula(n, d, channels, out, bias, seed):
    layer, x = drawn(ExchangeableEquivariant, n, d, channels, out, bias, seed)
    torch.testing.assert_close(layer(x), by_loops(layer, x))


@given(**sizes)
def test_the_invariant_layer_is_a_linear_map_of_the_mean(n, d, channels, out, bias, seed):
    layer, x = drawn(ExchangeableInvariant, n, d, channels, out, bias, seed)
    for matrix, y in zip(x, layer(x), strict=True):
        expected = mean([matrix[i, j] for i in range(n) for j in range(d)]) @ layer.weight
        torch.testing.assert_close(y, expected + layer.bias if bias else expected)


@both
@given(**sizes)
def test_rows_and_columns_may_come_in_any_order(layer, n, d, channels, out, bias, seed):
    layer, x = drawn(layer, n, d, channels, out, bias, seed)
    source = torch.Generator().manual_seed(seed)
    rows, columns = torch.randperm(n, generator=source), torch.randperm(d, generator=source)
    y, moved = layer(x), layer(x[:, rows][:, :, columns])
    torch.testing.assert_close(moved, y[:, rows][:, :, columns] if y.ndim == 4 else y)


@given(**sizes)
def test_with_a_mask_every_mean_is_over_what_was_observed(n, d, channels, out, bias, seed):
    layer, x = drawn(ExchangeableEquivariant, n, d, channels, out, bias, seed)
    for mask, observed in masks(x, seed):
        torch.testing.assert_close(layer(x, mask), by_loops(layer, x, observed))
    everything = torch.ones(x.shape[:3], dtype=torch.bool)
    torch.testing.assert_close(layer(x, everything), layer(x))


@given(**sizes)
def test_the_invariant_layer_averages_what_was_observed(n, d, channels, out, bias, seed):
    layer, x = drawn(ExchangeableInvariant, n, d, channels, out, bias, seed)
    for mask, observed in masks(x, seed):
        for matrix, here, y in zip(x, observed, layer(x, mask), strict=True):
            entries = [matrix[i, j] for i in range(n) for j in range(d) if here[i, j]]
            expected = mean(entries) @ layer.weight if entries else torch.zeros(out, **DOUBLE)
            torch.testing.assert_close(y, expected + layer.bias if bias else expected)
    everything = torch.ones(x.shape[:3], dtype=torch.bool)
    torch.testing.assert_close(layer(x, everything), layer(x))


@both
def test_rows_and_columns_that_are_not_there_change_nothing(layer):
    layer = layer(2, 3, **DOUBLE)
    x = torch.full((2, 6, 5, 2), math.nan, **DOUBLE)
    rows, columns = torch.zeros(2, 6, dtype=torch.bool), torch.zeros(2, 5, dtype=torch.bool)
    rows[0, [1, 4, 5]] = columns[0, [0, 3]] = rows[1, [2]] = columns[1, [1, 2, 4]] = True
    alone = torch.randn(3, 2, 2, **DOUBLE), torch.randn(1, 3, 2, **DOUBLE)
    mask = rows[:, :, None] & columns[:, None]
    for matrix, here, members in zip(x, mask, alone, strict=True):
        matrix[here] = members.flatten(0, 1)
    for y, here, members in zip(layer(x, mask), mask, alone, strict=True):
        expected = layer(members[None])[0]
        if y.ndim == 3:
            assert not y[~here].any()
            y, expected = y[here], expected.flatten(0, 1)
        torch.testing.assert_close(y, expected)


def test_an_empty_matrix_gives_the_bias():
    layer = ExchangeableInvariant(2, 3)
    layer.bias = torch.randn(3)
    y = layer(torch.full((1, 4, 5, 2), math.inf), torch.zeros(1, 4, dtype=torch.bool))
    assert torch.equal(y[0], layer.bias)


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
    for mask in (None, torch.tensor([[1, 1, 0], [0, 1, 0]]).bool(), torch.rand(2, 3, 2) < 0.6):
        assert torch.autograd.gradcheck(layer, (x, mask))
        assert torch.autograd.gradgradcheck(layer, (x, mask))


@both
def test_means_of_sums_that_half_precision_cannot_hold(layer):
    low = layer(2, 3, dtype=torch.float16)
    full = copy.deepcopy(low).float()
    x = torch.rand(2, 3, 600, 2).add(1).mul(100).half().requires_grad_()
    assert x.sum(2).isinf().all()
    for mask in (None, torch.rand(2, 3) < 0.7, torch.rand(2, 3, 600) < 0.9):
        y, expected = low(x, mask), full(x.float(), mask)
        # Terms of a few hundred, of which half precision knows every fourth part, may cancel.
        torch.testing.assert_close(y.float(), expected, atol=3, rtol=1e-2)
        got, wanted = (
            torch.autograd.grad(z.float().mean(), (x, *module.parameters()))
            for z, module in ((y, low), (expected, full))
        )
        for one, other in zip(got, wanted, strict=True):
            torch.testing.assert_close(one.float(), other.float(), atol=1e-2, rtol=1e-2)


def test_counts_above_what_bfloat16_counts_are_exact():
    layer = ExchangeableInvariant(1, 1, bias=False, dtype=torch.bfloat16)
    x, mask = torch.ones(1, 1, 1031, 1, dtype=torch.bfloat16), torch.ones(1, 1, 1031).bool()
    assert layer(x, mask).item() == pytest.approx(layer(x).item(), rel=1e-2)


@both
def test_what_is_no_mask_is_refused(layer):
    layer, x = layer(2, 1), torch.zeros(4, 5, 3, 2)
    for shape in ((4,), (4, 3), (5, 4), (4, 5, 1), (4, 3, 5), (4, 5, 3, 1)):
        with pytest.raises(ValueError, match=r"mask must have shape \(batch, n\) = \(4, 5\) or"):
            layer(x, torch.ones(shape, dtype=torch.bool))
    with pytest.raises(TypeError, match=r"mask must be of bool, .*, got torch.float32"):
        layer(x, torch.ones(4, 5))
    with pytest.raises(TypeError, match="mask must be a tensor, got list"):
        layer(x, [[True]])


@both
def test_bad_arguments_are_refused(layer):
    with pytest.raises(ValueError, match="in_channels must be at least 1, got 0"):
        layer(0, 1)
    with pytest.raises(ValueError, match="out_channels must be at least 1, got 0"):
        layer(1, 0)


def test_it_shows_its_arguments():
    text = repr(ExchangeableEquivariant(2, 3, bias=False))
    assert text == "ExchangeableEquivariant(2, 3, bias=False)"
