r"""The maps of a plan as sums, products and copies, without a matrix of pairs of indices.

$$y = \sum_t \mathrm{place}_t\bigl(\mathrm{reduce}_t(x)\, W_t\bigr)$$

over the kinds $t$ of maps: diagonals of the input are summed over the blocks that a node does not
keep, one product mixes the channels, and the result is broadcast along the blocks that a node of
the output does not keep, and added to its diagonal. The transposed maps are the same with input and
output exchanged. Sums, and what is made of them, are in at least single precision.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from invariant_nets._precision import product_type, widened
from invariant_nets._sets import at_least_single
from invariant_nets.layers.partitions.plan import Kind, Plan
from invariant_nets.layers.partitions.sides import Diagonal, Node
from invariant_nets.layers.tensors.diagonals import spread_out, view_of

Nodes = dict[int, Tensor]  # by the index of a node


class Sums:
    """The maps of a plan, or the transposed ones, as lists of what is to be done.

    Attributes:
        plan: the maps.
        inner: the side that comes in.
        outer: the side that goes out.
        lower: all kinds of maps but the top.
        orders: how the axes that come in are permuted by each map of the top.
        transposed: the transposed maps.
    """

    transposed: Sums

    def __init__(self, plan: Plan, turned: bool) -> None:
        self.plan, self.turned = plan, turned
        self.inner, self.outer = (plan.outer, plan.inner) if turned else (plan.inner, plan.outer)
        self.lower = [kind.transposed() if turned else kind for kind in plan.lower]
        self.shapes = [kind.shape for kind in plan.lower]
        self.lengths = [kind.stop - kind.start for kind in plan.lower]
        self.needed = self._needed()
        self.orders: list[tuple[int, ...]] = []
        if plan.top is not None:
            inner, outer = (
                [axis for (axis,) in side.diagonals[0].blocks] for side in (self.inner, self.outer)
            )
            where = range(len(outer))
            self.orders = [
                (0, *(1 + inner[s[outer.index(axis)]] for axis in where), len(inner) + 1)
                for s in (plan.top.transposed() if turned else plan.top).bijections
            ]

    def __reduce__(self) -> tuple[Any, ...]:
        """Be made once, also by what is read from a file."""
        return (sums_of, (self.plan,)) if not self.turned else (_transposed, (self.plan,))

    def __deepcopy__(self, memo: dict[int, Any]) -> Sums:
        """Be shared by copies of a layer."""
        return self

    def _needed(self) -> list[tuple[Diagonal, list[Node]]]:
        """Return the nodes that are rows of a kind, or lead to one, by diagonals."""
        needed: set[int] = set()
        for kind in self.lower:
            for row in kind.rows:
                node: Node | None = row
                while node is not None:
                    needed.add(node.index)
                    node = node.parent
        return [(d, [n for n in d.nodes if n.index in needed]) for d in self.inner.diagonals]

    def reduced(self, x: Float[Tensor, "batch *inner in"]) -> Nodes:
        """Return what of `x` the lower kinds see."""
        wide = at_least_single(x.dtype)
        found: Nodes = {}
        for diagonal, nodes in self.needed:
            for node in nodes:
                if node.parent is None:
                    found[node.index] = view_of(x, diagonal)
                else:
                    found[node.index] = found[node.parent.index].sum(node.axis, dtype=wide)
        return found

    def slots(self, nodes: Nodes) -> list[Tensor]:
        """Return what each lower kind sees: nodes side by side, their blocks in all orders."""
        return [_slots(kind, nodes) for kind in self.lower]

    def mixed(self, slots: list[Tensor], lower: Tensor, bias: Tensor | None) -> Nodes:
        """Return what the lower kinds add to the nodes of the output."""
        found: Nodes = {}
        parts = torch.split_with_sizes(lower, self.lengths, -3)
        lead = lower.shape[:-3]
        for kind, triple, u, part in zip(self.lower, self.shapes, slots, parts, strict=True):
            # A row of the matrix is a bijection, a node and a channel that come in.
            order = (0, 2, 4, 1, 3) if self.turned else (0, 1, 3, 2, 4)
            weight = part.reshape(*lead, *triple, *part.shape[-2:])
            weight = weight.permute(*range(len(lead)), *(len(lead) + i for i in order))
            shape = (math.prod(weight.shape[len(lead) : -2]), math.prod(weight.shape[-2:]))
            z = _times(u, weight.reshape(*lead, *shape))
            pieces = z.chunk(len(kind.columns), -1)
            for node, piece in zip(kind.columns, pieces, strict=True):
                found[node.index] = piece
        if bias is not None:
            for diagonal, constant in zip(self.outer.diagonals, bias.unbind(), strict=True):
                index = diagonal.nodes[-1].index
                found[index] = found[index] + constant
        return found

    def gathered(self, slots: list[Tensor], others: list[Tensor], one: bool) -> Tensor:
        """Return the gradient of the lower weights: products of what both sides reduce to.

        Args:
            slots: what the lower kinds see of the input.
            others: what the transposed kinds see of the gradient of the output.
            one: whether all of the batch have the same weights.
        """
        found = []
        for (s, r, p), u, z in zip(self.shapes, slots, others, strict=True):
            i, o = u.shape[-1] // (s * r), z.shape[-1] // (s * p)
            z = z[..., : p * o]  # the blocks in the order in which they stand
            lead = () if one else (len(u), math.prod(u.shape[1:-1]))
            u, z = (t.reshape(*(lead or (-1,)), t.shape[-1]) for t in (u, z))
            product = (u.mT @ z).view(*lead[:1], s * r, i, p, o)
            found.append(product.transpose(-3, -2).reshape(*lead[:1], s * r * p, i, o))
        return torch.cat(found, -3)

    def spread(self, nodes: Nodes) -> list[list[Tensor]]:
        """Return what is added to each diagonal of the output: sums of parts that are broadcast."""
        found, above = [], dict(nodes)
        for diagonal in self.outer.diagonals:
            terms: list[Tensor] = []
            for node in reversed(diagonal.nodes):
                part = above.get(node.index)
                if part is None:
                    continue
                if node.parent is None:
                    terms.append(part)
                    continue
                part, index = part.unsqueeze(node.axis), node.parent.index
                if node.parent.parent is None and index not in nodes:
                    terms.append(part)
                else:
                    above[index] = above[index] + part if index in above else part
            found.append(terms)
        return found

    def placed(
        self, x: Tensor, top: Tensor, nodes: Nodes, sizes: dict[str, int]
    ) -> Float[Tensor, "batch *outer out"]:
        """Return what goes out, by operations that write new tensors."""
        y: Tensor | None = None
        for diagonal, terms in zip(self.outer.diagonals, self.spread(nodes), strict=True):
            if terms:
                part = spread_out(sum(terms[1:], terms[0]), self.outer, diagonal, sizes)
                y = part if y is None else y + part
        assert y is not None  # the whole that comes in is added to the whole that goes out
        y = y.to(product_type(x))
        for order, weight in zip(self.orders, top.unbind(), strict=True):
            y = y + x.permute(order) @ weight
        return y

    def placed_in(
        self,
        x: Tensor,
        top: Tensor,
        nodes: Nodes,
        sizes: dict[str, int],
        partner: Float[Tensor, "entries out"] | None = None,
    ) -> tuple[Float[Tensor, "batch *outer out"], list[Tensor]]:
        """Return what goes out, written to one tensor; and `partner`ᵀ times what the top takes."""
        first, *others = zip(self.outer.diagonals, self.spread(nodes), strict=True)
        channels = first[1][0].shape[-1]
        y = x.new_empty((x.shape[0], *(sizes[name] for name in self.outer.axes), channels))
        whole, products = view_of(y, first[0]), []
        one, *more = first[1]
        if more and tuple(map(max, one.shape, more[0].shape)) == whole.shape:
            torch.add(one, more.pop(0), out=whole)
        else:
            whole.copy_(one)
        for term in more:
            whole.add_(term)
        flat = y.view(-1, channels)
        for order, weight in zip(self.orders, top.unbind(), strict=True):
            mixed = x.permute(order).reshape(-1, x.shape[-1])
            flat.addmm_(mixed, weight)
            if partner is not None:
                products.append(partner.mT @ mixed)
        for diagonal, terms in others:
            if terms:
                view_of(y, diagonal).add_(sum(terms[1:], terms[0]))
        return y, products


@cache
def sums_of(plan: Plan) -> Sums:
    """Return the maps of a plan and, as its attribute, the transposed ones; made once."""
    sums, back = Sums(plan, turned=False), Sums(plan, turned=True)
    sums.transposed, back.transposed = back, sums
    return sums


def _transposed(plan: Plan) -> Sums:
    return sums_of(plan).transposed


def _slots(kind: Kind, nodes: Nodes) -> Tensor:
    values = [nodes[node.index] for node in kind.rows]
    if len(kind.bijections) > 1:
        last = values[0].ndim - 1
        values = [v.permute(0, *(1 + i for i in s), last) for s in kind.bijections for v in values]
    return _side_by_side(values)


def _side_by_side(values: list[Tensor]) -> Tensor:
    return widened(values[0]) if len(values) == 1 else torch.cat([*map(widened, values)], -1)


def _times(u: Tensor, matrix: Tensor) -> Tensor:
    """Multiply by one matrix, or by one for each of the batch."""
    if matrix.ndim == 2:
        return u @ matrix
    flat = u.unsqueeze(1).flatten(1, -2) @ matrix
    return flat.view(*u.shape[:-1], matrix.shape[-1])
