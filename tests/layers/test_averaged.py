import copy
import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from invariant_nets import LinearEquivariant, LinearInvariant
from tests import oracles

LAYERS = [LinearEquivariant, LinearInvariant]
NORMALIZATIONS = ["mean", "sqrt", "sum"]
POOLINGS = ["mean", "sum"]
OPTIONS = list(itertools.product(NORMALIZATIONS, POOLINGS))

every_layer = pytest.mark.parametrize("layer_type", LAYERS)
every_option = pytest.mark.parametrize(("normalization", "pooling"), OPTIONS)
dimensions = {
    "batch": st.integers(0, 3),
    "n": st.integers(1, 5),
    "d": st.integers(1, 5),
    "out": st.integers(1, 4),
    "seed": st.integers(0, 2**32 - 1),
}


def layer_and_sets(layer_type, normalization, pooling, batch, n, d, out, seed):
    """A float64 layer with all its coefficients drawn, and a batch that it fits."""
    generator = torch.Generator().manual_seed(seed)
    layer = layer_type(d, out, normalization, pooling, dtype=torch.float64)
    for name in "abc" if layer_type is LinearEquivariant else "bc":
        setattr(layer, name, torch.randn(d, out, generator=generator, dtype=torch.float64))
    return layer, torch.randn(batch, n, d, generator=generator, dtype=torch.float64)


@every_option
@given(**dimensions)
def test_the_equivariant_layer_is_its_double_loop(normalization, pooling, **sizes):
    layer, x = layer_and_sets(LinearEquivariant, normalization, pooling, **sizes)
    expected = oracles.linear_equivariant(x, layer.a, layer.b, layer.c, normalization, pooling)
    torch.testing.assert_close(layer(x), expected)


@every_option
@given(**dimensions)
def test_the_invariant_layer_is_its_double_loop(normalization, pooling, **sizes):
    layer, x = layer_and_sets(LinearInvariant, normalization, pooling, **sizes)
    expected = oracles.linear_invariant(x, layer.b, layer.c, normalization, pooling)
    torch.testing.assert_close(layer(x), expected)


@every_option
@pytest.mark.parametrize("n", [1, 4])
def test_the_gradients_are_those_of_the_double_loop(normalization, pooling, n):
    layer, x = layer_and_sets(LinearEquivariant, normalization, pooling, 2, n, 3, 2, seed=0)
    inputs = [t.detach().clone().requires_grad_() for t in (x, layer.a, layer.b, layer.c)]
    weights = torch.randn(2, n, 2, dtype=torch.float64)
    slow = oracles.linear_equivariant(*inputs, normalization, pooling)
    expected = torch.autograd.grad((slow * weights).sum(), inputs)
    (layer(x.requires_grad_()) * weights).sum().backward()
    stored = (p.grad / oracles.unit(normalization) for p in layer.parameters())
    torch.testing.assert_close((x.grad, *stored), expected)


@every_layer
@every_option
def test_the_gradients_are_finite_differences(layer_type, normalization, pooling):
    layer, x = layer_and_sets(layer_type, normalization, pooling, 2, 3, 3, 2, seed=0)
    x.requires_grad_()
    names = [name for name, _ in layer.named_parameters()]

    def call(x, *parameters):
        return torch.func.functional_call(layer, dict(zip(names, parameters, strict=True)), (x,))

    assert torch.autograd.gradcheck(call, (x, *layer.parameters()))


@every_option
@given(**dimensions)
def test_the_equivariant_layer_commutes_with_permutations(normalization, pooling, **sizes):
    layer, x = layer_and_sets(LinearEquivariant, normalization, pooling, **sizes)
    order = torch.randperm(sizes["n"], generator=torch.Generator().manual_seed(sizes["seed"]))
    torch.testing.assert_close(layer(x[:, order]), layer(x)[:, order])


@every_option
@given(**dimensions)
def test_the_invariant_layer_ignores_permutations(normalization, pooling, **sizes):
    layer, x = layer_and_sets(LinearInvariant, normalization, pooling, **sizes)
    order = torch.randperm(sizes["n"], generator=torch.Generator().manual_seed(sizes["seed"]))
    torch.testing.assert_close(layer(x[:, order]), layer(x))


