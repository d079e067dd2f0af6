"""Slopes of curves on log-log axes."""

from __future__ import annotations

import math
from collections.abc import Sequence

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
