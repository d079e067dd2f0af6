import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from invariant_nets import SetPooling, deep_sets
from invariant_nets.networks.deep_sets import BesidePool
from tests.catalogue import shuffle_parameters

every_pooling = pytest.mark.parametrize("pooling", ["mean", "sum", "max", "std"])
sizes = {"n": st.integers(1, 5), "d": st.integers(1, 4), "seed": st.integers(0, 2**32 - 1)}


def drawn(n, d, seed, **options):
    network = shuffle_parameters(deep_sets(n, d, **options).double(), seed)
    source = torch.Generator().manual_seed(seed)
    x = torch.randn(3, n, d, generator=source, dtype=torch.float64)
    return network, x, torch.rand(3, n, generator=source) < 0.6


def by_loops(network, x, mask):
    """φ on one member at a time, the pool, ρ; for hidden=(h, h) and readout=(r,).

    With the pool beside each code, ρ of every member, and 0 at padding.
    """
    first, second, third, last = (m for m in network if isinstance(m, nn.Linear))
    (pooling,) = (m.pooling for m in network.modules() if isinstance(m, SetPooling))
    beside = any(isinstance(m, BesidePool) for m in network)
    smooth = any(isinstance(module, nn.SiLU) for module in network)

    def active(z):
        return z / (1 + (-z).exp()) if smooth else z.clamp(min=0)

    logits = []
    for k in range(len(x)):
        codes, places = [], []
        for i in range(x.shape[1]):
            if mask[k, i]:
                code = active(first.weight @ x[k, i] + first.bias)
                places.append(i)
                codes.append(active(second.weight @ code + second.bias))
        pool = torch.zeros(len(second.bias), dtype=x.dtype)
        if codes and pooling == "max":
            pool = torch.stack(codes).max(0).values
        elif codes and pooling == "std":
            pool = torch.stack(codes).std(0, correction=0)
        elif codes:
            pool = sum(codes) / (len(codes) if pooling == "mean" else 1)

        def decoded(code):
            return last.weight @ active(third.weight @ code + third.bias) + last.bias

        if not beside:
            logits.append(decoded(pool))
            continue
        logits.append(x.new_zeros(x.shape[1], len(last.bias)))
        for i, code in zip(places, codes, strict=True):
            logits[-1][i] = decoded(torch.cat([code, pool]))
    return torch.stack(logits)


@every_pooling
@given(**sizes)
def test_it_is_its_formula(pooling, n, d, seed):
    network, x, mask = drawn(n, d, seed, pooling=pooling, hidden=(4, 3), readout=(5,))
    torch.testing.assert_close(network(x), by_loops(network, x, torch.ones_like(mask)))
    torch.testing.assert_close(network(x, mask=mask), by_loops(network, x, mask))


@every_pooling
@given(**sizes)
def test_with_outputs_per_member_it_is_its_formula(pooling, n, d, seed):
    options = {"hidden": (4, 3), "readout": (5,), "outputs": 2, "per_member": True}
    network, x, mask = drawn(n, d, seed, pooling=pooling, **options)
    torch.testing.assert_close(network(x), by_loops(network, x, torch.ones_like(mask)))
    torch.testing.assert_close(network(x, mask=mask), by_loops(network, x, mask))


def test_with_other_activations_it_is_its_formula():
    options = {"hidden": (4, 3), "readout": (5,), "activation": nn.ReLU}
    network, x, mask = drawn(4, 3, 0, pooling="mean", **options)
    torch.testing.assert_close(network(x, mask=mask), by_loops(network, x, mask))
    smooth, _, _ = drawn(4, 3, 0, pooling="mean", hidden=(4, 3), readout=(5,))
    assert not torch.allclose(network(x), smooth(x))


def test_a_pool_that_was_made_is_taken():
    torch.manual_seed(0)
    named = deep_sets(4, 3, pooling="softmax")
    torch.manual_seed(0)
    network = deep_sets(4, 3, pooling=SetPooling("softmax", d=24))
    x = torch.randn(8, 4, 3)
    torch.testing.assert_close(network(x), named(x))
    (slope,) = torch.autograd.grad(network(x).sum(), [network[4].temperature])
    assert slope.any()
    with pytest.raises(ValueError, match=r"pooling must be of hidden\[-1\]=24 features, got SetP"):
        deep_sets(4, 3, pooling=SetPooling("softmax", d=3))


@every_pooling
@given(**sizes)
def test_it_is_invariant_to_the_order(pooling, n, d, seed):
    network, x, mask = drawn(n, d, seed, pooling=pooling)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(network(x[:, order]), network(x))
    torch.testing.assert_close(network(x[:, order], mask=mask[:, order]), network(x, mask=mask))


@every_pooling
def test_it_is_not_blind_to_which_entries_stand_in_one_row(pooling):
    network, x, _ = drawn(4, 3, 0, pooling=pooling)
    mixed = torch.stack([x[..., 0].flip(1), x[..., 1], x[..., 2]], dim=-1)
    assert (network(mixed) - network(x)).abs().max() > 1e-3


def test_it_takes_sets_of_every_size_and_its_widths_can_be_chosen():
    network = deep_sets(10, 5, hidden=(7,), readout=())
    linear = [(m.in_features, m.out_features) for m in network if isinstance(m, nn.Linear)]
    assert linear == [(5, 7), (7, 1)]
    assert [network(torch.randn(2, n, 5)).shape for n in (1, 30)] == [(2, 1)] * 2


def test_it_learns_from_the_start_when_it_is_deep():
    torch.manual_seed(0)
    network = deep_sets(10, 5, hidden=(24,) * 8, readout=(24,) * 4)
    x = torch.randn(64, 10, 5)
    slopes = torch.autograd.grad(network(x).mean(), list(network.parameters()))
    assert all(slope.abs().max() > 1e-4 for slope in slopes)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"hidden": ()}, r"hidden must hold at least one width, got \(\)"),
        ({"hidden": (10, 0)}, r"hidden\[1\] must be at least 1, got 0"),
        ({"readout": (0,)}, r"readout\[0\] must be at least 1, got 0"),
        ({"pooling": "median"}, "pooling must be one of .* got 'median'"),
    ],
)
def test_bad_options_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        deep_sets(10, 5, **options)
