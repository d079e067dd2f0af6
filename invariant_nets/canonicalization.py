r"""Canonicalization: sort the set first, and any network becomes invariant.

A canonicalization picks one member $c(x)$ of the orbit of $x$, the same for the whole orbit:
$c(\sigma x) = c(x)$. Then $\bar f(x) = f(c(x))$ is invariant whatever $f$ is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from invariant_nets._validation import set_batch
from invariant_nets.permutation import permute_rows

Canonicalization = Callable[[Tensor], Tensor]


def lexicographic_sort(x: Float[Tensor, "batch n d"]) -> Float[Tensor, "batch n d"]:
    r"""Sort the rows of every set by their first feature, ties by the second, and so on.

    Invariant to $S_n$, exactly: equal rows may change places, but nobody can see it. It is not
    continuous for $d > 1$: where two rows tie in the first feature, a small step makes them swap.

    Args:
        x: the sets. NaN counts as larger than every number.

    Shape:
        $(\mathrm{batch}, n, d)$ to the same shape.

    Raises:
        ValueError: if `x` has another rank, or $n$ or $d$ is 0.

    Example:
        >>> lexicographic_sort(torch.tensor([[[2.0, 1.0], [1.0, 5.0], [1.0, 4.0]]])).tolist()
        [[[1.0, 4.0], [1.0, 5.0], [2.0, 1.0]]]

    Derived in chapter 7.
    """
    set_batch(x)
    keys, order = x[..., 0].sort(-1)
    tied = _has_ties(keys)
    if tied.any():
        order[tied] = _stable_lexicographic_order(x[tied])
    return permute_rows(x, order)


def columnwise_sort(x: Float[Tensor, "batch n d"]) -> Float[Tensor, "batch n d"]:
    r"""Sort every column of every set by itself.

    Invariant to $(S_n)^d$, a permutation for each column, which is larger than $S_n$: it is blind
    to which entries stood in one row. It is continuous.

    Args:
        x: the sets.

    Shape:
        $(\mathrm{batch}, n, d)$ to the same shape.

    Raises:
        ValueError: if `x` has another rank, or $n$ or $d$ is 0.

    Example:
        >>> columnwise_sort(torch.tensor([[[2.0, 1.0], [1.0, 5.0], [1.0, 4.0]]])).tolist()
        [[[1.0, 1.0], [1.0, 4.0], [2.0, 5.0]]]

    Derived in chapter 7.
    """
    set_batch(x)
    return x.sort(-2).values


class CanonicalModel(nn.Module):
    r"""Makes any model invariant by sorting its input first.

    $$\bar f(x) = f(c(x)), \qquad c(\sigma x) = c(x).$$

    Invariant to $S_n$ exactly with `lexicographic_sort`, to $(S_n)^d$ with `columnwise_sort`.

    Args:
        model: any module or function of a batch of sets.
        canonicalization: the function $c$ of a batch of sets.

    Shape:
        $(\mathrm{batch}, n, d)$ to whatever `model` returns.

    Raises:
        TypeError: if `model` or `canonicalization` is not callable.
        ValueError: if the input has another rank.

    Example:
        >>> model = CanonicalModel(nn.Sequential(nn.Flatten(), nn.Linear(6, 1)))
        >>> x = torch.randn(4, 3, 2)
        >>> torch.equal(model(x), model(x.flip(-2)))
        True

    References:
        Kaba et al. (2023), *Equivariance with Learned Canonicalization Functions*; Dym et al.
        (2024), *Equivariant Frames and the Impossibility of Continuous Canonicalization*.

    Derived in chapter 7.
    """

    def __init__(
        self,
        model: Callable[[Tensor], Any],
        canonicalization: Canonicalization = lexicographic_sort,
    ) -> None:
        super().__init__()
        for name, value in (("model", model), ("canonicalization", canonicalization)):
            if not callable(value):
                raise TypeError(f"{name} must be a module or a function, got {value!r}")
        self.model = model
        self.canonicalization = canonicalization

    def forward(self, x: Float[Tensor, "batch n d"]) -> Any:
        """Apply the model to the sorted sets."""
        set_batch(x)
        return self.model(self.canonicalization(x))

    def extra_repr(self) -> str:
        """Show the canonicalization when it is a function."""
        return f"canonicalization={getattr(self.canonicalization, '__name__', '…')}"


def _has_ties(keys: Float[Tensor, "batch n"]) -> Bool[Tensor, " batch"]:
    # Sorted keys that do not grow strictly are tied; NaN never compares greater, so it counts.
    return ~(keys[:, 1:] > keys[:, :-1]).all(-1)


def _stable_lexicographic_order(x: Float[Tensor, "batch n d"]) -> Int[Tensor, "batch n"]:
    # A stable sort by each feature, the most significant one last.
    order = torch.arange(x.shape[1], device=x.device).expand(x.shape[:2])
    for column in reversed(x.unbind(-1)):
        order = order.gather(1, column.gather(1, order).argsort(dim=1, stable=True))
    return order
