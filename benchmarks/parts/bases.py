r"""The basis of the equivariant maps of a group: orbits of pairs against other ways to find it.

    python -m benchmarks --only bases

The time includes making the group. The orbitals of the named groups and of their products are
written down from what is known of them (`invariant_nets.orbits`); those of Rubik's cube are
searched for. emlp solves the linear equations of equivariance numerically;
its first call compiles, and a second one, with its memory of bases emptied, does not. Of sympy
there are two ways: the orbits of its group on pairs, and the images of all pairs under all
elements. What takes longer than its limit is ended, and larger cases of the same family are not
tried.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sympy.combinatorics import Permutation as SympyPermutation
from sympy.combinatorics import PermutationGroup as SympyGroup

from benchmarks.harness.results import OURS, Result, at_least
from benchmarks.harness.timing import Rival, quartiles, ratio_quartiles, seconds_by_turns
from benchmarks.peers.emlp import Emlp, Outcome
from invariant_nets import (
    PermutationGroup,
    cyclic_group,
    dihedral_group,
    direct_product,
    rubiks_cube_group,
    symmetric_group,
)

BOUND = 10_000
ROUNDS, LARGE = 7, 500  # above so many points sympy's search takes seconds, and has one round
ELEMENTS_LIMIT = 10.0  # seconds
SEARCHED = f"{OURS}, by generators"
EMLP, AGAIN, BY_TWO = "emlp", "emlp, again", "emlp, two generators"
ORBITS, ELEMENTS = "sympy, orbits", "sympy, all elements"


@dataclass(frozen=True)
class Case:
    """A group: its name, its family with its sizes, and how this package makes it."""

    name: str
    family: str
    sizes: tuple[int, ...]
    build: Callable[[], PermutationGroup]


def symmetric(n: int) -> Case:
    return Case(f"S_{n}", "symmetric", (n,), lambda: symmetric_group(n))


def cyclic(n: int) -> Case:
    return Case(f"C_{n}", "cyclic", (n,), lambda: cyclic_group(n))


def dihedral(n: int) -> Case:
    return Case(f"D_{n}", "dihedral", (n,), lambda: dihedral_group(n))


def product(n: int, m: int) -> Case:
    def build() -> PermutationGroup:
        return direct_product(symmetric_group(n), symmetric_group(m), on="grid")

    return Case(f"S_{n} × S_{m}", "product", (n, m), build)


CUBE = Case("Rubik's cube", "cube", (), rubiks_cube_group)
CASES = (
    *(symmetric(n) for n in (6, 10, 20, 50, 100, 1000)),
    *(cyclic(n) for n in (10, 50, 100, 1000)),
    *(dihedral(n) for n in (10, 50, 100, 1000)),
    *(product(n, m) for n, m in ((4, 3), (5, 4), (10, 9), (32, 31))),
    CUBE,
)


def generators_of(group: PermutationGroup) -> list[list[int]]:
    """Return the generators as lists."""
    return [g.index_tensor.tolist() for g in group.generators]


def orbits_by_sympy(generators: list[list[int]]) -> int:
    """Count the orbits of pairs, by sympy's search through the pairs."""
    n = len(generators[0])
    pairs = [
        SympyPermutation([g[i] * n + g[j] for i in range(n) for j in range(n)]) for g in generators
    ]
    return len(SympyGroup(pairs).orbits())


def orbits_by_elements(generators: list[list[int]], limit: float) -> int | None:
    """Count the orbits of pairs, as the smallest images under all elements; none if it is slow."""
    end = time.perf_counter() + limit
    n = len(generators[0])
    smallest = np.arange(n * n).reshape(n, n)
    group = SympyGroup([SympyPermutation(g) for g in generators])
    for number, element in enumerate(group.generate_schreier_sims(af=True)):
        image = np.array(element)
        np.minimum(smallest, image[:, None] * n + image, out=smallest)
        if number % 1000 == 0 and time.perf_counter() > end:
            return None
    return len(np.unique(smallest))


def results_of(case: Case, emlp: Emlp, slow: set[str], rounds: int) -> list[Result]:
    """Return the results of one case.

    Args:
        case: the group.
        emlp: what asks emlp.
        slow: the families of which a smaller case has too many elements; added to.
        rounds: how many turns this package and sympy have.
    """
    group = case.build()
    generators, maps = generators_of(group), int(group.orbitals().max()) + 1
    counts = []
    rivals: dict[str, Rival] = {
        OURS: lambda: case.build().orbitals(),
        SEARCHED: lambda: PermutationGroup(group.generators).orbitals(),
        ORBITS: lambda: counts.append(orbits_by_sympy(generators)),
    }
    if group.degree > LARGE:
        search = {ORBITS: rivals.pop(ORBITS)}
        seconds = seconds_by_turns(rivals, rounds)
        seconds[ORBITS] = seconds_by_turns(search, 1)[ORBITS] * rounds
    else:
        seconds = seconds_by_turns(rivals, rounds)
    ours = seconds[OURS]
    assert set(counts) == {maps}
    found = [Result(case.name, OURS, quartiles(ours), note=f"{maps:,} maps")]
    for name in (SEARCHED, ORBITS):
        ratio = ratio_quartiles(seconds[name], ours)
        found.append(Result(case.name, name, quartiles(seconds[name]), ratio=ratio, against=OURS))
    first = emlp.outcome(case.family, case.sizes, generators, maps)
    found.append(once(case, EMLP, first, ours, goal=True))
    if first.seconds and emlp.has_time(first.seconds):
        again = emlp.outcome(case.family, case.sizes, generators, maps)
        found.append(once(case, AGAIN, again, ours))
    if case.family == "symmetric":  # emlp's own group has a generator a point
        by_two = emlp.outcome("two generators", case.sizes, generators, maps)
        found.append(once(case, BY_TWO, by_two, ours))
    found.append(once(case, ELEMENTS, by_elements(case, generators, maps, slow), ours, goal=True))
    return found


def by_elements(case: Case, generators: list[list[int]], maps: int, slow: set[str]) -> Outcome:
    """Return how long the way through all elements takes."""
    if case.family in slow:
        return Outcome(note="not tried: a smaller one was too slow")
    start = time.perf_counter()
    count = orbits_by_elements(generators, ELEMENTS_LIMIT)
    if count is None:
        slow.add(case.family)
        return Outcome(more_than=ELEMENTS_LIMIT)
    assert count == maps
    return Outcome(seconds=time.perf_counter() - start)


def once(case: Case, rival: str, outcome: Outcome, ours: list[float], goal: bool = False) -> Result:
    """Return the result of a rival that ran once, against the turns of this package."""
    if not (seconds := outcome.seconds or outcome.more_than):
        return Result(case.name, rival, note=outcome.note)
    ratio = quartiles([seconds / value for value in ours])
    fields = at_least(BOUND, ratio[1]) if goal else {}
    if outcome.more_than:
        if not fields.get("met"):
            fields = {}
        return Result(case.name, rival, note=f"more than {seconds:.0f} s", **fields)
    value = (seconds, seconds, seconds)
    return Result(case.name, rival, value, ratio=ratio, against=OURS, note="once", **fields)


def measure(quick: bool) -> list[Result]:
    """Return the results of all groups; small ones come first, while emlp has time."""
    cases = (symmetric(4), product(3, 2)) if quick else CASES
    found: dict[str, list[Result]] = {}
    slow: set[str] = set()
    with Emlp(quick) as emlp:
        for case in sorted(cases, key=lambda case: case.build().degree):
            found[case.name] = results_of(case, emlp, slow, 2 if quick else ROUNDS)
    return [result for case in cases for result in found[case.name]]
