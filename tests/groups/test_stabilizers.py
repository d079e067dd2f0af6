"""Stabilizers of points against the definition, and by the orders of orbits."""

import copy
import math
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from invariant_nets import (
    Permutation,
    PermutationGroup,
    alternating_group,
    cyclic_group,
    dihedral_group,
    direct_product,
    mathieu_group,
    rubiks_cube_group,
    symmetric_group,
    trivial_group,
    wreath_product,
)
from invariant_nets.groups.finding import schreier_sims, stabilizers
from invariant_nets.groups.products import young_subgroup
from tests.examples import examples

KNOWN = [
    symmetric_group(1),
    symmetric_group(2),
    symmetric_group(5),
    alternating_group(3),
    alternating_group(4),
    alternating_group(5),
    cyclic_group(2),
    cyclic_group(6),
    dihedral_group(1),
    dihedral_group(2),
    dihedral_group(3),
    dihedral_group(6),
    trivial_group(3),
    direct_product(symmetric_group(3), cyclic_group(4)),
    direct_product(symmetric_group(3), dihedral_group(4), on="grid"),
    direct_product(symmetric_group(2), symmetric_group(3), cyclic_group(2), on="grid"),
    wreath_product(symmetric_group(3), symmetric_group(2)),
    wreath_product(cyclic_group(2), PermutationGroup([[1, 0, 3, 2]])),
    wreath_product(PermutationGroup([[1, 0, 2]]), cyclic_group(3)),
    wreath_product(trivial_group(2), symmetric_group(3)),
    young_subgroup([[0, 3], [1, 2, 4]], 6),
    symmetric_group(4).on_tuples(2),
    cyclic_group(4).on_tuples(2),
    direct_product(symmetric_group(2), symmetric_group(3), on="grid").on_tuples(2),
    PermutationGroup([[1, 2, 3, 0, 5, 6, 7, 4], [1, 0, 2, 3, 5, 4, 6, 7]]),
    PermutationGroup([[1, 2, 3, 0, 5, 4], [1, 0, 2, 3, 5, 4]]),
]


def rows(group):
    return {tuple(row) for chunk in group.elements() for row in chunk.tolist()}


@pytest.mark.parametrize("group", KNOWN, ids=lambda group: f"{group.name}, {group.degree}")
@pytest.mark.parametrize("kind", ["known", "by generators"])
def test_a_stabilizer_holds_what_leaves_the_point(group, kind):
    elements = rows(group)
    known = group if kind == "known" else PermutationGroup(group.generators)
    for point in range(group.degree):
        stabilizer = known.stabilizer(point)
        expected = {g for g in elements if g[point] == point}
        assert rows(stabilizer) == expected
        assert stabilizer.order == len(expected)
        # Its generators generate it, and its chain is one of the group that they generate.
        assert rows(PermutationGroup(stabilizer.generators)) == expected
        assert (stabilizer.shape, stabilizer.axes) == (known.shape, known.axes)


@pytest.mark.parametrize("group", KNOWN[::2], ids=lambda group: f"{group.name}, {group.degree}")
def test_a_copy_of_a_stabilizer_is_the_same_with_the_same_numbers(group):
    for plain in (group, PermutationGroup(group.generators)):
        stabilizer = plain.stabilizer(plain.degree - 1)
        for other in (pickle.loads(pickle.dumps(stabilizer)), copy.deepcopy(stabilizer)):
            assert other == stabilizer
            number = stabilizer.order - 1
            assert other.unrank(number) == stabilizer.unrank(number)


LARGE = {
    "grid": direct_product(symmetric_group(30), symmetric_group(30), on="grid"),
    "pairs": symmetric_group(30).on_tuples(2),
    "wreath": wreath_product(cyclic_group(2), symmetric_group(25)),
    "Sylow": wreath_product(
        wreath_product(wreath_product(cyclic_group(2), cyclic_group(2)), cyclic_group(2)),
        cyclic_group(2),
    ),
    "S_n": symmetric_group(1000),
    "cube": rubiks_cube_group(),
    "cube by itself": PermutationGroup(rubiks_cube_group().generators),
    "adjacent": PermutationGroup(
        [Permutation.from_cycles(60, (i, i + 1)) for i in range(59)],
    ),
    "even": PermutationGroup([Permutation.from_cycles(60, (0, 1, i)) for i in range(2, 60)]),
    "one cycle": PermutationGroup([[*range(1, 3000), 0]]),
    "two cycles": PermutationGroup([Permutation.from_cycles(50, range(20), range(20, 50))]),
    "many": PermutationGroup([Permutation.from_cycles(80, (2 * i, 2 * i + 1)) for i in range(40)]),
    "wreath by generators": PermutationGroup(
        wreath_product(cyclic_group(2), symmetric_group(17)).generators
    ),
}


