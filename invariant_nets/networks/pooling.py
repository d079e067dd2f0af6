r"""Pools: one vector that summarizes a set, by a formula or by attention."""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from invariant_nets._arguments import finite, floating, one_of, positive_int, set_batch, set_mask
from invariant_nets._sets import Members, at_least_single, member_mean, members_of, zero_padding
from invariant_nets.layers.initialization import orthogonal_
from invariant_nets.networks.attention_block import MultiheadAttentionBlock, Residual

PoolingName = Literal["sum", "mean", "max", "var", "std", "softmax", "powermean"]


class SetPooling(nn.Module):
    r"""One number for all members of a set, feature by feature.

    | pooling | $y_j$ |
    |---|---|
    | `"sum"`, `"mean"`, `"max"` | $\sum_i x_{ij}$, $\ \frac1n \sum_i x_{ij}$, $\ \max_i x_{ij}$ |
    | `"var"`, `"std"` | $\frac1n \sum_i (x_{ij} - \bar x_j)^2$ with the mean $\bar x_j$; its root |
    | `"softmax"` | $\sum_i w_{ij} x_{ij}$ with $w_{ij} = e^{t_j x_{ij}} / \sum_k e^{t_j x_{kj}}$ |
    | `"powermean"` | $\bigl(\frac1n \sum_i \lvert x_{ij} \rvert^p\bigr)^{1/p}$ |

    Invariant to $S_n$. Repeating every member changes a sum and none of the others; repeating one
    member does not change a maximum. The temperature $t$ interpolates between the minimum
    ($t \to -\infty$), the mean ($t = 0$) and the maximum; the power $p$ between the mean absolute
    value of the members and the largest. A root has gradient 0 where its argument is 0, that is,
    for equal members or for zeros.

    With a mask only members count, and $n$ is their number. The pool of an empty set is 0.

    Args:
        pooling: one of the words above.
        temperature: the $t$ of `"softmax"`, finite; 1 when not given.
        power: the $p$ of `"powermean"`, finite and at least 1; 2 when not given.
        d: with `"softmax"`, the number of features, for each of which a temperature is then
            learned, from `temperature` on.
        device: where these parameters live.
        dtype: their floating-point type.

    Shape:
        $(\mathrm{batch}, n, d)$ to $(\mathrm{batch}, d)$ for every $n \ge 1$; `mask` is
        $(\mathrm{batch}, n)$, true where a member is.

    Raises:
        TypeError: if the input is no tensor in floating point (complex has sums and means only), or
            the mask not of bool.
        ValueError: if `pooling` is none of the words, an argument is out of its range or of another
            pooling, or the input or the mask has another shape.

    Example:
        >>> x = torch.tensor([[[1.0, 4.0], [3.0, 0.0]]])
        >>> [SetPooling(pooling)(x).tolist() for pooling in ("sum", "mean", "max", "var")]
        [[[4.0, 4.0]], [[2.0, 2.0]], [[3.0, 4.0]], [[1.0, 4.0]]]

    References:
        Zaheer et al. (2017), *Deep Sets*; Qi et al. (2017), *PointNet: Deep Learning on Point Sets
        for 3D Classification and Segmentation*, for the maximum; Corso et al. (2020), *Principal
        Neighbourhood Aggregation for Graph Nets*, for the deviation; G. Li et al., *DeeperGCN: All
        You Need to Train Deeper GCNs*, 2020, for the softmax and the power mean.

    Used in chapter 13.
    """

    takes_members = pools = True
    temperature: float | nn.Parameter

    def __init__(
        self,
        pooling: PoolingName = "mean",
        *,
        temperature: float | None = None,
        power: float | None = None,
        d: int | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        one_of("pooling", pooling, get_args(PoolingName))
        self.pooling = pooling
        self._of("temperature", temperature, "softmax")
        self._of("d", d, "softmax")
        self._of("power", power, "powermean")
        self.power = finite("power", 2.0 if power is None else power)
        if self.power < 1:
            raise ValueError(f"power must be at least 1, got {power}")
        self.start = finite("temperature", 1.0 if temperature is None else temperature)
        self.d = None if d is None else positive_int("d", d)
        if self.d is None:
            self.temperature = self.start
        else:
            self.temperature = nn.Parameter(torch.empty(self.d, device=device, dtype=dtype))
        self.reset_parameters()

    def _of(self, name: str, value: float | None, pooling: PoolingName) -> None:
        if value is not None and self.pooling != pooling:
            raise ValueError(f"{name} is of {pooling!r} pooling, got pooling={self.pooling!r}")

    def reset_parameters(self) -> None:
        """Set the temperatures to their initial value."""
        if isinstance(self.temperature, nn.Parameter):
            nn.init.constant_(self.temperature, self.start)

    def forward(
        self, x: Float[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None = None
    ) -> Float[Tensor, "batch d"]:
        """Pool each set of a batch."""
        t = self.temperature
        set_batch(x, d=self.d, like=t if isinstance(t, Tensor) else None)
        if self.pooling not in ("sum", "mean") or not x.is_complex():
            floating(x)
        set_mask(mask, x)
        members = members_of(mask)
        x = zero_padding(x, members)
        if self.pooling == "sum":
            return x.sum(1)
        if self.pooling == "mean":
            return member_mean(x, members)
        if self.pooling == "max":
            return _maximum(x, members)
        wide = x.to(at_least_single(x.dtype))
        if self.pooling == "softmax":
            return _weighted(wide, t, members).to(x.dtype)
        if self.pooling == "powermean":
            return _power_mean(wide, self.power, members).to(x.dtype)
        deviation = zero_padding(wide - member_mean(wide, members).unsqueeze(1), members)
        if self.pooling == "var":
            return member_mean(deviation.square(), members).to(x.dtype)
        return _power_mean(deviation, 2.0, members).to(x.dtype)

    def extra_repr(self) -> str:
        """Show the constructor's arguments."""
        options = {"softmax": f", temperature={self.start}", "powermean": f", power={self.power}"}
        learned = "" if self.d is None else f", d={self.d}"
        return f"{self.pooling!r}{options.get(self.pooling, '')}{learned}"


def _maximum(x: Float[Tensor, "batch n d"], members: Members | None) -> Float[Tensor, "batch d"]:
    if members is None:
        return x.amax(1)
    largest = x.masked_fill(members.absent(3), -torch.inf).amax(1)
    return largest.masked_fill(~members.mask.any(1, keepdim=True), 0)


def _weighted(
    x: Float[Tensor, "batch n d"], t: float | Tensor, members: Members | None
) -> Float[Tensor, "batch d"]:
    scores = (t.to(x.dtype) if isinstance(t, Tensor) else t) * x
    if members is not None:
        # A softmax over nothing is NaN: the rows of an empty set, all 0, are weighted alike.
        absent = members.absent(3)
        scores = scores.masked_fill(absent & ~absent.all(1, keepdim=True), -torch.inf)
    return (scores.softmax(1) * x).sum(1)


def _power_mean(
    x: Float[Tensor, "batch n d"], p: float, members: Members | None
) -> Float[Tensor, "batch d"]:
    # m (mean |x / m|^p)^(1/p) for the largest size m: the mean is between 1/n and 1, where no power
    # overflows and the root has a derivative. Of zeros the root is taken of 1, and m = 0.
    size = x.abs()
    largest = size.detach().amax(1)
    zero = largest == 0
    share = size / largest.masked_fill(zero, 1).unsqueeze(1)
    mean = member_mean(share.pow(p), members).masked_fill(zero, 1)
    return largest * mean.pow(1 / p)


class AttentionPooling(nn.Module):
    r"""Pooling by attention: learned seeds attend to the set, and become its summary.

    $$\mathrm{PMA}(x) = \mathrm{MAB}(s, \mathrm{ReLU}(x W + b))$$

    with $k$ learned seeds $s$. Invariant to $S_n$. It is a mean over the members with weights that
    depend on them, in each head.

    Without `rff` the seeds attend to the members themselves, $\mathrm{MAB}(s, x)$, as in the
    published code. The seeds are initialized as standard normal, $W$ as in `perceptron`, the block
    as in `MultiheadAttentionBlock`.

    With a mask the seeds attend to members only. The output for an empty set depends on the seeds
    alone, since the attention to it is 0.

    Args:
        d: the number of features of a seed, and of the output, at least 1.
        num_heads: the number of heads, a divisor of $d$.
        num_seeds: the number $k$ of seeds, at least 1.
        dim_feedforward: the width of the perceptron's hidden layer, or 0 for none; $2d$ when not
            given.
        layer_norm: whether the block has its layer norms.
        bias: whether $Q, V, O$ have biases.
        dropout: the probability, in $[0, 1)$, of dropping while training, see
            `MultiheadAttentionBlock`.
        residual: what the attention is added to: `"input"`, the seeds, or `"query"`.
        in_features: the number of features of a member, at least 1; $d$ when not given.
        rff: whether the layer $\mathrm{ReLU}(x W + b)$ is there.
        device: where the parameters live.
        dtype: their floating-point type.

    Shape:
        $(\mathrm{batch}, n, \mathrm{in})$ to $(\mathrm{batch}, k, d)$ for every $n \ge 1$;
        `mask` is $(\mathrm{batch}, n)$, true where a member is; `seeds` is $(k, d)$.

    Raises:
        TypeError: if the input is no tensor of the weights' type, or the mask not of bool.
        ValueError: if an argument is out of its range, or the input or the mask has another shape.

    Example:
        >>> layer = AttentionPooling(8, num_heads=2)
        >>> x = torch.randn(4, 6, 8)
        >>> torch.allclose(layer(x.flip(1)), layer(x), atol=1e-5), layer(x).shape
        (True, torch.Size([4, 1, 8]))

    References:
        Lee et al. (2019), *Set Transformer*, section 3.2.

    The set transformer of chapter 13 pools so.
    """

    takes_members = pools = True

    def __init__(
        self,
        d: int,
        num_heads: int,
        num_seeds: int = 1,
        *,
        dim_feedforward: int | None = None,
        layer_norm: bool = False,
        bias: bool = False,
        dropout: float = 0.0,
        residual: Residual = "input",
        in_features: int | None = None,
        rff: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        factory: dict[str, Any] = {"device": device, "dtype": dtype}
        width = None if in_features is None else positive_int("in_features", in_features)
        self.block = MultiheadAttentionBlock(
            d,
            num_heads,
            dim_feedforward=dim_feedforward,
            layer_norm=layer_norm,
            bias=bias,
            dropout=dropout,
            residual=residual,
            y_features=None if rff else width,
            **factory,
        )
        self.in_features = self.block.d if width is None else width
        shape = positive_int("num_seeds", num_seeds), self.block.d
        self.seeds = nn.Parameter(torch.empty(*shape, **factory))
        self.linear = nn.Linear(self.in_features, self.block.d, **factory) if rff else nn.Identity()
        self._start()

    def reset_parameters(self) -> None:
        """Draw the weights anew, as the class describes, from torch's global generator."""
        self._start()
        self.block.reset_parameters()

    def _start(self) -> None:
        nn.init.normal_(self.seeds)
        if isinstance(self.linear, nn.Linear):
            orthogonal_(self.linear, math.sqrt(2))

    def forward(
        self, x: Float[Tensor, "batch n in"], mask: Bool[Tensor, "batch n"] | None = None
    ) -> Float[Tensor, "batch k d"]:
        """Let the seeds attend to each set."""
        set_batch(x, d=self.in_features, like=self.seeds)
        set_mask(mask, x)
        members = members_of(mask)
        y = zero_padding(x, members)
        if isinstance(self.linear, nn.Linear):
            y = zero_padding(F.relu(self.linear(y)), members)
        return self.block.looked(self.seeds.expand(x.shape[0], -1, -1), y, members)

    def extra_repr(self) -> str:
        """Show the constructor's argument that the block does not."""
        return f"num_seeds={len(self.seeds)}"
