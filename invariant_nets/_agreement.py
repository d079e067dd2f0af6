"""Whether all ranks of a process group were given the same: tensors are told apart by a digest."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import torch
import torch.distributed as dist
from jaxtyping import Int
from torch import Tensor

# The finalizer of Steele, Lea and Flood's SplitMix, as signed integers: it spreads a change of one
# bit over all 64.
_STEP = 0x9E3779B97F4A7C15 - (1 << 64)
_ROUNDS = ((30, 0xBF58476D1CE4E5B9 - (1 << 64)), (27, 0x94D049BB133111EB - (1 << 64)), (31, 1))
_BLOCK = 1 << 18
_INTEGERS = {1: torch.uint8, 2: torch.int16, 4: torch.int32}


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
    own = torch.stack([_digest(value).to(device) for value in values.values()])
    every = [torch.empty_like(own) for _ in range(dist.get_world_size(process_group))]
    dist.all_gather(every, own, group=process_group)
    columns = torch.stack(every).T.tolist()
    for (name, value), (first, *others) in zip(values.items(), columns, strict=True):
        different = [str(rank) for rank, digest in enumerate(others, 1) if digest != first]
        if different:
            raise ValueError(
                f"{name} must be the same, bit for bit, on all ranks of process_group; it is not "
                f"on rank{'s' * (len(different) > 1)} {', '.join(different)} what it is on rank 0; "
                f"here it is {_described(value)}"
            )


def _digest(value: object) -> Int[Tensor, ""]:
    if isinstance(value, Tensor):
        return _digest_of_bits(value, _number(_described(value)))
    if isinstance(value, list) and value and all(isinstance(item, Tensor) for item in value):
        digests = [_digest(item).cpu() for item in value]
        return _digest_of_bits(torch.stack(digests), _number(f"{len(value)} tensors"))
    return torch.tensor(_number(repr(value)))


def _digest_of_bits(x: Tensor, start: int) -> Int[Tensor, ""]:
    r"""Return $\mathrm{start} + \sum_i h(x_i + i c) \bmod 2^{64}$, a sum that depends on places."""
    bits = x.detach().resolve_conj().resolve_neg().contiguous().reshape(-1)
    bits = bits.view(_INTEGERS.get(x.element_size(), torch.int64))
    total = torch.tensor(start, device=x.device)
    for first in range(0, len(bits), _BLOCK):
        block = bits[first : first + _BLOCK].long()
        places = torch.arange(first + 1, first + 1 + len(block), device=x.device)
        total = total + _mixed(block + places * _STEP).sum()
    return total


def _mixed(z: Int[Tensor, " k"]) -> Int[Tensor, " k"]:
    for shift, factor in _ROUNDS:
        z = (z ^ (z >> shift)) * factor
    return z


def _number(text: str) -> int:
    # Python's own hash differs from process to process.
    return zlib.crc32(text.encode())


def _described(value: object) -> str:
    if isinstance(value, Tensor):
        return f"of shape {tuple(value.shape)}, {value.dtype}"
    return f"{len(value)} tensors" if isinstance(value, list) else repr(value)
