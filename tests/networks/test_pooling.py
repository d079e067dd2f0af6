import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from invariant_nets import SetPooling

POOLINGS = ["sum", "mean", "max", "var", "std", "softmax", "powermean"]
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
                y[k, j] = of_numbers(numbers, pooling)
    return y


def of_numbers(numbers, pooling, t=1.0, p=2.0):
    """The definitions, of the numbers of one feature."""
    n, total = len(numbers), sum(numbers)
    variance = sum((number - total / n) ** 2 for number in numbers) / n
    powers = [math.exp(t * number) for number in numbers]
    weighted = sum(e * number for e, number in zip(powers, numbers, strict=True)) / sum(powers)
    mean_power = sum(abs(number) ** p for number in numbers) / n
    return {
        "sum": total,
        "mean": total / n,
        "max": max(numbers),
        "var": variance,
        "std": math.sqrt(variance),
        "softmax": weighted,
        "powermean": mean_power ** (1 / p),
    }[pooling]


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
    assert repr(SetPooling("powermean", power=3)) == "SetPooling('powermean', power=3.0)"
    assert repr(SetPooling("softmax", d=4)) == "SetPooling('softmax', temperature=1.0, d=4)"


@given(t=st.floats(-3, 3), p=st.floats(1, 6), seed=sizes["seed"])
def test_the_temperature_and_the_power_are_those_asked_for(t, p, seed):
    x, _ = sets(1, 4, 1, seed)
    numbers = x.flatten().tolist()
    soft = SetPooling("softmax", temperature=t)(x).item()
    assert soft == pytest.approx(of_numbers(numbers, "softmax", t=t))
    power = SetPooling("powermean", power=p)(x).item()
    assert power == pytest.approx(of_numbers(numbers, "powermean", p=p))


def test_temperatures_lead_from_the_minimum_by_the_mean_to_the_maximum():
    x, _ = sets(3, 5, 2, seed=0)
    found = {t: SetPooling("softmax", temperature=t)(x) for t in (-1e6, 0, 1, 1e6)}
    torch.testing.assert_close(found[-1e6], x.amin(1))
    torch.testing.assert_close(found[0], x.mean(1))
    torch.testing.assert_close(found[1e6], x.amax(1))
    assert (found[0] < found[1]).all()
    assert (found[1] < found[1e6]).all()


def test_powers_lead_from_the_mean_size_to_the_largest():
    x, _ = sets(3, 5, 2, seed=0)
    torch.testing.assert_close(SetPooling("powermean", power=1)(x), x.abs().mean(1))
    largest = SetPooling("powermean", power=500)(x)
    torch.testing.assert_close(largest, x.abs().amax(1), rtol=1e-2, atol=0)


def test_every_feature_learns_a_temperature_of_its_own():
    layer = SetPooling("softmax", temperature=0.5, d=2, dtype=torch.float64)
    x, mask = sets(3, 5, 2, seed=0)
    torch.testing.assert_close(layer(x, mask), SetPooling("softmax", temperature=0.5)(x, mask))
    with torch.no_grad():
        layer.temperature.copy_(torch.tensor([2.0, -1.0]))
    for j, t in enumerate((2.0, -1.0)):
        alone = SetPooling("softmax", temperature=t)(x[..., j : j + 1], mask)
        torch.testing.assert_close(layer(x, mask)[:, j : j + 1], alone)

    def given(x, t):
        return torch.func.functional_call(layer, {"temperature": t}, (x, mask))

    inputs = x.requires_grad_(), layer.temperature.detach().clone().requires_grad_()
    assert torch.autograd.gradcheck(given, inputs)
    layer.reset_parameters()
    assert layer.temperature.tolist() == [0.5, 0.5]
    with pytest.raises(ValueError, match=r"x must have shape \(batch, n, 2\)"):
        layer(x[..., :1])


ROOTS = [SetPooling("std"), *(SetPooling("powermean", power=p) for p in (1, 1.5, 2, 7))]


