import functools
import itertools
import math
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import nn

from invariant_nets import (
    CanonicalModel,
    CircleFrame,
    DirectionFrame,
    LearnedOrder,
    Permutation,
    WeightedOrders,
    columnwise_sort,
    cyclic_group,
    direct_product,
    least_rotation,
    lexicographic_sort,
    mlp,
    row_column_sort,
    symmetric_group,
    test_equivariant,
    test_invariant,
)
from tests import oracles
from tests.contracts import padding

SORTS = [lexicographic_sort, columnwise_sort]


def test_the_model_sees_the_sorted_rows():
    x = torch.randn(4, 5, 2)
    assert torch.equal(CanonicalModel(nn.Identity())(x), oracles.sorted_rows(x))


def test_the_model_sees_the_sorted_columns_on_request():
    x = torch.randn(4, 5, 2)
    assert torch.equal(CanonicalModel(nn.Identity(), columnwise_sort)(x), oracles.sorted_columns(x))


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("ties", [False, True])
def test_a_canonical_model_is_invariant_to_the_last_bit(sort, ties):
    x = torch.randint(0, 2, (20, 4, 3)).float() if ties else torch.randn(20, 4, 3)
    model = CanonicalModel(mlp(4, 3), sort)
    for order in itertools.permutations(range(4)):
        assert torch.equal(model(x[:, list(order)]), model(x))


def test_it_takes_any_canonicalization():
    model = CanonicalModel(nn.Identity(), canonicalization=lambda x: x - x)
    assert not model(torch.randn(2, 3, 4)).any()


def test_a_canonicalization_with_parameters_is_trained_too():
    model = CanonicalModel(nn.Flatten(), nn.Linear(3, 3))
    assert len(list(model.parameters())) == 2


def test_the_models_output_may_be_anything():
    assert CanonicalModel(lambda x: (len(x), "sets"))(torch.zeros(5, 2, 1)) == (5, "sets")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((3,), "model must be a module or a function, got 3"),
        ((nn.Flatten(), "sort"), "canonicalization must be a module or a function, got 'sort'"),
    ],
)
def test_what_is_no_function_is_refused(arguments, words):
    with pytest.raises(TypeError, match=words):
        CanonicalModel(*arguments)


def test_input_of_another_rank_is_refused_before_the_model_runs():
    calls = []
    with pytest.raises(ValueError, match=r"x must have shape .* got \(3, 2\)"):
        CanonicalModel(calls.append, calls.append)(torch.zeros(3, 2))
    assert not calls


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({}, "canonicalization=lexicographic_sort"),
        (
            {"canonicalization": columnwise_sort, "equivariant": True},
            "canonicalization=columnwise_sort, equivariant=True",
        ),
        ({"canonicalization": functools.partial(least_rotation)}, "canonicalization=…"),
    ],
)
def test_it_names_its_canonicalization(options, shown):
    assert repr(CanonicalModel(nn.Flatten(), **options)) == (
        f"CanonicalModel(\n  {shown}\n  (model): Flatten(start_dim=1, end_dim=-1)\n)"
    )


# Other groups, and equivariant outputs.


def column_orders(n, d):
    """(S_n)^d on the entries of an n × d matrix."""
    orders = itertools.product(itertools.permutations(range(n)), repeat=d)
    return [[columns[j][i] * d + j for i in range(n) for j in range(d)] for columns in orders]


def elements(group):
    return torch.cat(list(group.elements())).tolist()


GROUPS = {
    lexicographic_sort: (lambda n, d: elements(symmetric_group(n)), 1),
    least_rotation: (lambda n, d: elements(cyclic_group(n)), 1),
    columnwise_sort: (column_orders, 2),
    row_column_sort: (
        lambda n, d: elements(direct_product(symmetric_group(n), symmetric_group(d), on="grid")),
        2,
    ),
}
every_group = pytest.mark.parametrize("sort", GROUPS, ids=lambda sort: sort.__name__)


def positional(n, d, axes, seed=0):
    """A function that treats every place differently, with one output of two channels a point."""
    points = n if axes == 1 else n * d
    shape = (n, 2) if axes == 1 else (n, d, 2)
    source = torch.Generator().manual_seed(seed)
    weight = torch.randn(n * d, 2 * points, generator=source, dtype=torch.float64)
    return lambda x: (x.flatten(1) @ weight).tanh().reshape(-1, *shape)


