import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from invariant_nets import (
    columnwise_sort,
    direct_product,
    lexicographic_sort,
    row_column_sort,
    symmetric_group,
)
from invariant_nets.canonicalization.rows_and_columns import ties
from invariant_nets.canonicalization.rows_and_columns.sort import row_column_ordering
from invariant_nets.canonicalization.sorting import (
    columnwise_ordering,
    lexicographic_order,
    lexicographic_ordering,
    row_ranks,
)
from tests import oracles
from tests.contracts import padding

SORTS = [lexicographic_sort, columnwise_sort, row_column_sort]
shapes = st.tuples(st.integers(0, 3), st.integers(1, 7), st.integers(1, 4))


def batches(elements):
    """Batches whose entries are few enough to tie all the time."""
    arrays = hnp.arrays("float64", shapes, elements=st.sampled_from(elements))
    return arrays.map(torch.from_numpy)


tied = batches([-1.5, 0.0, 1.0, 2.0])
special = batches([-math.inf, -1.0, -0.0, 0.0, 1.0, math.inf])


@given(tied)
def test_rows_are_sorted_as_python_sorts_lists(x):
    assert torch.equal(lexicographic_sort(x), oracles.sorted_rows(x).reshape(x.shape))


@given(special)
def test_infinities_and_both_zeros_are_sorted_as_python_sorts_them(x):
    assert torch.equal(lexicographic_sort(x), oracles.sorted_rows(x).reshape(x.shape))


@given(tied)
def test_columns_are_sorted_each_by_itself(x):
    assert torch.equal(columnwise_sort(x), oracles.sorted_columns(x))


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64, torch.int8, torch.uint8])
def test_every_dtype_is_sorted_alike(dtype):
    x = torch.randint(0, 3, (50, 6, 3))
    assert torch.equal(lexicographic_sort(x.to(dtype)), oracles.sorted_rows(x).to(dtype))


def test_float_data_with_and_without_ties_in_one_batch():
    x = torch.randn(20, 6, 3)
    x[::2, 3, 0] = x[::2, 1, 0]
    x[::4, 5] = x[::4, 2]
    assert torch.equal(lexicographic_sort(x), oracles.sorted_rows(x))


def test_data_tied_in_every_row_are_sorted_too():
    x = torch.ones(3, 8, 4)
    assert torch.equal(lexicographic_sort(x), x)


def test_sets_that_differ_in_their_last_feature_only_are_sorted_by_it():
    x = torch.zeros(2, 5, 4)
    x[..., -1] = torch.tensor([3.0, 1.0, 2.0, 5.0, 4.0])
    assert lexicographic_sort(x)[0, :, -1].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]


@pytest.mark.parametrize("nan_column", [0, 1])
def test_nan_counts_as_larger_than_every_number(nan_column):
    x = torch.tensor([[[1.0, 1.0], [1.0, 2.0], [1.0, 3.0]]])
    x[0, 0, nan_column] = math.nan
    x[0, 1, nan_column] = math.inf
    assert lexicographic_sort(x)[0, -1].isnan().any()


@given(batches([0.0, 1.0, math.nan]), st.randoms())
def test_sets_with_nan_are_canonicalized_too(x, random):
    order = random.sample(range(x.shape[1]), x.shape[1])
    first, second = lexicographic_sort(x), lexicographic_sort(x[:, order])
    torch.testing.assert_close(first, second, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("sort", SORTS[:2])
@given(x=special, random=st.randoms())
def test_all_orders_of_a_set_have_the_same_canonical_form(sort, x, random):
    canonical = sort(x)
    for _ in range(5):
        order = random.sample(range(x.shape[1]), x.shape[1])
        assert torch.equal(sort(x[:, order]), canonical)


@given(tied)
def test_the_canonical_form_is_in_the_orbit(x):
    for rows, canonical in zip(x.tolist(), lexicographic_sort(x).tolist(), strict=True):
        assert sorted(rows) == sorted(canonical)


@pytest.mark.parametrize("sort", SORTS[:2])
@given(x=tied)
def test_sorting_twice_is_sorting_once(sort, x):
    assert torch.equal(sort(sort(x)), sort(x))


@pytest.mark.parametrize("sort", SORTS)
def test_each_set_of_a_batch_is_sorted_on_its_own(sort):
    x = torch.randint(0, 3, (10, 5, 2)).float()
    assert torch.equal(sort(x), torch.cat([sort(x[k : k + 1]) for k in range(10)]))


@pytest.mark.parametrize("sort", SORTS)
def test_the_input_is_left_alone(sort):
    x = torch.randint(0, 2, (3, 5, 2)).float()
    before = x.clone()
    sort(x)
    assert torch.equal(x, before)


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int16, torch.int64], ids=str)
def test_padding_of_whole_numbers_takes_the_last_places_of_every_column(dtype):
    x, mask = torch.randint(0, 2, (20, 6, 3)).to(dtype), torch.rand(20, 6) < 0.6
    if dtype != torch.bool:
        x[0] = torch.iinfo(dtype).max
    y = columnwise_sort(x, mask)
    for rows, present, found in zip(x, mask, y, strict=True):
        size = int(present.sum())
        assert torch.equal(found[:size], rows[present].sort(0).values)
        assert not found[size:].any()


