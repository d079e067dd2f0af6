"""The figures of the page of benchmarks: costs with their fits, and accuracies with their bands.

To draw them takes longer than all other pages, so they are kept by what they are drawn from.
"""

import importlib.util
import io
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.harness.curves import line, upper
from benchmarks.harness.results import Result
from benchmarks.page.text import formulas, network
from book.pages.kept import kept
from book.pages.outputs import INK, page_svg

STYLE = Path(__file__).parents[2] / "invariant_nets" / "figures.py"
UNITS = {"s": "seconds", "MB": "megabytes"}
LIMIT, POINT = "limit", 0.01  # the case of the Bayes limit, and what counts as near it


@dataclass(frozen=True)
class Curves:
    """What is to be drawn: the results of each panel by its title, and how."""

    kind: str  # one of `KINDS`
    panels: Mapping[str, Sequence[Result]]


@dataclass(frozen=True)
class Figure:
    """A drawing and its text alternative."""

    svg: str
    alt: str


def draw(curves: Mapping[str, Curves], folder: Path) -> dict[str, str]:
    """Returns a drawing for each mark, from a folder that keeps them."""
    sources = [path.read_text() for path in (Path(__file__), STYLE)]
    drawings = {}
    for number, (mark, found) in enumerate(curves.items(), start=1):
        depends_on = [found.kind, repr(list(found.panels.items())), version("matplotlib"), *sources]
        figure = Figure(**json.loads(kept(folder, depends_on, partial(figure_text, found))))
        drawings[mark] = page_svg(figure.svg, figure.alt, f"benchmark-{number}-")
    return drawings


def figure_text(curves: Curves) -> bytes:
    """Returns the figure of some curves as it is kept."""
    return json.dumps(asdict(drawn(curves))).encode()


def drawn(curves: Curves) -> Figure:
    """Draws the panels in the style of the book, and says in words what is to be seen."""
    import matplotlib  # takes a second, which only who draws should pay
    from matplotlib.figure import Figure as Drawing

    kind = KINDS[curves.kind]
    rows = math.ceil(len(curves.panels) / kind.columns)
    with matplotlib.rc_context():
        _style().use_book_style()
        figure = Drawing(figsize=(kind.width, kind.height * rows))
        axes = figure.subplots(rows, kind.columns, squeeze=False)
        texts = []
        for ax, (title, results) in zip(axes.flat, curves.panels.items(), strict=False):
            texts.append(f"{title}: {kind.panel(ax, title, results)}")
            ax.minorticks_off()  # each would be an element of the drawing
        for ax in axes.flat[len(curves.panels) :]:
            ax.set_visible(False)
        out = io.StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
    return Figure(out.getvalue(), f"{kind.says} {' '.join(texts)}")


def _style() -> Any:
    """Loads the style of the book without the package around it, which would load torch."""
    spec = importlib.util.spec_from_file_location("book_style", STYLE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclasses look it up
    spec.loader.exec_module(module)
    return module


def growth(ax: Any, case: str, results: Sequence[Result]) -> str:
    """Draws the costs of one case with quartiles, the fit, and the slope of theory dashed."""
    what, _, against = case.rpartition(", against ")
    ax.set(title=formulas(what), xlabel=against, xscale="log", yscale="log")
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


def accuracy(ax: Any, title: str, results: Sequence[Result]) -> str:
    """Draws accuracies against the number of sets with quartiles, and the limit of all of them."""
    ax.set(xlabel="labeled sets", ylabel="accuracy", xscale="log")
    ax.set_title(title, pad=14)  # apart from the legend above it
    said = []
    curves = [result for result in results if result.size is not None and result.value]
    for color, rival in enumerate(dict.fromkeys(result.rival for result in curves)):
        points = [result for result in curves if result.rival == rival]
        sizes = [point.size or 0.0 for point in points]
        lower, middle, upper = zip(*(point.value or (0.0,) * 3 for point in points), strict=True)
        style = {"color": f"C{color}"}
        ax.fill_between(sizes, lower, upper, alpha=0.2, lw=0, **style)
        ax.plot(sizes, middle, "o-", label=network(rival), **style)
        said.append(f"{rival} from {middle[0]:.3f} to {middle[-1]:.3f}")
    for result in results:
        if result.case == LIMIT and result.value:
            ink = {"color": INK, "lw": 1}
            ax.axhline(result.value[1], ls="--", label="Bayes limit", **ink)
            ax.axhline(result.value[1] - POINT, ls=":", label="one point below", **ink)
    ax.legend(fontsize=9, loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
    return "; ".join(said) + "."


@dataclass(frozen=True)
class Kind:
    """How figures of a kind are laid out, and what begins their text alternative."""

    panel: Callable[[Any, str, Sequence[Result]], str]
    columns: int
    width: float
    height: float  # of a panel
    says: str


KINDS = {
    "growth": Kind(growth, 2, 8, 3.1, "Costs on log-log axes."),
    "accuracy": Kind(accuracy, 1, 6.6, 3.9, "Accuracies against the number of labeled sets."),
}
