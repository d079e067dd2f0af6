"""Compares rivals in one case, by turns."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.harness.results import OURS, Result, at_most
from benchmarks.harness.timing import Rival, quartiles, ratio_quartiles, seconds_by_turns


def compare(
    case: str,
    rivals: Mapping[str, Rival | str],
    rounds: int,
    floor: str,
    bound: float | None = None,
) -> list[Result]:
    """Return the seconds of all rivals, and their ratios to those of one of them.

    Args:
        case: what is compared.
        rivals: what each runs, or why one of them cannot.
        rounds: how many turns each has.
        floor: the rival that the others are divided by.
        bound: if given, the goals are that the ratio of `OURS` is at most that, and that no peer
            is faster than `OURS`.
    """
    runs = {name: rival for name, rival in rivals.items() if not isinstance(rival, str)}
    seconds = seconds_by_turns(runs, rounds)
    results = []
    for name, rival in rivals.items():
        if isinstance(rival, str):
            results.append(Result(case, name, note=rival))
            continue
        ratio = ratio_quartiles(seconds[name], seconds[floor])
        goal = {}
        if bound is not None and name == OURS:
            goal = at_most(bound, ratio[1])
        elif bound is not None and name != floor:
            _, ahead, _ = ratio_quartiles(seconds[name], seconds[OURS])
            goal = {"goal": f"slower than {OURS}", "met": ahead > 1}
        value = quartiles(seconds[name])
        results.append(Result(case, name, value, ratio=ratio, against=floor, **goal))
    return results
