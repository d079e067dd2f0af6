r"""What a comparison of models found: the ranking, as a table, as JSON, a report and a figure."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from invariant_nets._files import output_file, write_whole
from invariant_nets.comparison.documents import (
    cells_of,
    drawn,
    html,
    markdown,
    ranking,
    versions,
)
from invariant_nets.comparison.results import ModelResult
from invariant_nets.comparison.tasks import DataTask

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from invariant_nets.figures import Cell, Table

COLUMNS = "model", "route", "claims", "score", "behind", "s.e.", "gap", "lr", "weights", "ms"
FIGURE_EXTENSIONS = (".svg", ".png", ".pdf")
REPORT_EXTENSIONS = (".html", ".md")


@dataclass(frozen=True)
class Comparison:
    r"""The result of `compare`: the results of all models, the best first.

    A notebook shows its table, and so does `print`, with the meaning of the columns.

    Attributes:
        task: the task on which the models were trained and tested, with its score.
        epochs: the number of epochs of each training.
        batch_size: the number of sets per batch.
        seeds: the seeds of the trainings.
        results: the result of each model, by name, in the order of the ranking.
        stopped: why the comparison ended, in words.
        interrupted: whether Ctrl-C ended it before all was trained.
        rates: the learning rates of which each model chose one; empty if none was to be chosen.
        schedule: whether rates stay ("constant") or fall to 0 ("cosine").

    Example:
        >>> from invariant_nets import GaussianTask, compare
        >>> task = GaussianTask(train_sets=64, test_sets=500)
        >>> comparison = compare(["deep-sets", "radial"], task, epochs=2, seeds=2)
        >>> sorted(comparison.ranking), comparison["radial"].weights
        (['deep-sets', 'radial'], 2)
        >>> comparison.to_dict()["ideal"] == task.bayes_accuracy
        True

    Chapter 11 reads one.
    """

    task: DataTask
    epochs: int
    batch_size: int
    seeds: tuple[int, ...]
    results: Mapping[str, ModelResult]
    stopped: str
    interrupted: bool = False
    rates: tuple[float, ...] = ()
    schedule: str = "constant"

    def __getitem__(self, name: str) -> ModelResult:
        return self.results[name]

    @property
    def ranking(self) -> list[str]:
        """The models' names, by mean score, the best first; those that failed are the last."""
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
        r"""Return the ranking as a table, with one row per model.

        Args:
            columns: which columns, in their order: of "model", "route", "claims", "score" (mean ±
                standard deviation over the seeds), "behind" (by how much it is worse than the best
                one, ± the error of that difference), "s.e." (the standard error of a score from the
                finite number of test sets), "gap" (to the limit; left out if none is known), "lr"
                (the learning rate; left out if none was chosen), "weights" and "ms" (milliseconds
                per epoch, the median).
            caption: what the table shows, in a few words.
            formulas: whether groups are written as formulas, `$S_n \times S_d$`, or in plain text.
            more: more columns, each a mapping from model to value.

        Raises:
            ValueError: if there is no such column, or no result.
        """
        from invariant_nets.figures import table

        if unknown := [column for column in columns if column not in COLUMNS]:
            raise ValueError(f"columns must be of {', '.join(COLUMNS)}, got {unknown[0]!r}")
        absent = {"gap": self.task.goal.ideal is None, "lr": not self.rates}
        shown = [column for column in columns if not absent.get(column)]
        rows = []
        for name, result in self.results.items():
            cells = cells_of(result, self.behind(name), formulas)
            rows.append(
                {self._heading(column): cells[column] for column in shown}
                | {column: values[name] for column, values in more.items()}
            )
        digits = {"s.e.": 4, "lr": 4, "ms": 0} | dict.fromkeys(more, 0)
        present = {column: count for column, count in digits.items() if rows and column in rows[0]}
        return table(rows, digits=present, caption=caption)

    def _heading(self, column: str) -> str:
        return self.task.goal.score if column == "score" else column

    @property
    def budget(self) -> str:
        """What each model was given, in words."""
        settings = self.task.settings()
        seeds = f"seed{'s' * (len(self.seeds) > 1)} {', '.join(map(str, self.seeds))}"
        words = (
            f"{self.epochs} epoch{'s' * (self.epochs > 1)} of {settings['train_sets']:,} sets "
            f"in batches of {self.batch_size}, {seeds}"
        )
        if self.schedule == "cosine":
            words += ", with learning rates that fall to 0"
        if self.rates:
            words += (
                f"; before that as many for each of the learning rates "
                f"{', '.join(f'{rate:g}' for rate in self.rates)}, of which the loss on "
                f"{settings['validation_sets']:,} validation sets chose"
            )
        return words

    def __str__(self) -> str:
        if not self.results:
            return f"no model was trained ({self.stopped})"
        lines = [str(self.task), *textwrap.wrap(self.budget, 88), ""]
        legend = self.legend()
        width = max(map(len, legend)) + 2
        lines += [str(self.table(formulas=False)), ""]
        lines += [f"{name:<{width}}{text}" for name, text in legend.items()]
        lines += ["", self.beside] if self.beside else []
        return "\n".join([*lines, *(["", *self.problems] if self.problems else [])])

    def legend(self) -> dict[str, str]:
        """Return what the columns mean."""
        goal, settings = self.task.goal, self.task.settings()
        better = "" if goal.maximize else ", the smaller the better"
        meanings = {
            goal.score: f"on {settings['test_sets']:,} test sets{better}; ± is the standard "
            "deviation over the seeds",
            "behind": "how much worse than the first; ± is the standard error, paired over seeds "
            "and sets",
            "s.e.": "the standard error from this number of test sets",
        }
        if goal.ideal is not None:
            meanings["gap"] = f"to the limit, {goal.ideal:.4f}: the best possible {goal.score}"
        if self.rates:
            meanings["lr"] = "the learning rate that was chosen"
        meanings["ms"] = "milliseconds per epoch, the median"
        return meanings

    @property
    def beside(self) -> str:
        """The score of the best constant answer, in words; empty if it is not known."""
        constant = self.task.settings().get("constant_score")
        return (
            ""
            if constant is None
            else f"The best answer that does not depend on the set: {constant:.3f}."
        )

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def to_dict(self) -> dict[str, Any]:
        """Return all but the weights in plain values: settings, limit, scores, histories."""
        apart = {name: self.behind(name) for name in self.results}
        return {
            "versions": versions(),
            "task": {"description": str(self.task), **self.task.settings()},
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "seeds": list(self.seeds),
            "rates": list(self.rates),
            "schedule": self.schedule,
            "optimizer": "Adam",
            "score": self.task.goal.score,
            "ideal": self.task.goal.ideal,
            "stopped": self.stopped,
            "models": [result.to_dict() for result in self.results.values()],
            "behind": {name: found and list(found) for name, found in apart.items()},
        }

    def behind(self, name: str) -> tuple[float, float | None] | None:
        """Return by how much a model is worse than the best one, as `ModelResult.behind` does."""
        best = next(iter(self.results.values()))
        return None if name == best.name else self.results[name].behind(best)

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
        """Plot the scores, one dot per seed, with the limit if it is known.

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
        return ranking(self, readings)

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
        write_whole(file, drawn(self, file.suffix[1:].lower()))

    def save_report(self, path: str | os.PathLike[str]) -> None:
        """Write a page about the comparison: the models, the budget, the ranking, and the figure.

        Args:
            path: a file whose name ends in `.html`, one page that needs nothing else; or in `.md`,
                with the figure as an `.svg` of the same name. In a folder that exists.

        Raises:
            ImportError: if matplotlib is not installed (the extra `plot`).
            OSError: if it cannot be written; a file that was there is then intact.
            ValueError: if its name ends otherwise, or there is no result.
        """
        file = output_file("path", path, REPORT_EXTENSIONS)
        if file.suffix.lower() == ".html":
            write_whole(file, html(self).encode())
        else:
            figure = file.with_suffix(".svg")
            write_whole(figure, drawn(self, "svg"))
            write_whole(file, markdown(self, figure.name).encode())
