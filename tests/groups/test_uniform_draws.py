"""Random orders and digits are uniform, also where they have to be drawn again."""

from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare
from torch import nn

from invariant_nets import (
    Augmentation,
    Permutation,
    PermutationGroup,
    alternating_group,
    create_random_permutations,
    cyclic_group,
    dihedral_group,
    direct_product,
    symmetric_group,
    trivial_group,
    wreath_product,
)
from invariant_nets.groups import enumeration as _uniform
from invariant_nets.groups.permutation import are_odd


def of_augmentation(n, k, generator):
    places = torch.arange(n).expand(k, n)[..., None]
    return Augmentation(nn.Identity(), generator)(places).squeeze(-1)


def of_permutations(n, k, generator):
    return torch.stack([p.index_tensor for p in create_random_permutations(n, k, generator)])


@pytest.mark.parametrize("bits", [3, 62])  # with keys of three bits, ties are the rule
@pytest.mark.parametrize("draw", [_uniform.uniform_orders, of_permutations, of_augmentation])
def test_random_orders_are_uniform_also_after_ties(monkeypatch, draw, bits):
    monkeypatch.setattr(_uniform, "_RANDOM_BITS", bits)
    draws = draw(4, 24_000, torch.Generator().manual_seed(0))
    counts = Counter(map(tuple, draws.tolist()))
    assert len(counts) == 24
    assert chisquare(list(counts.values())).pvalue > 1e-4


@pytest.mark.parametrize("bits", [3, 62])
def test_random_digits_are_uniform_below_any_bound(monkeypatch, bits):
    monkeypatch.setattr(_uniform, "_RANDOM_BITS", bits)
    digits = _uniform.uniform_digits(5, 20_000, torch.Generator().manual_seed(0))
    assert chisquare(digits.bincount().numpy()).pvalue > 1e-4


@pytest.mark.parametrize(
    "group",
    [
        alternating_group(4),
        PermutationGroup([[1, 0, 3, 2], [1, 2, 0, 3]]),
        direct_product(symmetric_group(3), cyclic_group(2), alternating_group(3)),
        direct_product(symmetric_group(3), cyclic_group(2), on="grid"),
        wreath_product(symmetric_group(2), symmetric_group(3)),
        direct_product(wreath_product(cyclic_group(2), cyclic_group(2)), symmetric_group(3)),
        symmetric_group(4).on_tuples(2),
        direct_product(trivial_group(2), dihedral_group(4)),
    ],
    ids=lambda group: group.name,
)
@pytest.mark.parametrize("entries", [0, 1 << 25])  # without tables, and with them
def test_draws_are_uniform_with_and_without_tables(monkeypatch, group, entries):
    monkeypatch.setattr("invariant_nets.groups.chain._TABLE_ENTRIES", entries)
    draws = group.sample(500 * group.order, torch.Generator().manual_seed(0))
    counts = Counter(group.rank(Permutation(row)) for row in draws.unique(dim=0))
    assert set(counts) == set(range(group.order))
    assert chisquare(draws.unique(dim=0, return_counts=True)[1].numpy()).pvalue > 1e-4


@given(st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_half_of_all_draws_would_be_odd_and_none_is(n, seed):
    source = torch.Generator().manual_seed(seed)
    assert not are_odd(_uniform.uniform_even_orders(max(n, 2), 20, source)).any()
