"""The figures of the page of benchmarks: curves on log-log axes with their fits."""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from benchmarks.harness.curves import line, upper
from benchmarks.harness.results import Result
from benchmarks.page.text import formulas

COLUMNS = 2
UNITS = {"s": "seconds", "MB": "megabytes"}


@dataclass(frozen=True)
class Figure:
    """A drawing and its text alternative."""

    svg: str
    alt: str


def growth(curves: Mapping[str, Sequence[Result]]) -> Figure:
    """Draws one panel a case: points with quartiles, the fit, and the slope of theory dashed."""
    return _growth(tuple((case, tuple(results)) for case, results in curves.items()))


@cache  # serving, an edit of the prose draws nothing anew
def _growth(curves: tuple[tuple[str, tuple[Result, ...]], ...]) -> Figure:
    # They take seconds, and no other page needs them.
    import matplotlib
    from matplotlib.figure import Figure as Drawing

    from invariant_nets.figures import use_book_style

    with matplotlib.rc_context():
        use_book_style()
        return draw(Drawing, curves)


def draw(kind: Any, curves: Sequence[tuple[str, Sequence[Result]]]) -> Figure:
    """Draws the panels into a figure of matplotlib."""
    rows = math.ceil(len(curves) / COLUMNS)
    figure = kind(figsize=(8, 3.1 * rows))
    axes = figure.subplots(rows, COLUMNS, squeeze=False)
    texts = []
    for ax, (case, results) in zip(axes.flat, curves, strict=False):
        texts.append(f"{case}: {panel(ax, results)}")
        what, _, against = case.rpartition(", against ")
        ax.set(title=formulas(what), xlabel=against, xscale="log", yscale="log")
        ax.minorticks_off()  # each would be an element of the drawing
    for ax in axes.flat[len(curves) :]:
        ax.set_visible(False)
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    return Figure(out.getvalue(), f"Costs on log-log axes. {' '.join(texts)}")


def panel(ax: Any, results: Sequence[Result]) -> str:
    """Draws the curves of one case, and says in words what is to be seen."""
    said = []
    for color, rival in enumerate(dict.fromkeys(result.rival for result in results)):
        points = [r for r in results if r.rival == rival and r.size is not None and r.value]
        slopes = [r for r in results if r.rival == rival and r.unit == "slope" and r.value]
        if not points or not slopes:
            continue
        sizes = [point.size or 0.0 for point in points]
        medians = [point.value[1] for point in points if point.value]
        below = [point.value[1] - point.value[0] for point in points if point.value]
        above = [point.value[2] - point.value[1] for point in points if point.value]
        found, theory = slopes[0].value[1] if slopes[0].value else 0.0, slopes[0].theory or 0.0
        style = {"color": f"C{color}"}
        ax.errorbar(sizes, medians, [below, above], fmt="o", **style, label=f"{rival}, {found:.2f}")
        part = upper(len(sizes))
        a, b = line(sizes[part], medians[part])
        ax.plot(sizes[part], [math.exp(b) * size**a for size in sizes[part]], **style)
        center = math.exp(sum(map(math.log, sizes[part])) / len(sizes[part]))
        height = math.exp(b) * center**a
        expected = [height * (size / center) ** theory for size in sizes]
        ax.plot(sizes, expected, "--", lw=1, **style)
        said.append(f"{rival} has slope {found:.2f}, in theory {theory:.2f}")
        ax.set_ylabel(UNITS[points[0].unit])
    ax.legend(fontsize=8, title="fitted slope", title_fontsize=8)
    return "; ".join(said) + "."
