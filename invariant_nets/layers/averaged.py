r"""The averaged linear layers of the symmetric group.

The linear maps of $\mathbb R^n$ that commute with every permutation are spanned by two, the
identity and the mean. A layer averages one such map for each pair of channels.
"""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from invariant_nets._arguments import one_of, positive_int, set_batch, set_mask
from invariant_nets._precision import as_written, product_type
from invariant_nets._sets import (
    Members,
    at_least_single,
    is_transformed,
    member_mean,
    members_of,
    zero_padding,
    zero_padding_,
)
from invariant_nets.layers.initialization import semi_orthogonal
from invariant_nets.layers.units import UNIT, InUnits, Shown

Normalization = Literal["mean", "sqrt", "sum"]
Pooling = Literal["mean", "sum"]


class _AveragedLinear(InUnits):
    """The common part of both layers: the options, the scale, the pool."""

    takes_members = True

    b, c = Shown(), Shown()
    stored_b: nn.Parameter
    stored_c: nn.Parameter

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        normalization: Normalization,
        pooling: Pooling,
    ) -> None:
        super().__init__()
        self.in_channels = positive_int("in_channels", in_channels)
        self.out_channels = positive_int("out_channels", out_channels)
        one_of("normalization", normalization, get_args(Normalization))
        one_of("pooling", pooling, get_args(Pooling))
        self.normalization = normalization
        self.pooling = pooling

    @property
    def scale(self) -> float:
        r"""The factor before $\sum_i$: $1/d$, $1/\sqrt d$ or $1$."""
        d = self.in_channels
        return {"mean": 1 / d, "sqrt": 1 / math.sqrt(d), "sum": 1.0}[self.normalization]

    def _unit(self, name: str, like: Tensor) -> float:
        return UNIT if self.normalization == "mean" else 1.0

    @property
    def _factor(self) -> float:
        """What stands before a sum of stored numbers."""
        return self.scale * self._unit("b", self.stored_b)

    def _matrix(self, **factory: Any) -> nn.Parameter:
        return nn.Parameter(torch.empty(self.in_channels, self.out_channels, **factory))

    def _pooled(
        self, x: Float[Tensor, "batch n in"], members: Members | None
    ) -> Float[Tensor, "batch out"]:
        # s (pool(x) b + Σ_i c_i). A sum with 1/n folded into it has a cheaper backward than a mean,
        # but half precision has no numbers as large as a sum can be.
        s, mean = self._factor, self.pooling == "mean"
        wide = at_least_single(x.dtype)
        if mean and members is not None:
            pool, factor = member_mean(x, members).to(wide), s
        else:
            pool, factor = x.sum(1, dtype=wide), s / x.shape[1] if mean else s
        kind = product_type(x)
        with as_written(x):
            constant, b = self.stored_c.sum(0, dtype=wide), self.stored_b.to(wide)
            return torch.addmm(constant, pool, b, beta=s, alpha=factor).to(kind)

    def _orthogonal(self, like: Tensor, gain: float) -> Float[Tensor, "in out"]:
        r"""Draw a semi-orthogonal $M$ such that $s M$ multiplies the mean square by `gain`²."""
        return semi_orthogonal(like, (self.in_channels, self.out_channels), gain, self.scale)

    def extra_repr(self) -> str:
        """Show the constructor's arguments."""
        return (
            f"{self.in_channels}, {self.out_channels}, "
            f"normalization={self.normalization!r}, pooling={self.pooling!r}"
        )


