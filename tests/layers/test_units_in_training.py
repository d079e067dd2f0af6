"""By its units a layer trains at the usual rate, and at every width alike."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from invariant_nets import (
    LinearEquivariant,
    LinearInvariant,
    OrbitLinear,
    intrinsic,
    symmetric_group,
)
from tests import oracles

DOUBLE = {"dtype": torch.float64}
UNIT = oracles.unit("mean")


def coefficients(layer):
    names = "abc" if isinstance(layer, LinearEquivariant) else "bc"
    return [getattr(layer, name).detach().clone() for name in names]


def plainly(x, a, b, c, last_b, last_c):
    """An equivariant layer, ReLU and the invariant one as the formula has them."""
    d, width = a.shape
    hidden = (x @ a + x.mean(1, keepdim=True) @ b + c.sum(0)) / d
    return (hidden.clamp(min=0).mean(1) @ last_b + last_c.sum(0)) / width


def steps_of_adam(function, parameters, rate, steps=20):
    optimizer = torch.optim.Adam(parameters, lr=rate, eps=1e-30)
    source = torch.Generator().manual_seed(0)
    for _ in range(steps):
        x, y = (torch.randn(16, *s, generator=source, **DOUBLE) for s in ((4, 3), (1,)))
        optimizer.zero_grad()
        F.mse_loss(function(x), y).backward()
        optimizer.step()


@pytest.mark.parametrize(("factor", "agree"), [(UNIT, True), (1.0, False)])
def test_a_step_is_one_of_eight_times_the_rate_on_the_coefficients_themselves(factor, agree):
    torch.manual_seed(0)
    first, last = LinearEquivariant(3, 6, **DOUBLE), LinearInvariant(6, 1, **DOUBLE)
    network = nn.Sequential(first, nn.ReLU(), last)
    plain = [v.requires_grad_() for layer in (first, last) for v in coefficients(layer)]
    steps_of_adam(network, network.parameters(), 1e-3)
    steps_of_adam(lambda x: plainly(x, *plain), plain, factor * 1e-3)
    got = [v for layer in (first, last) for v in coefficients(layer)]
    off = max((one - other).abs().max().item() for one, other in zip(got, plain, strict=True))
    assert off < 1e-9 if agree else off > 1e-3


def changes(width, normalization, seed):
    """How much a step changes the signal before the last layer and the logits, relatively."""
    torch.manual_seed(seed)
    network = intrinsic(10, 5, hidden=(width, width), normalization=normalization)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    x, labels = torch.randn(64, 10, 5), torch.randint(2, (64, 1)).float()
    cuts = network[:3], network
    before = [cut(x) for cut in cuts]
    F.binary_cross_entropy_with_logits(before[-1], labels).backward()
    optimizer.step()
    with torch.no_grad():
        return torch.stack(
            [(cut(x) - y).norm() / y.norm() for cut, y in zip(cuts, before, strict=True)]
        )


def growth(normalization):
    """How many times more a step changes them at 512 channels than at 32."""
    wide, narrow = (sum(changes(w, normalization, seed) for seed in range(5)) for w in (512, 32))
    return (wide / narrow).tolist()


def test_a_step_changes_what_is_hidden_as_much_at_every_width():
    hidden, logits = growth("mean")
    assert 1 / 1.5 < hidden < 1.5
    # A readout starts with signs and a length of 1: what all channels do it has √width times.
    assert logits < 2 * (512 / 32) ** 0.5
    assert min(growth("sum")) > 8


@pytest.mark.parametrize("n", [5, 50])
def test_a_step_changes_the_orbit_layer_as_much_as_the_averaged_one(n):
    torch.manual_seed(0)
    averaged, orbits = LinearEquivariant(4, 3), OrbitLinear(symmetric_group(n), 4, 3)
    with torch.no_grad():
        orbits.weight = torch.stack((averaged.a + averaged.b / n, averaged.b / n)) / 4
        orbits.bias = averaged.c.sum(0, keepdim=True) / 4
    x, y = torch.randn(32, n, 4), torch.randn(32, n, 3)
    torch.testing.assert_close(orbits(x), averaged(x))
    changed = []
    for layer in (averaged, orbits):
        optimizer, before = torch.optim.Adam(layer.parameters(), lr=1e-3), layer(x)
        F.mse_loss(before, y).backward()
        optimizer.step()
        changed.append((layer(x) - before).norm().item())
    assert 0.5 < changed[1] / changed[0] < 2


def accuracy(rate, seed):
    """The accuracy after 2,000 steps of 32 fresh sets, of 20,000 others."""
    torch.manual_seed(seed)
    network, deviations = intrinsic(10, 5), torch.tensor([1.0, 0.8]).sqrt()
    optimizer = torch.optim.Adam(network.parameters(), lr=rate)

    def sets(count):
        labels = torch.randint(2, (count, 1))
        return torch.randn(count, 10, 5) * deviations[labels][..., None], labels.float()

    for _ in range(2000):
        x, labels = sets(32)
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(network(x), labels).backward()
        optimizer.step()
    x, labels = sets(20_000)
    with torch.no_grad():
        return ((network(x) > 0) == (labels > 0)).float().mean().item()


@pytest.mark.slow
def test_the_usual_rate_trains_and_without_units_it_would_not_yet():
    in_units, in_ones = (
        sum(accuracy(rate, seed) for seed in range(3)) / 3 for rate in (1e-3, 1e-3 / UNIT)
    )
    assert in_units > 0.68
    assert in_ones < in_units - 0.02
