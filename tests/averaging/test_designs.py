"""What a design is worth: the subgroup that is chosen, and the ratio of the variances."""

import itertools
import math

import pytest
import torch

from invariant_nets import (
    PermutationGroup,
    affine_group,
    alternating_group,
    coset_subgroup,
    cyclic_group,
    dihedral_group,
    mathieu_group,
    mlp,
    projective_group,
    symmetric_group,
    transitivity,
    trivial_group,
    variance_ratios,
)
from invariant_nets.averaging.cosets import Cosets
from invariant_nets.averaging.designs import _PARTS

S_4 = list(itertools.permutations(range(4)))


def source(seed=0):
    return torch.Generator().manual_seed(seed)


def characters(order):
    """Of the four parts, by the fixed points and the swaps of a permutation."""
    n = len(order)
    fixed = sum(order[i] == i for i in range(n))
    swaps = sum(order[order[i]] == i and order[i] > i for i in range(n))
    inversions = sum(order[i] > order[j] for i, j in itertools.combinations(range(n), 2))
    pairs = math.comb(fixed, 2)
    return (
        fixed - 1,
        pairs + swaps - fixed,  # pairs that stay, without those of the parts below
        pairs - swaps - fixed + 1,  # pairs with their signs
        (-1) ** inversions,
    )


SUBGROUPS = [
    trivial_group(4), cyclic_group(4), dihedral_group(4), alternating_group(4), symmetric_group(4),
    affine_group(4), PermutationGroup([[1, 0, 3, 2]]), PermutationGroup([[1, 0, 2, 3]]),
]  # fmt: skip


@pytest.mark.parametrize("subgroup", SUBGROUPS, ids=lambda group: group.name)
def test_the_ratios_are_those_of_the_variances_over_all_cosets(subgroup):
    """A character of S_4 is a function of its part; here the variances are exact sums."""
    values = torch.tensor([characters(order) for order in S_4], dtype=torch.float64)
    values /= values.square().mean(0).sqrt()
    number = {order: i for i, order in enumerate(S_4)}
    elements = [tuple(h.index_tensor.tolist()) for h in subgroup]
    means = torch.stack(
        [
            torch.stack([values[number[tuple(s[h[i]] for i in t)]] for h in elements]).mean(0)
            for s, t in itertools.product(S_4, repeat=2)
        ]
    )
    expected = subgroup.order * means.var(0, correction=0)
    found = variance_ratios(subgroup)
    whole = subgroup.order == 24
    for part, ratio in zip(_PARTS, expected.tolist(), strict=True):
        assert found[part] == pytest.approx(0 if whole else ratio, abs=1e-12)


def test_the_ratios_of_the_table():
    def rounded(group):
        return [round(ratio, 2) for ratio in variance_ratios(group).values()]

    assert rounded(cyclic_group(10)) == [0, 1.14, 1.11, 0]
    assert rounded(cyclic_group(11)) == [0, 1, 1.22, 11]
    for group in (affine_group(11), projective_group(9)):
        assert rounded(group) == [0, 0, 0, 0]
    assert rounded(mathieu_group(12)) == [0, 0, 0, 95_040]
    assert rounded(trivial_group(7)) == [1, 1, 1, 1]


def test_ratios_need_a_group_of_four_points():
    with pytest.raises(TypeError, match=r"^subgroup must be a PermutationGroup, got 3$"):
        variance_ratios(3)
    with pytest.raises(ValueError, match=r"^subgroup must permute at least 4 points, got 3$"):
        variance_ratios(cyclic_group(3))


# The subgroup that is chosen.


@pytest.mark.parametrize(
    ("n", "samples", "name"),
    [
        (1, 1, "S_1"), (2, 1, "{e}"), (2, 2, "S_2"), (3, 5, "C_3"), (4, 12, "AGL(1, 4)"),
        (4, 24, "S_4"), (5, 60, "PGL(2, 4)"), (6, 6, "C_6"), (6, 60, "PSL(2, 5)"),
        (6, 120, "PGL(2, 5)"), (8, 56, "AGL(1, 8)"), (8, 335, "AGL(1, 8)"), (8, 336, "PGL(2, 7)"),
        (9, 503, "AGL(1, 9)"), (9, 504, "PGL(2, 8)"), (10, 9, "{e}"), (10, 10, "C_10"),
        (10, 359, "C_10"), (10, 360, "PSL(2, 9)"), (10, 720, "PGL(2, 9)"), (11, 7919, "AGL(1, 11)"),
        (11, 7920, "M_11"), (12, 95_039, "PGL(2, 11)"), (12, 95_040, "M_12"), (15, 10**6, "C_15"),
        (100, 10**5, "C_100"),
    ],
)  # fmt: skip
def test_the_most_transitive_one_that_there_is_room_for_is_chosen(n, samples, name):
    found = coset_subgroup(n, samples)
    assert (found.name, found.degree) == (name, n)
    assert found.order <= samples


