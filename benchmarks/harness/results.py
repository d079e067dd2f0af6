"""What the benchmarks find: one result a rival and case, kept as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from benchmarks.harness.timing import Quartiles

FILE = Path(__file__).parents[1] / "results.json"
FOLDER = "devices"  # beside it, with such a file for each device
OURS = "invariant_nets"


@dataclass(frozen=True)
class Result:
    """One rival in one case.

    Attributes:
        case: what is measured, such as "(32, 10, 5 → 10), forward".
        rival: who is measured; this package is `OURS`.
        value: quartiles of the measurements in `unit`; none if there is no measurement.
        unit: "s", "MB", "1/s", "sets", …
        ratio: quartiles of the round-by-round ratios to the value of `against` in this case.
        against: the rival that `ratio` divides by.
        goal: the goal in words, such as "at most 1.15"; empty if there is none.
        met: whether the goal is met; none if there is none.
        note: what else is to be said, such as why there is no measurement.
        size: what a curve is drawn against; none if this is no point of a curve.
        theory: for a slope, the one that theory gives.
    """

    case: str
    rival: str
    value: Quartiles | None = None
    unit: str = "s"
    ratio: Quartiles | None = None
    against: str = ""
    goal: str = ""
    met: bool | None = None
    note: str = ""
    size: float | None = None
    theory: float | None = None

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Self:
        """Read a result back; what is left out is as it is by default."""
        known = [field.name for field in fields(cls)]
        if unknown := set(entry) - set(known):
            raise ValueError(f"entry must have keys of {known}, got {sorted(unknown)}")
        lists = {name: tuple(value) for name, value in entry.items() if isinstance(value, list)}
        return cls(**{**entry, **lists})

    def to_json(self) -> dict[str, Any]:
        """Write a result, without what is as it is by default, to five digits."""
        defaults = {field.name: field.default for field in fields(self)}
        return {
            name: _rounded(value) for name, value in asdict(self).items() if value != defaults[name]
        }


@dataclass(frozen=True)
class Part:
    """The results of one module of benchmarks, from one run.

    Attributes:
        date: the day of the run, as in "2026-01-31".
        seconds: how long it took.
        machine: what it ran on, see `benchmarks.harness.machine`.
        results: what it found.
    """

    date: str
    seconds: float
    machine: Mapping[str, Any]
    results: tuple[Result, ...]


def at_most(bound: float, measured: float, unit: str = "") -> dict[str, Any]:
    """Return the fields of a goal that is an upper bound; a ratio has no unit."""
    return {"goal": f"at most {bound:,g} {unit}".strip(), "met": measured <= bound}


def at_least(bound: float, measured: float, unit: str = "") -> dict[str, Any]:
    """Return the fields of a goal that is a lower bound; a ratio has no unit."""
    return {"goal": f"at least {bound:,g} {unit}".strip(), "met": measured >= bound}


def read(path: Path = FILE) -> dict[str, Part]:
    """Return the parts of a file by name; no file has no parts."""
    if not path.exists():
        return {}
    return {
        name: Part(**{**part, "results": tuple(map(Result.from_json, part["results"]))})
        for name, part in json.loads(path.read_text()).items()
    }


def write(parts: Mapping[str, Part], path: Path = FILE) -> None:
    """Write the parts, a result a line."""
    texts = []
    for name, part in parts.items():
        lines = ",\n".join(f"      {_line(result.to_json())}" for result in part.results)
        texts.append(
            f'  {_line(name)}: {{\n    "date": {_line(part.date)},\n'
            f'    "seconds": {_line(round(part.seconds, 1))},\n'
            f'    "machine": {_line(part.machine)},\n    "results": [\n{lines}\n    ]\n  }}'
        )
    text = "{\n" + ",\n".join(texts) + "\n}\n"
    whole = path.with_suffix(".tmp")  # so that a run that is cut off leaves the last results
    whole.write_text(text)
    whole.replace(path)


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _rounded(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.5g}")
    return [_rounded(entry) for entry in value] if isinstance(value, tuple) else value
