import itertools
import math
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import nn
from torch.nn import functional as F

from invariant_nets import (
    CanonicalModel,
    LearnedOrder,
    RelaxedOrders,
    SetNetwork,
    SymmetryModel,
    WeightedOrders,
    lexicographic_sort,
    mlp,
    order_keys,
    symmetric_group,
)
from invariant_nets.canonicalization.plackett_luce import (
    all_orders,
    log_probability,
    soft_orders,
)
from tests.contracts import padding

CPU, DOUBLE = torch.device("cpu"), torch.float64


def waves(x, mask=None):
    """Keys of the members, each by itself, of every type."""
    return (x * torch.arange(1, x.shape[-1] + 1)).sin().sum(-1)


def drawn(shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def network(d, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return order_keys(d, 8).double()


def places(n, d):
    """A function of sets that tells all places apart."""
    weight = drawn((n, d), seed=5)
    return lambda x, mask=None: (x * weight).tanh().sum((1, 2))


def members_by_place(n, d):
    weight = drawn((n, d), seed=5)
    return lambda x, mask=None: (x * weight).tanh() + 0.1 * (x * weight).sum((1, 2), keepdim=True)


# The distribution, against its definition.


def probability(scores, order):
    """One place after another is filled by one of those that are left."""
    p = 1.0
    for i, first in enumerate(order):
        left = [math.exp(scores[j]) for j in order[i:]]
        p *= math.exp(scores[first]) / sum(left)
    return p


@pytest.mark.parametrize("n", range(1, 6))
def test_all_orders_are_all_orders(n):
    found = [tuple(order) for order in all_orders(n, CPU).tolist()]
    assert sorted(found) == list(itertools.permutations(range(n)))


@pytest.mark.parametrize("n", range(1, 6))
def test_the_probabilities_are_those_of_filling_places_and_sum_to_one(n):
    scores = drawn((3, n), seed=n)
    orders = all_orders(n, CPU)
    found = log_probability(scores, orders.expand(3, -1, -1)).exp()
    expected = [[probability(s, order) for order in orders.tolist()] for s in scores.tolist()]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=DOUBLE))
    torch.testing.assert_close(found.sum(1), torch.ones(3, dtype=DOUBLE), rtol=0, atol=1e-14)


def test_the_gradient_of_the_log_probability_is_right():
    scores = drawn((2, 4)).requires_grad_()
    orders = all_orders(4, CPU)[::5].expand(2, -1, -1)
    present = torch.tensor([[True] * 4, [True, True, False, False]])
    for members in (None, present):
        assert torch.autograd.gradcheck(lambda s, m=members: log_probability(s, orders, m), scores)


def test_scores_far_apart_have_finite_probabilities_and_gradients():
    scores = torch.tensor([[1e4, 0.0, -1e4]], requires_grad=True)
    p = log_probability(scores, all_orders(3, CPU)[None])
    assert p.isfinite().all()
    assert p.exp().sum().item() == pytest.approx(1)
    p.sum().backward()
    assert scores.grad.isfinite().all()


@pytest.mark.parametrize("noise", [0.3, 1.0, math.inf])
def test_draws_have_these_probabilities(noise):
    x, draws = drawn((1, 4, 2)), 20_000
    source = torch.Generator().manual_seed(1)
    frame = LearnedOrder(waves, noise=noise, samples=draws, generator=source)
    orders = frame(x).orders
    every = torch.tensor(list(itertools.permutations(range(4))))
    expected = frame.log_prob(x, every[None])[0].exp() * draws
    counts = (orders[0][:, None] == every).all(-1).sum(0)
    # χ² of all orders that are expected at least five times has mean ≤ 23 and spread ≤ 6.8.
    often = expected > 5
    statistic = ((counts - expected)[often].square() / expected[often]).sum().item()
    assert counts.sum() == draws
    assert often.sum() > 8
    assert statistic < 23 + 5 * 6.8


