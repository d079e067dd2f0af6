r"""Averages over a group that several ranks share.

The sum over a group $G$ splits into the sums over the parts $P_1, \dots, P_K$ of its list of
elements, one part per rank. A rank averages over its own part, and an all-reduce adds the parts,

$$\bar f(x) = \sum_{r=1}^K \frac{|P_r|}{|G|} \cdot \frac1{|P_r|} \sum_{\sigma \in P_r}
\rho(\sigma)^{-1} f_\theta(\sigma x).$$

The gradient of a sum is the sum of the gradients, so the backward pass is a second all-reduce:
every rank knows $\partial\mathcal L / \partial \bar f$, and the ranks add their parts of
$\partial\mathcal L / \partial x$ and of $\partial\mathcal L / \partial\theta$.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor

from invariant_nets._precision import widened
from invariant_nets._sets import at_least_single
from invariant_nets.averaging.inner_graph import hidden_leaf, inner_gradients
from invariant_nets.ranks import shard

PartialAverage = Callable[[Tensor, slice], Tensor]


@dataclass
class _Part:
    """What this rank does: the average over a part, and the part's share of the whole."""

    average: Callable[[Tensor], Tensor]
    share: float
    process_group: dist.ProcessGroup


def sharded_average(
    average: PartialAverage,
    x: Float[Tensor, "batch n *d"],
    *,
    count: int,
    parameters: Sequence[Tensor],
    process_group: dist.ProcessGroup,
    alike: Mapping[str, object] | None = None,
) -> Float[Tensor, "batch *out"]:
    r"""Return an average over many permutations to which every rank contributes its part.

    On every rank the output is the whole average, and a backward pass gives `x` and the parameters
    their whole gradients: those of one process, up to rounding. So the ranks take the same steps,
    and nothing else needs to be averaged over them. All ranks must call it, and go backward,
    together, with the same loss. There is no second derivative.

    Random layers draw on every rank separately, and batch normalization uses the sets of its own
    rank. If there are more ranks than permutations, some ranks evaluate one with weight 0.

    Args:
        average: maps the sets and a range of permutations to the average over them.
        x: the sets, the same on every rank. If they come from layers that round differently on
            different machines, broadcast them first.
        count: how many permutations there are; a rank averages over its `shard` of them.
        parameters: the tensors besides `x` that get gradients.
        process_group: the ranks.
        alike: other values that must be the same on all ranks, by name.

    Raises:
        RuntimeError: if the average depends on a tensor that requires grad and is neither `x` nor
            a parameter; in a backward pass with `create_graph=True`.
        ValueError: on all ranks, if they have different `x`, bit for bit, or differ in something
            that must be alike.

    Example:
        >>> store = dist.HashStore()
        >>> dist.init_process_group("gloo", store=store, rank=0, world_size=1)
        >>> numbers, x = torch.arange(4.0), torch.ones(2, 3, 1, requires_grad=True)
        >>> mean = lambda x, part: x.sum((1, 2)) * numbers[part].mean()
        >>> y = sharded_average(mean, x, count=4, parameters=[], process_group=dist.group.WORLD)
        >>> y.tolist()
        [4.5, 4.5]
        >>> dist.destroy_process_group()

    Derived in appendix B.
    """
    device = x.device if isinstance(x, Tensor) else torch.device("cpu")
    wanted = {
        "x": torch.is_grad_enabled() and getattr(x, "requires_grad", False),
        "numbers": sum(p.numel() for p in parameters) if torch.is_grad_enabled() else 0,
    }
    agree(process_group, device, {"x": x, **(alike or {}), "what gets gradients": wanted})
    if not isinstance(x, Tensor):
        raise TypeError(f"x must be a tensor, got {type(x).__name__}")
    numbers = shard(count, dist.get_rank(process_group), dist.get_world_size(process_group))
    # A rank without any number works on the first one, so that all know the output's shape.
    rows = slice(numbers.start, numbers.stop) if numbers else slice(0, 1)
    part = _Part(lambda sets: average(sets, rows), len(numbers) / count, process_group)
    if not torch.is_grad_enabled():
        return _added_up(part.average(x), part)
    output: Tensor = _ShardedAverage.apply(part, x, *parameters)  # type: ignore[no-untyped-call]
    return output


class _ShardedAverage(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, part: _Part, x: Tensor, *parameters: Tensor) -> Tensor:
        with torch.enable_grad():
            x = x.detach().requires_grad_(ctx.needs_input_grad[1])
            local = part.average(x)
        if (leaf := hidden_leaf(local, (x, *parameters))) is not None:
            raise RuntimeError(
                "process_group gives gradients to the input and to the model's parameters only, "
                "but the output depends on another tensor that requires grad, of shape "
                f"{tuple(leaf.shape)}; register it as a parameter of the model"
            )
        ctx.part, ctx.local, ctx.inputs = part, local if part.share else None, (x, *parameters)
        return _added_up(local.detach(), part)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():  # create_graph=True
            raise RuntimeError(
                "an average with a process_group has no second derivative: go backward without "
                "create_graph=True"
            )
        asked = ctx.needs_input_grad[1:]
        inputs = [tensor for tensor, wanted in zip(ctx.inputs, asked, strict=True) if wanted]
        parts: Sequence[Tensor | None] = [None] * len(inputs)
        if ctx.local is not None and ctx.local.requires_grad:
            gradients = inner_gradients(ctx.local, inputs, gradient)
            parts = [None if g is None else widened(g) * ctx.part.share for g in gradients]
        sums = iter(_summed(parts, inputs, ctx.part.process_group))
        return None, *[next(sums) if wanted else None for wanted in asked]


