import copy
import itertools
import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from invariant_nets import Permutation, create_permutations_from_generators
from invariant_nets._rows import permute_rows
from invariant_nets.groups.permutation import are_odd, stack_permutations
from tests import oracles


def of_size(n: int) -> st.SearchStrategy[Permutation]:
    return st.permutations(range(n)).map(Permutation)


one = st.integers(1, 8).flatmap(of_size)
two = st.integers(1, 8).flatmap(lambda n: st.tuples(of_size(n), of_size(n)))
three = st.integers(1, 8).flatmap(lambda n: st.tuples(of_size(n), of_size(n), of_size(n)))


def rows(n: int) -> torch.Tensor:
    return torch.arange(2.0 * n).reshape(n, 2)


@given(one)
def test_row_i_of_the_permuted_set_is_row_sigma_of_i(p):
    x = rows(len(p))
    assert torch.equal(p(x), oracles.permuted_rows(p.index_tensor.tolist(), x))
    assert torch.equal(p(x), x[p.index_tensor])


@given(two)
def test_a_product_acts_as_its_right_factor_first(pair):
    p, q = pair
    x = rows(len(p))
    assert torch.equal((p @ q)(x), p(q(x)))


def test_the_order_of_a_product_matters():
    p, q = Permutation([1, 0, 2]), Permutation([0, 2, 1])
    assert not torch.equal((p @ q)(rows(3)), q(p(rows(3))))


@given(two)
def test_a_product_has_the_composed_indices(pair):
    p, q = (permutation.index_tensor.tolist() for permutation in pair)
    assert tuple((pair[0] @ pair[1]).index_tensor.tolist()) == oracles.composed(p, q)


@given(three)
def test_products_associate(triple):
    p, q, r = triple
    assert (p @ q) @ r == p @ (q @ r)


@given(one)
def test_the_identity_is_neutral(p):
    identity = Permutation.identity(len(p))
    assert identity @ p == p == p @ identity


@given(one)
def test_the_inverse_undoes_on_both_sides(p):
    identity = Permutation.identity(len(p))
    assert p @ p.inverse() == identity == p.inverse() @ p


@given(one)
def test_the_cycles_give_the_permutation_back(p):
    assert Permutation.from_cycles(len(p), *p.cycles()) == p


@given(one)
def test_the_order_is_the_first_power_that_is_the_identity(p):
    power, k = p, 1
    while power != Permutation.identity(len(p)):
        power, k = power @ p, k + 1
    assert p.order() == k


@given(one, st.integers(-9, 9), st.integers(-9, 9))
def test_powers_are_repeated_products_and_their_exponents_add(p, a, b):
    power = Permutation.identity(len(p))
    for _ in range(abs(a)):
        power = power @ (p if a >= 0 else p.inverse())
    assert p**a == power
    assert p**a @ p**b == p ** (a + b)
    assert p ** np.int64(a) == power


@given(one)
def test_a_large_power_is_that_of_the_remainder(p):
    assert p ** (10**40 + 7) == p ** ((10**40 + 7) % p.order())
    assert p ** -(10**40) == (p**-1) ** (10**40)


@given(one)
def test_the_tilde_is_the_inverse(p):
    assert ~p == p.inverse() == p**-1


def test_a_power_that_is_no_integer_is_refused():
    with pytest.raises(TypeError, match="unsupported operand"):
        Permutation([1, 0]) ** 0.5


@given(two)
def test_the_sign_of_a_product_is_the_product_of_the_signs(pair):
    p, q = pair
    assert (p @ q).sign() == p.sign() * q.sign()
    inversions = sum(a > b for a, b in itertools.combinations(p.index_tensor.tolist(), 2))
    assert p.sign() == (-1) ** inversions


def test_a_transposition_is_odd_and_one_point_is_even():
    assert (Permutation([1, 0]).sign(), Permutation([0]).sign()) == (-1, 1)


def test_cycles_start_at_their_smallest_point_and_leave_fixed_points_out():
    p = Permutation([3, 1, 4, 0, 5, 2])
    assert p.cycles() == ((0, 3), (2, 4, 5))
    assert str(p) == "(0 3)(2 4 5)"


