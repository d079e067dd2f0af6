"""Transitive groups: the affine and the projective line, and how transitive a group is."""

import itertools
import math
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from invariant_nets import (
    Permutation,
    PermutationGroup,
    affine_group,
    alternating_group,
    cyclic_group,
    dihedral_group,
    direct_product,
    mathieu_group,
    projective_group,
    rubiks_cube_group,
    symmetric_group,
    transitivity,
    trivial_group,
    wreath_product,
)
from invariant_nets.groups.orbits import pair_orbits
from invariant_nets.groups.transitive.lines import prime_power
from tests import oracles

PRIME_POWERS = [2, 3, 4, 5, 7, 8, 9, 11, 13, 16]


def rows(group):
    return [tuple(row) for row in torch.cat(list(group.elements())).tolist()]


@pytest.mark.parametrize("q", PRIME_POWERS)
def test_exactly_one_affine_map_takes_two_points_to_two_others(q):
    images = [row[:2] for row in rows(affine_group(q))]
    assert sorted(images) == sorted(itertools.permutations(range(q), 2))


@pytest.mark.parametrize("q", PRIME_POWERS)
def test_exactly_one_projective_map_takes_three_points_to_three_others(q):
    images = [(*row[:2], row[q]) for row in rows(projective_group(q))]
    assert sorted(images) == sorted(itertools.permutations(range(q + 1), 3))


@pytest.mark.parametrize("q", [2, 3, 5, 7, 11])
def test_over_a_prime_they_are_the_maps_modulo_it(q):
    affine = {
        tuple((a * x + b) % q for x in range(q))
        for a, b in itertools.product(range(1, q), range(q))
    }
    assert set(rows(affine_group(q))) == affine
    squares = {x * x % q for x in range(1, q)}
    found = {True: set(), False: set()}
    for a, b, c, d in itertools.product(range(q), repeat=4):
        if determinant := (a * d - b * c) % q:
            found[determinant in squares].add(mobius(a, b, c, d, q))
    assert set(rows(projective_group(q))) == found[True] | found[False]
    assert set(rows(projective_group(q, special=True))) == found[True]


def mobius(a, b, c, d, q):
    """Every point's image, infinity being point q."""
    images = []
    for x in range(q):
        above, below = (a * x + b) % q, (c * x + d) % q
        images.append(above * pow(below, -1, q) % q if below else q)
    return (*images, a * pow(c, -1, q) % q if c else q)


@pytest.mark.parametrize(("q", "p"), [(4, 2), (8, 2), (9, 3), (16, 2), (25, 5), (27, 3)])
def test_over_a_field_of_a_power_the_translations_add_digits_modulo_the_prime(q, p):
    def added(x, y):
        digits = ((x // p**i % p + y // p**i % p) % p * p**i for i in range(8) if p**i < q)
        return sum(digits)

    translations = {row for row in rows(affine_group(q)) if all(i != x for i, x in enumerate(row))}
    assert translations == {tuple(added(x, y) for x in range(q)) for y in range(1, q)}


@pytest.mark.parametrize("q", [3, 4, 5, 8, 9, 11])
def test_the_special_ones_are_half_of_the_maps_for_odd_numbers_and_all_for_even_ones(q):
    special, every = projective_group(q, special=True), projective_group(q)
    assert special.is_subgroup(every)
    assert special.order * (2 if q % 2 else 1) == every.order == (q + 1) * q * (q - 1)
    assert affine_group(q).order == q * (q - 1)


@pytest.mark.parametrize("q", [2, 3, 4, 9])
def test_their_orbitals_and_names_are_known(q):
    for group in (affine_group(q), projective_group(q), projective_group(q, special=True)):
        images = torch.stack([g.index_tensor for g in group.generators])
        assert torch.equal(group.orbitals(), pair_orbits(images, images))
        assert PermutationGroup(group.generators) == group
        assert pickle.loads(pickle.dumps(group)) == group
    assert affine_group(q).name == f"AGL(1, {q})"
    assert projective_group(q).name == f"PGL(2, {q})"
    assert projective_group(q, special=True).name == f"PSL(2, {q})"


@pytest.mark.parametrize("q", [1, 6, 10, 12, 36, 100])
@pytest.mark.parametrize("family", [affine_group, projective_group])
def test_there_is_no_field_of_another_size(family, q):
    with pytest.raises(ValueError, match=f"^q must be a prime power, got {q}$"):
        family(q)


@pytest.mark.parametrize("family", [affine_group, projective_group])
def test_a_size_that_is_no_number_of_points_is_refused(family):
    with pytest.raises(ValueError, match="q must be at least 1, got 0"):
        family(0)
    with pytest.raises(TypeError, match="q must be an integer"):
        family(4.0)


def test_prime_powers_are_told():
    primes = [p for p in range(2, 300) if all(p % i for i in range(2, p))]
    expected = {p**e: (p, e) for p in primes for e in range(1, 9) if p**e < 300}
    assert {q: prime_power(q) for q in range(300) if prime_power(q)} == expected


# How transitive a group is.


def transitivity_by_tuples(group):
    """The largest t such that the first t points go to all t-tuples of different points."""
    elements = oracles.closure(g.index_tensor.tolist() for g in group.generators)
    n = group.degree
    full = [t for t in range(1, n + 1) if len({g[:t] for g in elements}) == math.perm(n, t)]
    return max(full, default=0)


@given(n=st.integers(1, 6), count=st.integers(1, 3), data=st.data())
def test_it_is_as_transitive_as_its_tuples_say(n, count, data):
    order = st.permutations(range(n))
    group = PermutationGroup([Permutation(data.draw(order)) for _ in range(count)])
    assert transitivity(group) == transitivity_by_tuples(group)


SMALL = [
    *[named(n) for n in range(1, 6) for named in (symmetric_group, alternating_group,
                                                  cyclic_group, dihedral_group, trivial_group)],
    affine_group(5), affine_group(8), projective_group(4), projective_group(5),
    direct_product(symmetric_group(2), symmetric_group(3)),
    direct_product(symmetric_group(2), symmetric_group(3), on="grid"),
    direct_product(trivial_group(1), symmetric_group(4), on="grid"),
    direct_product(symmetric_group(4), trivial_group(1)),
    symmetric_group(3).on_tuples(2), symmetric_group(4).on_tuples(1),
    wreath_product(symmetric_group(2), symmetric_group(3)),
]  # fmt: skip


@pytest.mark.parametrize("group", SMALL, ids=lambda group: f"{group.name} on {group.degree}")
def test_chains_by_a_formula_tell_it_too(group):
    assert transitivity(group) == transitivity_by_tuples(group)


@pytest.mark.parametrize(
    ("group", "t"),
    [
        (mathieu_group(11), 4),
        (mathieu_group(12), 5),
        (mathieu_group(24), 5),
        (projective_group(9), 3),
        (projective_group(9, special=True), 2),
        (affine_group(11), 2),
        (projective_group(32), 3),
        (alternating_group(40), 38),
        (symmetric_group(300), 300),
        (cyclic_group(1000), 1),
        (rubiks_cube_group(), 0),
        (direct_product(symmetric_group(30), symmetric_group(20), on="grid"), 1),
    ],
    ids=str,
)
def test_it_is_known_of_the_groups_with_a_name(group, t):
    assert transitivity(group) == t


def test_only_a_group_is_transitive():
    with pytest.raises(TypeError, match=r"^group must be a PermutationGroup, got \[0, 1\]$"):
        transitivity([0, 1])