def test_only_the_columnwise_sort_is_blind_to_which_entries_stood_in_one_row():
    x = torch.randn(5, 4, 3)
    mixed = torch.stack([x[..., 0].flip(1), x[..., 1], x[..., 2].roll(1, 1)], dim=-1)
    assert torch.equal(columnwise_sort(mixed), columnwise_sort(x))
    assert not torch.equal(lexicographic_sort(mixed), lexicographic_sort(x))


@given(tied, st.integers(0, 2**32 - 1))
def test_the_columnwise_sort_is_continuous(x, seed):
    # Sorting moves no sequence further apart, in the largest entry.
    y = x + 1e-3 * torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))
    change, step = columnwise_sort(y) - columnwise_sort(x), y - x
    assert not change.numel() or change.abs().max() <= step.abs().max() + 1e-12


def test_the_lexicographic_sort_jumps_where_first_features_cross():
    x = torch.tensor([[[0.0, 10.0], [1e-6, -10.0]]])
    y = torch.tensor([[[0.0, 10.0], [-1e-6, -10.0]]])
    assert (lexicographic_sort(x) - lexicographic_sort(y)).abs().max() == 20


@pytest.mark.parametrize("sort", SORTS)
def test_gradients_go_back_to_the_rows_that_they_came_from(sort):
    x = torch.tensor([[[2.0], [3.0], [1.0]]], requires_grad=True)
    (sort(x) * torch.tensor([[[1.0], [10.0], [100.0]]])).sum().backward()
    assert x.grad.flatten().tolist() == [10.0, 100.0, 1.0]


@pytest.mark.parametrize("sort", SORTS)
@pytest.mark.parametrize("shape", [(3, 2), (2, 0, 3), (2, 3, 0), (1, 2, 3, 4)])
def test_what_is_no_batch_of_sets_is_refused(sort, shape):
    with pytest.raises(ValueError, match="x must"):
        sort(torch.zeros(shape))


@pytest.mark.parametrize("sort", SORTS)
def test_what_is_no_tensor_is_refused(sort):
    with pytest.raises(TypeError, match="x must be a tensor, got list"):
        sort([[[1.0]]])


def on_grid(n, d):
    return direct_product(symmetric_group(n), symmetric_group(d), on="grid")


def in_all_orders(x):
    """A matrix with its rows and columns in every order, one a row of the batch."""
    n, d = x.shape
    images = torch.cat(list(on_grid(n, d).elements()))
    return x.flatten()[images].reshape(-1, n, d)


def both_tie(x):
    """Whether different rows hold the same entries, and different columns do."""

    def tie(rows):
        different = {tuple(row) for row in rows}
        return len({tuple(sorted(row)) for row in different}) < len(different)

    return tie(x.tolist()) and tie(x.mT.tolist())


MATRICES = [(2, 2), (3, 3), (4, 3), (3, 4), (2, 5), (5, 2), (4, 4)]


@pytest.mark.parametrize("kind", [2, 3, "continuous", "partly tied"])
@pytest.mark.parametrize("shape", MATRICES, ids=str)
def test_the_row_column_sort_is_canonical_for_matrices_of_every_kind(shape, kind):
    source = torch.Generator().manual_seed(0)
    for _ in range(10):
        x = torch.randn(shape, generator=source)
        if kind == "partly tied":
            x = x.round()
        elif kind != "continuous":
            x = torch.randint(kind, shape, generator=source).double()
        moved = in_all_orders(x)
        forms = row_column_sort(moved)
        assert torch.equal(forms, forms[:1].expand_as(forms))
        assert (moved == forms[0]).flatten(1).all(1).any()


@given(
    hnp.arrays(
        "float64", st.tuples(st.integers(1, 4), st.integers(1, 4)),
        elements=st.sampled_from([0.0, 1.0, 2.0, math.nan]),
    ).map(torch.tensor)
)  # fmt: skip
def test_so_it_is_where_rows_and_columns_tie(x):
    forms = row_column_sort(in_all_orders(x))
    torch.testing.assert_close(forms, forms[:1].expand_as(forms), rtol=0, atol=0, equal_nan=True)


