r"""The cosets of a design: how many there are, how they are drawn, and the error of their mean.

The module `designs` states the theorem on their variance.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from jaxtyping import Float, Int
from torch import Tensor

from invariant_nets._arguments import long_int
from invariant_nets._rows import refuse_onnx
from invariant_nets.averaging.designs import coset_subgroup
from invariant_nets.groups.group import PermutationGroup

Draws = tuple[Int[Tensor, "cosets n"], Int[Tensor, "cosets n"]]


@dataclass(frozen=True)
class Cosets:
    r"""Random cosets $\sigma_i H \tau_i$ of a subgroup, whose elements are averaged over.

    Example:
        >>> from invariant_nets import cyclic_group, symmetric_group
        >>> cosets = Cosets(symmetric_group(4), cyclic_group(4), number=2)
        >>> print(cosets, cosets.count)
        2 cosets of C_4 8

    Attributes:
        group: where $\sigma_i$ and $\tau_i$ are drawn from.
        subgroup: $H$.
        number: the number of cosets.
    """

    group: PermutationGroup
    subgroup: PermutationGroup
    number: int

    @property
    def count(self) -> int:
        """The number of permutations in all cosets."""
        return self.number * self.subgroup.order

    @property
    def is_exact(self) -> bool:
        """Whether the subgroup is the whole group, so that nothing is drawn."""
        return self.subgroup.order == self.group.order

    def __str__(self) -> str:
        cosets = "coset" if self.number == 1 else "cosets"
        return f"{self.number} {cosets} of {self.subgroup.name}"

    def alike(self) -> list[object]:
        """Return what must be the same on all ranks."""
        # Two groups may have one name. A hash of integers is the same in every process.
        generators = hash(tuple(tuple(g.index_tensor.tolist()) for g in self.subgroup.generators))
        return [str(self), generators]

    def draw(self, generator: torch.Generator | None) -> Draws:
        r"""Return $\sigma_i$ and $\tau_i$, a row per coset."""
        refuse_onnx(
            "SymmetryModel with samples",
            "average over chosen ones, SymmetryModel(model, lambda: chosen)",
        )
        if self.is_exact:
            identity = torch.arange(self.group.degree, device="cpu")[None]
            return identity, identity
        draw = partial(self.group.sample, self.number, generator)
        return draw(), draw()

    def chunks(
        self, draws: Draws, elements: Int[Tensor, "h n"] | None, size: int, part: slice
    ) -> Iterator[Int[Tensor, "k n"]]:
        """Yield the permutations of all cosets, or a part of them, one chunk at a time.

        Args:
            draws: what `draw` returned.
            elements: those of the subgroup; None lists them anew, for a large one.
            size: the largest number of permutations per chunk.
            part: which of the permutations.
        """
        order = self.subgroup.order
        start, stop, _ = part.indices(self.count)
        if elements is None:
            if torch.compiler.is_compiling():
                raise ValueError(
                    f"{self.subgroup.name} has {order:,} elements, too many to compile or export "
                    "the average: call the model as it is, or choose a smaller design"
                )
            for coset in range(start // order, -(-stop // order)):
                first, last = max(start - coset * order, 0), min(stop - coset * order, order)
                for chunk in self.subgroup.elements(first, last, size):
                    numbers = torch.full((len(chunk),), coset, device="cpu")
                    yield _moved(draws, numbers, chunk)
            return
        # Drawn on the CPU, composed on the device of the sets.
        device = elements.device
        here = draws[0].to(device), draws[1].to(device)
        for first in range(start, stop, size):
            numbers = torch.arange(first, min(first + size, stop), device=device)
            yield _moved(here, numbers // order, elements[numbers % order])


def _moved(
    draws: Draws, cosets: Int[Tensor, " k"], elements: Int[Tensor, "k n"]
) -> Int[Tensor, "k n"]:
    # i ↦ σ(h(τ(i))).
    left, right = draws
    return left[cosets].gather(1, elements.gather(1, right[cosets]))


def cosets_of(
    design: PermutationGroup | str, group: PermutationGroup | None, samples: int | None
) -> Cosets | None:
    """Return as many cosets as `samples` permits, or None for independent draws.

    Raises:
        TypeError: if `design` is neither a group nor a name.
        ValueError: if there is no design of this name, `samples` is not given, `design` is not a
            subgroup of the group with at most `samples` elements, or "cosets" is asked for with a
            group other than $S_n$.
    """
    named = isinstance(design, str)
    if not named and not isinstance(design, PermutationGroup):
        raise TypeError(
            'design must be "independent", "cosets" or a PermutationGroup, '
            f"got {type(design).__name__}"
        )
    if named and design not in ("independent", "cosets"):
        raise ValueError(
            f'design must be "independent", "cosets" or a PermutationGroup, got {design!r}'
        )
    if design == "independent":
        return None
    if group is None or samples is None:
        raise ValueError("design must come with a group and samples=k")
    if isinstance(design, PermutationGroup):
        subgroup = design
    elif group.order == math.factorial(group.degree):
        subgroup = coset_subgroup(group.degree, samples)
    else:
        raise ValueError(
            f'design="cosets" chooses a subgroup of S_n, and the group is {group.name}: '
            "give one of its subgroups, design=subgroup"
        )
    if not subgroup.is_subgroup(group):
        raise ValueError(f"design must be a subgroup of {group.name}, got {subgroup.name}")
    if subgroup.order > samples:
        raise ValueError(
            "design must have at most as many elements as there are samples, "
            f"got {long_int(subgroup.order):,} and samples={samples}"
        )
    whole = subgroup.order == group.order
    return Cosets(group, subgroup, 1 if whole else samples // subgroup.order)


def error_of_cosets(
    outputs: Float[Tensor, "batch k *out"], design: Cosets
) -> Float[Tensor, "batch *out"] | None:
    """Return the standard error of the mean from the means over the cosets, or None for one."""
    means = outputs.reshape(len(outputs), design.number, -1, *outputs.shape[2:]).mean(2)
    if design.is_exact:
        return torch.zeros_like(means[:, 0])
    return means.std(1) / math.sqrt(design.number) if design.number > 1 else None
