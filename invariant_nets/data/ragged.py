r"""Sets of different sizes in one tensor: padding, and a mask that marks the members."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Shaped
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import default_collate

from invariant_nets._arguments import int_at_least, set_batch, set_mask


class PaddedSets(NamedTuple):
    """A batch of sets of different sizes; made by `pad_sets`.

    Attributes:
        x: the sets, their members first, then zeros.
        mask: true where a member is.
    """

    x: Shaped[Tensor, "batch n d"]
    mask: Bool[Tensor, "batch n"]


def pad_sets(sets: Sequence[Shaped[Tensor, "n_i d"]] | Tensor, n: int | None = None) -> PaddedSets:
    r"""Put sets of different sizes into one tensor, with a mask that marks the members.

    Every layer and model of the package takes both as `model(x, mask=mask)`, and its output for
    each set is what it is for that set alone.

    Args:
        sets: the sets, at least one, $(n_i, d)$ each with the same $d$, of one type of numbers; or
            a nested tensor of them. A set may be empty, $(0, d)$.
        n: the number of rows, at least the size of the largest set; by default that size, or 1 if
            all sets are empty.

    Shape:
        $(n_1, d), \dots, (n_B, d)$ to `x` $(B, n, d)$ and `mask` $(B, n)$.

    Raises:
        TypeError: if a set is no tensor, or the sets have several types of numbers.
        ValueError: if there is no set, one has another shape, they lie on several devices, or `n`
            is too small.

    Example:
        >>> x, mask = pad_sets([torch.ones(1, 2), torch.ones(3, 2)])
        >>> x.shape, mask.tolist()
        (torch.Size([2, 3, 2]), [[True, False, False], [True, True, True]])

    Used in chapter 13.
    """
    if isinstance(sets, Tensor) and not sets.is_nested:
        raise TypeError(
            "sets must be a sequence of tensors or a nested tensor, got a tensor of shape "
            f"{tuple(sets.shape)}"
        )
    if not isinstance(sets, Iterable):
        raise TypeError(f"sets must be a sequence of tensors, got {type(sets).__name__}")
    members = list(sets.unbind()) if isinstance(sets, Tensor) else list(sets)
    _check(members)
    sizes, n = _sizes(members, n)
    # One set of n rows makes all others as long; it is dropped again.
    longest = members[0].new_zeros(n, members[0].shape[1])
    x = pad_sequence([*members, longest], batch_first=True)[:-1]
    return PaddedSets(x, _present(sizes, n, x.device))


def pad_graphs(
    graphs: Sequence[Shaped[Tensor, "n_i n_i *edge"]], n: int | None = None
) -> PaddedSets:
    r"""Put graphs of different sizes into one tensor, with a mask that says which nodes there are.

    Args:
        graphs: the adjacency matrices, or features of all pairs of nodes, $(n_i, n_i)$ or
            $(n_i, n_i, e)$ with the same $e$; at least one, of one type of numbers.
        n: the number of nodes, at least that of the largest graph; by default its size, but 1 at
            least.

    Shape:
        $(n_1, n_1), \dots, (n_B, n_B)$ to `x` $(B, n, n)$ and `mask` $(B, n)$; with features of
        edges, `x` is $(B, n, n, e)$.

    Raises:
        TypeError: if a graph is no tensor, or they have several types of numbers.
        ValueError: if there is no graph, one has another shape, they lie on several devices, or `n`
            is too small.

    Example:
        >>> x, mask = pad_graphs([torch.ones(1, 1), torch.ones(3, 3)])
        >>> x.shape, x[0].sum().item(), mask.tolist()
        (torch.Size([2, 3, 3]), 1.0, [[True, False, False], [True, True, True]])

    Used in chapter 12.
    """
    several = list(graphs)
    _check_tensors("graphs", several)
    edge = several[0].shape[2:]
    for graph in several:
        if graph.ndim not in (2, 3) or graph.shape != (len(graph), len(graph), *edge):
            shape = ", ".join(["n_i", "n_i", *map(str, edge)])
            raise ValueError(f"graphs must all have shape ({shape}), got {tuple(graph.shape)}")
    _check_alike("graphs", several)
    sizes, n = _sizes(several, n)
    x = several[0].new_zeros(len(several), n, n, *edge)
    for place, graph in zip(x, several, strict=True):
        place[: len(graph), : len(graph)] = graph
    return PaddedSets(x, _present(sizes, n, x.device))


def unpad_sets(
    x: Shaped[Tensor, "batch n d"], mask: Bool[Tensor, "batch n"]
) -> list[Shaped[Tensor, "n_i d"]]:
    r"""Return the members of each set, in their order: the inverse of `pad_sets`.

    Args:
        x: a batch of sets, or the output of an equivariant model.
        mask: true where a member is.

    Shape:
        $(B, n, d)$ and $(B, n)$ to $B$ tensors $(n_i, d)$.

    Raises:
        TypeError: if `mask` is not of bool.
        ValueError: if a shape is another one.

    Example:
        >>> sets = [torch.ones(1, 2), torch.ones(3, 2)]
        >>> [rows.shape for rows in unpad_sets(*pad_sets(sets))]
        [torch.Size([1, 2]), torch.Size([3, 2])]
        >>> torch.nested.nested_tensor(unpad_sets(*pad_sets(sets)), layout=torch.jagged).is_nested
        True

    Used in chapter 13.
    """
    set_batch(x)
    set_mask(mask, x)
    if mask is None:
        raise TypeError("mask must be a tensor, got None")
    return [rows[present] for rows, present in zip(x, mask, strict=True)]


def collate_sets(samples: Sequence[Any]) -> Any:
    r"""Put samples of sets of different sizes into a batch: the `collate_fn` of a `DataLoader`.

    Args:
        samples: sets $(n_i, d)$, or tuples that begin with a set, such as `(set, label)`; at least
            one, all alike.

    Returns:
        The `PaddedSets` of the sets; for tuples, a tuple of it and of the rest as torch's own
        collate function returns it. Labels of the members, $(n_i,)$ or $(n_i, k)$, are padded with
        zeros like the sets. `BinaryTrainer` takes such batches.

    Raises:
        TypeError: if a set is no tensor.
        ValueError: if there is no sample, or a set has another shape.

    Example:
        >>> from torch.utils.data import DataLoader
        >>> data = [(torch.ones(size, 2), torch.zeros(1)) for size in (1, 3)]
        >>> (x, mask), label = next(iter(DataLoader(data, batch_size=2, collate_fn=collate_sets)))
        >>> x.shape, mask.sum(1).tolist(), label.shape
        (torch.Size([2, 3, 2]), [1, 3], torch.Size([2, 1]))

    `pad_sets` of chapter 13 does it for one batch.
    """
    samples = list(samples)
    if not samples or not isinstance(samples[0], tuple | list):
        return pad_sets(samples)
    sets, *rest = zip(*samples, strict=True)
    return (pad_sets(sets), *(_collated(column, sets) for column in rest))


def _collated(column: Sequence[Any], sets: Sequence[Tensor]) -> Any:
    shapes = {value.shape for value in column if isinstance(value, Tensor)}
    if len(shapes) > 1 and all(
        isinstance(value, Tensor) and value.shape[:1] == rows.shape[:1]
        for value, rows in zip(column, sets, strict=True)
    ):
        return pad_sequence(list(column), batch_first=True)
    return default_collate(list(column))


def _sizes(members: list[Tensor], n: int | None) -> tuple[list[int], int]:
    sizes = [len(rows) for rows in members]
    least = max(1, *sizes)
    return sizes, least if n is None else int_at_least("n", n, least)


def _present(sizes: list[int], n: int, device: torch.device) -> Bool[Tensor, "batch n"]:
    return torch.arange(n, device=device) < torch.tensor(sizes, device=device)[:, None]


def _check(members: list[Any]) -> None:
    _check_tensors("sets", members)
    for rows in members:
        if rows.ndim != 2 or rows.shape[1] < 1 or rows.shape[1] != members[0].shape[-1]:
            d = members[0].shape[-1] if members[0].ndim == 2 and members[0].shape[1] else "d"
            raise ValueError(f"sets must all have shape (n_i, {d}), got {tuple(rows.shape)}")
    _check_alike("sets", members)


def _check_tensors(name: str, members: list[Any]) -> None:
    if not members:
        raise ValueError(f"{name} must hold at least one {name[:-1]}, got none")
    for rows in members:
        if not isinstance(rows, Tensor):
            raise TypeError(f"{name} must hold tensors, got {type(rows).__name__}")


def _check_alike(name: str, members: list[Tensor]) -> None:
    if len(types := {rows.dtype for rows in members}) > 1:
        raise TypeError(f"{name} must have one dtype, got {', '.join(sorted(map(str, types)))}")
    if len(devices := {rows.device for rows in members}) > 1:
        raise ValueError(f"{name} must lie on one device, got {', '.join(map(str, devices))}")
