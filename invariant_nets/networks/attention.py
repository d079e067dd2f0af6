r"""Attention on sets: members attend to each other, directly or through a few points."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from invariant_nets._arguments import positive_int, set_batch, set_mask
from invariant_nets._sets import members_of, zero_padding, zero_padding_
from invariant_nets.networks.attention_block import MultiheadAttentionBlock, Residual


class SetAttentionBlock(MultiheadAttentionBlock):
    r"""Self-attention: every member attends to all members of its set.

    $$\mathrm{SAB}(x) = \mathrm{MAB}(x, x)$$

    with the block $\mathrm{MAB}$ of `MultiheadAttentionBlock`, which explains the arguments and the
    initialization. Equivariant to $S_n$, in time proportional to $n^2$. With a mask members attend
    to members only, and the output is 0 at padding.

    Args:
        d: the number of output features of a member, at least 1.
        num_heads: the number of heads, a divisor of $d$.
        dim_feedforward: the width of the perceptron's hidden layer, or 0 for none; $2d$ when not
            given.
        layer_norm: whether the two layer norms are there.
        bias: whether $Q, V, O$ have biases.
        dropout: the probability, in $[0, 1)$, of dropping while training, see
            `MultiheadAttentionBlock`.
        residual: what the attention is added to: `"input"`, or `"query"`, as in the published code.
        in_features: the number of input features of a member, at least 1; $d$ when not
            given, and always with `residual="input"`.
        device: where the parameters live.
        dtype: their floating-point type.

    Shape:
        $(\mathrm{batch}, n, \mathrm{in})$ to $(\mathrm{batch}, n, d)$ for every $n \ge 1$; `mask`
        is $(\mathrm{batch}, n)$, true where a member is.

    Raises:
        TypeError: if the input is no tensor of the weights' type, or the mask not of bool.
        ValueError: if an argument is out of its range, or the input or the mask has another shape.

    Example:
        >>> layer = SetAttentionBlock(8, num_heads=2)
        >>> x, order = torch.randn(4, 6, 8), torch.randperm(6)
        >>> torch.allclose(layer(x[:, order]), layer(x)[:, order], atol=1e-5)
        True

    References:
        Lee et al. (2019), *Set Transformer*, section 3.1.

    The set transformer of chapter 13 is made of such blocks.
    """

    takes_members = True

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
        in_features: int | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        in_features = None if in_features is None else positive_int("in_features", in_features)
        super().__init__(
            d,
            num_heads,
            dim_feedforward=dim_feedforward,
            layer_norm=layer_norm,
            bias=bias,
            dropout=dropout,
            residual=residual,
            x_features=in_features,
            y_features=in_features,
            device=device,
            dtype=dtype,
        )

    def forward(  # type: ignore[override]
        self, x: Float[Tensor, "batch n in"], mask: Bool[Tensor, "batch n"] | None = None
    ) -> Float[Tensor, "batch n d"]:
        """Let the members of each set attend to each other."""
        set_batch(x, d=self.x_features, like=self.query.weight)
        set_mask(mask, x)
        members = members_of(mask)
        x = zero_padding(x, members)
        return zero_padding_(self.looked(x, x, members), members)


class InducedSetAttentionBlock(nn.Module):
    r"""Self-attention through a few learned points, in time proportional to $n$.

    $$\mathrm{ISAB}(x) = \mathrm{MAB}_2(x, h), \qquad h = \mathrm{MAB}_1(p, x):$$

    $m$ learned points $p$ attend to the set, and the members attend to the result $h$. Equivariant
    to $S_n$. With a mask the points attend to members only, and the output is 0 at padding.

    The points are initialized as standard normal, the two blocks as in `MultiheadAttentionBlock`.

    Args:
        d: the number of output features of a member, at least 1.
        num_heads: the number of heads, a divisor of $d$.
        num_points: the number $m$ of points, at least 1.
        dim_feedforward: the width of the perceptrons' hidden layers, or 0 for none; $2d$ when not
            given.
        layer_norm: whether the blocks have their layer norms.
        bias: whether $Q, V, O$ have biases.
        dropout: the probability, in $[0, 1)$, of dropping while training, see
            `MultiheadAttentionBlock`.
        residual: what the attention is added to: `"input"`, or `"query"`, as in the published code.
        in_features: the number of input features of a member, at least 1; $d$ when not
            given, and always with `residual="input"`.
        device: where the parameters live.
        dtype: their floating-point type.

    Shape:
        $(\mathrm{batch}, n, \mathrm{in})$ to $(\mathrm{batch}, n, d)$ for every $n \ge 1$; `mask`
        is $(\mathrm{batch}, n)$, true where a member is; `points` is $(m, d)$.

    Raises:
        TypeError: if the input is no tensor of the weights' type, or the mask not of bool.
        ValueError: if an argument is out of its range, or the input or the mask has another shape.

    Example:
        >>> layer = InducedSetAttentionBlock(8, num_heads=2, num_points=3)
        >>> x, order = torch.randn(4, 6, 8), torch.randperm(6)
        >>> torch.allclose(layer(x[:, order]), layer(x)[:, order], atol=1e-5)
        True

    References:
        Lee et al. (2019), *Set Transformer*, section 3.1.

    The set transformer of chapter 13 is made of such blocks.
    """

    takes_members = True

    def __init__(
        self,
        d: int,
        num_heads: int,
        num_points: int,
        *,
        dim_feedforward: int | None = None,
        layer_norm: bool = False,
        bias: bool = False,
        dropout: float = 0.0,
        residual: Residual = "input",
        in_features: int | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        factory: dict[str, Any] = {"device": device, "dtype": dtype}
        options: dict[str, Any] = {
            "dim_feedforward": dim_feedforward,
            "layer_norm": layer_norm,
            "bias": bias,
            "dropout": dropout,
            "residual": residual,
            **factory,
        }
        width = None if in_features is None else positive_int("in_features", in_features)
        self.gather = MultiheadAttentionBlock(d, num_heads, y_features=width, **options)
        self.spread = MultiheadAttentionBlock(d, num_heads, x_features=width, **options)
        shape = positive_int("num_points", num_points), self.gather.d
        self.points = nn.Parameter(torch.empty(*shape, **factory))
        nn.init.normal_(self.points)

    def reset_parameters(self) -> None:
        """Draw the weights anew, as the class describes, from torch's global generator."""
        nn.init.normal_(self.points)
        self.gather.reset_parameters()
        self.spread.reset_parameters()

    def forward(
        self, x: Float[Tensor, "batch n in"], mask: Bool[Tensor, "batch n"] | None = None
    ) -> Float[Tensor, "batch n d"]:
        """Let the points attend to each set, then its members to the points."""
        set_batch(x, d=self.spread.x_features, like=self.points)
        set_mask(mask, x)
        members = members_of(mask)
        x = zero_padding(x, members)
        seen = self.gather.looked(self.points.expand(x.shape[0], -1, -1), x, members)
        return zero_padding_(self.spread.looked(x, seen, None), members)

    def extra_repr(self) -> str:
        """Show the constructor's argument that the blocks do not."""
        return f"num_points={len(self.points)}"