def test_draws_of_other_probabilities_are_found():
    # The law above can fail: the same draws against another size of the noise.
    x = drawn((1, 4, 2))
    source = torch.Generator().manual_seed(1)
    orders = LearnedOrder(waves, noise=0.3, samples=20_000, generator=source)(x).orders
    every = torch.tensor(list(itertools.permutations(range(4))))
    expected = LearnedOrder(waves, noise=0.36).log_prob(x, every[None])[0].exp() * 20_000
    counts = (orders[0][:, None] == every).all(-1).sum(0)
    often = expected > 5
    assert ((counts - expected)[often].square() / expected[often]).sum() > 100


def test_the_probability_of_an_order_moves_with_the_rows():
    x, every = drawn((3, 4, 2)), all_orders(4, CPU)
    frame = LearnedOrder(network(2), noise=0.5)
    p = torch.tensor([2, 0, 3, 1])
    # Row i of x[:, p] is row p[i] of x.
    moved = frame.log_prob(x[:, p], every.expand(3, -1, -1))
    assert torch.equal(moved, frame.log_prob(x, p[every].expand(3, -1, -1)))


def test_the_probabilities_of_members_do_not_see_the_padding():
    sets = padding.ragged(2)
    x, mask = padding.padded(sets, 5)
    frame = LearnedOrder(network(2), noise=0.5)
    orders, weights = frame(x, mask)
    found = frame.log_prob(x, orders, mask)
    for k, members in enumerate(sets):
        m = len(members)
        inside = mask[k].nonzero()[:, 0].tolist()
        alone = {}
        if m:
            few = LearnedOrder(frame.keys, noise=0.5)
            every = all_orders(m, CPU)
            p = few.log_prob(members[None], every[None])[0]
            alone = dict(zip(map(tuple, every.tolist()), p.tolist(), strict=True))
        total = {}
        for order, weight, p in zip(orders[k].tolist(), weights[k], found[k], strict=True):
            assert sorted(order) == list(range(5))
            first = tuple(inside.index(row) for row in order[:m])
            total[first] = total.get(first, 0) + weight.item()
            assert p.item() == pytest.approx(alone.get(first, 0.0))
        for first, share in total.items():
            assert share == pytest.approx(math.exp(alone.get(first, 0.0)))


# From the sort to the average over all orders.


def test_a_sort_by_one_feature_is_a_sort():
    x = drawn((4, 6, 3))
    orders, weights = LearnedOrder(lambda x: -x[..., :1]).eval()(x)
    assert weights.tolist() == [[1.0]] * 4
    assert torch.equal(x.gather(1, orders[:, 0, :, None].expand_as(x)), lexicographic_sort(x))


def test_without_keys_or_noise_it_is_the_lexicographic_sort():
    x = torch.randint(0, 3, (6, 5, 2)).double()
    model = CanonicalModel(places(5, 2), frame=LearnedOrder(None))
    assert torch.equal(model(x), CanonicalModel(places(5, 2))(x))


def test_little_noise_is_the_sort():
    x, f = drawn((5, 4, 2)), places(4, 2)
    sort = CanonicalModel(f, frame=LearnedOrder(waves))(x)
    nearly = CanonicalModel(f, frame=LearnedOrder(waves, noise=1e-4))(x)
    torch.testing.assert_close(nearly, sort)


@pytest.mark.parametrize("keys", [None, waves])
def test_infinite_noise_is_the_average_over_all_orders(keys):
    x = drawn((5, 4, 2))
    frame = LearnedOrder(keys, noise=math.inf)
    assert (frame(x).weights - 1 / 24).abs().max() < 1e-15
    average = SymmetryModel(places(4, 2), symmetric_group(4))(x)
    torch.testing.assert_close(CanonicalModel(places(4, 2), frame=frame)(x), average)
    much = LearnedOrder(waves, noise=1e9)(x).weights
    torch.testing.assert_close(much, torch.full_like(much, 1 / 24))