def _added_up(local: Tensor, part: _Part) -> Tensor:
    # A part without weight adds nothing, not even 0 · ∞.
    wide = widened(local)
    weighted = wide * part.share if part.share else torch.zeros_like(wide)
    total = weighted.contiguous()
    dist.all_reduce(total, group=part.process_group)
    return total.to(local.dtype)


def _summed(
    parts: Sequence[Tensor | None], inputs: Sequence[Tensor], process_group: dist.ProcessGroup
) -> list[Tensor | None]:
    """Add up the gradients of all ranks; None where no rank has any, as autograd says it."""
    sums: list[Tensor | None] = [None] * len(inputs)
    kinds: dict[tuple[torch.device, torch.dtype], list[int]] = {}
    for number, x in enumerate(inputs):
        kinds.setdefault((x.device, at_least_single(x.dtype)), []).append(number)
    for (device, dtype), numbers in kinds.items():
        own = [parts[number] for number in numbers]
        like = [inputs[number] for number in numbers]
        used = torch.tensor([p is not None for p in own], dtype=dtype, device=device)
        filled = [
            torch.zeros_like(x, dtype=dtype) if p is None else p
            for p, x in zip(own, like, strict=True)
        ]
        flat = torch.cat([*(p.reshape(-1) for p in filled), used])
        dist.all_reduce(flat, group=process_group)
        first = 0
        for number, x, counted in zip(numbers, like, flat[-len(like) :].tolist(), strict=True):
            if counted:
                sums[number] = flat[first : first + x.numel()].view(x.shape).to(x.dtype)
            first += x.numel()
    return sums


def process_group_of(process_group: object) -> dist.ProcessGroup:
    """Return a process group that this rank is in, or raise."""
    if not dist.is_available():
        raise ValueError("process_group must be None: this torch comes without torch.distributed")
    if isinstance(process_group, dist.ProcessGroup):
        return process_group
    if isinstance(process_group, int) and process_group == dist.GroupMember.NON_GROUP_MEMBER:
        raise ValueError(f"process_group must have this rank, {dist.get_rank()}, among its ranks")
    raise TypeError(
        "process_group must be a torch.distributed.ProcessGroup, such as that of one axis of a "
        f"device mesh, mesh.get_group(name), got {type(process_group).__name__}"
    )


def agree(
    process_group: dist.ProcessGroup, device: torch.device, values: Mapping[str, object]
) -> None:
    """Raise on every rank unless all ranks have the same values, bit for bit.

    Args:
        process_group: the ranks; all of them must call.
        device: where the collective operation takes place.
        values: each by its name, on all ranks in the same order: a tensor, a list of tensors, or
            something whose `repr` tells it.

    Raises:
        ValueError: it names the first value in which the ranks differ.
    """
    digests = [list(_digest(value)) for value in values.values()]
    own = torch.tensor(digests, dtype=torch.uint8, device=device)
    every = [torch.empty_like(own) for _ in range(dist.get_world_size(process_group))]
    dist.all_gather(every, own, group=process_group)
    columns = torch.stack(every, 1).tolist()
    for (name, value), (first, *others) in zip(values.items(), columns, strict=True):
        different = [str(rank) for rank, digest in enumerate(others, 1) if digest != first]
        if different:
            raise ValueError(
                f"{name} must be the same, bit for bit, on all ranks of process_group; it is not "
                f"on rank{'s' * (len(different) > 1)} {', '.join(different)} what it is on rank 0; "
                f"here it is {_described(value)}"
            )


def _digest(value: object) -> bytes:
    # Of the bits, in the order of the places, and of shape and type.
    if isinstance(value, Tensor):
        bits = value.detach().cpu().resolve_conj().resolve_neg().contiguous().view(-1)
        return _sha256(_described(value).encode(), bits.view(torch.uint8).numpy())
    if isinstance(value, list) and value and all(isinstance(item, Tensor) for item in value):
        return _sha256(b"tensors", *map(_digest, value))
    return _sha256(repr(value).encode())


def _sha256(*parts: Any) -> bytes:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.digest()


def _described(value: object) -> str:
    if isinstance(value, Tensor):
        return f"of shape {tuple(value.shape)}, {value.dtype}"
    return f"{len(value)} tensors" if isinstance(value, list) else repr(value)