@pytest.mark.parametrize("name", LARGE)
def test_large_groups_have_theirs_by_orbit_and_order(name):
    group = LARGE[name]
    orbits = group.orbit_numbers()
    for point in (0, group.degree // 2, group.degree - 1):
        stabilizer = group.stabilizer(point)
        assert stabilizer.order * int((orbits == orbits[point]).sum()) == group.order
        assert all(int(g.index_tensor[point]) == point for g in stabilizer.generators)
        assert stabilizer.is_subgroup(group)
        if group.degree <= 100 or name == "S_n":
            assert PermutationGroup(stabilizer.generators).order == stabilizer.order


def test_two_stabilizers_in_turn():
    group = PermutationGroup(mathieu_group(24).generators)
    orders = [group.order]
    for point in (3, 17, 8, 0, 11):
        group = group.stabilizer(point)
        orders.append(group.order)
    assert orders == [244_823_040, 10_200_960, 443_520, 20_160, 960, 48]


def test_a_point_that_stays_has_the_group_itself():
    group = direct_product(symmetric_group(3), trivial_group(2))
    assert group.stabilizer(4) is group


@pytest.mark.parametrize("most", [0, 256])
def test_more_elements_are_drawn_where_two_are_too_few(monkeypatch, most):
    monkeypatch.setattr(stabilizers, "MOST_POINTS", most)
    # 2¹⁴, with generators that overlap: no thirteen elements generate it.
    swaps = [Permutation.from_cycles(30, (2 * i, 2 * i + 1)) for i in range(15)]
    mixed = [swaps[i] @ swaps[i + 1] for i in range(14)]
    group = PermutationGroup(mixed)
    assert group.order == 2**14
    stabilizer = group.stabilizer(5)
    assert stabilizer.order == 2**13
    assert len(stabilizer.generators) >= 13


def test_on_many_points_random_elements_generate_a_stabilizer(monkeypatch):
    monkeypatch.setattr(stabilizers, "MOST_POINTS", 0)
    monkeypatch.setattr(schreier_sims, "MOST_POINTS", 0)
    for known in (KNOWN[5], KNOWN[11], KNOWN[14], KNOWN[18], KNOWN[21], mathieu_group(11)):
        group = PermutationGroup(known.generators)
        elements = rows(group)
        for point in range(group.degree):
            stabilizer = group.stabilizer(point)
            assert rows(stabilizer) == {g for g in elements if g[point] == point}
            assert rows(PermutationGroup(stabilizer.generators)) == rows(stabilizer)
            assert rows(pickle.loads(pickle.dumps(stabilizer))) == rows(stabilizer)


@given(st.lists(st.permutations(range(7)), min_size=1, max_size=3), st.integers(0, 6))
@examples(60)
def test_pairs_of_draws_leave_the_point(images, point):
    group = PermutationGroup(images)
    draws = group.sample(30, torch.Generator().manual_seed(0))
    found = stabilizers._fixing(draws, point, torch.arange(7))
    assert (found[:, point] == point).all()
    assert all(Permutation(row) in group for row in found)


def test_the_search_for_a_stabilizer_is_without_a_second_proof(monkeypatch):
    group = rubiks_cube_group()
    monkeypatch.setattr(stabilizers, "MOST_POINTS", 0)
    monkeypatch.setattr(schreier_sims, "MOST_POINTS", 0)
    assert group.order  # its chain is there
    monkeypatch.setattr(schreier_sims.RandomChain, "prove", None)
    assert group.stabilizer(7).order * 24 == group.order


def test_the_stabilizer_in_s_n_is_everything_on_the_other_points():
    stabilizer = symmetric_group(40).stabilizer(7)
    assert stabilizer.order == math.factorial(39)
    others = [i for i in range(40) if i != 7]
    assert stabilizer == young_subgroup([others], 40)
    draw = stabilizer.sample(3, torch.Generator().manual_seed(1))
    assert torch.equal(draw[:, 7], torch.full((3,), 7))
