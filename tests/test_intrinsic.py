import math

import pytest
import torch
from torch import nn

from invariant_nets import LinearEquivariant, LinearInvariant, intrinsic


def shapes_of(network):
    layers = [m for m in network if isinstance(m, LinearEquivariant | LinearInvariant)]
    return [(layer.in_channels, layer.out_channels) for layer in layers]


def test_the_default_widths_are_ten_and_ten():
    network = intrinsic(10, 5)
    assert shapes_of(network) == [(5, 10), (10, 10), (10, 1)]
    assert [type(m) for m in network] == [
        *[LinearEquivariant, nn.ReLU] * 2,
        LinearInvariant,
    ]


def test_the_hidden_widths_can_be_chosen():
    assert shapes_of(intrinsic(10, 5, hidden=(7,))) == [(5, 7), (7, 1)]
    assert shapes_of(intrinsic(10, 5, hidden=[3, 4, 6])) == [(5, 3), (3, 4), (4, 6), (6, 1)]


def test_options_reach_every_layer():
    network = intrinsic(10, 5, normalization="sqrt", pooling="sum")
    layers = [m for m in network if hasattr(m, "pooling")]
    assert len(layers) == 3
    assert {(layer.normalization, layer.pooling) for layer in layers} == {("sqrt", "sum")}


def test_probabilities_end_in_a_sigmoid():
    assert isinstance(intrinsic(10, 5, probabilities=True)[-1], nn.Sigmoid)
    assert isinstance(intrinsic(10, 5)[-1], LinearInvariant)


@pytest.mark.parametrize("size", [1, 3, 100])
def test_it_takes_sets_of_every_size(size):
    assert intrinsic(10, 5)(torch.randn(2, size, 5)).shape == (2, 1)


def test_it_is_invariant_to_all_permutations():
    network, x = intrinsic(4, 3).double(), torch.randn(5, 4, 3, dtype=torch.float64)
    for _ in range(10):
        torch.testing.assert_close(network(x[:, torch.randperm(4)]), network(x))


def test_it_is_not_blind_to_which_entries_stand_in_one_row():
    network, x = intrinsic(4, 3).double(), torch.randn(5, 4, 3, dtype=torch.float64)
    mixed = torch.stack([x[..., 0].flip(1), x[..., 1], x[..., 2]], dim=-1)
    assert (network(mixed) - network(x)).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"hidden": ()}, r"hidden must hold at least one width, got \(\)"),
        ({"hidden": (10, 0)}, "out_channels must be at least 1, got 0"),
        ({"normalization": "max"}, "normalization must be one of .* got 'max'"),
        ({"pooling": None}, "pooling must be one of .* got None"),
    ],
)
def test_bad_options_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        intrinsic(10, 5, **options)


@pytest.mark.parametrize("shape", [(2, 10, 4), (10, 5), (2, 0, 5)])
def test_input_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match="x must"):
        intrinsic(10, 5)(torch.zeros(shape))


def test_it_learns_the_easy_task_within_seconds():
    torch.manual_seed(0)
    network = intrinsic(10, 5)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    for _ in range(300):
        labels = torch.randint(2, (128, 1)).float()
        x = torch.randn(128, 10, 5) * torch.where(labels == 0, 1.0, 0.6)[..., None]
        loss = nn.functional.binary_cross_entropy_with_logits(network(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < math.log(2) / 2
