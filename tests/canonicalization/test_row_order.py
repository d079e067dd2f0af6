import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from invariant_nets import lexicographic_sort
from invariant_nets.canonicalization.row_order import (
    BLOCK,
    FEW,
    packed_order,
    row_order,
    rows_in_order,
    stable_order,
)

FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
INTEGERS = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]
SPECIAL = [-math.inf, -1.0, -5e-324, -0.0, 0.0, 5e-324, 1.0, math.inf, math.nan]

shapes = st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 4))
batches = hnp.arrays("float64", shapes, elements=st.sampled_from(SPECIAL)).map(torch.from_numpy)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def orders_by_comparison(x, mask=None):
    """Python's stable sort of the rows of every set, NaN last, and the padding after them."""

    def key(k, row):
        entries = [(entry != entry, 0.0 if entry != entry else entry) for entry in x[k][row]]
        return (mask is not None and not mask[k][row], entries)

    n, x = x.shape[1], x.tolist()
    mask = None if mask is None else mask.tolist()
    orders = []
    for k in range(len(x)):
        orders.append(sorted(range(n), key=lambda row, k=k: key(k, row)))
        if mask is not None:  # padding keeps its order, whatever it holds
            members = sum(mask[k])
            orders[-1][members:] = sorted(orders[-1][members:])
    return torch.tensor(orders, dtype=torch.int64).reshape(len(x), n)


def binary(*shape, dtype=torch.float32):
    return torch.randint(0, 2, shape, generator=generator()).to(dtype)


def copies(x):
    """Every set with rows drawn anew from its first half, so that many are the same."""
    rows = torch.randint(0, max(1, x.shape[1] // 2), (x.shape[1],), generator=generator())
    return x[:, rows]


@pytest.mark.parametrize("order", [row_order, packed_order, stable_order])
@given(x=batches)
def test_rows_are_ordered_as_python_orders_lists(order, x):
    assert torch.equal(order(x), orders_by_comparison(x))


@pytest.mark.parametrize("order", [row_order, packed_order])
@given(x=batches, data=st.data())
def test_padding_comes_last_as_it_was(order, x, data):
    masks = hnp.arrays(bool, x.shape[:2])
    mask = torch.from_numpy(data.draw(masks))
    assert torch.equal(order(x, mask), orders_by_comparison(x, mask))


@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS, torch.bool])
@pytest.mark.parametrize("n", [1, 2, 3, 50])
def test_every_dtype_has_its_order(dtype, n):
    some = torch.randint(-3, 4, (40, n, 3), generator=generator())
    for x in (some, some.abs(), copies(some), torch.zeros_like(some)):
        x = x.abs() if dtype is torch.uint8 else x
        x = x.to(dtype)
        assert torch.equal(packed_order(x), orders_by_comparison(x))


@pytest.mark.parametrize("dtype", FLOATS)
def test_neighboring_floats_are_told_apart_to_the_last_bit(dtype):
    integers = {2: torch.int16, 4: torch.int32, 8: torch.int64}[dtype.itemsize]
    one = torch.ones((), dtype=dtype).view(integers)
    steps = torch.randint(0, 40, (5, 60, 2), generator=generator())
    x = (one - 20 + steps).to(integers).view(dtype)
    assert torch.equal(packed_order(x), orders_by_comparison(x))
    assert torch.equal(packed_order(-x), orders_by_comparison(-x))


def test_integers_of_64_bits_are_told_apart_at_both_ends():
    limits = torch.iinfo(torch.int64)
    steps = torch.randint(0, 9, (4, 60, 2), generator=generator())
    for x in (limits.min + steps, limits.max - steps, torch.cat((limits.min + steps, -steps), 1)):
        assert torch.equal(packed_order(x), orders_by_comparison(x))


def test_a_negative_nan_is_nan():
    x = torch.tensor([[[math.nan], [1.0], [-math.nan], [math.inf]]])
    x[0, 2] = torch.tensor(-1, dtype=torch.int32).view(torch.float32)  # all bits, the sign too
    assert packed_order(x).tolist() == [[1, 3, 0, 2]]


