"""Sets in many orders at once: permutations that come in chunks, and how their copies are made."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Cosets:
    r"""The products $t\,u$ of every $t$ of a table with every $u$ of another: first $u$ permutes.

    $(t\,u) \cdot x = t \cdot (u \cdot x)$, so the table may serve for many $u$.
    """

    table: Int[Tensor, "k n"]
    heads: Int[Tensor, "h n"]

    def __len__(self) -> int:
        return len(self.heads) * len(self.table)


Chunk = Tensor | Cosets  # an index tensor, a permutation a row, or cosets


def elements_of(chunk: Chunk) -> Int[Tensor, "k n"]:
    r"""Return the permutations of a chunk, a row each; $(t\,u)(i) = u(t(i))$, one $u$ at a time."""
    return chunk.heads[:, chunk.table].flatten(0, 1) if isinstance(chunk, Cosets) else chunk


class PermutedSets:
    """Copies a batch of sets in the orders of one chunk after the other.

    A copy costs by the member, however short it is, so members are copied two at a time from a
    table of all pairs if that is smaller than the copies.
    """

    def __init__(self, x: Float[Tensor, "batch n *d"]) -> None:
        self._x = x
        self._table: Tensor | None = None

    @cached_property
    def _pairs(self) -> Float[Tensor, "batch nn 2 *d"]:
        return _pairs(self._x)

    def __call__(self, chunk: Chunk) -> Float[Tensor, "batch kn *d"]:
        """Return the copies, one permutation after the other."""
        x = self._x
        batch, n, *features = x.shape
        if isinstance(chunk, Cosets):
            table, heads = chunk.table, chunk.heads.to(x.device)
            x = x.index_select(1, heads.flatten())
            x = x.reshape(batch * len(heads), n, *features)
        else:
            table = chunk
        if table is not self._table:
            self._table, self._by_two = table, n % 2 == 0 and n * n <= len(table)
            numbers = table[:, ::2] * n + table[:, 1::2] if self._by_two else table
            self._numbers = numbers.flatten().to(x.device)
        if self._by_two:
            x = self._pairs if x is self._x else _pairs(x)
        return x.index_select(1, self._numbers).reshape(batch, len(chunk) * n, *features)


def _pairs(x: Float[Tensor, "batch n *d"]) -> Float[Tensor, "batch nn 2 *d"]:
    # Number i n + j holds the members i and j.
    every = x.shape[0], x.shape[1], *x.shape[1:]
    first, second = x.unsqueeze(2), x.unsqueeze(1)
    return torch.stack((first.expand(every), second.expand(every)), 3).flatten(1, 2)
