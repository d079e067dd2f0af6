r"""The candidates of sets with ties: expanded level by level, told apart, and merged.

A candidate is a coset $h\,G_j$. Two of one set are equivalent if some automorphism $s$ of the set,
$x_{s(i)} = x_i$, takes one to the other; the canonical form needs one of them. Going on greedily
from both to the end, as in Traces, and finding the same set there proves it: then
$s\colon h_b(i) \mapsto h_a(i)$. The automorphisms found generate all of them, since wherever a path
was given up one of them carries it on; so their orbits on points are the classes. Candidates that
are left are told apart once more by colors that are refined along the orbits of pairs of points.

References:
    McKay & Piperno (2014), *Practical graph isomorphism, II*; Jefferson, Jonauskyte, Pfeiffer &
    Waldecker (2019), *Minimal and canonical images*.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from invariant_nets.canonicalization.any_group.graphs import automorphisms
from invariant_nets.canonicalization.any_group.hashing import Hashes
from invariant_nets.canonicalization.any_group.plan import Plan, Step
from invariant_nets.groups.orbits import components

_MANY = 16  # survivors, from which on a better leaf pays
_APPLIED = 4  # automorphisms a level
_ENTRIES = 1 << 22  # that a leaf expands, or a state holds, at once


class State(NamedTuple):
    """Candidates: the number of their set, which does not decrease, h, and $y_i = x_{h(i)}$."""

    item: np.ndarray
    h: np.ndarray
    y: np.ndarray

    def take(self, index: np.ndarray) -> State:
        """Return some of them."""
        return State(self.item[index], self.h[index], self.y[index])

    def starts(self) -> np.ndarray:
        """Return where the candidates of each set begin."""
        return np.flatnonzero(np.diff(self.item, prepend=-1))

    def crowd(self) -> np.ndarray:
        """Return, for each candidate, how many its set has."""
        counts: np.ndarray = np.bincount(self.item)[self.item]
        return counts


class Limit(NamedTuple):
    """How many candidates of one set may be open, and what happens where more are.

    Attributes:
        candidates: how many may be.
        name: of the group, in texts.
        nodes: n, if the group is $S_n$ on the pairs of n nodes; otherwise 0.
        helped: whether the set then stays in the order in which it came, which is that of igraph.
    """

    candidates: int
    name: str
    nodes: int = 0
    helped: bool = False

    def refuse(self, number: int, level: int) -> None:
        """Say which set has more, and what to do."""
        ways = "raise limit or break the ties by a further feature"
        if self.nodes:
            ways = (
                "raise limit, break the ties by a further feature, or install igraph, which then "
                "puts the graph in order: pip install 'invariant_nets[graphs]'"
            )
        raise ValueError(
            f"set {number} has more than limit={self.candidates} equally good candidates at level "
            f"{level} of {self.name}: {ways}"
        )


class Descent:
    """One run of the exact path, for a few sets."""

    def __init__(self, ranks: np.ndarray, plan: Plan, limit: Limit, numbers: np.ndarray) -> None:
        self.ranks, self.plan, self.limit, self.numbers = ranks, plan, limit, numbers
        batch, n = ranks.shape
        self.hashes = Hashes(n, n + 1)
        self.bases = np.array([step.points[0] for step in plan.steps], dtype=np.int64)
        self.found: list[list[np.ndarray]] = [[] for _ in range(batch)]
        self.order = np.tile(np.arange(n), (batch, 1))

    def result(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the orders and the classes of places."""
        batch, n = self.ranks.shape
        h = np.tile(np.arange(n), (batch, 1))
        self._run(State(np.arange(batch), h, self.ranks), 0)
        return self.order, self._classes()

    def _run(self, state: State, level: int) -> None:
        for j in range(level, len(self.plan.steps)):
            if state.h.size > _ENTRIES and state.item[0] != state.item[-1]:
                # Too many to go on together: first the sets of one half, then the others.
                middle = state.item[len(state.item) // 2]
                middle += middle == state.item[0]
                before = state.item < middle
                self._run(state.take(before.nonzero()[0]), j)
                self._run(state.take((~before).nonzero()[0]), j)
                return
            state = self._expanded(state, j)
            if not len(state.item):
                return
            crowded = state.crowd() > 1
            if crowded.any():
                state = self._merged(state, crowded, j)
        # The least of the sets that are left: where they are equal they were merged.
        last = np.lexsort((*state.y.T[::-1], state.item))
        state = state.take(last)
        state = state.take(state.starts())
        self.order[state.item] = state.h

    def _expanded(self, state: State, j: int) -> State:
        step = self.plan.steps[j]
        keys = rarity(state.y[:, step.points], state.y.shape[1] + 1)
        starts = state.starts()
        set_of = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(state.item)))
        least = np.minimum.reduceat(keys.min(1), starts)[set_of]
        parents, digits = (keys == least[:, None]).nonzero()
        hashes, set_of = self._told_apart(state.y, step, parents, digits), set_of[parents]
        starts = np.flatnonzero(np.diff(set_of, prepend=-1))
        (kept,) = (hashes == np.minimum.reduceat(hashes, starts)[set_of]).nonzero()
        over = np.bincount(set_of[kept]) > self.limit.candidates
        if over.any():
            self._pass(np.unique(state.item)[over], j)
            kept = kept[~over[set_of[kept]]]
        return expand(state, step, parents[kept], digits[kept])

    def _pass(self, items: np.ndarray, level: int) -> None:
        if not self.limit.helped:
            self.limit.refuse(int(self.numbers[items[0]]), level)
        for item in items.tolist():
            self.found[item] = [*automorphisms(self.ranks[item], self.limit.nodes)]

    def _told_apart(
        self, y: np.ndarray, step: Step, parents: np.ndarray, digits: np.ndarray
    ) -> np.ndarray:
        # How often each rank comes in each orbit of the next stabilizer; so many at once.
        hashes = np.empty(len(parents), dtype=np.int64)
        size = max(1, _ENTRIES // y.shape[1])
        for low in range(0, len(parents), size):
            part = slice(low, low + size)
            children = np.take_along_axis(y[parents[part]], step.rows[digits[part]], 1)
            hashes[part] = self.hashes(children, step.labels)
        return hashes

    def _merged(self, state: State, crowded: np.ndarray, j: int) -> State:
        alive = np.ones(len(state.item), dtype=bool)
        (some,) = crowded.nonzero()
        self._merge_leaves(state, some, alive, j, refined=False)
        if self.plan.relation.size:
            self._drop_related(state, alive, j)
        crowds = np.bincount(state.item[alive])[state.item]
        (some,) = (alive & (crowds > _MANY)).nonzero()
        if len(some):
            self._merge_leaves(state, some, alive, j, refined=True)
            crowds = np.bincount(state.item[alive])[state.item]
        (some,) = (alive & (crowds > 1)).nonzero()
        if len(some):
            self._merge_found(state, some, alive, j)
        return state.take(alive.nonzero()[0])

    def _drop_related(self, state: State, alive: np.ndarray, j: int) -> None:
        # Equivalent candidates have equal hashes, so it makes no difference which were merged.
        crowds = np.bincount(state.item[alive])[state.item]
        (some,) = (alive & (crowds > 1)).nonzero()
        hashes = np.empty(len(some), dtype=np.int64)
        labels, relation = self.plan.steps[j].labels, self.plan.relation
        size = max(1, _ENTRIES // state.y.shape[1])
        for low in range(0, len(some), size):
            part = slice(low, low + size)
            hashes[part] = self.hashes.related(state.y[some[part]], labels, relation)
        least = np.full(len(self.ranks), np.iinfo(np.int64).max)
        np.minimum.at(least, state.item[some], hashes)
        alive[some[hashes > least[state.item[some]]]] = False

    def _merge_leaves(
        self, state: State, some: np.ndarray, alive: np.ndarray, j: int, *, refined: bool
    ) -> None:
        leaves = self._leaves(state.take(some), j + 1, refined)
        first = first_equal(leaves.item, leaves.y, self.hashes)
        for b in (first != np.arange(len(some))).nonzero()[0]:
            s = np.empty_like(leaves.h[b])
            s[leaves.h[b]] = leaves.h[first[b]]
            self.found[int(leaves.item[b])].append(s)
            alive[some[b]] = False

    def _leaves(self, state: State, level: int, refined: bool) -> State:
        for step in self.plan.steps[level:]:
            keys = rarity(state.y[:, step.points], state.y.shape[1] + 1)
            if not refined:
                every = np.arange(len(state.item))
                state = expand(state, step, every, keys.argmin(1))
                continue
            chosen = keys == keys.min(1, keepdims=True)
            parents, digits = chosen.nonzero()
            hashes = np.full(chosen.shape, np.iinfo(np.int64).max)
            hashes[chosen] = self._told_apart(state.y, step, parents, digits)
            state = expand(state, step, np.arange(len(state.item)), hashes.argmin(1))
        return state

    def _merge_found(self, state: State, some: np.ndarray, alive: np.ndarray, j: int) -> None:
        # A coset h G_{j+1} is known by where h takes the base points, and s h by their images.
        item, images = state.item[some], state.h[np.ix_(some, self.bases[: j + 1])]
        n = state.h.shape[1]
        edges: list[tuple[np.ndarray, np.ndarray]] = []
        for back in range(1, _APPLIED + 1):
            (has,) = np.array([len(self.found[i]) >= back for i in item.tolist()]).nonzero()
            if not len(has):
                break
            tables = np.stack([self.found[i][-back] for i in item[has].tolist()])
            moved = np.take_along_axis(tables, images[has], 1)
            both = np.concatenate((images, moved))
            first = first_equal(np.concatenate((item, item[has])), both, Hashes(j + 1, n))
            there = first[len(item) :]
            hit = there < len(item)
            edges.append((has[hit], there[hit]))
        starts = np.concatenate([a for a, _ in edges] or [np.empty(0, dtype=np.int64)])
        ends = np.concatenate([b for _, b in edges] or [np.empty(0, dtype=np.int64)])
        part = connected(starts, ends, len(item))
        keep = np.zeros(len(item), dtype=bool)
        keep[np.unique(part, return_index=True)[1]] = True
        alive[some[~keep]] = False

    def _classes(self) -> np.ndarray:
        batch, n = self.ranks.shape
        classes = np.tile(np.arange(n), (batch, 1))
        for item, maps in enumerate(self.found):
            if not maps:
                continue
            points = np.tile(np.arange(n), len(maps))
            part = connected(points, np.concatenate(maps), n)[self.order[item]]
            # A class has the number of its first place.
            first = np.unique(part, return_index=True)[1]
            classes[item] = first[part]
        return classes


def rarity(values: np.ndarray, bound: int) -> np.ndarray:
    """Return keys that put values below a bound in order: the rarest of a row, ties by value."""
    rows = len(values)
    flat = values + np.arange(rows)[:, None] * bound
    counts = np.bincount(flat.ravel(), minlength=rows * bound)
    keys: np.ndarray = counts[flat] * bound + values
    return keys


def expand(state: State, step: Step, parents: np.ndarray, digits: np.ndarray) -> State:
    """Return the candidates $h u$ for some h and some elements u of a transversal."""
    rows = step.rows[digits]
    h = np.take_along_axis(state.h[parents], rows, 1)
    return State(state.item[parents], h, np.take_along_axis(state.y[parents], rows, 1))


def first_equal(item: np.ndarray, rows: np.ndarray, hashes: Hashes) -> np.ndarray:
    """Return, for each row of integers, the first one of the same item that is equal to it."""
    keys = hashes(rows, np.arange(rows.shape[1]))
    order = np.lexsort((keys, item))  # stable: the first of equals comes first
    item, keys, rows = item[order], keys[order], rows[order]
    same = (item[1:] == item[:-1]) & (keys[1:] == keys[:-1])
    head = np.maximum.accumulate(np.where(np.concatenate(([False], same)), 0, np.arange(len(item))))
    # Where hashes agree and rows do not, a row stands for itself.
    head = np.where((rows == rows[head]).all(1), head, np.arange(len(item)))
    first = np.empty(len(item), dtype=np.int64)
    first[order] = order[head]
    return first


def connected(starts: np.ndarray, ends: np.ndarray, nodes: int) -> np.ndarray:
    """Return the number of each node's component, as they first appear."""
    order = starts.argsort(kind="stable")
    counts = np.bincount(starts, minlength=nodes)
    return components(ends[order], np.concatenate(([0], counts.cumsum())))
