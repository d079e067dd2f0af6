import itertools
import math

import pytest
import torch

from invariant_nets import (
    Permutation,
    PermutationGroup,
    alternating_group,
    create_permutations_from_generators,
    cyclic_generator,
    cyclic_group,
    dihedral_group,
    mathieu_group,
    pocket_cube_group,
    rubiks_cube_group,
    symmetric_group,
    trivial_group,
)
from invariant_nets.groups.enumeration import uniform_orders
from invariant_nets.groups.orbits import pair_orbits

ORDERS = {
    symmetric_group: math.factorial,
    alternating_group: lambda n: max(1, math.factorial(n) // 2),
    cyclic_group: lambda n: n,
    dihedral_group: lambda n: 2 * n if n > 2 else n,
    trivial_group: lambda n: 1,
}


def elements(group):
    return torch.cat(list(group.elements()))


@pytest.mark.parametrize("n", range(1, 7))
@pytest.mark.parametrize("named", ORDERS)
def test_the_closed_form_is_what_the_generators_generate(named, n):
    group = named(n)
    searched = PermutationGroup(group.generators)
    assert group.order == searched.order == ORDERS[named](n)
    assert {tuple(r) for r in elements(group).tolist()} == {
        tuple(r) for r in elements(searched).tolist()
    }
    for number, element in enumerate(group):
        assert group.rank(element) == number
        assert element in searched


@pytest.mark.parametrize("n", range(1, 6))
def test_the_symmetric_group_is_listed_in_lexicographic_order(n):
    assert elements(symmetric_group(n)).tolist() == [
        list(p) for p in itertools.permutations(range(n))
    ]


def test_draws_from_all_permutations_are_sorted_keys():
    seeds = [torch.Generator().manual_seed(0) for _ in range(2)]
    assert torch.equal(symmetric_group(9).sample(5, seeds[0]), uniform_orders(9, 5, seeds[1]))


@pytest.mark.parametrize("named", [cyclic_group, dihedral_group])
def test_a_long_cycle_is_no_table_of_all_its_shifts(named):
    n = 100_000  # the table would have 10¹⁰ entries
    group = named(n)
    assert group.order == ORDERS[named](n)
    shift, far = group.generators[0], group.unrank(group.order - 1)
    assert (shift @ shift in group, far in group) == (True, True)
    assert group.rank(far) == group.order - 1
    for row in group.sample(3, torch.Generator().manual_seed(0)):
        steps = (row.roll(-1) - row) % n
        assert len(steps.unique()) == 1
        assert Permutation(row) in group
    swap = torch.arange(n)
    swap[:2] = torch.tensor([1, 0])
    assert Permutation(swap) not in group


def test_the_examples_have_their_known_orders():
    assert rubiks_cube_group().order == 43_252_003_274_489_856_000
    assert mathieu_group(11).order == 7_920
    assert mathieu_group(12).order == 95_040
    assert mathieu_group(24).order == 244_823_040
    assert pocket_cube_group().order == math.factorial(7) * 3**6
    assert [len(orbit) for orbit in rubiks_cube_group().orbits()] == [24, 24]
    assert sorted(map(len, pocket_cube_group().orbits())) == [1, 1, 1, 21]


@pytest.mark.parametrize("named", ORDERS)
@pytest.mark.parametrize("n", [0, -1])
def test_no_points_no_group(named, n):
    with pytest.raises(ValueError, match="n must be at least 1"):
        named(n)


def test_a_mathieu_group_of_another_degree_is_refused():
    with pytest.raises(ValueError, match="n must be 11, 12 or 24, got 13"):
        mathieu_group(13)


@pytest.mark.parametrize("n", [*range(1, 13), 30])
@pytest.mark.parametrize("named", ORDERS)
def test_the_known_orbitals_are_those_of_the_generators(named, n):
    group = named(n)
    images = torch.stack([g.index_tensor for g in group.generators])
    assert group._orbitals is not None
    assert torch.equal(group.orbitals(), pair_orbits(images, images))
    assert group.orbitals().is_contiguous()
    # By its generators alone, as with any other action.
    assert torch.equal(group.orbitals(group), group.orbitals())
    assert torch.equal(PermutationGroup(group.generators).orbitals(), group.orbitals())


@pytest.mark.parametrize("named", ORDERS)
def test_what_is_written_to_orbitals_stays_there(named):
    group = named(5)
    expected = group.orbitals().clone()
    group.orbitals().fill_(7)
    assert torch.equal(group.orbitals(), expected)


def test_the_tables_hold_permutations():
    for group in (*map(mathieu_group, (11, 12, 24)), rubiks_cube_group(), pocket_cube_group()):
        assert PermutationGroup([g.index_tensor.tolist() for g in group.generators]) == group


@pytest.mark.parametrize("n", [1, 2, 5])
def test_the_cyclic_generator_generates_n_shifts(n):
    group = create_permutations_from_generators([cyclic_generator(n)])
    x = torch.arange(float(n))[:, None]
    assert [p(x).flatten().tolist() for p in group] == [
        x.flatten().roll(-k).tolist() for k in range(n)
    ]
