r"""The layer of a group that permutes the axes of a tensor, its weights those of the orbitals.

$S_n$ on pairs permutes rows and columns of a matrix together, $S_n \times S_d$ on a grid rows and
columns apart. The orbitals are then set partitions of the axes, if there are as many, and sums over
the indices of exactly one partition take the place of a matrix of all pairs of points.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from invariant_nets._indices import Indexed
from invariant_nets._precision import as_written, widened
from invariant_nets.groups.group import PermutationGroup
from invariant_nets.layers.partitions.coefficients import of_orbits
from invariant_nets.layers.partitions.partition import numbered
from invariant_nets.layers.partitions.plan import Plan, plan_of
from invariant_nets.layers.tensors.function import tensor_maps
from invariant_nets.layers.tensors.pattern import bell
from invariant_nets.layers.tensors.sums import sums_of

_MOST_MAPS = 300
Axes = list[tuple[int, tuple[tuple[int, ...], ...]]]  # of each: its length, and how it is permuted


def tensor_form(
    rows: Int[Tensor, "orbits n"], out_group: PermutationGroup, in_group: PermutationGroup
) -> TensorForm | None:
    """Return the form if the orbitals are the set partitions of the axes of tensors, or None."""
    inner, outer = _axes(in_group), _axes(out_group)
    if inner is None or outer is None:
        return None
    kinds = list(dict.fromkeys(inner + outer))
    names = [tuple(f"axis{kinds.index(axis)}" for axis in side) for side in (inner, outer)]
    together = names[0] + names[1]
    if math.prod(bell(together.count(name)) for name in set(together)) > _MOST_MAPS:
        return None
    plan = plan_of(*names)
    lengths = {f"axis{number}": length for number, (length, _) in enumerate(kinds)}
    orbitals = _orbitals(plan, lengths, rows, out_group)
    return None if orbitals is None else TensorForm(plan, lengths, orbitals)


def _axes(group: PermutationGroup) -> Axes | None:
    """Return the axes that a group permutes each by itself, or None if it mixes them."""
    images = torch.stack([g.index_tensor.long().cpu() for g in group.generators])
    found: Axes = []
    for axis, length in enumerate(group.axes):
        cut = images.view(len(images), math.prod(group.axes[:axis]), length, -1)
        along = cut // cut.shape[3] % length  # where the index of this axis goes
        if not bool((along == along[:, :1, :, :1]).all()):
            return None
        found.append((length, tuple(map(tuple, along[:, 0, :, 0].tolist()))))
    return found


def _orbitals(
    plan: Plan,
    lengths: dict[str, int],
    rows: Int[Tensor, "orbits n"],
    out_group: PermutationGroup,
) -> list[int] | None:
    """Return the number of each map's orbital, -1 if it has too many blocks; None if they differ.

    Both are constant on the orbits of the group on pairs, so the first point of each orbit of
    points that go out shows whether they are the same.
    """
    inner, outer = plan.inner.axes, plan.outer.axes
    shape_in, shape_out = ([lengths[name] for name in axes] for axes in (inner, outer))
    orbit = out_group.orbit_numbers()
    firsts = [int((orbit == number).nonzero()[0]) for number in range(len(rows))]
    every = torch.cartesian_prod(*map(torch.arange, shape_in)).view(-1, len(inner)).tolist()
    of: dict[tuple[int, ...], int] = {}
    for point, row in zip(firsts, rows.tolist(), strict=True):
        b = [int(i) for i in torch.unravel_index(torch.tensor(point), shape_out)]
        for a, orbital in zip(every, row, strict=True):
            labels = numbered(list(zip(inner + outer, (*a, *b), strict=True)))
            if of.setdefault(labels, orbital) != orbital:
                return None
    if len(set(of.values())) != len(of):
        return None
    return [of.get(labels, -1) for labels in plan.maps]


class TensorForm(Indexed):
    """The sums of a plan, with the weights of orbitals."""

    def __init__(self, plan: Plan, lengths: dict[str, int], orbitals: list[int]) -> None:
        super().__init__()
        self.plan, self.sums, self.lengths = plan, sums_of(plan), lengths
        matrix = torch.tensor(of_orbits(plan), device="cpu")
        chosen = [number for number, orbital in enumerate(orbitals) if orbital >= 0]
        order = sorted(chosen, key=lambda number: orbitals[number])
        self._keep("matrix", matrix[:, order], matrix.device)

    def forward(
        self, x: Float[Tensor, "batch n in"], weight: Float[Tensor, "orbitals in out"]
    ) -> Float[Tensor, "batch m out"]:
        """Apply the layer with these weights."""
        grid = x.reshape(x.shape[0], *(self.lengths[a] for a in self.plan.inner.axes), x.shape[2])
        wide = widened(weight)
        with as_written(wide):
            matrix = self._on(wide.device, "matrix").to(wide.dtype)
            every = (matrix @ wide.flatten(1)).view(-1, *wide.shape[1:])
        number = self.plan.top_maps
        top, lower = every[:number].to(weight.dtype), every[number:]
        y = tensor_maps(self.sums, grid, top, lower, None, self.lengths)
        return y.flatten(1, -2) if y.ndim > 2 else y[:, None]
