import math

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Normal
from torch.nn import functional as F

from invariant_nets import bayes_accuracy, bayes_loss, bayes_threshold

PROBLEMS = [
    (10, 5, 1.0, 0.8),
    (10, 5, 0.8, 1.0),
    (1, 1, 1.0, 0.3),
    (1, 1, 0.01, 5.0),
    (2, 1, 3.0, 1.0),
    (3, 7, 1.0, 1.3),
    (20, 3, 0.5, 0.45),
]

sizes = st.integers(1, 20)
variances = st.floats(0.1, 10.0)


def log_odds(n, d, var1, var2, num_sets):
    """The exact log-odds of label 1 for sets of label 0 and for sets of label 1."""
    generator = torch.Generator().manual_seed(0)
    laws = Normal(0.0, math.sqrt(var1)), Normal(0.0, math.sqrt(var2))
    odds = []
    for variance in (var1, var2):
        noise = torch.randn(num_sets, n * d, generator=generator, dtype=torch.float64)
        x = noise * math.sqrt(variance)
        odds.append((laws[1].log_prob(x) - laws[0].log_prob(x)).sum(-1))
    return odds


def within_four_standard_errors(samples, value):
    error = samples.std().item() / math.sqrt(len(samples))
    return abs(samples.mean().item() - value) < 4 * error


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_accuracy_is_that_of_the_likelihood_ratio(problem):
    zero, one = log_odds(*problem, num_sets=20_000)
    correct = torch.cat([zero < 0, one > 0]).double()
    assert within_four_standard_errors(correct, bayes_accuracy(*problem))


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_loss_is_that_of_the_true_log_odds(problem):
    zero, one = log_odds(*problem, num_sets=20_000)
    losses = (F.softplus(zero) + F.softplus(-one)) / 2
    assert within_four_standard_errors(losses, bayes_loss(*problem))


def high_precision_loss(n, d, var1, var2):
    """The integral over the density of T = Σx² under each label, in 30 digits."""
    with mpmath.workdps(30):
        size, v1, v2 = n * d, mpmath.mpf(var1), mpmath.mpf(var2)

        def density(t, v):
            half = mpmath.mpf(size) / 2
            return (
                t ** (half - 1) * mpmath.exp(-t / (2 * v)) / (mpmath.gamma(half) * (2 * v) ** half)
            )

        def integrand(root):
            # T = root², so that the density stays bounded at 0 for size 1.
            t = root * root
            p1, p2 = density(t, v1), density(t, v2)
            if not p1 + p2:
                return mpmath.mpf(0)
            terms = [p * mpmath.log((p1 + p2) / p) for p in (p1, p2) if p]
            return sum(terms) * root

        scale = mpmath.sqrt(max(v1, v2))
        points = [
            scale * x for x in (mpmath.mpf(10) ** -30, 0.1, 0.5, 1, 2, 3, 4, 6, 8, 10, 12, 16)
        ]
        return float(mpmath.quad(integrand, points))


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_loss_is_the_high_precision_integral(problem):
    assert bayes_loss(*problem) == pytest.approx(high_precision_loss(*problem), rel=1e-9)


# The loss in 40 digits, by mpmath, as the integral over w = ln(T / (nd v)) of chi-square densities.
FAR_APART_OR_MANY = [
    (1, 1.0, 1e-12, 2.1606233557144547e-5),
    (1, 1.0, 1e-300, 2.4248419656385471e-147),
    (1, 1e300, 1e-300, 6.8435753922177702e-297),
    (2, 1.0, 1e-6, 5.5947073949228723e-5),
    (3, 1e-320, 1e-310, 1.1400017391697453e-12),
    (7, 1.0, 1e-3, 6.3396410015340392e-7),
    (50, 1.0, 0.8, 0.55858343267685334),
    (100, 1.0, 1e-2, 2.3076706041244875e-47),
    (6000, 1.0, 0.97, 0.43272605789876161),
    (10**4, 1.0, 0.8, 4.8014195887841953e-15),
    (10**6, 1.0, 0.99, 5.5447209102866311e-4),
    (10**6, 1.0, 0.999, 0.63421335020491046),
    (10**6, 1.0, 1 - 1e-9, 0.69314718055988281),
]


@pytest.mark.parametrize(("size", "var1", "var2", "expected"), FAR_APART_OR_MANY)
def test_the_loss_keeps_its_digits_for_all_variances_and_sizes(size, var1, var2, expected):
    assert bayes_loss(size, 1, var1, var2) == pytest.approx(expected, rel=1e-9, abs=0)


@pytest.mark.parametrize("limit", [bayes_accuracy, bayes_loss])
@pytest.mark.parametrize(("large", "small"), [(1e308, 1e307), (1e-310, 1e-311), (1e200, 1e199)])
def test_the_ends_of_the_floats_change_nothing(limit, large, small):
    expected = limit(10, 5, 10.0, 1.0)
    assert limit(10, 5, large, small) == pytest.approx(expected, rel=1e-6, abs=1e-300)


def test_a_threshold_that_no_float_holds_is_refused():
    with pytest.raises(ValueError, match="var1 and var2 must leave the threshold a finite number"):
        bayes_threshold(10, 5, 1e308, 1e307)


@pytest.mark.parametrize("ratio", [1 + 1e-15, 1 + 1e-12])
@pytest.mark.parametrize("size", [1, 50, 10**6])
def test_no_task_is_harder_than_a_coin(size, ratio):
    assert bayes_accuracy(size, 1, 1.0, ratio) >= 0.5
    assert bayes_loss(size, 1, 1.0, ratio) <= math.log(2)


