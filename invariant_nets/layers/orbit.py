r"""The linear layers of any permutation group: one weight an orbit of pairs of points.

A linear map $W$ commutes with a group $G$ that permutes coordinates if and only if
$W_{g(a)\,g(b)} = W_{ab}$ for all $g \in G$: if it is constant on the orbits of $G$ on pairs, the
orbitals. So they are a basis, and a layer needs to know nothing else of the group.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from invariant_nets._arguments import positive_int, set_batch, set_mask
from invariant_nets._indices import Indexed
from invariant_nets._precision import widened
from invariant_nets._sets import at_least_single, members_of, zero_padding
from invariant_nets.groups.group import PermutationGroup
from invariant_nets.groups.named import trivial_group
from invariant_nets.layers.orbit_forms import dense, dense_weight, fast_form
from invariant_nets.layers.units import UNIT, InUnits, Shown


class OrbitLinear(InUnits, Indexed):
    r"""The complete linear layer that is equivariant to a permutation group.

    $$y_a = \sum_{b} x_b\, W_{\mathrm{id}(a, b)} + c_{\mathrm{id}(a)},$$

    where $\mathrm{id}(a, b)$ numbers the orbit of the pair and $\mathrm{id}(a)$ that of the point.
    Equivariant to $G$, and every affine map that is has this form: for $S_n$ it is
    `LinearEquivariant`, for $C_n$ a circular convolution, for $S_n$ on pairs the 15 maps of Maron
    et al. Layers see pairs only: $A_n$ ($n \ge 4$) gives the layer of $S_n$.

    The weights start normal, each orbital of a row with the same share of the output's variance,
    $\operatorname{Var} W_r = 1 / (\mathrm{in} \cdot R_a \cdot s_r)$ for $R_a$ orbitals in the row,
    $s_r$ pairs of them in $r$; so independent inputs keep their variance. $c$ starts at 0.

    What is stored has the unit $\kappa = 8$ of `LinearEquivariant`: `weight` of orbital $r$ is
    $2 \kappa / (\mathrm{in} \cdot \max(2, R_a) \cdot s_r)$ times `stored_weight`, and `bias` is
    $\kappa$ times `stored_bias`. So a step of Adam changes the output for inputs that are the same
    at all points as much for every group, and by the same share for each orbital of a row. To
    change what is shown, assign to it.

    The orbits decide how it is computed: pooled where the group is doubly transitive on its orbits
    ($S_n$, $A_n$ and their products on a union) and for $S_n \times S_d$ on a grid, by FFT for
    cyclic patterns of 64 points and more, by the sums of `TensorLinear` for symmetric groups on
    tuples and grids of tuples, such as $S_n$ on the pairs of a graph's nodes, and with the weights
    written out otherwise, or where that is faster: a matrix of $n m$ numbers per pair of channels.

    With a mask the sum is over the points that are there, and the others go out as 0 (with another
    `out_group`, all points go out). For $S_n$ that is the layer of the smaller symmetric group,
    with the same weights.

    Args:
        group: how $G$ acts on the points that come in.
        in_channels: the number of features a point that comes in has, at least 1.
        out_channels: the number that goes out, at least 1.
        out_group: how the same group acts on the points that go out, generator by generator; by
            default as on those that come in.
        bias: whether there is a $c$.
        device: where the parameters live.
        dtype: their floating-point type.

    Shape:
        $(\mathrm{batch}, n, \mathrm{in})$ to $(\mathrm{batch}, m, \mathrm{out})$; `weight` is
        $(R, \mathrm{in}, \mathrm{out})$ for $R$ orbitals, `bias` $(\mathrm{orbits}, \mathrm{out})$.
        `mask` is $(\mathrm{batch}, n)$, true where a point is.

    Raises:
        TypeError: if a group is no `PermutationGroup`, or the input no tensor of the weights' type.
        ValueError: if the two groups have different numbers of generators, a number of channels is
            below 1, or the input has another shape.

    Example:
        >>> from invariant_nets import cyclic_group
        >>> layer = OrbitLinear(cyclic_group(6), 2, 3)
        >>> x = torch.randn(4, 6, 2)
        >>> torch.allclose(layer(x.roll(1, 1)), layer(x).roll(1, 1), atol=1e-6)
        True
        >>> layer.weight.shape
        torch.Size([6, 2, 3])

    References:
        Ravanbakhsh et al. (2017), *Equivariance Through Parameter-Sharing*; Maron et al. (2019),
        *Invariant and Equivariant Graph Networks*.

    Derived in chapter 12.
    """

    takes_members = True

    weight, bias = Shown(), Shown()

    def __init__(
        self,
        group: PermutationGroup,
        in_channels: int,
        out_channels: int,
        *,
        out_group: PermutationGroup | None = None,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        for name, value in (("group", group), ("out_group", out_group)):
            if not isinstance(value, PermutationGroup) and (value is not None or name == "group"):
                raise TypeError(f"{name} must be a PermutationGroup, got {value!r}")
        self.group = group
        self.out_group = group if out_group is None else out_group
        self.in_channels = positive_int("in_channels", in_channels)
        self.out_channels = positive_int("out_channels", out_channels)
        rows = self.out_group.orbitals(self._other, every=False)
        form = fast_form(rows, self.out_group, group, self.in_channels * self.out_channels)
        # The pairs of each orbital in a row, and the orbitals of that row.
        pairs = rows.flatten().bincount()
        row_of = torch.empty_like(pairs)
        row_of[rows] = torch.arange(len(rows), device="cpu")[:, None].expand_as(rows)
        beside = row_of.bincount()[row_of]
        factory: dict[str, Any] = {"device": device, "dtype": dtype}
        channels = self.in_channels, self.out_channels
        self.stored_weight = nn.Parameter(torch.empty(len(pairs), *channels, **factory))
        own = torch.empty(len(rows), self.out_channels, **factory) if bias else None
        self.stored_bias = None if own is None else nn.Parameter(own)
        here = self.stored_weight.device
        self.form = None if form is None else form.to(here)
        if form is None:
            self._keep("_ids", self.out_group.orbitals(self._other), here)
        self._keep("out_orbit", self.out_group.orbit_numbers(), here)
        self._keep("_terms", pairs * beside, here)
        self._keep("_steps", pairs * beside.clamp(min=2), here)
        self.reset_parameters()

    @property
    def _other(self) -> PermutationGroup | None:
        return None if self.out_group is self.group else self.group

    @property
    def ids(self) -> Tensor:
        """The number of the orbital of each pair of points; closed forms don't keep it."""
        if self.form is None:
            return self._on(self.stored_weight.device, "_ids")
        return self.out_group.orbitals(self._other).to(self.stored_weight.device)

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw the weights anew, as the class describes, from torch's global generator."""
        drawn = torch.empty_like(self.stored_weight).normal_()
        terms = self._on(drawn.device, "_terms")
        self.weight = drawn * (self.in_channels * terms).float().rsqrt()[:, None, None]
        if self.stored_bias is not None:
            self.stored_bias.zero_()

    def _unit(self, name: str, like: Tensor) -> float | Tensor:
        if name == "bias":
            return UNIT
        # Half precision has no numbers as large as there can be pairs.
        steps = self._on(like.device, "_steps").to(at_least_single(like.dtype))
        return (2 * UNIT / self.in_channels / steps)[:, None, None]

    def forward(
        self, x: Float[Tensor, "batch n in"], mask: Bool[Tensor, "batch n"] | None = None
    ) -> Float[Tensor, "batch m out"]:
        """Apply the layer to a batch of points with features."""
        set_batch(x, n=self.group.degree, d=self.in_channels, like=self.stored_weight)
        set_mask(mask, x)
        members = members_of(mask)
        x = zero_padding(x, members)
        weight, bias = self._coefficients()
        if self.form is not None:
            y = self.form(x, weight)
        else:
            ids = self.ids
            y = dense(x, dense_weight(ids, weight), len(ids))
        if bias is not None:  # whose gradient is a sum over an orbit
            y = y + widened(bias)[self._on(x.device, "out_orbit")].to(bias.dtype)
        return zero_padding(y, members if self.out_group is self.group else None)

    def extra_repr(self) -> str:
        """Show the constructor's arguments and the number of orbitals."""
        to = "" if self.out_group is self.group else f", out_group={self.out_group.name}"
        return (
            f"{self.group.name}, {self.in_channels}, {self.out_channels}{to}, "
            f"orbitals={len(self.stored_weight)}, bias={self.stored_bias is not None}"
        )