TIED = {
    "no row": lambda: torch.randn(30, 200, 4, generator=generator()),
    "all rows": lambda: torch.ones(30, 200, 4),
    "the first feature": lambda: torch.cat(
        (torch.zeros(30, 200, 1), torch.randn(30, 200, 3, generator=generator())), 2
    ),
    "all but the last feature": lambda: torch.cat(
        (torch.zeros(30, 200, 3), torch.randn(30, 200, 1, generator=generator())), 2
    ),
    "binary features": lambda: binary(30, 200, 12),
    "copies": lambda: copies(torch.randn(30, 200, 4, generator=generator())),
    "copies, the first feature binary": lambda: copies(
        torch.cat((binary(30, 200, 1), torch.randn(30, 200, 9, generator=generator())), 2)
    ),
    "NaN everywhere": lambda: torch.full((30, 200, 4), math.nan),
    "both zeros": lambda: binary(30, 200, 4) * -1.0 * binary(30, 200, 1),
}


@pytest.mark.parametrize("name", TIED)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ties_are_broken_whatever_ties(name, dtype):
    x = TIED[name]().to(dtype)
    expected = orders_by_comparison(x)
    assert torch.equal(row_order(x), expected)
    assert torch.equal(row_order(x.mT.contiguous().mT), expected)
    assert torch.equal(stable_order(x), expected)


def test_a_few_ties_among_many_rows_are_broken():
    x = torch.randn(20, 300, 3, generator=generator())
    x[::3, 7, 0] = x[::3, 40, 0]
    x[::4, 9] = x[::4, 8]
    x[5, ::30, 0] = 1.0
    assert torch.equal(packed_order(x), orders_by_comparison(x))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64])
def test_keys_too_long_for_the_place_beside_a_rank_and_a_row_are_taken_in_pieces(dtype):
    # A rank and a row of n > 2^15 take 32 bits and more, which leaves less than 32 of 63.
    x = torch.randn(1, 2**15 + 9, 2, generator=generator(), dtype=torch.float64)
    x = (x * 2**40).to(dtype)
    x[..., 0] = x[..., 0] > 0
    assert torch.equal(packed_order(x), stable_order(x))
    assert torch.equal(packed_order(copies(x)), stable_order(copies(x)))


def test_more_than_a_million_rows_are_told_apart_by_the_last_bit_of_their_keys():
    # A row takes 21 bits. So 42 bits of a float64's key come first, and beside a rank and a row
    # there is room for 21 more: the last bit is a piece of its own.
    bits = torch.ones((), dtype=torch.float64).view(torch.int64) + torch.arange(2**20 + 1) % 4
    x = bits.view(torch.float64)[None, :, None]
    assert torch.equal(packed_order(x), stable_order(x))


def test_the_order_of_the_first_feature_alone_is_caught():
    x = binary(4, 9, 3)
    assert not torch.equal(stable_order(x[..., :1]), orders_by_comparison(x))


def test_an_order_that_is_not_stable_is_caught():
    x = torch.ones(2, 9, 3)
    assert not torch.equal(stable_order(x).flip(1), orders_by_comparison(x))


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