def test_many_draws_come_near_the_average():
    x, f, draws = drawn((5, 4, 2)), places(4, 2), 2000
    exact = CanonicalModel(f, frame=LearnedOrder(waves, noise=0.3))
    source = torch.Generator().manual_seed(3)
    sampled = LearnedOrder(waves, noise=0.3, samples=draws, generator=source)
    outputs = torch.stack(
        [f(x.gather(1, order[..., None].expand_as(x))) for order in sampled(x).orders.unbind(1)]
    )
    error = outputs.std(0) / math.sqrt(draws)
    assert ((CanonicalModel(f, frame=sampled)(x) - exact(x)).abs() < 5 * error + 1e-12).all()


def largest_change(frame, steps):
    start, end = drawn((5, 2), seed=1), drawn((5, 2), seed=2)
    t = torch.linspace(0, 1, steps, dtype=DOUBLE)[:, None, None]
    model = CanonicalModel(places(5, 2), frame=frame)
    with torch.no_grad():
        y = torch.cat([model(x) for x in torch.split(start + t * (end - start), 500)])
    return y.diff().abs().max().item()


def test_noise_makes_the_sort_continuous():
    changes = {
        noise: [largest_change(LearnedOrder(waves, noise=noise), n) for n in (501, 5001)]
        for noise in (0.0, 0.1, 1.0)
    }
    # Ten times finer steps make ten times smaller changes, unless there is a jump.
    assert changes[0.0][1] > 0.8 * changes[0.0][0]
    for noise in (0.1, 1.0):
        assert changes[noise][1] < 0.15 * changes[noise][0]


# Invariance, to the last bit.

WAYS = {
    "sort": {},
    "samples": {"noise": 0.5, "samples": 3},
    "score": {"noise": 0.5, "samples": 3, "gradient": "score"},
    "all": {"noise": 0.5},
    "uniform": {"noise": math.inf, "samples": 3},
}
every_way = pytest.mark.parametrize("options", WAYS.values(), ids=WAYS)

tied = hnp.arrays(
    "float64",
    st.tuples(st.integers(1, 3), st.integers(1, 5), st.just(2)),
    elements=st.sampled_from([-1.5, 0.0, 1.0, 2.0]),
).map(torch.from_numpy)
continuous = hnp.arrays(
    "float64",
    st.tuples(st.integers(1, 3), st.integers(1, 5), st.just(2)),
    elements=st.floats(-1e3, 1e3),
).map(torch.from_numpy)


def from_seed(model, *given):
    torch.manual_seed(7)
    return model(*given)