class LinearEquivariant(_AveragedLinear):
    r"""The averaged linear layer that is equivariant to every permutation of the set.

    $$F(x)_j = \frac1d \sum_{i=1}^{d} L_{ij}(x_i), \qquad
    L_{ij}(x_i) = a_{ij}\, x_i + b_{ij}\, \mathrm{pool}(x_i)\, \mathbf 1 + c_{ij}\, \mathbf 1,$$

    where $x_i \in \mathbb R^n$ is the $i$-th column of $x$ and $d$ the number of input channels.
    Equivariant to $S_n$: $F(\sigma x) = \sigma F(x)$.

    With mean pooling the layer is two linear maps, $s\,a$ on the members' deviations from their
    mean and $s\,(a + b)$ on the mean, where $s = 1/d$ is the factor before the sum. Each is
    initialized as a random semi-orthogonal matrix of its own, scaled to double the mean square of
    its input, and $c = 0$; a ReLU then halves it. With sum pooling the second map is
    $s\,(a + n\,b)$, which grows with the size of the set.

    With the factor $1/d$ the coefficients are stored in units of $\kappa = 8$: `stored_a` holds
    $a / \kappa$. So a step of Adam changes the output as much at every width as at $\kappa$
    channels, where a stored number is that of an ordinary linear layer. The properties `a`, `b` and
    `c` show the coefficients of the formula; to change one, assign to it: `layer.a = tensor`.

    With a mask, $\mathrm{pool}$ is over the members, and the output is 0 at padding. In an empty
    set all rows are padding.

    Args:
        in_channels: the number $d$ of input features, at least 1.
        out_channels: the number of output features, at least 1.
        normalization: the factor before the sum over the input channels: `"mean"` $1/d$,
            `"sqrt"` $1/\sqrt d$, `"sum"` $1$.
        pooling: how $\mathrm{pool}$ summarizes the set: `"mean"` or `"sum"`.
        device: where the parameters live.
        dtype: their floating-point type.

    Shape:
        $(\mathrm{batch}, n, \mathrm{in})$ to $(\mathrm{batch}, n, \mathrm{out})$, for every
        $n \ge 1$; `mask` is $(\mathrm{batch}, n)$, true where a member is; `a`, `b`, `c`, shown and
        stored, are $(\mathrm{in}, \mathrm{out})$.

    Raises:
        TypeError: if the input is no tensor of the weights' type, or the mask not of bool.
        ValueError: if an argument is out of its range, or the input has another shape or device.

    Example:
        >>> layer = LinearEquivariant(5, 10)
        >>> x, order = torch.randn(32, 7, 5), torch.randperm(7)
        >>> torch.allclose(layer(x[:, order]), layer(x)[:, order], atol=1e-5)
        True

    References:
        Zaheer et al. (2017), *Deep Sets*, lemma 3; Maron et al. (2019), *Invariant and Equivariant
        Graph Networks*, section 3. The initialization: Saxe et al. (2014), *Exact Solutions to the
        Nonlinear Dynamics of Learning in Deep Linear Neural Networks*, and He et al. (2015),
        *Delving Deep into Rectifiers*, section 2.2, applied to each of the two maps. The unit: Yang
        et al. (2022), *Tensor Programs V: Tuning Large Neural Networks via Zero-Shot Hyperparameter
        Transfer*.

    Derived in chapter 4; its scale in chapter 5.
    """

    a = Shown()

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        normalization: Normalization = "mean",
        pooling: Pooling = "mean",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(in_channels, out_channels, normalization, pooling)
        self.stored_a = self._matrix(device=device, dtype=dtype)
        self.stored_b = self._matrix(device=device, dtype=dtype)
        self.stored_c = self._matrix(device=device, dtype=dtype)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw the weights anew, as the class describes, from torch's global generator."""
        on_deviations, on_mean = (self._orthogonal(self.stored_a, math.sqrt(2)) for _ in range(2))
        self.a, self.b = on_deviations, on_mean - on_deviations
        self.stored_c.zero_()

    def forward(
        self, x: Float[Tensor, "batch n in"], mask: Bool[Tensor, "batch n"] | None = None
    ) -> Float[Tensor, "batch n out"]:
        """Apply the layer to a batch of sets."""
        set_batch(x, d=self.in_channels, like=self.stored_b)
        set_mask(mask, x)
        members = members_of(mask)
        x = zero_padding(x, members)
        pooled = self._pooled(x, members)[:, None]
        # Every row gets the pooled term, and x (s a) is added to it.
        if torch.is_grad_enabled() or is_transformed(x):
            y = torch.baddbmm(pooled, x, (self._factor * self.stored_a).expand(x.shape[0], -1, -1))
        else:  # one large product instead of one per set; its backward would cost more
            y = pooled.expand(-1, x.shape[1], -1).contiguous()
            y.flatten(0, 1).addmm_(x.flatten(0, 1), self.stored_a, alpha=self._factor)
        return zero_padding_(y, members)


class LinearInvariant(_AveragedLinear):
    r"""The averaged linear layer that is invariant to every permutation of the set.

    $$F(x)_j = \frac1d \sum_{i=1}^{d} \bigl(b_{ij}\, \mathrm{pool}(x_i) + c_{ij}\bigr).$$

    Invariant to $S_n$: $F(\sigma x) = F(x)$. The map $s\,b$ is initialized semi-orthogonal as in
    `LinearEquivariant`, but it keeps the mean square of its input, since no ReLU follows a readout.
    The parameters are `stored_b` and `stored_c`, in the same unit.

    With a mask, $\mathrm{pool}$ is over the members. The pool of an empty set is 0, so its output
    is $\frac1d \sum_i c_{ij}$.

    Args:
        in_channels: the number $d$ of input features, at least 1.
        out_channels: the number of output features, at least 1.
        normalization: the factor before the sum over the input channels: `"mean"` $1/d$,
            `"sqrt"` $1/\sqrt d$, `"sum"` $1$.
        pooling: how $\mathrm{pool}$ summarizes the set: `"mean"` or `"sum"`.
        device: where the parameters live.
        dtype: their floating-point type.

    Shape:
        $(\mathrm{batch}, n, \mathrm{in})$ to $(\mathrm{batch}, \mathrm{out})$, for every
        $n \ge 1$; `b` and `c`, shown and stored, are $(\mathrm{in}, \mathrm{out})$.

    Raises:
        TypeError: if the input is no tensor of the weights' type, or the mask not of bool.
        ValueError: if an argument is out of its range, or the input has another shape or device.

    Example:
        >>> layer = LinearInvariant(5, 1)
        >>> x = torch.randn(32, 7, 5)
        >>> torch.allclose(layer(x.flip(-2)), layer(x), atol=1e-5)
        True

    References:
        Zaheer et al. (2017), *Deep Sets*, theorem 2; Maron et al. (2019), *Invariant and
        Equivariant Graph Networks*, section 3.

    Derived in chapter 4.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        normalization: Normalization = "mean",
        pooling: Pooling = "mean",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(in_channels, out_channels, normalization, pooling)
        self.stored_b = self._matrix(device=device, dtype=dtype)
        self.stored_c = self._matrix(device=device, dtype=dtype)
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw the weights anew, as the class describes, from torch's global generator."""
        self.b = self._orthogonal(self.stored_b, 1.0)
        self.stored_c.zero_()

    def forward(
        self, x: Float[Tensor, "batch n in"], mask: Bool[Tensor, "batch n"] | None = None
    ) -> Float[Tensor, "batch out"]:
        """Apply the layer to a batch of sets."""
        set_batch(x, d=self.in_channels, like=self.stored_b)
        set_mask(mask, x)
        members = members_of(mask)
        return self._pooled(zero_padding(x, members), members)
