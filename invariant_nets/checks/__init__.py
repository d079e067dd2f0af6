r"""Is a function invariant or equivariant, and to which permutations of its rows?

A report measures how far outputs move, compared with their spread, when the rows of a set are
permuted. A search finds a group of permutations under which they do not move. Assertions turn both
into tests. A check takes any function of a batch, and leaves its mode, its weights and every random
state as they were.

Derived in chapter 3.
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