def test_the_identity_prints_as_empty_parentheses():
    assert str(Permutation.identity(4)) == "()"


def test_the_repr_evaluates_to_the_permutation():
    p = Permutation([2, 0, 1])
    assert eval(repr(p)) == p


@pytest.mark.parametrize("dim", [0, 1, 2, -1, -2, -3])
def test_it_acts_on_the_axis_that_is_asked_for(dim):
    p = Permutation([2, 0, 1])
    x = torch.arange(27).reshape(3, 3, 3)
    assert torch.equal(p(x, dim=dim).movedim(dim, 0), x.movedim(dim, 0)[[2, 0, 1]])


def test_it_acts_on_the_set_axis_of_a_batch_by_default():
    x = torch.randn(5, 3, 2)
    assert torch.equal(Permutation([2, 0, 1])(x), x[:, [2, 0, 1]])


def test_gradients_flow_through_the_action():
    x = rows(3).requires_grad_()
    weights = torch.tensor([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]])
    (Permutation([2, 0, 1])(x) * weights).sum().backward()
    assert x.grad[:, 0].tolist() == [2.0, 3.0, 1.0]


def test_equal_indices_make_equal_permutations_with_equal_hashes():
    p, q = Permutation([1, 0, 2]), Permutation(torch.tensor([1, 0, 2], dtype=torch.uint8))
    assert p == q
    assert hash(p) == hash(q)
    assert len({p, q, Permutation([0, 1, 2])}) == 2


def test_permutations_of_different_sizes_differ():
    assert Permutation([0, 1]) != Permutation([0, 1, 2])


def test_a_permutation_differs_from_its_list():
    assert Permutation([0, 1]) != [0, 1]


def test_changing_the_input_tensor_leaves_the_permutation_alone():
    index = torch.tensor([1, 0, 2])
    p = Permutation(index)
    index[0] = 2
    assert p == Permutation([1, 0, 2])


def test_changing_the_returned_indices_leaves_the_permutation_alone():
    p = Permutation([1, 0, 2])
    p.index_tensor[0] = 2
    assert p == Permutation([1, 0, 2])


def test_attributes_cannot_be_set():
    p = Permutation([1, 0, 2])
    with pytest.raises(AttributeError):
        p.index_tensor = torch.arange(3)
    with pytest.raises(AttributeError):
        p.name = "swap"


@pytest.mark.parametrize(
    "duplicate", [copy.copy, copy.deepcopy, lambda p: pickle.loads(pickle.dumps(p))]
)
def test_copies_are_equal(duplicate):
    p = Permutation([1, 2, 0])
    assert duplicate(p) == p


def test_pickling_an_element_of_a_group_does_not_drag_the_group_along():
    swap, cycle = Permutation([1, 0, 2, 3, 4, 5]), Permutation([1, 2, 3, 4, 5, 0])
    group = create_permutations_from_generators([swap, cycle])
    assert len(group) == math.factorial(6)
    assert len(pickle.dumps(group[3])) < 1000


@pytest.mark.parametrize(
    "index",
    [
        [1, 0],
        (1, 0),
        range(2),
        np.array([1, 0]),
        torch.tensor([1, 0], dtype=torch.int32),
        torch.tensor([1, 0], dtype=torch.uint8),
    ],
    ids=lambda index: f"{type(index).__name__} {getattr(index, 'dtype', '')}",
)
def test_sequences_and_integer_tensors_are_taken(index):
    assert Permutation(index).index_tensor.tolist() == list(index)


@pytest.mark.parametrize(
    ("index", "words"),
    [
        ([0.0, 1.0], "float32"),
        (torch.tensor([0.0, 1.0], dtype=torch.float64), "float64"),
        (torch.tensor([True, False]), "bool"),
        ([False, True], "bool"),
        (torch.tensor([0j, 1j]), "complex64"),
        ([], r"\(0,\)"),
        (torch.empty(0, dtype=torch.int64), r"\(0,\)"),
        (2, r"got \(\)"),
        ([[0, 1], [1, 0]], r"\(2, 2\)"),
        ([[0, 1], [1]], "got"),
        ([0, 0], r"\[0, 0\]"),
        ([1, 2], r"\[1, 2\]"),
        ([-1, 0], r"\[-1, 0\]"),
        ([0, 2], r"\[0, 2\]"),
        ([2**70], "got"),
        ("01", "'01'"),
        (None, "None"),
    ],
)
def test_what_is_no_permutation_is_refused(index, words):
    with pytest.raises(ValueError, match=rf"index_tensor must.*{words}"):
        Permutation(index)


