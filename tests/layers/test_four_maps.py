"""The fused map against the formula that autograd differentiates by itself."""

import pytest
import torch
from torch import nn
from torch.func import functional_call, grad, hessian, stack_module_state, vmap

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


def derivatives(function, tensors, needed):
    tensors = [t.clone().requires_grad_(k in needed) for k, t in enumerate(tensors)]
    (function(*tensors) ** 3).sum().backward()
    return [t.grad for t in tensors]


@pytest.mark.parametrize("needed", [{0}, {1}, {2}, {0, 1}, {1, 2}, {0, 1, 2}])
@pytest.mark.parametrize("batch", [0, 2])
def test_each_input_gets_its_gradient_and_only_if_it_needs_one(needed, batch):
    tensors = inputs(batch)
    gradients = derivatives(four_maps, tensors, needed)
    for k, (got, expected) in enumerate(
        zip(gradients, derivatives(formula, tensors, needed), strict=True)
    ):
        assert (got is None) == (k not in needed)
        if got is not None:
            torch.testing.assert_close(got, expected)


def scaled(row_share=None):
    """The map with a scale for each row and column, as a mask gives them."""
    source = torch.Generator().manual_seed(1)
    row, column, share = (
        torch.rand(2, size, 1, generator=source, **DOUBLE) + 0.1 for size in (N, D, N)
    )
    scales = row, column, 0.1 / row if row_share == "right" else share
    return lambda x, weight, bias: four_maps(x, weight, bias, scales)


@pytest.mark.parametrize("function", [four_maps, scaled("right")])
def test_derivatives_of_both_orders(function):
    tensors = [t.requires_grad_() for t in inputs()]
    assert torch.autograd.gradcheck(function, tensors)
    assert torch.autograd.gradgradcheck(function, tensors)


@pytest.mark.parametrize("batch", [0, 2, 4_000])
def test_without_gradients_it_is_the_formula(batch):
    tensors = inputs(batch)
    with torch.no_grad():
        torch.testing.assert_close(four_maps(*tensors), formula(*tensors))
        for k in range(3):
            in_dims = [None] * 3
            in_dims[k] = 0
            one = [t[None] if j == k else t for j, t in enumerate(tensors)]
            got, expected = (vmap(f, tuple(in_dims))(*one) for f in (four_maps, formula))
            torch.testing.assert_close(got, expected)


def test_on_a_device_without_autocast():
    layer = ExchangeableEquivariant(2, 3, device="meta")
    y = layer(torch.empty(5, N, D, 2, device="meta"))
    assert y.shape == (5, N, D, 3)
    y.sum().backward()
    assert layer.weight.grad.shape == layer.weight.shape
    with torch.no_grad():
        assert layer(torch.empty(5, N, D, 2, device="meta")).shape == y.shape


def test_a_grand_mean_of_unequal_weights_has_another_adjoint():
    tensors = [t.requires_grad_() for t in inputs()]
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        torch.autograd.gradcheck(scaled("wrong"), tensors)


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


# torch scripts its own decompositions when forward mode is first used, and warns about that.
@pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")
def test_forward_mode_and_hessians():
    tensors = inputs(batch=1, n=2, d=2, channels=2, out=1)
    tangents = tuple(t.cos() for t in tensors)
    got, expected = (torch.func.jvp(f, tuple(tensors), tangents) for f in (four_maps, formula))
    torch.testing.assert_close(got, expected)
    for k in range(3):

        def of(function, k=k):
            def loss(t):
                return function(*tensors[:k], t, *tensors[k + 1 :]).tanh().sum()

            return loss

        torch.testing.assert_close(
            hessian(of(four_maps))(tensors[k]), hessian(of(formula))(tensors[k])
        )


@pytest.mark.filterwarnings("ignore:`torch.jit.script:DeprecationWarning")
@pytest.mark.parametrize("function", [four_maps, scaled("right")])
def test_dual_numbers_and_batches_of_gradients(function):
    tensors = [t.requires_grad_() for t in inputs()]
    tangents = [t.detach().cos() for t in tensors]
    with torch.autograd.forward_ad.dual_level():
        duals = map(torch.autograd.forward_ad.make_dual, tensors, tangents)
        y, y_t = torch.autograd.forward_ad.unpack_dual(function(*duals))
    _, expected = torch.func.jvp(function, tuple(tensors), tuple(tangents))
    torch.testing.assert_close(y_t, expected)
    gradients = torch.stack([y.detach().sin(), torch.ones_like(y)])
    for needed in ([0], [1, 2], [0, 1, 2]):
        wanted = [tensors[k] for k in needed]
        batched, *alone = (
            torch.autograd.grad(function(*tensors), wanted, g, is_grads_batched=g is gradients)
            for g in (gradients, *gradients)
        )
        for got, *each in zip(batched, *alone, strict=True):
            torch.testing.assert_close(got, torch.stack(each))


def test_the_backward_may_run_under_autocast():
    layer = ExchangeableEquivariant(2, 3)
    x = torch.randn(2, 3, 4, 2)
    expected = torch.autograd.grad(layer(x).sum(), layer.weight)
    y = layer(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = torch.autograd.grad(y.sum(), layer.weight)
    torch.testing.assert_close(got, expected)


def test_a_compiler_gets_the_formula_with_its_derivatives():
    layer = nn.Sequential(ExchangeableEquivariant(2, 3, **DOUBLE), nn.Tanh())
    torch.compiler.reset()
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    x = inputs()[0].requires_grad_()
    got, expected = (
        torch.autograd.grad(model(x).square().sum(), [x, *layer.parameters()])
        for model in (compiled, layer)
    )
    torch.testing.assert_close(got, expected)