@every_way
@given(x=tied | continuous, data=st.data())
def test_every_order_of_arrival_gives_the_same_bits(options, x, data):
    n = x.shape[1]
    p = torch.tensor(data.draw(st.permutations(range(n))))
    keys = data.draw(st.sampled_from([waves, network(2), lambda x, mask=None: 0 * x[..., 0]]))
    frame = LearnedOrder(keys, **options)
    model = CanonicalModel(places(n, 2), frame=frame)
    assert torch.equal(from_seed(model, x[:, p]), from_seed(model, x))
    mask = torch.tensor(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    mask = mask.expand(x.shape[:2])
    dirty = x.masked_fill(~mask[..., None], math.nan)
    with_mask = from_seed(model, dirty, mask)
    assert with_mask.isfinite().all()
    assert torch.equal(from_seed(model, dirty[:, p], mask[:, p]), with_mask)


@every_way
@given(x=tied, data=st.data())
def test_outputs_of_members_move_with_them_and_equal_rows_share_them(options, x, data):
    n = x.shape[1]
    p = torch.tensor(data.draw(st.permutations(range(n))))
    frame = LearnedOrder(network(2), **options)
    model = CanonicalModel(members_by_place(n, 2), frame=frame, equivariant=True)
    y = from_seed(model, x)
    torch.testing.assert_close(from_seed(model, x[:, p]), y[:, p], rtol=0, atol=1e-12)
    same = (x[:, :, None] == x[:, None]).all(-1)
    assert ((y[:, :, None] == y[:, None]).all(-1) | ~same).all()


def test_keys_sorted_as_they_come_are_not_invariant():
    # The law above can fail: where keys tie, their argsort shows the order of arrival.
    def as_they_come(x):
        order = (0 * x[..., 0]).argsort(dim=1, descending=True, stable=True)
        return WeightedOrders(order[:, None], x.new_ones(len(x), 1))

    x = drawn((5, 4, 2))
    model = CanonicalModel(places(4, 2), frame=as_they_come)
    assert not torch.equal(model(x.flip(1)), model(x))


def test_without_the_seed_draws_are_invariant_in_the_mean_only():
    x = drawn((2, 4, 2))
    source = torch.Generator().manual_seed(0)
    f, frame = places(4, 2), LearnedOrder(waves, noise=0.5, samples=4000, generator=source)
    model = CanonicalModel(f, frame=frame)
    first, second = model(x), model(x.flip(1))
    assert not torch.equal(first, second)
    outputs = torch.stack([f(x[:, list(p)]) for p in itertools.permutations(range(4))])
    assert ((first - second).abs() < 5 * outputs.std(0) * math.sqrt(2 / 4000)).all()


def test_the_generator_is_the_source_of_the_noise():
    x = drawn((2, 5, 2))
    orders = [
        LearnedOrder(waves, noise=1, samples=9, generator=torch.Generator().manual_seed(s))(x)
        for s in (0, 0, 1)
    ]
    assert torch.equal(orders[0].orders, orders[1].orders)
    assert not torch.equal(orders[0].orders, orders[2].orders)
    before = torch.get_rng_state()
    LearnedOrder(waves, noise=1, samples=9, generator=torch.Generator())(x)
    assert torch.equal(torch.get_rng_state(), before)


# Gradients.


def gradients(y, frame):
    return torch.cat(
        [g.flatten() for g in torch.autograd.grad(y, list(frame.parameters()), retain_graph=True)]
    )


def test_the_score_weights_are_shares_whose_gradients_cancel():
    frame = LearnedOrder(network(2), noise=0.5, samples=4, gradient="score")
    weights = frame(drawn((3, 4, 2))).weights
    assert torch.equal(weights, torch.full_like(weights, 1 / 4))
    total = gradients(weights.sum(), frame)
    assert gradients(weights[0, 0], frame).abs().max() > 1e-3
    assert total.abs().max() < 1e-12


def test_the_score_weights_leave_one_out():
    frame = LearnedOrder(network(2), noise=0.5, samples=3, gradient="score")
    x = drawn((1, 4, 2))
    orders, weights = frame(x)
    outputs = [0.3, -1.0, 2.0]
    found = gradients((weights[0] * torch.tensor(outputs)).sum(), frame)
    expected = torch.zeros_like(found)
    for k, log_p in enumerate(frame.log_prob(x, orders)[0]):
        others = sum(outputs[:k] + outputs[k + 1 :]) / 2
        log_gradient = torch.autograd.grad(log_p, list(frame.parameters()), retain_graph=True)
        expected += (outputs[k] - others) / 3 * torch.cat([g.flatten() for g in log_gradient])
    torch.testing.assert_close(found, expected)


def estimates(gradient, exact_noise, sets):
    """The exact gradient of the mean output, and many estimates, one for each copy of a set."""
    frame = LearnedOrder(network(2), noise=exact_noise)
    x, f = drawn((1, 4, 2)), places(4, 2)
    exact = gradients(CanonicalModel(f, frame=frame)(x).sum(), frame)
    source = torch.Generator().manual_seed(0)
    other = LearnedOrder(
        frame.keys, noise=exact_noise, samples=4, gradient=gradient, temperature=0.3,
        generator=source,
    )  # fmt: skip
    model = CanonicalModel(f, frame=other)
    found = torch.stack([gradients(model(x).sum(), other) for _ in range(sets)])
    return exact, found


def test_the_score_gradient_is_right_in_the_mean():
    exact, found = estimates("score", 0.5, 600)
    error = found.std(0) / math.sqrt(600)
    assert ((found.mean(0) - exact).abs() < 5 * error + 1e-12).all()
    # The law can fail: an estimate without the factor K / (K − 1) of the others' mean.
    assert not ((0.75 * found.mean(0) - exact).abs() < 5 * error + 1e-12).all()


def test_the_straight_through_gradient_is_biased_and_nearly_parallel():
    exact, found = estimates("straight-through", 0.5, 300)
    mean = found.mean(0)
    assert F.cosine_similarity(mean, exact, 0) > 0.8
    assert (mean - exact).norm() > 0.05 * exact.norm()


def test_over_all_orders_the_gradient_of_keys_and_sets_is_right():
    x = drawn((2, 4, 2)).requires_grad_()
    model = CanonicalModel(places(4, 2), frame=LearnedOrder(waves, noise=0.5))
    assert torch.autograd.gradcheck(model, x)


def soft_by_definition(keys, order, t):
    n = len(keys)
    mean = sum(keys) / n
    scale = math.sqrt(sum((k - mean) ** 2 for k in keys) / n + 1e-6)
    near = [[math.exp(-abs(keys[i] - keys[j]) / (scale * t)) for j in range(n)] for i in order]
    return [[p / sum(row) for p in row] for row in near]


def test_the_relaxed_orders_are_those_of_the_definition():
    keys = drawn((1, 2, 5))
    orders = keys.argsort(dim=-1, descending=True)
    found = soft_orders(keys, orders, None, 0.3)
    for k in range(2):
        expected = soft_by_definition(keys[0, k].tolist(), orders[0, k].tolist(), 0.3)
        torch.testing.assert_close(found[0, k], torch.tensor(expected, dtype=DOUBLE))
    members = torch.tensor([[True, True, True, False, False]])
    orders = keys[..., :3].argsort(dim=-1, descending=True)
    padded = torch.cat((orders, torch.tensor([3, 4]).expand(1, 2, 2)), -1)
    found = soft_orders(keys, padded, members, 0.3)
    torch.testing.assert_close(found[..., :3, :3], soft_orders(keys[..., :3], orders, None, 0.3))
    assert not found[..., 3:, :].any()
    assert not found[..., 3:].any()


def test_a_relaxed_order_is_of_the_rows_as_they_came_and_near_the_order():
    x = drawn((3, 5, 2))
    frame = LearnedOrder(waves, temperature=1e-3)
    orders, _, relaxed = frame(x)
    assert relaxed.argmax(-1).tolist() == orders.tolist()
    assert (relaxed.amax(-1) > 0.9).all()


@pytest.mark.parametrize("options", [WAYS["sort"], WAYS["samples"]])
@pytest.mark.parametrize("equivariant", [False, True])
def test_the_straight_through_term_changes_no_value(options, equivariant):
    x = drawn((4, 5, 2))
    frame = LearnedOrder(network(2), **options)
    f = members_by_place(5, 2) if equivariant else places(5, 2)
    model = CanonicalModel(f, frame=frame, equivariant=equivariant, chunksize=2)
    y = from_seed(model, x)
    assert isinstance(from_seed(frame, x), RelaxedOrders)
    assert gradients(y.sum(), frame).any()
    with torch.no_grad():
        assert not isinstance(from_seed(frame, x), RelaxedOrders)
        assert torch.equal(from_seed(model, x), y)
    model.eval()
    assert not isinstance(from_seed(frame, x), RelaxedOrders)
    assert torch.equal(from_seed(model, x), y)


def test_the_straight_through_gradient_is_that_of_mixtures():
    # Of the model at the sorted set, times the derivative of the mixtures: the chain rule.
    x, f = drawn((1, 5, 2)), places(5, 2)
    frame = LearnedOrder(network(2), temperature=0.3)
    found = gradients(CanonicalModel(f, frame=frame)(x).sum(), frame)
    orders, _, relaxed = frame(x)
    ordered = x[:, orders[0, 0]].requires_grad_()
    (slope,) = torch.autograd.grad(f(ordered).sum(), ordered)
    torch.testing.assert_close(found, gradients((slope * (relaxed[:, 0] @ x)).sum(), frame))


def test_the_sets_have_the_gradient_of_the_sort_and_of_the_keys():
    x = drawn((2, 5, 2)).requires_grad_()
    f = places(5, 2)
    (found,) = torch.autograd.grad(
        CanonicalModel(f, frame=LearnedOrder(lambda x: waves(x.detach())))(x).sum(), x
    )
    (expected,) = torch.autograd.grad(
        CanonicalModel(f, frame=LearnedOrder(waves).eval())(x).sum(), x
    )
    torch.testing.assert_close(found, expected)


@every_way
def test_equal_keys_and_empty_sets_have_finite_gradients(options):
    keys = nn.Linear(2, 1).double()
    nn.init.zeros_(keys.weight)
    frame = LearnedOrder(SetNetwork(keys, d=2), **options)
    model = CanonicalModel(places(4, 2), frame=frame)
    x = drawn((3, 4, 2)).requires_grad_()
    mask = torch.tensor([[True] * 4, [True, False, True, False], [False] * 4])
    for given_ in ((x,), (x, mask)):
        grads = torch.autograd.grad(model(*given_).sum(), [x, keys.weight], materialize_grads=True)
        assert all(g.isfinite().all() for g in grads)


# What is refused, and what is shown.


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"noise": -1}, "noise must be at least 0, got -1"),
        ({"noise": math.nan}, "noise must be at least 0, got nan"),
        ({"samples": 0}, "samples must be at least 1, got 0"),
        ({"gradient": "soft"}, "gradient must be one of 'straight-through', 'score', got 'soft'"),
        ({"gradient": "score"}, 'gradient="score" needs noise > 0'),
        (
            {"gradient": "score", "noise": 1.0, "samples": 1},
            'gradient="score" needs at least 2 samples',
        ),
        ({"temperature": 0}, "temperature must be positive and finite, got 0"),
        ({"max_orders": 0}, "max_orders must be at least 1, got 0"),
    ],
)
def test_arguments_out_of_range_are_refused(options, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        LearnedOrder(waves, **options)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"keys": "sum"}, "keys must be a module, a function or None, got 'sum'"),
        ({"keys": None, "noise": True}, "noise must be a number, got True"),
        ({"keys": None, "noise": "much"}, "noise must be a number, got 'much'"),
    ],
)
def test_arguments_of_another_type_are_refused(arguments, words):
    with pytest.raises(TypeError, match=words):
        LearnedOrder(**arguments)


