"""A comparison as a row per model, as a figure, and as a page to read in HTML or Markdown."""

from __future__ import annotations

import html as escaping
import io
import sys
from typing import TYPE_CHECKING

import torch

from invariant_nets._arguments import need_matplotlib

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from invariant_nets.comparison.report import Comparison
    from invariant_nets.comparison.results import ModelResult
    from invariant_nets.figures import Cell

_STYLE = """\
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { border-bottom: 1px solid #8886; padding: 0.3rem 0.8rem; text-align: left; }
td + td, th + th { font-variant-numeric: tabular-nums; }
figure { background: #fff; margin: 1.5rem 0; }
svg { height: auto; max-width: 100%; }
"""


def html(comparison: Comparison) -> str:
    """Return a page that needs no other file."""
    svg = drawn(comparison, "svg").decode()
    figure = svg[svg.index("<svg") :]
    title = escaping.escape(str(comparison.task))
    table = comparison.table(formulas=False)._repr_html_()
    lists = "".join(f"<li>{escaping.escape(line)}</li>\n" for line in _notes(comparison))
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{title}</h1>\n<p>{escaping.escape(comparison.budget)}.</p>\n"
        f'<div class="wide">{table}</div>\n'
        f'<figure role="img" aria-label="{_ALT}">{figure}</figure>\n'
        f"<ul>\n{lists}</ul>\n</main>\n</body>\n</html>\n"
    )


def markdown(comparison: Comparison, figure: str) -> str:
    """Return a page that shows a figure from a file in the same folder."""
    found = comparison.table(formulas=False)
    lines = found.header, ["---"] * len(found.header), *found.rows
    table = [" | ".join(cell.replace("|", r"\|") for cell in line) for line in lines]
    return "\n".join(
        [
            f"# {comparison.task}",
            "",
            f"{comparison.budget}.",
            "",
            *(f"| {line} |" for line in table),
            "",
            f"![{_ALT}]({figure.replace(' ', '%20')})",
            "",
            *(f"- {line}" for line in _notes(comparison)),
            "",
        ]
    )


_ALT = "The scores of all models, one dot per seed, the best on top"


def _notes(comparison: Comparison) -> list[str]:
    lines = [f"{name}: {text}" for name, text in comparison.legend().items()]
    lines += [comparison.beside] if comparison.beside else []
    for name, result in comparison.results.items():
        if result.rates:
            tried = ", ".join(
                f"{'failed' if loss is None else f'{loss:.4f}'} at {rate:g}"
                for rate, loss in result.rates.items()
            )
            lines.append(f"{name}: validation loss by learning rate: {tried}")
    made = ", ".join(f"{name} {number}" for name, number in versions().items())
    return [*lines, *comparison.problems, f"{comparison.stopped}; {made}"]


def versions() -> dict[str, str]:
    """Return with what a comparison was made."""
    return {
        "invariant_nets": sys.modules["invariant_nets"].__version__,
        "python": ".".join(map(str, sys.version_info[:3])),
        "torch": str(torch.__version__),
    }


def drawn(comparison: Comparison, kind: str) -> bytes:
    """Return the figure in the book's style as a file of a kind."""
    need_matplotlib("Comparison.save_figure")
    import matplotlib

    from invariant_nets.figures import use_book_style

    contents = io.BytesIO()
    date = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
    with matplotlib.rc_context():
        use_book_style()
        # On white, and the same bytes every time.
        comparison.plot().savefig(
            contents, format=kind, metadata=date, facecolor="white", transparent=False
        )
    return contents.getvalue()


_KINDS = {
    "intrinsic": ("C0", "intrinsic"),
    "canonicalization": ("C2", "sorted or averaged"),
    "symmetrization": ("C2", "sorted or averaged"),
    "sampled symmetrization": ("C2", "sorted or averaged"),
    "none": ("C3", "no symmetry built in"),
    "augmentation": ("C3", "no symmetry built in"),
}
_OTHER = ("C4", "another route")


def ranking(comparison: Comparison, readings: bool) -> Figure:
    """Return the figure: the first model on top; hollow, the last readings on validation sets."""
    need_matplotlib("Comparison.plot")
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    results, limit = list(comparison.results.values()), comparison.task.goal.ideal
    figure = Figure(figsize=(8, 1.2 + 0.26 * len(results)), layout="constrained")
    axes = figure.subplots()
    heights = range(len(results) - 1, -1, -1)
    shown = {}
    for height, result in zip(heights, results, strict=True):
        color, kind = _KINDS.get(result.spec.route, _OTHER)
        scores = [value for value in result.scores if value is not None]
        (shown[kind],) = axes.plot(
            scores, [height] * len(scores), "o", color=color, alpha=0.7, label=kind
        )
        if readings and (last := result.history.valid_score[-1:]):
            count = len(comparison.task.validation_data(0))  # type: ignore[arg-type]
            (ring,) = axes.plot(last, [height], "o", color="C1", mfc="none", mew=1.5, ms=7)
            shown[f"on {count:,} validation sets"] = ring
    if limit is not None:
        axes.axvline(limit, color="C2", linestyle="--")
        axes.annotate(
            "limit",
            (limit, 0),
            xytext=(-6, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            color="C2",
        )
    axes.set_yticks(heights, [f"{result.name}  {result.claim(True)}" for result in results])
    axes.set(
        xlabel=f"{comparison.task.goal.score} on the test sets, a dot per seed",
        ylim=(-0.7, len(results) - 0.3),
    )
    axes.xaxis.set_major_locator(MaxNLocator(8))
    axes.grid(axis="y", visible=False)
    kinds = [label for _, label in (*_KINDS.values(), _OTHER) if label in shown]
    labels = list(dict.fromkeys((*kinds, *shown)))
    figure.legend([shown[label] for label in labels], labels, loc="outside upper center", ncols=2)
    return figure


def cells_of(
    result: ModelResult, behind: tuple[float, float | None] | None, formulas: bool
) -> dict[str, Cell]:
    """Return what a row of the table may show of a model."""
    score = "failed" if result.score is None else _with_error(result.score, result.sd)
    return {
        "model": result.name,
        "route": result.spec.route,
        "claims": result.claim(formulas),
        "score": score,
        "behind": "–" if behind is None else _with_error(*behind),
        "s.e.": _or_dash(result.standard_error),
        "gap": _or_dash(result.gap),
        "lr": result.lr,
        "weights": result.weights,
        "ms": _or_dash(result.seconds, 1e3),
    }


def _with_error(value: float, error: float | None) -> str:
    text = f"{value:.3f}" if error is None else f"{value:.3f} ± {error:.3f}"
    return text.replace("-", "−")


def _or_dash(value: float | None, unit: float = 1.0) -> Cell:
    return "–" if value is None else unit * value
