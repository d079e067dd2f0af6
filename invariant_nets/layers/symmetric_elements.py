r"""Sets whose elements have a symmetry of their own: one layer for an element, one for the pool.

A group $H$ acts on elements such as signals, images or graphs, on all elements of a set in the same
way, and the elements have no order. The group that acts on a set of $n$ elements is $S_n \times H$,
$((\sigma, h) \cdot x)_i = h \cdot x_{\sigma(i)}$.
"""

from __future__ import annotations

from typing import get_args

from jaxtyping import Bool, Float
from torch import Tensor, nn

from invariant_nets._arguments import dense, floating, one_of, set_mask
from invariant_nets._sets import Members, call, member_mean, members_of, zero_padding, zero_padding_
from invariant_nets.layers.averaged import Pooling


class SymmetricElements(nn.Module):
    r"""One module on every element, plus another one on their pool.

    $$y_i = \mathrm{element}(x_i) + \mathrm{shared}\Bigl(\operatorname*{pool}_j x_j\Bigr)$$

    Equivariant to $S_n \times H$ if `element` and `shared` are equivariant to $H$. If these two run
    through all linear maps that are equivariant to $H$, the layer runs through all linear maps that
    are equivariant to $S_n \times H$: for every pair of features of an element there are two
    maps of the set, the identity and the mean, as in `LinearEquivariant`, and $H$ ties the pairs of
    an orbit.

    It has no weights but those of the two modules, and their initialization. With a mask, the pool
    is over the members, and the output is 0 at padding.

    Args:
        element: maps $(\mathrm{batch}, *\mathrm{element})$ to $(\mathrm{batch}, *\mathrm{out})$.
            It gets all elements of all sets, and zeros for padding, as one batch, so it must treat
            each sample by itself.
        shared: maps the same shapes; it gets one sample per set.
        pooling: `"mean"` or `"sum"`.

    Shape:
        $(\mathrm{batch}, n, *\mathrm{element})$ to $(\mathrm{batch}, n, *\mathrm{out})$ for every
        $n \ge 1$; `mask` is $(\mathrm{batch}, n)$, true where a member is.

    Raises:
        TypeError: if a module is none, the input is no tensor in floating point, or the mask not of
            bool.
        ValueError: if `pooling` is neither of the two, or the input or the mask has another shape.

    Example:
        >>> import torch
        >>> convolutions = [nn.Conv1d(1, 4, 3, padding=1, padding_mode="circular") for _ in "ab"]
        >>> layer = SymmetricElements(*convolutions)
        >>> x = torch.randn(2, 5, 1, 12)
        >>> moved = layer(x.flip(1).roll(3, -1))
        >>> torch.allclose(moved, layer(x).flip(1).roll(3, -1), atol=1e-5)
        True

    References:
        Maron, Litany, Chechik & Fetaya (2020), *On Learning Sets of Symmetric Elements*, ICML.

    Chapter 6 has the case $H = S_d$.
    """

    takes_members = True

    def __init__(self, element: nn.Module, shared: nn.Module, pooling: Pooling = "mean") -> None:
        super().__init__()
        self.element = _module("element", element)
        self.shared = _module("shared", shared)
        one_of("pooling", pooling, get_args(Pooling))
        self.pooling = pooling

    def forward(
        self,
        x: Float[Tensor, "batch n *element"],
        mask: Bool[Tensor, "batch n"] | None = None,
    ) -> Float[Tensor, "batch n *out"]:
        """Apply the layer to a batch of sets of elements."""
        _elements(x, mask)
        members = members_of(mask)
        x = zero_padding(x, members)
        each = call(self.element, x.flatten(0, 1), None)
        y = each.reshape(*x.shape[:2], *each.shape[1:])
        y = y + call(self.shared, _pool(x, members, self.pooling), None).unsqueeze(1)
        return zero_padding_(y, members)

    def extra_repr(self) -> str:
        """Show the constructor's argument that the modules do not."""
        return f"pooling={self.pooling!r}"


class SymmetricElementsInvariant(nn.Module):
    r"""A module on the pool of the elements.

    $$y = \mathrm{shared}\Bigl(\operatorname*{pool}_j x_j\Bigr)$$

    Invariant to $S_n \times H$ if `shared` is invariant to $H$; all linear maps that are invariant
    to $S_n \times H$ have this form. It has the weights of `shared` and their initialization. With
    a mask, the pool is over the members; the pool of an empty set is 0.

    Args:
        shared: maps $(\mathrm{batch}, *\mathrm{element})$ to $(\mathrm{batch}, *\mathrm{out})$.
        pooling: `"mean"` or `"sum"`.

    Shape:
        $(\mathrm{batch}, n, *\mathrm{element})$ to $(\mathrm{batch}, *\mathrm{out})$ for every
        $n \ge 1$; `mask` is $(\mathrm{batch}, n)$, true where a member is.

    Raises:
        TypeError: if `shared` is no module, the input is no tensor in floating point, or the mask
            not of bool.
        ValueError: if `pooling` is neither of the two, or the input or the mask has another shape.

    Example:
        >>> import torch
        >>> from invariant_nets import OrbitInvariant, cyclic_group
        >>> layer = SymmetricElementsInvariant(OrbitInvariant(cyclic_group(12), 2, 3))
        >>> x = torch.randn(4, 5, 12, 2)
        >>> torch.allclose(layer(x.flip(1).roll(3, 2)), layer(x), atol=1e-5)
        True

    References:
        Maron, Litany, Chechik & Fetaya (2020), *On Learning Sets of Symmetric Elements*, ICML.

    Chapter 6 has the case $H = S_d$.
    """

    takes_members = pools = True

    def __init__(self, shared: nn.Module, pooling: Pooling = "mean") -> None:
        super().__init__()
        self.shared = _module("shared", shared)
        one_of("pooling", pooling, get_args(Pooling))
        self.pooling = pooling

    def forward(
        self,
        x: Float[Tensor, "batch n *element"],
        mask: Bool[Tensor, "batch n"] | None = None,
    ) -> Float[Tensor, "batch *out"]:
        """Apply the layer to a batch of sets of elements."""
        _elements(x, mask)
        members = members_of(mask)
        pooled = _pool(zero_padding(x, members), members, self.pooling)
        y: Tensor = call(self.shared, pooled, None)
        return y

    def extra_repr(self) -> str:
        """Show the constructor's argument that the module does not."""
        return f"pooling={self.pooling!r}"


def _pool(
    x: Float[Tensor, "batch n *element"], members: Members | None, pooling: Pooling
) -> Float[Tensor, "batch *element"]:
    if pooling == "sum":
        return x.sum(1)
    return member_mean(x, members)


def _elements(x: Tensor, mask: Tensor | None) -> None:
    dense(x)
    floating(x)
    if x.ndim < 3:
        raise ValueError(f"x must have shape (batch, n, *element), got {tuple(x.shape)}")
    if 0 in x.shape[1:]:
        raise ValueError(f"x must hold non-empty sets of elements, got {tuple(x.shape)}")
    set_mask(mask, x)


def _module(name: str, module: nn.Module) -> nn.Module:
    if not isinstance(module, nn.Module):
        raise TypeError(f"{name} must be an nn.Module, got {module!r}")
    return module
