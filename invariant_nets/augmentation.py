r"""Augmentation: show the network permuted sets while it trains, and hope that it learns.

One draw of $\sigma$ for each sample and pass: an unbiased estimate of the gradient of the averaged
loss $\mathbb E_\sigma\, \ell(f(\sigma x))$.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from invariant_nets._validation import set_batch
from invariant_nets.permutation import permute_rows


class Augmentation(nn.Module):
    r"""Permutes every set at random while training, and does nothing in evaluation.

    $$f(\sigma_b\, x_b), \quad \sigma_b \text{ uniform on } S_n \text{ for each sample } b
    \quad \text{(training)}; \qquad f(x) \quad \text{(evaluation)}.$$

    Invariant to nothing exactly: what invariance the model has in evaluation, it has learned.

    Args:
        model: any module or function of a batch of sets.
        generator: the source of the permutations; torch's global one by default.

    Shape:
        $(\mathrm{batch}, n, d)$ to whatever `model` returns. The set axis is permuted, rows whole;
        one permutation a sample.

    Raises:
        TypeError: if `model` is not callable.
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

    def __init__(
        self, model: Callable[[Tensor], Any], generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        if not callable(model):
            raise TypeError(f"model must be a module or a function, got {model!r}")
        self.model = model
        self.generator = generator

    def forward(self, x: Float[Tensor, "batch n d"]) -> Any:
        """Apply the model, in training to randomly permuted sets."""
        set_batch(x)
        return self.model(self._permuted(x) if self.training else x)

    def _permuted(self, x: Float[Tensor, "batch n d"]) -> Float[Tensor, "batch n d"]:
        device = x.device if self.generator is None else self.generator.device
        # Sorting i.i.d. keys gives a uniform permutation; float64 makes ties negligible.
        keys = torch.rand(x.shape[:2], generator=self.generator, device=device, dtype=torch.float64)
        return permute_rows(x, keys.argsort(-1).to(x.device))
