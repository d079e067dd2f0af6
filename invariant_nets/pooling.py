r"""A set becomes one vector: the sum, the mean, or the maximum of its members."""

from __future__ import annotations

from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from invariant_nets._masking import member_mean, zero_padding
from invariant_nets._validation import one_of, set_batch, set_mask

PoolingName = Literal["sum", "mean", "max"]


class SetPooling(nn.Module):
    r"""The sum, mean or maximum over the members of a set, feature by feature.

    $$y_j = \sum_{i=1}^{n} x_{ij}, \qquad y_j = \frac1n \sum_{i=1}^{n} x_{ij}
    \qquad\text{or}\qquad y_j = \max_{i} x_{ij}.$$

    Invariant to $S_n$. A sum knows how many members there are and a mean does not; a maximum does
    not know how often a member occurs either.

    With a mask only members count, and $n$ is their number. An empty set gives 0, by the maximum
    too.

    Args:
        pooling: `"sum"`, `"mean"` or `"max"`.

    Shape:
        $(\mathrm{batch}, n, d)$ to $(\mathrm{batch}, d)$ for every $n \ge 1$; `mask` is
        $(\mathrm{batch}, n)$, true where a member is.

    Raises:
        TypeError: if the input is no tensor or the mask not of bool.
        ValueError: if `pooling` is none of the three, or the input or the mask has another shape.

    Example:
        >>> x = torch.tensor([[[1.0, 4.0], [3.0, 0.0]]])
        >>> [SetPooling(pooling)(x).tolist() for pooling in ("sum", "mean", "max")]
        [[[4.0, 4.0]], [[2.0, 2.0]], [[3.0, 4.0]]]

    References:
        Zaheer et al. (2017), *Deep Sets*; Qi et al. (2017), *PointNet: Deep Learning on Point Sets
        for 3D Classification and Segmentation*, for the maximum.

    Used in chapter 13.
    """

    pools = True

    def __init__(self, pooling: PoolingName = "mean") -> None:
        super().__init__()
        one_of("pooling", pooling, get_args(PoolingName))
        self.pooling = pooling

    def forward(
        self, x: Float[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None = None
    ) -> Float[Tensor, "batch d"]:
        """Pool each set of a batch."""
        set_batch(x)
        set_mask(mask, x)
        x = zero_padding(x, mask)
        if self.pooling == "max":
            return _maximum(x, mask)
        if self.pooling == "sum":
            return x.sum(1)
        return member_mean(x, mask)

    def extra_repr(self) -> str:
        """Show the constructor's argument."""
        return repr(self.pooling)


def _maximum(
    x: Float[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None
) -> Float[Tensor, "batch d"]:
    if mask is None:
        return x.amax(1)
    largest = x.masked_fill(~mask[..., None], -torch.inf).amax(1)
    return largest.masked_fill(~mask.any(1, keepdim=True), 0)
