"""The lexicographic order of the rows of sets, by exact integer keys.

A float's bits, read as an integer, keep its order. Such a key and the number of its row make one
integer, so one sort of plain integers orders the rows and tells where they went. Rows that tie are
told apart afterwards: by their rank so far, the next key and the row, again in one integer.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor
from torch.nn.functional import pad

from invariant_nets._sets import front, members_first, permute_rows, zero_padding

FEW = 1 << 11  # rows that are sorted sooner than their keys are made
BLOCK = 1 << 15  # rows whose keys a cache holds, and which torch gives to no second thread
DTYPES = {torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64}
DTYPES |= {torch.float16, torch.bfloat16, torch.float32, torch.float64}
INTEGERS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


def row_order(
    x: Shaped[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None = None
) -> Int[Tensor, "batch n"]:
    """Return the order of the rows: NaN last, equal rows as they are, padding after the members."""
    if x.dtype not in DTYPES:
        raise TypeError(f"x must be of bool, float16 to float64 or uint8 to int64, got {x.dtype}")
    x = x.detach()
    if _compiling():  # a compiler cannot branch on ties
        order = stable_order(zero_padding(x, mask))
        return order if mask is None else order.gather(1, members_first(mask.gather(1, order)))
    if mask is None and _few(x):
        return _plain_order(x)
    return _blockwise(x, mask) if _in_memory(x) else packed_order(x, mask)


def stable_order(x: Shaped[Tensor, "batch n d"]) -> Int[Tensor, "batch n"]:
    """Return the order by a stable sort by each feature, the most significant one last."""
    order = torch.arange(x.shape[1], device=x.device).expand(x.shape[:2])
    for column in reversed(x.unbind(-1)):
        order = order.gather(1, column.gather(1, order).argsort(dim=1, stable=True))
    return order


def packed_order(
    x: Shaped[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None = None
) -> Int[Tensor, "batch n"]:
    """Return the order by one sort of the first feature's keys, and further ones of what ties."""
    x = _narrowed(x)
    bits, size = _bits(x)
    left = max(bits + size - 63, 0)  # the last bits of a key, where there is no room for them
    keys = _keys(x[..., 0]) >> left
    if mask is not None:
        keys = torch.where(mask, keys.long(), 1 << (bits - left - 1))  # larger than any key
    order, differs = _sorted_keys(keys, size)
    members = front(mask)
    if members is not None:
        differs |= ~members[:, 1:]
    return order if differs.all() else _ties_broken(x, order, differs, left)


