r"""What a descent needs of a group, once: a base, transversals, and the orbits that are left.

The base of a group's own chain may tell elements apart by coordinates, and its order is that of the
formula. Here each base point is one of the smallest orbit that its predecessors leave: on the
entries of a matrix the columns are fixed before the rows, so that few candidates are ever open.

Uniform elements of $G$ are uniform on every $G_j$ after they are divided by their transversal
elements, so a few dozen generate each orbit; that $\prod_j |\Delta_j| = |G|$ proves it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from invariant_nets.canonicalization.any_group.hashing import small
from invariant_nets.groups.group import PermutationGroup
from invariant_nets.groups.orbits import point_orbits

_ELEMENTS = 64
_TABLE_ENTRIES = 1 << 27
_RELATED = 1 << 10  # points


@dataclass(frozen=True)
class Step:
    """One level of the chain.

    Attributes:
        points: the orbit of the base point, which comes first.
        rows: for each of them, the element that takes the base point there.
        labels: the number of the orbit of each point under the stabilizer of the base point.
    """

    points: np.ndarray
    rows: np.ndarray
    labels: np.ndarray


@dataclass(frozen=True)
class Plan:
    """A stabilizer chain with a base of its own.

    Attributes:
        orbits: the number of the orbit of each point under the whole group.
        relation: a fixed number below $2^{16}$ for each pair of points, the same for pairs of one
            orbit; empty where these orbits say nothing or are too many to keep.
        steps: its levels.
    """

    orbits: np.ndarray
    relation: np.ndarray
    steps: list[Step]


def plan_of(group: PermutationGroup) -> Plan:
    """Return the plan of a descent for a group.

    Raises:
        ValueError: if its tables would have more than $2^{27}$ entries.

    Example:
        >>> from invariant_nets import direct_product, symmetric_group
        >>> grid = direct_product(symmetric_group(4), symmetric_group(2), on="grid")
        >>> [len(step.points) for step in plan_of(grid).steps]
        [8, 3, 2]
    """
    source = torch.Generator("cpu").manual_seed(0)
    count, found = _ELEMENTS, None
    while found is None:
        found = _levels(group, group.sample(count, source).numpy())
        count *= 2
    # Bottom up: the orbits of G_j join those of G_{j+1} along the transversal.
    orbits, steps = np.arange(group.degree), []
    for points, rows in reversed(found):
        steps.append(Step(points, rows, orbits))
        first = np.unique(orbits, return_index=True)[1]
        orbits = point_orbits(torch.from_numpy(np.vstack((rows, first[orbits])))).numpy()
    return Plan(orbits, _relation(group, orbits), steps[::-1])


def _relation(group: PermutationGroup, orbits: np.ndarray) -> np.ndarray:
    empty = np.empty((0, 0))
    if group.degree > _RELATED:
        return empty
    pairs = group.orbitals().numpy()
    # Where G is doubly transitive on each orbit by itself, a pair says no more than its points.
    singles = orbits[:, None] * group.degree + orbits
    singles[np.diag_indices(group.degree)] += group.degree**2
    if pairs.max() + 1 == len(np.unique(singles)):
        return empty
    return small(pairs, 2)


def _levels(
    group: PermutationGroup, elements: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]] | None:
    """Return the orbit and the transversal of every level, or None if elements are missing."""
    levels: list[tuple[np.ndarray, np.ndarray]] = []
    entries = 0
    while True:
        orbits = point_orbits(torch.from_numpy(elements)).numpy()
        sizes = np.bincount(orbits)
        if not (sizes > 1).any():
            break
        sizes[sizes == 1] = group.degree + 1
        smallest = sizes.argmin()
        entries += int(sizes[smallest]) * group.degree
        if entries > _TABLE_ENTRIES:
            raise ValueError(
                f"group must have a chain with at most 2^27 = {_TABLE_ENTRIES:,} table entries, "
                f"got {group.name} of degree {group.degree} with more"
            )
        base = int((orbits == smallest).argmax())
        points, rows = _transversal(base, elements)
        place = np.empty(group.degree, dtype=np.intp)
        place[points] = np.arange(len(points))
        inverses = rows.argsort(1)[place[elements[:, base]]]
        # u⁻¹ g leaves the base point where it is, for the u that takes it where g does.
        elements = np.take_along_axis(inverses, elements, 1)
        levels.append((points, rows))
    return levels if math.prod(len(points) for points, _ in levels) == group.order else None


def _transversal(base: int, elements: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # The orbit breadth first; g u takes the base point to g(u(base)).
    n = elements.shape[1]
    reached = np.zeros(n, dtype=bool)
    reached[base] = True
    points, rows = [np.array([base])], [np.arange(n)[None]]
    while len(points[-1]):
        images = elements[:, points[-1]]
        new, where = np.unique(images, return_index=True)
        fresh = ~reached[new]
        new, where = new[fresh], where[fresh]
        reached[new] = True
        of, after = np.unravel_index(where, images.shape)
        points.append(new)
        rows.append(np.take_along_axis(elements[of], rows[-1][after], 1))
    return np.concatenate(points), np.concatenate(rows)
