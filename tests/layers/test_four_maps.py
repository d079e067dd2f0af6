"""The four maps against the formula, term by term, whoever calls them."""

import pytest
import torch
from torch.func import functional_call, grad, stack_module_state, vmap

from invariant_nets import ExchangeableEquivariant
from invariant_nets.layers.four_maps import four_maps

DOUBLE = {"dtype": torch.float64}
N, D = 3, 4


def formula(x, weight, bias):
    a, b, c, grand = weight
    shared = x.mean(2, keepdim=True) @ b + x.mean(1, keepdim=True) @ c
    return x @ a + shared + x.mean((1, 2), keepdim=True) @ grand + bias


def inputs(batch=2, n=N, d=D, channels=2, out=3):
    source = torch.Generator().manual_seed(0)
    shapes = (batch, n, d, channels), (4, channels, out), (out,)
    return [torch.randn(shape, generator=source, **DOUBLE) for shape in shapes]


@pytest.mark.parametrize("batch", [0, 2])
def test_it_is_the_formula_also_where_one_argument_is_many(batch):
    tensors = inputs(batch)
    torch.testing.assert_close(four_maps(*tensors), formula(*tensors))
    for k in range(3):
        in_dims = [None] * 3
        in_dims[k] = 0
        many = [torch.stack((t, 2 * t)) if j == k else t for j, t in enumerate(tensors)]
        got, expected = (vmap(f, tuple(in_dims))(*many) for f in (four_maps, formula))
        torch.testing.assert_close(got, expected)


def test_on_a_device_without_autocast():
    layer = ExchangeableEquivariant(2, 3, device="meta")
    y = layer(torch.empty(5, N, D, 2, device="meta"))
    assert y.shape == (5, N, D, 3)
    y.sum().backward()
    assert layer.stored_weight.grad.shape == layer.weight.shape
    with torch.no_grad():
        assert layer(torch.empty(5, N, D, 2, device="meta")).shape == y.shape


def test_rows_and_columns_in_any_memory_order():
    x, weight, bias = inputs()
    moved = x.permute(3, 1, 0, 2).contiguous().permute(2, 1, 3, 0)
    assert not moved.is_contiguous()
    one = torch.ones((), **DOUBLE)
    for made in (moved, x.flip(1).flip(1), x[:1].expand(2, -1, -1, -1)):
        made = made.detach().requires_grad_()
        torch.testing.assert_close(four_maps(made, weight, bias), formula(made, weight, bias))
        got, expected = (
            # The gradient that comes in is expanded, too.
            torch.autograd.grad(f(made, weight, bias).sum(), made, one)[0]
            for f in (four_maps, formula)
        )
        torch.testing.assert_close(got, expected)


def test_stacked_parameters_and_gradients_of_each_sample():
    layers = [ExchangeableEquivariant(2, 3, **DOUBLE) for _ in range(3)]
    x = inputs()[0]
    mask = torch.rand(x.shape[:3], generator=torch.Generator().manual_seed(1)) < 0.6
    parameters, _ = stack_module_state(layers)
    for arguments in ((x,), (x, mask[:, :, 0]), (x, mask)):

        def loss(parameters, *arguments):
            return (functional_call(layers[0], parameters, arguments) ** 2).sum()

        stacked = vmap(grad(loss), (0, *[None] * len(arguments)))(parameters, *arguments)
        for k, layer in enumerate(layers):
            layer.zero_grad()
            (layer(*arguments) ** 2).sum().backward()
            for name, parameter in layer.named_parameters():
                torch.testing.assert_close(stacked[name][k], parameter.grad)
        own = {name: p.detach() for name, p in layers[0].named_parameters()}
        each = vmap(grad(loss), (None, *[0] * len(arguments)))(
            own, *(argument[:, None] for argument in arguments)
        )
        for name, parameter in layers[0].named_parameters():
            torch.testing.assert_close(each[name].sum(0), parameter.grad)
