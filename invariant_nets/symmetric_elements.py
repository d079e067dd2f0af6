r"""Sets whose elements have a symmetry of their own: one layer for an element, one for the pool.

Elements such as signals, images or graphs may be moved by a group $H$, all of a set by the same
move, and come in no order. The group that acts on a set of $n$ is $S_n \times H$,
$((\sigma, h) \cdot x)_i = h \cdot x_{\sigma(i)}$.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from invariant_nets._masking import member_mean, zero_padding
from invariant_nets._validation import one_of, positive_int, set_mask
from invariant_nets.layers import Pooling
from invariant_nets.named_groups import cyclic_group
from invariant_nets.orbit_layers import OrbitInvariant, OrbitLinear
from invariant_nets.perceptron import checked_widths, layer_widths
from invariant_nets.set_network import SetNetwork, sigmoid_if


class SymmetricElements(nn.Module):
    r"""One module on every element, and another on their pool, added to each.

    $$y_i = \mathrm{element}(x_i) + \mathrm{shared}\Bigl(\operatorname*{pool}_j x_j\Bigr)$$

    Equivariant to $S_n \times H$ if `element` and `shared` are equivariant to $H$. If they run
    through all linear maps that are, the layer runs through all linear maps that are equivariant to
    $S_n \times H$: for every pair of features of an element the set has two, the identity and the
    mean, as in `LinearEquivariant`, and $H$ ties the pairs of an orbit.

    It has no weights but those of the two modules and starts as they do. With a mask, the pool is
    over the members, and padding goes out as 0.

    Args:
        element: maps $(\mathrm{batch}, *\mathrm{element})$ to $(\mathrm{batch}, *\mathrm{out})$.
            All elements of all sets, and zeros for padding, come as one batch, so it must treat
            each sample by itself.
        shared: maps the same shapes; it gets one sample a set.
        pooling: `"mean"` or `"sum"`.

    Shape:
        $(\mathrm{batch}, n, *\mathrm{element})$ to $(\mathrm{batch}, n, *\mathrm{out})$ for every
        $n \ge 1$; `mask` is $(\mathrm{batch}, n)$, true where a member is.

    Raises:
        TypeError: if a module is none, the input is no tensor, or the mask not of bool.
        ValueError: if `pooling` is neither of the two, or the input or the mask has another shape.

    Example:
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
        x = zero_padding(x, mask)
        each = self.element(x.flatten(0, 1))
        y = each.reshape(*x.shape[:2], *each.shape[1:])
        y = y + self.shared(_pool(x, mask, self.pooling)).unsqueeze(1)
        return zero_padding(y, mask)

    def extra_repr(self) -> str:
        """Show the constructor's argument that the modules do not."""
        return f"pooling={self.pooling!r}"


class SymmetricElementsInvariant(nn.Module):
    r"""A module on the pool of the elements.

    $$y = \mathrm{shared}\Bigl(\operatorname*{pool}_j x_j\Bigr)$$

    Invariant to $S_n \times H$ if `shared` is invariant to $H$; the linear maps that are all have
    this form. It starts as `shared` does. With a mask, the pool is over the members; that of an
    empty set is 0.

    Args:
        shared: maps $(\mathrm{batch}, *\mathrm{element})$ to $(\mathrm{batch}, *\mathrm{out})$.
        pooling: `"mean"` or `"sum"`.

    Shape:
        $(\mathrm{batch}, n, *\mathrm{element})$ to $(\mathrm{batch}, *\mathrm{out})$ for every
        $n \ge 1$; `mask` is $(\mathrm{batch}, n)$, true where a member is.

    Raises:
        TypeError: if `shared` is no module, the input is no tensor, or the mask not of bool.
        ValueError: if `pooling` is neither of the two, or the input or the mask has another shape.

    Example:
        >>> from invariant_nets import OrbitInvariant, cyclic_group
        >>> layer = SymmetricElementsInvariant(OrbitInvariant(cyclic_group(12), 2, 3))
        >>> x = torch.randn(4, 5, 12, 2)
        >>> torch.allclose(layer(x.flip(1).roll(3, 2)), layer(x), atol=1e-5)
        True

    References:
        Maron, Litany, Chechik & Fetaya (2020), *On Learning Sets of Symmetric Elements*, ICML.

    Chapter 6 has the case $H = S_d$.
    """

    pools = True

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
        y: Tensor = self.shared(_pool(zero_padding(x, mask), mask, self.pooling))
        return y

    def extra_repr(self) -> str:
        """Show the constructor's argument that the module does not."""
        return f"pooling={self.pooling!r}"


