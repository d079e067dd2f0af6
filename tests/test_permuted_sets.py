"""Copies of sets in many orders are those that indexing makes, whatever the chunk."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from invariant_nets import Permutation
from invariant_nets._permuted_sets import Coset, PermutedSets, elements_of


def chunk_of(kind, k, n, source):
    table = torch.stack([torch.randperm(n, generator=source) for _ in range(k)])
    return table if kind == "table" else Coset(table, torch.randperm(n, generator=source))


@given(
    kinds=st.lists(st.sampled_from(["table", "coset"]), min_size=1, max_size=3),
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
        sets = permuted(chunk).reshape(batch, k, n, *features)
        assert torch.equal(sets, x[:, elements_of(chunk)])


def test_a_table_serves_for_many_elements():
    source = torch.Generator().manual_seed(0)
    x, table = torch.randn(2, 4, 3), chunk_of("table", 20, 4, source)
    permuted = PermutedSets(x)
    for _ in range(3):
        coset = Coset(table, torch.randperm(4, generator=source))
        assert torch.equal(permuted(coset).view(2, 20, 4, 3), x[:, elements_of(coset)])


def test_a_coset_is_the_products_of_its_table_with_its_element():
    source = torch.Generator().manual_seed(0)
    coset = chunk_of("coset", 5, 6, source)
    assert len(coset) == 5
    for t, product in zip(coset.table, elements_of(coset), strict=True):
        assert Permutation(product) == Permutation(t) @ Permutation(coset.u)


def test_gradients_are_those_of_indexing():
    source = torch.Generator().manual_seed(0)
    chunk = chunk_of("coset", 50, 4, source)
    x = torch.randn(2, 4, 3, dtype=torch.float64, generator=source, requires_grad=True)
    weight = torch.randn(2, 50, 4, 3, dtype=torch.float64, generator=source)
    (fast,) = torch.autograd.grad((PermutedSets(x)(chunk).view(2, 50, 4, 3) * weight).sum(), x)
    (slow,) = torch.autograd.grad((x[:, elements_of(chunk)] * weight).sum(), x)
    torch.testing.assert_close(fast, slow)
