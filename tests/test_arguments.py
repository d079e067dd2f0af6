import math
import pickle
import sys
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch

from invariant_nets import GaussianDataset
from invariant_nets._arguments import (
    dropout_rate,
    finite,
    int_at_least,
    long_int,
    open_share,
    positive_int,
    positive_variance,
    set_batch,
    set_mask,
)


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), torch.tensor(3)])
def test_every_kind_of_integer_becomes_an_int(value):
    number = positive_int("n", value)
    assert number == 3
    assert type(number) is int


@pytest.mark.parametrize("value", [0, -1, -(10**30)])
def test_integers_below_one_are_refused(value):
    with pytest.raises(ValueError, match=f"n must be at least 1, got {value}"):
        positive_int("n", value)


@pytest.mark.parametrize("value", [3.0, "3", None, [3], 3j, torch.tensor(3.0)])
def test_what_is_no_integer_is_refused(value):
    with pytest.raises(TypeError, match=r"n must be an integer, got"):
        positive_int("n", value)


@pytest.mark.parametrize("value", [True, False])
def test_a_bool_is_no_integer(value):
    with pytest.raises(TypeError, match=f"n must be an integer, got the bool {value}"):
        positive_int("n", value)


def test_the_least_integer_can_be_chosen():
    assert int_at_least("seed", 0, 0) == 0
    with pytest.raises(ValueError, match="seed must be at least 0, got -1"):
        int_at_least("seed", -1, 0)


@pytest.mark.parametrize("value", [2, 2.0, np.float32(2), np.int64(2), Fraction(2)])
def test_every_kind_of_number_becomes_a_float(value):
    variance = positive_variance("var1", value)
    assert variance == 2.0
    assert type(variance) is float


@pytest.mark.parametrize("value", [0, 0.0, -0.0, -1.0, math.inf, -math.inf, math.nan])
def test_what_is_no_positive_finite_variance_is_refused(value):
    with pytest.raises(ValueError, match=f"var1 must be a positive, finite variance, got {value}"):
        positive_variance("var1", value)


@pytest.mark.parametrize("value", ["1", None, 1j, [1.0], True, Decimal(1)])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(TypeError, match="var1 must be a number, got"):
        positive_variance("var1", value)


@pytest.mark.parametrize("batch", [0, 1, 5])
def test_batches_of_sets_pass(batch):
    set_batch(torch.zeros(batch, 3, 2))
    set_batch(torch.zeros(batch, 3, 2), n=3, d=2)


@pytest.mark.parametrize(
    ("shape", "sizes", "words"),
    [
        ((3, 2), {}, r"x must have shape \(batch, n, d\), got \(3, 2\)"),
        ((), {}, r"x must have shape \(batch, n, d\), got \(\)"),
        ((1, 1, 3, 2), {}, r"x must have shape \(batch, n, d\), got \(1, 1, 3, 2\)"),
        ((1, 0, 2), {}, r"x must hold sets with n ≥ 1 and d ≥ 1, got \(1, 0, 2\)"),
        ((1, 3, 0), {}, r"x must hold sets with n ≥ 1 and d ≥ 1, got \(1, 3, 0\)"),
        ((1, 3, 2), {"n": 4}, r"x must have shape \(batch, 4, d\), got \(1, 3, 2\)"),
        ((1, 3, 2), {"d": 4}, r"x must have shape \(batch, n, 4\), got \(1, 3, 2\)"),
        ((1, 3, 2), {"n": 2, "d": 3}, r"x must have shape \(batch, 2, 3\), got \(1, 3, 2\)"),
        ((3, 2), {"name": "input"}, r"input must have shape"),
    ],
)
def test_tensors_of_another_shape_are_refused(shape, sizes, words):
    with pytest.raises(ValueError, match=words):
        set_batch(torch.zeros(shape), **sizes)


@pytest.mark.parametrize("value", [None, [[[1.0]]], np.zeros((1, 3, 2)), 3.0])
def test_what_is_no_tensor_is_refused(value):
    with pytest.raises(TypeError, match=f"x must be a tensor, got {type(value).__name__}"):
        set_batch(value)


@pytest.mark.parametrize("mask", [None, torch.zeros(4, 3, dtype=torch.bool)])
def test_a_mask_of_the_sets_rows_passes_and_so_does_none(mask):
    set_mask(mask, torch.zeros(4, 3, 2))


@pytest.mark.parametrize("value", [True, [[True, False]], np.ones((4, 3), dtype=bool)])
def test_a_mask_that_is_no_tensor_is_refused(value):
    with pytest.raises(TypeError, match=f"mask must be a tensor, got {type(value).__name__}"):
        set_mask(value, torch.zeros(4, 3, 2))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.float32])
def test_a_mask_of_numbers_is_refused(dtype):
    with pytest.raises(TypeError, match=f"keep must be of bool, .* got {dtype}"):
        set_mask(torch.ones(4, 3, dtype=dtype), torch.zeros(4, 3, 2), name="keep")


@pytest.mark.parametrize("shape", [(4,), (3, 4), (4, 3, 1), (1, 3), (4, 2), ()])
def test_a_mask_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"mask must have shape \(batch, n\) = \(4, 3\), got"):
        set_mask(torch.ones(shape, dtype=torch.bool), torch.zeros(4, 3, 2))


