import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from invariant_nets.groups import orbits
from invariant_nets.groups.orbits import (
    circulant,
    equal_or_not,
    grid_orbitals,
    pair_orbits,
    point_orbits,
    union_orbitals,
)
from tests import oracles
from tests.examples import examples


@st.composite
def two_actions(draw):
    m, n = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    count = draw(st.integers(1, 3))
    return (
        [draw(st.permutations(range(m))) for _ in range(count)],
        [draw(st.permutations(range(n))) for _ in range(count)],
    )


def numbered(orbits_of, keys):
    """Numbers orbits as they first appear."""
    seen = []
    numbers = []
    for key in keys:
        orbit = orbits_of(key)
        if orbit not in seen:
            seen.append(orbit)
        numbers.append(seen.index(orbit))
    return numbers


@given(two_actions())
@examples(80)
def test_orbits_are_those_of_the_closure(actions):
    rows, columns = actions
    m = len(rows[0])
    joint = oracles.closure(
        [tuple(a) + tuple(m + j for j in b) for a, b in zip(rows, columns, strict=True)]
    )
    assert point_orbits(torch.tensor(rows)).tolist() == numbered(
        lambda i: {g[i] for g in joint}, range(m)
    )
    pairs = [(i, m + j) for i in range(m) for j in range(len(columns[0]))]
    expected = numbered(lambda p: {(g[p[0]], g[p[1]]) for g in joint}, pairs)
    assert pair_orbits(torch.tensor(rows), torch.tensor(columns)).flatten().tolist() == expected


@st.composite
def scrambled_actions(draw):
    """Few permutations of some tens of points, with cycles of every length, in any order."""
    n = draw(st.integers(1, 40))
    source = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    images = np.tile(np.arange(n), (draw(st.integers(1, 3)), 1))
    for image in images:
        cycle = source.permutation(n)[: source.integers(1, n + 1)]
        image[cycle] = np.roll(cycle, 1)
    return torch.from_numpy(images)


@given(scrambled_actions())
@examples(60)
def test_orbits_are_what_the_generators_reach(images):
    n = images.shape[1]
    expected = numbered(lambda i: frozenset(reachable(images.tolist(), i)), range(n))
    assert point_orbits(images).tolist() == expected


def reachable(images, point):
    found, queue = {point}, [point]
    for reached in queue:
        for image in images:
            if image[reached] not in found:
                found.add(image[reached])
                queue.append(image[reached])
    return found


@given(st.integers(1, 9))
def test_the_patterns_are_what_they_say(n):
    row = np.random.default_rng(n).integers(0, 100, n)
    assert circulant(row).tolist() == [[row[(j - i) % n] for j in range(n)] for i in range(n)]
    assert equal_or_not(n).tolist() == [[int(i != j) for j in range(n)] for i in range(n)]
    assert equal_or_not(n).dtype == torch.int64


@st.composite
def factors(draw):
    """Some actions, each by its generators and nothing else."""
    actions = []
    for _ in range(draw(st.integers(1, 3))):
        n = draw(st.integers(1, 4))
        count = draw(st.integers(1, 2))
        actions.append([draw(st.permutations(range(n))) for _ in range(count)])
    return actions


@given(factors())
@examples(80)
def test_orbitals_of_products_are_those_of_the_factors(actions):
    of_pairs = [pair_orbits(torch.tensor(a), torch.tensor(a)) for a in actions]
    of_points = [point_orbits(torch.tensor(a)) for a in actions]
    grid = list(itertools.product(*(range(len(a[0])) for a in actions)))
    keys = [
        tuple(int(ids[i, j]) for ids, i, j in zip(of_pairs, p, q, strict=True))
        for p in grid
        for q in grid
    ]
    assert grid_orbitals(of_pairs).flatten().tolist() == numbered(lambda key: key, keys)
    union = [(f, i) for f, a in enumerate(actions) for i in range(len(a[0]))]
    keys = [
        (f, int(of_pairs[f][i, j]))
        if f == g
        else (f, int(of_points[f][i]), g, int(of_points[g][j]))
        for f, i in union
        for g, j in union
    ]
    assert union_orbitals(of_pairs, of_points).flatten().tolist() == numbered(lambda k: k, keys)


def test_a_product_of_transitive_groups_is_in_order_as_it_comes(monkeypatch):
    cycle, no_moves = circulant(np.arange(5)), torch.arange(4).view(2, 2)
    monkeypatch.setattr(orbits, "_as_they_appear", None)
    numbers = grid_orbitals([equal_or_not(4), cycle, equal_or_not(2)])
    with pytest.raises(TypeError):
        grid_orbitals([no_moves, cycle])
    monkeypatch.undo()
    assert torch.equal(numbers, torch.from_numpy(orbits._as_they_appear(numbers.numpy())))
