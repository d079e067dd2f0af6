import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from invariant_nets import lexicographic_sort
from invariant_nets.canonicalization.row_order import FEW, row_order
from invariant_nets.canonicalization.sorting import lexicographic_order

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


def traced(x, mask=None):
    """The order that is found without a look at the numbers, as behind a compiler."""
    return torch.func.functionalize(lexicographic_order)(x, mask)


both_ways = pytest.mark.parametrize("order", [lexicographic_order, traced])


@both_ways
@given(x=batches)
def test_rows_are_ordered_as_python_orders_lists(order, x):
    assert torch.equal(order(x), orders_by_comparison(x))


@both_ways
@given(x=batches, data=st.data())
def test_padding_comes_last_as_it_was(order, x, data):
    masks = hnp.arrays(bool, x.shape[:2])
    mask = torch.from_numpy(data.draw(masks))
    assert torch.equal(order(x, mask), orders_by_comparison(x, mask))


@both_ways
@pytest.mark.parametrize("dtype", [*FLOATS, *INTEGERS, torch.bool])
@pytest.mark.parametrize("n", [1, 2, 3, 50])
def test_every_dtype_has_its_order(order, dtype, n):
    some = torch.randint(-3, 4, (40, n, 3), generator=generator())
    for x in (some, some.abs(), copies(some), torch.zeros_like(some)):
        x = x.abs() if dtype is torch.uint8 else x
        x = x.to(dtype)
        assert torch.equal(order(x), orders_by_comparison(x))


@pytest.mark.parametrize("dtype", FLOATS)
def test_neighboring_floats_are_told_apart_to_the_last_bit(dtype):
    integers = {2: torch.int16, 4: torch.int32, 8: torch.int64}[dtype.itemsize]
    one = torch.ones((), dtype=dtype).view(integers)
    steps = torch.randint(0, 40, (5, 60, 2), generator=generator())
    x = (one - 20 + steps).to(integers).view(dtype)
    assert torch.equal(lexicographic_order(x), orders_by_comparison(x))
    assert torch.equal(lexicographic_order(-x), orders_by_comparison(-x))


def test_integers_of_64_bits_are_told_apart_at_both_ends():
    limits = torch.iinfo(torch.int64)
    steps = torch.randint(0, 9, (4, 60, 2), generator=generator())
    for x in (limits.min + steps, limits.max - steps, torch.cat((limits.min + steps, -steps), 1)):
        assert torch.equal(lexicographic_order(x), orders_by_comparison(x))


def test_a_negative_nan_is_nan():
    x = torch.tensor([[[math.nan], [1.0], [-math.nan], [math.inf]]])
    x[0, 2] = torch.tensor(-1, dtype=torch.int32).view(torch.float32)  # all bits, the sign too
    assert lexicographic_order(x).tolist() == [[1, 3, 0, 2]]


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


@both_ways
@pytest.mark.parametrize("name", TIED)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ties_are_broken_whatever_ties(order, name, dtype):
    x = TIED[name]().to(dtype)
    expected = orders_by_comparison(x)
    assert torch.equal(order(x), expected)
    assert torch.equal(order(x.mT.contiguous().mT), expected)


def few_ties(dtype=torch.float32):
    """Sets of more rows than `FEW`, so few of which tie that they are put in order apart."""
    x = torch.randn(40, 10 * FEW, 3, generator=generator()).to(dtype)
    x[::3, 7, 0] = x[::3, 40, 0]  # a pair
    x[::4, 9] = x[::4, 8]  # equal rows
    x[1, ::30, 0] = 1.0  # a run
    x[2, [3, 50, 51], 0] = math.nan
    x[4, [0, -1], 0] = math.inf
    x[4, [20, 30], 0] = torch.tensor([0.0, -0.0], dtype=dtype)
    ties = torch.tensor([len(rows) - len(set(rows)) for rows in x[..., 0].tolist()])
    assert 0 < FEW * ties.sum() <= x.shape[1] * (ties > 0).sum()
    return x


@both_ways
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_few_ties_among_many_rows_are_broken(order, dtype):
    x = few_ties(dtype)
    assert torch.equal(order(x), orders_by_comparison(x))
    mask = torch.rand(x.shape[:2], generator=generator(3)) < 0.9
    assert torch.equal(order(x, mask), orders_by_comparison(x, mask))


def test_ties_with_padding_are_none():
    # Zeros that are there, among the zeros of padding.
    x = few_ties().abs() * (torch.arange(40)[:, None, None] % 2 * 2 - 1)
    x[:, [5, 6], 0] = 0.0
    mask = torch.rand(x.shape[:2], generator=generator(3)) < 0.9
    assert torch.equal(lexicographic_order(x, mask), orders_by_comparison(x, mask))


