"""The sums with a gradient of their own: it is the transposed sums, and needs no graph of them."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from invariant_nets._precision import as_written
from invariant_nets._sets import is_transformed
from invariant_nets.layers.tensors.sums import Sums


def tensor_maps(
    sums: Sums,
    x: Float[Tensor, "batch *inner in"],
    top: Float[Tensor, "bijections in out"],
    lower: Float[Tensor, "*batch maps in out"],
    bias: Float[Tensor, "outer out"] | None,
    sizes: dict[str, int],
) -> Float[Tensor, "batch *outer out"]:
    """Return the sum of all maps of a tensor.

    Args:
        sums: the maps.
        x: what comes in.
        top: the weights of the maps that keep all axes, of the type of `x`.
        lower: those of the others, for all or for each of the batch, in at least single precision.
        bias: what is added to each diagonal of the output, or None.
        sizes: how many indices each name has.
    """
    if is_transformed(x):
        with as_written(x):
            nodes = sums.mixed(sums.slots(sums.reduced(x)), lower, bias)
        return sums.placed(x, top, nodes, sizes)
    tensors = [t for t in (x, top, lower, bias) if t is not None]
    if torch.is_grad_enabled() and any(t.requires_grad for t in tensors):
        y: Tensor = _Maps.apply(sums, sizes, x, top, lower, bias)  # type: ignore[no-untyped-call]
        return y
    return sums.placed_in(x, top, sums.mixed(sums.slots(sums.reduced(x)), lower, bias), sizes)[0]


class _Maps(torch.autograd.Function):
    """The sums, written to one tensor, forward and backward."""

    @staticmethod
    def forward(
        ctx: Any,
        sums: Sums,
        sizes: dict[str, int],
        x: Tensor,
        top: Tensor,
        lower: Tensor,
        bias: Tensor | None,
    ) -> Tensor:
        slots = sums.slots(sums.reduced(x))
        ctx.sums, ctx.sizes, ctx.biased = sums, sizes, bias is not None
        ctx.save_for_backward(x, top, lower, *slots)
        return sums.placed_in(x, top, sums.mixed(slots, lower, bias), sizes)[0]

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        sums, sizes = ctx.sums, ctx.sizes
        x, top, lower, *slots = ctx.saved_tensors
        nodes = sums.transposed.reduced(g)
        others = sums.transposed.slots(nodes)
        created = torch.is_grad_enabled()  # a derivative of the derivative is asked for
        if created:
            slots = sums.slots(sums.reduced(x))
        mixed = sums.transposed.mixed(others, lower, None)
        flat = x.reshape(-1, x.shape[-1])
        if created:
            of_x = sums.transposed.placed(g, top.mT, mixed, sizes)
            products = [
                flat.mT @ g.permute(order).reshape(-1, g.shape[-1])
                for order in sums.transposed.orders
            ]
        else:
            of_x, products = sums.transposed.placed_in(g, top.mT, mixed, sizes, flat)
        of_bias = None
        if ctx.biased:
            every = [nodes[d.nodes[-1].index] for d in sums.outer.diagonals]
            of_bias = torch.stack(every).sum(1)
        return (
            None,
            None,
            of_x,
            torch.stack(products) if products else torch.zeros_like(top),
            sums.gathered(slots, others, lower.ndim == 3),
            of_bias,
        )
