"""The rows of sets in another order, which every exporter and compiler can follow."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor

WIDE, MANY = 4, 8192  # numbers of a row, and of all sets


def permute_rows(
    x: Shaped[Tensor, "batch n d"], orders: Int[Tensor, "batch n"]
) -> Shaped[Tensor, "batch n d"]:
    r"""Permute the rows of every set by a permutation of its own: $y_{bi} = x_{b, \sigma_b(i)}$."""
    if is_traced() or x.shape[-1] < WIDE or x.numel() < MANY or x.requires_grad:
        return x.gather(1, orders.unsqueeze(-1).expand_as(x))
    # A gather looks up every number; of wide rows it is faster to copy each whole.
    starts = torch.arange(0, len(x) * x.shape[1], x.shape[1], device=x.device).unsqueeze(1)
    return x.flatten(0, 1).index_select(0, (orders + starts).flatten()).view_as(x)


def is_traced() -> bool:
    """Return whether a compiler, a trace or a transform of `torch.func` sees every operation.

    Then nothing may depend on the numbers in a tensor.
    """
    return (
        torch.compiler.is_compiling()
        or torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
        # Private: `torch.func` does not tell, and numbers behind `vmap` cannot be asked for.
        or torch._C._are_functorch_transforms_active()
    )


def is_in_onnx_export() -> bool:
    """Return whether torch is exporting to ONNX."""
    return torch.compiler.is_compiling() and _asked()


def _asked() -> bool:  # at once: a compiler would take it for false
    return torch.onnx.is_in_onnx_export()


# As by `torch.compiler.assume_constant_result`, which would import the whole compiler.
_asked._dynamo_marked_constant = True  # type: ignore[attr-defined]


def refuse_onnx(name: str, instead: str) -> None:
    """Raise if torch is exporting what draws permutations to ONNX, and say what to do instead."""
    if is_in_onnx_export():
        raise ValueError(
            f"{name} draws permutations anew at each call, which cannot be exported to ONNX: "
            f"{instead}"
        )


def stable_sort(
    x: Shaped[Tensor, "*shape"], dim: int = 1, descending: bool = False
) -> tuple[Shaped[Tensor, "*shape"], Int[Tensor, "*shape"]]:
    """Sort so that equal numbers stay in order; return the sorted tensor and the order."""
    if not is_in_onnx_export():
        values, order = x.sort(dim=dim, descending=descending, stable=True)
        return values, order
    # ONNX has no stable sort. A place is the number of all that come before, so no two are equal.
    keys = (x.int() if x.dtype == torch.bool else x).movedim(dim, -1)
    mine, others = keys[..., None], keys[..., None, :]
    first, last = _less(others, mine), _less(mine, others)
    if descending:
        first, last = last, first
    earlier = torch.ones(2 * keys.shape[-1:], dtype=torch.bool, device=x.device).tril(-1)
    places = (first | (~last & earlier)).sum(-1)
    order = places.argsort(-1).movedim(-1, dim)
    return x.gather(dim, order), order


def _less(a: Shaped[Tensor, "*shape"], b: Shaped[Tensor, "*shape"]) -> Bool[Tensor, "*shape"]:
    return (a < b) | (b.isnan() & ~a.isnan()) if a.is_floating_point() else a < b


def members_first(mask: Bool[Tensor, "*shape"], dim: int = 1) -> Int[Tensor, "*shape"]:
    """Return the order that moves the members to the front and leaves their order as it is."""
    return stable_sort(mask, dim, descending=True)[1]


def front(mask: Bool[Tensor, "batch n"] | None) -> Bool[Tensor, "batch n"] | None:
    """Return the mask of the sets whose members were moved to the front."""
    if mask is None:
        return None
    return torch.arange(mask.shape[1], device=mask.device) < mask.sum(1, keepdim=True)
