import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from invariant_nets import SetPooling, SortPooling

DOUBLE = torch.float64
sizes = {
    "n": st.integers(1, 6),
    "d": st.integers(1, 4),
    "places": st.integers(1, 8),
    "seed": st.integers(0, 2**32 - 1),
}


def drawn(d, places, directions=None, *, seed=0, **options):
    torch.manual_seed(seed)
    return SortPooling(d, places, directions, dtype=DOUBLE, **options).requires_grad_(False)


def sets(batch, n, d, seed=0, dtype=DOUBLE):
    source = torch.Generator().manual_seed(seed)
    return torch.randn(batch, n, d, generator=source, dtype=dtype)


def polygons(n, dtype=DOUBLE):
    """The even and the odd corners of the regular polygon with 2n corners, and its axes.

    Along each of the first n directions the two sets have the same heights; along the last, which
    goes through no corner and no middle of a side, they have not.
    """
    corners = torch.arange(2 * n, dtype=dtype) * math.pi / n
    x = torch.stack((corners.cos(), corners.sin()), 1)
    # A reflection in the line at half a side exchanges even and odd; it keeps heights along it.
    angles = (torch.arange(n, dtype=dtype) + 0.5) * math.pi / n
    angles = torch.cat((angles, angles[:1] + 0.3 * math.pi / n))
    return x[::2], x[1::2], torch.stack((angles.cos(), angles.sin()))


def pooled(x, directions):
    pool = SortPooling(x.shape[1], len(x), directions.shape[1], dtype=x.dtype)
    pool.requires_grad_(False)
    pool.directions.copy_(directions)
    return pool(x[None])[0]


def by_quantiles(heights, places, steps=120):
    """The mean of the quantile function over each place, by many values in each."""
    m = len(heights)
    values = sorted(heights)
    means = []
    for k in range(places):
        points = [(k + (t + 0.5) / (steps * m)) / places for t in range(steps * m)]
        means.append(sum(values[int(p * m)] for p in points) / len(points))
    return means


@given(**sizes)
def test_of_as_many_members_as_places_each_column_is_sorted(n, d, places, seed):
    x, pool = sets(3, n, d, seed), drawn(d, n, places, seed=seed)
    expected = torch.empty(3, n, places, dtype=DOUBLE)
    for b in range(3):
        for j in range(places):
            heights = [float(row @ pool.directions[:, j]) for row in x[b]]
            expected[b, :, j] = torch.tensor(sorted(heights), dtype=DOUBLE)
    torch.testing.assert_close(pool(x), expected)


@pytest.mark.parametrize("n", range(1, 7))
@pytest.mark.parametrize("places", [1, 2, 3, 4, 6])
def test_of_others_each_place_is_the_mean_of_the_quantile_function_over_its_share(n, places):
    x, pool = sets(2, n, 2), drawn(2, places, 3)
    for y, members in zip(pool(x), x, strict=True):
        for j in range(3):
            expected = by_quantiles((members @ pool.directions[:, j]).tolist(), places)
            torch.testing.assert_close(y[:, j], torch.tensor(expected, dtype=DOUBLE))


@given(**sizes)
def test_it_is_invariant_to_the_last_bit(n, d, places, seed):
    for dtype in (torch.float32, DOUBLE):
        x = sets(4, n, d, seed, dtype)
        pool = drawn(d, places, seed=seed, readout=seed % 2 == 0).to(dtype)
        order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
        mask = torch.rand(4, n, generator=torch.Generator().manual_seed(seed)) < 0.6
        assert torch.equal(pool(x[:, order]), pool(x))
        assert torch.equal(pool(x[:, order], mask[:, order]), pool(x, mask))


@given(**sizes)
def test_the_mean_over_the_places_is_the_mean_height(n, d, places, seed):
    x, pool = sets(2, n, d, seed), drawn(d, places, seed=seed)
    torch.testing.assert_close(pool(x).mean(1), x.mean(1) @ pool.directions)