@pytest.mark.parametrize("layer", ROOTS, ids=repr)
@pytest.mark.parametrize("value", [0.0, 3.0])
def test_the_gradient_of_a_root_is_finite_where_members_are_equal(layer, value):
    x = torch.full((2, 4, 3), value, requires_grad=True)
    mask = torch.tensor([[True] * 4, [True, False, False, False]])
    for y in (layer(x), layer(x, mask)):
        (slope,) = torch.autograd.grad(y.sum(), x)
        assert slope.isfinite().all()
        assert value or not slope.any()


@pytest.mark.parametrize("layer", ROOTS, ids=repr)
def test_a_root_of_some_members_that_are_zero_has_the_gradient_of_finite_differences(layer):
    x, mask = sets(3, 4, 2, seed=0)
    if layer.pooling == "std" or layer.power > 1:  # the size of a number has a corner at 0
        x[:, :2] = 0
    assert torch.autograd.gradcheck(lambda x: layer(x, mask), (x.requires_grad_(),))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32], ids=str)
@pytest.mark.parametrize("size", ["small", "large"])
@pytest.mark.parametrize("layer", [*ROOTS, SetPooling("softmax")], ids=repr)
def test_neither_small_nor_large_numbers_are_lost(layer, dtype, size):
    limits = torch.finfo(dtype)
    scale = 8 * limits.tiny if size == "small" else limits.max / 1000
    x = (torch.randn(3, 50, 2, generator=torch.Generator().manual_seed(0)) * scale).to(dtype)
    x.clamp_(-limits.max, limits.max)
    y, expected = layer(x), layer(x.double())
    assert y.dtype == dtype
    assert y.isfinite().all()
    torch.testing.assert_close(y.double(), expected, rtol=2 * limits.eps + 1e-5, atol=limits.tiny)


@pytest.mark.parametrize("pooling", ["var", "std"])
def test_a_deviation_far_from_zero_does_not_cancel(pooling):
    x, _ = sets(3, 50, 2, seed=0)
    moved = (x + 1e4).float()
    expected = SetPooling(pooling)(moved.double())
    torch.testing.assert_close(SetPooling(pooling)(moved).double(), expected, rtol=1e-4, atol=0)
    naive = moved.square().mean(1) - moved.mean(1).square()
    assert not torch.allclose(naive.double(), SetPooling("var")(moved.double()), rtol=1e-1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("layer", [SetPooling("var"), *ROOTS, SetPooling("softmax")], ids=repr)
def test_what_is_pooled_in_half_precision_is_rounded_once(layer, dtype):
    x = (100 + torch.randn(3, 500, 2, generator=torch.Generator().manual_seed(0))).to(dtype)
    y, rounding = layer(x), torch.finfo(dtype).eps
    torch.testing.assert_close(y.double(), layer(x.double()), rtol=rounding, atol=0)


def test_a_single_member_does_not_deviate():
    x = torch.randn(2, 3, 2)
    mask = torch.tensor([[True, False, False]] * 2)
    assert not SetPooling("var")(x, mask).any()
    assert not SetPooling("std")(x[:, :1]).any()


@pytest.mark.parametrize("pooling", POOLINGS)
def test_complex_sets_have_sums_and_means_only(pooling):
    x = torch.ones(1, 2, 3, dtype=torch.complex64)
    if pooling in ("sum", "mean"):
        assert SetPooling(pooling)(x).is_complex()
    else:
        with pytest.raises(TypeError, match="x must be of a floating-point type, got"):
            SetPooling(pooling)(x)


@pytest.mark.parametrize(
    ("pooling", "options", "words"),
    [
        ("min", {}, "pooling must be one of 'sum', 'mean', 'max', .* got 'min'"),
        ("powermean", {"power": 0.5}, "power must be at least 1, got 0.5"),
        ("powermean", {"power": math.inf}, "power must be finite, got inf"),
        ("softmax", {"temperature": math.nan}, "temperature must be finite, got nan"),
        ("softmax", {"d": 0}, "d must be at least 1, got 0"),
        ("mean", {"d": 3}, "d is of 'softmax' pooling, got pooling='mean'"),
        ("max", {"temperature": 2.0}, "temperature is of 'softmax' pooling, got pooling='max'"),
        ("std", {"power": 3}, "power is of 'powermean' pooling, got pooling='std'"),
    ],
)
def test_bad_arguments_are_refused(pooling, options, words):
    with pytest.raises(ValueError, match=words):
        SetPooling(pooling, **options)
