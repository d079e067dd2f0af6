import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from invariant_nets import (
    OrbitInvariant,
    OrbitLinear,
    SymmetricElements,
    SymmetricElementsInvariant,
    cyclic_elements,
    cyclic_group,
    dihedral_group,
    direct_product,
    symmetric_group,
    test_invariant,
)
from tests.catalogue import shuffle_parameters
from tests.contracts.padding import SIZES, padded

every_pooling = pytest.mark.parametrize("pooling", ["mean", "sum"])
GROUPS = {"C": cyclic_group, "D": dihedral_group, "S": symmetric_group}
sizes = {
    "batch": st.integers(1, 2),
    "n": st.integers(1, 4),
    "t": st.integers(3, 5),
    "seed": st.integers(0, 2**32 - 1),
}


def orbit_layer(group, pooling="mean", channels=2, out=3, **options):
    element, shared = (OrbitLinear(group, channels, out, **options) for _ in "ab")
    return SymmetricElements(element, shared, pooling)


def orbit_readout(group, pooling="mean", channels=2, out=3, **options):
    return SymmetricElementsInvariant(OrbitInvariant(group, channels, out, **options), pooling)


def drawn(layer, shape, seed):
    source = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=source, dtype=torch.float64)
    mask = torch.rand(shape[:2], generator=source) < 0.6
    return shuffle_parameters(layer.double(), seed), x, mask


def pool_by_loops(x, mask, pooling):
    members = [x[i] for i in range(len(x)) if mask[i]]
    total = sum(members, torch.zeros_like(x[0]))
    return total / len(members) if members and pooling == "mean" else total


def by_loops(layer, x, mask):
    """One sample at a time: each element on its own, and the pool of the members."""
    samples = []
    for sample, members in zip(x, mask, strict=True):
        shared = layer.shared(pool_by_loops(sample, members, layer.pooling)[None])[0]
        rows = [layer.element(row[None])[0] + shared for row in sample]
        zero = torch.zeros_like(rows[0])
        placed = [row if m else zero for row, m in zip(rows, members, strict=True)]
        samples.append(torch.stack(placed))
    return torch.stack(samples)


@every_pooling
@given(**sizes)
def test_it_is_its_formula(pooling, batch, n, t, seed):
    layer, x, mask = drawn(orbit_layer(cyclic_group(t), pooling), (batch, n, t, 2), seed)
    torch.testing.assert_close(layer(x), by_loops(layer, x, torch.ones_like(mask)))
    torch.testing.assert_close(layer(x, mask), by_loops(layer, x, mask))


@every_pooling
@given(**sizes)
def test_the_readout_is_its_formula(pooling, batch, n, t, seed):
    layer, x, mask = drawn(orbit_readout(cyclic_group(t), pooling), (batch, n, t, 2), seed)
    for members in (torch.ones_like(mask), mask):
        pools = [pool_by_loops(*sample, pooling) for sample in zip(x, members, strict=True)]
        expected = torch.cat([layer.shared(pool[None]) for pool in pools])
        torch.testing.assert_close(layer(x, members), expected)
    torch.testing.assert_close(layer(x), layer(x, torch.ones_like(mask)))


@every_pooling
@pytest.mark.parametrize("name", GROUPS)
@given(**sizes)
def test_rows_in_another_order_and_elements_moved_alike_commute(pooling, name, batch, n, t, seed):
    group = GROUPS[name](t)
    layer, x, mask = drawn(orbit_layer(group, pooling), (batch, n, t, 2), seed)
    readout, *_ = drawn(orbit_readout(group, pooling), (1, 1, t, 2), seed)
    rows = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    for members, order in ((None, None), (mask, mask[:, rows])):
        y, z = layer(x, members)[:, rows], readout(x, members)
        for h in group.generators:
            moved = x[:, rows][:, :, h.index_tensor]
            torch.testing.assert_close(layer(moved, order), y[:, :, h.index_tensor])
            torch.testing.assert_close(readout(moved, order), z)


def test_elements_moved_apart_or_by_another_group_do_not_commute():
    layer, x, _ = drawn(orbit_layer(cyclic_group(5)), (2, 3, 5, 2), seed=0)
    apart = x.clone()
    apart[:, 0] = x[:, 0].roll(1, 1)
    expected = layer(x)
    expected[:, 0] = expected[:, 0].roll(1, 1)
    for moved, wanted in ((apart, expected), (x.flip(2), layer(x).flip(2))):
        with pytest.raises(AssertionError):
            torch.testing.assert_close(layer(moved), wanted)


def test_a_module_that_is_not_equivariant_is_caught():
    mixing = nn.Sequential(nn.Flatten(), nn.Linear(10, 15), nn.Unflatten(1, (5, 3)))
    broken = SymmetricElements(OrbitLinear(cyclic_group(5), 2, 3), mixing)
    layer, x, _ = drawn(broken, (2, 3, 5, 2), seed=0)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(layer(x.roll(1, 2)), layer(x).roll(1, 2))


