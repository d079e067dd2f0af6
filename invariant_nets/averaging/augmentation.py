r"""Augmentation: show the network permuted sets while it trains.

One draw of $\sigma$ for each sample and pass gives an unbiased estimate of the gradient of the
averaged loss $\mathbb E_\sigma\, \ell(f(\sigma x))$.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from invariant_nets._arguments import set_batch, set_mask
from invariant_nets._rows import permute_rows
from invariant_nets._sets import call, manner
from invariant_nets.groups.enumeration import uniform_orders


class Augmentation(nn.Module):
    r"""Permutes every set at random while training, and does nothing in evaluation.

    $$f(\sigma_b\, x_b), \quad \sigma_b \text{ uniform on } S_n \text{ for each sample } b
    \quad \text{(training)}; \qquad f(x) \quad \text{(evaluation)}.$$

    Not exactly invariant to any group: the model must learn its invariance.

    Args:
        model: any module or function of a batch of sets.
        generator: the source of the permutations; torch's global one by default.

    Shape:
        $(\mathrm{batch}, n, d)$ to whatever `model` returns. Whole rows are permuted, by one
        permutation per sample. A `mask`, $(\mathrm{batch}, n)$ and true where a member is, is
        permuted with the rows and passed to the model. The output for an empty set is the model's.

    Raises:
        TypeError: if `model` is not callable, or the sets are of a type that its weights do not go
            with.
        ValueError: if the input has another rank.

    Example:
        >>> model = Augmentation(nn.Flatten())
        >>> x = torch.arange(6.0).reshape(1, 3, 2)
        >>> sorted(model(x)[0].tolist()) == x.flatten().tolist()
        True
        >>> model.eval()(x).tolist()
        [[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]]

    References:
        Chen, Dobriban & Lee (2020), *A Group-Theoretic Framework for Data Augmentation*.

    Derived in chapter 9.
    """

    def __init__(self, model: Callable[..., Any], generator: torch.Generator | None = None) -> None:
        super().__init__()
        if not callable(model):
            raise TypeError(f"model must be a module or a function, got {model!r}")
        self.model = model
        manner(model)
        self.generator = generator

    def forward(
        self, x: Float[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None = None
    ) -> Any:
        """Apply the model, in training to randomly permuted sets."""
        set_batch(x)
        set_mask(mask, x)
        if self.training:
            orders = self._orders(x)
            x = permute_rows(x, orders)
            mask = None if mask is None else mask.gather(1, orders)
        return call(self.model, x, mask)

    def _orders(self, x: Float[Tensor, "batch n d"]) -> Int[Tensor, "batch n"]:
        source, (batch, n) = self.generator, x.shape[:2]
        device = x.device if source is None else source.device
        return uniform_orders(n, batch, source, device).to(x.device)