def test_the_order_of_the_first_feature_alone_is_caught():
    x = binary(4, 9, 3)
    assert not torch.equal(lexicographic_order(x[..., :1]), orders_by_comparison(x))


def test_an_order_that_is_not_stable_is_caught():
    x = torch.ones(2, 9, 3)
    assert not torch.equal(lexicographic_order(x).flip(1), orders_by_comparison(x))


def test_the_input_is_left_alone():
    for x in (binary(40, 100, 3), torch.randn(40, 100, 1, generator=generator()), few_ties()):
        before = x.clone()
        lexicographic_order(x)
        assert torch.equal(x.nan_to_num(), before.nan_to_num())


def test_the_order_takes_no_part_in_a_graph():
    x = few_ties().requires_grad_()
    assert torch.equal(lexicographic_order(x), lexicographic_order(x.detach()))
    with torch.inference_mode():
        assert torch.equal(lexicographic_order(x + 0), lexicographic_order(x.detach()))


MANY = torch.randn(30, 100, 2, generator=generator(1))
SOME = torch.rand(MANY.shape[:2], generator=generator(3)) < 0.5


@pytest.mark.parametrize("x", [MANY, MANY.round(), few_ties()], ids=["none", "many", "few"])
def test_each_set_of_vmap_is_ordered_by_itself(x):
    mask = torch.rand(x.shape[:2], generator=generator(3)) < 0.5
    each = torch.func.vmap(lexicographic_order)
    grouped = x.unflatten(0, (5, -1)), mask.unflatten(0, (5, -1))
    assert torch.equal(each(grouped[0]).flatten(0, 1), lexicographic_order(x))
    assert torch.equal(each(*grouped).flatten(0, 1), lexicographic_order(x, mask))


def test_autocast_changes_no_order():
    for x in (MANY, MANY.round()):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            order = lexicographic_order(x)
        assert torch.equal(order, lexicographic_order(x))


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # torch.func.jvp calls it
@pytest.mark.parametrize("x", [MANY, MANY.round()], ids=["no ties", "ties"])
def test_derivatives_go_where_the_rows_go(x):
    weights = torch.randn(x.shape, generator=generator(2))
    places = lexicographic_order(x)[..., None].expand_as(x)
    expected = torch.zeros_like(x).scatter_(1, places, weights)
    gradient = torch.func.grad(lambda x: (lexicographic_sort(x) * weights).sum())(x)
    assert torch.equal(gradient, expected)
    leaf = x.clone().requires_grad_()
    lexicographic_sort(leaf).backward(weights)
    assert torch.equal(leaf.grad, expected)
    moved = torch.func.jvp(lexicographic_sort, (x,), (weights,))[1]
    assert torch.equal(moved, weights.gather(1, places))


@pytest.mark.filterwarnings("ignore:`torch.jit.trace` is deprecated")
def test_a_trace_orders_other_sets_than_those_it_saw():
    traced = torch.jit.trace(row_order, (MANY,))
    other = MANY.flip(1).round()
    assert torch.equal(traced(other), row_order(other))
    traced = torch.jit.trace(row_order, (MANY, SOME))
    assert torch.equal(traced(other, SOME.flip(1)), row_order(other, SOME.flip(1)))
    assert torch.equal(traced(other, ~SOME), row_order(other, ~SOME))


def test_a_compiled_order_is_the_same():
    ordered = torch.compile(lexicographic_order, backend="eager", fullgraph=True)
    for x in (MANY, MANY.round()):
        assert torch.equal(ordered(x), lexicographic_order(x))
        assert torch.equal(ordered(x, SOME), lexicographic_order(x, SOME))


class Sorted(torch.nn.Module):
    def forward(self, x, mask):
        return lexicographic_sort(x, mask)


@pytest.mark.slow
def test_an_exported_sort_takes_ties_that_it_has_not_seen():
    exported = torch.export.export(Sorted(), (MANY, SOME)).module()
    for x in (MANY.flip(1), MANY.round()):
        assert torch.equal(exported(x, ~SOME), lexicographic_sort(x, ~SOME))


@pytest.mark.parametrize("dtype", [torch.complex64, torch.uint16, torch.uint64])
def test_what_has_no_order_is_refused(dtype):
    with pytest.raises(TypeError, match="x must be of bool"):
        lexicographic_sort(torch.zeros(1, 2, 3, dtype=dtype))
