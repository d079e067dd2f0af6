"""How the results of mutation testing are written: how many were killed, and which were not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from benchmarks.mutants import (
    AREAS,
    FILE,
    GOAL,
    REASONS,
    Mutants,
    Reason,
    Survivor,
    read,
    reason_of,
    reasons,
)
from benchmarks.page.text import described, markdown_table, when

LONGEST = 160  # characters of a change


class MutationFindings:
    """What is said of the mutants, from what a run kept and from the reasons."""

    def __init__(self, found: Mapping[str, Mutants], known: Sequence[Reason]) -> None:
        self._found, self._known = found, known

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Reads the two files of a folder."""
        known = folder / REASONS.name
        return cls(read(folder / FILE.name), reasons(known) if known.exists() else [])

    def __bool__(self) -> bool:
        return bool(self._found)

    def measured(self) -> str:
        """Says when the last run was, how long all took, and on what."""
        last = max(self._found.values(), key=lambda found: found.date)
        seconds = sum(found.seconds for found in self._found.values())
        return f"{when(last.date, seconds)} on {described(last.machine)}."

    def table(self) -> str:
        """Makes the table of how many mutants each area had, and how many were killed."""
        rows = []
        for area, found in self._found.items():
            mutants, killed = sum(found.mutants.values()), sum(found.killed.values())
            mark = "✓" if killed >= GOAL * mutants else "✗"
            names = ", ".join(f"`{module}`" for module in AREAS[area])
            share = f"{killed / mutants:.1%} {mark}"
            rows.append([area, names, f"{mutants:,}", f"{killed:,}", share])
        return markdown_table(["area", "modules", "mutants", "killed", "share"], rows, 2)

    def lacking(self) -> str:
        """Says which areas have not been measured yet; nothing if all have."""
        if areas := [area for area in AREAS if area not in self._found]:
            return f"Not measured yet: {', '.join(areas)}."
        return ""

    def survivors(self) -> str:
        """Lists the survivors, folded by area, under the reasons why they are left.

        Raises:
            KeyError: if one has no reason.
        """
        texts = []
        for area, found in self._found.items():
            if not found.survivors:
                continue
            by_reason: dict[str, list[str]] = {}
            for survivor in found.survivors:
                by_reason.setdefault(self._reason(survivor), []).append(_item(survivor))
            parts = [f"<details><summary>{area}: {len(found.survivors)} left</summary>"]
            for reason, items in by_reason.items():
                parts += [reason, "\n".join(items)]
            texts.append("\n\n".join([*parts, "</details>"]))
        return "\n\n".join(texts)

    def _reason(self, survivor: Survivor) -> str:
        if reason := reason_of(survivor, self._known):
            return reason
        raise KeyError(f"no reason for the survivor {survivor}")


def _item(survivor: Survivor) -> str:
    place = f"`{survivor.module}.{survivor.function}`"
    return f"- {place}: {_code(survivor.before)} → {_code(survivor.after)}"


def _code(text: str) -> str:
    shown = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    return f"`` {shown} ``" if shown else "nothing"
