"""Times rivals by turns, so that a busy machine slows all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping


def seconds_by_turns(
    rivals: Mapping[str, Callable[[], object]], rounds: int
) -> dict[str, list[float]]:
    """Return the seconds of each rival in each round."""
    seconds: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(rounds):
        for name, rival in rivals.items():
            rival()  # not timed: it finds the caches as the rival before it left them
            start = time.perf_counter()
            rival()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def ratio_quartiles(seconds: list[float], floor: list[float]) -> tuple[float, float, float]:
    """Return the quartiles of the round-by-round ratios: lower, median, upper."""
    ratios = [a / b for a, b in zip(seconds, floor, strict=True)]
    lower, median, upper = statistics.quantiles(ratios, n=4)
    return lower, median, upper
