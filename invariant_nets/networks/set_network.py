r"""Modules in turn on batches of sets of every size."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from invariant_nets._arguments import (
    dense,
    first_weight,
    int_at_least,
    of_weights,
    positive_int,
    set_batch,
    set_mask,
)
from invariant_nets._rows import stable_sort
from invariant_nets._sets import (
    ANYTHING,
    ZEROS,
    Manner,
    Members,
    manner,
    members_of,
    zero_padding,
)
from invariant_nets._torch_modules import is_sequence


class SetNetwork(nn.Sequential):
    r"""A `Sequential` that takes batches of sets, padded ones too, and refuses anything else.

    Sets of different sizes are one padded tensor and a mask that marks the members. The mask goes
    to every module with an argument `mask`, up to the module that pools; such modules are found
    when the network is made, also through `torch.compile` and other wrappers and inside nested
    sequences. A module that acts on every member by itself needs no mask, and its output at padding
    is set to 0. Torch's modules of this kind (`nn.Linear`, `nn.ReLU`, `nn.LayerNorm`) are known;
    any other module declares it by an attribute `by_member = True`. All others, such as
    `nn.MultiheadAttention` and `nn.BatchNorm1d`, which mix the members, are refused when sets are
    padded. The output for an empty set depends on the module that pools; with the modules of this
    package it is a number, never NaN.

    Args:
        *modules: the modules, in order. One that takes a mask and pools to several vectors per set,
            $(\mathrm{batch}, k, \mathrm{out})$, declares it by an attribute `pools = True`.
        d: the number of features of a set member, at least 1.
        n: the set size, padding included, if the modules depend on it; otherwise any.

    Shape:
        $(\mathrm{batch}, n, d)$ to whatever the last module returns; `mask` $(\mathrm{batch}, n)$,
        true where a member is.

    Raises:
        TypeError: if the input is no dense tensor, or of a type that the weights do not go with; if
            the mask is not of bool, or a module before the pooling neither takes it nor is known to
            act on every member by itself.
        ValueError: if `n` or `d` is below 1, or the input or the mask has another shape.

    Example:
        >>> import torch
        >>> network = SetNetwork(nn.Flatten(), nn.Linear(6, 1), n=3, d=2)
        >>> network(torch.zeros(4, 2, 3))
        Traceback (most recent call last):
        ValueError: x must have shape (batch, 3, 2), got (4, 2, 3)
        >>> from invariant_nets import LinearEquivariant, LinearInvariant, pad_sets
        >>> network = SetNetwork(LinearEquivariant(2, 8), nn.ReLU(), LinearInvariant(8, 1), d=2)
        >>> x, mask = pad_sets([torch.randn(3, 2), torch.randn(5, 2)])
        >>> network(x, mask=mask).shape
        torch.Size([2, 1])

    Chapter 4 builds such networks; chapter 13 has sets of many sizes.
    """

    takes_members = True

    def __init__(self, *modules: nn.Module, d: int, n: int | None = None) -> None:
        super().__init__(*modules)
        self._children: list[nn.Module] | None = None
        self._manners: list[tuple[nn.Module, Manner]] = []
        self._how()
        self.n = None if n is None else positive_int("n", n)
        self.d = positive_int("d", d)

    def forward(
        self, x: Float[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None = None
    ) -> Float[Tensor, batch * out]:
        """Apply the modules in turn."""
        set_batch(x, n=self.n, d=self.d)
        return self._applied(x, mask)

    def _applied(
        self, x: Float[Tensor, "batch n *d"], mask: Bool[Tensor, "batch n"] | None
    ) -> Float[Tensor, batch * out]:
        try:
            if mask is None:
                y: Tensor = super().forward(x)  # type: ignore[no-untyped-call]
                return y
            return self._masked(x, mask)
        except RuntimeError:  # torch does not say what is to be done about another type
            of_weights(x, first_weight(self))
            raise

    def _masked(
        self, x: Float[Tensor, "batch n d"], mask: Tensor | Members
    ) -> Float[Tensor, batch * out]:
        set_mask(mask, x)
        members, holds = Members(mask) if isinstance(mask, Tensor) else mask, ANYTHING
        steps = iter(self._how())
        for module, how in steps:
            if how.refusal:
                self._children = None  # the module may yet be declared
                raise TypeError(f"sets with padding cannot go through {how.refusal}")
            if holds < how.needs:
                x = zero_padding(x, members)
            holds = how.leaves
            if how.by_member:
                x = module(x)
                continue
            if how.takes_members:
                x = module(x, mask=members)
            else:
                x = module(x, mask=members.mask) if how.takes_mask else module(x)
            if how.pools or x.ndim < 3 or x.shape[:2] != members.mask.shape:
                break
        else:
            return x if holds == ZEROS else zero_padding(x, members)
        for module, _ in steps:
            x = module(x)
        return x

    def _how(self) -> list[tuple[nn.Module, Manner]]:
        """Return each module and how it treats padding; found out again if others were put in."""
        if torch.compiler.is_compiling():
            return [(module, manner(module)) for module in _in_turn(self)]
        children = list(self._modules.values())
        if children != self._children:
            self._manners = [(module, manner(module)) for module in _in_turn(self)]
            nested = any(map(is_sequence, children))  # what is inside may change
            self._children = None if nested else children
        return self._manners

    def __getitem__(self, index: int | slice) -> nn.Module:
        """Return one of the modules, or some of them as a plain `Sequential`."""
        modules = list(self)[index]
        return nn.Sequential(*modules) if isinstance(modules, list) else modules


def _in_turn(network: nn.Module) -> Iterator[nn.Module]:
    """All modules that are called one after the other, those of sequences among them too."""
    for module in network.children():
        hooks = module._forward_hooks or module._forward_pre_hooks  # which want the sequence
        yield from _in_turn(module) if is_sequence(module) and not hooks else (module,)


class GraphNetwork(SetNetwork):
    r"""Modules in turn on batches of graphs of every size, padded ones too.

    A graph is a tensor over pairs of its nodes: features of edges, and those of the nodes on the
    diagonal. The layers are `TensorLinear`, such as `"n n -> n n"`, `"n n -> n"` and `"n n ->"`,
    and modules that act on every entry by itself. Such a network is equivariant, or if it ends
    without an axis invariant, to every order of the nodes. Graphs of different sizes come from
    `pad_graphs`; what is padding reaches no value and no gradient, and goes out as 0.

    Args:
        *modules: what to apply in turn.
        edge_features: the number of features a pair of nodes has, at least 1.
        node_features: the number of features a node has, at least 0.

    Shape:
        `x`, the edges, $(\mathrm{batch}, n, n)$ or $(\mathrm{batch}, n, n, \mathrm{edge})$, `mask`
        $(\mathrm{batch}, n)$, true where a node is, and `nodes` $(\mathrm{batch}, n,
        \mathrm{node})$, to whatever the last module returns. The modules see
        $(\mathrm{batch}, n, n, \mathrm{edge} + \mathrm{node})$.

    Raises:
        TypeError: if an input is no dense tensor, or of a type that the weights do not go with.
        ValueError: if a number of features is too small, or an input has another shape.

    Example:
        >>> import torch
        >>> from invariant_nets import TensorLinear, pad_graphs
        >>> layers = TensorLinear("n n -> n n", 1, 8), nn.ReLU(), TensorLinear("n n ->", 8, 1)
        >>> network = GraphNetwork(*layers)
        >>> x, mask = pad_graphs([torch.ones(3, 3), torch.ones(5, 5)])
        >>> network(x, mask=mask).shape
        torch.Size([2, 1])

    Used in chapter 12; `graph_network` builds one.
    """

    def __init__(self, *modules: nn.Module, edge_features: int = 1, node_features: int = 0) -> None:
        self.edge_features = positive_int("edge_features", edge_features)
        self.node_features = int_at_least("node_features", node_features, 0)
        super().__init__(*modules, d=self.edge_features + self.node_features)

    def forward(
        self,
        x: Float[Tensor, "batch n n *edge"],
        mask: Bool[Tensor, "batch n"] | None = None,
        nodes: Float[Tensor, "batch n node"] | None = None,
    ) -> Float[Tensor, "batch *out"]:
        """Apply the modules in turn."""
        y = self._applied(self._pairs(x, nodes), mask)
        members = members_of(mask)
        if members is None or y.ndim < 4:
            return y
        return zero_padding(y.transpose(1, 2), members).transpose(1, 2)

    def _pairs(self, x: Tensor, nodes: Tensor | None) -> Float[Tensor, "batch n n d"]:
        """Return the features of edges and nodes as those of pairs of nodes, or raise."""
        dense(x)
        edges = x[..., None] if x.ndim == 3 and self.edge_features == 1 else x
        square = edges.ndim == 4 and edges.shape[1] == edges.shape[2]
        if not square or edges.shape[3] != self.edge_features:
            expected = f"(batch, n, n, {self.edge_features})"
            raise ValueError(f"x must have shape {expected}, got {tuple(x.shape)}")
        if edges.shape[1] < 1:
            raise ValueError(f"x must hold graphs with n ≥ 1, got {tuple(x.shape)}")
        if (nodes is None) != (self.node_features == 0):
            came = "none" if nodes is None else f"a tensor of shape {tuple(nodes.shape)}"
            raise ValueError(f"nodes must have {self.node_features} features, got {came}")
        if nodes is None:
            return edges
        dense(nodes, "nodes")
        if nodes.shape != (*edges.shape[:2], self.node_features):
            shape = (*edges.shape[:2], self.node_features)
            raise ValueError(f"nodes must have shape {shape}, got {tuple(nodes.shape)}")
        return torch.cat((edges, torch.diag_embed(nodes.mT).movedim(1, 3)), 3)


class FlattenMembers(nn.Module):
    r"""Writes the members of a set one after the other into one vector, and zeros after them.

    Not invariant to any group. With it a network for a fixed size takes smaller sets too. The place
    of the padding makes no difference; an empty set becomes zeros.

    Shape:
        $(\mathrm{batch}, n, d)$ to $(\mathrm{batch}, nd)$.

    Example:
        >>> import torch
        >>> x, mask = torch.tensor([[[1.0], [2.0], [3.0]]]), torch.tensor([[False, True, True]])
        >>> FlattenMembers()(x, mask=mask).tolist()
        [[2.0, 3.0, 0.0]]

    The perceptrons that chapters 7 to 11 train begin with it.
    """

    takes_members = pools = True

    def forward(
        self, x: Float[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None = None
    ) -> Float[Tensor, "batch n_d"]:
        """Flatten the sets, members first."""
        set_batch(x)
        set_mask(mask, x)
        members = members_of(mask)
        if members is not None and members.in_front:
            x = zero_padding(x, members)
        elif members is not None:
            absent, order = stable_sort(members.absent(3))
            x = x.gather(1, order.expand_as(x)).masked_fill_(absent, 0)
        return x.flatten(1)


def to_probabilities(probabilities: bool, outputs: int) -> list[nn.Module]:
    """Return the module that turns logits into probabilities, in a list, which may be empty.

    One logit goes through the sigmoid, several, one per class, through a softmax over them.
    """
    if not probabilities:
        return []
    return [nn.Sigmoid()] if outputs == 1 else [nn.Softmax(-1)]
