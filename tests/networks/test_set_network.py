import copy
import math

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from invariant_nets import FlattenMembers, LinearEquivariant, LinearInvariant, SetNetwork
from tests.contracts import padding


class Recorder(nn.Module):
    """Keeps what it was called with."""

    def __init__(self, answer=None, pools=False):
        super().__init__()
        self.answer = answer or (lambda x: x)
        if pools:
            self.pools = True

    def forward(self, x, mask=None):
        self.x, self.mask = x, mask
        return self.answer(x)


def some_sets(n=6, d=2, garbage=math.nan):
    return padding.padded(padding.ragged(d, dtype=torch.float32), n, garbage)


@pytest.mark.parametrize("n", [0, -2])
def test_a_set_network_of_nothing_is_refused(n):
    with pytest.raises(ValueError, match=f"n must be at least 1, got {n}"):
        SetNetwork(nn.Flatten(), n=n, d=3)
    with pytest.raises(ValueError, match=f"d must be at least 1, got {n}"):
        SetNetwork(nn.Flatten(), d=n)


def test_a_set_network_without_n_takes_every_size():
    network = SetNetwork(nn.Linear(3, 2), d=3)
    assert [network(torch.zeros(1, n, 3)).shape for n in (1, 5)] == [(1, 1, 2), (1, 5, 2)]


def test_a_set_network_with_n_counts_the_padding():
    network = SetNetwork(FlattenMembers(), nn.Linear(12, 1), n=6, d=2)
    x, mask = some_sets()
    assert network(x, mask=mask).isfinite().all()
    with pytest.raises(ValueError, match=r"x must have shape \(batch, 6, 2\)"):
        network(x[:, :5], mask=mask[:, :5])


def test_modules_that_act_on_every_member_never_see_the_padding():
    linear, norm, seen = nn.Linear(2, 3), nn.LayerNorm(3), Recorder()
    nn.init.normal_(norm.bias)
    x, mask = some_sets()
    y = SetNetwork(linear, norm, seen, d=2)(x, mask=mask)
    assert torch.equal(seen.mask, mask)
    assert not seen.x[~mask].any()
    torch.testing.assert_close(y[mask], norm(linear(x[mask])))


def test_the_mask_ends_where_the_set_axis_does():
    after = Recorder()
    network = SetNetwork(LinearEquivariant(2, 4), LinearInvariant(4, 6), after, d=2)
    x, mask = some_sets(n=6)
    y = network(x, mask=mask)
    assert y.shape == mask.shape  # as many outputs as rows, and none of them is padding
    assert after.mask is None
    assert y[mask.any(1)].all()


@pytest.mark.parametrize("pools", [True, False])
def test_several_vectors_a_set_are_no_members_if_the_module_says_so(pools):
    seeds, after = Recorder(lambda x: torch.ones(len(x), 6, 2), pools=pools), Recorder()
    x, mask = some_sets(n=6)
    y = SetNetwork(seeds, after, d=2)(x, mask=mask)
    assert (after.mask is None) == pools
    assert bool(y.all()) == pools


def test_without_a_mask_no_module_gets_one():
    seen = Recorder()
    SetNetwork(seen, d=2)(torch.zeros(1, 3, 2))
    assert seen.mask is None


def test_flattened_members_come_first_in_their_order():
    x = torch.arange(1.0, 9).view(1, 4, 2)
    mask = torch.tensor([[False, True, False, True]])
    flat = FlattenMembers()
    assert flat(x, mask=mask).tolist() == [[3, 4, 7, 8, 0, 0, 0, 0]]
    assert flat(x).tolist() == [list(range(1, 9))]
    assert not flat(x, mask=torch.zeros(1, 4, dtype=torch.bool)).any()


@pytest.mark.parametrize("change", ["replaced", "appended", "inserted", "removed"])
def test_a_module_that_is_put_in_later_gets_the_mask(change):
    seen = Recorder()
    network = SetNetwork(nn.Identity(), nn.Identity(), LinearInvariant(2, 1), d=2)
    x, mask = some_sets()
    expected = network(x, mask=mask)
    if change == "replaced":
        network[1] = seen
    elif change == "appended":
        network = SetNetwork(nn.Identity(), d=2).append(seen).append(network[2])
    elif change == "inserted":
        network.insert(1, seen)
    else:
        network = SetNetwork(nn.Flatten(), nn.Identity(), seen, network[2], d=2)
        del network[0]
    assert torch.equal(network(x, mask=mask), expected)
    assert torch.equal(seen.mask, mask)


@pytest.mark.parametrize("wrap", [torch.compile, AveragedModel, copy.deepcopy])
def test_a_wrapped_module_gets_the_mask_too(wrap):
    layer = LinearEquivariant(2, 4)
    wrapped = wrap(layer, backend="eager") if wrap is torch.compile else wrap(layer)
    x, mask = some_sets()
    expected = SetNetwork(layer, LinearInvariant(4, 1), d=2)
    network = SetNetwork(wrapped, expected[1], d=2)
    torch.testing.assert_close(network(x, mask=mask), expected(x, mask=mask))


@pytest.mark.parametrize("module", [nn.Flatten(), nn.LayerNorm((6, 2))])
def test_a_module_that_mixes_members_finds_zeros_in_the_padding(module):
    linear = nn.Linear(2, 2)
    nn.init.normal_(linear.bias)
    x, mask = some_sets()
    y = SetNetwork(linear, nn.ReLU(), module, d=2)(x, mask=mask)
    clean = torch.relu(linear(x)).masked_fill(~mask[..., None], 0)
    expected = module(clean)
    if expected.ndim == 3:
        expected = expected.masked_fill(~mask[..., None], 0)
    assert torch.equal(y, expected)