def _blockwise(
    x: Shaped[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"] | None
) -> Int[Tensor, "batch n"]:
    sets = max(1, BLOCK // x.shape[1])
    blocks = torch.split(x, sets)
    masks = [None] * len(blocks) if mask is None else torch.split(mask, sets)
    threads = min(torch.get_num_threads(), len(blocks))
    if threads == 1:
        return torch.cat([packed_order(*block) for block in zip(blocks, masks, strict=True)])
    with ThreadPoolExecutor(threads) as pool:
        return torch.cat(list(pool.map(packed_order, blocks, masks)))


def rows_in_order(
    x: Shaped[Tensor, "batch n d"], order: Int[Tensor, "batch n"]
) -> Shaped[Tensor, "batch n d"]:
    """Permute rows by an order that needs no check: many take half the time of a gather."""
    if _compiling() or _few(x):
        return permute_rows(x, order)
    batch, n, _ = x.shape
    first = torch.arange(0, batch * n, n, device=x.device)[:, None]
    return x.flatten(0, 1).index_select(0, (order + first).flatten()).view_as(x)


def _compiling() -> bool:
    return torch.compiler.is_compiling() or torch._C._is_tracing()


def _few(x: Shaped[Tensor, "batch n d"]) -> bool:
    return x.shape[0] * x.shape[1] <= FEW


def _plain_order(x: Shaped[Tensor, "batch n d"]) -> Int[Tensor, "batch n"]:
    keys, order = x[..., 0].sort(1)
    # Sorted keys that do not grow tie; NaN never compares greater, so it counts as a tie.
    tied = ~(keys[:, 1:] > keys[:, :-1]).all(1)
    if tied.any():
        order[tied] = stable_order(x[tied])
    return order


def _ties_broken(
    x: Shaped[Tensor, "batch n d"],
    order: Int[Tensor, "batch n"],
    differs: Bool[Tensor, "batch pairs"],
    left: int,
) -> Int[Tensor, "batch n"]:
    # The order is right but for the last `left` bits of the first feature and for the other
    # features; `differs` tells which neighbors in it are told apart already.
    begins = pad(differs, (1, 0), value=True).flatten()
    ends = pad(differs, (0, 1), value=True).flatten()
    places = (~(begins & ends)).nonzero().squeeze(1)
    if 16 * len(places) > order.numel():
        return _refined(x, order, differs, left)
    # Few rows tie: they are put in order as one set of their own.
    rows = order.flatten()[places]
    alone = torch.arange(len(places), device=x.device)[None]
    alone = _refined(x[None, places // x.shape[1], rows], alone, begins[None, places[1:]], left)
    return order.flatten().index_copy(0, places, rows[alone[0]]).view_as(order)


def _refined(
    x: Shaped[Tensor, "batch n d"],
    order: Int[Tensor, "batch n"],
    differs: Bool[Tensor, "batch pairs"],
    left: int,
) -> Int[Tensor, "batch n"]:
    bits, size = _bits(x)
    width = 63 - 2 * size  # what a rank and a row leave of an integer
    pieces = [(0, high) for high in range(left, 0, -width)]
    pieces += [(j, high) for j in range(1, x.shape[2]) for high in range(bits, 0, -width)]
    sets, here, passes, look = torch.arange(x.shape[0], device=x.device), order, 0, 0
    while pieces:
        tied = ~differs.all(1)
        if passes == look and len(pieces) > 1:  # a look ahead costs as much as a pass or more
            tied, useful = _ahead(x, here, differs)
            pieces = [piece for piece in pieces if useful[piece[0]]]
            look = 4 * passes + 4
        passes += 1
        kept = tied.nonzero().squeeze(1)
        if not pieces or len(kept) == 0:
            break
        if len(kept) < len(sets):
            x, sets, here, differs = (t.index_select(0, kept) for t in (x, sets, here, differs))
        column, high = pieces.pop(0)
        low = max(high - width, 0)
        keys = _keys(x[..., column]) >> low
        if high < bits:
            keys = keys & ((1 << (high - low)) - 1)
        ranks = torch.zeros_like(here, dtype=torch.int32)
        ranks.scatter_(1, here[:, 1:], differs.cumsum(1, dtype=torch.int32))
        here, differs = _sorted_keys(keys, size, ranks)
        order.index_copy_(0, sets, here)
    return order


def _ahead(
    x: Shaped[Tensor, "batch n d"],
    order: Int[Tensor, "batch n"],
    differs: Bool[Tensor, "batch pairs"],
) -> tuple[Bool[Tensor, " batch"], list[bool]]:
    # The sets in which tied rows are not the same, bit by bit, and the features that differ at all.
    rows = rows_in_order(x.view(INTEGERS[x.element_size()]), order)
    apart = (rows[:, 1:] != rows[:, :-1]).view(torch.uint8)  # amax is many times as fast as any
    tied = (apart.amax(2).bool() & ~differs).any(1)
    return tied, [bool(feature) for feature in apart.flatten(0, 1).amax(0)]


def _narrowed(x: Shaped[Tensor, "batch n d"]) -> Shaped[Tensor, "batch n d"]:
    # 64-bit integers are mostly small, and their keys are shorter then.
    if x.dtype != torch.int64 or not x.numel():
        return x
    least, largest = x.aminmax()
    limits = torch.iinfo(torch.int32)
    return x.int() if limits.min <= least and largest <= limits.max else x


def _bits(x: Shaped[Tensor, "batch n d"]) -> tuple[int, int]:
    # Of a key, and of the number of a row.
    return 64 if x.element_size() == 8 else 32, (x.shape[1] - 1).bit_length()


def _keys(column: Shaped[Tensor, "batch n"]) -> Int[Tensor, "batch n"]:
    # Integers in the order of the numbers: a positive float's bits, and those of a negative one
    # with all but the sign flipped; −0 + 0 = 0 makes both zeros equal. All NaN get the largest key.
    kind = torch.int64 if column.element_size() == 8 else torch.int32
    if not column.is_floating_point():
        return column.to(kind)
    floats = (column if kind is torch.int64 else column.float()) + 0.0
    bits, limits = floats.view(kind), torch.iinfo(kind)
    keys = (bits >> limits.bits - 1).bitwise_and_(limits.max).bitwise_xor_(bits)
    return keys.masked_fill_(floats.isnan(), limits.max)


def _sorted_keys(
    keys: Int[Tensor, "batch n"], size: int, ranks: Int[Tensor, "batch n"] | None = None
) -> tuple[Int[Tensor, "batch n"], Bool[Tensor, "batch pairs"]]:
    # The stable order by rank and key, and which neighbors in it have different ones.
    places = torch.arange(keys.shape[1], device=keys.device)
    packed = torch.add(places, keys, alpha=1 << size)
    if ranks is not None:
        packed.add_(ranks, alpha=1 << (63 - size))
    packed = _sorted(packed)
    keys = packed >> size
    return packed.bitwise_and_((1 << size) - 1), keys[:, 1:] != keys[:, :-1]


def _sorted(values: Int[Tensor, "batch n"]) -> Int[Tensor, "batch n"]:
    # NumPy sorts integers with vector instructions, several times as fast as torch.sort.
    if not _in_memory(values):
        return values.sort(1).values
    values.numpy().sort()
    return values


def _in_memory(x: Tensor) -> bool:
    # Whether NumPy would see the numbers; those of torch.func stand for others.
    plain = type(x) is Tensor and not torch._C._are_functorch_transforms_active()
    return plain and x.device.type == "cpu"