@every_group
@given(
    x=hnp.arrays("float64", (3, 2), elements=st.sampled_from([-1.0, 0.5, 2.0])).map(torch.tensor)
)
def test_an_equivariant_model_is_the_mean_over_all_ways_to_put_the_set_in_order(sort, x):
    group, axes = GROUPS[sort]
    function = positional(*x.shape, axes)
    model = CanonicalModel(function, sort, equivariant=True)
    canonical = sort(x[None])[0]
    expected = oracles.canonical_average(function, x, canonical, group(*x.shape), axes)
    torch.testing.assert_close(model(x[None])[0], expected)


@every_group
@pytest.mark.parametrize("equal_rows", [False, True])
def test_an_equivariant_model_moves_its_output_with_the_input(sort, equal_rows):
    group, axes = GROUPS[sort]
    x = torch.randn(4, 3, 2, dtype=torch.float64)
    if equal_rows:
        x[:, 2] = x[:, 0]
    model = CanonicalModel(positional(3, 2, axes), sort, equivariant=True)
    for sigma in group(3, 2):
        moved = x.flatten(1, axes)[:, sigma].reshape(x.shape)
        y = model(x)
        torch.testing.assert_close(model(moved), y.flatten(1, axes)[:, sigma].reshape(y.shape))


@every_group
def test_without_equivariance_the_model_is_invariant_to_its_group(sort):
    group, axes = GROUPS[sort]
    x = torch.randn(4, 3, 2)
    model = CanonicalModel(mlp(3, 2), sort)
    for sigma in group(3, 2):
        moved = x.flatten(1, axes)[:, sigma].reshape(x.shape)
        assert torch.equal(model(moved), model(x))


def test_the_least_rotation_is_not_invariant_to_other_orders():
    x = torch.randn(8, 5, 2)
    model = CanonicalModel(mlp(5, 2), least_rotation)
    assert test_invariant(model, x, cyclic_group(5))
    assert not test_invariant(model, x)


def test_equal_rows_get_equal_outputs():
    x = torch.randn(4, 5, 2)
    x[:, 3] = x[:, 1]
    y = CanonicalModel(positional(5, 2, 1), equivariant=True)(x.double())
    assert torch.equal(y[:, 3], y[:, 1])
    assert not torch.equal(y[:, 2], y[:, 1])


def test_a_function_that_gives_equal_rows_different_outputs_is_caught():
    # The plain undoing of a sort, without the mean over equal rows.
    def undone(x):
        order = x[..., 0].argsort(dim=1, stable=True)
        return order.argsort(1)[..., None].to(x.dtype)

    x = torch.randn(8, 5, 2)
    x[:, 3] = x[:, 1]
    model = CanonicalModel(
        lambda x: torch.arange(5.0)[:, None].expand(len(x), 5, 1), equivariant=True
    )
    assert not test_equivariant(undone, x)
    assert test_equivariant(model, x)


def test_gradients_pass_through_the_sort_and_back():
    x = torch.randint(0, 2, (2, 4, 2)).double().requires_grad_()
    model = CanonicalModel(lambda x: (x * torch.arange(4.0)[:, None]).tanh(), equivariant=True)
    model(x).sum().backward()
    assert x.grad.isfinite().all()


# Frames.


def first_and_waves(x, mask=None):
    """Keys of members."""
    return x[..., 0] + (3 * x).sin().sum(-1)


FRAMES = {
    "circle": CircleFrame(),
    "directions": DirectionFrame(2, 16),
    "keys": LearnedOrder(first_and_waves),
    "noisy keys": LearnedOrder(first_and_waves, noise=0.5),
}
every_frame = pytest.mark.parametrize("frame", FRAMES.values(), ids=FRAMES.keys())


@every_frame
@pytest.mark.parametrize("equivariant", [False, True])
@pytest.mark.parametrize("ties", [False, True])
def test_a_frame_makes_a_model_symmetric(frame, equivariant, ties):
    x = torch.randint(0, 2, (20, 4, 2)).double() if ties else torch.randn(20, 4, 2).double()
    function = positional(4, 2, 1)
    model = CanonicalModel(
        function if equivariant else lambda x: function(x).flatten(1), frame=frame,
        equivariant=equivariant,
    )  # fmt: skip
    y = model(x)
    for order in itertools.permutations(range(4)):
        p = Permutation(order)
        torch.testing.assert_close(model(p(x)), p(y) if equivariant else y)


@every_frame
def test_an_invariant_model_with_a_frame_gives_the_same_bits_for_every_order(frame):
    x = torch.randn(6, 4, 2)
    model = CanonicalModel(mlp(4, 2), frame=frame)
    for order in itertools.permutations(range(4)):
        assert torch.equal(model(x[:, list(order)]), model(x))


