"""How accuracies for more and more sets are written: a table, an order, two networks compared."""

import math
from collections.abc import Sequence

from benchmarks.harness.results import Result
from benchmarks.page.text import listed, markdown_table, network, quartiles, sets_needed, unique


def table(results: Sequence[Result]) -> str:
    """Makes the table of accuracies by the number of sets, and of how many sets are needed."""
    sizes = unique(r.size for r in results if r.size is not None)
    found = {(r.rival, r.size): r.value for r in results if r.size is not None}
    rows = []
    for result in _needed(results):
        values = [found.get((result.rival, size)) for size in sizes]
        accuracies = [f"{value[1]:.3f}" if value else "" for value in values]
        rows.append([network(result.rival), *accuracies, sets_needed(result)])
    return markdown_table(["", *(f"{size:,g}" for size in sizes), "sets needed"], rows)


def needing(results: Sequence[Result]) -> str:
    """Lists the networks in the order of the sets that they need, and those that had too few."""
    there, others = [], []
    for result in _needed(results):
        name = f"`{result.rival.rpartition(' (')[0]}`"
        if result.value:
            there.append(f"{name} {float(f'{result.value[1]:.2g}'):,.0f}")
        elif result.note.startswith("more than"):
            others.append(name)
    said = [f"The medians are {listed(there)}."] * bool(there)
    return " ".join(said + [f"All sets are not enough for {listed(others)}."] * bool(others))


def beside(results: Sequence[Result], size: float, one: str, other: str) -> str:
    """Compares the accuracies of two networks with so many sets, and whether their bands overlap.

    Raises:
        KeyError: if a network has no accuracy for this size.
    """
    values = []
    for name in (one, other):
        points = [r.value for r in named(results, name) if r.size == size and r.value]
        if not points:
            raise KeyError(f"no accuracy of {name!r} with {size:,g} sets")
        values.append(points[0])
    first, second = values
    apart = first[0] > second[2] or second[0] > first[2]
    bands = "and the bands do not overlap" if apart else "but the bands overlap"
    return f"{quartiles(first)} and {quartiles(second)}, {bands}"


def named(results: Sequence[Result], name: str) -> list[Result]:
    """Returns the results of a network, whose name stands before its group."""
    return [result for result in results if result.rival.rpartition(" (")[0] == name]


def _needed(results: Sequence[Result]) -> list[Result]:
    """Returns how many sets each network needs, those that need the fewest first."""
    last = {r.rival: r.value[1] for r in results if r.size is not None and r.value}

    def order(result: Result) -> tuple[float, float]:
        return (result.value[1] if result.value else math.inf), -last.get(result.rival, 0.0)

    return sorted((r for r in results if r.case == "sets needed"), key=order)
