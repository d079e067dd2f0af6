r"""Many permutations at once: all of them, those that some generators generate, a random sample."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from invariant_nets._arguments import positive_int
from invariant_nets._rows import is_traced, refuse_onnx
from invariant_nets.groups.permutation import (
    Permutation,
    are_odd,
    lazy_block,
    stack_permutations,
)

_RANDOM_BITS = 62


def create_all_permutations(n: int) -> Iterator[Permutation]:
    r"""Yield the $n!$ permutations of $n$ points lazily, in lexicographic order, identity first.

    Args:
        n: the number of points, at least 1.

    Raises:
        ValueError: if `n` is below 1.

    Example:
        >>> [str(p) for p in create_all_permutations(3)]
        ['()', '(1 2)', '(0 1)', '(0 1 2)', '(0 2 1)', '(0 2)']

    Chapter 8 averages over all of them.
    """
    return _all_permutations(positive_int("n", n))


def _all_permutations(n: int) -> Iterator[Permutation]:
    rows = itertools.permutations(range(n))
    while block := list(itertools.islice(rows, lazy_block(n))):
        yield from map(Permutation._trusted, torch.tensor(block, device="cpu").unbind())


def create_permutations_from_generators(generators: Iterable[Permutation]) -> list[Permutation]:
    r"""Return the group that the generators generate: their closure under products.

    The elements are in order of their length as words in the generators (breadth first, the
    generators in the order given), so the identity is first and the order is the same every time.
    The list holds all $|G|$ elements. For a large group take `PermutationGroup.elements`.

    Args:
        generators: at least one permutation, all of one size.

    Raises:
        ValueError: if there is no generator, or their sizes differ.
        TypeError: if one of them is not a `Permutation`.

    Example:
        >>> shift = Permutation([1, 2, 3, 0])
        >>> [str(p) for p in create_permutations_from_generators([shift])]
        ['()', '(0 1 2 3)', '(0 2)(1 3)', '(0 3 2 1)']

    Chapter 8 averages over such a group.
    """
    indices = stack_permutations(generators, name="generators")
    frontier = torch.arange(indices.shape[1], device="cpu")[None]
    seen = {frontier.numpy().tobytes()}
    elements = [frontier]
    while len(frontier):
        # (g p)(i) = p(g(i)) for every p of the frontier and every generator g.
        products = frontier[:, indices].flatten(0, 1)
        fresh = []
        for row, key in enumerate(map(bytes, products.numpy())):
            if key not in seen:
                seen.add(key)
                fresh.append(row)
        frontier = products[fresh]
        elements.append(frontier)
    return [Permutation._trusted(index) for index in torch.cat(elements).unbind()]


def create_random_permutations(
    n: int, k: int, generator: torch.Generator | None = None
) -> list[Permutation]:
    r"""Draw `k` permutations of `n` points, independent and exactly uniform on $S_n$.

    Args:
        n: the number of points, at least 1.
        k: the number of draws, at least 1.
        generator: the source of randomness; torch's global one by default.

    Raises:
        ValueError: if `n` or `k` is below 1, or if a model that calls it is exported to ONNX.

    Example:
        >>> create_random_permutations(4, 2, torch.Generator().manual_seed(0))
        [Permutation([3, 0, 2, 1]), Permutation([3, 1, 0, 2])]

    Chapter 8 derives how far an average over such a sample is from the exact one.
    """
    k, n = positive_int("k", k), positive_int("n", n)
    refuse_onnx("create_random_permutations", "draw once, and average over what was drawn")
    return [Permutation._trusted(index) for index in uniform_orders(n, k, generator).unbind()]


def uniform_keys(
    shape: tuple[int, ...],
    generator: torch.Generator | None,
    device: torch.device | str = "cpu",
) -> Int[Tensor, "*shape"]:
    """Return integers that are uniform below $2^{62}$; a power of two, so there is no bias."""
    # Without a generator in the call, what is exported draws for batches of every size.
    options: dict[str, Any] = {} if generator is None else {"generator": generator}
    return torch.randint(1 << _RANDOM_BITS, shape, device=device, **options)


def uniform_orders(
    n: int, k: int, generator: torch.Generator | None, device: torch.device | str = "cpu"
) -> Int[Tensor, "k n"]:
    """Return `k` permutations of `n` points, exactly uniform on all of them."""
    keys, orders = uniform_keys((k, n), generator, device).sort(-1)
    if is_traced():
        return orders  # nobody can branch on the keys; the bias is below n² 2⁻⁶²
    # The order of different keys is uniform; rows with equal ones are drawn again.
    tied = (keys[:, 1:] == keys[:, :-1]).any(-1)
    if tied.any():
        orders[tied] = uniform_orders(n, int(tied.sum()), generator, device)
    return orders


def uniform_even_orders(n: int, k: int, generator: torch.Generator | None) -> Int[Tensor, "k n"]:
    """Return `k` even permutations of `n` points, exactly uniform on all of them."""
    orders = uniform_orders(n, k, generator)
    # A swap of the last two images pairs the odd ones with the even ones.
    swapped = torch.cat((orders[:, :-2], orders[:, -2:].flip(1)), 1)
    return torch.where(are_odd(orders)[:, None], swapped, orders)


def uniform_digits(below: int, k: int, generator: torch.Generator | None) -> Int[Tensor, " k"]:
    """Return `k` integers from 0 to `below` − 1, exactly uniform."""
    # What lies beyond the last whole multiple of `below` is drawn again.
    keys = uniform_keys((k,), generator)
    if is_traced():
        return keys % below  # nobody can loop on the keys; the bias is below |level| 2⁻⁶²
    beyond = (1 << _RANDOM_BITS) // below * below
    while (again := keys >= beyond).any():
        keys[again] = uniform_keys((int(again.sum()),), generator)
    return keys % below
