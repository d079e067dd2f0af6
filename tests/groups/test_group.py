import copy
import itertools
import math
import pickle
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

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
from invariant_nets.groups.products import moved_axes, young_subgroup
from tests import oracles
from tests.examples import examples


@st.composite
def generators(draw, max_degree=6):
    n = draw(st.integers(1, max_degree))
    return draw(st.lists(st.permutations(range(n)), min_size=1, max_size=3))


def rows(group, **options):
    return [tuple(row) for chunk in group.elements(**options) for row in chunk.tolist()]


@given(generators())
@examples(60)
def test_the_elements_are_the_closure_each_once(images):
    group = PermutationGroup(images)
    listed = rows(group)
    assert set(listed) == oracles.closure(images)
    assert len(listed) == len(set(listed)) == group.order == len(group)
    assert listed[0] == tuple(range(group.degree))


@given(generators(), st.randoms(use_true_random=False))
@examples(60)
def test_membership_and_numbers_agree_with_the_list(images, random):
    group = PermutationGroup(images)
    closure = oracles.closure(images)
    listed = rows(group)
    for _ in range(5):
        candidate = list(range(group.degree))
        random.shuffle(candidate)
        assert (Permutation(candidate) in group) == (tuple(candidate) in closure)
    number = random.randrange(group.order)
    element = group.unrank(number)
    assert tuple(element.index_tensor.tolist()) == listed[number]
    assert group.rank(element) == number


@st.composite
def ranges(draw):
    """A group, and a range of the numbers of its elements."""
    group = PermutationGroup(draw(generators()))
    start = draw(st.integers(0, group.order))
    return group, start, draw(st.integers(start, group.order))


@given(ranges(), st.integers(1, 7))
@examples(40)
def test_any_range_in_any_chunks_is_a_slice_of_the_list(part, size):
    group, start, stop = part
    assert rows(group, start=start, stop=stop, chunk_size=size) == rows(group)[start:stop]
    assert all(len(c) <= size for c in group.elements(start, stop, size))


@given(generators(), generators())
@examples(40)
def test_subgroups_and_equality_are_those_of_sets(first, second):
    a, b = PermutationGroup(first), PermutationGroup(second)
    if a.degree != b.degree:
        assert a != b
        assert not a.is_subgroup(b)
        return
    assert a.is_subgroup(b) == (oracles.closure(first) <= oracles.closure(second))
    assert (a == b) == (oracles.closure(first) == oracles.closure(second))
    assert a != b or hash(a) == hash(b)


def test_groups_of_other_degrees_and_orders_have_other_hashes():
    groups = [symmetric_group(5), cyclic_group(5), cyclic_group(6), dihedral_group(3)]
    assert len({hash(group) for group in groups}) == 4


@given(generators())
@examples(60)
def test_orbits_and_stabilizers_are_those_of_the_definition(images):
    group, closure = PermutationGroup(images), oracles.closure(images)
    for point in range(group.degree):
        orbit = {g[point] for g in closure}
        assert tuple(sorted(orbit)) in group.orbits()
        stabilizer = group.stabilizer(point)
        assert set(rows(stabilizer)) == {g for g in closure if g[point] == point}
    assert sorted(sum(group.orbits(), ())) == list(range(group.degree))


def test_a_stabilizer_takes_nothing_from_the_global_source_of_randomness():
    before = torch.get_rng_state()
    assert symmetric_group(5).stabilizer(2).order == 24
    assert torch.equal(torch.get_rng_state(), before)


@given(generators())
@examples(60)
def test_the_number_of_orbits_is_burnsides_average(images):
    group = PermutationGroup(images)
    closure = oracles.closure(images)
    fixed = [sum(g[i] == i for i in range(group.degree)) for g in closure]
    assert sum(fixed) == len(group.orbits()) * len(closure)
    assert sum(f**2 for f in fixed) == (int(group.orbitals().max()) + 1) * len(closure)


def test_burnsides_average_tells_a_wrong_count():
    group = symmetric_group(4)
    fixed = [sum(g[i] == i for i in range(4)) for g in rows(group)]
    assert sum(fixed) != 2 * len(fixed)


def test_orbitals_of_two_actions():
    group = symmetric_group(4)
    pairs = group.on_tuples(2)
    numbers = pairs.orbitals(group)
    assert numbers.shape == (16, 4)
    assert int(numbers.max()) + 1 == 5  # the patterns of three indices
    assert int(pairs.orbitals().max()) + 1 == 15  # of four
    with pytest.raises(ValueError, match=r"^other must .* generator by generator: got 1 .* for 2$"):
        group.orbitals(cyclic_group(4))