@every_layer
@every_option
def test_each_set_of_a_batch_is_on_its_own(layer_type, normalization, pooling):
    layer, x = layer_and_sets(layer_type, normalization, pooling, 4, 3, 2, 5, seed=0)
    alone = torch.cat([layer(x[k : k + 1]) for k in range(4)])
    torch.testing.assert_close(layer(x), alone)


@every_option
def test_the_invariant_layer_is_what_members_of_an_equivariant_layer_share(normalization, pooling):
    equivariant, x = layer_and_sets(LinearEquivariant, normalization, pooling, 2, 3, 4, 5, seed=0)
    invariant = LinearInvariant(4, 5, normalization, pooling, dtype=torch.float64)
    own = ("stored_b", "stored_c")
    invariant.load_state_dict({name: equivariant.state_dict()[name] for name in own})
    nn.init.zeros_(equivariant.stored_a)
    expected = invariant(x)[:, None].expand(-1, 3, -1)
    torch.testing.assert_close(equivariant(x), expected)


@every_layer
def test_mean_and_sum_pooling_differ_by_the_set_size(layer_type):
    mean, x = layer_and_sets(layer_type, "mean", "mean", 2, 6, 3, 2, seed=0)
    total = layer_type(3, 2, "mean", "sum", dtype=torch.float64)
    total.load_state_dict(mean.state_dict())
    nn.init.zeros_(mean.stored_c)
    nn.init.zeros_(total.stored_c)
    if layer_type is LinearEquivariant:
        nn.init.zeros_(mean.stored_a)
        nn.init.zeros_(total.stored_a)
    torch.testing.assert_close(total(x), 6 * mean(x))


@every_layer
def test_the_normalizations_differ_by_powers_of_the_root_of_d(layer_type):
    outputs = []
    for normalization in NORMALIZATIONS:
        layer, x = layer_and_sets(layer_type, normalization, "mean", 2, 3, 4, 2, seed=0)
        outputs.append(layer(x))
    torch.testing.assert_close(outputs[1], 2 * outputs[0])
    torch.testing.assert_close(outputs[2], 4 * outputs[0])


@every_layer
def test_the_defaults_are_the_means(layer_type):
    layer = layer_type(4, 2)
    assert (layer.normalization, layer.pooling, layer.scale) == ("mean", "mean", 1 / 4)


@every_layer
def test_an_empty_batch_gives_an_empty_batch_with_zero_gradients(layer_type):
    layer = layer_type(4, 2)
    output = layer(torch.zeros(0, 3, 4))
    assert output.shape == ((0, 3, 2) if layer_type is LinearEquivariant else (0, 2))
    output.sum().backward()
    assert all(p.grad is not None and not p.grad.any() for p in layer.parameters())


@every_layer
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.float16])
def test_the_dtype_argument_is_obeyed(layer_type, dtype):
    layer = layer_type(4, 2, dtype=dtype)
    assert {parameter.dtype for parameter in layer.parameters()} == {dtype}
    assert layer(torch.randn(2, 3, 4, dtype=dtype)).dtype == dtype


@every_layer
def test_the_device_argument_is_obeyed(layer_type):
    layer = layer_type(4, 2, device="meta")
    assert {p.device.type for p in layer.parameters()} == {"meta"}
    shape = layer(torch.empty(3, 5, 4, device="meta")).shape
    with torch.no_grad():
        assert layer(torch.empty(3, 5, 4, device="meta")).shape == shape


@every_option
def test_without_gradients_it_computes_the_same(normalization, pooling):
    layer = LinearEquivariant(4, 2, normalization, pooling)
    shapes = (3, 5, 4), (0, 5, 4), (1, 5, 4), (3, 1, 4), (1, 1, 4)
    moved = torch.randn(2, 4, 5).mT, torch.randn(5, 3, 4).transpose(0, 1)
    for x in (*map(torch.randn, shapes), *moved):
        before = x.clone()
        for mask in (None, torch.rand(x.shape[:2]) < 0.7):
            with torch.no_grad():
                got = layer(x, mask=mask)
                each = torch.func.vmap(lambda x, m=mask: layer(x, mask=m))(x[None])[0]
            torch.testing.assert_close(got, layer(x, mask=mask))
            torch.testing.assert_close(each, got)
        assert torch.equal(x, before)


