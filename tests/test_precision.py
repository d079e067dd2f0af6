"""Sums are taken in single precision, or in what is more precise."""

import pytest
import torch

from invariant_nets._sets import at_least_single


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.int64])
def test_what_is_less_than_single_becomes_single(dtype):
    assert at_least_single(dtype) is torch.float32


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex64])
def test_what_is_more_stays(dtype):
    assert at_least_single(dtype) is dtype