@every_frame
@pytest.mark.parametrize("equivariant", [False, True])
def test_the_output_is_the_weighted_sum_over_the_orders(frame, equivariant):
    x = torch.randn(3, 4, 2, dtype=torch.float64)
    function = positional(4, 2, 1)
    model = CanonicalModel(function, frame=frame, equivariant=equivariant)
    orders, weights = frame(x)[:2]
    for b in range(3):
        total = torch.zeros(4, 2, dtype=torch.float64)
        for order, weight in zip(orders[b], weights[b], strict=True):
            output = function(x[b, order][None])[0]
            total = total + weight * (output[order.argsort()] if equivariant else output)
        torch.testing.assert_close(model(x)[b], total)


@pytest.mark.parametrize("chunksize", [1, 5, 100])
def test_the_chunk_size_changes_nothing(chunksize):
    x = torch.randn(3, 4, 2, dtype=torch.float64)
    whole = CanonicalModel(positional(4, 2, 1), frame=CircleFrame())
    parts = CanonicalModel(positional(4, 2, 1), frame=CircleFrame(), chunksize=chunksize)
    torch.testing.assert_close(parts(x), whole(x))


def test_no_more_orders_go_through_the_model_than_the_chunk_size():
    seen = []
    model = CanonicalModel(
        lambda x: seen.append(len(x)) or x.sum(1), frame=CircleFrame(), chunksize=4
    )
    model(torch.randn(3, 3, 2))
    assert seen == [12, 6]


def test_whole_numbers_are_averaged_as_fractions():
    model = CanonicalModel(
        lambda x: torch.arange(3).expand(len(x), 3), frame=CircleFrame(), equivariant=True
    )
    x = torch.tensor([[[0, 0], [1, 0], [2, 0]]])
    torch.testing.assert_close(model(x), torch.ones(1, 3))


@pytest.mark.parametrize(
    ("sets", "outputs"), [(torch.float32, torch.float64), (torch.float64, torch.float32)]
)
def test_the_sum_over_a_frame_has_the_wider_of_two_types(sets, outputs):
    x = torch.randn(3, 4, 2).to(sets)
    y = CanonicalModel(lambda x: x.sum(1).to(outputs), frame=CircleFrame())(x)
    assert y.dtype == torch.float64
    torch.testing.assert_close(y, x.sum(1).to(outputs).double(), rtol=1e-5, atol=1e-5)


def test_a_frame_is_a_function_of_the_users_own_too():
    def both_ways(x):
        order = x[..., 0].argsort(1)
        orders = torch.stack((order, order.flip(1)), 1)
        return WeightedOrders(orders, torch.full((len(x), 2), 0.5))

    x = torch.randn(4, 3, 1)
    model = CanonicalModel(lambda x: x[:, 0], frame=both_ways)
    torch.testing.assert_close(model(x), (x.amin(1) + x.amax(1)) / 2)


def largest_jump(model, start, end, steps):
    t = torch.linspace(0, 1, steps, dtype=torch.float64)[:, None, None]
    with torch.no_grad():
        y = torch.cat([model(x) for x in torch.split(start + t * (end - start), 2000)])
    return (y[1:] - y[:-1]).abs().max().item()


def one_row_moves(d, seed):
    source = torch.Generator().manual_seed(seed)
    start = torch.randn(6, d, generator=source, dtype=torch.float64)
    end = start.clone()
    end[0] = torch.randn(d, generator=source, dtype=torch.float64) - start[0]
    return start, end


@pytest.mark.parametrize(
    ("d", "frame"), [(2, CircleFrame()), (2, DirectionFrame(2, 16)), (4, DirectionFrame(4, 24))]
)
@pytest.mark.parametrize("seed", range(3))
def test_the_plain_sort_jumps_and_the_frame_is_continuous_on_the_same_path(d, frame, seed):
    start, end = one_row_moves(d, seed)
    function = positional(6, d, 1)
    steps = (501, 5001)
    sort = [largest_jump(CanonicalModel(function), start, end, n) for n in steps]
    weighted = [largest_jump(CanonicalModel(function, frame=frame), start, end, n) for n in steps]
    # Ten times finer steps make ten times smaller changes, unless there is a jump.
    assert weighted[1] < 0.2 * weighted[0]
    assert sort[1] > 0.9 * sort[0]
    assert sort[1] > 20 * weighted[1]