@every_layer
def test_a_mean_of_a_sum_that_half_precision_cannot_hold(layer_type):
    low = layer_type(2, 3, dtype=torch.float16)
    full = copy.deepcopy(low).float()
    x = torch.rand(2, 600, 2).add(1).mul(100).half().requires_grad_()
    assert x.sum(1).isinf().all()
    for mask in (None, torch.rand(2, 600) < 0.9):
        y, expected = low(x, mask=mask), full(x.float(), mask=mask)
        # Terms of a few hundred, of which half precision knows every fourth part, may cancel.
        torch.testing.assert_close(y.float(), expected, atol=3, rtol=1e-2)
        got, wanted = (torch.autograd.grad(z.float().mean(), x)[0] for z in (y, expected))
        torch.testing.assert_close(got, wanted, atol=1e-3, rtol=1e-2)


@every_layer
def test_a_half_precision_layer_starts_like_the_full_one(layer_type):
    torch.manual_seed(0)
    full = layer_type(4, 2)
    torch.manual_seed(0)
    half = layer_type(4, 2, dtype=torch.bfloat16)
    for one, other in zip(full.parameters(), half.parameters(), strict=True):
        torch.testing.assert_close(other.float(), one, rtol=2**-7, atol=1e-6)


@every_layer
def test_autocast_without_gradients(layer_type):
    layer, x = layer_type(4, 2), torch.randn(3, 5, 4)
    with torch.no_grad():
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = layer(x)
        assert y.dtype == torch.bfloat16
        torch.testing.assert_close(y.float(), layer(x), atol=0.05, rtol=0.05)


@every_layer
def test_a_view_that_is_not_contiguous_gives_the_same(layer_type):
    layer, x = layer_and_sets(layer_type, "mean", "mean", 3, 4, 5, 2, seed=0)
    strided = x.permute(2, 1, 0).contiguous().permute(2, 1, 0)
    assert not strided.is_contiguous()
    torch.testing.assert_close(layer(strided), layer(x))


@every_layer
def test_it_prints_like_a_torch_layer(layer_type):
    text = repr(layer_type(4, 2, pooling="sum"))
    assert text == f"{layer_type.__name__}(4, 2, normalization='mean', pooling='sum')"


@every_layer
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((0, 2), "in_channels must be at least 1, got 0"),
        ((4, -1), "out_channels must be at least 1, got -1"),
        ((4, 2, "max"), "normalization must be one of 'mean', 'sqrt', 'sum', got 'max'"),
        ((4, 2, "mean", "max"), "pooling must be one of 'mean', 'sum', got 'max'"),
    ],
)
def test_bad_arguments_are_refused(layer_type, arguments, words):
    with pytest.raises(ValueError, match=words):
        layer_type(*arguments)


@every_layer
@pytest.mark.parametrize("channels", [(4.0, 2), (4, "2"), (True, 2)])
def test_channels_that_are_no_integers_are_refused(layer_type, channels):
    with pytest.raises(TypeError, match="_channels must be an integer, got"):
        layer_type(*channels)


# How the weights start.

WIDTHS = [(1, 1), (5, 10), (10, 10), (64, 64), (10, 1), (64, 8)]


def mean_squares(layer_type, normalization, d, out, n=10, draws=200):
    """The mean square that comes in and goes out, over many draws of the weights."""
    torch.manual_seed(0)
    x = torch.randn(64, n, d) * torch.rand(d) + torch.randn(d)
    goes_out = [layer_type(d, out, normalization)(x).square().mean().item() for _ in range(draws)]
    comes_in = x if layer_type is LinearEquivariant else x.mean(1)
    return comes_in.square().mean().item(), torch.tensor(goes_out)


