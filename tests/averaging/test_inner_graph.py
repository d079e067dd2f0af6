"""What the graph inside a node depends on, and the gradients of its inputs."""

import pytest
import torch
from torch import nn

from invariant_nets.averaging.inner_graph import hidden_leaf, inner_gradients


def leaf(*shape):
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


class Inside(torch.autograd.Function):
    """Computes a function of some inputs, with a graph of its own."""

    @staticmethod
    def forward(ctx, function, *inputs):
        with torch.enable_grad():
            ctx.output, ctx.inputs = function(*inputs), inputs
        return ctx.output.detach().clone()

    @staticmethod
    def backward(ctx, gradient):
        return None, *inner_gradients(ctx.output, ctx.inputs, gradient)


def test_an_output_of_its_inputs_hides_nothing():
    x, weight, other = leaf(3), leaf(3), leaf(3)
    assert hidden_leaf((x * weight).exp().sum(), (x, weight, other)) is None
    assert hidden_leaf(x.detach() * 2, ()) is None
    assert hidden_leaf(x * weight.detach(), (x, weight.detach())) is None


@pytest.mark.parametrize("depth", [0, 1, 50])
def test_what_else_it_depends_on_is_found(depth):
    x, hidden = leaf(3), leaf(2, 3)
    y = hidden * 2
    for _ in range(depth):
        y = y.sin() + x
    assert hidden_leaf(x.exp() * y, (x,)) is hidden


def test_inputs_that_are_computed_hide_what_they_are_computed_from():
    weight = leaf(3)
    scaled = weight * 2
    assert hidden_leaf(scaled.exp(), (scaled,)) is None
    assert hidden_leaf(scaled.exp() + weight, (scaled,)) is weight


def test_gradients_are_those_of_one_graph():
    x, weight, unused = leaf(3), leaf(3), leaf(2)

    def function(x, weight, unused):
        return (x * weight).tanh()

    inputs = x, weight, unused
    expected = torch.autograd.grad(function(*inputs).sum(), inputs, allow_unused=True)
    found = torch.autograd.grad(Inside.apply(function, *inputs).sum(), inputs, allow_unused=True)
    for one, other in zip(found, expected, strict=True):
        assert (one is None) == (other is None)
        assert one is None or torch.equal(one, other)


def test_the_inner_graph_lives_as_long_as_the_outer_one():
    x = leaf(3)
    y = Inside.apply(torch.exp, x).sum()
    y.backward(retain_graph=True)
    y.backward()
    torch.testing.assert_close(x.grad, 2 * x.exp())
    with pytest.raises(RuntimeError, match="a second time"):
        y.backward()


def test_hooks_run_once_and_are_there_afterwards():
    x, seen = leaf(3), []
    x.register_hook(lambda g: seen.append(g) or g * 2)
    handle = x.register_hook(lambda g: g + 1)
    for _ in range(2):
        x.grad = None
        Inside.apply(torch.exp, x).sum().backward()
        torch.testing.assert_close(x.grad, 2 * x.exp() + 1)
    assert len(seen) == 2
    handle.remove()
    x.grad = None
    Inside.apply(torch.exp, x).sum().backward()
    torch.testing.assert_close(x.grad, 2 * x.exp())


def test_hooks_are_there_after_an_error():
    layer = nn.Linear(2, 1)
    layer.weight.register_hook(lambda g: g * 0)
    x = torch.ones(1, 2)
    y = Inside.apply(lambda w: x @ w.T, layer.weight).sum()
    with torch.no_grad():
        x += 1  # which the inner graph needs as it was
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()
    layer(x).sum().backward()
    assert not layer.weight.grad.any()