def cyclic_elements(
    n: int,
    d: int,
    *,
    hidden: Sequence[int] = (10, 10),
    pooling: Pooling = "mean",
    probabilities: bool = False,
) -> SetNetwork:
    r"""Build the network of `SymmetricElements` on sets of cyclic signals of length $d$.

    Invariant to $S_n \times C_d$: to every order of the rows, and to every cyclic shift of the
    features, the same for all rows. It takes sets of every size.

    The maps on the elements' deviations from their mean and on their mean, $\mathrm{element}$ and
    $\mathrm{element} + \mathrm{shared}$ for a mean pool, start as in `OrbitLinear` but $\sqrt 2$ as
    large, independently of each other: they double the variance of independent inputs, and a ReLU
    halves the mean square. The readout starts as in `OrbitInvariant`.

    Args:
        n: the set size, at least 1; no weight depends on it, it is there so that every backbone
            is built alike.
        d: the number of features, at least 1.
        hidden: the channels of the layers, each with a ReLU, at least one.
        pooling: of every layer, see `SymmetricElements`.
        probabilities: end in a sigmoid instead of giving logits.

    Shape:
        $(\mathrm{batch}, m, d)$ to $(\mathrm{batch}, 1)$, for every $m \ge 1$; `mask` is
        $(\mathrm{batch}, m)$, true where a member is.

    Raises:
        ValueError: if an argument is out of its range.

    Example:
        >>> network = cyclic_elements(10, 5)
        >>> x = torch.randn(32, 10, 5)
        >>> torch.allclose(network(x.flip(1).roll(2, -1)), network(x), atol=1e-5)
        True

    References:
        Maron, Litany, Chechik & Fetaya (2020), *On Learning Sets of Symmetric Elements*, ICML.

    Chapter 6 has the case $S_n \times S_d$.
    """
    positive_int("n", n)
    channels = layer_widths(1, hidden)
    checked_widths("hidden", hidden)
    group = cyclic_group(positive_int("d", d))
    modules: list[nn.Module] = [nn.Unflatten(2, (d, 1))]
    for k in range(len(hidden)):
        element = OrbitLinear(group, channels[k], channels[k + 1])
        shared = OrbitLinear(group, channels[k], channels[k + 1], bias=False)
        with torch.no_grad():
            element.weight.mul_(math.sqrt(2))
            shared.weight.mul_(math.sqrt(2)).sub_(element.weight)
        modules += [SymmetricElements(element, shared, pooling), nn.ReLU()]
    readout = OrbitInvariant(group, channels[-1], 1)
    modules += [SymmetricElementsInvariant(readout, pooling), *sigmoid_if(probabilities)]
    return SetNetwork(*modules, d=d)


def _pool(
    x: Float[Tensor, "batch n *element"], mask: Bool[Tensor, "batch n"] | None, pooling: Pooling
) -> Float[Tensor, "batch *element"]:
    if pooling == "sum":
        return x.sum(1)
    return member_mean(x, mask)


def _elements(x: Tensor, mask: Tensor | None) -> None:
    if not isinstance(x, Tensor):
        raise TypeError(f"x must be a tensor, got {type(x).__name__}")
    if x.ndim < 3:
        raise ValueError(f"x must have shape (batch, n, *element), got {tuple(x.shape)}")
    if 0 in x.shape[1:]:
        raise ValueError(f"x must hold non-empty sets of elements, got {tuple(x.shape)}")
    set_mask(mask, x)


def _module(name: str, module: nn.Module) -> nn.Module:
    if not isinstance(module, nn.Module):
        raise TypeError(f"{name} must be an nn.Module, got {module!r}")
    return module
