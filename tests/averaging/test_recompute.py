import copy

import pytest
import torch
from torch import nn

from invariant_nets import SymmetryModel, average_over, mlp, symmetric_group
from invariant_nets.averaging.recompute import recomputed_average

CHUNKS = torch.cat(list(symmetric_group(4).elements())).split(5)


def sets(requires_grad=True):
    x = torch.randn(3, 4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return x.requires_grad_(requires_grad)


class Noisy(nn.Module):
    """Has dropout, running statistics and a parameter that it never uses."""

    def __init__(self, dropout=0.5):
        super().__init__()
        self.norm = nn.BatchNorm1d(8)
        self.hidden = nn.Linear(8, 8)
        self.drop = nn.Dropout(dropout)
        self.unused = nn.Parameter(torch.ones(2))

    def forward(self, x):
        return self.drop(self.hidden(self.norm(x.flatten(1)).relu()))[:, :3]


def gradients(average, model, x, seed=1, weights=None):
    model = copy.deepcopy(model)
    x = x.detach().clone().requires_grad_(x.requires_grad)
    torch.manual_seed(seed)
    y = average(model, x)
    after = torch.rand(1)
    (y.square() if weights is None else y * weights).sum().backward()
    assert torch.rand(1) != after
    return y, [x.grad, *(p.grad for p in model.parameters())], model


def plain(model, x):
    return average_over(model, x, CHUNKS)


def recomputed(model, x):
    return recomputed_average(model, x, lambda: CHUNKS)


def same(first, second):
    assert (first is None) == (second is None)
    if first is not None:
        torch.testing.assert_close(first, second, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("requires_grad", [True, False])
def test_the_gradients_are_autograds(training, requires_grad):
    model = Noisy().double().train(training)
    model.hidden.bias.requires_grad_(False)
    x = sets(requires_grad)
    y, expected, trained = gradients(plain, model, x)
    z, found, retrained = gradients(recomputed, model, x)
    same(y.detach(), z.detach())
    for first, second in zip(expected, found, strict=True):
        same(first, second)
    # Running statistics have seen the data once.
    for first, second in zip(trained.buffers(), retrained.buffers(), strict=True):
        same(first.double(), second.double())


def test_the_hooks_of_parameters_and_inputs_see_the_whole_gradient_once():
    def hooked(average):
        def with_hooks(model, x):
            x.register_hook(lambda gradient: 3 * gradient)
            for parameter in model.hidden.parameters():
                parameter.register_hook(lambda gradient: gradient.clamp(-0.1, 0.1))
            return average(model, x)

        return with_hooks

    model = Noisy().double()
    _, expected, _ = gradients(hooked(plain), model, sets())
    _, found, _ = gradients(hooked(recomputed), model, sets())
    for first, second in zip(expected, found, strict=True):
        same(first, second)


def test_the_random_state_goes_on_as_if_nothing_ran_twice():
    model, x = Noisy().double(), sets()
    states = []
    for average in (plain, recomputed):
        torch.manual_seed(5)
        average(model, x).sum().backward()
        states.append(torch.get_rng_state())
    assert torch.equal(*states)


def test_wrong_random_numbers_would_show():
    model, x = Noisy().double(), sets()
    _, expected, _ = gradients(plain, model, x, seed=1)
    _, found, _ = gradients(recomputed, model, x, seed=2)
    assert not torch.allclose(expected[0], found[0])


def test_it_may_be_used_twice_in_one_graph_and_go_backward_twice():
    model = mlp(4, 2).double()
    x = sets()

    def twice(average):
        inner = copy.deepcopy(model)
        y = average(inner, x) * average(inner, 2 * x)
        y.sum().backward(retain_graph=True)
        y.sum().backward()
        return [p.grad for p in inner.parameters()]

    for first, second in zip(twice(plain), twice(recomputed), strict=True):
        same(first, second)


def test_a_change_of_mode_before_the_backward_pass_changes_nothing():
    model, x = Noisy().double().train(), sets()

    def switched(average):
        inner = copy.deepcopy(model)
        torch.manual_seed(0)
        y = average(inner, x)
        inner.eval()
        y.sum().backward()
        assert not inner.training
        return [p.grad for p in inner.parameters()]

    for first, second in zip(switched(plain), switched(recomputed), strict=True):
        same(first, second)


def test_a_parameter_changed_in_between_is_an_error():
    model, x = mlp(4, 2).double(), sets()
    y = recomputed(model, x).sum()
    with torch.no_grad():
        next(model.parameters()).mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_a_hidden_tensor_is_an_error_rather_than_a_missing_gradient():
    hidden = torch.ones(8, dtype=torch.float64, requires_grad=True)

    class Hiding(nn.Module):
        def forward(self, x):
            return x.flatten(1) @ hidden

    with pytest.raises(RuntimeError, match=r"another tensor that requires grad, of shape \(8,\)"):
        recomputed(Hiding(), sets()).sum().backward()


def test_autocast_is_as_it_was():
    model, x = mlp(4, 2), sets(False).float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = recomputed(model, x)
        expected = plain(model, x)
    assert y.dtype == expected.dtype == torch.bfloat16
    y.float().sum().backward()
    found = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    expected.float().sum().backward()
    for p, gradient in zip(model.parameters(), found, strict=True):
        torch.testing.assert_close(p.grad, gradient, rtol=0.05, atol=0.05)


def test_no_second_derivative_is_promised():
    model, x = mlp(4, 2).double(), sets()
    (gradient,) = torch.autograd.grad(recomputed(model, x).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError):
        gradient.sum().backward()


class Counting(nn.Module):
    """Counts the sets that go through it with a graph to keep."""

    def __init__(self):
        super().__init__()
        self.inner = mlp(4, 2).double()
        self.kept = []

    def forward(self, x):
        self.kept.append(len(x) if torch.is_grad_enabled() else 0)
        return self.inner(x)


def test_the_forward_pass_keeps_nothing_and_the_backward_pass_one_chunk():
    model = Counting()
    symmetric = SymmetryModel(model, symmetric_group(4), chunksize=4, recompute=True)
    y = symmetric(sets()).sum()
    assert model.kept == [0] * 6
    y.backward()
    assert model.kept == [0] * 6 + [12] * 6
