"""The sums with a gradient of their own: it is the transposed sums, and needs no graph of them."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from invariant_nets._sets import is_transformed
from invariant_nets.layers.tensors.partitions import Node
from invariant_nets.layers.tensors.plan import Plan
from invariant_nets.layers.tensors.sums import Sums


def tensor_maps(
    plan: Plan,
    x: Float[Tensor, "batch *inner in"],
    top: Float[Tensor, "bijections in out"],
    lower: Float[Tensor, "*batch maps in out"],
    bias: Float[Tensor, "outer out"] | None,
    sizes: dict[str, int],
) -> Float[Tensor, "batch *outer out"]:
    """Return the sum of all maps of a tensor.

    Args:
        plan: the maps.
        x: what comes in.
        top: the weights of the maps that keep all axes, of the type of `x`.
        lower: those of the others, for all or for each of the batch, in at least single precision.
        bias: what is added to each diagonal of the output, or None.
        sizes: how many indices each name has.
    """
    sums = Sums(plan, sizes)
    if is_transformed(x):
        return sums.placed(x, top, sums.mixed(sums.reduced(x), lower, bias))
    tensors = [t for t in (x, top, lower, bias) if t is not None]
    if torch.is_grad_enabled() and any(t.requires_grad for t in tensors):
        y: Tensor = _Maps.apply(sums, x, top, lower, bias)  # type: ignore[no-untyped-call]
        return y
    return sums.placed_in(x, top, sums.mixed(sums.reduced(x), lower, bias))[0]


class _Maps(torch.autograd.Function):
    """The sums, written to one tensor, forward and backward."""

    @staticmethod
    def forward(
        ctx: Any, sums: Sums, x: Tensor, top: Tensor, lower: Tensor, bias: Tensor | None
    ) -> Tensor:
        nodes = sums.reduced(x)
        ctx.sums, ctx.keys, ctx.biased = sums, list(nodes), bias is not None
        ctx.save_for_backward(x, top, lower, *nodes.values())
        return sums.placed_in(x, top, sums.mixed(nodes, lower, bias))[0]

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        sums: Sums = ctx.sums
        x, top, lower, *values = ctx.saved_tensors
        others = sums.transposed.reduced(g)
        created = torch.is_grad_enabled()  # a derivative of the derivative is asked for
        nodes = sums.reduced(x) if created else dict(zip(ctx.keys, values, strict=True))
        mixed = sums.transposed.mixed(others, lower, None)
        flat = x.reshape(-1, x.shape[-1])
        if created:
            of_x = sums.transposed.placed(g, top.mT, mixed)
            products = [
                flat.mT @ g.permute(order).reshape(-1, g.shape[-1])
                for order in sums.transposed.orders
            ]
        else:
            of_x, products = sums.transposed.placed_in(g, top.mT, mixed, flat)
        of_bias = None
        if ctx.biased:
            every = [others[Node(p, ())].sum(0) for p in sums.outer.partitions]
            of_bias = torch.stack(every)
        return (
            None,
            of_x,
            torch.stack(products) if products else torch.zeros_like(top),
            sums.gathered(nodes, others, lower),
            of_bias,
        )