@every_pooling
@pytest.mark.parametrize(("n", "t"), [(2, 3), (4, 5)])
def test_it_is_the_whole_space_that_the_product_of_the_groups_gives(pooling, n, t):
    group = direct_product(symmetric_group(n), cyclic_group(t), on="grid")
    layer, x, _ = drawn(orbit_layer(cyclic_group(t), pooling), (2, n, t, 2), seed=0)
    orbits = OrbitLinear(group, 2, 3, bias=False).double()
    # Two weights an orbital of H: as many as the product has.
    assert len(orbits.weight) == len(layer.element.weight) + len(layer.shared.weight)
    # A layer of the class, read off entry by entry, must be constant on the product's orbitals.
    zero, weight = layer(torch.zeros_like(x)).detach(), torch.zeros_like(orbits.weight)
    units = torch.eye(n * t, dtype=torch.float64).view(n * t, n, t)
    for channel in range(2):
        basis = torch.zeros(n * t, n, t, 2, dtype=torch.float64)
        basis[..., channel] = units
        columns = (layer(basis) - zero[:1]).flatten(1, 2).transpose(0, 1)
        for r in range(len(weight)):
            entries = columns[orbits.ids == r]
            torch.testing.assert_close(entries, entries[:1].expand_as(entries))
            weight[r, channel] = entries[0].detach()
    orbits.weight = weight
    y = orbits(x.flatten(1, 2)).view(2, n, t, 3)
    torch.testing.assert_close(layer(x) - zero, y)


@every_pooling
def test_it_takes_convolutions(pooling):
    convolutions = [nn.Conv1d(2, 3, 3, padding=1, padding_mode="circular") for _ in "ab"]
    layer, x, mask = drawn(SymmetricElements(*convolutions, pooling), (2, 4, 2, 7), seed=0)
    assert layer(x).shape == (2, 4, 3, 7)
    torch.testing.assert_close(layer(x, mask), by_loops(layer, x, mask))
    moved = layer(x.flip(1).roll(3, 3), mask.flip(1))
    torch.testing.assert_close(moved, layer(x, mask).flip(1).roll(3, 3))
    straight = [nn.Conv1d(2, 3, 3, padding=1) for _ in "ab"]
    layer, *_ = drawn(SymmetricElements(*straight, pooling), (2, 4, 2, 7), seed=0)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(layer(x.roll(3, 3)), layer(x).roll(3, 3))


def test_elements_may_be_images():
    layer = SymmetricElements(nn.Conv2d(1, 2, 3), nn.Conv2d(1, 2, 3))
    assert layer(torch.randn(2, 5, 1, 8, 9)).shape == (2, 5, 2, 6, 7)


def test_padded_elements_of_any_shape_go_out_as_zero():
    layer = SymmetricElements(nn.Conv2d(1, 2, 3), nn.Conv2d(1, 2, 3)).double()
    sets = [torch.randn(size, 1, 4, 5, dtype=torch.float64) for size in SIZES]
    x, mask = padded(sets, 6)
    y = layer(x, mask)
    assert y.isfinite().all()
    assert not y[~mask].any()
    for k, members in enumerate(sets):
        if len(members):
            torch.testing.assert_close(y[k][mask[k]], layer(members[None])[0])


@every_pooling
def test_the_network_is_invariant_to_its_group_and_to_no_larger_one(pooling):
    torch.manual_seed(0)
    network, x = cyclic_elements(4, 5, pooling=pooling).double(), torch.randn(8, 4, 5).double()
    claim = direct_product(symmetric_group(4), cyclic_group(5), on="grid")
    flips = direct_product(symmetric_group(4), dihedral_group(5), on="grid")
    assert test_invariant(network, x, claim)
    assert not test_invariant(network, x, flips)
    apart = x.clone()
    apart[:, 0] = x[:, 0].roll(1, 1)
    assert (network(apart) - network(x)).abs().max() > 1e-3


def test_each_part_of_a_signal_starts_at_twice_its_mean_square():
    torch.manual_seed(0)
    (layer,) = (m for m in cyclic_elements(10, 6, hidden=(4000,)) if hasattr(m, "element"))
    x = torch.randn(8, 10, 6, 1)
    with torch.no_grad():
        y = layer(x)
    means = x.mean(1, keepdim=True), y.mean(1, keepdim=True)
    assert (means[1].square().mean() / means[0].square().mean()).item() == pytest.approx(2, rel=0.1)
    rest = (y - means[1]).square().mean() / (x - means[0]).square().mean()
    assert rest.item() == pytest.approx(2, rel=0.1)


def test_a_deep_network_keeps_the_scale_of_its_signal():
    torch.manual_seed(0)
    network, x = cyclic_elements(10, 6, hidden=(64,) * 8), torch.randn(64, 10, 6)
    y = network[:-1](x)
    assert 0.3 < y.square().mean() / x.square().mean() < 3
    slopes = torch.autograd.grad(network(x).square().mean(), list(network.parameters()))
    assert all(slope.abs().max() > 1e-5 for slope in slopes)


def test_bad_arguments_are_refused():
    group = cyclic_group(5)
    with pytest.raises(TypeError, match=r"element must be an nn\.Module, got 'conv'"):
        SymmetricElements("conv", nn.Identity())
    with pytest.raises(TypeError, match=r"shared must be an nn\.Module, got None"):
        SymmetricElements(nn.Identity(), None)
    with pytest.raises(TypeError, match=r"shared must be an nn\.Module, got None"):
        SymmetricElementsInvariant(None)
    for make in (orbit_layer, orbit_readout):
        with pytest.raises(ValueError, match="pooling must be one of 'mean', 'sum', got 'max'"):
            make(group, "max")


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ((4, 5), {"hidden": ()}, r"hidden must hold at least one width, got \(\)"),
        ((4, 5), {"hidden": (3, 0)}, r"hidden\[1\] must be at least 1, got 0"),
        ((4, 5), {"pooling": "max"}, "pooling must be one of 'mean', 'sum', got 'max'"),
    ],
)
def test_bad_options_of_the_network_are_refused(arguments, options, words):
    with pytest.raises(ValueError, match=words):
        cyclic_elements(*arguments, **options)


def test_they_show_their_arguments():
    assert "pooling='sum'" in repr(orbit_layer(cyclic_group(3), "sum"))
    assert "pooling='mean'" in repr(orbit_readout(cyclic_group(3)))
