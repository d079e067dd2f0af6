"""Times rivals by turns, so that a busy machine slows all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

Quartiles = tuple[float, float, float]  # lower, median, upper

_SHORTEST = 1e-3  # a shorter call is timed several times over
_LONG = 1.0  # a longer one needs no call before it


class Elsewhere(Protocol):
    """A rival that runs in another process, and is timed there."""

    def seconds(self) -> float:
        """Return how long one call takes."""


Rival = Callable[[], object] | Elsewhere


def no_wait() -> None:
    """Wait for nothing: on a CPU a call has done its work when it returns."""


_waits = [no_wait]


@contextmanager
def waiting(wait: Callable[[], None]) -> Iterator[None]:
    """Let every clock wait for a device, before it starts and before it is read."""
    _waits.append(wait)
    try:
        yield
    finally:
        _waits.pop()


def seconds_of(
    call: Callable[[], object], repeats: int = 1, clock: Callable[[], float] | None = None
) -> float:
    """Return how long one call takes: the mean of a few, one after the other."""
    wait, clock = _waits[-1], clock or time.perf_counter
    wait()
    start = clock()
    for _ in range(repeats):
        call()
    wait()
    return (clock() - start) / repeats


def seconds_by_turns(
    rivals: Mapping[str, Rival], rounds: int, clock: Callable[[], float] | None = None
) -> dict[str, list[float]]:
    """Return the seconds of each rival in each round; every other round goes backward.

    Args:
        rivals: what each runs.
        rounds: how many turns each has.
        clock: the time of day by default; `time.process_time` counts what a processor works.
    """
    seconds: dict[str, list[float]] = {name: [] for name in rivals}
    repeats: dict[str, int] = {}
    order = list(rivals.items())
    for _ in range(rounds):
        for name, rival in order:
            if not callable(rival):
                seconds[name].append(rival.seconds())
                continue
            # Not counted: it finds the caches as the rival before it left them, and the very first
            # call may load libraries.
            once = seconds_of(rival, clock=clock)
            if once < _LONG:
                if name not in repeats:
                    repeats[name] = max(1, round(_SHORTEST / seconds_of(rival, clock=clock)))
                once = seconds_of(rival, repeats[name], clock)
            seconds[name].append(once)
        order.reverse()
    return seconds


def quartiles(values: Sequence[float]) -> Quartiles:
    """Return lower quartile, median and upper quartile; of a single value, three times itself."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
    return lower, median, upper


def ratio_quartiles(values: Sequence[float], floor: Sequence[float]) -> Quartiles:
    """Return the quartiles of the round-by-round ratios: lower, median, upper."""
    return quartiles([a / b for a, b in zip(values, floor, strict=True)])
