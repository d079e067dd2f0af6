"""Sets of every size: what each way to take a mask gives, beside the contract of test_padding."""

import math

import pytest
import torch
from torch import nn

from invariant_nets import (
    MODELS,
    Augmentation,
    CanonicalModel,
    DirectionFrame,
    LinearEquivariant,
    LinearInvariant,
    OrbitInvariant,
    OrbitLinear,
    PositionalEncoding,
    SetNetwork,
    SymmetryModel,
    _sets,
    direct_product,
    mlp,
    symmetric_group,
)
from invariant_nets._rows import front, members_first
from invariant_nets._sets import Members, call, manner, member_mean, takes_mask
from tests.contracts import padding

N, D = 6, 2


@pytest.fixture(autouse=True)
def _same_weights_every_time():
    torch.manual_seed(0)


def reader():
    """A network of sets of every size that reads them in order, one output per set."""
    positions = PositionalEncoding(D, 50)
    return SetNetwork(positions, nn.Linear(D, 8), nn.Tanh(), LinearInvariant(8, 3), d=D).double()


def writer():
    """The same with one output a member."""
    positions = PositionalEncoding(D, 50)
    return SetNetwork(positions, nn.Linear(D, 8), nn.Tanh(), nn.Linear(8, 3), d=D).double()


def test_a_short_set_is_its_members_and_then_zeros_for_a_network_of_fixed_size():
    x, mask = padding.padded(padding.ragged(D), N)
    model = mlp(N, D).double()
    for k, members in enumerate(padding.ragged(D)):
        filled = torch.cat((members, members.new_zeros(N - len(members), D)))
        torch.testing.assert_close(model(x, mask=mask)[k], model(filled[None])[0])


@pytest.mark.parametrize("equivariant", [False, True])
def test_the_average_over_all_orders_is_that_of_the_members_alone(equivariant):
    network = writer() if equivariant else reader()
    sets = padding.ragged(D)
    x, mask = padding.padded(sets, N)
    y = SymmetryModel(network, symmetric_group(N), equivariant=equivariant)(x, mask=mask)
    for k, members in enumerate(sets):
        if len(members):
            alone = SymmetryModel(network, symmetric_group(len(members)), equivariant=equivariant)
            expected = alone(members[None])[0]
            torch.testing.assert_close(y[k][mask[k]] if equivariant else y[k], expected)


def test_a_layer_of_all_permutations_is_that_of_the_members_alone():
    layer = OrbitLinear(symmetric_group(N), D, 3).double()
    nn.init.normal_(layer.stored_bias)
    pool = OrbitInvariant(symmetric_group(N), D, 3).double()
    sets = padding.ragged(D)
    x, mask = padding.padded(sets, N)
    for k, members in enumerate(sets):
        if len(members) < 2:  # one point has one orbital
            continue
        small = OrbitLinear(symmetric_group(len(members)), D, 3).double()
        small.weight, small.bias = layer.weight.detach(), layer.bias.detach()
        torch.testing.assert_close(layer(x, mask=mask)[k][mask[k]], small(members[None])[0])
        small = OrbitInvariant(symmetric_group(len(members)), D, 3).double()
        small.linear.weight = pool.linear.weight.detach()
        small.linear.bias = pool.linear.bias.detach()
        torch.testing.assert_close(pool(x, mask=mask)[k], small(members[None])[0])


def test_points_of_another_action_all_go_out():
    four, pairs = symmetric_group(4), symmetric_group(4).on_tuples(2)
    layer = OrbitLinear(pairs, 1, 2, out_group=four).double()
    x, mask = padding.padded(padding.ragged(1, (16, 5)), 16)
    y = layer(x, mask=mask)
    assert y.shape == (2, 4, 2)
    torch.testing.assert_close(y, layer(x.masked_fill(~mask[..., None], 0)))
    assert y.all()


def test_a_mask_moves_with_the_members_on_a_grid_of_rows_and_columns():
    group = direct_product(symmetric_group(3), symmetric_group(2), on="grid")
    seen = []

    def model(x, mask=None):
        seen.append((x, mask))
        return (x * torch.arange(1.0, 7).view(3, 2)).sum((1, 2))

    x = torch.arange(1.0, 7).view(1, 3, 2)
    rows = torch.tensor([[True, False, True]])
    average = SymmetryModel(model, group)
    y = average(x, mask=rows)
    (moved, masks), *_ = seen
    assert masks.shape == (12, 3, 2)
    assert torch.equal(moved != 0, masks)
    entries = rows[..., None].expand(1, 3, 2)
    torch.testing.assert_close(average(x, mask=entries), y)
    # Every entry is in every place as often: the mean place times the sum of the entries.
    torch.testing.assert_close(y, torch.tensor([3.5 * (1 + 2 + 5 + 6)]))


def test_sampled_averages_take_masks_and_tell_their_error():
    model = SymmetryModel(reader(), symmetric_group(N), samples=50)
    x, mask = padding.padded(padding.ragged(D), N)
    mean, error = model.estimate(x, mask=mask)
    assert mean.isfinite().all()
    single = mask.sum(1) == 1
    assert error[mask.sum(1) > 2].all()
    torch.testing.assert_close(error[single], torch.zeros_like(error[single]))  # one order only