@pytest.mark.parametrize("normalization", NORMALIZATIONS)
@pytest.mark.parametrize(("d", "out"), WIDTHS)
@pytest.mark.parametrize(("layer_type", "gain"), [(LinearEquivariant, 2.0), (LinearInvariant, 1.0)])
def test_a_new_layer_multiplies_the_mean_square_by_its_gain(
    layer_type, gain, normalization, d, out
):
    # A matrix with orthonormal rows keeps every length, whatever was drawn.
    exact = out >= d
    draws = 10 if exact else 200
    comes_in, goes_out = mean_squares(layer_type, normalization, d, out, draws=draws)
    if exact:
        torch.testing.assert_close(goes_out, torch.full_like(goes_out, gain * comes_in))
    else:
        error = goes_out.std() / math.sqrt(len(goes_out))
        assert abs(goes_out.mean() - gain * comes_in) < 4 * error


@pytest.mark.parametrize("d", [1, 5, 64])
def test_the_maps_on_deviations_and_on_the_mean_start_semi_orthogonal(d):
    layer = LinearEquivariant(d, d, dtype=torch.float64)
    for weight in (layer.a, layer.a + layer.b):
        matrix = layer.scale * weight / math.sqrt(2)
        torch.testing.assert_close(matrix @ matrix.T, torch.eye(d, dtype=torch.float64))


@every_layer
def test_the_offsets_start_at_zero(layer_type):
    assert not layer_type(4, 2).c.any()


@every_layer
def test_reset_parameters_draws_anew_from_the_global_generator(layer_type):
    layer = layer_type(4, 2)
    first = copy.deepcopy(layer.state_dict())
    torch.manual_seed(1)
    layer.reset_parameters()
    second = copy.deepcopy(layer.state_dict())
    torch.manual_seed(1)
    layer.reset_parameters()
    assert not torch.equal(first["stored_b"], second["stored_b"])
    assert torch.equal(layer.state_dict()["stored_b"], second["stored_b"])


def deep(width, depth):
    widths = [5] + [width] * depth
    layers = [LinearEquivariant(*pair) for pair in itertools.pairwise(widths)]
    hidden = [module for layer in layers for module in (layer, nn.ReLU())]
    return nn.Sequential(*hidden, LinearInvariant(width, 1))


def start_of(network):
    """The rms of the last hidden signal, the spread of the logits, the first layer's gradient."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(256, 10, 5, generator=generator)
    labels = torch.randint(2, (256, 1), generator=generator).float()
    hidden = network[:-1](x)
    logits = network[-1](hidden)
    F.binary_cross_entropy_with_logits(logits, labels).backward()
    first = network[0]
    stored = torch.stack([first.stored_a.grad, first.stored_b.grad])
    gradient = (first.scale * stored / oracles.unit("mean")).norm()
    return hidden.square().mean().sqrt().item(), logits.std().item(), gradient.item()


@pytest.mark.parametrize(("width", "depth"), [(10, 2), (100, 8), (200, 16)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_signals_and_gradients_neither_blow_up_nor_die(width, depth, seed):
    torch.manual_seed(seed)
    signal, spread, gradient = start_of(deep(width, depth))
    assert 0.5 < signal < 2
    assert 0.03 < spread < 3
    assert 1e-4 < gradient < 1


def test_standard_normal_weights_die_in_depth():
    # The same measures catch the start that this one replaces.
    torch.manual_seed(0)
    network = deep(100, 8)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=1 / oracles.unit("mean"))
    _, spread, gradient = start_of(network)
    assert spread < 1e-4
    assert gradient < 1e-4


def test_a_wide_and_deep_network_trains():
    torch.manual_seed(0)
    network = deep(100, 8)
    optimizer = torch.optim.Adam(network.parameters(), lr=3e-3)
    losses = []
    for _ in range(100):
        labels = torch.randint(2, (64, 1)).float()
        x = torch.randn(64, 10, 5) * torch.where(labels == 0, 1.0, 0.6)[..., None]
        loss = F.binary_cross_entropy_with_logits(network(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-10:]) / 10 < 0.35