def through_equal_rows(angle):
    """Two rows of five that meet in one point, coming from a direction."""
    source = torch.Generator().manual_seed(3)
    x = torch.randn(1, 5, 2, generator=source, dtype=torch.float64)
    direction = torch.tensor([math.cos(angle), math.sin(angle)], dtype=torch.float64)
    x[:, 1] = x[:, 0] + 1e-7 * direction
    return x


def spread_over_angles(model):
    angles = torch.linspace(0, 3, 13).tolist()
    y = torch.cat([model(through_equal_rows(angle)) for angle in angles])
    return (y.amax(0) - y.amin(0)).max().item()


def test_where_two_rows_meet_the_circle_is_continuous_and_finitely_many_directions_are_not():
    function = positional(5, 2, 1)
    assert spread_over_angles(CanonicalModel(function, frame=CircleFrame())) < 1e-5
    assert spread_over_angles(CanonicalModel(function, frame=DirectionFrame(2, 16))) > 1e-3


# Padding.

SYMMETRIC = {
    "sorted": {},
    **{
        f"{sort.__name__}, equivariant": {"canonicalization": sort, "equivariant": True}
        for sort in GROUPS
    },
    **{name: {"frame": frame} for name, frame in FRAMES.items()},
    **{
        f"{name}, equivariant": {"frame": frame, "equivariant": True}
        for name, frame in FRAMES.items()
    },
}
every_way = pytest.mark.parametrize("options", SYMMETRIC.values(), ids=SYMMETRIC.keys())


def ragged_with_a_zero_row():
    """Padded sets, one of them empty, and one with a member that looks like cleared padding."""
    sets = padding.ragged(2)
    sets[2][3] = 0
    return sets, *padding.padded(sets, 6)


@every_way
def test_the_model_sees_the_members_first_and_then_zeros_and_is_told(options):
    _, x, mask = ragged_with_a_zero_row()
    seen = []
    CanonicalModel(lambda x, mask: seen.append((x, mask)) or x, **options)(x, mask)
    ((rows, present),) = seen
    k = len(rows) // len(x)
    counts = mask.sum(1).repeat_interleave(k)
    for members, told, count in zip(rows, present, counts, strict=True):
        assert told.tolist() == [True] * count + [False] * (6 - count)
        assert not members[count:].any()


@every_way
def test_a_member_is_not_taken_for_padding_and_what_padding_gets_reaches_nothing(options):
    # The model knows places, and writes NaN where no member is.
    entries = options.get("canonicalization") in (columnwise_sort, row_column_sort)
    equivariant = options.get("equivariant")

    def model(x, mask=None):
        y = (x.cumsum(1) * torch.arange(1.0, x.shape[1] + 1)[:, None]).tanh()
        y = y if mask is None else y.masked_fill(~mask[..., None], torch.nan)
        y = y[..., None] if entries else y
        return y if equivariant else y[:, 0]

    sets, x, mask = ragged_with_a_zero_row()
    x.requires_grad_()
    symmetric = CanonicalModel(model, **options)
    y = symmetric(x, mask)
    if equivariant:
        assert not y[~mask].any()
    for k, members in enumerate(sets):
        if len(members):
            alone = symmetric(members[None])[0]
            torch.testing.assert_close(y[k][mask[k]] if equivariant else y[k], alone)
    y[mask.any(1)].square().sum().backward()
    assert x.grad.isfinite().all()
    assert not x.grad[~mask].any()


def test_a_frame_must_take_a_mask_to_be_given_one():
    _, x, mask = ragged_with_a_zero_row()
    with pytest.raises(TypeError, match=r"^frame must take a mask .* frame\(x, mask=mask\), got <"):
        CanonicalModel(lambda x, mask: x, frame=lambda x: x)(x, mask)


# What is refused.


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            {"canonicalization": lexicographic_sort, "frame": CircleFrame()},
            "^canonicalization and frame must not both be given$",
        ),
        (
            {"canonicalization": torch.sigmoid, "equivariant": True},
            "^equivariant outputs need a canonicalization that returns where the rows went, one of "
            "lexicographic_sort, least_rotation, columnwise_sort, row_column_sort, or a frame; "
            "got sigmoid$",
        ),
        ({"chunksize": 0}, "chunksize must be at least 1, got 0"),
    ],
)
def test_arguments_that_do_not_fit_together_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        CanonicalModel(nn.Identity(), **arguments)


def test_a_frame_that_is_no_function_is_refused():
    with pytest.raises(TypeError, match="frame must be a module or a function, got 'circle'"):
        CanonicalModel(nn.Identity(), frame="circle")


