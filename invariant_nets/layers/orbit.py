r"""The linear layers of any permutation group: one weight an orbit of pairs of points.

A linear map $W$ commutes with a group $G$ that permutes coordinates exactly if
$W_{g(a)\,g(b)} = W_{ab}$ for all $g \in G$: if it is constant on the orbits of $G$ on pairs, the
orbitals. So they are a basis, and a layer needs to know nothing else of the group.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from invariant_nets._arguments import positive_int, set_batch, set_mask
from invariant_nets._precision import widened
from invariant_nets._sets import members_of, zero_padding
from invariant_nets.groups.group import PermutationGroup
from invariant_nets.groups.named import trivial_group
from invariant_nets.layers.orbit_forms import dense, dense_weight, fast_form


class OrbitLinear(nn.Module):
    r"""The complete linear layer that is equivariant to a permutation group.

    $$y_a = \sum_{b} x_b\, W_{\mathrm{id}(a, b)} + c_{\mathrm{id}(a)},$$

    where $\mathrm{id}(a, b)$ numbers the orbit of the pair and $\mathrm{id}(a)$ that of the point.
    Equivariant to $G$, and every affine map that is has this form: for $S_n$ it is
    `LinearEquivariant`, for $C_n$ a circular convolution, for $S_n$ on pairs the 15 maps of Maron
    et al. Layers see pairs only: $A_n$ ($n \ge 4$) gives the layer of $S_n$.

    The weights start normal, each orbital of a row with the same share of the output's variance,
    $\operatorname{Var} W_r = 1 / (\mathrm{in} \cdot R_a \cdot s_r)$ for $R_a$ orbitals in the row,
    $s_r$ pairs of them in $r$; so independent inputs keep their variance. $c$ starts at 0.

    The orbits decide how it is computed: pooled where the group is doubly transitive on its orbits
    ($S_n$, $A_n$ and their products on a union) and for $S_n \times S_d$ on a grid, by FFT for
    cyclic patterns of 64 points and more, with the weights written out otherwise.

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
        TypeError: if a group is no `PermutationGroup`.
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
        ids = self.out_group.orbitals(group)
        out_orbit = self.out_group.orbit_numbers()
        self.ids: Tensor
        self.out_orbit: Tensor
        self.register_buffer("ids", ids.to(device), persistent=False)
        self.register_buffer("out_orbit", out_orbit.to(device), persistent=False)
        shape = group.shape if out_group is None else ()
        form = fast_form(ids, out_orbit, group.orbit_numbers(), shape)
        self.form = None if form is None else form.to(device)
        orbitals, orbits = int(ids.max()) + 1, int(out_orbit.max()) + 1
        factory: dict[str, Any] = {"device": device, "dtype": dtype}
        channels = self.in_channels, self.out_channels
        self.weight = nn.Parameter(torch.empty(orbitals, *channels, **factory))
        self.bias = nn.Parameter(torch.empty(orbits, out_channels, **factory)) if bias else None
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw the weights anew, as the class describes, from torch's global generator."""
        pairs = self.ids.flatten().bincount()
        first = torch.full_like(pairs, len(self.ids)).scatter_reduce(
            0, self.ids.flatten(), self._row_of_pair(), "amin"
        )
        orbit = self.out_orbit[first]
        in_a_row = pairs / self.out_orbit.bincount()[orbit]
        orbitals_in_a_row = orbit.bincount()[orbit]
        deviation = (self.in_channels * orbitals_in_a_row * in_a_row).rsqrt()
        self.weight.normal_().mul_(deviation[:, None, None])
        if self.bias is not None:
            self.bias.zero_()

    def _row_of_pair(self) -> Tensor:
        m, n = self.ids.shape
        return torch.arange(m, device=self.ids.device).repeat_interleave(n)

    def forward(
        self, x: Float[Tensor, "batch n in"], mask: Bool[Tensor, "batch n"] | None = None
    ) -> Float[Tensor, "batch m out"]:
        """Apply the layer to a batch of points with features."""
        set_batch(x, n=self.ids.shape[1], d=self.in_channels, like=self.weight)
        set_mask(mask, x)
        members = members_of(mask)
        x = zero_padding(x, members)
        if self.form is not None:
            y = self.form(x, self.weight)
        else:
            y = dense(x, dense_weight(self.ids, self.weight), len(self.ids))
        if self.bias is not None:  # whose gradient is a sum over an orbit
            y = y + widened(self.bias)[self.out_orbit].to(self.bias.dtype)
        return zero_padding(y, members if self.out_group is self.group else None)

    def extra_repr(self) -> str:
        """Show the constructor's arguments and the number of orbitals."""
        to = "" if self.out_group is self.group else f", out_group={self.out_group.name}"
        return (
            f"{self.group.name}, {self.in_channels}, {self.out_channels}{to}, "
            f"orbitals={len(self.weight)}, bias={self.bias is not None}"
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
        TypeError: if `group` is no `PermutationGroup`.
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
