r"""Weighted frames: several sorts of a set, with weights that vary continuously.

No single sort of vectors is continuous. But the directions $a$ along which they can be sorted form
a sphere, and the mean of $f(x \text{ sorted by } x_i \cdot a)$ over the sphere is continuous in
$x$, since only directions of measure zero are about to exchange two different rows. In the plane
this mean is a finite sum (`CircleFrame`). In more dimensions `DirectionFrame` takes finitely many
directions, with weights that vanish where their sort would jump.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from invariant_nets._arguments import positive_int, set_batch, set_mask
from invariant_nets._precision import as_written
from invariant_nets._rows import front, is_traced, members_first, permute_rows, stable_sort
from invariant_nets._sets import at_least_single, zero_padding
from invariant_nets.canonicalization.sorting import lexicographic_ordering

_MANY_ENTRIES = 1 << 26


class WeightedOrders(NamedTuple):
    r"""Several orders of the rows of each set, and their weights, which sum to 1.

    Attributes:
        orders: permutations; the rows $x_{\mathrm{orders}(k, i)}$, $i = 0, \dots, n-1$, are the
            set in the $k$-th order, followed by its padding.
        weights: the weight of each order.
    """

    orders: Int[Tensor, "batch k n"]
    weights: Float[Tensor, "batch k"]


class RelaxedOrders(NamedTuple):
    r"""Weighted orders that also have a gradient, that of mixtures of rows close to them.

    `CanonicalModel` applies its model to the set in order plus $Px - \mathrm{constant}(Px)$, where
    the constant has the same value and no gradient: the sum has the value of the set in order, and
    the gradient of the mixtures $Px$ with respect to $P$.

    Attributes:
        orders: as those of `WeightedOrders`.
        weights: as those of `WeightedOrders`.
        relaxed: for each order a matrix $P$ near it: $P_{ij}$ is the share of row $j$ of the set,
            as it arrived, in place $i$; 0 for padding.
    """

    orders: Int[Tensor, "batch k n"]
    weights: Float[Tensor, "batch k"]
    relaxed: Float[Tensor, "batch k n n"]


Frame = Callable[..., WeightedOrders | RelaxedOrders]


class CircleFrame(nn.Module):
    r"""All sorts of points of the plane along a direction, weighted by their share of the circle.

    $$\bar f(x) = \frac1{2\pi} \int_0^{2\pi} f(x \text{ sorted along } (\cos\theta, \sin\theta))
    \,\mathrm d\theta.$$

    The order changes only where the direction is perpendicular to the difference of two rows, at
    $n(n-1)$ angles at most, so the integral is exactly a sum over the arcs between them. Invariant
    to $S_n$, and continuous in $x$ everywhere if $f$ is continuous.

    Shape:
        $(\mathrm{batch}, n, 2)$ to orders $(\mathrm{batch}, k, n)$ and weights
        $(\mathrm{batch}, k)$ with $k = n(n-1)$, or 1 if $n = 1$; `mask` is $(\mathrm{batch}, n)$,
        true where a member is.

    Raises:
        ValueError: if the input is no batch of sets with two features.

    Warns:
        UserWarning: if all sorts together have more than $2^{26}$ entries.

    Example:
        >>> pair = torch.tensor([[[0.0, 0.0], [1.0, 0.0]]], dtype=torch.float64)
        >>> orders, weights = CircleFrame()(pair)
        >>> orders.tolist(), weights.tolist()
        ([[[1, 0], [0, 1]]], [[0.5, 0.5]])

    References:
        Dym, Lawrence & Siegel (2024), *Equivariant Frames and the Impossibility of Continuous
        Canonicalization*, for weighted frames.

    Derived in chapter 7.
    """

    def forward(
        self, x: Float[Tensor, "batch n 2"], mask: Bool[Tensor, "batch n"] | None = None
    ) -> WeightedOrders:
        """Return the orders of all arcs and their shares of the circle."""
        set_batch(x, d=2)
        set_mask(mask, x)
        base, _, rows = sorted_sets(x, mask)
        members = front(mask)
        batch, n, _ = x.shape
        if n == 1:
            return WeightedOrders(base[:, None], rows.new_ones(batch, 1))
        if not is_traced() and batch * n**2 * (n - 1) > _MANY_ENTRIES:
            warnings.warn(
                f"CircleFrame takes n(n−1) = {n * (n - 1):,} sorts of each of {batch} sets: this "
                "takes much time and memory; DirectionFrame takes as many sorts as it is told",
                UserWarning,
                stacklevel=2,
            )
        i, j = torch.triu_indices(n, n, 1, device=x.device)
        step = rows[:, j] - rows[:, i]
        # Equal rows have no critical angle; any will do, since their order does not matter. Nor
        # has padding.
        free = (step == 0).all(-1, keepdim=True)
        if members is not None:
            free = free | ~(members[:, i] & members[:, j])[..., None]
        step = torch.where(free, step.new_tensor([1.0, 0.0]), step)
        # x_i and x_j tie along θ where θ is a right angle from x_j − x_i, modulo π.
        critical = (torch.atan2(step[..., 1], step[..., 0]) + math.pi / 2) % math.pi
        critical = critical.sort(1).values
        arcs = torch.cat((critical[:, 1:], critical[:, :1] + math.pi), 1) - critical
        middle = (critical + arcs / 2).detach()
        directions = torch.stack((middle.cos(), middle.sin()), -1)
        with as_written(x):
            _, order = stable_sort(directions @ rows.detach().mT, -1)
        # On the opposite half of the circle every order is reversed.
        orders = torch.cat((order, order.flip(-1)), 1)
        orders = with_members_first(orders, members)
        return WeightedOrders(composed(base, orders), arcs.repeat(1, 2) / (2 * math.pi))


class DirectionFrame(nn.Module):
    r"""Sorts along random directions, each weighted by its smallest gap between rows.

    $$\bar f(x) = \sum_k w_k(x)\, f(x \text{ sorted along } a_k), \qquad
    w_k(x) \propto \min_{x_i \ne x_j} \lvert a_k \cdot (x_i - x_j) \rvert.$$

    As two different rows are about to change places along $a_k$, its weight goes to zero.
    Invariant to $S_n$ always. Continuous in $x$ wherever all rows differ and some direction
    separates all of them. Each pair of different rows is tied along at most $d - 1$ generic
    directions, so $(d-1)\,n(n-1)/2 + 1$ directions always suffice.

    It is *not* continuous where two rows become equal: their gap then determines the weights, and
    it vanishes along all directions at once. If no direction separates all rows, all have the same
    weight, and $\bar f$ can jump there too. In the plane `CircleFrame` has neither limit.

    Args:
        d: the number of features, at least 1.
        num_directions: the number of directions, at least 1.
        seed: the seed of the directions, which are uniform on the sphere.

    Shape:
        $(\mathrm{batch}, n, d)$ to orders $(\mathrm{batch}, k, n)$ and weights
        $(\mathrm{batch}, k)$ with $k$ the number of directions; `mask` is $(\mathrm{batch}, n)$,
        true where a member is.

    Raises:
        ValueError: if `d` or `num_directions` is below 1, or the input has another shape.

    Example:
        >>> frame = DirectionFrame(d=3, num_directions=8)
        >>> orders, weights = frame(torch.randn(4, 10, 3))
        >>> orders.shape, bool(torch.allclose(weights.sum(1), torch.ones(4)))
        (torch.Size([4, 8, 10]), True)

    References:
        Dym, Lawrence & Siegel (2024), *Equivariant Frames and the Impossibility of Continuous
        Canonicalization*, for weighted frames.

    Derived in chapter 7.
    """

    directions: Float[Tensor, "k d"]

    def __init__(self, d: int, num_directions: int, seed: int = 0) -> None:
        super().__init__()
        shape = (positive_int("num_directions", num_directions), positive_int("d", d))
        source = torch.Generator("cpu").manual_seed(seed)
        normal = torch.randn(shape, generator=source, dtype=torch.float64, device="cpu")
        directions = nn.functional.normalize(normal, dim=1).to(torch.get_default_dtype())
        self.register_buffer("directions", directions.to(torch.get_default_device()))

    def forward(
        self, x: Float[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None = None
    ) -> WeightedOrders:
        """Return the order along each direction and its weight."""
        k, d = self.directions.shape
        set_batch(x, d=d)
        set_mask(mask, x)
        base, classes, rows = sorted_sets(x, mask)
        members = front(mask)
        batch, n, _ = x.shape
        with as_written(x):
            heights = self.directions.to(rows.dtype) @ rows.mT
        # Equal rows get one height: a product may round them apart.
        first = torch.searchsorted(classes, classes)[:, None].expand(batch, k, n)
        heights = heights.gather(-1, first)
        if members is not None:
            heights = heights.masked_fill(~members[:, None], math.inf)
        heights, order = stable_sort(heights, -1)
        gaps = _smallest_gap(heights, classes[:, None].expand_as(order), order, members)
        weights = _normalized(gaps)
        return WeightedOrders(composed(base, order), weights)

    def extra_repr(self) -> str:
        """Show the number of features and of directions."""
        return f"d={self.directions.shape[1]}, num_directions={self.directions.shape[0]}"


def sorted_sets(
    x: Float[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None
) -> tuple[Int[Tensor, "batch n"], Int[Tensor, "batch n"], Float[Tensor, "batch n d"]]:
    """Return the lexicographic order, the classes of equal rows, and the sorted rows.

    What is computed from the sorted rows is the same, to the last bit, for every order of them.
    """
    base, classes = lexicographic_ordering(x, mask)
    rows = permute_rows(zero_padding(x, mask), base)
    kind = at_least_single(x.dtype) if x.is_floating_point() else torch.get_default_dtype()
    return base, classes, rows.to(kind)


def with_members_first(
    orders: Int[Tensor, "batch k n"], members: Bool[Tensor, "batch n"] | None
) -> Int[Tensor, "batch k n"]:
    """Return orders of the rows with the members in front, in the order that they have."""
    if members is None:
        return orders
    present = members[:, None].expand_as(orders).gather(-1, orders)
    return orders.gather(-1, members_first(present, dim=-1))


def composed(
    base: Int[Tensor, "batch n"], orders: Int[Tensor, "batch k n"]
) -> Int[Tensor, "batch k n"]:
    """Return orders of the sorted rows as orders of the rows."""
    return base[:, None].expand_as(orders).gather(-1, orders)


def _smallest_gap(
    heights: Float[Tensor, "batch k n"],
    classes: Int[Tensor, "batch k n"],
    order: Int[Tensor, "batch k n"],
    members: Bool[Tensor, "batch n"] | None,
) -> Float[Tensor, "batch k"]:
    # Between neighbors that are different rows; 1 if all rows are equal.
    classes = classes.gather(-1, order)
    gaps = heights.diff(dim=-1).masked_fill(classes.diff(dim=-1) == 0, math.inf)
    if members is not None:
        gaps = gaps.masked_fill(~members[:, None, 1:], math.inf)
    smallest = nn.functional.pad(gaps, (0, 1), value=math.inf).amin(-1)
    return smallest.masked_fill(smallest.isposinf(), 1.0)


def _normalized(gaps: Float[Tensor, "batch k"]) -> Float[Tensor, "batch k"]:
    gaps = torch.where((gaps > 0).any(1, keepdim=True), gaps, torch.ones_like(gaps))
    return gaps / gaps.sum(1, keepdim=True)