@given(generators(max_degree=4), st.integers(1, 3))
@examples(30)
def test_tuples_of_points_are_moved_in_the_order_of_the_elements(images, k):
    group = PermutationGroup(images, "G")
    moved, n = group.on_tuples(k), group.degree
    assert (moved.name, moved.shape, moved.order) == (f"G on {k}-tuples", (n,) * k, group.order)
    assert rows(moved) == list(on_tuples(group, k))


@pytest.mark.parametrize("group", [symmetric_group(4), alternating_group(5), dihedral_group(4)])
def test_tuples_are_moved_in_the_order_that_is_known_of_a_named_group(group):
    assert rows(group.on_tuples(2)) == list(on_tuples(group, 2))


def on_tuples(group, k):
    """How each element moves the tuples of points, numbered row by row."""
    tuples = list(itertools.product(range(group.degree), repeat=k))
    for g in rows(group):
        yield tuple(tuples.index(tuple(g[i] for i in t)) for t in tuples)


def test_by_default_a_chunk_has_about_a_million_entries():
    assert [len(chunk) for chunk in symmetric_group(9).elements()] == [2**20 // 9] * 3 + [13_356]


def test_samples_are_uniform_on_m11():
    group = mathieu_group(11)
    draws = group.sample(200_000, torch.Generator().manual_seed(0))
    numbers = [group.rank(Permutation(row)) for row in draws[:2000]]
    assert len(set(numbers)) > 1500
    counts = draws.unique(dim=0, return_counts=True)[1]
    assert len(counts) == group.order
    assert chisquare(counts.numpy()).pvalue > 1e-4
    # The test can fail: draws of which each hundredth is the identity.
    draws[::100] = torch.arange(11)
    assert chisquare(draws.unique(dim=0, return_counts=True)[1].numpy()).pvalue < 1e-4


def test_samples_of_every_kind_are_elements_and_reproducible():
    for group in (symmetric_group(30), rubiks_cube_group(), alternating_group(9), trivial_group(3)):
        draws = group.sample(5, torch.Generator().manual_seed(3))
        assert draws.dtype == torch.int64
        assert torch.equal(draws, group.sample(5, torch.Generator().manual_seed(3)))
        assert all(Permutation(row) in group for row in draws)


def test_large_groups_are_exact():
    assert symmetric_group(100).order == math.factorial(100)
    plain = PermutationGroup(symmetric_group(100).generators)
    assert plain == symmetric_group(100)
    assert alternating_group(60) == PermutationGroup(alternating_group(60).generators)
    assert symmetric_group(60).stabilizer(7).order == math.factorial(59)
    last = symmetric_group(40).unrank(math.factorial(40) - 1)
    assert last.index_tensor.tolist() == list(range(39, -1, -1))
    with pytest.raises(OverflowError, match="order"):
        len(symmetric_group(100))
    assert symmetric_group(100)  # though it has no len()


def test_the_largest_length_is_told():
    # 2⁶³ − 1
    factors = 49, 73, 127, 337, 92_737, 649_657
    assert len(direct_product(*map(cyclic_group, factors))) == sys.maxsize
    with pytest.raises(OverflowError, match=f"{sys.maxsize + 1}"):
        len(direct_product(*[cyclic_group(2)] * 63))


def test_iteration_is_lazy_and_gives_permutations():
    first = list(itertools.islice(symmetric_group(60), 3))
    assert all(isinstance(p, Permutation) for p in first)
    assert list(symmetric_group(3)) == [Permutation(p) for p in itertools.permutations(range(3))]


def test_s8_and_m11_list_every_element_exactly_once():
    for group, order in ((symmetric_group(8), 40320), (mathieu_group(11), 7920)):
        listed = torch.cat(list(group.elements()))
        assert len(listed) == len(listed.unique(dim=0)) == order
        assert torch.equal(listed.sort(-1).values, torch.arange(group.degree).expand_as(listed))


def test_names_read_well():
    assert repr(symmetric_group(5)) == "PermutationGroup(S_5, degree=5)"
    assert PermutationGroup([[1, 0, 2]]).name == "⟨(0 1)⟩"
    assert PermutationGroup(symmetric_group(50).generators).name == "⟨2 generators⟩"
    assert direct_product(symmetric_group(3), cyclic_group(4)).name == "S_3 × C_4"


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([], "^generators must hold at least one permutation"),
        ([[1, 0], [1, 2, 0]], "^generators must .*one size"),
        ([[0.0, 1.0]], "integers"),
        ([[0, 0, 1]], "once"),
    ],
)
def test_what_generates_no_group_is_refused(images, message):
    with pytest.raises(ValueError, match=message):
        PermutationGroup(images)


