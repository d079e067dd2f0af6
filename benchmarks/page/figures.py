"""The figures of the page of benchmarks: curves on log-log axes with their fits.

To draw them takes longer than all other pages, so they are kept by what they are drawn from.
"""

import importlib.util
import io
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.harness.curves import line, upper
from benchmarks.harness.results import Result
from benchmarks.page.text import formulas
from book.pages.kept import kept
from book.pages.outputs import page_svg

STYLE = Path(__file__).parents[2] / "invariant_nets" / "figures.py"
COLUMNS = 2
Curves = Mapping[str, Sequence[Result]]  # by their cases
UNITS = {"s": "seconds", "MB": "megabytes"}


@dataclass(frozen=True)
class Figure:
    """A drawing and its text alternative."""

    svg: str
    alt: str


def draw(curves: Mapping[str, Curves], folder: Path) -> dict[str, str]:
    """Returns a drawing for each mark, from a folder that keeps them."""
    sources = [path.read_text() for path in (Path(__file__), STYLE)]
    drawings = {}
    for number, (mark, panels) in enumerate(curves.items(), start=1):
        depends_on = [repr(list(panels.items())), version("matplotlib"), *sources]
        figure = Figure(**json.loads(kept(folder, depends_on, partial(growth_text, panels))))
        drawings[mark] = page_svg(figure.svg, figure.alt, f"benchmark-{number}-")
    return drawings


def growth_text(curves: Curves) -> bytes:
    """Returns the figure of some curves as it is kept."""
    return json.dumps(asdict(growth(curves))).encode()


def growth(curves: Curves) -> Figure:
    """Draws one panel a case: points with quartiles, the fit, and the slope of theory dashed."""
    import matplotlib  # takes a second, which only who draws should pay
    from matplotlib.figure import Figure as Drawing

    with matplotlib.rc_context():
        _style().use_book_style()
        return panels(Drawing, list(curves.items()))


def _style() -> Any:
    """Loads the style of the book without the package around it, which would load torch."""
    spec = importlib.util.spec_from_file_location("book_style", STYLE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look it up
    spec.loader.exec_module(module)
    return module


def panels(kind: Any, curves: Sequence[tuple[str, Sequence[Result]]]) -> Figure:
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
