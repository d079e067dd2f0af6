import itertools
import math

import pytest
import torch

from invariant_nets import (
    Permutation,
    PermutationGroup,
    alternating_group,
    cyclic_group,
    dihedral_group,
    direct_product,
    mathieu_group,
    pocket_cube_group,
    rubiks_cube_group,
    symmetric_group,
    trivial_group,
)

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


PRODUCTS = {
    "union": direct_product(symmetric_group(3), dihedral_group(4)),
    "grid": direct_product(symmetric_group(3), alternating_group(4), on="grid"),
    "three": direct_product(cyclic_group(2), cyclic_group(3), symmetric_group(2), on="grid"),
    "pairs": symmetric_group(4).on_tuples(2),
    "triples": cyclic_group(3).on_tuples(3),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_and_actions_on_tuples_keep_their_chain(name):
    group = PRODUCTS[name]
    listed = elements(group)
    assert len(listed.unique(dim=0)) == len(listed) == group.order
    assert PermutationGroup(group.generators) == group
    assert [group.rank(g) for g in group] == list(range(group.order))
    swapped = [1, 0, *range(2, group.degree)]
    assert (Permutation(swapped) in group) == (swapped in listed.tolist())


def test_a_product_acts_on_the_axes_that_it_names():
    g, h = Permutation([1, 2, 0]), Permutation([1, 0])
    matrix = torch.arange(6).view(3, 2)
    product = direct_product(PermutationGroup([g]), PermutationGroup([h]), on="grid")
    both = {tuple(p(matrix.flatten(), dim=0).tolist()) for p in product}
    powers = [Permutation.identity(3), g, g @ g]
    assert both == {
        tuple(q(p(matrix), dim=1).flatten().tolist())
        for p in powers
        for q in (Permutation.identity(2), h)
    }
    assert product.shape == (3, 2)
    union = direct_product(PermutationGroup([g]), PermutationGroup([h]))
    assert union.orbits() == ((0, 1, 2), (3, 4))


def test_an_action_on_tuples_moves_every_index():
    g = Permutation([2, 0, 1])
    (moved,) = PermutationGroup([g]).on_tuples(2).generators
    matrix = torch.arange(9).view(3, 3)
    assert torch.equal(
        moved(matrix.flatten(), dim=0).view(3, 3), matrix[g.index_tensor][:, g.index_tensor]
    )


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


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="'union' or 'grid'"):
        direct_product(cyclic_group(2), on="wreath")
    with pytest.raises(ValueError, match="at least one group"):
        direct_product()
    with pytest.raises(TypeError, match="PermutationGroup"):
        direct_product(cyclic_group(2), [Permutation([1, 0])])
    with pytest.raises(ValueError, match="n must be 11, 12 or 24, got 13"):
        mathieu_group(13)
