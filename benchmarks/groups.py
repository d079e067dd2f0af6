r"""Groups against the ways to get the same without a stabilizer chain of tables.

    python -m benchmarks.groups

Random elements of Rubik's cube against sympy's, all elements of $S_n$ against `itertools`, and the
pair orbits of $S_n$ with the order of large groups in absolute times.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable

import torch
from sympy.combinatorics import Permutation as SympyPermutation
from sympy.combinatorics import PermutationGroup as SympyGroup

from benchmarks.timing import ratio_quartiles, seconds_by_turns
from invariant_nets import PermutationGroup, rubiks_cube_group, symmetric_group


def listed(group: PermutationGroup) -> int:
    """Go through all elements, and count them."""
    return sum(len(chunk) for chunk in group.elements())


def seconds_of(function: Callable[[], object]) -> float:
    """Return how long one call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description="Permutation groups.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--draws", type=int, default=200_000)
    rounds, draws = (getattr(parser.parse_args(), name) for name in ("rounds", "draws"))

    cube = rubiks_cube_group()
    rival = SympyGroup([SympyPermutation(g.index_tensor.tolist()) for g in cube.generators])
    source = torch.Generator().manual_seed(0)
    few = max(1, draws // 400)
    seconds = seconds_by_turns(
        {
            "ours": lambda: cube.sample(draws, source),
            "sympy": lambda: [rival.random() for _ in range(few)],
        },
        rounds,
    )
    ours = [value / draws for value in seconds["ours"]]
    sympys = [value / few for value in seconds["sympy"]]
    lower, median, upper = ratio_quartiles(sympys, ours)
    print(f"random elements of Rubik's cube, {1 / min(ours):,.0f} a second")
    print(f"  sympy takes   {median:8.0f}×  [{lower:.0f}, {upper:.0f}]")

    nine = symmetric_group(9)
    seconds = seconds_by_turns(
        {
            "ours": lambda: listed(nine),
            "itertools": lambda: torch.tensor(list(itertools.permutations(range(9)))),
        },
        rounds,
    )
    lower, median, upper = ratio_quartiles(seconds["itertools"], seconds["ours"])
    print("all elements of S_9")
    print(f"  itertools     {median:8.0f}×  [{lower:.0f}, {upper:.0f}]")

    print("seconds, the best of three")
    for name, function in {
        "all elements of S_10": lambda: listed(symmetric_group(10)),
        "order of S_100": lambda: symmetric_group(100).order,
        "order of Rubik's cube": lambda: rubiks_cube_group().order,
        "pair orbits of S_1000": lambda: symmetric_group(1000).orbitals(),
    }.items():
        print(f"  {name:<24} {min(seconds_of(function) for _ in range(3)):.4f}")


if __name__ == "__main__":
    main()
