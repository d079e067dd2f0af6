r"""What takes the weights of a tensor layer to those of plain sums, for given sizes."""

from __future__ import annotations

import math
from functools import cache, lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from invariant_nets.layers.partitions.classes import Classes, Symmetric, classes_of
from invariant_nets.layers.partitions.coefficients import of_bias, of_distinct
from invariant_nets.layers.partitions.partition import numbered
from invariant_nets.layers.partitions.plan import Plan
from invariant_nets.layers.units import UNIT


@cache
def indices(plan: Plan, classes: Classes) -> dict[str, Tensor]:
    """Return the integers of a plan with which its layer computes, on the CPU.

    For each class of maps: the maps in it; how many; the weights of plain sums that a weight of a
    mean over distinct indices becomes, but for their number; how many blocks of each name its maps
    keep, and sum over; and how many classes there are with the same entries of the output, but at
    least 2. And the constants on diagonals that a bias becomes.
    """
    with torch.device("cpu"):  # torch may make tensors on another device
        of, of_outer = torch.tensor(classes.of), torch.tensor(classes.of_bias)
        counts = torch.tensor([plan.counts[c] for c in classes.first]).movedim(1, 0)
        outer, k = [d.partition for d in plan.outer.diagonals], len(plan.inner.axes)
        to = [classes.of_bias[outer.index(numbered(plan.maps[c][k:]))] for c in classes.first]
        return {
            "_class_of": of,
            "_class_size": of.bincount(),
            "_distinct": torch.tensor(of_distinct(plan)) @ F.one_hot(of),
            "_kept": counts[..., 0],
            "_summed": counts[..., 1],
            "_beside": torch.tensor([max(2, to.count(t)) for t in to]),
            "_of_bias": torch.tensor(of_bias(plan)) @ F.one_hot(of_outer),
        }


@lru_cache(maxsize=512)
def matrix_at(
    plan: Plan, symmetric: Symmetric, in_channels: int, sizes: tuple[int, ...], dtype: str
) -> NDArray[Any]:
    """Return the matrix from stored weights to those of plain sums where the names have sizes."""
    classes = classes_of(plan, symmetric)
    found = indices(plan, classes)
    number = [
        math.prod(
            max(size - kept - i, 0)
            for size, (kept, summed) in zip(sizes, plan.counts[c], strict=True)
            for i in range(summed)
        )
        for c in classes.first
    ]
    unit = 2 * UNIT / in_channels / found["_beside"].numpy() / found["_class_size"].numpy()
    matrix = found["_distinct"].numpy() * (unit / np.maximum(number, 1))
    return np.asarray(matrix, dtype)


@cache
def bias_matrix(plan: Plan, symmetric: Symmetric, dtype: str) -> NDArray[Any]:
    """Return the matrix from a stored bias to constants on diagonals."""
    found = indices(plan, classes_of(plan, symmetric))
    return np.asarray(UNIT * found["_of_bias"].numpy(), dtype)
