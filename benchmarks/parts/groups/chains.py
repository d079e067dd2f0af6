r"""Groups from nothing but generators against sympy: orders, stabilizers, orbits, elements.

    python -m benchmarks --only chains

Everything is done from the beginning in every turn: the group is made of its generators, then asked
one question. A rival "by name" is told which group it is, as by `wreath_product`. sympy runs in a
process of its own, which is ended if an answer takes more than `LIMIT` seconds. What takes more
than `LONG` runs once.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from benchmarks.harness.results import OURS, Result
from benchmarks.harness.timing import Rival, quartiles, ratio_quartiles, seconds_by_turns
from benchmarks.parts.groups.puzzles import cube_turns, megaminx_turns
from benchmarks.peers.environment import Closing, Remote, TooSlowError, Worker
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

ROUNDS, LIMIT, LONG = 5, 8.0, 1.0
DRAWS, NUMBER = 10, 10**2000  # as in `benchmarks.peers.peer_sympy`
NAMED, SYMPY, PEER = f"{OURS}, by name", "sympy", "benchmarks.peers.peer_sympy"
GOAL = f"no faster than {OURS}"

Generators = Sequence[Permutation]


def order(generators: Generators) -> int:
    return PermutationGroup(generators).order


def stabilizer(generators: Generators) -> int:
    return PermutationGroup(generators).stabilizer(0).order


def orbits(generators: Generators) -> int:
    return len(PermutationGroup(generators).orbits())


def sample(generators: Generators) -> int:
    group, source = alternating_group(len(generators[0])), torch.Generator().manual_seed(0)
    return len(group.sample(DRAWS, source))


def unrank(generators: Generators) -> int:
    return len(symmetric_group(len(generators[0])).unrank(NUMBER))


@dataclass(frozen=True)
class Case:
    """A question about a group.

    Attributes:
        name: what is asked of which group.
        task: what answers it; sympy's has the same name.
        generators: of the group.
        by_name: what answers it for a group that is told by its name; none if it is not asked.
    """

    name: str
    task: Callable[[Generators], int]
    generators: Sequence[Permutation] = field(repr=False)
    by_name: Callable[[], int] | None = None


def by_cycles(n: int, generators: Sequence[Sequence[Sequence[int]]]) -> list[Permutation]:
    """Return generators that are given as cycles."""
    return [Permutation.from_cycles(n, *cycles) for cycles in generators]


def sylow(n: int) -> list[Permutation]:
    """Return generators of a Sylow 2-subgroup of S_n: swaps of halves, by the binary digits."""
    generators, start = [], 0
    for power in reversed(range(n.bit_length())):
        if n >> power & 1:
            generators += [
                [(start + i, start + half + i) for i in range(half)]
                for half in (2**k for k in range(power))
            ]
            start += 2**power
    return by_cycles(n, generators)


def cases() -> Iterator[Case]:
    """Yield all cases, small groups first."""
    for small in (
        cyclic_group(6),
        dihedral_group(8),
        symmetric_group(5),
        alternating_group(10),
        mathieu_group(12),
        pocket_cube_group(),
        mathieu_group(24),
    ):
        yield Case(f"order: {small.name}", order, small.generators)
    grid = partial(direct_product, symmetric_group(30), symmetric_group(30), on="grid")
    wreath = partial(wreath_product, symmetric_group(2), symmetric_group(50))
    pairs = symmetric_group(30).on_tuples(2), symmetric_group(50).on_tuples(2)
    adjacent = [[(i, i + 1)] for i in range(59)]
    star, star_of_three = [[(0, i)] for i in range(1, 100)], [[(0, 1, i)] for i in range(2, 60)]
    yield Case("order: Rubik's cube", order, rubiks_cube_group().generators)
    yield Case("order: the cube of 4 × 4 × 4", order, [*map(Permutation, cube_turns(4))])
    yield Case("order: Megaminx", order, [*map(Permutation, megaminx_turns())])
    yield Case("order: S_60, from (i i+1)", order, by_cycles(60, adjacent))
    yield Case("order: S_100, from (0 i)", order, by_cycles(100, star))
    yield Case("order: A_60, from (0 1 i)", order, by_cycles(60, star_of_three))
    for group, n in zip(pairs, (30, 50), strict=True):
        named = partial(lambda n: symmetric_group(n).on_tuples(2).order, n)
        yield Case(f"order: S_{n} on pairs", order, group.generators, named)
    yield Case("order: C_2 ≀ S_50", order, wreath().generators, lambda: wreath().order)
    yield Case("order: a cycle of 5,000", order, cyclic_group(5000).generators)
    disjoint = by_cycles(1000, [[(2 * i, 2 * i + 1)] for i in range(500)])
    yield Case("order: 500 disjoint swaps", order, disjoint)
    generators = grid().generators
    name = "stabilizer: S_30 × S_30 on a grid"
    yield Case(name, stabilizer, generators, lambda: grid().stabilizer(0).order)
    yield Case("stabilizer: Syl_2(S_60)", stabilizer, sylow(60))
    yield Case("stabilizer: Rubik's cube", stabilizer, rubiks_cube_group().generators)
    yield Case("orbits: Syl_2(S_60)", orbits, sylow(60))
    yield Case("orbits: C_10,000", orbits, cyclic_group(10_000).generators)
    yield Case("10 elements: A_200", sample, alternating_group(200).generators)
    yield Case("element by number: S_1,000", unrank, symmetric_group(1000).generators)


class Sympy(Closing):
    """sympy in a process, and in a new one after each that had to be ended."""

    def __init__(self) -> None:
        self._worker: Worker | None = None

    def rival(self, case: Case, limit: float) -> tuple[str, float, Remote]:
        """Return the answer, the seconds that it took, and what lets sympy answer once more.

        Raises:
            TooSlowError: if the limit is over.
        """
        arguments: dict[str, Any] = {
            "task": case.task.__name__,
            "generators": [g.index_tensor.tolist() for g in case.generators],
        }
        if self._worker is None:
            self._worker = Worker(sys.executable, PEER)
            self._worker.ask("once", task="order", generators=[[1, 0]])  # imports
        try:
            first = self._worker.ask("once", limit, **arguments)
        except TooSlowError:
            self._worker = None
            raise
        return first["answer"], first["seconds"], Remote(self._worker, **arguments)

    def close(self) -> None:
        """End the process."""
        if self._worker is not None:
            self._worker.close()


def in_case(case: Case, sympy: Sympy, rounds: int, limit: float) -> list[Result]:
    """Return the seconds of one case, and their ratios to this package's."""
    start = time.perf_counter()
    expected = case.task(case.generators)
    first = time.perf_counter() - start
    turns: dict[str, Rival] = {}
    if first > LONG:
        rounds = 1
    else:
        turns[OURS] = partial(case.task, case.generators)
    if case.by_name is not None:
        assert case.by_name() == expected
        turns[NAMED] = case.by_name
    note, once = "", limit
    try:
        answer, once, remote = sympy.rival(case, limit)
    except TooSlowError as reason:
        note = str(reason)
    else:
        assert answer == str(expected)
        if once <= LONG:
            turns[SYMPY] = remote
    seconds = {OURS: [first]} | seconds_by_turns(turns, rounds)
    seconds.setdefault(SYMPY, [once] * rounds)
    results = []
    for name, values in seconds.items():
        ratio = ratio_quartiles(values, seconds[OURS])
        goal: dict[str, Any] = {"goal": GOAL, "met": ratio[1] >= 1} if name == SYMPY else {}
        if name == SYMPY and note:
            # It is only known to take longer than this.
            results.append(Result(case.name, name, note=note, **(goal if goal["met"] else {})))
            continue
        results.append(
            Result(case.name, name, quartiles(values), ratio=ratio, against=OURS, **goal)
        )
    return results


def measure(quick: bool) -> list[Result]:
    """Return the results of all cases."""
    chosen = [*cases()][:1] if quick else [*cases()]
    rounds = 2 if quick else ROUNDS
    for group in (mathieu_group(12), rubiks_cube_group()):
        stabilizer(group.generators)  # the first call of each way to find a chain loads libraries
    with Sympy() as sympy:
        return [result for case in chosen for result in in_case(case, sympy, rounds, LIMIT)]
