r"""A pool that sorts: the heights of the members along many directions, each put in order."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from invariant_nets._arguments import positive_int, set_batch, set_mask
from invariant_nets._precision import as_written, widened
from invariant_nets._rows import permute_rows
from invariant_nets._sets import Members, members_of, zero_padding
from invariant_nets.canonicalization.row_order import row_order
from invariant_nets.canonicalization.sorting import columnwise_sort


class SortPooling(nn.Module):
    r"""The heights of the members along each of $D$ directions, sorted.

    $$y_{kj} = k\text{-th smallest of } x_1 \cdot a_j,\ \dots,\ x_n \cdot a_j,$$

    that is, $y$ is $xA$ with every column sorted by itself, where $A \in \mathbb R^{d \times D}$
    has the directions $a_j$ as columns. With `readout` each direction has a weight for each place,

    $$y_j = \sum_k w_{kj}\, (x \cdot a_j)_{(k)}.$$

    Invariant to $S_n$, to the last bit, and continuous: for sets of as many members as places it is
    Lipschitz with constant $\lVert A \rVert$. If any $d$ directions are linearly independent, as
    random ones are, then $n(d-1)+1$ of them separate all sets of $n$ members: only the orders of
    one set have the same $y$. With a readout, $2nd + 1$ generic directions and weights do.

    **Sets of other sizes.** The sorted heights of $m$ members are the steps of a quantile function
    $Q$, constant on each interval of length $1/m$, and place $k$ of $K$ gets the mean of $Q$ over
    the $k$-th interval of length $1/K$. For $m = K$ this is the sort itself. It depends on the
    members as a distribution: repeating every member changes nothing, and the mean over the places
    is the mean height. Sets of one size $m \le K$ are still separated by $m(d-1)+1$ directions.
    Larger ones are not, nor are sizes told apart: add the size as a feature if it matters. With a
    mask only members count. The pool of an empty set is 0.

    The directions and the weights are learned. Directions are initialized as uniform on the sphere,
    so that heights have the mean square of the entries, weights as normal with variance $1/K$. With
    a linear layer before it, $d$ of its outputs as directions, the pool with a readout is FSPool,
    but for sets of other sizes.

    Args:
        d: the number of features, at least 1.
        num_places: the number $K$ of places, at least 1.
        num_directions: the number $D$ of directions, at least 1; when not given $K(d-1)+1$, which
            separate all sets of $K$ members.
        readout: whether the places are summed with weights.
        device: where the parameters live.
        dtype: their floating-point type.

    Shape:
        $(\mathrm{batch}, n, d)$ to $(\mathrm{batch}, K, D)$ for every $n \ge 1$, or with `readout`
        to $(\mathrm{batch}, D)$; `mask` is $(\mathrm{batch}, n)$, true where a member is;
        `directions` is $(d, D)$ and `weight` $(K, D)$.

    Raises:
        TypeError: if the input is no tensor of the weights' type, or the mask not of bool.
        ValueError: if an argument is below 1, or the input or the mask has another shape.

    Example:
        >>> pool = SortPooling(2, num_places=2)
        >>> together = torch.tensor([[[0.0, 0.0], [1.0, 1.0]]])
        >>> apart = torch.tensor([[[0.0, 1.0], [1.0, 0.0]]])
        >>> torch.equal(pool(together.flip(1)), pool(together)), pool(together).shape
        (True, torch.Size([1, 2, 3]))
        >>> torch.allclose(pool(together), pool(apart))
        False

    References:
        Balan, Haghani & Singh (2022), *Permutation Invariant Representations with Applications to
        Graph Deep Learning*; Dym & Gortler (2022), *Low Dimensional Invariant Embeddings for
        Universal Geometric Learning*, for how many numbers separate; Y. Zhang, Hare &
        Prügel-Bennett (2020), *FSPool: Learning Set Representations with Featurewise Sort Pooling*,
        for the readout; Naderializadeh et al. (2021), *Pooling by Sliced-Wasserstein Embedding*,
        for quantiles.

    Derived in chapter 7.
    """

    takes_members = pools = True
    weight: nn.Parameter | None

    def __init__(
        self,
        d: int,
        num_places: int,
        num_directions: int | None = None,
        *,
        readout: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        factory: dict[str, Any] = {"device": device, "dtype": dtype}
        self.d = positive_int("d", d)
        self.num_places = positive_int("num_places", num_places)
        if num_directions is None:
            num_directions = self.num_places * (self.d - 1) + 1
        self.num_directions = positive_int("num_directions", num_directions)
        self.readout = readout
        self.directions = nn.Parameter(torch.empty(self.d, self.num_directions, **factory))
        shape = self.num_places, self.num_directions
        self.weight = nn.Parameter(torch.empty(*shape, **factory)) if readout else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew, as the class describes, from torch's global generator."""
        nn.init.normal_(self.directions)
        with torch.no_grad():
            self.directions.div_(self.directions.norm(dim=0))
        if self.weight is not None:
            nn.init.normal_(self.weight, std=self.num_places**-0.5)

    def forward(
        self, x: Float[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None = None
    ) -> Float[Tensor, "batch *K D"]:
        """Pool each set of a batch."""
        set_batch(x, d=self.d, like=self.directions)
        set_mask(mask, x)
        members = members_of(mask)
        # A product may round a row in another place otherwise, so the rows come in one order.
        order = row_order(x, None if members is None else members.mask)
        heights = permute_rows(zero_padding(x, members), order) @ self.directions
        front = None if members is None else members.front()
        y = heights = columnwise_sort(heights, None if front is None else front.mask)
        if front is not None or x.shape[1] != self.num_places:
            y = _means(heights, front, self.num_places)
        if self.weight is None:
            return y
        return (widened(self.weight) * widened(y)).sum(1).to(heights.dtype)

    def extra_repr(self) -> str:
        """Show the constructor's arguments."""
        readout = ", readout=True" if self.readout else ""
        places = f"num_places={self.num_places}, num_directions={self.num_directions}"
        return f"{self.d}, {places}{readout}"


def _means(
    heights: Float[Tensor, "batch n D"], members: Members | None, places: int
) -> Float[Tensor, "batch K D"]:
    # For m ≤ K the means determine the members: let Q be the difference of two quantile functions
    # with equal means. Its integral is 0 at 0 and at every (k+1)/K, one of which is in each step
    # after its beginning; as it is linear there, it is 0 on one step after the other.
    # Member i is the interval from i/m to (i+1)/m, place k that from k/K to (k+1)/K. The share of k
    # that i fills is their overlap times K; in units of 1/(mK) the ends are integers.
    batch, n, _ = heights.shape
    i = torch.arange(n, device=heights.device) * places
    k = torch.arange(places, device=heights.device)[:, None]
    wide = widened(heights)
    if members is None:
        m = torch.full((1, 1, 1), n, device=heights.device)
    else:
        m = members.mask.sum(1).clamp(min=1)[:, None, None]
    overlaps = torch.minimum(i + places, (k + 1) * m) - torch.maximum(i, k * m)
    shares = overlaps.clamp(min=0).to(wide.dtype) / m.to(wide.dtype)
    with as_written(wide):
        return (shares.expand(batch, places, n) @ wide).to(heights.dtype)
