r"""Uniform sampling and enumeration of large groups against sympy, and against `itertools`.

    python -m benchmarks --only groups

Seconds are those of one element. sympy gives `Permutation` objects, or lists with `af=True`; this
package gives tensors, a permutation a row. Chains of stabilizers are made before.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial

import torch
from sympy.combinatorics import Permutation as SympyPermutation
from sympy.combinatorics import PermutationGroup as SympyGroup

from benchmarks.harness.results import OURS, Result, at_least
from benchmarks.harness.timing import quartiles, ratio_quartiles, seconds_by_turns
from invariant_nets import (
    PermutationGroup,
    mathieu_group,
    pocket_cube_group,
    rubiks_cube_group,
    symmetric_group,
)

BOUND = 150
ROUNDS = 9
SYMPY, LISTS, ITERTOOLS = "sympy", "sympy, lists", "itertools"

Work = tuple[int, Callable[[], object]]  # how many elements, and what makes them


def in_sympy(group: PermutationGroup) -> SympyGroup:
    """Return sympy's group of the same generators, with its chain."""
    rival = SympyGroup([SympyPermutation(g.index_tensor.tolist()) for g in group.generators])
    assert rival.order() == group.order
    return rival


def per_element(case: str, works: dict[str, Work], rounds: int, bound: str = "") -> list[Result]:
    """Return the seconds an element, and the ratios to this package's.

    Args:
        case: what is compared.
        works: what each rival does.
        rounds: how many turns each has.
        bound: the rival against which there is the goal.
    """
    seconds = seconds_by_turns({name: work for name, (_, work) in works.items()}, rounds)
    each = {name: [value / works[name][0] for value in seconds[name]] for name in works}
    results = []
    for name, values in each.items():
        ratio = ratio_quartiles(values, each[OURS])
        goal = at_least(BOUND, ratio[1]) if name == bound else {}
        results.append(Result(case, name, quartiles(values), "s", ratio, OURS, **goal))
    return results


def sampling(group: PermutationGroup, draws: int, rounds: int, bound: bool) -> list[Result]:
    """Return the seconds of a uniform element."""
    rival, source = in_sympy(group), torch.Generator().manual_seed(0)
    few = max(1, draws // 500)
    works: dict[str, Work] = {
        OURS: (draws, partial(group.sample, draws, source)),
        SYMPY: (few, lambda: [rival.random() for _ in range(few)]),
        LISTS: (few, lambda: [rival.random(af=True) for _ in range(few)]),
    }
    case = f"uniform elements, {group.name}, degree {group.degree}"
    return per_element(case, works, rounds, SYMPY if bound else "")


def listed(group: PermutationGroup) -> int:
    """Go through all elements, and count them."""
    return sum(len(chunk) for chunk in group.elements())


def enumeration(group: PermutationGroup, rounds: int) -> list[Result]:
    """Return the seconds of an element when all are listed."""
    rival, order = in_sympy(group), group.order
    works: dict[str, Work] = {
        OURS: (order, partial(listed, group)),
        SYMPY: (order, lambda: sum(1 for _ in rival.generate_schreier_sims())),
        LISTS: (order, lambda: sum(1 for _ in rival.generate_schreier_sims(af=True))),
    }
    return per_element(f"all elements, {group.name}", works, rounds, SYMPY)


def symmetric(n: int, rounds: int) -> list[Result]:
    """Return the seconds of a permutation when all are listed, against the standard library."""
    group = symmetric_group(n)
    works: dict[str, Work] = {
        OURS: (group.order, partial(listed, group)),
        ITERTOOLS: (
            group.order,
            lambda: torch.tensor(list(itertools.permutations(range(n)))),
        ),
    }
    return per_element(f"all elements, {group.name}", works, rounds)


def measure(quick: bool) -> list[Result]:
    """Return the results of sampling and of enumeration."""
    if quick:
        small = PermutationGroup([[1, 2, 3, 4, 0], [1, 0, 2, 3, 4]], "a small group")
        return [*sampling(small, 10, 2, True), *enumeration(small, 2), *symmetric(4, 2)]
    return [
        *sampling(rubiks_cube_group(), 200_000, ROUNDS, True),
        *sampling(pocket_cube_group(), 200_000, ROUNDS, False),
        *sampling(symmetric_group(100), 20_000, ROUNDS, False),
        *enumeration(mathieu_group(12), ROUNDS),
        *symmetric(9, ROUNDS),
    ]