@given(**sizes)
def test_repeating_every_member_changes_nothing(n, d, places, seed):
    x, pool = sets(2, n, d, seed), drawn(d, places, seed=seed)
    torch.testing.assert_close(pool(x.repeat(1, 3, 1)), pool(x))


def test_repeating_one_member_changes_it():
    x, pool = sets(1, 3, 2), drawn(2, 4)
    assert not torch.allclose(pool(torch.cat((x, x[:, :1]), 1)), pool(x))


@pytest.mark.parametrize("n", [2, 3, 5, 8])
def test_n_directions_of_the_plane_do_not_separate_all_sets_and_one_more_does(n):
    even, odd, axes = polygons(n)
    few, many = axes[:, :n], axes
    assert SortPooling(2, n).num_directions == many.shape[1] == n + 1
    torch.testing.assert_close(pooled(even, few), pooled(odd, few), rtol=0, atol=1e-14)
    assert (pooled(even, many) - pooled(odd, many)).abs().max() > 0.05
    # Any further direction will do, if it is none of the n.
    others = drawn(2, n).directions.detach()
    assert (pooled(even, others) - pooled(odd, others)).abs().max() > 1e-3


def test_two_pairs_that_no_two_directions_along_the_axes_tell_apart():
    together = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    apart = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    identity, with_sum = torch.eye(2), torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    assert torch.equal(pooled(together, identity), pooled(apart, identity))
    assert pooled(together, with_sum).tolist() == [[0, 0, 0], [1, 1, 2]]
    assert pooled(apart, with_sum).tolist() == [[0, 0, 1], [1, 1, 1]]


def of_small_numbers(n, d, top):
    """Every set of n rows of the numbers 0 to `top`, once."""
    rows = torch.cartesian_prod(*[torch.arange(top + 1.0, dtype=DOUBLE)] * d).reshape(-1, d)
    chosen = torch.combinations(torch.arange(len(rows)), n, with_replacement=True)
    return rows[chosen]


@pytest.mark.parametrize(("n", "d", "top"), [(2, 2, 2), (3, 2, 2), (2, 3, 1), (4, 2, 1)])
@pytest.mark.parametrize("more", [0, 3])
def test_no_two_of_many_sets_are_taken_to_the_same(n, d, top, more):
    # Sums and differences of small numbers tie along each direction that the polygon's law uses.
    x = of_small_numbers(n, d, top)
    pool = drawn(d, n + more, n * (d - 1) + 1)
    powers = torch.arange(n * (d - 1) + 1, dtype=DOUBLE)
    # The moment curve: any d of these columns are independent, and their entries are integers.
    pool.directions.copy_((1 + powers) ** torch.arange(d, dtype=DOUBLE)[:, None])
    y = pool(x).flatten(1).detach()
    distances = torch.cdist(y, y, compute_mode="donot_use_mm_for_euclid_dist")
    distances.fill_diagonal_(torch.inf)
    assert distances.min() > 1e-6


@given(**sizes)
def test_a_small_change_makes_a_change_as_small(n, d, places, seed):
    x, pool = sets(5, n, d, seed), drawn(d, places, seed=seed)
    moved = x + 0.3 * sets(5, n, d, seed + 1)
    bound = torch.linalg.matrix_norm(pool.directions, 2) * (moved - x).flatten(1).norm(dim=1)
    change = (pool(moved) - pool(x)).flatten(1).norm(dim=1)
    assert (change <= math.sqrt(places / n) * bound * (1 + 1e-9)).all()


def test_it_does_not_jump_where_two_rows_pass_each_other():
    x = sets(1, 6, 3)[0]
    end = x.clone()
    end[0] = -3 * x[0]
    for places in (4, 6):
        pool = drawn(3, places)
        largest = []
        for steps in (100, 1000):
            t = torch.linspace(0, 1, steps + 1, dtype=DOUBLE)[:, None, None]
            path = pool(x + t * (end - x)).diff(dim=0)
            largest.append(path.abs().max().item())
        assert largest[1] == pytest.approx(largest[0] / 10, rel=0.02)


