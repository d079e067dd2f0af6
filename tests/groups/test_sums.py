import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from invariant_nets import (
    OrbitLinear,
    PermutationGroup,
    cyclic_group,
    dihedral_group,
    direct_product,
    direct_sum,
    symmetric_group,
)
from tests import oracles
from tests.examples import examples


@st.composite
def two_actions(draw):
    """Two lists of as many generators, on other numbers of points."""
    count = draw(st.integers(1, 3))
    return [
        draw(st.lists(st.permutations(range(n)), min_size=count, max_size=count))
        for n in (draw(st.integers(1, 4)), draw(st.integers(1, 4)))
    ]


@given(two_actions())
@examples(40)
def test_the_sum_is_what_the_generators_do_to_both(actions):
    first, second = actions
    together = [[*a, *(len(a) + i for i in b)] for a, b in zip(first, second, strict=True)]
    total = direct_sum(PermutationGroup(first), PermutationGroup(second))
    elements = [tuple(row) for chunk in total.elements() for row in chunk.tolist()]
    assert set(elements) == oracles.closure(together)
    assert total.degree == len(first[0]) + len(second[0])


@pytest.mark.parametrize("group", [symmetric_group(5), cyclic_group(6), dihedral_group(5)])
def test_the_order_is_that_of_a_faithful_action_and_orbitals_add_up(group):
    pairs = group.on_tuples(2)
    total = direct_sum(group, pairs)
    assert total.order == group.order

    def count(a, b):
        return int(a.orbitals(b).max()) + 1

    blocks = [count(a, b) for a in (group, pairs) for b in (group, pairs)]
    assert count(total, total) == sum(blocks)
    assert count(total, group) == blocks[0] + blocks[2]


def test_a_direct_product_is_another_group():
    group = symmetric_group(4)
    assert direct_sum(group, group).order == 24
    assert direct_product(group, group).order == 24**2


def test_a_layer_between_sums_is_equivariant_and_has_every_block():
    nodes = symmetric_group(4)
    total = direct_sum(nodes, nodes.on_tuples(2))
    layer = OrbitLinear(total, 2, 3).double()
    x = torch.randn(5, 20, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for g in total.generators:
        torch.testing.assert_close(layer(g(x)), g(layer(x)))
    wrong = direct_product(nodes, nodes.on_tuples(2)).generators[0]
    assert not torch.allclose(layer(wrong(x)), wrong(layer(x)))


def test_names_read_well():
    assert direct_sum(cyclic_group(3), cyclic_group(3)).name == "C_3 + C_3"
    assert direct_sum(*[cyclic_group(3)] * 20).name == "a sum of 20 actions"


def test_what_is_no_sum_of_actions_is_refused():
    with pytest.raises(ValueError, match=r"^actions must hold at least one group"):
        direct_sum()
    with pytest.raises(TypeError, match=r"^actions must be PermutationGroup objects, got 3"):
        direct_sum(symmetric_group(3), 3)
    with pytest.raises(ValueError, match=r"generator by generator: got 2, 1 generators"):
        direct_sum(symmetric_group(3), cyclic_group(3))
