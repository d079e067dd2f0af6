r"""Is a function invariant or equivariant, and to which permutations of its rows?

A report says how far outputs move, compared with their spread, when the rows of a set are permuted;
a search finds the group of all permutations under which they do not; assertions say the same as
tests. A check looks at any function of a batch, and leaves its mode, its weights and every random
state as they were.

Chapter 3 derives it.
"""

from invariant_nets.checks.assertions import (
    assert_equivariant,
    assert_invariant,
    test_equivariant,
    test_invariant,
)
from invariant_nets.checks.report import SymmetryReport, symmetry_report
from invariant_nets.checks.search import find_symmetry

__all__ = [
    "SymmetryReport",
    "assert_equivariant",
    "assert_invariant",
    "find_symmetry",
    "symmetry_report",
    "test_equivariant",
    "test_invariant",
]