@pytest.mark.parametrize("n", range(1, 15))
def test_more_samples_never_choose_a_less_transitive_one(n):
    last = -1
    for samples in (1, n, 2 * n, n * n, 500, 1000, 10_000):
        found = coset_subgroup(n, samples)
        assert found.order <= samples
        t = transitivity(found)
        assert t >= max(last, samples >= n)
        last = t


@pytest.mark.parametrize("arguments", [(0, 5), (5, 0)])
def test_no_points_and_no_samples_are_refused(arguments):
    with pytest.raises(ValueError, match="must be at least 1, got 0"):
        coset_subgroup(*arguments)


# What it is worth.


def means(function, x, subgroup, number, right=True):
    """The means over some cosets of a subgroup, a row of them for each set."""
    group = symmetric_group(x.shape[1])
    cosets = Cosets(group, subgroup, number)
    left, other = cosets.draw(source())
    if not right:
        other = torch.arange(group.degree).expand_as(other)
    elements = torch.cat(list(subgroup.elements()))
    return torch.stack(
        [
            function(x[:, order].flatten(0, 1)).view(len(x), -1).mean(1)
            for order in cosets.chunks((left, other), elements, len(elements), slice(None))
        ],
        1,
    )


def gain(function, x, subgroup, number, right=True):
    """The variance of as many independent draws over that of the design."""
    draws = symmetric_group(x.shape[1]).sample(4000, source(1))
    single = function(x[:, draws].flatten(0, 1)).view(len(x), -1).var(1)
    found = means(function, x, subgroup, number, right).var(1)
    return float((single / subgroup.order).sum() / found.sum())


@torch.no_grad()
def test_an_untrained_network_varies_less_over_cosets():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network, x = mlp(10, 5), torch.randn(8, 10, 5)
    assert 1.8 < gain(network, x, cyclic_group(10), 400) < 4
    assert gain(network, x, projective_group(9), 40) > 8


def circular(x):
    """Invariant to shifts, and no linear function of pairs."""
    return (x * x.roll(1, 1) * x.roll(3, 1).tanh()).sum((1, 2)).tanh()


def test_a_network_that_is_invariant_to_the_subgroup_needs_draws_on_the_right():
    x = torch.randn(8, 10, 2, generator=source(), dtype=torch.float64)
    assert 0.6 < gain(circular, x, cyclic_group(10), 400) < 1.3
    assert gain(circular, x, cyclic_group(10), 400, right=False) == pytest.approx(0.1, rel=0.3)


EXACT = [
    (cyclic_group(7), 1), (affine_group(7), 2), (projective_group(5), 3),
    (projective_group(9, special=True), 2), (projective_group(8), 3), (mathieu_group(11), 4),
    pytest.param(mathieu_group(12), 5, marks=pytest.mark.slow),
]  # fmt: skip


@pytest.mark.parametrize(("subgroup", "t"), EXACT, ids=str)
def test_a_coset_gives_functions_of_the_degree_of_its_transitivity_exactly(subgroup, t):
    n = subgroup.degree
    x = torch.randn(3, n, 1, generator=source(), dtype=torch.float64)
    assert transitivity(subgroup) == t

    chosen = itertools.combinations(range(n), t)
    exact = torch.stack([x[:, list(c), 0].prod(1) for c in chosen]).mean(0)
    found = means(lambda x: x[:, :t, 0].prod(1), x, subgroup, 2)
    torch.testing.assert_close(found, exact[:, None].expand(3, 2), rtol=0, atol=1e-14)
    # One degree more, and two cosets differ.
    powers = torch.arange(t + 1) + 1
    one, other = means(lambda x: (x[:, : t + 1, 0] ** powers).prod(1), x, subgroup, 2).unbind(1)
    assert (one - other).abs().max() > 1e-4
