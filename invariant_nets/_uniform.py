"""Integers and orders that are uniform exactly, not up to the bias of a remainder."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

_RANDOM_BITS = 62


def uniform_keys(
    shape: tuple[int, ...], generator: torch.Generator | None
) -> Int[Tensor, "*shape"]:
    """Return integers that are uniform below $2^{62}$; a power of two, so there is no bias."""
    return torch.randint(1 << _RANDOM_BITS, shape, generator=generator)


def uniform_orders(n: int, k: int, generator: torch.Generator | None) -> Int[Tensor, "k n"]:
    """Return `k` permutations of `n` points, exactly uniform on all of them."""
    keys, orders = uniform_keys((k, n), generator).sort(-1)
    if torch.compiler.is_compiling():
        return orders  # a compiler cannot branch on the keys; the bias is below n² 2⁻⁶²
    # The order of different keys is uniform; rows with equal ones are drawn again.
    tied = (keys[:, 1:] == keys[:, :-1]).any(-1)
    if tied.any():
        orders[tied] = uniform_orders(n, int(tied.sum()), generator)
    return orders


def uniform_digits(below: int, k: int, generator: torch.Generator | None) -> Int[Tensor, " k"]:
    """Return `k` integers from 0 to `below` − 1."""
    # What lies beyond the last whole multiple of `below` is drawn again.
    keys = uniform_keys((k,), generator)
    if torch.compiler.is_compiling():
        return keys % below  # a compiler cannot loop on the keys; the bias is below |level| 2⁻⁶²
    beyond = (1 << _RANDOM_BITS) // below * below
    while (again := keys >= beyond).any():
        keys[again] = uniform_keys((int(again.sum()),), generator)
    return keys % below
