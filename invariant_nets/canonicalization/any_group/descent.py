r"""The canonical order of sets of ranks under a group, exactly, ties and all.

Let $h$ be an element of $G$ and $y_i = x_{h(i)}$. On level $j$ the points of the orbit of the base
point under $G_j$ compete for it: first come the ranks that are rarest in the orbit, and the least
of those. A set in which no rank comes twice in an orbit of $G$ has one winner at each level; all
such sets go down together. The others go on with all winners, whose cosets $h u\, G_{j+1}$ are told
apart by how often each rank comes in each orbit of $G_{j+1}$, and merged where an automorphism of
the set takes one to the other (`survivors`).
"""

from __future__ import annotations

import numpy as np

from invariant_nets.canonicalization.any_group.plan import Plan
from invariant_nets.canonicalization.any_group.survivors import Descent

_TOGETHER = 1024


def descended(ranks: np.ndarray, plan: Plan, limit: int, name: str) -> tuple[np.ndarray, ...]:
    """Return the order of each set and its classes, as `Ordering` has them.

    Args:
        ranks: at least 0, at most the number of points, of each set; equal points share theirs.
        plan: of the group.
        limit: how many candidates of one set may be open.
        name: of the group, in texts.

    Raises:
        ValueError: if more candidates are open.
    """
    batch, n = ranks.shape
    order = np.empty((batch, n), dtype=np.int64)
    classes = np.tile(np.arange(n), (batch, 1))
    tied = _has_ties(ranks, plan.orbits)
    (free,) = (~tied).nonzero()
    for start in range(0, len(free), _TOGETHER):
        some = free[start : start + _TOGETHER]
        order[some] = _without_ties(ranks[some], plan)
    (some,) = tied.nonzero()
    for start in range(0, len(some), _TOGETHER):
        part = some[start : start + _TOGETHER]
        order[part], classes[part] = Descent(ranks[part], plan, limit, name, part).result()
    return order, classes


def _has_ties(ranks: np.ndarray, orbits: np.ndarray) -> np.ndarray:
    """Return whether some rank of a set comes twice in an orbit."""
    keys = np.sort(orbits * (ranks.shape[1] + 1) + ranks, axis=1)
    return np.asarray((keys[:, 1:] == keys[:, :-1]).any(1))


def _without_ties(ranks: np.ndarray, plan: Plan) -> np.ndarray:
    batch, n = ranks.shape
    flat, h = ranks.ravel(), np.tile(np.arange(n), (batch, 1))
    offsets = np.arange(0, batch * n, n)[:, None]
    for step in plan.steps:
        winners = flat.take(h[:, step.points] + offsets).argmin(1)
        h = h.ravel().take(step.rows.take(winners, axis=0) + offsets)
    return h
