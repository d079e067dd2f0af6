r"""Tables of permutations, composed a batch at a time.

With $(t\,u)(i) = u(t(i))$ a product is a look-up for each point that $t$ moves. A look-up costs by
the item, however short the item is: so points that no row of a table moves are left out, and where
many $t$ meet one $u$ the points are looked up two at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int, Shaped
from torch import Tensor

# Batches of this size stay in the cache from one table to the next.
_CACHED_ENTRIES = 1 << 17


@dataclass(frozen=True)
class Table:
    """Some permutations, a row each, in the smallest integers that hold their points.

    Attributes:
        degree: how many points they permute.
        moved: the points that any of them moves, or all if those are more than half of them.
        images: where they take these points.
    """

    degree: int
    moved: Int[Tensor, " m"]
    images: Shaped[Tensor, "rows m"]

    @property
    def moves_all(self) -> bool:
        """Whether the images are those of all points."""
        return len(self.moved) == self.degree

    def rows(self, digits: Int[Tensor, " k"]) -> np.ndarray:
        """Return some permutations by the images of all points, in a new array."""
        images = self.images.numpy().take(digits.numpy(), 0)
        if self.moves_all:
            return images
        rows = np.tile(np.arange(self.degree, dtype=images.dtype), (len(images), 1))
        rows[:, self.moved.numpy()] = images
        return rows


def table_of(rows: Shaped[Tensor, "rows n"]) -> Table:
    """Return the table of some permutations."""
    n = rows.shape[1]
    points = torch.arange(n, dtype=rows.dtype)
    moved = (rows != points).any(0).nonzero().flatten()
    if 2 * len(moved) > n:
        return Table(n, points.long(), rows)
    return Table(n, moved, rows[:, moved])


def smallest_type(degree: int) -> torch.dtype:
    """Return the integers that hold the points of a table."""
    if degree <= 1 << 8:
        return torch.uint8
    return torch.int16 if degree <= 1 << 15 else torch.int32


def empty_rows(rows: int, columns: int) -> Int[Tensor, "rows columns"]:
    """Return a new int64 tensor, which is not yet written."""
    # NumPy asks for huge pages, torch does not: a large result is written five times faster.
    return torch.from_numpy(np.empty((rows, columns), dtype=np.int64))


def composed(tables: Sequence[Table], digits: Sequence[Int[Tensor, " k"]]) -> Int[Tensor, "k n"]:
    """Return the products of one row of each table, the last of which permutes first.

    Args:
        tables: at least one, all of one degree.
        digits: for each table, which row of it each product takes.
    """
    n, k = tables[0].degree, len(digits[0])
    products = empty_rows(k, n)
    step = min(k, max(1, _CACHED_ENTRIES // n))
    # Where the row of each image begins when the rows of a batch come one after the other.
    begins = [np.arange(0, step * n, n)[:, None].repeat(len(t.moved), 1) for t in tables[1:]]

    def fill(start: int) -> None:
        part = slice(start, start + step)
        rows = tables[0].rows(digits[0][part])
        for table, digit, begin in zip(tables[1:], digits[1:], begins, strict=True):
            places = table.images.numpy().take(digit[part].numpy(), 0).astype(np.intp)
            places += begin[: len(places)]
            images = rows.reshape(-1).take(places)
            if table.moves_all:
                rows = images
            else:
                rows[:, table.moved.numpy()] = images
        products.numpy()[part] = rows

    starts = range(0, k, step)
    threads = min(torch.get_num_threads(), len(starts))
    if threads == 1:
        for start in starts:
            fill(start)
    else:
        # Whole batches a thread: no thread waits for another one after every look-up.
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(fill, starts))
    return products


def traced(
    tables: Sequence[Table], digits: Sequence[Int[Tensor, " k"]], k: int, degree: int
) -> Int[Tensor, "k n"]:
    """Return what `composed` does, by operations that a compiler can trace."""
    products = torch.arange(degree).expand(k, -1)
    for table, digit in zip(tables, digits, strict=True):
        images = products.gather(1, table.images.index_select(0, digit).long())
        if table.moves_all:
            products = images
        else:
            products = products.scatter(1, table.moved.expand_as(images), images)
    return products


def all_products(t: Int[Tensor, "rows n"], u: Int[Tensor, "k n"]) -> Int[Tensor, "k_rows n"]:
    r"""Return $t\,u$ for every $u$, and for each of them every $t$."""
    rows, n = t.shape
    if rows < 4 * n or rows * n % 2:
        return torch.from_numpy(u.numpy().take(t.numpy().reshape(-1), 1)).view(-1, n)
    # Item i n + j of u holds (u(i), u(j)), as many bytes as a complex number has.
    every = len(u), n, n
    pairs = torch.stack((u[:, :, None].expand(every), u[:, None, :].expand(every)), 3)
    items = pairs.flatten(1, 2).numpy().view(np.complex128)[:, :, 0]
    first, second = t.reshape(-1, 2).numpy().T
    return torch.from_numpy(items.take(first * n + second, 1).view(np.int64)).view(-1, n)
