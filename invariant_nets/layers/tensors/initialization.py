r"""Random weights under which a tensor layer keeps the scale of its signal at every n.

A tensor is a sum of effects: what its entries have more than the means over some of their indices.
On effects a layer is block diagonal, one block for each kind of maps, and each block is drawn as a
random semi-orthogonal matrix that commutes with permutations of the kept indices. A map of means
then gets its own block less those of the finer effects that pass through it too.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from invariant_nets.layers.partitions.classes import Classes
from invariant_nets.layers.partitions.coefficients import of_effects
from invariant_nets.layers.partitions.plan import Kind, Plan


def drawn_weights(
    plan: Plan, classes: Classes, channels: tuple[int, int], gain: float, like: Tensor
) -> Float[Tensor, "maps in out"]:
    """Draw weights that multiply the energy of the strata by `gain`², in the type of `like`."""
    kinds = ([] if plan.top is None else [plan.top]) + plan.lower
    blocks = [_block(kind, classes, channels, gain, like) for kind in kinds]
    effects = torch.cat(blocks)
    matrix = torch.tensor(of_effects(plan), dtype=like.dtype, device=like.device)
    return (matrix @ effects.flatten(1)).view_as(effects)


def _block(
    kind: Kind, classes: Classes, channels: tuple[int, int], gain: float, like: Tensor
) -> Float[Tensor, "maps in out"]:
    """Draw the block of one kind: the polar factor of a normal one has all its symmetries."""
    (s, r, p), (i, o) = kind.shape, channels
    inner, outer = classes.slots(kind)
    rank = min(inner * i, outer * o)
    normal = torch.empty(s * r * p, i, o, dtype=like.dtype, device=like.device).normal_()
    if classes.symmetric != "none":
        averaging = torch.tensor(classes.averaging(kind), dtype=like.dtype, device=like.device)
        normal = averaging @ normal.flatten(1)
    normal = normal.view(s, r, p, i, o)
    # Between orderings of the kept indices, the bijection that leads from one to the other.
    every = kind.bijections
    index = [[every.index(_after(a, b)) for b in every] for a in every]
    full = normal[torch.tensor(index, device=like.device)]
    u, _, v = torch.linalg.svd(full.permute(0, 2, 4, 1, 3, 5).reshape(s * r * i, s * p * o), False)
    polar = (u[:, :rank] @ v[:rank]).view(s, r, i, s, p, o)[0].permute(2, 0, 3, 1, 4)
    scale = math.sqrt(p * o / (r * i) * inner * i / rank)
    drawn: Tensor = gain * scale * polar.reshape(s * r * p, i, o)
    return drawn


def _after(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    """Return one⁻¹ ∘ other."""
    return tuple(one.index(image) for image in other)
