r"""Checks of a reader's answers: right or not yet, and never the solution.

An answer that is a number or a word is compared with a digest that does not show it. An answer that
is code is checked by a *law*: a function that asserts what the code must do.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from invariant_nets._arguments import positive_int


@dataclass(frozen=True)
class Verdict:
    """What a check says of an answer. It is true if and only if the answer is right.

    Args:
        right: Whether the answer is right.
        message: The verdict in words, which a notebook shows.

    Example:
        >>> Verdict(False, "Not yet.")
        Not yet.

    Used in the exercises of every chapter.
    """

    right: bool
    message: str

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return self.message


NOTHING = Verdict(False, "There is no answer to check yet.")


def digest(exercise: str, answer: Any, digits: int = 3) -> str:
    r"""Return what an `AnswerCheck` keeps of an answer: a salted hash of it, rounded.

    Args:
        exercise: The name of the exercise, which salts the hash.
        answer: A number, a word, a truth value, or a sequence or a set of these.
        digits: The number of significant digits to which numbers are rounded.

    Raises:
        TypeError: if the answer is anything else.

    Example:
        >>> digest("1.1", 0.33333) == digest("1.1", 1 / 3)
        True
        >>> digest("1.1", 1 / 3) == digest("1.2", 1 / 3)
        False

    Used in the exercises of every chapter.
    """
    written = f"{exercise}:{_written(answer, positive_int('digits', digits))}"
    return hashlib.sha256(written.encode()).hexdigest()[:16]


def _written(answer: Any, digits: int) -> str:
    if hasattr(answer, "tolist"):  # tensors and arrays, also those of one number
        answer = answer.tolist()
    if isinstance(answer, bool):
        return str(answer)
    if isinstance(answer, str):
        return " ".join(answer.casefold().split())
    if isinstance(answer, Sequence):
        return f"[{', '.join(_written(item, digits) for item in answer)}]"
    if isinstance(answer, set | frozenset):
        return f"{{{', '.join(sorted(_written(item, digits) for item in answer))}}}"
    try:
        number = float(answer)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(
            "an answer is a number, a word, a truth value, or a sequence or a set of these, "
            f"not {type(answer).__name__}"
        ) from None
    return f"{float(f'{number:.{digits - 1}e}') + 0.0:.{digits - 1}e}"  # −0 is 0


class _Check(ABC):
    @abstractmethod
    def __call__(self, *answers: Any) -> Verdict:
        """Return whether the answers are right."""

    def holds(self, *answers: Any, wrong: Sequence[Any]) -> None:
        """Make sure that the check takes the right answer and refuses wrong ones.

        Args:
            *answers: The right answer; several for a law that takes several.
            wrong: At least three wrong answers, each a tuple if the law takes several.

        Raises:
            ValueError: if there are fewer than three wrong answers.
            AssertionError: if the right answer is refused, or a wrong one is taken.
        """
        if len(wrong) < 3:
            raise ValueError(f"wrong holds {len(wrong)} answers: give at least three")
        if not (verdict := self(*answers)):
            raise AssertionError(f"the right answer is refused: {verdict}")
        for number, answer in enumerate(wrong, start=1):
            if self(*(answer if len(answers) > 1 else [answer])):
                raise AssertionError(f"wrong answer {number} is taken for right")


class AnswerCheck(_Check):
    r"""Compares an answer with the digest of the right one.

    Args:
        exercise: The name of the exercise, which salts the digest, such as `"4.1"`.
        digest: The `digest` of the right answer.
        digits: The number of significant digits that count.

    Example:
        >>> check = AnswerCheck("1.1", digest("1.1", 1 / 3))
        >>> check(0.3333)
        Right.
        >>> check(0.34)
        Not yet: 0.34 is not the answer to 3 significant digits.

    Used in the exercises of every chapter.
    """

    def __init__(self, exercise: str, digest: str, digits: int = 3) -> None:
        self.exercise = exercise
        self.digest = digest
        self.digits = positive_int("digits", digits)

    def __call__(self, *answers: Any) -> Verdict:
        """Return whether an answer is right; `...` and None are no answer yet."""
        (answer,) = answers
        if answer is ... or answer is None:
            return NOTHING
        try:
            if digest(self.exercise, answer, self.digits) == self.digest:
                return Verdict(True, "Right.")
        except TypeError as error:
            return Verdict(False, f"Not yet: {error}.")
        counted = "" if isinstance(answer, str | bool) else f" to {self.digits} significant digits"
        return Verdict(False, f"Not yet: {answer!r:.60} is not the answer{counted}.")


class CodeCheck(_Check):
    r"""Checks an answer that is code by a law, a function of assertions.

    Args:
        exercise: The name of the exercise, such as `"4.1"`.
        law: A function of the answer, or of several, that asserts what must be true of it. The
            message of an assertion is what the reader sees.

    Example:
        >>> def law(double):
        ...     assert double(21) == 42, "double(21) should be 42"
        >>> check = CodeCheck("1.1", law)
        >>> check(lambda x: x + x)
        Right.
        >>> check(lambda x: x * x)
        Not yet: double(21) should be 42.

    Used in the exercises of every chapter.
    """

    def __init__(self, exercise: str, law: Callable[..., None]) -> None:
        self.exercise = exercise
        self.law = law

    def __call__(self, *answers: Any) -> Verdict:
        """Return whether the law holds; whatever the code raises is part of the verdict.

        Raises:
            RuntimeError: if Python runs without assertions, so that every law would hold.
        """
        if not __debug__:
            raise RuntimeError("a law asserts: run Python without the option -O")
        if any(answer is ... or answer is None for answer in answers):
            return NOTHING
        try:
            self.law(*answers)
        except AssertionError as error:
            reason = str(error).rstrip(".") or "the law does not hold"
            return Verdict(False, f"Not yet: {reason}.")
        except NotImplementedError:
            return NOTHING
        except Exception as error:  # the reader's code may raise anything
            return Verdict(False, f"Not yet: the code raises {type(error).__name__}: {error}")
        return Verdict(True, "Right.")
