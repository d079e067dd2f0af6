r"""The block of multihead attention: every member of a set looks at the members of another."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from invariant_nets._arguments import positive_int, set_batch, set_mask
from invariant_nets._precision import normed
from invariant_nets._sets import Members, members_of, zero_padding
from invariant_nets.layers.initialization import orthogonal_

# The scale that the last matrix of a residual branch starts at.
BRANCH_GAIN = 0.25


class MultiheadAttentionBlock(nn.Module):
    r"""A block of the transformer: every member of a set looks at the members of another.

    $$\mathrm{MAB}(x, y) = h + \mathrm{rFF}(h), \qquad h = x + \mathrm{Attention}(x, y),$$

    $$\mathrm{Attention}(x, y) = \bigl[\,\mathrm{softmax}\bigl(\tfrac{1}{\sqrt{d/k}}\,
    (x Q_a)(y K_a)^\top\bigr)\, y V_a \,\bigr]_{a = 1 \ldots k}\, O$$

    for $k$ heads, each of width $d/k$, whose outputs stand side by side, and a perceptron
    $\mathrm{rFF}$ of one hidden layer that acts on every row by itself. Equivariant to permutations
    of $x$ and invariant to permutations of $y$.

    With `layer_norm` the block is the one of Lee et al., $\mathrm{LN}(h + \mathrm{rFF}(h))$ with
    $h = \mathrm{LN}(x + \mathrm{Attention}(x, y))$. The norm takes the mean and the scale of every
    member away, which may be what the set is about; the running task's label is a scale.

    $Q, K, V$ start as random orthogonal matrices and the first matrix of $\mathrm{rFF}$ as in
    `perceptron`; $O$ and the last matrix of $\mathrm{rFF}$ are semi-orthogonal too, but at a
    quarter of the scale. So a branch adds a small part of the mean square that comes in, and a deep
    stack of blocks is close to the identity. Biases start at 0.

    With a mask, only the members of $y$ are looked at. The attention to an empty set is 0.

    The softmax is PyTorch's fused `scaled_dot_product_attention`. Its kernel for CPUs has no rule
    for `torch.func.vmap` and no second derivative; under
    `torch.nn.attention.sdpa_kernel(SDPBackend.MATH)` it has both.

    Args:
        d: the number of features of a row of $x$ and of $y$, at least 1.
        num_heads: the number $k$ of heads, a divisor of $d$.
        dim_feedforward: the width of the hidden layer of $\mathrm{rFF}$, at least 1; $2d$ when not
            given.
        layer_norm: whether the two layer norms are there.
        device: where the parameters live.
        dtype: their floating-point type.

    Shape:
        `x` $(\mathrm{batch}, m, d)$ and `y` $(\mathrm{batch}, n, d)$ to $(\mathrm{batch}, m, d)$;
        `mask` is $(\mathrm{batch}, n)$, true where a member of $y$ is.

    Raises:
        TypeError: if an input is no tensor of the weights' type, or the mask not of bool.
        ValueError: if an argument is out of its range, or an input or the mask has another shape.

    Example:
        >>> block = MultiheadAttentionBlock(8, num_heads=2)
        >>> x, y = torch.randn(4, 3, 8), torch.randn(4, 6, 8)
        >>> torch.allclose(block(x, y.flip(1)), block(x, y), atol=1e-5)
        True

    References:
        Vaswani et al. (2017), *Attention Is All You Need*, section 3.2; Lee et al. (2019), *Set
        Transformer*, section 3.1; Zhang et al. (2022), *Set Norm and Equivariant Skip Connections*,
        for what layer norms remove.

    Used in chapter 13.
    """

    def __init__(
        self,
        d: int,
        num_heads: int,
        *,
        dim_feedforward: int | None = None,
        layer_norm: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.d = positive_int("d", d)
        self.num_heads = positive_int("num_heads", num_heads)
        if self.d % self.num_heads:
            raise ValueError(f"num_heads must divide d={self.d}, got {self.num_heads}")
        width = 2 * self.d if dim_feedforward is None else dim_feedforward
        width = positive_int("dim_feedforward", width)
        self.layer_norm = bool(layer_norm)
        factory: dict[str, Any] = {"device": device, "dtype": dtype}
        self.query = nn.Linear(self.d, self.d, bias=False, **factory)
        self.key = nn.Linear(self.d, self.d, bias=False, **factory)
        self.value = nn.Linear(self.d, self.d, bias=False, **factory)
        self.out = nn.Linear(self.d, self.d, bias=False, **factory)
        self.linear1 = nn.Linear(self.d, width, **factory)
        self.linear2 = nn.Linear(width, self.d, **factory)
        self.norm1 = nn.LayerNorm(self.d, **factory) if self.layer_norm else nn.Identity()
        self.norm2 = nn.LayerNorm(self.d, **factory) if self.layer_norm else nn.Identity()
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew, as the class describes, from torch's global generator."""
        for projection in (self.query, self.key, self.value):
            orthogonal_(projection, 1.0)
        orthogonal_(self.linear1, math.sqrt(2))
        for last in (self.out, self.linear2):
            orthogonal_(last, BRANCH_GAIN)
        for norm in (self.norm1, self.norm2):
            if isinstance(norm, nn.LayerNorm):
                norm.reset_parameters()

    def forward(
        self,
        x: Float[Tensor, "batch m d"],
        y: Float[Tensor, "batch n d"],
        mask: Bool[Tensor, "batch n"] | None = None,
    ) -> Float[Tensor, "batch m d"]:
        """Let every row of `x` look at the members of `y`."""
        set_batch(x, d=self.d, like=self.query.weight)
        set_batch(y, d=self.d, like=self.query.weight, name="y")
        set_mask(mask, y)
        members = members_of(mask)
        return self.looked(x, zero_padding(y, members), members)

    def looked(
        self,
        x: Float[Tensor, "batch m d"],
        y: Float[Tensor, "batch n d"],
        members: Members | None,
    ) -> Float[Tensor, "batch m d"]:
        """Do the same without checks, for a `y` whose padding is 0."""
        seen = self._attention(x, y, None if members is None else members.mask)
        h = normed(self.norm1, x + seen)
        return normed(self.norm2, h + self.linear2(F.relu(self.linear1(h))))

    def _attention(self, x: Tensor, y: Tensor, mask: Tensor | None) -> Tensor:
        query, key, value = self.query(x), self.key(y), self.value(y)
        query, key, value = (self._heads(part) for part in (query, key, value))
        # A softmax over nothing is NaN in some kernels. So in an empty set every row is looked at:
        # they are 0 there, and so are their values, which have no bias.
        allowed = None if mask is None else (mask | ~mask.any(1, keepdim=True))[:, None, None]
        heads = F.scaled_dot_product_attention(query, key, value, attn_mask=allowed)
        together: Tensor = self.out(heads.transpose(1, 2).flatten(2))
        return together

    def _heads(self, x: Float[Tensor, "batch n d"]) -> Float[Tensor, "batch k n d_k"]:
        shape = *x.shape[:2], self.num_heads, self.d // self.num_heads
        return x.reshape(shape).transpose(1, 2)

    def extra_repr(self) -> str:
        """Show the constructor's arguments that the modules do not."""
        return f"{self.d}, num_heads={self.num_heads}"
