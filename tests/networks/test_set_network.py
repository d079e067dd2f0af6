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


# Modules that take no mask.

BY_MEMBER = [
    *(nn.LayerNorm(2), nn.RMSNorm(2), nn.Softmax(-1), nn.GLU(), nn.PReLU(), nn.Softplus()),
    *(nn.Mish(), nn.Unflatten(2, (2, 1)), nn.LazyLinear(3), nn.Sequential(nn.Linear(2, 3))),
    *(torch.compile(nn.Linear(2, 3), backend="eager"), AveragedModel(nn.Linear(2, 3))),
    nn.utils.parametrizations.weight_norm(nn.Linear(2, 3)),
    nn.Sequential(nn.ReLU(), nn.Sequential(nn.Linear(2, 3), nn.LayerNorm(3))),
]


@pytest.mark.parametrize("module", BY_MEMBER, ids=lambda module: type(module).__name__)
@torch.no_grad()
def test_a_module_that_acts_on_every_member_by_itself_needs_no_mask(module):
    x, mask = some_sets()
    network = SetNetwork(nn.Linear(2, 2), module, d=2).eval()
    y = network(x, mask=mask)
    assert not y[~mask].any()
    for k, members in enumerate(mask):
        if members.any():
            torch.testing.assert_close(y[k][members], network(x[k][members][None])[0])


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (nn.MultiheadAttention(2, 1), "MultiheadAttention mixes .*SetAttentionBlock"),
        (nn.TransformerEncoderLayer(2, 1, 4), "TransformerEncoderLayer mixes"),
        (
            nn.TransformerEncoder(nn.TransformerEncoderLayer(2, 2, 4, batch_first=True), 1),
            "TransformerEncoder mixes",
        ),
        (nn.BatchNorm1d(6), "BatchNorm1d mixes .*nn.LayerNorm"),
        (nn.LazyBatchNorm1d(), "LazyBatchNorm1d mixes"),
        (nn.InstanceNorm1d(6), "InstanceNorm1d mixes"),
        (nn.GroupNorm(2, 6), "GroupNorm mixes"),
        (nn.LayerNorm((6, 2)), r"LayerNorm mixes .*nn.LayerNorm\(d\)"),
        (nn.Softmax(1), "Softmax mixes .*dim=-1"),
        (nn.Conv1d(6, 6, 1), "Conv1d mixes"),
        (nn.GRU(2, 2, batch_first=True), "GRU mixes"),
        (nn.PReLU(6), "PReLU mixes"),
        (nn.Flatten(), "Flatten mixes .*FlattenMembers"),
        (nn.AvgPool1d(2), "AvgPool1d is not known .*by_member = True"),
        (torch.compile(nn.BatchNorm1d(6), backend="eager"), "BatchNorm1d mixes"),
        (nn.Sequential(nn.ReLU(), nn.Softmax(1)), "Softmax mixes"),
        (AveragedModel(nn.Sequential(LinearEquivariant(2, 2))), "use a SetNetwork"),
    ],
    ids=lambda case: "" if isinstance(case, str) else type(case).__name__,
)
def test_a_module_that_mixes_members_is_refused_by_name_when_sets_are_padded(module, words):
    x, mask = some_sets()
    network = SetNetwork(nn.ReLU(), module, d=2)
    with pytest.raises(TypeError, match=f"sets with padding cannot go through .*{words}"):
        network(x, mask=mask)


class Unknown(nn.Module):
    def forward(self, x):
        return x.square()


class Mixing(nn.Linear):
    def forward(self, x):
        return super().forward(x) - x.mean(1, keepdim=True)


def test_a_module_that_is_not_known_is_refused_until_it_is_declared():
    x, mask = some_sets()
    network = SetNetwork(Unknown(), LinearInvariant(2, 1), d=2)
    assert network(x).shape == (len(x), 1)
    with pytest.raises(TypeError, match="Unknown is not known to act on every member"):
        network(x, mask=mask)
    network[0].by_member = True
    expected = network[1](x.square(), mask=mask)
    torch.testing.assert_close(network(x, mask=mask), expected)
    with pytest.raises(TypeError, match="Mixing is not known"):
        SetNetwork(Mixing(2, 2), d=2)(x, mask=mask)


def test_after_the_pooling_any_module_will_do():
    x, mask = some_sets()
    network = SetNetwork(LinearInvariant(2, 4), nn.BatchNorm1d(4), Unknown(), d=2)
    assert network(x, mask=mask).shape == (len(x), 4)


@pytest.mark.parametrize("nest", [1, 2])
def test_a_nested_sequence_works_as_the_network_itself(nest):
    x, mask = some_sets()
    layers = [LinearEquivariant(2, 4), nn.ReLU(), LinearEquivariant(4, 4)]
    flat = SetNetwork(*layers, LinearInvariant(4, 1), d=2)
    nested = nn.Sequential(*layers)
    for _ in range(nest - 1):
        nested = nn.Sequential(nested)
    network = SetNetwork(nested, flat[-1], d=2)
    assert torch.equal(network(x, mask=mask), flat(x, mask=mask))
    nested.append(nn.Tanh())
    assert not torch.equal(network(x, mask=mask), flat(x, mask=mask))


def test_a_sequence_with_hooks_is_not_taken_apart():
    x, mask = some_sets()
    calls = []
    inner = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    inner.register_forward_hook(lambda *_: calls.append(1))
    SetNetwork(inner, d=2)(x, mask=mask)
    assert calls
    mixing = nn.Sequential(LinearEquivariant(2, 2))
    mixing.register_forward_hook(lambda *_: None)
    with pytest.raises(TypeError, match="use a SetNetwork"):
        SetNetwork(mixing, d=2)(x, mask=mask)