@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_accuracy_is_the_high_precision_value(problem):
    n, d, var1, var2 = problem
    low, high = sorted((var1, var2))
    with mpmath.workdps(30):
        v1, v2 = mpmath.mpf(high), mpmath.mpf(low)
        threshold = n * d * mpmath.log(v1 / v2) / (1 / v2 - 1 / v1)

        def cdf(x):
            return mpmath.gammainc(mpmath.mpf(n * d) / 2, 0, x / 2, regularized=True)

        expected = float((cdf(threshold / v2) + 1 - cdf(threshold / v1)) / 2)
    assert bayes_accuracy(*problem) == pytest.approx(expected, rel=1e-12)


def test_the_books_task_has_the_limits_that_it_states():
    assert bayes_threshold(10, 5, 1.0, 0.8) == pytest.approx(44.63, abs=0.005)
    assert bayes_accuracy(10, 5, 1.0, 0.8) == pytest.approx(0.7108, abs=5e-5)
    assert bayes_loss(10, 5, 1.0, 0.8) == pytest.approx(0.5586, abs=5e-5)


@pytest.mark.parametrize("limit", [bayes_accuracy, bayes_loss, bayes_threshold])
@given(n=sizes, d=sizes, var1=variances, var2=variances)
def test_swapping_the_classes_changes_nothing(limit, n, d, var1, var2):
    assert limit(n, d, var1, var2) == limit(n, d, var2, var1)


@pytest.mark.parametrize("limit", [bayes_accuracy, bayes_loss])
@given(n=sizes, d=sizes, var1=variances, var2=variances, factor=st.floats(1e-3, 1e3))
def test_only_the_ratio_of_the_variances_matters(limit, n, d, var1, var2, factor):
    scaled = limit(n, d, factor * var1, factor * var2)
    assert scaled == pytest.approx(limit(n, d, var1, var2), rel=1e-9)


@pytest.mark.parametrize("limit", [bayes_accuracy, bayes_loss, bayes_threshold])
@given(n=sizes, d=sizes, var1=variances, var2=variances)
def test_only_the_number_of_entries_matters(limit, n, d, var1, var2):
    assert limit(n, d, var1, var2) == limit(n * d, 1, var1, var2)


def test_more_entries_tell_more():
    sizes = (1, 3, 10, 30, 100, 1000, 3000)
    accuracies = [bayes_accuracy(n, 1, 1.0, 0.8) for n in sizes]
    losses = [bayes_loss(n, 1, 1.0, 0.8) for n in sizes]
    assert accuracies == sorted(accuracies)
    assert losses == sorted(losses, reverse=True)
    assert accuracies[-1] > 0.999
    assert losses[-1] < 0.01


@pytest.mark.parametrize("ratio", [1.0, 1 + 1e-15, 1 + 1e-9, 1 + 1e-6])
def test_equal_variances_leave_a_coin(ratio):
    assert bayes_accuracy(10, 5, 2.0, 2.0 * ratio) == pytest.approx(0.5, abs=1e-5)
    assert bayes_loss(10, 5, 2.0, 2.0 * ratio) == pytest.approx(math.log(2), abs=1e-9)
    assert bayes_threshold(10, 5, 2.0, 2.0 * ratio) == pytest.approx(100.0, rel=1e-5)


@pytest.mark.parametrize("size", [1, 50, 10_000])
@pytest.mark.parametrize("ratio", [1.001, 2.0, 1e6, 1e12])
def test_the_loss_respects_the_accuracy(size, ratio):
    # A calibrated classifier's loss lies between what its mean error allows.
    error = 1 - bayes_accuracy(size, 1, 1.0, ratio)
    loss = bayes_loss(size, 1, 1.0, ratio)
    entropy = -sum(p * math.log(p) for p in (error, 1 - error) if p > 0)
    assert 2 * math.log(2) * error - 1e-12 <= loss <= entropy + 1e-9


def test_the_threshold_is_where_the_densities_of_the_sum_of_squares_cross():
    n, d, var1, var2 = 4, 3, 2.0, 0.5
    x = torch.full((n, d), math.sqrt(bayes_threshold(n, d, var1, var2) / (n * d)))
    densities = [Normal(0.0, math.sqrt(v)).log_prob(x).sum().item() for v in (var1, var2)]
    assert densities[0] == pytest.approx(densities[1], rel=1e-5)


@pytest.mark.parametrize("limit", [bayes_accuracy, bayes_loss, bayes_threshold])
@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((0, 5, 1.0, 0.8), ValueError, "n must be at least 1, got 0"),
        ((10, -1, 1.0, 0.8), ValueError, "d must be at least 1, got -1"),
        ((10, 5, 0.0, 0.8), ValueError, "var1 must be a positive, finite variance, got 0.0"),
        ((10, 5, 1.0, -0.8), ValueError, "var2 must be a positive, finite variance, got -0.8"),
        ((10, 5, 1.0, math.inf), ValueError, "var2 must be a positive, finite variance, got inf"),
        ((10, 5, 10**400, 1.0), ValueError, "var1 must be a positive, finite variance, got 1000"),
        ((10, 5, math.nan, 1.0), ValueError, "var1 must be a positive, finite variance, got nan"),
        ((10.0, 5, 1.0, 0.8), TypeError, "n must be an integer, got 10.0"),
        ((10, 5, "1", 0.8), TypeError, "var1 must be a number, got '1'"),
    ],
)
def test_bad_input_is_refused(limit, arguments, error, words):
    with pytest.raises(error, match=words):
        limit(*arguments)
