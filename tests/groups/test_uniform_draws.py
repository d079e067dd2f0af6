"""Random orders and digits are uniform, also where they have to be drawn again."""

from collections import Counter

import pytest
import torch
from scipy.stats import chisquare

from invariant_nets.groups import chain as _uniform


def test_random_orders_are_uniform_also_after_ties(monkeypatch):
    draws = _uniform.uniform_orders(4, 24_000, torch.Generator().manual_seed(0))
    counts = Counter(map(tuple, draws.tolist()))
    assert len(counts) == 24
    assert chisquare(list(counts.values())).pvalue > 1e-4
    # With keys of three bits, ties are the rule.
    monkeypatch.setattr(_uniform, "_RANDOM_BITS", 3)
    draws = _uniform.uniform_orders(4, 24_000, torch.Generator().manual_seed(0))
    assert chisquare(list(Counter(map(tuple, draws.tolist())).values())).pvalue > 1e-4


@pytest.mark.parametrize("bits", [3, 62])
def test_random_digits_are_uniform_below_any_bound(monkeypatch, bits):
    monkeypatch.setattr(_uniform, "_RANDOM_BITS", bits)
    digits = _uniform.uniform_digits(5, 20_000, torch.Generator().manual_seed(0))
    assert chisquare(digits.bincount().numpy()).pvalue > 1e-4