@pytest.mark.parametrize("dim", [3, -4])
def test_an_axis_that_is_not_there_is_refused(dim):
    with pytest.raises(ValueError, match=f"3 entries along axis {dim}.*\\(3, 3, 3\\)"):
        Permutation([2, 0, 1])(torch.zeros(3, 3, 3), dim=dim)


def test_an_axis_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"3 entries along axis -2.*\(5, 4, 3\)"):
        Permutation([2, 0, 1])(torch.zeros(5, 4, 3))


def test_a_product_of_different_sizes_is_refused():
    with pytest.raises(ValueError, match="3 and 2 points"):
        Permutation([0, 1, 2]) @ Permutation([0, 1])


def test_a_product_with_something_else_is_refused():
    with pytest.raises(TypeError):
        Permutation([0, 1]) @ [1, 0]


@pytest.mark.parametrize(
    ("cycles", "words"),
    [
        ([(0, 3)], "points from 0 to 2"),
        ([(-1, 0)], "points from 0 to 2"),
        ([(0, 1), (1, 2)], "disjoint"),
        ([(0, 0)], "disjoint"),
    ],
)
def test_cycles_that_do_not_fit_are_refused(cycles, words):
    with pytest.raises(ValueError, match=words):
        Permutation.from_cycles(3, *cycles)


@pytest.mark.parametrize("n", [0, -1])
def test_a_permutation_of_no_points_is_refused(n):
    with pytest.raises(ValueError, match=f"n must be at least 1, got {n}"):
        Permutation.identity(n)


def test_stacking_keeps_the_order():
    stacked = stack_permutations([Permutation([1, 0]), Permutation([0, 1])])
    assert stacked.tolist() == [[1, 0], [0, 1]]


def test_stacking_different_sizes_names_them():
    with pytest.raises(ValueError, match=r"parts must be.*one size.*\[2, 3\]"):
        stack_permutations([Permutation([1, 0]), Permutation([0, 1, 2])], name="parts")


@pytest.mark.parametrize("shape", [(4, 5, 3), (4, 5, 9), (30, 40, 8), (3, 1, 4000), (0, 5, 9)])
@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float16, torch.bool, torch.complex64], ids=str
)
def test_every_set_gets_its_own_permutation_and_rows_stay_whole(shape, dtype):
    x = (100 * torch.randn(shape)).to(dtype)
    orders = torch.rand(shape[:2]).argsort(1)
    expected = [
        oracles.permuted_rows(order.tolist(), rows) for order, rows in zip(orders, x, strict=True)
    ]
    for y in (x, x.mT.contiguous().mT):
        moved = permute_rows(y, orders)
        assert moved.shape == shape
        assert torch.equal(moved, torch.stack(expected) if expected else x)


def test_empty_and_single_cycles_leave_every_point():
    assert Permutation.from_cycles(3, (), (1,)) == Permutation.identity(3)


@pytest.mark.parametrize("cycles", [[(0, 3)], [(-1, 0)], [(0, 1), (5,)]])
def test_a_cycle_through_a_point_that_is_not_there_is_refused(cycles):
    with pytest.raises(ValueError, match="points from 0 to 2"):
        Permutation.from_cycles(3, *cycles)


@given(st.integers(1, 20).flatmap(lambda n: st.lists(st.permutations(range(n)), min_size=1)))
def test_parity_is_that_of_the_inversions(rows):
    inversions = [sum(a > b for a, b in itertools.combinations(row, 2)) for row in rows]
    assert are_odd(torch.tensor(rows)).tolist() == [count % 2 == 1 for count in inversions]
