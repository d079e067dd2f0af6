import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from invariant_nets import SetPooling

POOLINGS = ["sum", "mean", "max"]
every_pooling = pytest.mark.parametrize("pooling", POOLINGS)
sizes = {
    "batch": st.integers(0, 3),
    "n": st.integers(1, 5),
    "d": st.integers(1, 4),
    "seed": st.integers(0, 2**32 - 1),
}


def sets(batch, n, d, seed):
    source = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, n, d, generator=source, dtype=torch.float64)
    return x, torch.rand(batch, n, generator=source) < 0.5


def by_loops(x, mask, pooling):
    """One number at a time, over the members."""
    batch, n, d = x.shape
    y = x.new_zeros(batch, d)
    for k in range(batch):
        members = [i for i in range(n) if mask[k, i]]
        for j in range(d):
            numbers = [x[k, i, j].item() for i in members]
            if numbers:
                total = sum(numbers)
                y[k, j] = {"sum": total, "mean": total / len(numbers), "max": max(numbers)}[pooling]
    return y


@every_pooling
@given(**sizes)
def test_it_is_its_formula_over_the_members(pooling, batch, n, d, seed):
    x, mask = sets(batch, n, d, seed)
    layer = SetPooling(pooling)
    torch.testing.assert_close(layer(x), by_loops(x, torch.ones_like(mask), pooling))
    torch.testing.assert_close(layer(x, mask), by_loops(x, mask, pooling))


@every_pooling
@given(**sizes)
def test_it_is_invariant_to_the_order(pooling, batch, n, d, seed):
    x, mask = sets(batch, n, d, seed)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    layer = SetPooling(pooling)
    torch.testing.assert_close(layer(x[:, order], mask[:, order]), layer(x, mask))


@every_pooling
def test_it_is_not_invariant_to_what_the_members_are(pooling):
    x = torch.randn(3, 4, 2, generator=torch.Generator().manual_seed(0))
    layer = SetPooling(pooling)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(layer(x + x.sign()), layer(x))


@every_pooling
def test_an_empty_set_gives_zero_and_no_gradient(pooling):
    x = torch.full((1, 3, 2), torch.nan, requires_grad=True)
    y = SetPooling(pooling)(x, torch.zeros(1, 3, dtype=torch.bool))
    assert torch.equal(y, torch.zeros(1, 2))
    y.sum().backward()
    assert torch.equal(x.grad, torch.zeros(1, 3, 2))


def test_the_maximum_of_negative_members_is_negative_beside_padding():
    x = torch.tensor([[[-2.0], [-1.0], [5.0]]])
    mask = torch.tensor([[True, True, False]])
    assert SetPooling("max")(x, mask).item() == -1


def test_what_each_pool_can_count():
    once, twice = torch.tensor([[[1.0], [3.0]]]), torch.tensor([[[1.0], [1.0], [3.0], [3.0]]])
    more = torch.tensor([[[1.0], [3.0], [3.0]]])
    assert SetPooling("sum")(once) != SetPooling("sum")(twice)
    assert SetPooling("mean")(once) == SetPooling("mean")(twice) != SetPooling("mean")(more)
    assert SetPooling("max")(once) == SetPooling("max")(more)


@every_pooling
def test_its_gradient_is_that_of_finite_differences(pooling):
    x, mask = sets(3, 4, 2, seed=0)
    assert torch.autograd.gradcheck(lambda x: SetPooling(pooling)(x, mask), (x.requires_grad_(),))


def test_it_has_no_parameters_and_shows_its_pooling():
    assert not list(SetPooling().parameters())
    assert repr(SetPooling("max")) == "SetPooling('max')"


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="pooling must be one of 'sum', 'mean', 'max', got 'min'"):
        SetPooling("min")