def test_too_many_orders_are_refused_before_the_keys_are_sorted():
    words = (
        "samples must be given where n! is above max_orders=5,040: all orders of n = 8 rows are "
        "40,320"
    )
    with pytest.raises(ValueError, match=words):
        LearnedOrder(waves, noise=1)(torch.zeros(1, 8, 2))
    assert LearnedOrder(waves, noise=1, max_orders=24)(torch.zeros(1, 4, 2)).orders.shape[1] == 24
    with pytest.raises(ValueError, match="max_orders=23"):
        LearnedOrder(waves, noise=1, max_orders=23)(torch.zeros(1, 4, 2))


@pytest.mark.parametrize(
    ("keys", "error", "words"),
    [
        (lambda x: "keys", TypeError, "keys must return a tensor, got str"),
        (
            lambda x: x,
            ValueError,
            "keys must return one number a member, (3, 4) or (3, 4, 1), got (3, 4, 2)",
        ),
        (lambda x: x.sum((1, 2)), ValueError, "got (3,)"),
    ],
)
def test_keys_that_are_none_are_refused(keys, error, words):
    with pytest.raises(error, match=re.escape(words)):
        LearnedOrder(keys)(torch.randn(3, 4, 2))


def test_keys_must_take_a_mask_to_be_given_one():
    with pytest.raises(TypeError, match="keys must take a mask"):
        LearnedOrder(nn.Linear(2, 1))(torch.zeros(3, 4, 2), torch.ones(3, 4, dtype=torch.bool))


