"""The permutations of an average: where they come from, and what they move."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

import torch
from jaxtyping import Int
from torch import Tensor

from invariant_nets._rows import is_in_onnx_export, refuse_onnx
from invariant_nets.groups.group import PermutationGroup
from invariant_nets.groups.permutation import Permutation, stack_permutations

# A compiler cannot run a chain of stabilizers; the elements of smaller groups are kept for it.
_KEPT_ENTRIES = 1 << 19


def check_source(
    perm_creator: object, group: object, samples: int | None, process_group: object
) -> None:
    """Raise unless there is a function or a group, not both; draws and ranks need a group."""
    if group is not None and not isinstance(group, PermutationGroup):
        raise TypeError(f"group must be a PermutationGroup, got {group!r}")
    if perm_creator is not None and group is not None:
        raise ValueError("perm_creator and group must not both be given")
    if group is None and not callable(perm_creator):
        raise TypeError(
            "perm_creator must be a function that returns permutations, such as "
            f"`lambda: permutations`, or a PermutationGroup, got {type(perm_creator).__name__}"
        )
    if samples is not None and group is None:
        raise ValueError("samples must come with a group to draw them from, got perm_creator")
    if process_group is not None and group is None:
        raise ValueError("process_group must come with a group for it to divide, got perm_creator")


def kept_elements(group: PermutationGroup | None, samples: int | None) -> Int[Tensor, "k n"] | None:
    """Return all elements of a group that is small and averaged over exactly, or None."""
    if group is None:
        return None
    if samples is not None:
        group.sample(1, torch.Generator())  # makes the tables that draws need
        return None
    few = group.order * group.degree <= _KEPT_ENTRIES
    return torch.cat(list(group.elements())) if few else None


def group_chunks(
    group: PermutationGroup,
    elements: Int[Tensor, "k n"] | None,
    samples: int | None,
    generator: torch.Generator | None,
    size: int,
    part: slice,
) -> Iterator[Int[Tensor, "k n"]]:
    """Yield a part of a group's elements, or of as many draws, one chunk at a time.

    Every rank makes all of the draws, so that equal generators stay equal.
    """
    if elements is not None:
        return iter(torch.split(elements[part], size))
    if samples is not None:
        refuse_onnx(
            "SymmetryModel with samples",
            "average over chosen ones, SymmetryModel(model, lambda: chosen)",
        )
        return iter(torch.split(group.sample(samples, generator)[part], size))
    if torch.compiler.is_compiling():
        raise ValueError(
            f"{group.name} has {group.order:,} elements, too many to compile or "
            "export the average: call the model as it is, or average over samples=k"
        )
    start, stop, _ = part.indices(group.order)
    return group.elements(start, stop, size)


def created(
    perm_creator: Callable[[], Iterable[Permutation]], size: int
) -> Iterator[Int[Tensor, "k n"]]:
    """Return what a function returns, in chunks."""
    if not is_in_onnx_export():
        return stacked(perm_creator(), size)
    try:
        return iter(list(stacked(perm_creator(), size)))
    except RuntimeError as error:
        raise ValueError(
            "perm_creator makes its permutations from tensors at each call, which cannot be "
            "exported to ONNX: make them once, SymmetryModel(model, lambda: chosen)"
        ) from error


def stacked(permutations: Iterable[Permutation], size: int) -> Iterator[Int[Tensor, "k n"]]:
    """Yield what a function returned, a chunk at a time."""
    if isinstance(permutations, Permutation) or not isinstance(permutations, Iterable):
        raise TypeError(f"perm_creator must give an iterable of Permutation, got {permutations!r}")
    iterator = iter(permutations)
    while block := list(itertools.islice(iterator, size)):
        yield stack_permutations(block, name="perm_creator()")
