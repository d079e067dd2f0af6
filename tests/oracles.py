"""Slow oracles: every definition written the textbook way, one number at a time."""

import math
from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor


def permuted_rows(sigma: Sequence[int], x: Tensor) -> Tensor:
    """(σ·x)_i = x_{σ(i)} for one set."""
    y = torch.empty_like(x)
    for i in range(len(sigma)):
        y[i] = x[sigma[i]]
    return y


def composed(p: Sequence[int], q: Sequence[int]) -> tuple[int, ...]:
    """(p q)(i) = q(p(i))."""
    return tuple(q[p[i]] for i in range(len(p)))


def closure(generators: Iterable[Sequence[int]]) -> set[tuple[int, ...]]:
    """The least set that holds the generators and is closed under products."""
    first = {tuple(generator) for generator in generators}
    elements, new = set(first), first
    while new:  # every product is one of generators
        new = {composed(p, q) for p in new for q in first} - elements
        elements |= new
    return elements


def scale(normalization: str, d: int) -> float:
    return {"mean": 1 / d, "sqrt": 1 / math.sqrt(d), "sum": 1.0}[normalization]


def unit(normalization: str) -> float:
    """What an averaged layer stores is a, b and c divided by this."""
    return {"mean": 8.0, "sqrt": 1.0, "sum": 1.0}[normalization]


def pool(column: Tensor, pooling: str) -> Tensor:
    total = column.new_zeros(())
    for entry in column:
        total = total + entry
    return total / len(column) if pooling == "mean" else total


def linear_equivariant(
    x: Tensor, a: Tensor, b: Tensor, c: Tensor, normalization: str, pooling: str
) -> Tensor:
    """F(x)_j = s Σ_i (a_ij x_i + b_ij pool(x_i) 1 + c_ij 1) for every set of a batch."""
    batch, n, d = x.shape
    out = a.shape[1]
    y = x.new_zeros(batch, n, out)
    for k in range(batch):
        for j in range(out):
            for i in range(d):
                column = x[k, :, i]
                pooled = pool(column, pooling)
                for row in range(n):
                    y[k, row, j] += a[i, j] * column[row] + b[i, j] * pooled + c[i, j]
    return scale(normalization, d) * y


def linear_invariant(x: Tensor, b: Tensor, c: Tensor, normalization: str, pooling: str) -> Tensor:
    """F(x)_j = s Σ_i (b_ij pool(x_i) + c_ij) for every set of a batch."""
    batch, _, d = x.shape
    out = b.shape[1]
    y = x.new_zeros(batch, out)
    for k in range(batch):
        for j in range(out):
            for i in range(d):
                y[k, j] += b[i, j] * pool(x[k, :, i], pooling) + c[i, j]
    return scale(normalization, d) * y


def average(
    function: Callable[[Tensor], Tensor], x: Tensor, permutations: Iterable[Sequence[int]]
) -> Tensor:
    """The mean of f(σ·x) over the permutations, one permutation and one set at a time."""
    permutations = list(permutations)
    means = []
    for single in x:
        total = torch.zeros(())
        for sigma in permutations:
            total = total + function(permuted_rows(sigma, single)[None])[0]
        means.append(total / len(permutations))
    return torch.stack(means)


def sorted_rows(x: Tensor) -> Tensor:
    """Every set as Python's list of rows, sorted."""
    return torch.tensor([sorted(rows) for rows in x.tolist()], dtype=x.dtype)


def sorted_columns(x: Tensor) -> Tensor:
    """Every column of every set as a Python list, sorted."""
    y = x.clone()
    for k in range(x.shape[0]):
        for i in range(x.shape[2]):
            y[k, :, i] = torch.tensor(sorted(x[k, :, i].tolist()), dtype=x.dtype)
    return y


def least_rotation(rows: list) -> list:
    """The first in the dictionary of all rotations of a list of rows."""
    return min(rows[i:] + rows[:i] for i in range(len(rows)))


def canonical_average(
    function: Callable[[Tensor], Tensor],
    x: Tensor,
    canonical: Tensor,
    permutations: Iterable[Sequence[int]],
    axes: int,
) -> Tensor:
    """The mean of ρ(g)⁻¹ f(c) over every g of a group with g·x = c, for one set."""
    entries, target = x.flatten(0, axes - 1), canonical.flatten(0, axes - 1)
    found = []
    for sigma in permutations:
        if torch.equal(permuted_rows(sigma, entries), target):
            output = function(canonical[None])[0]
            inverse = sorted(range(len(sigma)), key=lambda i, sigma=sigma: sigma[i])
            moved = permuted_rows(inverse, output.flatten(0, axes - 1))
            found.append(moved.reshape(output.shape))
    return torch.stack(found).mean(0)


def positional_encoding(d_model: int, max_len: int) -> Tensor:
    """Sines at the even features, cosines at the odd ones."""
    encoding = torch.zeros(max_len, d_model, dtype=torch.float64)
    for position in range(max_len):
        for feature in range(d_model):
            angle = position / 10000 ** (2 * (feature // 2) / d_model)
            encoding[position, feature] = (math.cos if feature % 2 else math.sin)(angle)
    return encoding