def test_there_are_as_many_row_column_forms_as_matrices_up_to_both_orders():
    for n, d in ((3, 3), (4, 3), (3, 4)):
        x = torch.tensor(list(itertools.product((0.0, 1.0), repeat=n * d)))
        images = torch.cat(list(on_grid(n, d).elements()))
        fixed = sum(int((x[:, g] == x).all(1).sum()) for g in images)  # Burnside
        forms = row_column_sort(x.view(-1, n, d))
        assert len(forms.unique(dim=0)) == fixed // len(images)


def test_ten_by_five_matrices_have_one_form_in_every_order():
    source = torch.Generator().manual_seed(0)
    for kind in (2, 3):
        for x in torch.randint(kind, (2, 128, 10, 5), generator=source).float():
            rows, columns = (
                torch.randperm(10, generator=source),
                torch.randperm(5, generator=source),
            )
            turned = x[:, rows][:, :, columns]
            assert torch.equal(row_column_sort(turned), row_column_sort(x))
            assert torch.equal(row_column_sort(turned.mT), row_column_sort(x.mT))


TIED = [[2.0, 1.0, 0.0], [0.0, 2.0, 1.0], [1.0, 1.0, 2.0]]


def test_beyond_the_limit_the_row_column_sort_depends_on_the_order_where_both_tie(monkeypatch):
    monkeypatch.setattr(ties, "MOST_ENTRIES", 17)  # of two columns, 2! orders of 3 × 3 entries
    x = torch.tensor(TIED)
    assert both_tie(x)
    forms = row_column_sort(in_all_orders(x))
    assert not (forms == forms[0]).all()
    assert row_column_ordering(x[None]).classes.tolist() == [[*range(9)]]
    monkeypatch.setattr(ties, "MOST_ENTRIES", 18)
    forms = row_column_sort(in_all_orders(x))
    assert (forms == forms[0]).all()


def test_the_side_with_fewer_orders_is_tried(monkeypatch):
    # Two columns that tie, and ten rows; and the same on its side.
    x = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).repeat(5, 1)
    x[0] = torch.tensor([2.0, 3.0])
    x[1] = torch.tensor([3.0, 2.0])
    monkeypatch.setattr(ties, "MOST_ENTRIES", 2 * 20)
    for some in (x, x.mT):
        moved = torch.stack([some, some.flip(0), some.flip(1), some.flip(0, 1)])
        forms = row_column_sort(moved)
        assert torch.equal(forms, forms[:1].expand_as(forms))


def test_a_matrix_without_double_ties_is_as_without_the_search(monkeypatch):
    source = torch.Generator().manual_seed(0)
    x = torch.randint(4, (200, 4, 3), generator=source).float()
    x = x[torch.tensor([not both_tie(one) for one in x])]
    form = row_column_sort(x)
    monkeypatch.setattr(ties, "MOST_ENTRIES", 0)
    assert 0 < len(x) < 200
    assert torch.equal(row_column_sort(x), form)


@pytest.mark.parametrize(("n", "d"), [(6000, 5), (100, 7)])
def test_the_limit_is_as_its_documentation_says(n, d):
    assert math.factorial(d) * n * d <= ties.MOST_ENTRIES
    assert f"{d} columns and {n:,} rows" in " ".join(row_column_sort.__doc__.split())


def test_many_at_once_are_divided(monkeypatch):
    x = torch.randint(2, (50, 4, 3), generator=torch.Generator().manual_seed(0)).float()
    whole = row_column_ordering(x)
    monkeypatch.setattr(ties, "MOST_ENTRIES", 6 * 12)
    for part, right in zip(row_column_ordering(x), whole, strict=True):
        assert torch.equal(part, right)


@pytest.mark.slow
@pytest.mark.parametrize("classed", [False, True])
def test_what_is_traced_gives_the_same(classed):
    x = torch.randint(2, (2, 6, 4, 3), generator=torch.Generator().manual_seed(0)).float()
    mask = torch.ones(6, 4, dtype=torch.bool)
    mask[::2, -1] = False

    def both(x, mask):
        return row_column_ordering(x, mask) if classed else (row_column_sort(x, mask),)

    expected = [torch.stack(pair) for pair in zip(*(both(one, mask) for one in x), strict=True)]
    for found, right in zip(torch.vmap(both, (0, None))(x, mask), expected, strict=True):
        assert torch.equal(found, right)
    exported = torch.export.export(Both(both), (x[0], mask)).module()
    for found, right in zip(exported(x[1], mask), expected, strict=True):
        assert torch.equal(found, right[1])
    shapes = both(x[0].to("meta"), mask.to("meta"))
    assert [one.shape for one in shapes] == [one.shape[1:] for one in expected]


class Both(torch.nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x, mask):
        return tuple(self.function(x, mask))


