r"""The complete linear layers between tensors whose axes sets index."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, get_args

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from invariant_nets._arguments import dense, of_weights, one_of, positive_int
from invariant_nets._indices import Indexed
from invariant_nets._precision import as_written, widened
from invariant_nets._rows import is_traced
from invariant_nets._sets import Mask, at_least_single
from invariant_nets.layers.partitions.classes import Symmetric, classes_of
from invariant_nets.layers.partitions.plan import plan_of
from invariant_nets.layers.tensors.at_sizes import bias_matrix, indices, matrix_at
from invariant_nets.layers.tensors.function import tensor_maps
from invariant_nets.layers.tensors.initialization import drawn_weights
from invariant_nets.layers.tensors.masks import checked_masks, zero_outside
from invariant_nets.layers.tensors.pattern import described, parsed, written
from invariant_nets.layers.tensors.sums import sums_of
from invariant_nets.layers.units import UNIT, InUnits, Shown


class TensorLinear(InUnits, Indexed):
    r"""The complete linear layer between tensors that is equivariant to permutations of sets.

    $$y_b = c_{\pi(b)} + \sum_{\gamma:\ \gamma|_{\mathrm{out}} = \pi(b)}
    \operatorname*{mean}_{a}\, x_a W_\gamma,$$

    where $\pi(b)$ says which of the indices $b$ are equal, and $\gamma$ runs over the set
    partitions of all axes, those that go out partitioned as $\pi(b)$. The mean is over the indices
    $a$ that are equal where $\gamma$ says so, distinct where it does not, and those of $b$ where
    $\gamma$ joins them. It is equivariant to one symmetric group for each name in the pattern, and
    every affine map that is has this form. No weight depends on a size: the same layer takes graphs
    of 10 and of 1,000 nodes.

    | pattern | maps | takes |
    | --- | --- | --- |
    | `"n -> n"`, `"n ->"` | 2, 1 | sets, as `LinearEquivariant` and `LinearInvariant` |
    | `"n m -> n m"` | 4 | tables, as `ExchangeableEquivariant` |
    | `"n n -> n n"`, `"n n -> n"`, `"n n ->"` | 15, 5, 2 | graphs, to pairs, nodes, graphs |
    | `"n n n -> n n n"` | 203 | triples of nodes |
    | `"n n m -> n m"` | 10 | graphs that share their nodes, one for each of a set |

    Everything is computed by sums, products of channels and copies, in time and memory linear in
    the larger of input and output; no matrix of pairs of indices is made. Where a name has fewer
    indices than axes, the maps are dependent, and a mean over no indices is 0.

    The weights start such that the layer doubles the energy of the strata, the mean squares of
    entries with each pattern of equal indices, summed; a ReLU then halves it. With no axis going
    out it is kept. The energy of a constant input is kept exactly, that of independent entries up
    to $O(1/n)$ a layer; below about twice as many indices as axes it can grow. $c$ starts at 0.

    What is stored has the unit $\kappa = 8$ of `LinearEquivariant`: `weight` is
    $2 \kappa / (\mathrm{in} \cdot \max(2, R))$ times `stored_weight`, for $R$ maps with the same
    entries of the output, and `bias` is $\kappa$ times `stored_bias`. To change what is shown,
    assign to it.

    With a mask for a name, all means are over the indices that are there, of each batch entry, and
    entries of the output at others are 0. What `x` holds there, NaN even, reaches no value and no
    gradient.

    Args:
        pattern: the axes that come in and go out, such as `"n n -> n"`: an axis has the name of the
            set whose permutations move it.
        in_channels: the number of features an entry has, at least 1.
        out_channels: the number of features that go out, at least 1.
        symmetric: `"input"` if axes of the same name that come in can be exchanged, as in
            undirected graphs, `"output"` if those that go out shall be, `"both"`, or `"none"`. Maps
            that are then the same have one weight; of an input without the symmetry the layer sees
            the symmetric part.
        bias: whether there is a $c$.
        most_maps: a pattern with more maps is refused: their number grows faster than any power.
        device: where the parameters live.
        dtype: their floating-point type.

    Shape:
        $(\mathrm{batch}, \text{axes that come in}, \mathrm{in})$ to
        $(\mathrm{batch}, \text{axes that go out}, \mathrm{out})$; `weight` is
        $(\mathrm{maps}, \mathrm{in}, \mathrm{out})$, in the order of the attribute `maps`, and
        `bias` has one row for each partition of the axes that go out. A mask is
        $(\mathrm{batch}, n)$, true where an index is.

    Raises:
        TypeError: if the input is no tensor of the weights' type, or a mask no tensor of bool.
        ValueError: if the pattern cannot be read or has too many maps, a number of channels is
            below 1, or the input, a mask or a size does not fit the pattern.

    Example:
        >>> layer = TensorLinear("n n -> n n", 2, 3)
        >>> x, order = torch.randn(4, 7, 7, 2), torch.randperm(7)
        >>> y = layer(x[:, order][:, :, order])
        >>> torch.allclose(y, layer(x)[:, order][:, :, order], atol=1e-5)
        True
        >>> layer(torch.randn(4, 30, 30, 2)).shape
        torch.Size([4, 30, 30, 3])
        >>> TensorLinear("n n ->", 2, 1).maps
        ('n1 n2 ->', 'n1 n1 ->')

    References:
        Maron et al. (2019), *Invariant and Equivariant Graph Networks*; Pearce-Crump (2022),
        *Connecting Permutation Equivariant Neural Networks and Partition Diagrams*; Godfrey et al.
        (2023), *Fast Computation of Permutation Equivariant Layers with the Partition Algebra*.

    Derived in chapter 12.
    """

    takes_members = True

    weight, bias = Shown(), Shown()

    def __init__(
        self,
        pattern: str,
        in_channels: int,
        out_channels: int,
        *,
        symmetric: Symmetric = "none",
        bias: bool = True,
        most_maps: int = 300,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        inner, outer = parsed(pattern, positive_int("most_maps", most_maps))
        self.pattern = written(inner, outer)
        self.in_channels = positive_int("in_channels", in_channels)
        self.out_channels = positive_int("out_channels", out_channels)
        one_of("symmetric", symmetric, get_args(Symmetric))
        self.symmetric = symmetric
        self.plan = plan = plan_of(inner, outer)
        self.sums = sums_of(plan)
        self.classes = classes = classes_of(plan, symmetric)
        factory: dict[str, Any] = {"device": device, "dtype": dtype}
        channels = self.in_channels, self.out_channels
        self.stored_weight = nn.Parameter(torch.empty(len(classes.first), *channels, **factory))
        own = torch.empty(max(classes.of_bias) + 1, self.out_channels, **factory) if bias else None
        self.stored_bias = None if own is None else nn.Parameter(own)
        here = self.stored_weight.device
        for name, index in indices(plan, classes).items():
            self._keep(name, index, here)
        self.reset_parameters()

    @property
    def maps(self) -> tuple[str, ...]:
        """The set partitions of the axes that the weights belong to, as texts."""
        inner, outer = self.plan.inner.axes, self.plan.outer.axes
        return tuple(described(self.plan.maps[k], inner, outer) for k in self.classes.first)

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw the weights anew, as the class describes, from torch's global generator."""
        gain = math.sqrt(2) if self.plan.outer.axes else 1.0
        channels, like = (self.in_channels, self.out_channels), widened(self.stored_weight)
        drawn = drawn_weights(self.plan, self.classes, channels, gain, like)
        of = self._on(drawn.device, "_class_of")
        self.weight = torch.zeros_like(like).index_add_(0, of, drawn)
        if self.stored_bias is not None:
            self.stored_bias.zero_()

    def _unit(self, name: str, like: Tensor) -> float | Tensor:
        if name == "bias":
            return UNIT
        beside = self._on(like.device, "_beside").to(at_least_single(like.dtype))
        return (2 * UNIT / self.in_channels / beside)[:, None, None]

    def forward(
        self,
        x: Float[Tensor, "batch *inner in"],
        mask: Mask | Mapping[str, Bool[Tensor, "batch n"]] = None,
        sizes: Mapping[str, int] | None = None,
    ) -> Float[Tensor, "batch *outer out"]:
        """Apply the layer to a batch of tensors.

        Args:
            x: the tensors, features last.
            mask: which indices there are, by name; one tensor is that of the first axis.
            sizes: how many indices the names have that only go out.
        """
        inner, outer = self.plan.inner.axes, self.plan.outer.axes
        lengths = self._lengths(x, sizes)
        masks = checked_masks(mask, inner + outer, lengths, x.shape[0])
        x = zero_outside(x, inner, masks)
        top, lower, bias = self._of_sums(lengths, masks)
        return zero_outside(tensor_maps(self.sums, x, top, lower, bias, lengths), outer, masks)

    def _lengths(self, x: Tensor, sizes: Mapping[str, int] | None) -> dict[str, int]:
        """Return how many indices each name has, or raise."""
        dense(x)
        axes = self.plan.inner.axes
        text = f"(batch, {', '.join((*axes, str(self.in_channels)))})"
        if x.ndim != len(axes) + 2 or x.shape[-1] != self.in_channels:
            raise ValueError(f"x must have shape {text}, got {tuple(x.shape)}")
        lengths: dict[str, int] = {}
        for name, size in zip(axes, x.shape[1:-1], strict=True):
            if lengths.setdefault(name, size) != size or size < 1:
                raise ValueError(
                    f"x must have shape {text} with {name} ≥ 1, the same on all axes of that "
                    f"name, got {tuple(x.shape)}"
                )
        of_weights(x, self.stored_weight)
        missing = [name for name in self.plan.names if name not in lengths]
        if sorted(sizes or {}) != sorted(missing):
            raise ValueError(
                f"sizes must tell those of {missing or 'no name'}, which x does not have, "
                f"got {dict(sizes or {})}"
            )
        return lengths | {name: positive_int(name, (sizes or {})[name]) for name in missing}

    def _of_sums(
        self, lengths: dict[str, int], masks: dict[str, Tensor]
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return the weights of plain sums: of the top, of the others, and the bias."""
        stored, plan, constant = self.stored_weight, self.plan, None
        wide, here, shape = widened(stored), stored.device, stored.shape[1:]
        number = plan.top_maps
        with as_written(wide):
            if masks or is_traced():
                weight = wide * self._unit("weight", wide)
                weight = weight / self._on(here, "_class_size").to(wide.dtype)[:, None, None]
                matrix = self._on(here, "_distinct").to(wide.dtype)
                share = self._share(lengths, masks, wide)
                # The top keeps every index: its weights know no size.
                top = (matrix[:number] @ weight.flatten(1)).view(-1, *shape)
                lower = matrix[number:] @ (weight * share[..., None, None]).flatten(-2)
                lower = lower.reshape(*lower.shape[:-1], *shape)
                if self.stored_bias is not None:
                    matrix = UNIT * self._on(here, "_of_bias").to(wide.dtype)
                    constant = matrix @ widened(self.stored_bias)
                return top.to(stored.dtype), lower, constant
        kind, sizes = str(wide.dtype)[6:], tuple(lengths[name] for name in plan.names)
        at_sizes = matrix_at(plan, self.symmetric, self.in_channels, sizes, kind)
        with as_written(wide):
            weight = (torch.from_numpy(at_sizes).to(here) @ wide.flatten(1)).view(-1, *shape)
            top, lower = torch.split_with_sizes(weight, [number, len(weight) - number])
            if self.stored_bias is not None:
                matrix = torch.from_numpy(bias_matrix(plan, self.symmetric, kind)).to(here)
                constant = matrix @ widened(self.stored_bias)
        return top.to(stored.dtype), lower, constant

    def _share(
        self, lengths: dict[str, int], masks: dict[str, Tensor], like: Tensor
    ) -> Float[Tensor, "*batch maps"]:
        """Return one over the number of distinct indices that each map has a mean over."""
        kept, summed = (self._on(like.device, name) for name in ("_kept", "_summed"))
        number = torch.ones((), dtype=like.dtype, device=like.device)
        for k, name in enumerate(self.plan.names):
            if name in masks:
                size = masks[name].sum(1, keepdim=True)
            else:
                size = torch.full((), lengths[name], device=like.device)
            for i in range(self.plan.inner.axes.count(name)):
                left = (size - kept[k] - i).clamp(min=0).where(summed[k] > i, 1)
                number = number * left.to(like.dtype)
        return number.clamp(min=1).reciprocal()

    def extra_repr(self) -> str:
        """Show the constructor's arguments and the number of maps."""
        return (
            f"{self.pattern!r}, {self.in_channels}, {self.out_channels}, "
            f"symmetric={self.symmetric!r}, maps={len(self.stored_weight)}, "
            f"bias={self.stored_bias is not None}"
        )
