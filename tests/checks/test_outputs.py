"""What a `Leaf` tolerates of an output entry, and where rounding could hide a defect."""

import pytest
import torch

from invariant_nets.checks.outputs import Leaf, gap, tensors_of, wide

EPSILON = torch.finfo(torch.float32).eps


def leaf(reference, spread, rounding=None, dtype=torch.float32):
    reference, spread = torch.tensor([reference]).double(), torch.tensor(spread).double()
    if rounding is None:
        rounding = 32 * EPSILON * reference.abs()
    return Leaf("output", dtype, reference, spread, rounding, rounding)


def tolerance(samples, rtol=1e-3):
    """Of a single entry in double precision whose own value is 0, so that nothing is rounded."""
    samples = torch.as_tensor(samples).double()
    return Leaf.of("output", torch.zeros(1).double(), samples, rtol, 0.0).tolerance


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        (torch.complex64, torch.complex128),
        (torch.float16, torch.float64),
        (torch.int16, torch.int16),
        (torch.bool, torch.bool),
    ],
)
def test_what_is_wide_is_in_double_precision_or_exact(dtype, expected):
    y = torch.ones(3).to(dtype)
    assert wide(y).dtype == expected


def test_rounding_blurs_what_varies_less_than_four_times_as_much():
    assert leaf([1.0], [127 * EPSILON]).blurred().all()
    assert not leaf([1.0], [128 * EPSILON]).blurred().any()


def test_what_varies_by_rounding_alone_is_a_constant_and_not_blurred():
    assert not leaf([1000.0], [1000 * EPSILON]).blurred().any()
    assert leaf([1000.0], [1001 * EPSILON]).blurred().all()


def test_each_entry_is_a_constant_by_itself():
    found = leaf([1.0, 1e6], [8 * EPSILON, 8e6 * EPSILON]).blurred()
    assert found.tolist() == [[True, True]]
    assert leaf([1.0, 1e6], [8 * EPSILON, EPSILON]).blurred().tolist() == [[True, False]]


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("center", [0.0, 100.0])
def test_a_set_of_another_scale_widens_no_tolerance(scale, center):
    samples = scale * (center + torch.randn(1000, generator=torch.Generator().manual_seed(0)))
    expected = tolerance(samples)
    assert expected == pytest.approx(1e-3 * scale, rel=0.1)
    samples[0] = scale * 1e6
    assert tolerance(samples) == pytest.approx(float(expected), rel=0.1)


def test_an_entry_that_is_mostly_the_same_is_compared_with_its_standard_deviation():
    assert tolerance([0.0] * 99 + [10.0]) == pytest.approx(1e-3 * 0.99**0.5)


def test_every_part_of_an_output_is_kept_and_sparse_ones_are_written_out():
    first, second = torch.ones(2, 1), torch.ones(2, 3).to_sparse()
    found = tensors_of((first, {"again": second}))
    assert list(found) == ["output[0]", "output[1]['again']"]
    assert all(part.layout == torch.strided for part in found.values())


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8])
def test_whole_numbers_are_apart_by_their_difference(dtype):
    a, b = torch.tensor([5, 2, 7]).to(dtype), torch.tensor([2, 5, 7]).to(dtype)
    assert gap(a, b).tolist() == [3, 3, 0]


def test_what_is_true_is_apart_from_what_is_false_by_one():
    assert gap(torch.tensor([True, False]), torch.tensor([False, False])).tolist() == [1, 0]
    large = torch.tensor([2**60 + 1])  # of which double precision makes 2**60
    assert gap(large, large - 1).tolist() == [1]


def test_whole_numbers_round_nothing_and_are_tolerated_as_one_says():
    samples = torch.tensor([[1], [5]])
    found = Leaf.of("output", samples, samples, None, 2.0)
    assert found.rounding.tolist() == [[0], [0]]
    assert found.tolerance.tolist() == [[2], [2]]
    assert {found.rounding.dtype, found.tolerance.dtype} == {torch.float64}
    assert found.spread.tolist() == [2]


def test_complex_numbers_vary_in_both_parts():
    samples = torch.tensor([[1j], [-1j]])
    assert Leaf.of("output", samples, samples, None, 0.0).spread.tolist() == [1]


@pytest.mark.parametrize(
    ("dtype", "units"), [(torch.bfloat16, 4), (torch.float16, 4), (torch.float32, 32)]
)
def test_rounding_is_so_many_units_of_the_number(dtype, units):
    y = torch.full((2, 1), 3.0, dtype=dtype)
    rounding = Leaf.of("output", y, y, None, 0.0).rounding
    assert rounding.tolist() == [[units * torch.finfo(dtype).eps * 3]] * 2
