r"""What a comparison of models found: the ranking, as a table, as JSON and as a figure."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from invariant_nets._arguments import need_matplotlib
from invariant_nets._files import output_file, write_whole
from invariant_nets.comparison.results import ModelResult
from invariant_nets.comparison.tasks import Task

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from invariant_nets.figures import Cell, Table

COLUMNS = ("model", "route", "claims", "accuracy", "s.e.", "gap", "weights", "ms")
FIGURE_EXTENSIONS = (".svg", ".png", ".pdf")


@dataclass(frozen=True)
class Comparison:
    r"""The result of `compare`: what each model came to, the best first.

    A notebook shows its table, and so does `print`, with what the columns mean.

    Attributes:
        task: what the models were trained and tested on.
        epochs: how many epochs each training had.
        batch_size: how many sets a batch had.
        seeds: the seeds of the trainings.
        results: what was found about each model, by name, in the order of the ranking.
        stopped: why the comparison ended, in words.
        interrupted: whether Ctrl-C ended it before all was trained.

    Example:
        >>> from invariant_nets import GaussianTask, compare
        >>> task = GaussianTask(train_sets=64, test_sets=500)
        >>> comparison = compare(["deep-sets", "radial"], task, epochs=2, seeds=2)
        >>> sorted(comparison.ranking), comparison["radial"].weights
        (['deep-sets', 'radial'], 2)
        >>> comparison.to_dict()["bayes_accuracy"] == task.bayes_accuracy
        True

    Used in chapter 11.
    """

    task: Task
    epochs: int
    batch_size: int
    seeds: tuple[int, ...]
    results: Mapping[str, ModelResult]
    stopped: str
    interrupted: bool = False

    def __getitem__(self, name: str) -> ModelResult:
        return self.results[name]

    @property
    def ranking(self) -> list[str]:
        """The models' names, by mean accuracy, the best first; those that failed are the last."""
        return list(self.results)

    @property
    def problems(self) -> list[str]:
        """What went wrong in a run, a line each."""
        return [
            f"{name}, seed {run.seed}: {run.problem}"
            for name, result in self.results.items()
            for run in result.runs
            if run.problem
        ]

    def table(
        self,
        columns: Sequence[str] = COLUMNS,
        *,
        caption: str = "",
        formulas: bool = True,
        **more: Mapping[str, Cell],
    ) -> Table:
        r"""Return the ranking as a table, a model a row.

        Args:
            columns: which columns, in their order: of "model", "route", "claims", "accuracy" (mean
                ± standard deviation over the seeds), "s.e." (the standard error that the test sets
                leave), "gap" (to the Bayes limit; dropped where none is known), "weights" and "ms"
                (milliseconds an epoch, the median).
            caption: what the table shows, in a few words.
            formulas: whether groups are written as formulas, `$S_n \times S_d$`, or in plain text.
            more: a column each, from model to value.

        Raises:
            ValueError: if there is no such column, or no result.
        """
        from invariant_nets.figures import table

        if unknown := [column for column in columns if column not in COLUMNS]:
            raise ValueError(f"columns must be of {', '.join(COLUMNS)}, got {unknown[0]!r}")
        shown = [c for c in columns if c != "gap" or self.task.bayes_accuracy is not None]
        rows = []
        for name, result in self.results.items():
            cells = _cells(result, formulas)
            rows.append(
                {column: cells[column] for column in shown}
                | {column: values[name] for column, values in more.items()}
            )
        digits = {"s.e.": 4, "ms": 0} | dict.fromkeys(more, 0)
        present = {column: count for column, count in digits.items() if rows and column in rows[0]}
        return table(rows, digits=present, caption=caption)

    def __str__(self) -> str:
        if not self.results:
            return f"no model was trained ({self.stopped})"
        limit, settings = self.task.bayes_accuracy, self.task.settings()
        seeds = f"seed{'s' * (len(self.seeds) > 1)} {', '.join(map(str, self.seeds))}"
        lines = [
            str(self.task),
            f"{self.epochs} epoch{'s' * (self.epochs > 1)} of {settings['train_sets']:,} sets "
            f"in batches of {self.batch_size}, {seeds}",
            "",
            str(self.table(formulas=False)),
            "",
            f"accuracy  on {settings['test_sets']:,} test sets; ± is the standard deviation over "
            "the seeds",
            "s.e.      the standard error that so many test sets leave",
        ]
        if limit is not None:
            lines.append(f"gap       to the Bayes limit, {limit:.4f}: the best possible accuracy")
        lines.append("ms        milliseconds an epoch, the median")
        if (majority := settings.get("majority_accuracy")) is not None:
            lines += ["", f"Giving every test set the more frequent label: {majority:.3f}."]
        return "\n".join([*lines, *(["", *self.problems] if self.problems else [])])

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def to_dict(self) -> dict[str, Any]:
        """Return all but the weights in plain values: settings, limit, scores, histories."""
        return {
            "versions": {
                "invariant_nets": sys.modules["invariant_nets"].__version__,
                "python": ".".join(map(str, sys.version_info[:3])),
                "torch": str(torch.__version__),
            },
            "task": {"description": str(self.task), **self.task.settings()},
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "seeds": list(self.seeds),
            "optimizer": "Adam",
            "bayes_accuracy": self.task.bayes_accuracy,
            "bayes_loss": self.task.bayes_loss,
            "stopped": self.stopped,
            "models": [result.to_dict() for result in self.results.values()],
        }

    def to_json(self) -> str:
        """Return `to_dict` as strict JSON."""
        return json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the JSON to a file, whole or not at all.

        Args:
            path: a file whose name ends in `.json`, in a folder that exists.

        Raises:
            OSError: if it cannot be written; a file that was there is then intact.
            ValueError: if its name ends otherwise.
        """
        write_whole(output_file("path", path, [".json"]), self.to_json().encode())

    def plot(self, *, readings: bool = False) -> Figure:
        """Plot the accuracies, one dot per seed, beside the Bayes limit if it is known.

        Args:
            readings: also show, as hollow dots, what the last epoch of the first seed read on the
                validation sets.

        Returns:
            A matplotlib figure of its own; nothing global changes, and a notebook shows it.

        Raises:
            ImportError: if matplotlib is not installed (the extra `plot`).
            ValueError: if there is no result.
        """
        if not self.results:
            raise ValueError("comparison must hold at least one result to be plotted, got none")
        return _ranking(self, readings)

    def save_figure(self, path: str | os.PathLike[str]) -> None:
        """Write the plot in the book's style to a file, whole or not at all.

        Args:
            path: a file whose name ends in `.svg`, `.png` or `.pdf`, in a folder that exists.

        Raises:
            ImportError: if matplotlib is not installed (the extra `plot`).
            OSError: if it cannot be written; a file that was there is then intact.
            ValueError: if its name ends otherwise, or there is no result.
        """
        file = output_file("path", path, FIGURE_EXTENSIONS)
        need_matplotlib("Comparison.save_figure")
        import matplotlib

        from invariant_nets.figures import use_book_style

        contents, kind = io.BytesIO(), file.suffix[1:].lower()
        date = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(kind)
        with matplotlib.rc_context():
            use_book_style()
            # On white, and the same bytes every time.
            self.plot().savefig(
                contents, format=kind, metadata=date, facecolor="white", transparent=False
            )
        write_whole(file, contents.getvalue())


def _cells(result: ModelResult, formulas: bool) -> dict[str, Cell]:
    mean, sd = result.accuracy, result.sd
    accuracy = "failed" if mean is None else f"{mean:.3f}"
    if sd is not None:
        accuracy += f" ± {sd:.3f}"
    return {
        "model": result.name,
        "route": result.spec.route,
        "claims": result.claim(formulas),
        "accuracy": accuracy,
        "s.e.": _or_dash(result.standard_error),
        "gap": _or_dash(result.gap),
        "weights": result.weights,
        "ms": _or_dash(result.seconds, 1e3),
    }


def _or_dash(value: float | None, unit: float = 1.0) -> Cell:
    return "–" if value is None else unit * value


_KINDS = {
    "intrinsic": ("C0", "intrinsic"),
    "canonicalization": ("C2", "sorted or averaged"),
    "symmetrization": ("C2", "sorted or averaged"),
    "sampled symmetrization": ("C2", "sorted or averaged"),
    "none": ("C3", "no symmetry built in"),
    "augmentation": ("C3", "no symmetry built in"),
}
_OTHER = ("C4", "another route")


def _ranking(comparison: Comparison, readings: bool) -> Figure:
    # The first model on top; hollow, the last readings on validation sets.
    need_matplotlib("Comparison.plot")
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    results, limit = list(comparison.results.values()), comparison.task.bayes_accuracy
    figure = Figure(figsize=(8, 1.2 + 0.26 * len(results)), layout="constrained")
    axes = figure.subplots()
    heights = range(len(results) - 1, -1, -1)
    shown = {}
    for height, result in zip(heights, results, strict=True):
        color, kind = _KINDS.get(result.spec.route, _OTHER)
        accuracies = [value for value in result.accuracies if value is not None]
        (shown[kind],) = axes.plot(
            accuracies, [height] * len(accuracies), "o", color=color, alpha=0.7, label=kind
        )
        if readings and (last := result.history.test_acc[-1:]):
            count = len(comparison.task.validation_data(0))  # type: ignore[arg-type]
            (ring,) = axes.plot(last, [height], "o", color="C1", mfc="none", mew=1.5, ms=7)
            shown[f"on {count:,} validation sets"] = ring
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
