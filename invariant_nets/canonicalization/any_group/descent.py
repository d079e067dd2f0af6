r"""The canonical order of sets of ranks under a group, exactly, ties and all.

Let $h$ be an element of $G$ and $y_i = x_{h(i)}$. On level $j$ the points of the orbit of the base
point under $G_j$ compete for it: first come the ranks that are rarest in the orbit, and the least
of those. A set in which no rank comes twice in an orbit of $G$ has one winner at each level; all
such sets go down together. The others go on with all winners, whose cosets $h u\, G_{j+1}$ are told
apart by how often each rank comes in each orbit of $G_{j+1}$, and merged where an automorphism of
the set takes one to the other (`survivors`).

How many are open depends on which automorphisms happen to be found, hence on the order in which a
set comes. Where igraph may take over, it therefore puts every set with ties in order first: whether
the limit is passed is then a property of the orbit.
"""

from __future__ import annotations

import numpy as np

from invariant_nets.canonicalization.any_group.graphs import has_igraph, labelled
from invariant_nets.canonicalization.any_group.plan import Plan
from invariant_nets.canonicalization.any_group.survivors import Descent, Limit

_TOGETHER = 1024


def descended(
    ranks: np.ndarray, plan: Plan, limit: int, name: str, nodes: int = 0
) -> tuple[np.ndarray, ...]:
    """Return the order of each set and its classes, as `Ordering` has them.

    Args:
        ranks: at least 0, at most the number of points, of each set; equal points share theirs.
        plan: of the group.
        limit: how many candidates of one set may be open.
        name: of the group, in texts.
        nodes: n, if the group is $S_n$ on the pairs of n nodes; otherwise 0.

    Raises:
        ValueError: if more candidates are open, unless the sets are graphs and igraph is installed.
    """
    batch, n = ranks.shape
    order = np.tile(np.arange(n), (batch, 1))
    classes = np.tile(np.arange(n), (batch, 1))
    tied, helped = _has_ties(ranks, plan.orbits), nodes > 0 and has_igraph()
    (free,) = (~tied).nonzero()
    for start in range(0, len(free), _TOGETHER):
        some = free[start : start + _TOGETHER]
        order[some] = _without_ties(ranks[some], plan)
    (some,) = tied.nonzero()
    for start in range(0, len(some), _TOGETHER):
        part = some[start : start + _TOGETHER]
        first = labelled(ranks[part], nodes) if helped else order[part]
        sets = np.take_along_axis(ranks[part], first, 1)
        descent = Descent(sets, plan, Limit(limit, name, nodes, helped), part)
        h, classes[part] = descent.result()
        order[part] = np.take_along_axis(first, h, 1)
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
