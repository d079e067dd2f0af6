import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from invariant_nets import average_over
from invariant_nets._sets import chunk_size
from invariant_nets.averaging.chunked import outputs_over
from invariant_nets.averaging.recompute import recomputed_average
from tests import oracles
from tests.examples import examples


def moved_back(sigma, y):
    """(σ⁻¹·y)_{σ(i)} = y_i for one set."""
    z = torch.empty_like(y)
    for i in range(len(sigma)):
        z[sigma[i]] = y[i]
    return z


@given(n=st.integers(1, 5), k=st.integers(1, 6), size=st.integers(1, 4), seed=st.integers(0, 999))
@examples(50)
def test_the_equivariant_average_is_the_loop_that_moves_rows_back(n, k, size, seed):
    generator = torch.Generator().manual_seed(seed)
    permutations = torch.stack([torch.randperm(n, generator=generator) for _ in range(k)])
    x = torch.randn(3, n, 2, generator=generator, dtype=torch.float64)
    weights = torch.randn(n, n, 1, generator=generator, dtype=torch.float64)

    def function(x):
        return torch.einsum("ijc,bjd->bid", weights, x.square())

    expected = torch.stack(
        [
            sum(
                moved_back(sigma, function(oracles.permuted_rows(sigma, single)[None])[0])
                for sigma in permutations.tolist()
            )
            / k
            for single in x
        ]
    )
    actual = average_over(function, x, permutations.split(size), equivariant=True)
    torch.testing.assert_close(actual, expected)


def test_the_outputs_come_in_the_order_of_the_permutations():
    x = torch.randn(2, 3, 4)
    chunks = [torch.tensor([[1, 2, 0], [0, 1, 2]]), torch.tensor([[2, 1, 0]])]
    first, second = outputs_over(nn.Identity(), x, chunks)
    assert torch.equal(first, torch.stack([x[:, [1, 2, 0]], x], 1))
    assert torch.equal(second, x[:, None, [2, 1, 0]])


def test_what_is_made_of_padding_is_left_out():
    x, mask = torch.randn(2, 3, 4), torch.tensor([[True, True, False], [False, False, False]])
    every = torch.tensor(list(itertools.permutations(range(3))))
    output = average_over(lambda x, mask: x + 1, x, [every], equivariant=True, mask=mask)
    torch.testing.assert_close(output, torch.where(mask[..., None], x + 1, 0))


def test_two_axes_move_together():
    x = torch.arange(12.0).view(2, 2, 3)
    order = torch.tensor([[5, 4, 3, 2, 1, 0]])
    (seen,) = outputs_over(nn.Identity(), x, [order], axes=2)
    assert torch.equal(seen[:, 0], x.flip(1, 2))
    back = average_over(nn.Identity(), x, [order], axes=2, equivariant=True)
    assert torch.equal(back, x)


@pytest.mark.parametrize("shape", [(2, 3, 4), (2, 3, 4, 5)])
def test_a_matrix_may_carry_channels(shape):
    x = torch.randn(shape)
    order = torch.randperm(12)
    (seen,) = outputs_over(nn.Identity(), x, [order[None]], axes=2)
    assert torch.equal(seen[:, 0], x.flatten(1, 2)[:, order].view(shape))


def test_an_output_without_the_set_axis_cannot_be_moved_back():
    with pytest.raises(ValueError, match=r"one output a member .*\(batch, 3, …\), got \(4, 2\)"):
        average_over(lambda x: x[:, 0], torch.randn(4, 3, 2), [torch.eye(3).argsort()[:1]],
                     equivariant=True)  # fmt: skip


@pytest.mark.parametrize(
    ("batch", "size"), [(0, 8192), (1, 8192), (2, 4096), (32, 256), (5000, 1), (9000, 1)]
)
def test_a_super_batch_has_about_8192_sets_and_one_permutation_at_least(batch, size):
    assert chunk_size(None, batch) == size
    assert chunk_size(7, batch) == 7


