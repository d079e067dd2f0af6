"""How results of benchmarks are written: numbers, cells and tables."""

import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from benchmarks.harness.results import Result
from benchmarks.harness.timing import Quartiles

T = TypeVar("T")

SPACE = "\N{NO-BREAK SPACE}"
MARKS = {True: f"{SPACE}✓", False: f"{SPACE}✗", None: ""}
MILLIONS = 1e5  # a second; fewer are written out
POWERS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def cell(result: Result) -> str:
    """Writes a result for a table: the ratio with its quartiles, or the measurement itself."""
    mark = MARKS[result.met]
    if result.value is None:
        return result.note + mark
    if result.ratio is None or result.against == result.rival:
        return measurement(result) + mark
    lower, middle, upper = map(number, result.ratio)
    return (f"{middle} [{lower},{SPACE}{upper}]" if lower != upper else middle) + mark


def quartiles(values: Quartiles, digits: int = 3) -> str:
    """Writes a median with its quartiles."""
    lower, middle, upper = (f"{value:.{digits}f}" for value in values)
    return f"{middle} [{lower},{SPACE}{upper}]"


def median(result: Result) -> str:
    """Writes the median of the ratio, or of the measurement if there is no ratio."""
    return number(result.ratio[1]) if result.ratio else measurement(result)


def measurement(result: Result) -> str:
    """Writes the median of a measurement with its unit, or why there is none."""
    if result.value is None:
        return result.note
    middle = result.value[1]
    if result.unit == "s":
        return duration(middle)
    if result.unit == "1/s" and middle < MILLIONS:
        return f"{number(middle)}{SPACE}a second"
    if result.unit == "1/s":
        return f"{middle / 1e6:.2f}{SPACE}million a second"
    return f"{number(middle)}{SPACE}{result.unit}".strip()


def with_error(result: Result, digits: int) -> str:
    """Writes a mean with its standard error, unless that rounds to 0; or why there is none."""
    if result.value is None:
        return result.note
    lower, mean, upper = result.value
    apart = f"{(upper - lower) / 2:.{digits}f}"
    text = f"{mean:.{digits}f}"
    return f"{text}{SPACE}±{SPACE}{apart}" if float(apart) else text


def sets_needed(result: Result) -> str:
    """Writes how many sets a network needs, with the spread over seeds."""
    if result.value is None:
        return result.note
    lower, middle, upper = (f"{float(f'{value:.2g}'):,.0f}" for value in result.value)
    text = middle if lower == upper else f"{middle} [{lower},{SPACE}{upper}]"
    return result.note if result.note.startswith("at most") else f"{text} {result.note}".strip()


def network(rival: str) -> str:
    """Writes the name of a network, and its group as a formula."""
    name, group = re.fullmatch(r"(.*) \((.*)\)", rival, re.DOTALL).groups()  # type: ignore[union-attr]
    formula = group.replace("×", r"\times")
    return f"{name}, {'no group' if group == 'trivial' else f'${formula}$'}"


def number(value: float) -> str:
    """Writes three digits, or two of a small number."""
    if abs(value) >= 100:
        return f"{float(f'{value:.3g}'):,.0f}"
    if abs(value) < 0.1:
        return f"{value:.2g}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def duration(seconds: float) -> str:
    """Writes seconds in the unit that fits."""
    if seconds >= 120:
        return f"{seconds / 60:.0f}{SPACE}minutes"
    size, unit = next((power for power in POWERS if seconds >= power[0]), POWERS[-1])
    return f"{number(seconds / size)}{SPACE}{unit}"


def powers(text: str) -> str:
    """Writes numbers such as 2.4e+08 as formulas."""
    return re.sub(r"(\d(?:\.\d+)?)e\+?0*(\d+)", r"$\1 \\cdot 10^{\2}$", text)


def when(date: str, seconds: float) -> str:
    """Writes the day of a run, and how long it took."""
    day = datetime.date.fromisoformat(date)
    return f"Measured on {day.day} {day:%B %Y} in {duration(seconds)}"


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> str:
    """Makes a table of Markdown, its first columns to the left and all others to the right."""
    named = [[formulas(first), *rest] for first, *rest in rows]
    lines = [header, [*["---"] * texts, *["---:"] * (len(header) - texts)], *named]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def formulas(text: str) -> str:
    """Writes the groups in a text, such as S_10, as formulas, unless they are part of one."""

    def formula(found: re.Match[str]) -> str:
        return f"${found[1]}_{{{found[2]}}}$" if found[1] else found[0]

    return re.sub(r"\$[^$]*\$|\b([CDMS])_(\d+|n)\b", formula, text)


def described(machine: Mapping[str, Any]) -> str:
    """Writes what a part ran on."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    threads = "one thread" if machine["threads"] == 1 else f"{machine['threads']} threads"
    return f"{machine['processor']}, {machine['cores']} cores, {threads} of torch, {versions}"


def shortened(case: str, where: str) -> str:
    """Writes a case without what all cases of a table share."""
    return case.replace(where, "").strip(" ,") or case


def listed(texts: Sequence[str]) -> str:
    """Writes a list as in a sentence."""
    return " and ".join([", ".join(texts[:-1]), texts[-1]]) if len(texts) > 1 else "".join(texts)


def unique(values: Iterable[T]) -> list[T]:
    """Returns each value once, in order."""
    return list(dict.fromkeys(values))
