"""Products by tables are the products of the rows."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from invariant_nets._tables import (
    all_products,
    composed,
    empty_rows,
    smallest_type,
    table_of,
    traced,
)


def random_rows(n, k, moved, seed):
    """Permutations that leave all but the first `moved` of some points where they are."""
    source = torch.Generator().manual_seed(seed)
    points = torch.randperm(n, generator=source)[:moved]
    rows = torch.arange(n).repeat(k, 1)
    for row in rows:
        row[points] = points[torch.randperm(moved, generator=source)]
    return rows


def product(rows):
    """The product of some permutations by the definition, (p q)(i) = q(p(i)), the last first."""
    images = []
    for i in range(len(rows[0])):
        for row in reversed(rows):
            i = int(row[i])
        images.append(i)
    return images


@given(
    n=st.integers(1, 9),
    k=st.integers(1, 12),
    tables=st.lists(st.tuples(st.integers(1, 5), st.integers(0, 9)), min_size=1, max_size=4),
    seed=st.integers(0, 2**20),
)
def test_a_product_takes_a_row_of_every_table(n, k, tables, seed):
    source = torch.Generator().manual_seed(seed)
    rows = [random_rows(n, size, min(moved, n), seed + i) for i, (size, moved) in enumerate(tables)]
    digits = [torch.randint(len(r), (k,), generator=source) for r in rows]
    expected = [product([r[d[i]] for r, d in zip(rows, digits, strict=True)]) for i in range(k)]
    made = [table_of(r.to(smallest_type(n))) for r in rows]
    for products in (composed(made, digits), traced(made, digits, k, n)):
        assert products.dtype == torch.int64
        assert products.tolist() == expected


@pytest.mark.parametrize("entries", [1, 40, 1 << 17])
@pytest.mark.parametrize("threads", [1, 3])
def test_the_products_depend_on_neither_batches_nor_threads(monkeypatch, entries, threads):
    monkeypatch.setattr("invariant_nets._tables._CACHED_ENTRIES", entries)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    rows = [random_rows(8, 20, 8, 0), random_rows(8, 30, 3, 1)]
    digits = [torch.arange(35) % 20, torch.arange(35) % 30]
    expected = rows[0][digits[0]].gather(1, rows[1][digits[1]])
    assert torch.equal(composed(list(map(table_of, rows)), digits), expected)


def test_a_table_leaves_out_what_it_does_not_move_if_that_is_half_or_more():
    assert table_of(random_rows(8, 50, 4, 0)).images.shape == (50, 4)
    assert table_of(random_rows(8, 50, 5, 0)).images.shape == (50, 8)
    assert table_of(torch.arange(8)[None]).images.shape == (1, 0)


@pytest.mark.parametrize(
    ("degree", "dtype"),
    [
        (256, torch.uint8),
        (257, torch.int16),
        (1 << 15, torch.int16),
        ((1 << 15) + 1, torch.int32),
    ],
)
def test_the_points_of_a_table_fit_its_integers(degree, dtype):
    assert smallest_type(degree) == dtype
    last = torch.arange(degree).flip(0)[None]
    table = table_of(last.to(dtype))
    digits = torch.zeros(2, dtype=torch.int64)
    assert torch.equal(composed([table, table], [digits, digits])[1], torch.arange(degree))
    assert torch.equal(composed([table], [digits])[1], last[0])


@pytest.mark.parametrize(
    ("n", "rows"), [(1, 3), (1, 4), (3, 12), (3, 13), (4, 15), (4, 16), (5, 7), (6, 40)]
)
@pytest.mark.parametrize("k", [1, 5])
def test_all_products_are_every_row_with_every_row(n, rows, k):
    t, u = random_rows(n, rows, n, 0), random_rows(n, k, n, 1)
    expected = [product([second, first]) for second in u for first in t]
    assert all_products(t, u).tolist() == expected


def test_a_result_is_int64_and_contiguous():
    rows = empty_rows(3, 4)
    assert rows.shape == (3, 4)
    assert rows.dtype == torch.int64
    assert rows.is_contiguous()