# The average of a constant is that constant, for any number of terms and chunks.

FLOATS = (
    torch.bfloat16, torch.float16, torch.float32, torch.float64, torch.complex64, torch.complex128
)  # fmt: skip
every_type = pytest.mark.parametrize("dtype", FLOATS, ids=str)
every_half = pytest.mark.parametrize("dtype", FLOATS[:2], ids=str)
ONE_BY_ONE = [torch.tensor([[1, 0]])] * 1000
TOGETHER = [torch.tensor([[1, 0], [0, 1]]).repeat(1500, 1)]
splits = pytest.mark.parametrize("chunks", [ONE_BY_ONE, TOGETHER], ids=["one by one", "together"])


@splits
@every_type
@pytest.mark.parametrize("value", [0.1, 20.0, 100.0])
@pytest.mark.parametrize("equivariant", [False, True])
def test_the_average_of_a_constant_is_that_constant(chunks, dtype, value, equivariant):
    x = torch.full((2, 2, 1), value, dtype=dtype)
    y = average_over(lambda x: x if equivariant else x[:, 0], x, chunks, equivariant=equivariant)
    assert y.dtype == dtype
    torch.testing.assert_close(y, x if equivariant else x[:, 0], atol=0, rtol=_rounding(dtype))


def _rounding(dtype):
    # Of the last digit; and double precision has nothing to add up in that is wider.
    return max(2 * torch.finfo(dtype).eps, 1e-12)


class Constant(nn.Module):
    """A constant, in the type of its parameter or in that of autocast."""

    def __init__(self, dtype):
        super().__init__()
        self.linear = nn.Linear(1, 1).to(dtype)

    def forward(self, x):
        return self.linear(0 * x[:, 0]) + x[:, 0]


@splits
@pytest.mark.parametrize("dtype", FLOATS[:4], ids=str)
@pytest.mark.parametrize("recompute", [False, True])
def test_so_is_the_gradient_of_a_constant(chunks, dtype, recompute):
    model, x = Constant(dtype), torch.ones(1, 2, 1, dtype=dtype, requires_grad=True)
    if recompute:
        y = recomputed_average(model, x, lambda: chunks)
    else:
        y = average_over(model, x, chunks)
    y.sum().backward()
    rounding = {"atol": 0, "rtol": max(_rounding(dtype), 1e-4 if dtype == torch.float32 else 0)}
    torch.testing.assert_close(model.linear.bias.grad, torch.ones(1, dtype=dtype), **rounding)
    first = 0.5 if chunks is TOGETHER else 0.0
    expected = torch.tensor([[[first], [1 - first]]], dtype=dtype)
    torch.testing.assert_close(x.grad, expected, **rounding)


@splits
@every_half
@pytest.mark.parametrize("recompute", [False, True])
def test_under_autocast_too(chunks, dtype, recompute):
    model, x = Constant(torch.float32), torch.ones(1, 2, 1)
    with torch.autocast("cpu", dtype=dtype):
        if recompute:
            y = recomputed_average(model, x, lambda: chunks)
        else:
            y = average_over(model, x, chunks)
    y.sum().backward()
    # 1 and a bias below it are rounded before they are added, which may cancel.
    half_unit, expected = torch.finfo(dtype).eps / 2, 1 + model.linear.bias.detach()[None]
    torch.testing.assert_close(y.float(), expected, atol=half_unit, rtol=1e-2)
    torch.testing.assert_close(model.linear.bias.grad, torch.ones(1), atol=0, rtol=2e-3)


def test_whole_numbers_are_averaged_as_fractions():
    x = torch.tensor([[[1], [2]]])
    for kind in (torch.int64, torch.uint8, torch.bool):
        y = average_over(lambda x, kind=kind: (x[:, 0] % 2).to(kind), x, ONE_BY_ONE[:3] + TOGETHER)
        assert y.dtype == torch.float32
        torch.testing.assert_close(y, torch.full((1, 1), 1500 / 3003))
