"""The benchmarks of groups and designs: rivals give the same, and what is compared is right."""

import math

import pytest
import torch

from benchmarks.parts import designs
from benchmarks.parts.groups import chains, forms
from benchmarks.parts.groups.puzzles import cube_turns, megaminx_turns
from benchmarks.peers import peer_sympy
from invariant_nets import (
    PermutationGroup,
    affine_group,
    canonical_form,
    cyclic_group,
    mathieu_group,
    pocket_cube_group,
    symmetric_group,
    trivial_group,
    wreath_product,
)


@pytest.mark.parametrize(
    "group", [cyclic_group(6), wreath_product(symmetric_group(2), symmetric_group(3))]
)
def test_enumeration_and_the_canonical_form_tell_the_same_sets_apart(group):
    x = torch.randint(0, 3, (200, group.degree)).float()
    least = forms.enumerated(x, torch.cat(list(group.elements())))
    ours = canonical_form(x[..., None], group)[..., 0]
    same = (least[:, None] == least).all(2)
    assert same.any(1).all()
    assert torch.equal(same, (ours[:, None] == ours).all(2))
    assert same.sum() > len(x)


def test_enumeration_gives_the_least_image():
    elements = torch.cat(list(symmetric_group(4).elements()))
    x = torch.randn(5, 4)
    assert torch.equal(forms.enumerated(x, elements), x.sort().values)


def test_a_design_of_one_element_has_the_variance_of_independent_draws():
    result = designs.in_case(trivial_group(5), None, networks=6, sets=8, cosets=300)
    lower, _, upper = result.value
    assert 0.8 < lower < upper < 1.25
    assert designs.in_case(affine_group(5), None, 3, 8, 50).value[1] > 3


def test_a_goal_of_a_design_allows_for_two_standard_errors():
    lower, mean, _ = designs.in_case(cyclic_group(5), None, 3, 4, 30).value
    error = mean - lower
    for bound, met in ((mean + 1.9 * error, True), (mean + 2.1 * error, False)):
        assert designs.in_case(cyclic_group(5), bound, 3, 4, 30).met is met


def test_the_puzzles_have_their_known_orders():
    # All eight corners turn, so the 24 turns of the whole cube count too.
    assert PermutationGroup(cube_turns(2)).order == 24 * pocket_cube_group().order
    turns = megaminx_turns()
    assert len(turns) == 12
    assert all(sum(i != j for i, j in enumerate(turn)) == 25 for turn in turns)


@pytest.mark.slow
def test_the_large_puzzles_have_their_known_orders():
    # The centers are told apart, and have the parity of the corners.
    corners, edges = math.factorial(8) * 3**7, math.factorial(24)
    assert PermutationGroup(cube_turns(4)).order == corners * edges * (math.factorial(24) // 2)
    corners, edges = math.factorial(20) // 2 * 3**19, math.factorial(30) // 2 * 2**29
    assert PermutationGroup(megaminx_turns()).order == corners * edges


@pytest.mark.parametrize("n", [2, 7, 12])
def test_a_sylow_subgroup_has_the_largest_power_of_two(n):
    order, whole = chains.order(chains.sylow(n)), math.factorial(n)
    assert whole % order == 0
    assert order & (order - 1) == 0
    assert whole // order % 2 == 1


@pytest.mark.parametrize("task", [chains.order, chains.stabilizer, chains.orbits])
def test_sympy_is_asked_the_same(task):
    for generators in (mathieu_group(11).generators, chains.sylow(7)):
        lists = [g.index_tensor.tolist() for g in generators]
        assert peer_sympy.once(task.__name__, lists)["answer"] == str(task(generators))


def test_every_question_has_an_answer_of_sympy():
    assert {case.task.__name__ for case in chains.cases()} == set(peer_sympy.TASKS)
    assert (chains.DRAWS, chains.NUMBER) == (peer_sympy.DRAWS, peer_sympy.NUMBER)
    generators = symmetric_group(5).generators
    lists = [g.index_tensor.tolist() for g in generators]
    assert peer_sympy.once("sample", lists)["answer"] == str(chains.sample(generators))


@pytest.mark.slow
def test_what_takes_sympy_too_long_is_said():
    case = next(chains.cases())
    with chains.Sympy() as sympy:
        cut = chains.in_case(case, sympy, 1, limit=1e-9)
        (result,) = (r for r in cut if r.rival == chains.SYMPY)
        assert result.value is None
        assert result.note.startswith("more than")
        answered = chains.in_case(case, sympy, 1, limit=60.0)
        (result,) = (r for r in answered if r.rival == chains.SYMPY)
        assert result.value is not None
        assert result.goal == chains.GOAL