def test_the_row_column_sort_moves_whole_rows_and_whole_columns():
    x = torch.randn(1, 4, 3)
    y = row_column_sort(x)[0]
    rows = {tuple(sorted(row)) for row in y.tolist()}
    columns = {tuple(sorted(column)) for column in y.mT.tolist()}
    assert rows == {tuple(sorted(row)) for row in x[0].tolist()}
    assert columns == {tuple(sorted(column)) for column in x[0].mT.tolist()}


ORDERINGS = {
    lexicographic_sort: lexicographic_ordering,
    columnwise_sort: columnwise_ordering,
    row_column_sort: row_column_ordering,
}
every_ordering = pytest.mark.parametrize(
    ("sort", "ordering"), ORDERINGS.items(), ids=lambda f: f.__name__
)


@every_ordering
@given(x=tied)
def test_an_ordering_is_a_permutation_that_sorts(sort, ordering, x):
    order, _ = ordering(x)
    axes = 1 if order.shape[1] == x.shape[1] else 2
    assert torch.equal(order.sort(1).values, torch.arange(order.shape[1]).expand_as(order))
    points = x.flatten(1, axes)
    moved = torch.stack([p[o] for p, o in zip(points, order, strict=True)]) if len(x) else points
    assert torch.equal(moved.reshape(x.shape), sort(x))


@given(tied)
def test_rows_have_one_rank_exactly_if_they_are_equal(x):
    for rows, ranks in zip(x.tolist(), row_ranks(x).tolist(), strict=True):
        different = sorted({tuple(row) for row in rows})
        assert ranks == [different.index(tuple(row)) for row in rows]


def test_nan_is_equal_to_nan_and_both_zeros_are_equal():
    x = torch.tensor([[[math.nan], [0.0], [-0.0], [math.nan], [1.0]]])
    assert row_ranks(x).tolist() == [[2, 0, 0, 2, 1]]


def test_the_order_is_that_of_the_sort():
    x = torch.randint(0, 2, (10, 6, 3)).float()
    for rows, order in zip(x, lexicographic_order(x), strict=True):
        assert rows[order].tolist() == sorted(rows.tolist())


# Padding.


def ragged_with_garbage():
    """Sets that tie, one with a zero row and one empty; no two places of padding are the same."""
    sets = [members.round() for members in padding.ragged(3, (3, 1, 5, 0, 4, 6))]
    sets[2][1] = 0
    x, mask = padding.padded(sets, 6)
    garbage = torch.randn(x.shape, generator=torch.Generator().manual_seed(1), dtype=x.dtype)
    garbage[:, ::2, 1] = math.nan
    return sets, torch.where(mask[..., None], x, garbage), mask


@pytest.mark.parametrize("sort", SORTS)
def test_the_members_are_sorted_as_if_alone_and_followed_by_zeros(sort):
    sets, x, mask = ragged_with_garbage()
    for members, canonical in zip(sets, sort(x, mask), strict=True):
        if len(members):
            assert torch.equal(canonical[: len(members)], sort(members[None])[0])
        assert not canonical[len(members) :].any()


@every_ordering
def test_members_share_classes_as_if_alone_and_padding_shares_with_nobody(sort, ordering):
    sets, x, mask = ragged_with_garbage()
    for rows, members, order, classes in zip(x, sets, *ordering(x, mask), strict=True):
        axes = 1 if len(order) == len(rows) else 2
        k = len(members) * len(order) // len(rows)
        if k:
            places, alone = (t[0] for t in ordering(members[None]))
            moved = rows.flatten(0, axes - 1)[order[:k]]
            assert torch.equal(moved, members.flatten(0, axes - 1)[places])
            assert torch.equal(classes[:k, None] == classes[:k], alone[:, None] == alone)
        assert not set(classes[:k].tolist()) & set(classes[k:].tolist())
        column = classes.view(len(rows), -1)[len(members) :, 0]
        assert len(set(column.tolist())) == len(column)


def test_the_ranks_of_members_are_those_of_the_members_alone():
    sets, x, mask = ragged_with_garbage()
    for members, present, ranks in zip(sets, mask, row_ranks(x, mask), strict=True):
        if len(members):
            assert torch.equal(ranks[present], row_ranks(members[None])[0])
        # The padding, whatever it holds, comes after the members, each place by itself.
        assert ranks[~present].tolist() == list(range(len(members), len(ranks)))


@pytest.mark.parametrize(
    "function", [*SORTS, lexicographic_order, row_ranks, *ORDERINGS.values()],
    ids=lambda f: f.__name__,
)  # fmt: skip
def test_what_is_no_mask_is_refused(function):
    x = torch.zeros(2, 4, 3)
    with pytest.raises(ValueError, match="mask must have shape"):
        function(x, torch.ones(2, 1, dtype=torch.bool))
    with pytest.raises(TypeError, match="mask must be of bool"):
        function(x, torch.ones(2, 4))
    with pytest.raises(TypeError, match="mask must be a tensor, got list"):
        function(x, [[True] * 4] * 2)