BLOCKS = {
    "no ties": lambda: torch.randn(9, BLOCK // 2, 2, generator=generator()),
    "ties": lambda: binary(9, BLOCK // 2, 2, dtype=torch.int64),
}


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize("name", BLOCKS)
def test_threads_share_the_sets(name):
    x = BLOCKS[name]()
    expected = stable_order(x)
    assert torch.equal(row_order(x), expected)
    assert torch.equal(row_order(x.requires_grad_() if x.is_floating_point() else x), expected)
    with torch.inference_mode():
        assert torch.equal(row_order(x + 0), expected)


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize("name", BLOCKS)
def test_each_thread_has_its_part_of_the_mask(name):
    x = BLOCKS[name]()
    mask = torch.rand(x.shape[:2], generator=generator(3)) < 0.5
    assert torch.equal(row_order(x, mask), packed_order(x, mask))


def test_one_thread_goes_through_the_blocks():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for block in BLOCKS.values():
            assert torch.equal(row_order(block()), stable_order(block()))
    finally:
        torch.set_num_threads(before)


def test_the_input_is_left_alone():
    for x in (binary(40, 100, 3), torch.randn(40, 100, 1, generator=generator())):
        before = x.clone()
        packed_order(x)
        assert torch.equal(x, before)


class Wrapped(torch.Tensor):
    """A tensor of a class of its own, which NumPy is not given."""

    def numpy(self, **_):
        raise AssertionError("what stands behind such a tensor is not NumPy's to sort")


@pytest.mark.parametrize("name", TIED)
def test_tensors_that_numpy_is_not_given_have_the_same_order(name):
    x = TIED[name]()
    some = torch.rand(x.shape[:2], generator=generator(3)) < 0.5
    for mask in (None, some):
        order = row_order(x.as_subclass(Wrapped), mask)
        assert torch.equal(order.as_subclass(torch.Tensor), row_order(x, mask))


MANY = torch.randn(30, 100, 2, generator=generator(1))


def test_the_sets_of_the_next_tests_are_too_many_for_the_short_way():
    assert MANY.shape[0] * MANY.shape[1] > FEW


def test_the_transforms_of_torch_func_see_the_order():
    for x in (MANY, MANY.round(), binary(30, 100, 12)):
        assert torch.equal(torch.func.functionalize(row_order)(x), row_order(x))


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # torch.func.jvp calls it
@pytest.mark.parametrize("x", [MANY, MANY.round()], ids=["no ties", "ties"])
def test_derivatives_go_where_the_rows_go(x):
    weights = torch.randn(x.shape, generator=generator(2))
    expected = torch.zeros_like(x).scatter_(1, row_order(x)[..., None].expand_as(x), weights)
    gradient = torch.func.grad(lambda x: (lexicographic_sort(x) * weights).sum())(x)
    assert torch.equal(gradient, expected)
    leaf = x.clone().requires_grad_()
    lexicographic_sort(leaf).backward(weights)
    assert torch.equal(leaf.grad, expected)
    moved = torch.func.jvp(lexicographic_sort, (x,), (weights,))[1]
    assert torch.equal(moved, rows_in_order(weights, row_order(x)))


@pytest.mark.filterwarnings("ignore:`torch.jit.trace` is deprecated")
def test_a_trace_orders_other_sets_than_those_it_saw():
    traced = torch.jit.trace(row_order, (MANY,))
    other = MANY.flip(1).round()
    assert torch.equal(traced(other), row_order(other))
    some, mask = torch.rand((2, *MANY.shape[:2]), generator=generator(3)) < 0.5
    traced = torch.jit.trace(row_order, (MANY, some))
    assert torch.equal(traced(other, mask), row_order(other, mask))
    assert torch.equal(traced(other, ~some), row_order(other, ~some))


def test_a_compiled_order_is_the_same():
    ordered = torch.compile(row_order, backend="eager", fullgraph=True)
    mask = torch.rand(MANY.shape[:2], generator=generator()) < 0.5
    for x in (MANY, MANY.round()):
        assert torch.equal(ordered(x), row_order(x))
        assert torch.equal(ordered(x, mask), row_order(x, mask))


def test_rows_are_moved_as_the_order_says():
    for x in (MANY, MANY[:2], MANY.expand(3, 30, 100, 2)[1], MANY.mT.contiguous().mT):
        order = row_order(x)
        expected = torch.stack([rows[o] for rows, o in zip(x, order, strict=True)])
        assert torch.equal(rows_in_order(x, order), expected)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.uint16, torch.uint64])
def test_what_has_no_order_is_refused(dtype):
    with pytest.raises(TypeError, match="x must be of bool"):
        lexicographic_sort(torch.zeros(1, 2, 3, dtype=dtype))