@pytest.mark.parametrize(
    ("model", "error", "words"),
    [
        (lambda x: x[0], ValueError, "must keep the batch axis"),
        (lambda x: x.sum(1), ValueError, r"one output a member.*\(batch, 3, …\)"),
        (lambda x: "sets", TypeError, "must return a tensor, got str"),
    ],
)
@pytest.mark.parametrize("frame", [None, CircleFrame()])
def test_outputs_that_cannot_be_moved_back_are_refused(model, error, words, frame):
    with pytest.raises(error, match=words):
        CanonicalModel(model, frame=frame, equivariant=True)(torch.randn(4, 3, 2))


@pytest.mark.parametrize(
    ("orders", "weights"),
    [
        ((5, 2, 4), (5, 2)),
        ((5, 3, 3), (5, 2)),
        ((5, 0, 3), (5, 0)),
        ((5, 1, 3), (1, 1)),
        ((5, 1, 3), (5,)),
        ((5, 1, 3), (5, 1, 1)),
    ],
)
def test_a_frame_that_does_not_fit_the_sets_is_refused(orders, weights):
    def wrong(x):
        return WeightedOrders(torch.zeros(orders, dtype=torch.int64), torch.ones(weights))

    words = f"(5, k, 3) and weights (5, k) with k ≥ 1, got {orders} and {weights}"
    with pytest.raises(ValueError, match=re.escape(f"frame must return orders {words}")):
        CanonicalModel(nn.Identity(), frame=wrong)(torch.randn(5, 3, 2))


def test_frames_are_moved_and_shown_with_the_model():
    model = CanonicalModel(nn.Flatten(), frame=DirectionFrame(2, 3)).double()
    assert model.frame.directions.dtype == torch.float64
    flatten, frame = "Flatten(start_dim=1, end_dim=-1)", "DirectionFrame(d=2, num_directions=3)"
    assert repr(model) == f"CanonicalModel(\n  (model): {flatten}\n  (frame): {frame}\n)"
    model = CanonicalModel(nn.Flatten(), frame=DirectionFrame(2, 3), equivariant=True)
    assert model.extra_repr() == "equivariant=True"


# The mean of equal outputs is that output, for any number of rows, orders and chunks.

HALVES = pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)


@HALVES
def test_the_mean_over_equal_rows_of_a_constant_is_that_constant(dtype):
    model = CanonicalModel(lambda x: x, equivariant=True)
    x = torch.full((1, 3000, 1), 100.0, dtype=dtype, requires_grad=True)
    y = model(x)
    assert torch.equal(y, x)
    (slopes,) = torch.autograd.grad(y.sum(), x)
    torch.testing.assert_close(slopes, torch.ones_like(x), atol=0, rtol=1e-2)


@HALVES
@pytest.mark.parametrize("chunksize", [1, None])
@pytest.mark.parametrize("frame", [CircleFrame(), DirectionFrame(2, 300)], ids=["circle", "random"])
@pytest.mark.parametrize("equivariant", [False, True])
def test_the_mean_over_a_frame_of_a_constant_is_that_constant(dtype, chunksize, frame, equivariant):
    linear = torch.nn.Linear(2, 1).to(dtype)

    def constant(x, mask=None):
        return linear(0 * x) + 20 if equivariant else linear(0 * x[:, 0]) + 20

    class Constant(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = linear

        def forward(self, x):
            return constant(x)

    model = CanonicalModel(Constant(), frame=frame, equivariant=equivariant, chunksize=chunksize)
    x = torch.randn(1, 27, 2, generator=torch.Generator().manual_seed(0)).to(dtype)
    y = model(x.requires_grad_())
    assert y.dtype == dtype
    torch.testing.assert_close(y, torch.full_like(y, 20 + linear.bias.item()), atol=0, rtol=1e-2)
    y.sum().div(y.numel()).backward()
    torch.testing.assert_close(linear.bias.grad, torch.ones_like(linear.bias), atol=0, rtol=2e-2)
    sums = CanonicalModel(lambda x: x.sum((1, 2)), frame=frame, chunksize=chunksize)(x)
    (slopes,) = torch.autograd.grad(sums, x)
    torch.testing.assert_close(slopes, torch.ones_like(x), atol=0, rtol=2e-2)


@pytest.mark.parametrize("frame", [CircleFrame(), DirectionFrame(3, 20)], ids=["circle", "random"])
def test_autocast_changes_no_order_and_no_weight(frame):
    d = 2 if isinstance(frame, CircleFrame) else 3
    x = torch.randn(3, 9, d, generator=torch.Generator().manual_seed(0))
    expected = frame(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = frame(x)
    assert all(map(torch.equal, found, expected))