@pytest.mark.parametrize("shape", [(3, 2), (2, 0, 2)])
def test_sets_of_another_shape_are_refused(shape):
    frame = LearnedOrder(waves, noise=1)
    for call in (frame, lambda x: frame.log_prob(x, torch.zeros(2, 1, 1, dtype=torch.int64))):
        with pytest.raises(ValueError, match="x must"):
            call(torch.zeros(shape))


def test_orders_without_probabilities_are_refused():
    x, frame = torch.zeros(2, 3, 2), LearnedOrder(waves, noise=1)
    with pytest.raises(ValueError, match="log_prob needs noise > 0"):
        LearnedOrder(waves).log_prob(x, torch.zeros(2, 1, 3, dtype=torch.int64))
    with pytest.raises(ValueError, match=re.escape("shape (2, k, 3), got (2, 3)")):
        frame.log_prob(x, torch.zeros(2, 3, dtype=torch.int64))
    with pytest.raises(TypeError, match="orders must be a tensor of int64 or int32"):
        frame.log_prob(x, torch.zeros(2, 1, 3))


def test_whole_numbers_are_taken_as_they_are():
    x = torch.tensor([[[0, 0], [1, 3], [2, 1]]])
    frame = LearnedOrder(order_keys(2)).eval()
    assert torch.equal(frame(x).orders, frame(x.float()).orders)
    assert torch.equal(CanonicalModel(nn.Identity(), frame=frame)(x), x[:, frame(x).orders[0, 0]])