@pytest.mark.parametrize("value", [3, Permutation([1, 0]), cyclic_group(3)])
def test_a_group_is_made_from_many_generators(value):
    with pytest.raises(TypeError, match="iterable of permutations"):
        PermutationGroup(value)


def test_bad_arguments_are_refused_at_once():
    group = cyclic_group(5)
    with pytest.raises(ValueError, match="stop must be at most the order 5, got 6"):
        group.elements(0, 6)
    with pytest.raises(ValueError, match=r"^start must be at least 0, got -1"):
        group.elements(-1)
    with pytest.raises(ValueError, match=r"^stop must be at least 3"):
        group.elements(3, 2)
    with pytest.raises(ValueError, match=r"^chunk_size must be at least 1"):
        group.elements(chunk_size=0)
    with pytest.raises(ValueError, match=r"^k must be at least 1"):
        group.sample(0)
    with pytest.raises(ValueError, match="number must be below the order 5"):
        group.unrank(5)
    with pytest.raises(ValueError, match="permutation must be in C_5"):
        group.rank(Permutation([1, 0, 2, 3, 4]))
    with pytest.raises(ValueError, match="permutation must be in C_5"):
        group.rank(Permutation([1, 0]))
    with pytest.raises(ValueError, match=r"^point must be at least 0, got -1"):
        group.stabilizer(-1)
    with pytest.raises(ValueError, match=r"permutation must be in C_5, got \[0, 1, 2, 3, 4\]"):
        group.rank([0, 1, 2, 3, 4])
    with pytest.raises(ValueError, match=r"^number must be at least 0, got -1"):
        group.unrank(-1)
    with pytest.raises(ValueError, match=r"^k must be at least 1, got 0"):
        group.on_tuples(0)
    with pytest.raises(ValueError, match="point must be below the degree 5"):
        group.stabilizer(5)
    with pytest.raises(TypeError, match="of must be a PermutationGroup"):
        group.is_subgroup([Permutation([1, 0])])
    assert [0, 1, 2, 3, 4] not in group
    assert group != "C_5"


@pytest.mark.parametrize(
    "group",
    [
        PermutationGroup([[1, 0, 2, 3], [1, 2, 3, 0]]),
        symmetric_group(5),
        alternating_group(5),
        cyclic_group(5),
        dihedral_group(5),
        trivial_group(5),
        mathieu_group(11),
        direct_product(symmetric_group(3), cyclic_group(2)),
        direct_product(symmetric_group(3), cyclic_group(2), on="grid"),
        wreath_product(symmetric_group(3), cyclic_group(2)),
        young_subgroup([[0, 3], [1, 2, 4]], 6),
        symmetric_group(4).on_tuples(2),
    ],
    ids=lambda group: group.name,
)
@pytest.mark.parametrize("used", [False, True])
def test_a_copy_is_the_same_group_with_the_same_numbers(group, used):
    if used:
        group.sample(2)
    for other in (pickle.loads(pickle.dumps(group)), copy.deepcopy(group)):
        assert other == group
        assert (other.name, other.shape) == (group.name, group.shape)
        chunk = next(group.elements(chunk_size=50))
        assert torch.equal(next(other.elements(chunk_size=50)), chunk)
        seeds = [torch.Generator().manual_seed(0) for _ in range(2)]
        assert torch.equal(other.sample(9, seeds[0]), group.sample(9, seeds[1]))


def test_another_action_is_read_by_its_generators_even_of_a_named_group():
    # The same generators on points numbered backward: what is known of S_3 must not answer.
    group = symmetric_group(3)
    reversed_points = PermutationGroup(
        [[2 - i for i in g.index_tensor.tolist()][::-1] for g in group.generators]
    )
    assert torch.equal(group.orbitals(reversed_points), 1 - group.orbitals().flip(1))


def test_members_move_along_one_axis_and_entries_of_a_matrix_along_two():
    grid = direct_product(symmetric_group(3), cyclic_group(2), on="grid")
    assert moved_axes(symmetric_group(4), torch.zeros(2, 4, 3)) == 1
    assert moved_axes(grid, torch.zeros(2, 3, 2)) == 2
    assert moved_axes(grid, torch.zeros(2, 6, 1)) == 1
    with pytest.raises(ValueError, match=r"S_4 permutes, \(batch, 4, d\), got \(2, 3, 3\)"):
        moved_axes(symmetric_group(4), torch.zeros(2, 3, 3))
    with pytest.raises(ValueError, match=r"or matrices \(batch, 3, 2\), got \(2, 2, 3\)"):
        moved_axes(grid, torch.zeros(2, 2, 3))
