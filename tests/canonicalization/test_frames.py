import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from invariant_nets import CircleFrame, DirectionFrame
from invariant_nets.canonicalization import frames

tied = hnp.arrays(
    "float64",
    st.tuples(st.integers(0, 3), st.integers(1, 5), st.just(2)),
    elements=st.sampled_from([-1.5, 0.0, 1.0, 2.0]),
).map(torch.from_numpy)
FRAMES = [CircleFrame(), DirectionFrame(2, 7)]
every_frame = pytest.mark.parametrize("frame", FRAMES, ids=lambda f: type(f).__name__)


def along(x, direction):
    """The rows of one set, sorted by their product with a direction."""
    heights = [sum(a * b for a, b in zip(row, direction, strict=True)) for row in x.tolist()]
    return tuple(sorted(range(len(heights)), key=heights.__getitem__))


def weight_of_each_order(frame, x):
    orders, weights = frame(x[None])
    total = {}
    for order, weight in zip(orders[0].tolist(), weights[0].tolist(), strict=True):
        total[tuple(order)] = total.get(tuple(order), 0) + weight
    return total


@every_frame
@given(x=tied)
def test_orders_are_permutations_and_weights_are_shares(frame, x):
    orders, weights = frame(x)
    n = x.shape[1]
    assert torch.equal(orders.sort(-1).values, torch.arange(n).expand_as(orders))
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(1), torch.ones_like(weights[:, 0]))


@pytest.mark.parametrize("n", [2, 3, 5])
def test_the_circle_gives_every_order_its_share_of_the_directions(n):
    x = torch.randn(n, 2, generator=torch.Generator().manual_seed(n), dtype=torch.float64)
    found = weight_of_each_order(CircleFrame(), x)
    steps = 20_000
    counted = {}
    for k in range(steps):
        angle = 2 * math.pi * (k + 0.5) / steps
        order = along(x, (math.cos(angle), math.sin(angle)))
        counted[order] = counted.get(order, 0) + 1 / steps
    assert found.keys() == counted.keys()
    for order, weight in found.items():
        assert weight == pytest.approx(counted[order], abs=2 / steps)


def test_a_square_has_eight_arcs():
    square = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    weights = [w for w in weight_of_each_order(CircleFrame(), square).values() if w > 1e-9]
    assert weights == pytest.approx([1 / 8] * 8)


def test_one_point_has_one_order():
    orders, weights = CircleFrame()(torch.randn(3, 1, 2))
    assert orders.tolist() == [[[0]]] * 3
    assert weights.tolist() == [[1.0]] * 3


@pytest.mark.parametrize("d", [1, 2, 4])
def test_directions_weigh_as_much_as_the_smallest_gap_that_they_leave(d):
    frame = DirectionFrame(d, 6).double()
    x = torch.randn(5, d, generator=torch.Generator().manual_seed(d), dtype=torch.float64)
    x[3] = x[1]
    gaps = []
    for direction in frame.directions.tolist():
        heights = [sum(a * b for a, b in zip(row, direction, strict=True)) for row in x.tolist()]
        pairs = [(i, j) for i, j in itertools.combinations(range(5), 2) if (i, j) != (1, 3)]
        gaps.append(min(abs(heights[i] - heights[j]) for i, j in pairs))
    orders, weights = frame(x[None])
    assert weights[0].tolist() == pytest.approx([gap / sum(gaps) for gap in gaps])
    for order, direction in zip(orders[0], frame.directions, strict=True):
        heights = x[order] @ direction
        assert (heights.diff() >= -1e-12).all()


def test_a_direction_along_which_two_rows_tie_weighs_nothing():
    frame = DirectionFrame(2, 3).double()
    a, b = frame.directions[1].tolist()
    x = torch.tensor([[[0.0, 0.0], [-b, a], [3.0, 1.0]]], dtype=torch.float64)
    weights = frame(x).weights[0]
    assert weights[1] < 1e-12
    assert (weights[[0, 2]] > 0.01).all()


def test_if_every_direction_ties_all_weigh_the_same():
    frame = DirectionFrame(2, 2).double()
    frame.directions = torch.tensor([[1.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
    x = torch.tensor([[[0.0, 0.0], [0.0, 1.0]]], dtype=torch.float64)
    assert frame(x).weights.tolist() == [[0.5, 0.5]]


@every_frame
def test_equal_rows_alone_weigh_all_orders_alike(frame):
    weights = frame(torch.ones(1, 4, 2)).weights[0]
    assert weights.isfinite().all()
    assert weights.sum().item() == pytest.approx(1)


@every_frame
def test_the_weighted_sets_are_the_same_for_every_order_of_the_rows(frame):
    x = torch.randn(1, 4, 2)

    def weighted_sets(x):
        orders, weights = frame(x)
        return x[0, orders[0]], weights

    expected = weighted_sets(x)
    for order in itertools.permutations(range(4)):
        found = weighted_sets(x[:, list(order)])
        assert all(map(torch.equal, found, expected))


def test_the_directions_follow_the_seed_and_are_unit_vectors():
    first, second, other = (DirectionFrame(3, 5, seed=s).directions for s in (0, 0, 1))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    torch.testing.assert_close(first.norm(dim=1), torch.ones(5))


def test_drawing_directions_leaves_the_global_random_state_alone():
    before = torch.get_rng_state()
    DirectionFrame(3, 5)
    assert torch.equal(torch.get_rng_state(), before)


@every_frame
def test_weights_are_differentiable_also_at_ties(frame):
    x = torch.tensor([[[0.0, 0.0], [0.0, 0.0], [1.0, 2.0], [3.0, 1.0]]], requires_grad=True)
    (frame(x).weights ** 2).sum().backward()
    assert x.grad.isfinite().all()


def test_the_gradient_of_the_weights_is_right():
    x = torch.randn(1, 4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    x.requires_grad_()
    for frame in (CircleFrame(), DirectionFrame(2, 5).double()):
        assert torch.autograd.gradcheck(lambda x, frame=frame: frame(x).weights, (x,))


@every_frame
def test_whole_numbers_are_taken_as_they_are(frame):
    x = torch.tensor([[[0, 0], [1, 3], [2, 1]]])
    first, second = frame(x), frame(x.float())
    assert torch.equal(first.orders, second.orders)
    assert torch.equal(first.weights, second.weights)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [((0, 5), "d must be at least 1"), ((2, 0), "num_directions must be at least 1")],
)
def test_directions_need_a_dimension_and_a_number(arguments, words):
    with pytest.raises(ValueError, match=words):
        DirectionFrame(*arguments)


@every_frame
@pytest.mark.parametrize("shape", [(3, 2), (2, 4, 3), (2, 0, 2)])
def test_sets_of_another_shape_are_refused(frame, shape):
    with pytest.raises(ValueError, match="x must"):
        frame(torch.zeros(shape))


def test_many_sorts_are_told(monkeypatch):
    monkeypatch.setattr(frames, "_MANY_ENTRIES", 4 * 6 * 30)
    frame = CircleFrame()
    assert frame(torch.randn(4, 6, 2)).orders.shape == (4, 30, 6)
    with pytest.warns(
        UserWarning, match=r"n\(n−1\) = 30 sorts of each of 5 sets: .*DirectionFrame"
    ):
        frame(torch.randn(5, 6, 2))
