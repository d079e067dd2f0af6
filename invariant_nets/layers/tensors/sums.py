r"""The maps of a plan as sums, products and copies, without a matrix of pairs of indices.

$$y = \sum_t \mathrm{place}_t\bigl(\mathrm{reduce}_t(x)\, W_t\bigr)$$

over the kinds $t$ of maps: diagonals of the input are summed over the blocks that a node does not
keep, one product mixes the channels, and the result is broadcast along the blocks that a node of
the output does not keep, and added to its diagonal. The transposed maps are the same with input and
output exchanged. Sums, and what is made of them, are in at least single precision.
"""

from __future__ import annotations

from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

from invariant_nets._precision import as_written, product_type, widened
from invariant_nets.layers.tensors.diagonals import added_to_diagonal, diagonal, reduced
from invariant_nets.layers.tensors.partitions import Node, Partition, count
from invariant_nets.layers.tensors.plan import Kind, Plan

Nodes = dict[Node, Tensor]


class Sums:
    """The maps of a plan, or the transposed ones, at given sizes of the names."""

    def __init__(self, plan: Plan, sizes: dict[str, int], turned: bool = False) -> None:
        self.plan, self.sizes, self.turned = plan, sizes, turned
        self.inner, self.outer = plan.inner, plan.outer
        self.top, self.lower = plan.top, plan.lower
        if turned:
            self.inner, self.outer = self.outer, self.inner
            self.top = self.top.transposed() if self.top else None
            self.lower = [kind.transposed() for kind in self.lower]

    @cached_property
    def transposed(self) -> Sums:
        """The transposed maps."""
        return Sums(self.plan, self.sizes, not self.turned)

    def reduced(self, x: Float[Tensor, "batch *inner in"]) -> Nodes:
        """Return what of `x` the lower kinds see."""
        found: Nodes = {}
        for kind in self.lower:
            for node in kind.rows:
                reduced(self.inner, x, node, found)
        return found

    def mixed(self, nodes: Nodes, lower: Tensor, bias: Tensor | None) -> Nodes:
        """Return what the lower kinds add to the nodes of the output."""
        found: Nodes = {}
        for kind, weight in zip(self.lower, self._parts(lower), strict=True):
            if self.turned:  # bijection, column, channel out; row, channel in
                matrix = weight.movedim((-3, -1), (-4, -3))
            else:
                matrix = weight.movedim(-3, -2)
            matrix = matrix.flatten(-2).flatten(-4, -2)
            z = _times(_slots(kind, nodes), matrix)
            found |= zip(kind.columns, z.chunk(len(kind.columns), -1), strict=True)
        if bias is not None:
            for partition, constant in zip(self.outer.partitions, bias, strict=True):
                found[Node(partition, ())] = found[Node(partition, ())] + constant
        return found

    def gathered(self, nodes: Nodes, others: Nodes, lower: Tensor) -> Tensor:
        """Return the gradient of the lower weights: products of what both sides reduce to."""
        found = []
        for kind, weight in zip(self.lower, self._parts(lower), strict=True):
            u = _slots(kind, nodes).unsqueeze(1).flatten(1, -2)
            z = torch.cat([others[node] for node in kind.columns], -1).unsqueeze(1).flatten(1, -2)
            if lower.ndim == 3:
                u, z = u.flatten(0, 1), z.flatten(0, 1)
            s, r, p, i, o = weight.shape[-5:]
            product = u.mT @ z
            product = product.unflatten(-1, (p, o)).unflatten(-3, (s, r, i)).movedim(-2, -3)
            found.append(product.flatten(-5, -3))
        return torch.cat(found, -3)

    def _parts(self, lower: Tensor) -> list[Tensor]:
        """Return the weights of each kind, (…, bijections, rows, columns, in, out) of the plan."""
        kinds = self.plan.lower
        parts = lower.split([len(k.bijections) * len(k.rows) * len(k.columns) for k in kinds], -3)
        return [part.unflatten(-3, kind.shape) for kind, part in zip(kinds, parts, strict=True)]

    def spread(self, nodes: Nodes) -> dict[Partition, list[Tensor]]:
        """Return what is added to each diagonal of the output; sums broadcast along blocks."""
        found = {}
        for partition in self.outer.partitions:
            every, terms, below = count(partition), [], {}
            for kept in self.outer.kept(partition):
                parts = [t for t in (nodes.get(Node(partition, kept)), below.get(kept)) if t is not None]
                if not parts:
                    continue
                total = parts[0] if len(parts) == 1 else parts[0] + parts[1]
                if len(kept) == every:
                    terms.append(total)
                    continue
                block = min(set(range(every)) - set(kept))
                parent = tuple(sorted((*kept, block)))
                total = total.unsqueeze(1 + parent.index(block))
                if len(parent) == every:
                    terms.append(total)
                else:
                    below[parent] = below[parent] + total if parent in below else total
            found[partition] = terms
        return found

    def placed(self, x: Tensor, top: Tensor, nodes: Nodes) -> Float[Tensor, "batch *outer out"]:
        """Return what goes out, by operations that write new tensors."""
        kind, y = product_type(x), None
        for partition, terms in self.spread(nodes).items():
            if not terms:
                continue
            y = added_to_diagonal(self.outer, y, sum(terms[1:], terms[0]), partition, self.sizes)
        y = y.to(kind)
        for order, weight in zip(self.orders, top, strict=True):
            y = y + x.permute(order) @ weight
        return y

    def placed_in(
        self, x: Tensor, top: Tensor, nodes: Nodes, partner: Tensor | None = None
    ) -> tuple[Float[Tensor, "batch *outer out"], list[Tensor]]:
        """Return what goes out, written to one tensor; and `partner`ᵀ times what is mixed on top."""
        shape = (self.sizes[name] for name in self.outer.axes)
        channels = next(iter(nodes.values())).shape[-1]
        y = x.new_empty((x.shape[0], *shape, channels))
        products = []
        for number, (partition, terms) in enumerate(self.spread(nodes).items()):
            view = diagonal(self.outer, y, partition)
            if number == 0:
                if len(terms) > 1:
                    torch.add(terms[0], terms[1], out=view)
                else:
                    view.copy_(terms[0])
                for term in terms[2:]:
                    view.add_(term)
                flat = y.view(-1, channels)
                for order, weight in zip(self.orders, top, strict=True):
                    mixed = x.permute(order).reshape(-1, x.shape[-1])
                    flat.addmm_(mixed, weight)
                    if partner is not None:
                        products.append(partner.mT @ mixed)
            elif terms:
                view.add_(sum(terms[1:], terms[0]))
        return y, products

    @cached_property
    def orders(self) -> list[tuple[int, ...]]:
        """How the axes that come in are permuted to stand as those that go out, top map by map."""
        if self.top is None:
            return []
        inner, outer = self.inner.order, self.outer.order
        last = len(inner) + 1
        return [
            (0, *(1 + inner[s[outer.index(axis)]] for axis in range(len(outer))), last)
            for s in self.top.bijections
        ]


def _slots(kind: Kind, nodes: Nodes) -> Tensor:
    """Return the nodes of the input, their kept blocks permuted by each bijection, side by side."""
    found = []
    for s in kind.bijections:
        order = (0, *(1 + i for i in s), len(s) + 1)
        found += [widened(nodes[node]).permute(order) for node in kind.rows]
    return found[0] if len(found) == 1 else torch.cat(found, -1)


def _times(u: Tensor, matrix: Tensor) -> Tensor:
    """Multiply by one matrix, or by one for every batch entry."""
    with as_written(u):
        if matrix.ndim == 2:
            return u @ matrix
        flat = u.unsqueeze(1).flatten(1, -2) @ matrix
        return flat.unflatten(1, u.shape[1:-1] or (1,)).reshape(*u.shape[:-1], -1)
