r"""The canonical order of a batch of sets under a group, and their canonical form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor

from invariant_nets._arguments import positive_int, set_mask
from invariant_nets._rows import is_in_onnx_export, permute_rows, stable_sort
from invariant_nets._sets import zero_padding
from invariant_nets.canonicalization.any_group.descent import descended
from invariant_nets.canonicalization.any_group.graphs import nodes_of
from invariant_nets.canonicalization.any_group.plan import Plan, Step, plan_of
from invariant_nets.canonicalization.sorting import Ordering, row_ranks
from invariant_nets.groups.group import PermutationGroup
from invariant_nets.groups.products import moved_axes

LIMIT = 4096
_Tables = tuple[Tensor, Tensor, Tensor, list[int], list[int]]
_KEPT: WeakKeyDictionary[PermutationGroup, _Tables] = WeakKeyDictionary()


class GroupOrder:
    r"""The canonical order under a group, as a function of sets that knows what it needs of it.

    Args:
        group: that permutes the points.
        limit: how many candidates of one set may be open at once, at least 1.

    Raises:
        TypeError: if `group` is no `PermutationGroup`.
        ValueError: if `limit` is below 1, or the tables of the group's chain are too large.
    """

    def __init__(self, group: PermutationGroup, limit: int = LIMIT) -> None:
        if not isinstance(group, PermutationGroup):
            raise TypeError(f"group must be a PermutationGroup, got {group!r}")
        self.group, self.limit = group, positive_int("limit", limit)
        # All permutations of each orbit need no descent: they sort.
        orbits = group.orbit_numbers()
        self._sorts = group.order == math.prod(map(math.factorial, orbits.bincount().tolist()))
        self._orbits, self._places = orbits, orbits.argsort(stable=True)
        self._tables = None if self._sorts else _tables(group)
        self._nodes = nodes_of(group)

    def axes(self, x: Tensor, mask: Tensor | None = None) -> int:
        """Return how many axes hold the points, or raise if the sets do not fit the group."""
        axes = moved_axes(self.group, x)
        if mask is not None and axes > 1:
            raise ValueError(
                f"mask must be None for tensors whose axes {self.group.name} permutes together; "
                "give their entries as sets (batch, points, d) with a mask of points"
            )
        if mask is not None:
            set_mask(mask, x)
        return axes

    def __call__(
        self, x: Shaped[Tensor, "batch n *d"], mask: Bool[Tensor, "batch n"] | None = None
    ) -> Ordering:
        """Return the order of the points, and which an automorphism of the set exchanges."""
        x = _as_sets(x.detach(), self.axes(x, mask))
        # Padding is larger than every member, and equal among itself.
        ranks = row_ranks(zero_padding(x, mask))
        if mask is not None:
            ranks = torch.where(mask, ranks, x.shape[1])
        if self._tables is None:
            return self._sorted(ranks)
        if is_in_onnx_export():
            raise ValueError(
                f"a canonical form under {self.group.name} follows the entries of each set, which "
                "cannot be exported to ONNX: export the model inside, and give it the form"
            )
        if ranks.is_meta:
            return Ordering(ranks, torch.empty_like(ranks))
        rules = self.limit, self.group.name, self._nodes
        return Ordering(*_descend(ranks, *self._tables, *rules))

    def _sorted(self, ranks: Int[Tensor, "batch n"]) -> Ordering:
        orbits, places = self._orbits.to(ranks.device), self._places.to(ranks.device)
        keys, points = stable_sort(orbits * (ranks.shape[1] + 1) + ranks)
        runs = torch.nn.functional.pad((keys.diff(dim=1) != 0).long().cumsum(1), (1, 0))
        # The points of each orbit, in order, go to its places.
        back = places.argsort()
        return Ordering(points[:, back], runs[:, back])


def normalized(x: Shaped[Tensor, "*shape"]) -> Shaped[Tensor, "*shape"]:
    """Return `x` with one zero: −0 and 0 are equal to every order, and have different bits."""
    return x + 0.0 if x.is_floating_point() else x


def canonical_order(
    x: Shaped[Tensor, "batch n *d"],
    group: PermutationGroup,
    mask: Bool[Tensor, "batch n"] | None = None,
    *,
    limit: int = LIMIT,
) -> Ordering:
    r"""Return the permutation in $G$ that takes each set to its canonical form, and its classes.

    One base point of the chain after another gets, of the entries that the stabilizer of its
    predecessors can bring there, the one that is rarest among them, and of these the least. Where
    entries tie, all candidates go on; those that prove equivalent are merged, and of the forms that
    are left in the end the lexicographically least is taken. Without ties it takes time linear in
    $n$ and in the number of base points; at worst it is as hard as to tell whether two graphs are
    the same, so the number of candidates has a limit.

    $S_n$ on pairs puts the nodes of graphs in order, whose edges may be directed and have features.
    Beyond the limit igraph does it, if it is installed (the extra `graphs`). Both are exact, but
    beyond the limit the form is another, so it depends on `limit`. A small limit hands graphs on
    soon, which is faster for large regular ones.

    Args:
        x: the sets, of a real type; rows are compared in lexicographic order. NaN counts as larger
            than every number.
        group: the group $G$.
        mask: true where a member is; padding counts as larger than every member. By default
            everywhere.
        limit: how many candidates of one set may be open at once, at least 1.

    Shape:
        $(\mathrm{batch}, n, d)$, or for a group on a grid $(\mathrm{batch}, n_1, \dots, n_k, *)$,
        to an `Ordering` of two tensors $(\mathrm{batch}, \mathrm{points})$.

    Raises:
        TypeError: if `x` is of a type that has no order, or `group` is no group.
        ValueError: if the sets do not fit the group, one of them has more candidates than `limit`
            and is no graph or igraph is not installed, or the tables of the group's chain would
            have more than $2^{27}$ entries.

    Example:
        >>> from invariant_nets import cyclic_group
        >>> x = torch.tensor([[[2.0], [1.0], [2.0], [1.0]]])
        >>> order, classes = canonical_order(x, cyclic_group(4))
        >>> order.tolist(), classes.tolist()
        ([[1, 2, 3, 0]], [[0, 1, 0, 1]])

    References:
        McKay & Piperno (2014), *Practical graph isomorphism, II*; Jefferson, Jonauskyte, Pfeiffer &
        Waldecker (2019), *Minimal and canonical images*; Junttila & Kaski (2007), *Engineering an
        efficient canonical labeling tool for large and sparse graphs*.

    Chapter 7 derives canonical forms, appendix A the chain of stabilizers.
    """
    return GroupOrder(group, limit)(x, mask)


def canonical_form(
    x: Shaped[Tensor, "batch n *d"],
    group: PermutationGroup,
    mask: Bool[Tensor, "batch n"] | None = None,
    *,
    limit: int = LIMIT,
) -> Shaped[Tensor, "batch n *d"]:
    r"""Return one member of the orbit $G x$ of each set, the same for the whole orbit, bit for bit.

    $$c(\sigma x) = c(x) \quad \text{for } \sigma \in G; \qquad
    c(x) = c(x') \iff x' \in G x.$$

    Arguments, errors and how it is found are those of `canonical_order`. Negative zeros become
    zeros, and so does padding.

    Example:
        >>> from invariant_nets import rubiks_cube_group
        >>> cube = rubiks_cube_group()
        >>> x, turn = torch.randn(2, 48, 1), cube.generators[0].index_tensor
        >>> torch.equal(canonical_form(x[:, turn], cube), canonical_form(x, cube))
        True

    Chapter 7 derives canonical forms, appendix A the chain of stabilizers.
    """
    ordering = GroupOrder(group, limit)
    order, _ = ordering(x, mask)
    return moved(zero_padding(x, mask), order, ordering.axes(x, mask))


def moved(
    x: Shaped[Tensor, "batch n *d"], order: Int[Tensor, "batch points"], axes: int
) -> Shaped[Tensor, "batch n *d"]:
    """Return the points of every set, which so many axes hold, in an order."""
    return permute_rows(_as_sets(normalized(x), axes), order).reshape(x.shape)


def _as_sets(x: Shaped[Tensor, "batch n *d"], axes: int) -> Shaped[Tensor, "batch points d"]:
    x = x.flatten(1, axes)
    return x.flatten(2) if x.ndim > 2 else x[..., None]


def _tables(group: PermutationGroup) -> _Tables:
    if group not in _KEPT:
        _KEPT[group] = _written(plan_of(group))
    return _KEPT[group]


def _written(plan: Plan) -> _Tables:
    # As tensors, which go through a compiler, into a file and to another process.
    rows = np.concatenate([step.rows for step in plan.steps])
    labels = np.stack([plan.orbits, *(step.labels for step in plan.steps)])
    sizes = [len(step.points) for step in plan.steps]
    bases = [int(step.points[0]) for step in plan.steps]
    first, second, third = map(torch.from_numpy, (rows, labels, plan.relation))
    return first, second, third, sizes, bases


def _planned(
    rows: Tensor, labels: Tensor, relation: Tensor, sizes: Sequence[int], bases: Sequence[int]
) -> Plan:
    orbits, *others = labels.numpy()
    every = np.split(rows.numpy(), np.cumsum(sizes)[:-1])
    steps = [Step(some[:, b], some, of) for some, b, of in zip(every, bases, others, strict=False)]
    return Plan(orbits, relation.numpy(), steps)


@torch.library.custom_op("invariant_nets::canonical_order", mutates_args=())
def _descend(
    ranks: Tensor,
    rows: Tensor,
    labels: Tensor,
    relation: Tensor,
    sizes: Sequence[int],
    bases: Sequence[int],
    limit: int,
    name: str,
    nodes: int = 0,
) -> tuple[Tensor, Tensor]:
    # One operation to a compiler and an exporter, which do not look inside.
    plan = _planned(rows.cpu(), labels.cpu(), relation.cpu(), sizes, bases)
    order, classes = descended(ranks.cpu().numpy(), plan, limit, name, nodes)
    return torch.from_numpy(order).to(ranks.device), torch.from_numpy(classes).to(ranks.device)


@_descend.register_fake
def _like(ranks: Tensor, *others: Any) -> tuple[Tensor, Tensor]:
    return torch.empty_like(ranks), torch.empty_like(ranks)


@_descend.register_vmap
def _stacked(
    info: Any, in_dims: Sequence[Any], ranks: Tensor, *others: Any
) -> tuple[tuple[Tensor, Tensor], tuple[int, int]]:
    sets = ranks.movedim(in_dims[0], 0)
    order, classes = _descend(sets.flatten(0, 1), *others)
    shape = sets.shape
    return (order.reshape(shape), classes.reshape(shape)), (0, 0)
