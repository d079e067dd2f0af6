import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from invariant_nets import Permutation, PermutationGroup
from invariant_nets.groups.chain import StabilizerChain
from invariant_nets.groups.known_chains import (
    on_tuples,
    power_levels,
    symmetric_images,
    symmetric_levels,
)


@pytest.mark.parametrize("even", [False, True])
def test_levels_on_some_of_the_points_leave_the_others(even):
    points = torch.tensor([1, 3, 4, 6])
    chain = StabilizerChain(8, symmetric_levels(points, 8, even))
    (elements,) = chain.runs(0, chain.order, chain.order)
    assert len(elements.unique(dim=0)) == chain.order == (12 if even else 24)
    others = torch.tensor([0, 2, 5, 7])
    assert torch.equal(elements[:, others], others.expand(chain.order, -1))
    assert torch.equal(elements[:, points].sort(-1).values, points.expand(chain.order, -1))


def test_digit_zero_is_the_identity():
    for level in symmetric_levels(torch.arange(5), 5, even=True):
        assert level.rows(torch.tensor([0])).tolist() == [[0, 1, 2, 3, 4]]


def test_tuples_are_numbered_row_by_row():
    images = torch.tensor([[2, 0, 1]])
    moved = on_tuples(images, 3)[0]
    for i in range(3):
        for j in range(3):
            for k in range(3):
                g = images[0].tolist()
                assert moved[9 * i + 3 * j + k] == 9 * g[i] + 3 * g[j] + g[k]


@given(st.integers(1, 14).flatmap(lambda n: st.permutations(range(n))))
def test_the_levels_of_powers_are_a_chain_of_them(row):
    generator = Permutation(row)
    chain = StabilizerChain(len(row), power_levels(generator.index_tensor))
    powers = {tuple((generator**k).index_tensor.tolist()) for k in range(generator.order())}
    listed = [tuple(r) for chunk in chain.runs(0, chain.order, 100) for r in chunk.tolist()]
    assert len(listed) == chain.order
    assert set(listed) == powers
    for number, element in enumerate(listed):
        assert tuple(chain.element(number).tolist()) == element
        assert chain.rank(chain.digits(Permutation(element))) == number
    other = Permutation(list(reversed(row)))
    assert (chain.digits(other) is not None) == (tuple(reversed(row)) in powers)


def test_powers_of_more_elements_than_an_integer_holds():
    lengths = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71]
    ends = list(itertools.accumulate(lengths, initial=0))
    cycles = [range(a, b) for a, b in itertools.pairwise(ends)]
    generator = Permutation.from_cycles(ends[-1], *cycles)
    chain = StabilizerChain(ends[-1], power_levels(generator.index_tensor))
    assert chain.order == math.prod(lengths) > 2**64
    power = generator ** (10**25)
    assert Permutation(chain.element(chain.rank(chain.digits(power)))) == power
    assert chain.digits(Permutation.from_cycles(ends[-1], (2, 3))) is None


@pytest.mark.parametrize("even", [False, True])
@pytest.mark.parametrize("m", range(1, 7))
def test_a_cycle_and_a_short_one_generate_all_even_permutations_of_some_points(m, even):
    points = torch.tensor([6, 1, 4, 0, 3, 7])[:m]
    group = PermutationGroup(list(symmetric_images(points, 8, even)))
    assert group.order == max(1, math.factorial(m) // (2 if even and m > 1 else 1))
    others = [i for i in range(8) if i not in points.tolist()]
    assert all(g.index_tensor[others].tolist() == others for g in group.generators)
    assert all(g.sign() == 1 for g in group.generators) or not even