@pytest.mark.parametrize("readout", [False, True])
@pytest.mark.parametrize("places", [3, 5, 7])
def test_its_gradient_is_that_of_finite_differences(places, readout):
    pool, x = drawn(2, places, 4, readout=readout), sets(3, 5, 2).requires_grad_()
    mask = torch.tensor([[True] * 5, [True, False, True, True, False], [False] * 5])
    states = [p.detach().clone().requires_grad_() for p in pool.parameters()]
    names = [name for name, _ in pool.named_parameters()]

    def given(x, *states):
        state = dict(zip(names, states, strict=True))
        return torch.func.functional_call(pool, state, (x, mask))

    assert torch.autograd.gradcheck(given, (x, *states))


@given(**sizes)
def test_a_readout_weighs_the_places_of_each_direction(n, d, places, seed):
    x, pool = sets(2, n, d, seed), drawn(d, places, 5, seed=seed, readout=True)
    plain = drawn(d, places, 5)
    plain.directions.copy_(pool.directions)
    torch.testing.assert_close(pool(x), torch.einsum("bkj,kj->bj", plain(x), pool.weight))
    pool.weight.fill_(1 / places)
    torch.testing.assert_close(pool(x), x.mean(1) @ pool.directions)


def test_with_all_weight_on_the_last_place_it_is_the_maximum():
    pool = drawn(3, 4, 3, readout=True)
    with torch.no_grad():
        pool.directions.copy_(torch.eye(3))
        pool.weight.zero_()[-1] = 1
    x = sets(2, 4, 3)
    mask = torch.tensor([[True, True, True, True], [True, False, True, False]])
    torch.testing.assert_close(pool(x, mask), SetPooling("max")(x, mask))


def test_an_empty_set_gives_zero_and_no_gradient():
    for readout in (False, True):
        x = torch.full((1, 3, 2), torch.nan, requires_grad=True)
        y = SortPooling(2, 4, readout=readout)(x, torch.zeros(1, 3, dtype=torch.bool))
        assert torch.equal(y, torch.zeros_like(y))
        y.sum().backward()
        assert torch.equal(x.grad, torch.zeros(1, 3, 2))


def test_directions_are_of_length_one_and_any_d_of_them_independent():
    pool = drawn(3, 4)
    assert pool.directions.shape == (3, 9)
    torch.testing.assert_close(pool.directions.norm(dim=0), torch.ones(9, dtype=DOUBLE))
    chosen = torch.combinations(torch.arange(9), 3)
    volumes = torch.linalg.det(pool.directions.T[chosen]).abs()
    assert volumes.min() > 1e-6


def test_its_weights_leave_the_mean_square_as_it_is():
    x = sets(500, 10, 5)
    pool = drawn(5, 10, 2000, readout=True)
    assert pool(x).square().mean().item() == pytest.approx(1, rel=0.1)
    before = pool.weight.detach().clone()
    pool.reset_parameters()
    assert not torch.equal(pool.weight, before)


def test_it_shows_its_arguments():
    assert repr(SortPooling(2, 3)) == "SortPooling(2, num_places=3, num_directions=4)"
    shown = "SortPooling(2, num_places=3, num_directions=7, readout=True)"
    assert repr(SortPooling(2, 3, 7, readout=True)) == shown


@pytest.mark.parametrize("name", ["d", "num_places", "num_directions"])
@pytest.mark.parametrize(("value", "error"), [(0, ValueError), (1.5, TypeError), (True, TypeError)])
def test_bad_arguments_are_refused(name, value, error):
    options = {"d": 2, "num_places": 3, "num_directions": 4, name: value}
    with pytest.raises(error, match=f"{name} must be "):
        SortPooling(**options)