def test_autocast_changes_no_order():
    x = torch.randn(50, 6, 3)
    frame = LearnedOrder(order_keys(3), noise=0.5, samples=2)
    expected = from_seed(frame, x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = from_seed(frame, x)
    assert torch.equal(found.orders, expected.orders)


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({}, "noise=0, gradient='straight-through'"),
        ({"noise": 0.5}, "noise=0.5, samples=None"),
        ({"noise": 1, "samples": 3, "gradient": "score"}, "noise=1, samples=3, gradient='score'"),
    ],
)
def test_it_shows_what_it_does(options, shown):
    assert repr(LearnedOrder(waves, **options)) == f"LearnedOrder({shown})"


@pytest.mark.parametrize(("d", "width"), [(0, 8), (3, 0)])
def test_networks_of_keys_need_features(d, width):
    with pytest.raises(ValueError, match="must be at least 1, got 0"):
        order_keys(d, width)


# What it is for.


def hidden_order(source, batch, direction, weights):
    """Sets whose label depends on their top three members along a hidden direction."""
    x = torch.randn(batch, 10, 5, generator=source)
    top = (x @ direction).topk(3, dim=1).indices
    rows = x.gather(1, top[..., None].expand(-1, -1, 5))
    return x, ((rows * weights).sum((1, 2)) > 0).float()


def accuracy_after_training(frame, seed):
    torch.manual_seed(seed)
    source = torch.Generator().manual_seed(100 + seed)
    direction, weights = torch.randn(5, generator=source), torch.randn(3, 5, generator=source)
    direction /= direction.norm()
    model = CanonicalModel(mlp(10, 5), frame=frame)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(800):
        x, labels = hidden_order(source, 32, direction, weights)
        loss = F.binary_cross_entropy_with_logits(model(x)[:, 0], labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    x, labels = hidden_order(source, 5000, direction, weights)
    with torch.no_grad():
        return ((model.eval()(x)[:, 0] > 0) == (labels > 0)).float().mean().item()


@pytest.mark.slow
def test_a_hidden_order_is_learned_from_some_seeds_and_draws_do_not_learn_it():
    learned = []
    for seed in range(5):
        torch.manual_seed(seed)
        learned.append(accuracy_after_training(LearnedOrder(order_keys(5)), seed))
    drawn_ = accuracy_after_training(LearnedOrder(None, noise=1, samples=10), 0)
    assert max(learned) > 0.88
    assert drawn_ < 0.75
