"""The checks of a reader's answers: what is right in any form, and nothing else."""

import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
import torch

from invariant_nets.exercises import AnswerCheck, CodeCheck, digest


def check(answer, digits=3):
    return AnswerCheck("1.1", digest("1.1", answer, digits), digits)


@pytest.mark.parametrize(
    ("answer", "same", "others"),
    [
        (1 / 3, [0.333, 0.33333, Fraction(1, 3), torch.tensor(1 / 3), np.float32(1 / 3)], [0.334]),
        (120, [120.0, torch.tensor(120), np.int64(120)], [121, 24, -120, "120", True]),
        (0, [0.0, -0.0], [1e-9, False]),
        (-0.0049, [-4.9e-3], [0.0049]),
        (9.999, [10.0, 9.996], [9.98, 1.0]),
        (float("inf"), [torch.inf], [float("nan"), 1e300]),
        (True, [torch.tensor(True), np.True_], [False, 1, "true"]),
        ("Burnside  lemma", ["burnside lemma"], ["burnside"]),
        (
            [1, 2.0],
            [(1, 2), torch.tensor([1, 2]), np.array([1.0, 2.0])],
            [[2, 1], {1, 2}, [[1, 2]]],
        ),
        ({2, 1}, [{1, 2}, frozenset({1, 2})], [[1, 2], {1}]),
        ([True, False], [(True, False)], [[False, True], [1, 0]]),
    ],
)
def test_an_answer_is_right_in_any_form(answer, same, others):
    for form in [answer, *same]:
        assert check(answer)(form), form
    for other in others:
        verdict = check(answer)(other)
        assert not verdict, other
        assert str(verdict).startswith("Not yet: ")


def test_digits_count():
    assert check(5040, digits=4)(5040.4)
    assert not check(5040, digits=4)(5041)
    assert check(5040)(5041)
    with pytest.raises(ValueError, match="digits must be at least 1"):
        check(1, digits=0)


def test_a_digest_shows_nothing_of_its_answer():
    assert digest("1.1", 7) != digest("1.2", 7)
    assert len({digest("1.1", k) for k in range(100)}) == 100
    assert "7" not in str(check(7)(8))


@pytest.mark.parametrize("answer", [..., None])
def test_no_answer_yet(answer):
    assert str(check(7)(answer)) == "There is no answer to check yet."
    assert str(CodeCheck("1", law)(answer)) == "There is no answer to check yet."


@pytest.mark.parametrize("answer", [object(), {"a": 1}, 1j, lambda x: x])
def test_what_is_no_answer_is_said(answer):
    assert "an answer is a number, a word" in str(check(7)(answer))
    with pytest.raises(TypeError, match="an answer is a number, a word"):
        digest("1.1", answer)


def law(double):
    # As an assertion raises outside of pytest, which rewrites those of its tests.
    if double(21) != 42:
        raise AssertionError("double(21) should be 42")
    if double(0.5) != 1:
        raise AssertionError


def unwritten(x):
    raise NotImplementedError


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (lambda x: 2 * x, "Right."),
        (lambda x: x * x, "Not yet: double(21) should be 42."),
        (lambda x: 42, "Not yet: the law does not hold."),
        (lambda x: 1 / 0, "Not yet: the code raises ZeroDivisionError: division by zero"),
        (lambda: 1, "Not yet: the code raises TypeError: "),
        (unwritten, "There is no answer to check yet."),
    ],
)
def test_code_is_held_to_its_law(code, message):
    verdict = CodeCheck("1", law)(code)
    assert str(verdict).startswith(message)
    assert bool(verdict) == (message == "Right.")


def test_a_law_of_two():
    def inverse(f, g):
        assert all(g(f(x)) == x for x in range(5)), "g should undo f"

    check = CodeCheck("1", inverse)
    add, remove = (lambda x: x + 1), (lambda x: x - 1)
    wrong = [(add, add), (abs, remove), (add, abs)]
    check.holds(add, remove, wrong=wrong)
    with pytest.raises(AssertionError, match="wrong answer 3 is taken for right"):
        check.holds(add, remove, wrong=[*wrong[:2], (abs, abs)])


def test_a_check_that_takes_a_wrong_answer_or_refuses_the_right_one_is_found():
    with pytest.raises(ValueError, match="wrong holds 2 answers: give at least three"):
        check(7).holds(7, wrong=[1, 2])
    with pytest.raises(AssertionError, match="wrong answer 2 is taken for right"):
        check(7).holds(7, wrong=[1, 7.001, 2])
    with pytest.raises(AssertionError, match=r"the right answer is refused: Not yet: 8 is not"):
        check(7).holds(8, wrong=[1, 2, 3])


@pytest.mark.slow
def test_without_assertions_no_code_is_right():
    code = (
        "from invariant_nets.exercises import CodeCheck\n"
        "def law(f): assert f(1) == 2\n"
        "CodeCheck('1', law)(abs)"
    )
    run = subprocess.run(
        [sys.executable, "-O", "-c", code], capture_output=True, text=True, check=False
    )
    assert "a law asserts: run Python without the option -O" in run.stderr
