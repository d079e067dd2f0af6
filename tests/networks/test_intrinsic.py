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
    direct_product,
    exchangeable_matrix,
    intrinsic,
    symmetric_group,
    test_invariant,
)

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
