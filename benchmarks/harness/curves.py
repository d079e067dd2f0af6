"""A cost against a size: the points, and the slope on log-log axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.harness.results import Result
from benchmarks.harness.timing import Rival, quartiles, seconds_by_turns

Term = Callable[[float], float]


@dataclass(frozen=True)
class Curve:
    """A cost against a size.

    Attributes:
        case: what against what.
        sizes: in increasing order.
        quick: the sizes of a quick run.
        rivals: maps a size to what each rival does.
        theory: maps a size to the leading term of the cost.
        apart: the same for rivals whose cost grows otherwise; none if it does not grow.
    """

    case: str
    sizes: Sequence[int]
    quick: Sequence[int]
    rivals: Callable[[int], Mapping[str, Rival]]
    theory: Term
    apart: Mapping[str, Term | None] = field(default_factory=dict)


def points(curve: Curve, sizes: Sequence[int], rounds: int) -> list[Result]:
    """Return the points of a curve, and the slope of each rival."""
    rivals = {
        f"{size} {name}": rival for size in sizes for name, rival in curve.rivals(size).items()
    }
    seconds = seconds_by_turns(rivals, rounds)
    by_name: dict[str, dict[int, list[float]]] = {}
    for key, values in seconds.items():
        size, _, name = key.partition(" ")
        by_name.setdefault(name, {})[int(size)] = values
    return [
        result
        for name, columns in by_name.items()
        for result in with_slope(
            curve.case, name, columns, curve.apart.get(name, curve.theory), "s"
        )
    ]


def with_slope(
    case: str,
    rival: str,
    columns: Mapping[int, Sequence[float]],
    theory: Term | None,
    unit: str,
) -> list[Result]:
    """Return points, and the slope of each round as quartiles.

    Args:
        case: the curve.
        rival: whose.
        columns: the values of all rounds by size.
        theory: the leading term of the cost; none if it is constant.
        unit: of the values.
    """
    sizes = list(columns)
    expected = slope(sizes, [theory(size) for size in sizes]) if theory else 0.0
    rows = zip(*columns.values(), strict=True)
    found = quartiles([slope(sizes, row) for row in rows])
    return [
        *(
            Result(case, rival, quartiles(values), unit, size=size)
            for size, values in columns.items()
        ),
        Result(case, rival, found, "slope", theory=expected),
    ]


LEAST = 3  # points of a fit


def upper(count: int) -> slice:
    """Return which of so many points, in order of size, a slope is fitted to: the upper half."""
    return slice(-max(LEAST, (count + 1) // 2), None)


def line(sizes: Sequence[float], values: Sequence[float]) -> tuple[float, float]:
    r"""Return slope and intercept of the line $\log v = a \log s + b$ of least squares.

    Raises:
        ValueError: if there are fewer than two sizes, or a number is not positive.
    """
    if len(set(sizes)) < 2 or min(*sizes, *values) <= 0:
        raise ValueError(f"sizes and values must be positive, at least two, got {sizes}, {values}")
    xs, ys = [math.log(size) for size in sizes], [math.log(value) for value in values]
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    slope = sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / sum(
        (a - x) ** 2 for a in xs
    )
    return slope, y - slope * x


def slope(sizes: Sequence[float], values: Sequence[float]) -> float:
    """Return the slope over the upper part."""
    part = upper(len(sizes))
    return line(sizes[part], values[part])[0]
