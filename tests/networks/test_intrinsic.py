import itertools
import math

import pytest
import torch
from torch import nn

from invariant_nets import (
    ExchangeableEquivariant,
    ExchangeableInvariant,
    LinearEquivariant,
    LinearInvariant,
    cyclic_elements,
    direct_product,
    exchangeable_matrix,
    intrinsic,
    symmetric_group,
    test_equivariant,
    test_invariant,
)
from tests.catalogue import shuffle_parameters

both = pytest.mark.parametrize("build", [intrinsic, exchangeable_matrix])
LAYERS = LinearEquivariant | LinearInvariant | ExchangeableEquivariant | ExchangeableInvariant


def shapes_of(network):
    layers = [m for m in network if isinstance(m, LAYERS)]
    return [(layer.in_channels, layer.out_channels) for layer in layers]


def shuffled(build, n=4, d=3):
    """A network in float64 whose biases are not 0, and some sets for it."""
    torch.manual_seed(1)
    network = build(n, d, hidden=(6, 5)).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return network, torch.randn(64, n, d, dtype=torch.float64)


def test_the_default_widths_are_ten_and_ten():
    network = intrinsic(10, 5)
    assert shapes_of(network) == [(5, 10), (10, 10), (10, 1)]
    assert [type(m) for m in network] == [
        *[LinearEquivariant, nn.ReLU] * 2,
        LinearInvariant,
    ]


def test_entries_have_one_feature_and_the_default_widths_are_sixteen_and_sixteen():
    network = exchangeable_matrix(10, 5)
    assert shapes_of(network) == [(1, 16), (16, 16), (16, 1)]
    assert [type(m) for m in network] == [
        nn.Unflatten,
        *[ExchangeableEquivariant, nn.ReLU] * 2,
        ExchangeableInvariant,
    ]


@pytest.mark.parametrize("pooling", ["mean", "sum"])
def test_with_outputs_per_member_every_layer_is_equivariant(pooling):
    network = intrinsic(4, 3, hidden=(6, 5), outputs=2, per_member=True, pooling=pooling).double()
    assert shapes_of(network) == [(3, 6), (6, 5), (5, 2)]
    assert all(isinstance(m, LinearEquivariant | nn.ReLU) for m in network)
    assert {layer.pooling for layer in network[::2]} == {pooling}
    x = y = torch.randn(8, 4, 3, dtype=torch.float64)
    for k, layer in enumerate(network[::2]):
        pool = y.mean(1, keepdim=True) if pooling == "mean" else y.sum(1, keepdim=True)
        y = (y @ layer.a + pool @ layer.b + layer.c.sum(0)) / y.shape[2]
        y = y.relu() if k < 2 else y
    torch.testing.assert_close(network(x), y)
    assert test_equivariant(network, x)


def test_the_last_layer_of_outputs_per_member_keeps_the_mean_square():
    last = intrinsic(4, 3, hidden=(6,), outputs=6, per_member=True)[-1]
    for matrix in (last.a, last.a + last.b):
        torch.testing.assert_close(matrix @ matrix.T / 36, torch.eye(6), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("pooling", ["mean", "sum"])
def test_cyclic_shifts_of_the_features_do_not_change_outputs_per_member(pooling):
    options = {"outputs": 2, "per_member": True, "pooling": pooling}
    network = shuffle_parameters(cyclic_elements(4, 5, **options).double())
    x = torch.randn(8, 4, 5, dtype=torch.float64)
    torch.testing.assert_close(network(x.roll(2, -1)), network(x))
    with pytest.raises(AssertionError):
        torch.testing.assert_close(network(x.flip(-1)), network(x))
    *layers, readout = network
    h = x
    for module in layers:
        h = module(h)
    pool = readout.shared(h.mean(1) if pooling == "mean" else h.sum(1))
    each = torch.stack([readout.element(h[:, i]) + pool for i in range(4)], 1)
    torch.testing.assert_close(network(x), each)


@pytest.mark.parametrize(("build", "first"), [(intrinsic, 5), (exchangeable_matrix, 1)])
def test_the_hidden_widths_can_be_chosen(build, first):
    for hidden in ((7,), [3, 4, 6]):
        expected = list(itertools.pairwise([first, *hidden, 1]))
        assert shapes_of(build(10, 5, hidden=hidden)) == expected


def test_options_reach_every_layer():
    network = intrinsic(10, 5, normalization="sqrt", pooling="sum")
    layers = [m for m in network if hasattr(m, "pooling")]
    assert len(layers) == 3
    assert {(layer.normalization, layer.pooling) for layer in layers} == {("sqrt", "sum")}


@both
def test_it_is_invariant_to_all_permutations(build):
    network, x = shuffled(build)
    report = test_invariant(network, x)
    assert report
    assert report.relative_error < 1e-12


def test_rows_and_columns_come_in_no_order():
    network, x = shuffled(exchangeable_matrix)
    grid = direct_product(symmetric_group(4), symmetric_group(3), on="grid")
    report = test_invariant(network, x, grid)
    assert report
    assert report.relative_error < 1e-12
    for rows, columns in itertools.product(
        itertools.permutations(range(4)), itertools.permutations(range(3))
    ):
        moved = x[:, list(rows)][:, :, list(columns)]
        torch.testing.assert_close(network(moved), network(x))


def test_the_network_of_rows_tells_columns_apart():
    network, x = shuffled(intrinsic)
    report = test_invariant(lambda x: network(x.mT), x.mT)
    assert not report
    assert report.relative_error > 0.05


@both
def test_it_is_not_blind_to_which_entries_stand_in_one_row(build):
    network, x = shuffled(build)
    report = test_invariant(
        lambda entries: network(entries.view(64, 4, 3)), x.view(64, 12, 1), symmetric_group(12)
    )
    assert not report
    assert report.relative_error > 0.05


@pytest.mark.parametrize(
    ("build", "readout"),
    [(intrinsic, lambda layer: layer.c.mean(0)), (exchangeable_matrix, lambda layer: layer.bias)],
)
def test_an_empty_set_gives_the_constant_of_the_readout(build, readout):
    network, x = shuffled(build)
    y = network(x[:1], mask=torch.zeros(1, 4, dtype=torch.bool))
    torch.testing.assert_close(y[0], readout(network[-1]))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"normalization": "max"}, "normalization must be one of .* got 'max'"),
        ({"pooling": None}, "pooling must be one of .* got None"),
    ],
)
def test_bad_options_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        intrinsic(10, 5, **options)


@both
def test_bad_widths_are_refused(build):
    with pytest.raises(ValueError, match=r"hidden must hold at least one width, got \(\)"):
        build(10, 5, hidden=())
    with pytest.raises(ValueError, match="out_channels must be at least 1, got 0"):
        build(10, 5, hidden=(10, 0))


@both
def test_it_learns_the_easy_task_within_seconds(build):
    torch.manual_seed(0)
    network = build(10, 5)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(300):
        labels = torch.randint(2, (128, 1)).float()
        x = torch.randn(128, 10, 5) * torch.where(labels == 0, 1.0, 0.6)[..., None]
        loss = nn.functional.binary_cross_entropy_with_logits(network(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < math.log(2) / 2
