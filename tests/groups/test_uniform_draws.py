"""Random orders and digits are uniform, also where they have to be drawn again."""

from collections import Counter

import pytest
import torch
from scipy.stats import chisquare
from torch import nn

from invariant_nets import Augmentation, create_random_permutations
from invariant_nets.groups import enumeration as _uniform


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
