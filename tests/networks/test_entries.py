import math

import pytest
import torch
from torch import nn

from invariant_nets import (
    LinearEquivariant,
    entrywise,
    intrinsic,
    radial,
    symmetric_group,
    test_invariant,
)
from invariant_nets.networks.entries import EntriesAsMembers, SumOfSquares

both = pytest.mark.parametrize("build", [entrywise, radial])


def shuffled(build, n=4, d=3):
    """A network in float64 whose biases are not 0, and some sets for it."""
    torch.manual_seed(1)
    network = build(n, d).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return network, torch.randn(64, n, d, dtype=torch.float64)


def turned(x, seed):
    """The sets as vectors of all their entries, rotated or reflected."""
    source = torch.Generator().manual_seed(seed)
    size = x[0].numel()
    matrix = torch.randn(size, size, generator=source, dtype=x.dtype)
    orthogonal, _ = torch.linalg.qr(matrix)
    return (x.flatten(1) @ orthogonal).view_as(x)


@both
def test_every_permutation_of_the_entries_is_forgotten(build):
    network, x = shuffled(build)
    report = test_invariant(
        lambda entries: network(entries.view(64, 4, 3)), x.view(64, 12, 1), symmetric_group(12)
    )
    assert report
    assert report.relative_error < 1e-12


def test_every_rotation_is_forgotten():
    network, x = shuffled(radial)
    for seed in range(5):
        torch.testing.assert_close(network(turned(x, seed)), network(x))


def test_the_network_of_entries_sees_a_rotation():
    network, x = shuffled(entrywise)
    for seed in range(5):
        assert (network(turned(x, seed)) - network(x)).abs().max() > 0.1 * network(x).std()


def test_a_network_that_sees_the_norm_of_every_row_is_not_radial():
    x = torch.randn(8, 4, 3, dtype=torch.float64)
    rows = x.square().sum(2).amax(1)
    assert (turned(x, 0).square().sum(2).amax(1) - rows).abs().max() > 0.1


def test_the_network_of_entries_is_the_network_of_sets_on_them():
    torch.manual_seed(0)
    network = entrywise(4, 3, hidden=(6, 5), normalization="sum", pooling="sum")
    torch.manual_seed(0)
    same = intrinsic(12, 1, hidden=(6, 5), normalization="sum", pooling="sum")
    x = torch.randn(8, 4, 3)
    torch.testing.assert_close(network(x), same(x.view(8, 12, 1)))
    layers = [m for m in entrywise(4, 3).modules() if isinstance(m, LinearEquivariant)]
    assert [(m.in_channels, m.out_channels) for m in layers] == [(1, 16), (16, 16)]


def test_the_sum_of_squares_is_standardized_with_the_number_of_entries():
    x = torch.randn(5, 4, 3, dtype=torch.float64)
    for members, z in zip(x, SumOfSquares()(x), strict=True):
        total = sum(entry.item() ** 2 for entry in members.flatten())
        assert z.item() == pytest.approx((total - 12) / math.sqrt(24))
    many = SumOfSquares()(torch.randn(20_000, 4, 3, generator=torch.Generator().manual_seed(0)))
    assert many.mean().item() == pytest.approx(0, abs=0.05)
    assert many.std().item() == pytest.approx(1, abs=0.05)


def test_an_empty_set_gives_the_constant_of_the_readout():
    nobody = torch.zeros(1, 4, dtype=torch.bool)
    network, x = shuffled(radial)
    torch.testing.assert_close(network(x[:1], mask=nobody)[0], network[-1].bias)
    network, x = shuffled(entrywise)
    readout = network[0].network[-1]
    torch.testing.assert_close(network(x[:1], mask=nobody)[0], readout.c.mean(0))


def test_bad_options_of_the_network_of_entries_are_refused():
    with pytest.raises(ValueError, match=r"hidden must hold at least one width, got \(\)"):
        entrywise(10, 5, hidden=())
    with pytest.raises(ValueError, match=r"normalization must be one of .* got 'max'"):
        entrywise(10, 5, normalization="max")
    with pytest.raises(TypeError, match=r"network must be an nn\.Module, got 3"):
        EntriesAsMembers(3)


def test_a_network_that_takes_no_mask_is_given_none():
    network = EntriesAsMembers(nn.Flatten())
    x = torch.randn(2, 4, 3)
    assert torch.equal(network(x), x.flatten(1))
    with pytest.raises(TypeError, match="model must take a mask"):
        network(x, mask=torch.ones(2, 4, dtype=torch.bool))


def test_logistic_regression_on_the_sum_learns_the_task_within_seconds():
    torch.manual_seed(0)
    network = radial(10, 5)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-2)
    for _ in range(200):
        labels = torch.randint(2, (128, 1)).float()
        x = torch.randn(128, 10, 5) * torch.where(labels == 0, 1.0, 0.6)[..., None]
        loss = nn.functional.binary_cross_entropy_with_logits(network(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < math.log(2) / 2


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32], ids=str)
def test_a_mask_of_members_only_changes_nothing_in_any_precision(dtype):
    x = torch.randn(3, 1000, 5, generator=torch.Generator().manual_seed(0)).to(dtype)
    mask = torch.ones(3, 1000, dtype=torch.bool)
    assert torch.equal(SumOfSquares()(x), SumOfSquares()(x, mask=mask))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32], ids=str)
def test_large_sums_do_not_cancel(dtype):
    x = torch.randn(2, 30_000, 5, generator=torch.Generator().manual_seed(0)).to(dtype)
    expected = SumOfSquares()(x.double())
    rounding = torch.finfo(dtype).eps
    torch.testing.assert_close(SumOfSquares()(x).double(), expected, rtol=4 * rounding, atol=1e-5)
