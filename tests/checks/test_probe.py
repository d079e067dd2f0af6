"""`Probe` by itself; what is found with it is held by the tests of reports and of searches."""

import math

import pytest
import torch

from invariant_nets import symmetric_group
from invariant_nets.checks import probe as module
from invariant_nets.checks.probe import probing

S_4 = torch.cat(list(symmetric_group(4).elements()))


def probe_of(function, x):
    """Everything that `probing` lets one choose, as a search chooses it."""
    options = {"axes": 1, "equivariant": False, "double": False, "rtol": None, "atol": 0.0}
    return probing(function, x, **options, source=torch.Generator().manual_seed(0))


def sets(batch, n=4, d=2):
    return torch.randn(batch, n, d, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("batch", [3, 4, 5, 9])
def test_what_holds_holds_on_every_set(batch):
    # Only the last set has rows that differ; the first row stays where it is under six of 24.
    x = sets(batch)
    x[:-1] = x[:-1, :1]
    with probe_of(lambda x: x[:, 0], x) as probe:
        assert torch.equal(probe.holds(S_4), S_4[:, 0] == 0)


@pytest.mark.parametrize("per_call", [1, 5, 24, 100])
def test_each_error_is_that_of_its_permutation(per_call):
    x = sets(6)
    with probe_of(lambda x: x[:, 0], x) as probe:
        excess = probe.excess(S_4, per_call=per_call)
        worst = [probe.worst(sigma) for sigma in S_4]
        tolerance = probe.leaves[0].tolerance + probe._noise["output"]
    expected = [((x[:, sigma[0]] - x[:, 0]).double().abs() / tolerance).max() for sigma in S_4]
    assert torch.allclose(excess, torch.stack(expected))
    assert excess.tolist() == [found.excess for found in worst]


@pytest.mark.parametrize("limit", ["sets", "entries"])
@pytest.mark.parametrize("most", [1, 7, 8, 9, 100, 1000])
def test_a_super_batch_is_within_its_limits_unless_one_permutation_is_not(monkeypatch, limit, most):
    sizes = []

    def function(x):
        sizes.append(len(x) if limit == "sets" else x.numel())
        return x.sum(1)

    x = sets(4)
    with probe_of(function, x) as probe:
        assert probe.holds(S_4[:1])
        monkeypatch.setattr(module, f"_SUPERBATCH_{limit.upper()}", most)
        sizes.clear()
        assert probe.holds(S_4).all()
    one = len(x) if limit == "sets" else x.numel()
    assert sum(sizes) == one * len(S_4)
    # As many together as there is room for.
    together = min(len(S_4), max(1, most // one))
    assert max(sizes) == one * together
    assert len(sizes) == math.ceil(len(S_4) / together)