class OrbitInvariant(nn.Module):
    r"""The complete linear layer that is invariant to a permutation group.

    $$y = \sum_b x_b\, W_{\mathrm{id}(b)} + c,$$

    with one weight an orbit of points. Invariant to $G$, and every affine map that is has this
    form. With a mask the sum is over the points that are there; with none of them it gives $c$.

    Args:
        group: how $G$ acts on the points that come in.
        in_channels: the number of features a point has, at least 1.
        out_channels: the number of numbers that go out, at least 1.
        bias: whether there is a $c$.
        device: where the parameters live.
        dtype: their floating-point type.

    Shape:
        $(\mathrm{batch}, n, \mathrm{in})$ to $(\mathrm{batch}, \mathrm{out})$; `mask` is
        $(\mathrm{batch}, n)$, true where a point is.

    Raises:
        TypeError: if `group` is no `PermutationGroup`, or the input no tensor of the weights'
            type.
        ValueError: if a number of channels is below 1, or the input has another shape.

    Example:
        >>> from invariant_nets import symmetric_group
        >>> layer = OrbitInvariant(symmetric_group(6), 2, 1)
        >>> x = torch.randn(4, 6, 2)
        >>> torch.allclose(layer(x.flip(1)), layer(x), atol=1e-6)
        True

    References:
        Ravanbakhsh et al. (2017), *Equivariance Through Parameter-Sharing*.

    Derived in chapter 12.
    """

    takes_members = True

    def __init__(
        self,
        group: PermutationGroup,
        in_channels: int,
        out_channels: int,
        *,
        bias: bool = True,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(group, PermutationGroup):
            raise TypeError(f"group must be a PermutationGroup, got {group!r}")
        # One point that every generator leaves where it is.
        point = PermutationGroup(trivial_group(1).generators * len(group.generators), name="{e}")
        self.linear = OrbitLinear(
            group, in_channels, out_channels, out_group=point, bias=bias, device=device, dtype=dtype
        )

    def reset_parameters(self) -> None:
        """Draw the weights anew from torch's global generator."""
        self.linear.reset_parameters()

    def forward(
        self, x: Float[Tensor, "batch n in"], mask: Bool[Tensor, "batch n"] | None = None
    ) -> Float[Tensor, "batch out"]:
        """Apply the layer to a batch of points with features."""
        y: Tensor = self.linear(x, mask=mask)
        return y.squeeze(1)
