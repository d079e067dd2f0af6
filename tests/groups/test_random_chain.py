"""Chains from random elements, and with permutations as bytes, against sympy's."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sympy import combinatorics

from invariant_nets import (
    Permutation,
    PermutationGroup,
    alternating_group,
    cyclic_group,
    dihedral_group,
    direct_product,
    mathieu_group,
    pocket_cube_group,
    rubiks_cube_group,
    symmetric_group,
    wreath_product,
)
from invariant_nets.groups.chain import StabilizerChain
from invariant_nets.groups.finding import byte_chain, random_chain, schreier_sims
from invariant_nets.groups.finding.byte_chain import ByteChain, rows_of
from invariant_nets.groups.finding.random_chain import RandomChain, inverse_rows, random_words
from invariant_nets.groups.finding.schreier_sims import searched_levels
from tests.examples import examples


def images(group):
    return torch.stack([g.index_tensor for g in group.generators])


def in_sympy(rows):
    return combinatorics.PermutationGroup([combinatorics.Permutation(r) for r in rows.tolist()])


def proved(rows):
    chain = RandomChain(rows.numpy().astype(np.int32))
    chain.fill()
    chain.prove()
    return chain


KNOWN = [
    (mathieu_group(11), 7920),
    (mathieu_group(12), 95_040),
    (mathieu_group(24), 244_823_040),
    (pocket_cube_group(), 3_674_160),
    (rubiks_cube_group(), 43_252_003_274_489_856_000),
    (symmetric_group(7).on_tuples(2), 5040),
    (alternating_group(9), math.factorial(9) // 2),
    (dihedral_group(40), 80),
    (cyclic_group(30), 30),
    (wreath_product(symmetric_group(3), symmetric_group(4)), 6**4 * 24),
    (direct_product(symmetric_group(5), cyclic_group(4), on="grid"), 480),
]


@pytest.mark.parametrize(("group", "order"), KNOWN, ids=lambda value: getattr(value, "name", ""))
def test_the_order_is_the_known_one(group, order):
    assert proved(images(group)).order == order


@st.composite
def small_generators(draw):
    """Up to four permutations of at most twelve points, many of them with few cycles."""
    n = draw(st.integers(2, 12))
    rows = []
    for _ in range(draw(st.integers(1, 4))):
        row = list(range(n))
        for _ in range(draw(st.integers(0, 3))):
            cycle = draw(st.lists(st.integers(0, n - 1), min_size=2, max_size=5, unique=True))
            first = row[cycle[0]]
            for a, b in itertools.pairwise(cycle):
                row[a] = row[b]
            row[cycle[-1]] = first
        rows.append(row)
    return torch.tensor(rows)


@given(small_generators(), st.sampled_from([0, 1]))
@examples(150)
def test_chains_of_bytes_have_sympys_orders_members_and_stabilizers(rows, words):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(byte_chain, "_FEW_POINTS", 0 if words else 32)
        n = rows.shape[1]
        group = PermutationGroup(list(rows))
        chain, rival = StabilizerChain(n, searched_levels(rows, torch.arange(n))), in_sympy(rows)
        assert chain.order == rival.order()
        assert all(chain.digits(Permutation(row)) is not None for row in rows)
        for row in (torch.randperm(n) for _ in range(3)):
            inside = chain.digits(Permutation(row)) is not None
            assert inside == rival.contains(combinatorics.Permutation(row.tolist()))
        for point in range(n):
            fixing = group.stabilizer(point)
            assert fixing.order == rival.stabilizer(point).order()
            assert all(g in group and g.index_tensor[point] == point for g in fixing.generators)


def test_every_level_of_bytes_is_generated_by_its_own_generators():
    chain = ByteChain(images(mathieu_group(12)).numpy(), 5)
    sizes = [len(wheel.elements) for wheel in chain.levels]
    assert chain.levels[0].base == 5
    assert math.prod(sizes) == 95_040
    for number, wheel in enumerate(chain.levels):
        rows = rows_of(wheel.generators)[:, :12]
        assert in_sympy(rows).order() == math.prod(sizes[number:])
        for point, element in wheel.elements.items():
            assert element[wheel.base] == point
            assert element.translate(wheel.inverses[point]) == bytes(range(256))


@given(small_generators(), st.sampled_from([0, 40]))
@examples(150)
def test_orders_and_members_are_sympys_whatever_the_random_phase_finds(rows, passing):
    with pytest.MonkeyPatch.context() as patch:
        # Without a random phase the proof has to mend the chain.
        patch.setattr(random_chain, "_PASSING", passing)
        patch.setattr(schreier_sims, "MOST_POINTS", 0)
        levels = searched_levels(rows, torch.arange(rows.shape[1]))
    chain, rival = StabilizerChain(rows.shape[1], levels), in_sympy(rows)
    assert chain.order == rival.order()
    source = torch.Generator().manual_seed(0)
    for row in [*chain.sample(3, source), *(torch.randperm(rows.shape[1]) for _ in range(3))]:
        inside = chain.digits(Permutation(row)) is not None
        assert inside == rival.contains(combinatorics.Permutation(row.tolist()))


def test_without_the_proof_a_chain_may_be_too_small(monkeypatch):
    rows = images(rubiks_cube_group())
    monkeypatch.setattr(random_chain, "_PASSING", 0)
    chain = RandomChain(rows.numpy().astype(np.int32))
    chain.fill()
    assert chain.order == 1
    chain.prove()
    assert chain.order == rubiks_cube_group().order


def test_a_known_order_ends_the_search_and_one_too_large_does_not(monkeypatch):
    monkeypatch.setattr(schreier_sims, "MOST_POINTS", 0)
    rows = images(mathieu_group(12))
    points = torch.arange(12)
    sizes = [level.size for level in searched_levels(rows, points, 95_040)]
    assert math.prod(sizes) == 95_040
    sizes = [level.size for level in searched_levels(rows, points, 2 * 95_040)]
    assert math.prod(sizes) == 95_040


def test_levels_on_some_points_leave_the_others():
    rows = torch.arange(40).repeat(2, 1)
    some = torch.tensor([3, 4, 7, 9, 10, 11, 20, 22, 25, 30, 31])
    rows[:, some] = some[images(mathieu_group(11))]
    chain = StabilizerChain(40, searched_levels(rows, some))
    assert chain.order == 7920
    assert {level.base for level in chain.levels} <= set(some.tolist())
    assert all(chain.digits(Permutation(row)) is not None for row in rows)
    others = torch.ones(40).index_fill(0, some, 0).nonzero().flatten()
    draws = chain.sample(20, torch.Generator().manual_seed(0))
    assert torch.equal(draws[:, others], others.expand(20, -1))


def test_transversals_take_the_base_to_their_points():
    chain = proved(images(rubiks_cube_group()))
    for number, wheel in enumerate(chain.levels):
        assert (wheel.rows[:, wheel.base] == wheel.points).all()
        assert (wheel.digit_of[wheel.points] == np.arange(len(wheel.points))).all()
        assert (wheel.rows[0] == np.arange(48)).all()
        for before in chain.levels[:number]:
            assert (wheel.rows[:, before.base] == before.base).all()
        assert (np.take_along_axis(wheel.inverses, wheel.rows, 1) == np.arange(48)).all()


def test_inverse_rows_are_those_of_argsort():
    rows = np.array([np.random.default_rng(i).permutation(9) for i in range(5)])
    assert (inverse_rows(rows) == rows.argsort(1)).all()


def test_schreiers_generators_leave_the_base_and_come_at_least_once(monkeypatch):
    rows = images(wreath_product(symmetric_group(3), symmetric_group(3))).numpy().astype(np.int32)
    chain = RandomChain(rows)
    chain.fill()
    wheel = chain.levels[0]
    wheel.turn(rows)
    expected = set()
    for p, u in zip(wheel.points, wheel.rows, strict=True):
        for s in rows:
            back = wheel.inverses[wheel.digit_of[s[p]]]
            expected.add(tuple(back[s[u]].tolist()))
    expected -= {tuple(range(9))}
    for entries in (1, 100, 1 << 18):
        monkeypatch.setattr(random_chain, "_BATCH_ENTRIES", entries)
        found = np.concatenate(list(wheel.schreier_generators(rows)))
        assert {tuple(row.tolist()) for row in found} == expected
        assert (found[:, wheel.base] == wheel.base).all()


def test_rows_with_one_key_are_all_kept(monkeypatch):
    monkeypatch.setattr(random_chain, "_weights", lambda n: np.zeros(n, dtype=np.int64))
    assert proved(images(mathieu_group(11))).order == 7920


def test_words_are_elements_and_the_same_every_time():
    group = mathieu_group(11)
    rows = images(group).numpy().astype(np.int32)
    words = [next(random_words(rows)) for _ in range(2)]
    assert (words[0] == words[1]).all()
    assert all(Permutation(row.tolist()) in group for row in words[0])
    assert len({row.tobytes() for row in words[0]}) > 4


def test_on_many_points_the_chain_is_the_random_one(monkeypatch):
    monkeypatch.setattr(schreier_sims, "MOST_POINTS", 32)
    monkeypatch.setattr(schreier_sims, "ByteChain", None)
    for group in (rubiks_cube_group(), wreath_product(cyclic_group(2), symmetric_group(17))):
        plain = PermutationGroup(group.generators)
        assert plain == group
        assert [g for g in plain.generators if g not in plain] == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_products_of_any_kind_have_sympys_order_and_stabilizers(seed):
    random = np.random.default_rng(seed)
    small = [symmetric_group(3), cyclic_group(4), dihedral_group(5), mathieu_group(11)]
    first, second = (small[i] for i in random.integers(0, 4, 2))
    group = [
        wreath_product(first, cyclic_group(3)),
        direct_product(first, second, on="grid"),
        direct_product(wreath_product(cyclic_group(2), second), first),
    ][seed % 3]
    n = group.degree
    names = random.permutation(n)
    rows = torch.from_numpy(names)[images(group)][:, names.argsort()]
    plain, rival = PermutationGroup(list(rows)), in_sympy(rows)
    assert plain.order == rival.order() == group.order
    assert sorted(map(sorted, rival.orbits())) == list(map(list, plain.orbits()))
    for point in random.integers(0, n, 3).tolist():
        assert plain.stabilizer(point).order == rival.stabilizer(point).order()
