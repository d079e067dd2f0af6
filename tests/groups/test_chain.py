import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from invariant_nets import Permutation, mathieu_group, symmetric_group
from invariant_nets.groups.chain import StabilizerChain, table_level
from invariant_nets.groups.known_chains import cyclic_levels, symmetric_levels


def run(chain, start, k):
    (elements,) = chain.runs(start, start + k, k)
    return elements


def test_a_row_of_digits_is_the_product_of_its_elements():
    levels = symmetric_levels(torch.arange(4), 4)
    chain = StabilizerChain(4, levels)
    every = run(chain, 0, chain.order)
    for number, digits in enumerate(itertools.product(*(range(level.size) for level in levels))):
        product = Permutation.identity(4)
        for level, digit in zip(levels, digits, strict=True):
            product = Permutation(level.rows(torch.tensor([digit]))[0]) @ product
        assert every[number].tolist() == product.index_tensor.tolist()
        assert chain.digits(product) == list(digits)
        assert chain.rank(digits) == number
        assert torch.equal(chain.element(number), every[number])


def test_tables_may_be_small_or_large(monkeypatch):
    group = mathieu_group(11)
    expected = run(group._chain, 0, 7920)
    for size in (1, 11, 100, 110):
        monkeypatch.setattr("invariant_nets.groups.chain._TABLE_ROWS", size)
        monkeypatch.setattr("invariant_nets.groups.chain._CACHED_ENTRIES", 37 * size)
        chain = StabilizerChain(11, group._chain.levels)
        assert len(chain.radices) >= len(StabilizerChain(11, group._chain.levels[:2]).radices)
        assert torch.equal(run(chain, 0, 7920), expected)
        assert torch.equal(run(chain, 7000, 55), expected[7000:7055])


def test_numbers_beyond_64_bits():
    group = symmetric_group(40)
    number = 3**80
    assert group.rank(group.unrank(number)) == number


def test_a_level_refuses_what_its_base_cannot_reach():
    (level,) = cyclic_levels(3)
    swap = table_level(0, torch.tensor([[0, 1, 2, 3], [1, 0, 2, 3]]))
    assert list(map(swap.digit, range(4))) == [0, 1, -1, -1]
    chain = StabilizerChain(4, [swap])
    assert chain.order == 2
    assert chain.digits(Permutation([2, 1, 0, 3])) is None
    assert chain.digits(Permutation([0, 1, 3, 2])) is None
    assert StabilizerChain(3, [level]).digits(Permutation([1, 0, 2])) is None


def test_a_level_of_one_element_is_none():
    chain = StabilizerChain(3, [table_level(0, torch.arange(3)[None]), *cyclic_levels(3)])
    assert [level.size for level in chain.levels] == [3]


def test_without_levels_there_is_one_element():
    chain = StabilizerChain(3, [])
    assert chain.order == 1
    assert run(chain, 0, 1).tolist() == [[0, 1, 2]]
    assert chain.sample(2, None).tolist() == [[0, 1, 2]] * 2


@given(
    st.integers(0, 5040),
    st.integers(0, 5040),
    st.integers(1, 2000) | st.just(10**30),
    st.sampled_from([7, 4096]),
)
def test_runs_hold_the_elements_in_order(a, b, size, heads):
    start, stop = min(a, b), max(a, b)
    chain = symmetric_group(7)._chain
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("invariant_nets.groups.chain._HEAD_ENTRIES", heads)
        runs = list(chain.runs(start, stop, size))
    assert [len(elements) for elements in runs] == [
        min(size, stop - first) for first in range(start, stop, size)
    ]
    expected = list(itertools.permutations(range(7)))[start:stop]
    assert [tuple(row) for elements in runs for row in elements.tolist()] == expected


def test_what_traces_it_gets_the_same_products(monkeypatch):
    monkeypatch.setattr("invariant_nets.groups.chain._TABLE_ROWS", 90)
    chain = StabilizerChain(11, mathieu_group(11)._chain.levels)
    digits = [torch.arange(200) * 7 % radix for radix in chain.radices]
    expected = chain.compose(digits, 200)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    assert torch.equal(chain.compose(digits, 200), expected)


def test_the_tables_hold_the_smallest_integers():
    for n, dtype in (
        (5, torch.uint8), (256, torch.uint8), (257, torch.int16),
        (1 << 15, torch.int16), ((1 << 15) + 1, torch.int32),
    ):  # fmt: skip
        chain = StabilizerChain(n, symmetric_levels(torch.arange(2), n))
        assert chain._table(0).dtype == dtype
        assert run(chain, 1, 1)[0, :3].tolist() == [1, 0, 2]
