import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from invariant_nets import (
    OrbitInvariant,
    OrbitLinear,
    Permutation,
    PermutationGroup,
    alternating_group,
    cyclic_group,
    dihedral_group,
    direct_product,
    symmetric_group,
    symmetry_report,
    trivial_group,
    wreath_product,
)
from invariant_nets.groups.orbits import first_points, pair_orbits


def elements(group):
    return torch.cat(list(group.elements()))


PRODUCTS = {
    "union": direct_product(symmetric_group(3), dihedral_group(4)),
    "grid": direct_product(symmetric_group(3), alternating_group(4), on="grid"),
    "three": direct_product(cyclic_group(2), cyclic_group(3), symmetric_group(2), on="grid"),
    "blocks": wreath_product(symmetric_group(3), symmetric_group(2)),
    "cyclic blocks": wreath_product(cyclic_group(2), cyclic_group(4)),
    "blocks in two orbits": wreath_product(
        cyclic_group(3), direct_product(cyclic_group(2), trivial_group(1))
    ),
    "blocks of one point": wreath_product(trivial_group(1), dihedral_group(4)),
    "one block": wreath_product(alternating_group(4), trivial_group(1)),
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


def test_the_wreath_product_permutes_blocks_and_what_is_in_them():
    # Every choice of an order in each of two blocks, and of the order of the blocks.
    group = wreath_product(symmetric_group(3), symmetric_group(2))
    expected = set()
    for first, second in itertools.product(itertools.permutations(range(3)), repeat=2):
        for blocks in ((first, [3 + i for i in second]), ([3 + i for i in first], second)):
            expected.add((*blocks[0], *blocks[1]))
    assert {tuple(row) for row in elements(group).tolist()} == expected
    assert len(expected) == 72


@pytest.mark.parametrize(("m", "k"), [(3, 4), (5, 3), (10, 10)])
def test_a_set_of_sets_has_its_order_and_three_orbitals(m, k):
    group = wreath_product(symmetric_group(m), symmetric_group(k))
    assert group.order == math.factorial(m) ** k * math.factorial(k)
    assert int(group.orbitals().max()) + 1 == 3
    assert group.shape == (k, m)
    assert group.name == f"S_{m} ≀ S_{k}"
    draws = group.sample(50, torch.Generator().manual_seed(0))
    assert all(Permutation(draw) in group for draw in draws)


def test_a_network_of_its_layers_reads_sets_of_sets():
    group = wreath_product(symmetric_group(4), symmetric_group(3))
    network = nn.Sequential(OrbitLinear(group, 2, 8), nn.ReLU(), OrbitInvariant(group, 8, 1))
    x = torch.randn(16, 12, 2)
    assert symmetry_report(network, x, group, double=True)
    assert not symmetry_report(network, x, double=True)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="'union' or 'grid'"):
        direct_product(cyclic_group(2), on="wreath")
    with pytest.raises(ValueError, match="at least one group"):
        direct_product()
    with pytest.raises(TypeError, match="PermutationGroup"):
        direct_product(cyclic_group(2), [Permutation([1, 0])])
    with pytest.raises(TypeError, match="outer must be a PermutationGroup, got 3"):
        wreath_product(cyclic_group(2), 3)


NAMED = (symmetric_group, alternating_group, cyclic_group, dihedral_group, trivial_group)
some_group = st.one_of(
    st.builds(lambda named, n: named(n), st.sampled_from(NAMED), st.integers(1, 4)),
    st.just(PermutationGroup([[1, 0, 2]])),
    st.just(wreath_product(cyclic_group(2), cyclic_group(2))),
    st.just(cyclic_group(2).on_tuples(2)),
)
nested = st.recursive(
    some_group,
    lambda groups: st.builds(
        lambda factors, on: direct_product(*factors, on=on),
        st.lists(groups, min_size=1, max_size=3),
        st.sampled_from(["union", "grid"]),
    ),
    max_leaves=4,
).filter(lambda group: group.degree <= 64)


@given(nested)
def test_orbitals_of_nested_products_are_those_of_the_generators(group):
    images = torch.stack([g.index_tensor for g in group.generators])
    expected = pair_orbits(images, images)
    assert torch.equal(group.orbitals(), expected)
    assert torch.equal(group.orbitals(group), expected)
    group.orbitals().fill_(-1)
    assert torch.equal(group.orbitals(), expected)
    rows = expected[first_points(group.orbit_numbers())]
    assert torch.equal(group.orbitals(every=False), rows)
    group.orbitals(every=False).fill_(-1)
    assert torch.equal(group.orbitals(group, every=False), rows)
    assert torch.equal(group.orbitals(every=False), rows)