@pytest.mark.parametrize("static", [True, False])
@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"num_samples": 0}, ValueError, "num_samples must be at least 1, got 0"),
        ({"num_samples": 8.0}, TypeError, "num_samples must be an integer, got 8.0"),
        ({"shape": (0, 5)}, ValueError, r"n in shape=\(n, d\) must be at least 1, got 0"),
        ({"shape": (10, 0)}, ValueError, r"d in shape=\(n, d\) must be at least 1, got 0"),
        ({"shape": (10.0, 5)}, TypeError, r"n in shape=\(n, d\) must be an integer, got 10.0"),
        ({"shape": (10,)}, ValueError, r"shape must be \(n, d\), got \(10,\)"),
        ({"shape": (1, 2, 3)}, ValueError, r"shape must be \(n, d\), got \(1, 2, 3\)"),
        ({"shape": 10}, ValueError, r"shape must be \(n, d\), got 10"),
        ({"var1": 0.0}, ValueError, "var1 must be a positive, finite variance, got 0.0"),
        ({"var2": -1.0}, ValueError, "var2 must be a positive, finite variance, got -1.0"),
        ({"var2": "1"}, TypeError, "var2 must be a number, got '1'"),
        ({"seed": -1}, ValueError, "seed must be at least 0, got -1"),
        ({"seed": 1.5}, TypeError, "seed must be an integer, got 1.5"),
    ],
)
def test_a_dataset_of_bad_arguments_is_refused_before_it_draws(static, change, error, words):
    arguments = {"num_samples": 8, "shape": (10, 5), "var1": 1.0, "var2": 0.8, "static": static}
    before = torch.get_rng_state()
    with pytest.raises(error, match=words):
        GaussianDataset(**arguments | change)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("value", [0.25, 1e-9, 1 - 1e-9])
def test_a_share_lies_strictly_between_0_and_1(value):
    assert open_share("share", value) == value


@pytest.mark.parametrize("value", [0, 1, -0.1, 1.5, float("nan"), float("inf")])
def test_all_or_nothing_is_no_share(value):
    with pytest.raises(ValueError, match="share must lie between 0 and 1, got"):
        open_share("share", value)


@pytest.mark.parametrize("value", [True, "1", None])
def test_what_is_no_number_is_no_share(value):
    with pytest.raises(TypeError, match="share must be a number, got"):
        open_share("share", value)


@pytest.mark.parametrize(
    ("x", "like", "words"),
    [
        (torch.float64, torch.float32, r"float32 as the weights are, got torch.float64: "
         r"x.float\(\), or layer.double\(\)$"),
        (torch.float32, torch.bfloat16, r"bfloat16 as .*: x.bfloat16\(\), or layer.float\(\)$"),
        (torch.int64, torch.float32, r"float32 as .*, got torch.int64: x.float\(\)$"),
        (torch.float32, torch.complex64, r"complex64 as .*: x.to\(torch.complex64\), or"),
    ],
)  # fmt: skip
def test_another_type_is_refused_in_one_sentence(x, like, words):
    with pytest.raises(TypeError, match=f"^x must be of torch.{words}"):
        set_batch(torch.ones(1, 2, 3, dtype=x), like=torch.ones(1, dtype=like))


def test_double_precision_is_refused_under_autocast_too():
    x, weight = torch.ones(1, 2, 3, dtype=torch.float64), torch.ones(1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        set_batch(x.bfloat16(), like=weight)
        with pytest.raises(TypeError, match=r"got torch.float64: x.float\(\)"):
            set_batch(x, like=weight)


def test_a_long_integer_has_a_text_where_python_refuses_one():
    number = long_int(math.factorial(1600))
    assert number == math.factorial(1600)
    assert f"{number}" == f"{number:,}" == str(number) == repr(number) == "5.27·10^4433"
    assert str(long_int(-(10**5000))) == "-1.00·10^5000"
    assert str(pickle.loads(pickle.dumps(number))) == "5.27·10^4433"


@pytest.mark.parametrize("number", [0, -5, 10**6, 10**700, 10**4299])
def test_every_other_integer_keeps_its_text(number):
    assert str(long_int(number)) == repr(long_int(number)) == str(number)
    assert f"{long_int(number):,}" == f"{number:,}"


def test_the_limit_of_python_is_kept():
    limit = sys.get_int_max_str_digits()
    try:
        sys.set_int_max_str_digits(640)
        assert str(long_int(10**639)) == str(10**639)
        assert str(long_int(10**640)) == "1.00·10^640"
        sys.set_int_max_str_digits(0)
        assert str(long_int(10**5000)) == "1" + "0" * 5000
    finally:
        sys.set_int_max_str_digits(limit)


@pytest.mark.parametrize("value", [0, 0.0, 0.5, Fraction(1, 3)])
def test_a_dropout_rate_is_a_number_from_0_to_below_1(value):
    assert dropout_rate(value) == float(value)
    assert type(dropout_rate(value)) is float


@pytest.mark.parametrize("value", [1, 1.0, -0.1, math.nan, math.inf])
def test_other_dropout_rates_are_refused(value):
    with pytest.raises(ValueError, match=r"dropout must lie in \[0, 1\), got"):
        dropout_rate(value)
    for wrong in (False, "0", None):
        with pytest.raises(TypeError, match="dropout must be a number, got"):
            dropout_rate(wrong)


def test_finite_numbers_are_floats_of_either_sign():
    assert [finite("t", value) for value in (-2, 0, 1e300)] == [-2.0, 0.0, 1e300]
    for value in (math.inf, -math.inf, math.nan, 10**400):
        with pytest.raises(ValueError, match="t must be finite, got"):
            finite("t", value)
