r"""The block of multihead attention: every member of a set attends to the members of another."""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from invariant_nets._arguments import (
    dropout_rate,
    int_at_least,
    one_of,
    positive_int,
    set_batch,
    set_mask,
)
from invariant_nets._precision import normed
from invariant_nets._sets import Members, members_of, zero_padding
from invariant_nets.layers.initialization import orthogonal_

# The scale that the last matrix of a residual branch starts at.
BRANCH_GAIN = 0.25

Residual = Literal["input", "query"]


class MultiheadAttentionBlock(nn.Module):
    r"""A block of the transformer: every member of a set attends to the members of another.

    $$\mathrm{MAB}(x, y) = h + \mathrm{rFF}(h), \qquad h = x + \mathrm{Attention}(x, y),$$

    $$\mathrm{Attention}(x, y) = \bigl[\,\mathrm{softmax}\bigl(\tfrac{1}{\sqrt{d/k}}\,
    (x Q_a)(y K_a)^\top\bigr)\, y V_a \,\bigr]_{a = 1 \ldots k}\, O$$

    for $k$ heads, each of width $d/k$, whose outputs are concatenated, and a perceptron
    $\mathrm{rFF}$ of one hidden layer that acts on every row by itself. Equivariant to permutations
    of $x$ and invariant to permutations of $y$.

    With `layer_norm` the block is the one of Lee et al., $\mathrm{LN}(h + \mathrm{rFF}(h))$ with
    $h = \mathrm{LN}(x + \mathrm{Attention}(x, y))$. The norm removes the mean and the scale of
    every member, which may carry the label; in the running task the label is a scale.

    $Q, K, V$ are initialized as random orthogonal matrices and the first matrix of $\mathrm{rFF}$
    as in `perceptron`; $O$ and the last matrix of $\mathrm{rFF}$ are semi-orthogonal too, but at a
    quarter of the scale, and so is $V$ if there is no $O$. So each branch adds only a small part of
    the mean square of its input. Biases are initialized to 0.

    With a mask, only members of $y$ are attended to. The attention to an empty set is 0, whatever
    the biases are.

    Three options make it the block of Lee et al.'s published code, whose weights
    `attention_from_state` loads: `bias=True`; `residual="query"`, which adds every head to its
    query and has no $O$, $h = \bigl[\,x Q_a + \mathrm{softmax}(\ldots)\, y V_a\,\bigr]_a$; and
    `dim_feedforward=0`, for which $\mathrm{rFF}(h) = \mathrm{ReLU}(h W + b)$ has one layer. That
    code divides the scores by $\sqrt d$; keys $K / \sqrt k$ give the same scores here.

    The softmax is PyTorch's fused `scaled_dot_product_attention`. Its kernel for CPUs has no rule
    for `torch.func.vmap` and no second derivative; under
    `torch.nn.attention.sdpa_kernel(SDPBackend.MATH)` it has both.

    Args:
        d: the number of features of an output row, at least 1.
        num_heads: the number $k$ of heads, a divisor of $d$.
        dim_feedforward: the width of the hidden layer of $\mathrm{rFF}$, or 0 for none; $2d$ when
            not given.
        layer_norm: whether the block has the two layer norms.
        bias: whether $Q, V, O$ have biases. One of $K$ would add the same to all scores of a row,
            which does not change the softmax.
        dropout: the probability, in $[0, 1)$, of dropping while training a weight of the softmax,
            an entry of a branch, or one of the hidden layer.
        residual: what the attention is added to: `"input"`, $x$, or `"query"`, $x Q$.
        x_features: the number of features of a row of $x$, at least 1; $d$ when not given, and
            always with `residual="input"`.
        y_features: the number of features of a row of $y$, at least 1; $d$ when not given.
        device: where the parameters live.
        dtype: their floating-point type.

    Shape:
        `x` $(\mathrm{batch}, m, d)$ and `y` $(\mathrm{batch}, n, d)$ to $(\mathrm{batch}, m, d)$,
        with `x_features` and `y_features` for the first and second $d$ where given; `mask` is
        $(\mathrm{batch}, n)$, true where a member of $y$ is.

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

    The set transformer of chapter 13 is made of such blocks.
    """

    def __init__(
        self,
        d: int,
        num_heads: int,
        *,
        dim_feedforward: int | None = None,
        layer_norm: bool = False,
        bias: bool = False,
        dropout: float = 0.0,
        residual: Residual = "input",
        x_features: int | None = None,
        y_features: int | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.d = positive_int("d", d)
        self.num_heads = positive_int("num_heads", num_heads)
        if self.d % self.num_heads:
            raise ValueError(f"num_heads must divide d={self.d}, got {self.num_heads}")
        width = 2 * self.d if dim_feedforward is None else dim_feedforward
        width = int_at_least("dim_feedforward", width, 0)
        one_of("residual", residual, get_args(Residual))
        self.residual = residual
        self.x_features = self._features("x_features", x_features)
        self.y_features = self._features("y_features", y_features)
        if residual == "input" and self.x_features != self.d:
            raise ValueError(
                f"x must have d={self.d} features where the attention is added to it, got "
                f'{self.x_features}: residual="query" adds it to the query'
            )
        self.layer_norm = bool(layer_norm)
        factory: dict[str, Any] = {"device": device, "dtype": dtype}
        biased = {"bias": bool(bias), **factory}
        self.query = nn.Linear(self.x_features, self.d, **biased)
        self.key = nn.Linear(self.y_features, self.d, bias=False, **factory)
        self.value = nn.Linear(self.y_features, self.d, **biased)
        on_input = residual == "input"
        self.out = nn.Linear(self.d, self.d, **biased) if on_input else nn.Identity()
        self.linear1 = nn.Linear(self.d, width or self.d, **factory)
        self.linear2 = nn.Linear(width, self.d, **factory) if width else nn.Identity()
        self.norm1 = nn.LayerNorm(self.d, **factory) if self.layer_norm else nn.Identity()
        self.norm2 = nn.LayerNorm(self.d, **factory) if self.layer_norm else nn.Identity()
        self.dropout = nn.Dropout(dropout_rate(dropout))
        self.reset_parameters()

    def _features(self, name: str, number: int | None) -> int:
        return self.d if number is None else positive_int(name, number)

    def reset_parameters(self) -> None:
        """Draw the weights anew, as the class describes, from torch's global generator."""
        last = isinstance(self.out, nn.Linear), isinstance(self.linear2, nn.Linear)
        for projection in (self.query, self.key):
            orthogonal_(projection, 1.0)
        orthogonal_(self.value, 1.0 if last[0] else BRANCH_GAIN)
        orthogonal_(self.linear1, math.sqrt(2) * (1.0 if last[1] else BRANCH_GAIN))
        for matrix in (self.out, self.linear2):
            if isinstance(matrix, nn.Linear):
                orthogonal_(matrix, BRANCH_GAIN)
        for norm in (self.norm1, self.norm2):
            if isinstance(norm, nn.LayerNorm):
                norm.reset_parameters()

    def forward(
        self,
        x: Float[Tensor, "batch m x_features"],
        y: Float[Tensor, "batch n y_features"],
        mask: Bool[Tensor, "batch n"] | None = None,
    ) -> Float[Tensor, "batch m d"]:
        """Let every row of `x` attend to the members of `y`."""
        return self.looked(x, *self._checked(x, y, mask))

    def attention(
        self,
        x: Float[Tensor, "batch m x_features"],
        y: Float[Tensor, "batch n y_features"],
        mask: Bool[Tensor, "batch n"] | None = None,
    ) -> Float[Tensor, "batch m d"]:
        """Return the attention alone, without what it is added to and what follows."""
        y, members = self._checked(x, y, mask)
        return self._attention(self.query(x), y, members)

    def _checked(self, x: Tensor, y: Tensor, mask: Tensor | None) -> tuple[Tensor, Members | None]:
        set_batch(x, d=self.x_features, like=self.query.weight)
        set_batch(y, d=self.y_features, like=self.query.weight, name="y")
        set_mask(mask, y)
        members = members_of(mask)
        return zero_padding(y, members), members

    def looked(
        self,
        x: Float[Tensor, "batch m x_features"],
        y: Float[Tensor, "batch n y_features"],
        members: Members | None,
    ) -> Float[Tensor, "batch m d"]:
        """Do the same as `forward` without checks, for a `y` whose padding is 0."""
        query = self.query(x)
        seen = self._dropped(self._attention(query, y, members))
        h = normed(self.norm1, (x if self.residual == "input" else query) + seen)
        hidden = F.relu(self.linear1(h))
        if isinstance(self.linear2, nn.Linear):
            hidden = self.linear2(self._dropped(hidden))
        return normed(self.norm2, h + self._dropped(hidden))

    def _attention(self, query: Tensor, y: Tensor, members: Members | None) -> Tensor:
        query, key, value = (self._heads(part) for part in (query, self.key(y), self.value(y)))
        # A softmax over nothing is NaN in some kernels. So in an empty set every row is looked at:
        # they are 0 there, and so are their values, but for a bias.
        allowed, empty = None, None
        if members is not None:
            empty = ~members.mask.any(1, keepdim=True)
            allowed = (members.mask | empty)[:, None, None]
        rate = self.dropout.p if self.training else 0.0
        heads = F.scaled_dot_product_attention(query, key, value, attn_mask=allowed, dropout_p=rate)
        together: Tensor = self.out(heads.transpose(1, 2).flatten(2))
        # The annotation of torch forgets that there may be none.
        bias: Tensor | None = self.value.bias
        if empty is None or bias is None:
            return together
        return together.masked_fill(empty[..., None], 0)

    def _dropped(self, x: Tensor) -> Tensor:
        dropped: Tensor = self.dropout(x) if self.dropout.p else x
        return dropped

    def _heads(self, x: Float[Tensor, "batch n d"]) -> Float[Tensor, "batch k n d_k"]:
        shape = *x.shape[:2], self.num_heads, self.d // self.num_heads
        return x.reshape(shape).transpose(1, 2)

    def extra_repr(self) -> str:
        """Show the constructor's arguments that the modules do not."""
        residual = "" if self.residual == "input" else f", residual={self.residual!r}"
        return f"{self.d}, num_heads={self.num_heads}{residual}"
