import math

import pytest
import torch

from invariant_nets import random_shapes
from invariant_nets.data.shapes import SURFACES, TUBE, _Draws, _rotations
from tests.defaults import other_default

NAMES = ("sphere", "cube", "torus", "cylinder", "cone", "tetrahedron")
SOURCE = torch.Generator().manual_seed(0)
# What each surface was divided by, so that its mean square distance is 1.
SIDE = math.sqrt(5) / (math.sqrt(5) + 1)
SIZES = {
    "sphere": 1.0,
    "cube": math.sqrt(5 / 3),
    "torus": math.sqrt(1 + 2 * TUBE**2),
    "cylinder": math.sqrt(25 / 18),
    "cone": math.sqrt(1 / 2 + SIDE * 2 / 3 - (SIDE * 2 / 3) ** 2),
    "tetrahedron": 1.0,
}
CORNERS = torch.tensor([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]).double()


def drawn(name, points=60_000):
    draw = _Draws(torch.Generator().manual_seed(1))
    return SURFACES[name](draw, 1, points)[0] * SIZES[name]


def distance(name, p):
    """How far points are from a surface: 0 on it."""
    x, y, z = p.unbind(1)
    r = (x**2 + y**2).sqrt()
    if name == "sphere":
        return p.norm(dim=1) - 1
    if name == "cube":
        return p.abs().amax(1) - 1
    if name == "torus":
        return ((r - 1) ** 2 + z**2).sqrt() - TUBE
    if name == "cylinder":
        return torch.maximum(r, z.abs()) - 1
    if name == "cone":
        height = z + SIDE * 2 / 3
        return torch.maximum(r + height / 2 - 1, -height)
    return (-p @ CORNERS.T).amax(1) - 1  # a face is opposite to each corner


@pytest.mark.parametrize("name", NAMES)
def test_points_lie_on_their_surface(name):
    p = drawn(name)
    assert distance(name, p).abs().max() < 1e-12
    assert distance(name, p * 1.01).abs().max() > 1e-3  # and would not elsewhere


@pytest.mark.parametrize("name", NAMES)
def test_surfaces_have_their_mean_at_0_and_the_mean_square_1(name):
    p = drawn(name) / SIZES[name]
    assert p.mean(0).abs().max() < 4 / math.sqrt(len(p))
    assert (
        abs(p.square().sum(1).mean() - 1) < 4 * p.square().sum(1).std() / math.sqrt(len(p)) + 1e-9
    )


def share(mask, expected):
    """Asserts that a share of the points is what its area says, by five standard errors."""
    found = mask.double().mean().item()
    assert abs(found - expected) < 5 * math.sqrt(expected * (1 - expected) / len(mask)), found


def test_points_are_uniform_by_area():
    x, y, z = drawn("sphere").unbind(1)
    for low in (-1.0, -0.5, 0.0, 0.5):  # slices of one height have one area
        share((z >= low) & (z < low + 0.5), 0.25)
    share((x > 0) & (y > 0) & (z > 0), 1 / 8)

    cube = drawn("cube")
    for axis in range(3):
        for side in (-1, 1):
            face = (cube[:, axis] - side).abs() < 1e-12
            share(face, 1 / 6)
            share(face & (cube[:, (axis + 1) % 3] > 0.5), 1 / 24)

    x, y, z = drawn("torus").unbind(1)
    ring = (x**2 + y**2).sqrt()
    share(ring > 1, 0.5 + TUBE / math.pi)  # the outer half has more area
    share(z > 0, 0.5)
    share((ring > 1) & (x > 0), (0.5 + TUBE / math.pi) / 2)
    theta = torch.atan2(z, ring - 1)
    share(theta.abs() < math.pi / 4, 1 / 4 + TUBE * math.sin(math.pi / 4) / math.pi)

    x, y, z = drawn("cylinder").unbind(1)
    radius = (x**2 + y**2).sqrt()
    top, bottom = (z - 1).abs() < 1e-12, (z + 1).abs() < 1e-12
    share(top, 1 / 6)
    share(bottom, 1 / 6)
    share(top & (radius < 0.5), 1 / 24)
    share(~top & ~bottom & (z > 0.5), 4 / 6 / 4)

    x, y, z = drawn("cone").unbind(1)
    height = z + SIDE * 2 / 3
    base = height < 1e-12
    share(base, 1 - SIDE)
    share(base & ((x**2 + y**2) < 0.25), (1 - SIDE) / 4)
    share(height > 1, SIDE / 4)  # the upper half of the side
    share(~base & (y > 0), SIDE / 2)

    p = drawn("tetrahedron")
    for corner in CORNERS:
        face = (p @ corner + 1).abs() < 1e-9
        share(face, 1 / 4)
    # Near each corner of a face is a triangle a quarter as large.
    share(p @ CORNERS[0] > 1, 3 / 4 / 4)


