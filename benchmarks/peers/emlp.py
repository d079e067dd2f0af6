"""Asks emlp for bases, within limits: some of its cases would take hours."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.peers.environment import Closing, MissingError, TooSlowError, Worker, python_of

LIMIT, LIMIT_OF_ALL = 100.0, 150.0  # seconds: of one case, and of all


@dataclass(frozen=True)
class Outcome:
    """What became of one attempt: its seconds, a limit that it passed, or why it was not made."""

    seconds: float | None = None
    more_than: float | None = None
    note: str = ""


class Emlp(Closing):
    """A worker with emlp, and the time that is left for it.

    Args:
        quick: whether the run is quick, and does without emlp.
    """

    def __init__(self, quick: bool) -> None:
        self._left = LIMIT_OF_ALL
        self._too_slow: dict[str, str] = {}  # by family
        self._worker: Worker | None = None
        self._reason = "left out of a quick run" if quick else ""
        if not quick:
            self._start()

    def _start(self) -> None:
        try:
            self._worker = Worker(python_of("emlp"), "benchmarks.peers.peer_emlp")
        except MissingError as reason:
            self._reason = str(reason)
        else:  # imports, and compiles what every basis needs
            self._worker.ask("basis", family="symmetric", sizes=[3], generators=[])

    def has_time(self, seconds: float) -> bool:
        """Return whether that much is a small part of what is left."""
        return seconds < self._left / 4

    def outcome(
        self, family: str, sizes: Sequence[int], generators: list[list[int]], maps: int
    ) -> Outcome:
        """Return what becomes of a basis.

        Args:
            family: which groups the group belongs to; after one that was too slow no larger one is
                tried.
            sizes: which of them it is.
            generators: its generators.
            maps: the dimension that is to be found.
        """
        limit = min(LIMIT, self._left)
        if family in self._too_slow:
            return Outcome(note=self._too_slow[family])
        if self._worker is None:
            return Outcome(note=self._reason)
        if limit < 1:
            return Outcome(note=f"not tried: emlp had its {LIMIT_OF_ALL:.0f} s")
        start = time.perf_counter()
        request = {"family": family, "sizes": list(sizes), "generators": generators}
        try:
            seconds, found = self._worker.ask("basis", limit=limit, **request)
        except TooSlowError:
            self._too_slow[family] = "not tried: a smaller one was too slow"
            self._start()
            return Outcome(more_than=limit)
        except RuntimeError as error:
            return Outcome(note=f"failed: {str(error).strip().splitlines()[-1]}")
        finally:
            self._left -= time.perf_counter() - start
        if found != maps:
            return Outcome(note=f"found {found} maps instead of {maps}")
        return Outcome(seconds)

    def close(self) -> None:
        """End its process, if there is one."""
        if self._worker:
            self._worker.close()
