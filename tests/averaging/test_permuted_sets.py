"""Copies of sets in many orders are those that indexing makes, whatever the chunk."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from invariant_nets import Permutation
from invariant_nets.averaging.chunked import Cosets, PermutedSets, elements_of


def chunk_of(kind, k, n, source):
    def orders(count):
        return torch.stack([torch.randperm(n, generator=source) for _ in range(count)])

    return orders(k) if kind == "table" else Cosets(orders(k), orders(int(kind)))


@given(
    kinds=st.lists(st.sampled_from(["table", "1", "3"]), min_size=1, max_size=3),
    k=st.integers(1, 40),
    n=st.integers(1, 7),
    features=st.sampled_from([(), (1,), (3,), (2, 2)]),
    batch=st.integers(0, 3),
    seed=st.integers(0, 99),
)
def test_copies_are_those_of_indexing(kinds, k, n, features, batch, seed):
    source = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, n, *features, generator=source)
    permuted = PermutedSets(x)
    for kind in kinds:
        chunk = chunk_of(kind, k, n, source)
        sets = permuted(chunk).reshape(batch, len(chunk), n, *features)
        assert torch.equal(sets, x[:, elements_of(chunk)])


def test_a_table_serves_for_many_elements():
    source = torch.Generator().manual_seed(0)
    x, table = torch.randn(2, 4, 3), chunk_of("table", 20, 4, source)
    permuted = PermutedSets(x)
    for _ in range(3):
        cosets = Cosets(table, chunk_of("table", 2, 4, source))
        assert torch.equal(permuted(cosets).view(2, 40, 4, 3), x[:, elements_of(cosets)])


def test_cosets_are_the_products_of_a_table_with_each_element():
    source = torch.Generator().manual_seed(0)
    cosets = chunk_of("2", 5, 6, source)
    products = [Permutation(t) @ Permutation(u) for u in cosets.heads for t in cosets.table]
    assert len(cosets) == 10
    assert list(map(Permutation, elements_of(cosets))) == products


@pytest.mark.parametrize("kind", ["table", "2"])
def test_gradients_are_those_of_indexing(kind):
    source = torch.Generator().manual_seed(0)
    chunk = chunk_of(kind, 50, 4, source)
    x = torch.randn(2, 4, 3, dtype=torch.float64, generator=source, requires_grad=True)
    weight = torch.randn(2, len(chunk), 4, 3, dtype=torch.float64, generator=source)
    fast = (PermutedSets(x)(chunk).view_as(weight) * weight).sum()
    slow = (x[:, elements_of(chunk)] * weight).sum()
    torch.testing.assert_close(*(torch.autograd.grad(y, x)[0] for y in (fast, slow)))