def test_rotations_are_rotations_and_uniform():
    R = _rotations(_Draws(torch.Generator().manual_seed(2)), 20_000)
    eye = torch.eye(3, dtype=torch.float64)
    torch.testing.assert_close(R @ R.mT, eye.expand_as(R), rtol=0, atol=1e-12)
    torch.testing.assert_close(torch.linalg.det(R), torch.ones(len(R)).double())
    # By the Haar measure every column is uniform on the sphere, and the trace is 1 + 2 cos of an
    # angle of density (1 − cos) / π, so its mean is 0 and its mean square 1.
    for column in R.unbind(2):
        assert column.mean(0).abs().max() < 5 / math.sqrt(3 * len(R))
        share(column[:, 2] > 0.5, 0.25)
    trace = R.diagonal(dim1=1, dim2=2).sum(1)
    assert abs(trace.mean()) < 5 / math.sqrt(len(R))
    assert abs(trace.square().mean() - 1) < 5 * math.sqrt(2 / len(R))


def test_turning_changes_no_distances():
    upright = random_shapes(12, 40, seed=4, noise=0, rotated=False)
    turned = random_shapes(12, 40, seed=4, noise=0)
    assert torch.equal(upright.y, turned.y)
    before, after = (sets.x.double() for sets in (upright, turned))
    torch.testing.assert_close(before @ before.mT, after @ after.mT, rtol=0, atol=1e-6)
    assert (upright.x - turned.x).abs().amax((1, 2)).min() > 0.1
    for x, label in zip(upright.x.double(), upright.y.tolist(), strict=True):
        name = upright.class_names[label]
        assert distance(name, x * SIZES[name]).abs().max() < 1e-6


def test_noise_has_its_size():
    plain, noisy = (random_shapes(60, 200, noise=noise) for noise in (0, 0.1))
    error = noisy.x - plain.x
    assert abs(error.std() - 0.1) < 0.002
    assert abs(error.mean()) < 0.002


def test_every_solid_comes_equally_often_and_in_random_order():
    sets = random_shapes(100, 5)
    assert sets.class_names == NAMES == tuple(SURFACES)
    assert sorted(sets.counts) == [16, 16, 17, 17, 17, 17]
    assert sets.y[:12].tolist() != sorted(sets.y[:12].tolist())
    assert random_shapes(1, 1).x.shape == (1, 1, 3)
    assert random_shapes(2, 1).num_classes == 6


def test_a_seed_gives_the_same_clouds():
    first = random_shapes(8, 9, seed=7)
    state = torch.get_rng_state()
    assert torch.equal(first.x, random_shapes(8, 9, seed=7).x)
    assert torch.equal(state, torch.get_rng_state())
    assert not torch.equal(first.x, random_shapes(8, 9, seed=8).x)
    for default in ("dtype", "device"):
        with other_default(default):
            again = random_shapes(8, 9, seed=7)
        assert torch.equal(first.x, again.x)
        assert torch.equal(first.y, again.y)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"count": 0}, ValueError, "count must be at least 1, got 0"),
        ({"points": 0}, ValueError, "points must be at least 1, got 0"),
        ({"points": 1.5}, TypeError, "points must be an integer"),
        ({"noise": -0.1}, ValueError, "noise must be at least 0 and finite, got -0.1"),
        ({"noise": math.nan}, ValueError, "noise must be at least 0 and finite, got nan"),
        ({"noise": "low"}, TypeError, "noise must be a number, got 'low'"),
        ({"rotated": "yes"}, TypeError, "rotated must be True or False, got 'yes'"),
        ({"seed": -1}, ValueError, "seed must be at least 0"),
    ],
)
def test_what_are_no_clouds_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        random_shapes(**{"count": 4, "points": 4, **arguments})