def test_augmentation_moves_the_mask_with_the_members():
    seen = {}

    def model(x, mask=None):
        seen.update(x=x, mask=mask)
        return x

    x, mask = padding.padded(padding.ragged(1), N)
    Augmentation(model)(x, mask=mask)
    assert not torch.equal(seen["mask"], mask)
    assert torch.equal(seen["x"][..., 0] != 0, seen["mask"])
    for before, after in zip(
        x.masked_fill(~mask[..., None], 0).flatten(1), seen["x"].flatten(1), strict=True
    ):
        assert torch.equal(before.sort().values, after.sort().values)


def test_a_canonicalization_of_ones_own_gets_the_mask_and_must_take_one():
    def by_size(x, mask=None):
        order = x.norm(dim=-1).masked_fill(~mask, math.inf).argsort(1)
        return x.gather(1, order[..., None].expand_as(x))

    x, mask = padding.padded(padding.ragged(D), N)
    y = CanonicalModel(reader(), by_size)(x, mask=mask)
    other_x, other_mask = padding.padded([s.flip(0) for s in padding.ragged(D)], N, seed=1)
    torch.testing.assert_close(CanonicalModel(y_of := reader(), by_size)(x, mask=mask),
                               CanonicalModel(y_of, by_size)(other_x, mask=other_mask))  # fmt: skip
    assert y.isfinite().all()
    with pytest.raises(TypeError, match="canonicalization must take a mask"):
        CanonicalModel(reader(), lambda x: x)(x, mask=mask)


@pytest.mark.parametrize(
    "wrapper",
    [
        CanonicalModel,
        Augmentation,
        lambda model: SymmetryModel(model, symmetric_group(N), samples=2),
        lambda model: CanonicalModel(model, frame=DirectionFrame(D, 2)),
    ],
)
def test_a_model_that_takes_no_mask_is_not_given_padding_in_silence(wrapper):
    x, mask = padding.padded(padding.ragged(D), N)
    model = wrapper(nn.Sequential(nn.Flatten(), nn.Linear(N * D, 1)).double())
    assert model(torch.zeros_like(x)).shape == (len(x), 1)
    with pytest.raises(TypeError, match=r"model must take a mask .* got Sequential: make it a Set"):
        model(x, mask=mask)


@pytest.mark.parametrize("name", MODELS)
def test_a_mask_is_found_when_the_network_is_made(name, monkeypatch):
    model = MODELS[name].build(N, D).eval()

    def too_late(_):
        raise AssertionError("found out in a forward pass")

    monkeypatch.setattr(_sets, "takes_mask", too_late)
    x, mask = padding.padded(padding.ragged(D, dtype=torch.float32), N)
    assert model(x, mask=mask).isfinite().all()


@pytest.mark.parametrize("name", MODELS)
def test_a_mask_that_was_checked_is_trusted_inside(name):
    for network in MODELS[name].build(N, D).modules():
        if isinstance(network, SetNetwork):
            inside = [manner(module) for module in network]
            assert all(how.takes_members == how.takes_mask for how in inside)


# SetNetwork before the first module that takes no mask; a layer what comes in, and what its bias or
# its mean put in.
TIMES = {
    "mlp": 1,
    "intrinsic": 2 + 2 + 1,
    "entrywise": 2 + 2 + 1,
    "deep-sets": 1 + 1,
    "set-transformer": 1 + 2 + 2,
    "exchangeable": 1 + 2 + 2 + 1,
    "cyclic-elements": 1 + 2 + 2 + 1,
    "radial": 1,
}


@pytest.mark.parametrize("name", TIMES)
def test_padding_is_filled_once_by_whom_it_concerns(name, monkeypatch):
    filled, absent = [], Members.absent
    monkeypatch.setattr(
        Members, "absent", lambda self, ndim: filled.append(ndim) or absent(self, ndim)
    )
    x, mask = padding.padded(padding.ragged(D, dtype=torch.float32), N)
    MODELS[name].build(N, D)(x, mask=mask)
    assert len(filled) == TIMES[name]


# The small pieces.


def test_members_first_keeps_their_order():
    mask = torch.tensor([[False, True, False, True]])
    assert members_first(mask).tolist() == [[1, 3, 0, 2]]
    assert front(mask).tolist() == [[True, True, False, False]]
    assert front(None) is None


def test_an_empty_set_counts_as_one_so_that_its_mean_is_zero():
    mask = torch.tensor([[True, True], [False, False]])
    assert Members(mask).counts(torch.float32).tolist() == [[2.0], [1.0]]


def test_what_takes_a_mask_is_known_by_its_argument():
    assert takes_mask(lambda x, mask: x)
    assert takes_mask(LinearEquivariant(1, 1))
    assert not takes_mask(nn.ReLU())
    assert not takes_mask(torch.relu)
    assert not takes_mask(1)


def test_no_mask_is_not_passed_on():
    assert call(torch.relu, torch.tensor([-1.0]), None).item() == 0


@pytest.mark.parametrize("rest", [(2,), (2, 3)])
def test_the_mean_over_the_members_is_that_of_each_set_and_0_for_none(rest):
    sets = [torch.randn(size, *rest, dtype=torch.float64) for size in padding.SIZES]
    x, mask = padding.padded(sets, N, garbage=0.0)
    for members, mean in zip(sets, member_mean(x, mask), strict=True):
        expected = members.mean(0) if len(members) else torch.zeros(rest, dtype=torch.float64)
        torch.testing.assert_close(mean, expected)
    torch.testing.assert_close(member_mean(x, None), x.mean(1))
    assert member_mean(x[:0], mask[:0]).shape == (0, *rest)
