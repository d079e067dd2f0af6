"""Sets in many orders at once: permutations that come in chunks, and how their copies are made."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Coset:
    r"""The products $t\,u$ of the permutations $t$ of a table with one $u$, which permutes first.

    $(t\,u) \cdot x = t \cdot (u \cdot x)$, so the table may serve for many $u$.
    """

    table: Int[Tensor, "k n"]
    u: Int[Tensor, " n"]

    def __len__(self) -> int:
        return len(self.table)


Chunk = Tensor | Coset  # an index tensor, a permutation a row, or a coset


def elements_of(chunk: Chunk) -> Int[Tensor, "k n"]:
    r"""Return the permutations of a chunk, a row each: $(t\,u)(i) = u(t(i))$."""
    return chunk.u[chunk.table] if isinstance(chunk, Coset) else chunk


class PermutedSets:
    """Copies a batch of sets in the orders of one chunk after the other.

    A copy costs by the member, however short it is, so members are copied two at a time from a
    table of all pairs if that is smaller than the copies.
    """

    def __init__(self, x: Float[Tensor, "batch n *d"]) -> None:
        self._x = x
        self._table: Tensor | None = None

    def __call__(self, chunk: Chunk) -> Float[Tensor, "batch kn *d"]:
        """Return the copies, one permutation after the other."""
        x = self._x
        if isinstance(chunk, Coset):
            x, table = x.index_select(1, chunk.u.to(x.device)), chunk.table
        else:
            table = chunk
        if table is not self._table:
            k, n = table.shape
            self._table, self._by_two = table, n % 2 == 0 and n * n <= k
            numbers = table[:, ::2] * n + table[:, 1::2] if self._by_two else table
            self._numbers = numbers.flatten().to(x.device)
        return (_pairs(x) if self._by_two else x).index_select(1, self._numbers)


def _pairs(x: Float[Tensor, "batch n *d"]) -> Float[Tensor, "batch nn 2 *d"]:
    # Number i n + j holds the members i and j.
    every = x.shape[0], x.shape[1], *x.shape[1:]
    first, second = x.unsqueeze(2), x.unsqueeze(1)
    return torch.stack((first.expand(every), second.expand(every)), 3).flatten(1, 2)
