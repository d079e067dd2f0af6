import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from invariant_nets import (
    AttentionPooling,
    InducedSetAttentionBlock,
    SetAttentionBlock,
    set_transformer,
)
from tests.catalogue import shuffle_parameters
from tests.networks.test_attention import slow

OPTIONS = [{}, {"num_points": 3}, {"num_blocks": 2, "layer_norm": True}, {"num_blocks": 0}]
every_option = pytest.mark.parametrize("options", OPTIONS)
sizes = {"n": st.integers(1, 4), "d": st.integers(1, 3), "seed": st.integers(0, 2**32 - 1)}


def drawn(n, d, seed, **options):
    network = set_transformer(n, d, width=4, **options).double()
    source = torch.Generator().manual_seed(seed)
    x = torch.randn(2, n, d, generator=source, dtype=torch.float64)
    mask = torch.rand(2, n, generator=source) < 0.6
    return shuffle_parameters(network, seed), x, mask


def by_loops(network, x, mask):
    """One module after the other, each attention in loops."""
    for module in network:
        if isinstance(module, SetAttentionBlock):
            x = slow("SAB", module, x, mask)
        elif isinstance(module, InducedSetAttentionBlock):
            x = slow("ISAB", module, x, mask)
        elif isinstance(module, AttentionPooling):
            x = slow("PMA", module, x, mask)
        else:
            x = module(x)
    return x


@every_option
@given(**sizes)
def test_it_is_its_formula(options, n, d, seed):
    network, x, mask = drawn(n, d, seed, **options)
    torch.testing.assert_close(network(x), by_loops(network, x, torch.ones_like(mask)))
    torch.testing.assert_close(network(x, mask=mask), by_loops(network, x, mask))


@every_option
@given(**sizes)
def test_with_outputs_per_member_it_is_its_formula(options, n, d, seed):
    network, x, mask = drawn(n, d, seed, outputs=2, per_member=True, **options)
    expected = by_loops(network, x, torch.ones_like(mask))
    torch.testing.assert_close(network(x), expected)
    y = by_loops(network, x, mask) * mask[..., None]
    torch.testing.assert_close(network(x, mask=mask), y)


@every_option
@given(**sizes)
def test_it_is_invariant_to_the_order(options, n, d, seed):
    network, x, mask = drawn(n, d, seed, **options)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(network(x[:, order]), network(x))
    torch.testing.assert_close(network(x[:, order], mask=mask[:, order]), network(x, mask=mask))


@every_option
def test_it_is_not_blind_to_which_entries_stand_in_one_row(options):
    torch.manual_seed(0)
    network, x = set_transformer(4, 3, **options), torch.randn(8, 4, 3)
    mixed = torch.stack([x[..., 0].flip(1), x[..., 1], x[..., 2]], dim=-1)
    assert (network(mixed) - network(x)).abs().max() > 1e-3


def test_members_that_swap_features_are_seen():
    network, x, _ = drawn(4, 3, 0)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(network(x.flip(2)), network(x))


def test_padding_of_a_full_row_is_told_from_an_empty_set():
    # n = 1: the pooled tensor has the shape of the set, and must not be masked as if it were one.
    network, x, _ = drawn(1, 3, 0)
    empty = torch.zeros(2, 1, dtype=torch.bool)
    wide = torch.zeros(2, 5, 3, dtype=torch.float64)
    expected = network(wide, mask=torch.zeros(2, 5, dtype=torch.bool))
    torch.testing.assert_close(network(x, mask=empty), expected)


def test_options_choose_the_modules():
    kinds = [type(module) for module in set_transformer(10, 5, num_blocks=2)]
    assert kinds == [nn.Linear, *[SetAttentionBlock] * 2, AttentionPooling, nn.Flatten, nn.Linear]
    network = set_transformer(10, 5, width=6, num_heads=3, num_points=4, layer_norm=True)
    assert isinstance(network[1], InducedSetAttentionBlock)
    assert network[1].points.shape == (4, 6)
    blocks = network[1].gather, network[1].spread, network[2].block
    assert all(block.num_heads == 3 and block.layer_norm for block in blocks)


def test_every_weight_learns_from_the_start_when_it_is_deep():
    torch.manual_seed(0)
    network = set_transformer(10, 5, num_blocks=8)
    loss = network(torch.randn(64, 10, 5)).square().mean()
    slopes = torch.autograd.grad(loss, list(network.parameters()))
    assert all(slope.abs().max() > 1e-5 for slope in slopes)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"width": 0}, "width must be at least 1, got 0"),
        ({"num_heads": 0}, "num_heads must be at least 1, got 0"),
        ({"num_heads": 3}, "num_heads must divide d=16, got 3"),
        ({"num_points": 0}, "num_points must be at least 1, got 0"),
        ({"num_blocks": -1}, "num_blocks must be at least 0, got -1"),
    ],
)
def test_bad_options_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        set_transformer(10, 5, **options)
