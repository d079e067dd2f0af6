r"""The averaged linear layers of the symmetric group.

By Schur's lemma the linear maps of $\mathbb R^n$ that commute with every permutation are spanned by
two, the identity and the mean; a layer sums one such map for each pair of channels.
"""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from invariant_nets._validation import positive_int, set_batch

Normalization = Literal["mean", "sqrt", "sum"]
Pooling = Literal["mean", "sum"]


class _AveragedLinear(nn.Module):
    """What the equivariant and the invariant layer share: the options, the scale, the reset."""

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
        _check_option("normalization", normalization, get_args(Normalization))
        _check_option("pooling", pooling, get_args(Pooling))
        self.normalization = normalization
        self.pooling = pooling

    @property
    def scale(self) -> float:
        r"""The factor before $\sum_i$: $1/d$, $1/\sqrt d$ or $1$."""
        d = self.in_channels
        return {"mean": 1 / d, "sqrt": 1 / math.sqrt(d), "sum": 1.0}[self.normalization]

    def _matrix(self, **factory: Any) -> nn.Parameter:
        return nn.Parameter(torch.empty(self.in_channels, self.out_channels, **factory))

    def _pool(self, x: Float[Tensor, "batch n in"]) -> Float[Tensor, "batch in"]:
        return x.mean(-2) if self.pooling == "mean" else x.sum(-2)

    def reset_parameters(self) -> None:
        r"""Draw the weights anew, as the class describes, from torch's global generator."""
        # Var F = s² d σ² (E[x²] + E[pool²]), so σ² = 1 / (s² d).
        deviation = 1 / (self.scale * math.sqrt(self.in_channels))
        for name, parameter in self.named_parameters():
            if name == "c":
                nn.init.zeros_(parameter)
            else:
                nn.init.normal_(parameter, std=deviation)

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

    With $s$ the factor before the sum ($1/d$), the weights start as
    $a_{ij}, b_{ij} \sim \mathcal N(0, 1/(s^2 d))$ and $c_{ij} = 0$. Then an entry of $F(x)$ has the
    second moment $\mathbb E[x^2] + \mathbb E[\mathrm{pool}(x)^2]$. After a ReLU, which halves
    $\mathbb E[x^2]$, this lies between half and all of what it was one layer before, and it is
    exactly all once the set's members have become alike. So with mean pooling a signal keeps its
    scale at any width and depth; sum pooling multiplies it by about $n$ a layer, which a layer
    that does not know $n$ cannot undo.

    Args:
        in_channels: the number $d$ of features that come in, at least 1.
        out_channels: the number of features that go out, at least 1.
        normalization: the factor before the sum over the input channels: `"mean"` $1/d$,
            `"sqrt"` $1/\sqrt d$, `"sum"` $1$.
        pooling: how $\mathrm{pool}$ summarizes the set: `"mean"` or `"sum"`.
        device: where the parameters live.
        dtype: their floating-point type.

    Shape:
        $(\mathrm{batch}, n, \mathrm{in})$ to $(\mathrm{batch}, n, \mathrm{out})$, for every
        $n \ge 1$; the parameters `a`, `b`, `c` are $(\mathrm{in}, \mathrm{out})$.

    Raises:
        ValueError: if an argument is out of its range, or the input has another shape.

    Example:
        >>> layer = LinearEquivariant(5, 10)
        >>> x, order = torch.randn(32, 7, 5), torch.randperm(7)
        >>> torch.allclose(layer(x[:, order]), layer(x)[:, order], atol=1e-5)
        True

    References:
        Zaheer et al. (2017), *Deep Sets*, lemma 3; Maron et al. (2019), *Invariant and Equivariant
        Graph Networks*, section 3.

    Derived in chapter 4; its scale in chapter 5.
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
        self.a = self._matrix(device=device, dtype=dtype)
        self.b = self._matrix(device=device, dtype=dtype)
        self.c = self._matrix(device=device, dtype=dtype)
        self.reset_parameters()

    def forward(self, x: Float[Tensor, "batch n in"]) -> Float[Tensor, "batch n out"]:
        """Apply the layer to a batch of sets."""
        set_batch(x, d=self.in_channels)
        s = self.scale
        # What every row gets: s (pool(x) b + Σ_i c_i); then s (x a) is added to it in one kernel.
        shared = torch.addmm(self.c.sum(0), self._pool(x), self.b, beta=s, alpha=s)
        return torch.baddbmm(shared[:, None], x, self.a.expand(len(x), -1, -1), alpha=s)


class LinearInvariant(_AveragedLinear):
    r"""The averaged linear layer that is invariant to every permutation of the set.

    $$F(x)_j = \frac1d \sum_{i=1}^{d} \bigl(b_{ij}\, \mathrm{pool}(x_i) + c_{ij}\bigr).$$

    Invariant to $S_n$: $F(\sigma x) = F(x)$. The weights start as those of `LinearEquivariant`.

    Args:
        in_channels: the number $d$ of features that come in, at least 1.
        out_channels: the number of features that go out, at least 1.
        normalization: the factor before the sum over the input channels: `"mean"` $1/d$,
            `"sqrt"` $1/\sqrt d$, `"sum"` $1$.
        pooling: how $\mathrm{pool}$ summarizes the set: `"mean"` or `"sum"`.
        device: where the parameters live.
        dtype: their floating-point type.

    Shape:
        $(\mathrm{batch}, n, \mathrm{in})$ to $(\mathrm{batch}, \mathrm{out})$, for every
        $n \ge 1$; the parameters `b`, `c` are $(\mathrm{in}, \mathrm{out})$.

    Raises:
        ValueError: if an argument is out of its range, or the input has another shape.

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
        self.b = self._matrix(device=device, dtype=dtype)
        self.c = self._matrix(device=device, dtype=dtype)
        self.reset_parameters()

    def forward(self, x: Float[Tensor, "batch n in"]) -> Float[Tensor, "batch out"]:
        """Apply the layer to a batch of sets."""
        set_batch(x, d=self.in_channels)
        s = self.scale
        return torch.addmm(self.c.sum(0), self._pool(x), self.b, beta=s, alpha=s)


def _check_option(name: str, value: object, options: tuple[str, ...]) -> None:
    if value not in options:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, options))}, got {value!r}")
