r"""The mean of a network over permutations, one super-batch at a time.

$$\bar f(x) = \frac1{|P|} \sum_{\sigma \in P} \rho(\sigma)^{-1} f(\sigma \cdot x),$$

with $\rho$ trivial for invariant outputs and the permutation of the output's own set axis for
equivariant ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from invariant_nets._arguments import model_output, set_batch, set_mask
from invariant_nets._precision import Calls, added, narrowed, widened
from invariant_nets._sets import ZEROS, zero_padding


def average_over(
    function: Callable[..., Tensor],
    x: Float[Tensor, "batch n *d"],
    chunks: Iterable[Int[Tensor, "k n"]],
    *,
    equivariant: bool = False,
    axes: int = 1,
    mask: Bool[Tensor, "batch n"] | None = None,
) -> Float[Tensor, "batch *out"]:
    r"""Return the mean of $\rho(\sigma)^{-1} f(\sigma x)$ over permutations that come in chunks.

    A chunk of $k$ permutations is one call of $f$ on a super-batch of $k \cdot \mathrm{batch}$
    sets.

    Args:
        function: maps a batch of sets to one output per set.
        x: the sets.
        chunks: index tensors, one permutation per row; at least one.
        equivariant: whether $\rho$ permutes the output as $\sigma$ permutes the input; otherwise
            it is trivial.
        axes: how many axes after the batch the permutations move together, their entries numbered
            row by row: 1 for the members of a set, 2 for the entries of a matrix.
        mask: true where a member (an entry) is, for sets with padding. It moves with them, and the
            function gets it as `mask=`.

    Shape:
        $(\mathrm{batch}, n, d)$ to $(\mathrm{batch}, *)$; to $(\mathrm{batch}, n, *)$ if
        equivariant.

    Raises:
        TypeError: if `function` returns no tensor.
        ValueError: if the permutations do not fit the set, there are none, or `function` does not
            keep the batch axis (and the set axis, if equivariant).

    Example:
        >>> import torch
        >>> x = torch.tensor([[[1.0], [2.0], [4.0]]])
        >>> average_over(lambda x: x[:, 0], x, [torch.tensor([[0, 1, 2], [1, 2, 0]])]).item()
        1.5
        >>> shifts = torch.tensor([[0, 1, 2], [1, 2, 0], [2, 0, 1]])
        >>> average_over(lambda x: x.cumsum(1), x, [shifts], equivariant=True).flatten().tolist()
        [4.333..., 4.0, 5.666...]

    Derived in chapter 8.
    """
    total: Tensor | None = None
    count = 0
    options: dict[str, Any] = {"equivariant": equivariant, "axes": axes, "mask": mask}
    for outputs in outputs_over(function, x, chunks, **options):
        total = added(total, widened(outputs).sum(1))
        count += outputs.shape[1]
    if total is None or not count:
        raise ValueError("perm_creator must give at least one permutation, got none")
    return zero_padding(narrowed(total / count, outputs), mask if equivariant else None)


def outputs_over(
    function: Callable[..., Tensor],
    x: Float[Tensor, "batch n *d"],
    chunks: Iterable[Int[Tensor, "k n"]],
    *,
    equivariant: bool = False,
    axes: int = 1,
    mask: Bool[Tensor, "batch n"] | None = None,
) -> Iterator[Float[Tensor, "batch k *out"]]:
    r"""Yield $\rho(\sigma)^{-1} f(\sigma x)$ for the permutations of each chunk.

    Example:
        >>> import torch
        >>> x = torch.tensor([[[1.0], [2.0]]])
        >>> swap = torch.tensor([[0, 1], [1, 0]])
        >>> [y.flatten().tolist() for y in outputs_over(lambda x: x[:, 0], x, [swap])]
        [[1.0, 2.0]]
    """
    if axes == 1:
        set_batch(x)
    set_mask(mask, x, axes)
    batch, shape = x.shape[0], x.shape[1 : 1 + axes]
    entries = zero_padding(x, mask).flatten(1, axes)
    # A gradient that reaches `x` is a sum over all permutations.
    permuted = PermutedSets(widened(entries) if torch.is_grad_enabled() else entries)
    calls = Calls(function)
    present = None if mask is None else PermutedSets(mask.flatten(1))
    for chunk in chunks:
        if chunk.ndim != 2 or chunk.shape[1] != entries.shape[1]:
            raise ValueError(
                f"the permutations must be of the set's size, (k, {entries.shape[1]}), "
                f"got {tuple(chunk.shape)}"
            )
        k = len(chunk)
        sets = permuted(chunk).reshape(batch * k, *x.shape[1:]).to(x.dtype)
        moved = None if present is None else present(chunk).reshape(batch * k, *shape)
        output = calls(sets, moved, holds=ZEROS)
        outputs = model_output(output, batch * k, tuple(shape) if equivariant else ())
        outputs = outputs.reshape(batch, k, *outputs.shape[1:])
        if equivariant:
            outputs = _moved_back(outputs, chunk.to(x.device), axes)
        yield outputs


def _moved_back(
    outputs: Float[Tensor, "batch k n *out"], chunk: Int[Tensor, "k n"], axes: int
) -> Float[Tensor, "batch k n *out"]:
    # (σ⁻¹ · y)_i = y_{σ⁻¹(i)}
    entries = outputs.flatten(2, 1 + axes)
    each = torch.arange(len(chunk), device=chunk.device)[:, None]
    return entries[:, each, chunk.argsort(-1)].reshape(outputs.shape)


class PermutedSets:
    """Copies a batch of sets in the orders of one chunk after the other.

    A copy costs by the member, however short it is, so members are copied two at a time from a
    table of all pairs if that is smaller than the copies.
    """

    def __init__(self, x: Float[Tensor, "batch n *d"]) -> None:
        self._x = x
        self._kept: Tensor | None = None

    @property  # no cached_property, whose lock on Python 3.11 a compiler cannot trace
    def _pairs(self) -> Float[Tensor, "batch nn 2 *d"]:
        if self._kept is None:
            self._kept = _pairs(self._x)
        return self._kept

    def __call__(self, orders: Int[Tensor, "k n"]) -> Float[Tensor, "batch kn *d"]:
        """Return the copies, one permutation after the other."""
        x, numbers = self._x, orders
        batch, n, *features = x.shape
        if n % 2 == 0 and n * n <= len(orders):
            x, numbers = self._pairs, orders[:, ::2] * n + orders[:, 1::2]
        x = x.index_select(1, numbers.flatten().to(x.device))
        return x.reshape(batch, len(orders) * n, *features)


def _pairs(x: Float[Tensor, "batch n *d"]) -> Float[Tensor, "batch nn 2 *d"]:
    # Number i n + j holds the members i and j.
    every = x.shape[0], x.shape[1], *x.shape[1:]
    first, second = x.unsqueeze(2), x.unsqueeze(1)
    return torch.stack((first.expand(every), second.expand(every)), 3).flatten(1, 2)
