"""How the measured growth compares with theory: which slopes differ from it, and why."""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.harness.results import Result
from benchmarks.page.text import formulas

FILE = Path(__file__).with_name("laws.toml")
APART = 0.15  # a slope that differs from theory by more is explained
UNKNOWN = "We have no explanation yet."


@dataclass(frozen=True)
class Law:
    """Why the slopes of some rivals in a case are below those of theory, or above them."""

    case: str
    rivals: str
    below: str = ""
    above: str = ""


def read(path: Path = FILE) -> list[Law]:
    """Reads the explanations."""
    return [Law(**entry) for entry in tomllib.loads(path.read_text())["laws"]]


def difference(result: Result) -> float:
    """Returns how much a slope is above that of theory."""
    return (result.value[1] if result.value else 0.0) - (result.theory or 0.0)


def slopes(results: Sequence[Result]) -> list[Result]:
    """Returns the slopes among results."""
    return [result for result in results if result.unit == "slope" and result.value]


def explanation(result: Result, laws: Sequence[Law]) -> str:
    """Returns why a slope is not that of theory; empty if nothing says so."""
    for law in laws:
        if law.case == result.case and re.fullmatch(law.rivals, result.rival):
            return law.above if difference(result) > 0 else law.below
    return ""


def verdict(results: Sequence[Result], laws: Sequence[Law]) -> str:
    """Says how many slopes are those of theory, and of each other one why it is not."""
    found = slopes(results)
    apart = [result for result in found if abs(difference(result)) > APART]
    said: dict[tuple[str, str], list[str]] = {}
    for result in apart:
        key = result.case, explanation(result, laws) or UNKNOWN
        slope = f"{result.rival} {result.value[1] if result.value else 0:.2f}"
        said.setdefault(key, []).append(f"{slope} instead of {result.theory or 0:.2f}")
    lines = [
        f"- **{formulas(case)}:** {', '.join(slopes)}. {why}"
        for (case, why), slopes in said.items()
    ]
    near = f"{len(found) - len(apart)} of {len(found)} slopes are within {APART} of theory."
    return "\n".join([near, "", *lines]) if lines else near
