"""Copies of sets in many orders are those that indexing makes, whatever the chunk."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from invariant_nets.averaging.chunked import PermutedSets


def orders(k, n, source):
    return torch.stack([torch.randperm(n, generator=source) for _ in range(k)])


@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=3),
    n=st.integers(1, 7),
    features=st.sampled_from([(), (1,), (3,), (2, 2)]),
    batch=st.integers(0, 3),
    seed=st.integers(0, 99),
)
def test_copies_are_those_of_indexing(sizes, n, features, batch, seed):
    source = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, n, *features, generator=source)
    permuted = PermutedSets(x)
    for k in sizes:
        chunk = orders(k, n, source)
        sets = permuted(chunk).reshape(batch, k, n, *features)
        assert torch.equal(sets, x[:, chunk])


@pytest.mark.parametrize("k", [15, 50])  # below and above the 16 pairs
def test_gradients_are_those_of_indexing(k):
    source = torch.Generator().manual_seed(0)
    chunk = orders(k, 4, source)
    x = torch.randn(2, 4, 3, dtype=torch.float64, generator=source, requires_grad=True)
    weight = torch.randn(2, k, 4, 3, dtype=torch.float64, generator=source)
    fast = (PermutedSets(x)(chunk).view_as(weight) * weight).sum()
    slow = (x[:, chunk] * weight).sum()
    torch.testing.assert_close(*(torch.autograd.grad(y, x)[0] for y in (fast, slow)))
