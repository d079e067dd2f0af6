r"""Permutations and how they act on a tensor.

The convention of the whole package is that of indexing: $\sigma$ is stored as the index tensor
$(\sigma(0), \dots, \sigma(n-1))$ and acts on the rows of $x$ by

$$(\sigma \cdot x)_i = x_{\sigma(i)}, \qquad \text{in code } \texttt{x[sigma]}.$$

The product is the one that makes this a left action, $(p\,q) \cdot x = p \cdot (q \cdot x)$, so
$(p\,q)(i) = q(p(i))$.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Sequence
from typing import SupportsIndex

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor

from invariant_nets._arguments import positive_int

_LAZY_BLOCK = 4096
_LAZY_ENTRIES = 1 << 18


class Permutation:
    r"""A permutation of $n$ points, which acts on one axis of a tensor.

    $$(\sigma \cdot x)_i = x_{\sigma(i)}, \qquad (p\,q) \cdot x = p \cdot (q \cdot x).$$

    A permutation is immutable, hashable, and equal to another one with the same indices; `p ** k`
    is its power, for negative $k$ too, and `~p` its inverse.

    Args:
        index_tensor: the images $(\sigma(0), \dots, \sigma(n-1))$: a tensor or a sequence of
            integers that holds each of $0, \dots, n-1$ once.

    Shape:
        index_tensor: $(n,)$ with $n \ge 1$.

    Raises:
        ValueError: if `index_tensor` is no permutation.

    Example:
        >>> p = Permutation(torch.tensor([1, 2, 0]))
        >>> x = torch.tensor([[10.0], [11.0], [12.0]])
        >>> p(x).flatten().tolist()
        [11.0, 12.0, 10.0]
        >>> q = Permutation([1, 0, 2])
        >>> torch.equal((p @ q)(x), p(q(x)))
        True
        >>> print(p, p.order(), p @ ~p == p**3 == Permutation.identity(3))
        (0 1 2) 3 True

    References:
        Dixon & Mortimer (1996), *Permutation Groups*, chapter 1.

    Chapter 7 sorts with permutations, chapter 8 averages over them.
    """

    __slots__ = ("_index",)
    _index: Int[Tensor, " n"]

    def __init__(self, index_tensor: Int[Tensor, " n"] | Sequence[int]) -> None:
        self._index = _validated(index_tensor)

    @classmethod
    def _trusted(cls, index: Int[Tensor, " n"]) -> Permutation:
        # For rows that are permutations by construction: no check, no copy.
        permutation = object.__new__(cls)
        permutation._index = index
        return permutation

    @classmethod
    def identity(cls, n: int) -> Permutation:
        """Return the permutation that leaves `n` points where they are."""
        return cls._trusted(torch.arange(positive_int("n", n), device="cpu"))

    @classmethod
    def from_cycles(cls, n: int, *cycles: Sequence[int]) -> Permutation:
        r"""Return the permutation of `n` points with the given disjoint cycles.

        Example:
            >>> Permutation.from_cycles(5, (0, 1, 2), (3, 4))
            Permutation([1, 2, 0, 4, 3])
        """
        return cls._trusted(torch.tensor(images_of_cycles(n, cycles), device="cpu"))

    @property
    def index_tensor(self) -> Int[Tensor, " n"]:
        r"""A copy of the images $(\sigma(0), \dots, \sigma(n-1))$, int64."""
        return self._index.clone()

    def __call__(self, x: Shaped[Tensor, ...], dim: int = -2) -> Shaped[Tensor, ...]:
        r"""Permute the axis `dim` of `x`, by default the set axis of a `(batch, n, d)` tensor.

        Raises:
            ValueError: if `x` has no such axis, or its size is not the number of points.
        """
        if not -x.ndim <= dim < x.ndim or x.shape[dim] != len(self):
            raise ValueError(
                f"x must have {len(self)} entries along axis {dim}, got the shape {tuple(x.shape)}"
            )
        return x.index_select(dim, self._index.to(x.device))

    def __matmul__(self, other: Permutation) -> Permutation:
        if not isinstance(other, Permutation):
            return NotImplemented
        if len(other) != len(self):
            raise ValueError(
                f"a product needs permutations of one size, got {len(self)} and {len(other)} points"
            )
        return Permutation._trusted(other._index[self._index])

    def inverse(self) -> Permutation:
        r"""Return $\sigma^{-1}$, for which $\sigma^{-1} \cdot (\sigma \cdot x) = x$."""
        return Permutation._trusted(self._index.argsort())

    def __invert__(self) -> Permutation:
        return self.inverse()

    def __pow__(self, exponent: SupportsIndex) -> Permutation:
        if not isinstance(exponent, SupportsIndex):
            return NotImplemented
        k = operator.index(exponent)
        square = self._index if k >= 0 else self._index.argsort()
        power = torch.arange(len(self), device="cpu")
        for bit in reversed(f"{abs(k):b}"):
            power = square[power] if bit == "1" else power
            square = square[square]
        return Permutation._trusted(power)

    def sign(self) -> int:
        r"""Return the sign: 1 of a product of an even number of transpositions, −1 of an odd one.

        $$\operatorname{sign}(p\,q) = \operatorname{sign}(p) \operatorname{sign}(q).$$

        Example:
            >>> Permutation([1, 0, 2]).sign(), Permutation([1, 2, 0]).sign()
            (-1, 1)
        """
        return -1 if are_odd(self._index[None]).item() else 1

    def cycles(self) -> tuple[tuple[int, ...], ...]:
        """Return the cycles of length two and more, each from its smallest point, in order.

        Example:
            >>> Permutation([2, 1, 0, 4, 5, 3]).cycles()
            ((0, 2), (3, 4, 5))
        """
        return tuple(cycles_of(self._index.tolist()))

    def order(self) -> int:
        r"""Return the least $k \ge 1$ with $\sigma^k = 1$: the lcm of the cycle lengths."""
        return math.lcm(*(len(cycle) for cycle in self.cycles()))

    def __reduce__(self) -> tuple[type[Permutation], tuple[list[int]]]:
        # By its own indices: a tensor that is a view would be pickled with all that it views.
        return Permutation, (self._index.tolist(),)

    def __len__(self) -> int:
        return self._index.shape[0]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Permutation):
            return NotImplemented
        return torch.equal(self._index, other._index)

    def __hash__(self) -> int:
        return hash(self._index.numpy().tobytes())

    def __repr__(self) -> str:
        return f"Permutation({self._index.tolist()})"

    def __str__(self) -> str:
        return "".join(f"({' '.join(map(str, c))})" for c in self.cycles()) or "()"


def _validated(index_tensor: Int[Tensor, " n"] | Sequence[int]) -> Int[Tensor, " n"]:
    try:
        index = torch.as_tensor(index_tensor, device="cpu")
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"index_tensor must hold integers, got {index_tensor!r}") from None
    if index.ndim != 1 or index.numel() == 0:
        raise ValueError(f"index_tensor must have shape (n,) with n ≥ 1, got {tuple(index.shape)}")
    if index.is_floating_point() or index.is_complex() or index.dtype == torch.bool:
        raise ValueError(f"index_tensor must hold integers, got the dtype {index.dtype}")
    index = index.detach().to(torch.int64, copy=True)
    if not torch.equal(index.sort().values, torch.arange(len(index), device="cpu")):
        raise ValueError(
            f"index_tensor must hold each of 0, …, {len(index) - 1} once, got {index.tolist()}"
        )
    return index


def images_of_cycles(n: int, cycles: Sequence[Sequence[int]]) -> list[int]:
    r"""Return the images of `n` points under disjoint cycles.

    Raises:
        ValueError: if a point is in two places or is none of the `n`.

    Example:
        >>> images_of_cycles(5, [(0, 1, 2), (3, 4)])
        [1, 2, 0, 4, 3]
    """
    points = [point for cycle in cycles for point in cycle]
    if len(set(points)) != len(points):
        raise ValueError(f"cycles must be disjoint, got {cycles}")
    images = list(range(positive_int("n", n)))
    if points and not 0 <= min(points) <= max(points) < n:
        raise ValueError(f"cycles must hold points from 0 to {n - 1}, got {cycles}")
    for cycle in filter(len, cycles):
        before = cycle[-1]
        for point in cycle:
            images[before] = before = point
    return images


def cycles_of(images: Sequence[int]) -> list[tuple[int, ...]]:
    """Return the cycles of length two and more, each from its smallest point, in order.

    Example:
        >>> cycles_of([2, 1, 0, 4, 5, 3])
        [(0, 2), (3, 4, 5)]
    """
    cycles, seen = [], set()
    for start, point in enumerate(images):
        if start != point and start not in seen:
            cycle = [start]
            while point != start:
                cycle.append(point)
                point = images[point]
            seen.update(cycle)
            cycles.append(tuple(cycle))
    return cycles


def stack_permutations(
    permutations: Iterable[Permutation], name: str = "permutations"
) -> Int[Tensor, "k n"]:
    """Stack the index tensors of permutations of one size, or raise an error that names them."""
    if isinstance(permutations, Permutation) or not isinstance(permutations, Iterable):
        raise TypeError(f"{name} must be an iterable of Permutation, got {permutations!r}")
    permutations = list(permutations)
    if not permutations:
        raise ValueError(f"{name} must hold at least one permutation, got none")
    for permutation in permutations:
        if not isinstance(permutation, Permutation):
            raise TypeError(f"{name} must hold Permutation objects, got {permutation!r}")
    sizes = sorted({len(permutation) for permutation in permutations})
    if len(sizes) > 1:
        raise ValueError(f"{name} must be permutations of one size, got the sizes {sizes}")
    return torch.stack([permutation._index for permutation in permutations])


def are_odd(images: Int[Tensor, "k n"]) -> Bool[Tensor, " k"]:
    """Return for each permutation whether it is a product of an odd number of transpositions.

    It is if and only if $n$ minus its number of cycles is odd.

    Example:
        >>> are_odd(torch.tensor([[1, 0, 2], [1, 2, 0]])).tolist()
        [True, False]
    """
    n = images.shape[1]
    points = torch.arange(n, device=images.device)
    # The least of i, p(i), …, p^(2^t − 1)(i) after t rounds; in the end, one a cycle.
    least = points.expand_as(images)
    for _ in range((n - 1).bit_length()):
        least = torch.minimum(least, least.gather(1, images))
        images = images.gather(1, images)
    return (n - (least == points).sum(1)) % 2 == 1


def lazy_block(n: int) -> int:
    """Return how many permutations of `n` points are turned into objects at a time."""
    return max(1, min(_LAZY_BLOCK, _LAZY_ENTRIES // n))
