"""Set partitions of axes, and what is made of them once: their numbers, and their plan."""

import copy
import itertools
import math
import pickle

import pytest
from sympy.functions.combinatorial.numbers import bell as bell_number
from sympy.functions.combinatorial.numbers import stirling

from invariant_nets.layers.partitions.classes import classes_of
from invariant_nets.layers.partitions.partition import (
    coarser,
    count,
    join,
    moebius,
    numbered,
    partitions,
)
from invariant_nets.layers.partitions.plan import plan_of
from invariant_nets.layers.tensors.pattern import bell, described, parsed, written

PATTERNS = ["n -> n", "n ->", "-> n n", "n m -> n m", "n m -> m n", "n n -> n n", "n n -> n"]
PATTERNS += ["n -> n n", "n n ->", "n n m -> n m", "n n n -> n n", "n m n -> n n m", "n -> n m"]


def plan(pattern):
    return plan_of(*parsed(pattern, 1000))


@pytest.mark.parametrize("size", range(7))
def test_there_are_as_many_partitions_as_bells_number_says(size):
    found = partitions(("n",) * size)
    assert len(set(found)) == len(found) == bell(size) == bell_number(size)
    for blocks in range(size + 1):
        assert sum(count(p) == blocks for p in found) == stirling(size, blocks)


def test_blocks_hold_one_name():
    found = partitions(("n", "m", "n", "m", "n"))
    assert len(found) == 5 * 2
    assert all(p[a] != p[b] for p in found for a in (0, 2, 4) for b in (1, 3))


def test_the_join_is_the_finest_that_is_coarser():
    every = partitions(("n",) * 4)
    for one, other in itertools.product(every, repeat=2):
        above = [p for p in every if coarser(p, one) and coarser(p, other)]
        assert [p for p in above if all(coarser(q, p) for q in above)] == [join(one, other)]


def test_the_factors_of_inclusion_and_exclusion_add_up_to_nothing():
    # Σ_{fine ≤ p ≤ coarse} μ(fine, p) = 0 for fine < coarse: what makes the inversion one.
    every = partitions(("n",) * 5)
    for fine, coarse in itertools.product(every, repeat=2):
        if coarser(coarse, fine):
            between = [p for p in every if coarser(coarse, p) and coarser(p, fine)]
            assert sum(moebius(fine, p) for p in between) == (fine == coarse)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_plan_holds_every_map_once(pattern):
    inner, outer = parsed(pattern, 1000)
    maps = plan(pattern).maps
    assert len(maps) == len(set(maps))
    assert set(maps) == set(partitions(inner + outer))
    assert len(maps) == math.prod(bell((inner + outer).count(n)) for n in {*inner, *outer})


@pytest.mark.parametrize("pattern", PATTERNS)
def test_kinds_cut_the_maps_in_turn(pattern):
    made = plan(pattern)
    kinds = ([] if made.top is None else [made.top]) + made.lower
    assert [k.start for k in kinds] == [0, *(k.stop for k in kinds)][:-1]
    assert kinds[-1].stop == len(made.maps)


def test_a_transposed_kind_undoes_bijections():
    kind = plan("n n n -> n n n").top
    for s, back in zip(kind.bijections, kind.transposed().bijections, strict=True):
        assert [s[i] for i in back] == [0, 1, 2]


def test_copies_share_the_plan():
    made = plan("n n -> n")
    assert copy.deepcopy(made) is made
    assert pickle.loads(pickle.dumps(made)) is made
    classes = classes_of(made, "input")
    assert copy.deepcopy(classes) is classes
    assert pickle.loads(pickle.dumps(classes)) is classes


@pytest.mark.parametrize(
    ("pattern", "numbers"),
    [
        ("n n -> n n", (15, 11, 11, 9)),
        ("n n -> n", (5, 4, 5, 4)),
        ("n -> n n", (5, 5, 4, 4)),
        ("n n n -> n n", (52, 21, 36, 16)),
        ("n n n -> n n n", (203, 74, 74, 31)),
        ("n m -> n m", (4, 4, 4, 4)),
    ],
)
def test_symmetric_tensors_have_fewer_maps(pattern, numbers):
    sides = ("none", "input", "output", "both")
    assert tuple(len(classes_of(plan(pattern), side).first) for side in sides) == numbers


def test_classes_are_orbits():
    made = plan("n n -> n n")
    for inner, outer in ((True, False), (False, True), (True, True)):
        side = {(1, 0): "input", (0, 1): "output", (1, 1): "both"}[inner, outer]
        of = classes_of(made, side).of
        for (one, labels), (other, more) in itertools.product(enumerate(made.maps), repeat=2):
            a, b, c, d = labels
            images = {labels}
            images |= {(b, a, c, d)} if inner else set()
            images |= {(a, b, d, c)} if outer else set()
            images |= {(b, a, d, c)} if inner and outer else set()
            assert (of[one] == of[other]) == (more in {numbered(i) for i in images})


def test_patterns_are_read_and_written():
    assert parsed(" n  n->m ", 10) == (("n", "n"), ("m",))
    assert written(("n", "n"), ("m",)) == "n n -> m"
    assert written((), ("n",)) == "-> n"
    assert described((0, 1, 0, 2), ("n", "m"), ("n", "m")) == "n1 m1 -> n1 m2"


@pytest.mark.parametrize(
    ("pattern", "error", "message"),
    [
        (3, TypeError, 'pattern must be a text such as "n n -> n", got 3'),
        ("n n", ValueError, "pattern must have one arrow"),
        ("n -> n -> n", ValueError, "pattern must have one arrow"),
        (" -> ", ValueError, "pattern must have an axis"),
        ("n,n -> n", ValueError, "pattern must name each axis by a word"),
        ("n 1 -> n", ValueError, "got '1' in 'n 1 -> n'"),
        ("n n n -> n n n n", ValueError, "at most 300 maps, got 877 .*most_maps=877"),
        ("n n m m -> n n m m", None, None),
    ],
)
def test_a_pattern_that_is_none_is_refused(pattern, error, message):
    if error is None:
        assert parsed(pattern, 300)
        return
    with pytest.raises(error, match=message):
        parsed(pattern, 300)
