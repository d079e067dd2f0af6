"""The ranking of a comparison as a figure: the accuracies of all models, a dot a seed."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from invariant_nets.model_result import ModelResult

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_KINDS = {
    "intrinsic": ("C0", "intrinsic"),
    "canonicalization": ("C2", "sorted or averaged"),
    "symmetrization": ("C2", "sorted or averaged"),
    "sampled symmetrization": ("C2", "sorted or averaged"),
    "none": ("C3", "no symmetry built in"),
    "augmentation": ("C3", "no symmetry built in"),
}
_OTHER = ("C4", "another route")


def ranking_figure(
    results: Sequence[ModelResult], limit: float | None, validation_sets: int | None = None
) -> Figure:
    """Plot the accuracies, the first model on top; hollow, the last ones on validation sets."""
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator
    except ImportError as error:
        message = "Comparison.plot needs matplotlib: pip install 'invariant_nets[plot]'"
        raise ImportError(message) from error
    if not results:
        raise ValueError("comparison must hold at least one result to be plotted, got none")

    figure = Figure(figsize=(8, 1.2 + 0.26 * len(results)), layout="constrained")
    axes = figure.subplots()
    heights = range(len(results) - 1, -1, -1)
    shown = {}
    for height, result in zip(heights, results, strict=True):
        color, kind = _KINDS.get(result.spec.route, _OTHER)
        accuracies = [value for value in result.accuracies if value is not None]
        (dots,) = axes.plot(
            accuracies, [height] * len(accuracies), "o", color=color, alpha=0.7, label=kind
        )
        shown[kind] = dots
        if validation_sets is not None and (readings := result.history.test_acc):
            label = f"on {validation_sets:,} validation sets"
            (ring,) = axes.plot(readings[-1], height, "o", color="C1", mfc="none", mew=1.5, ms=7)
            shown[label] = ring
    if limit is not None:
        axes.axvline(limit, color="C2", linestyle="--")
        axes.annotate(
            "Bayes limit",
            (limit, 0),
            xytext=(-6, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            color="C2",
        )
    axes.set_yticks(heights, [f"{result.name}  {result.claim(True)}" for result in results])
    axes.set(xlabel="accuracy on the test sets, a dot a seed", ylim=(-0.7, len(results) - 0.3))
    axes.xaxis.set_major_locator(MaxNLocator(8))
    axes.grid(axis="y", visible=False)
    kinds = [label for _, label in (*_KINDS.values(), _OTHER) if label in shown]
    labels = list(dict.fromkeys((*kinds, *shown)))
    figure.legend([shown[label] for label in labels], labels, loc="outside upper center", ncols=2)
    return figure


def in_book_style(plot: Callable[[], Figure], extension: str) -> bytes:
    """Return a plot in the book's style, on white, as a file: the same bytes every time."""
    try:
        import matplotlib
    except ImportError as error:
        message = "a figure needs matplotlib: pip install 'invariant_nets[plot]'"
        raise ImportError(message) from error
    from invariant_nets.figures import use_book_style

    contents = io.BytesIO()
    with matplotlib.rc_context():
        use_book_style()
        date = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(extension)
        plot().savefig(
            contents, format=extension, metadata=date, facecolor="white", transparent=False
        )
    return contents.getvalue()
