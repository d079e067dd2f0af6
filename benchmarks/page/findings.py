"""Fills the page of benchmarks: its tables, verdicts, figures and numbers come from the results.

The page is a Jinja template. What it can call are the public methods of `Findings`; a name that the
results do not have fails the build.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from benchmarks.harness.results import FOLDER, OURS, Part, Result, read
from benchmarks.page import learning
from benchmarks.page.facts import laws
from benchmarks.page.facts.tools import ToolFindings
from benchmarks.page.figures import LIMIT, Curves
from benchmarks.page.mutants import MutationFindings
from benchmarks.page.speed import Ways, compared, costs
from benchmarks.page.text import (
    SPACE,
    cell,
    described,
    formulas,
    listed,
    markdown_table,
    measurement,
    median,
    number,
    quartiles,
    shortened,
    unique,
    when,
    with_error,
)


def render(markdown: str, path: Path) -> tuple[str, dict[str, Curves]]:
    """Returns the page as Markdown, and what is to be drawn at the marks in it.

    Args:
        markdown: The template.
        path: The file of the results.
    """
    findings = Findings(read(path))
    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    methods = {name: getattr(findings, name) for name in vars(Findings) if name[0] != "_"}
    methods["here"], methods["tools"] = findings, ToolFindings(findings._case)
    files = sorted((path.parent / FOLDER).glob("*.json"))
    methods["devices"] = [Findings(read(file)) for file in files]
    methods["mutation"] = MutationFindings.read(path.parent)
    return environment.from_string(markdown).render(methods), findings._curves


class Findings:
    """What the page says, by the names of the parts, cases and rivals in the results."""

    def __init__(self, parts: Mapping[str, Part]) -> None:
        self._parts = parts
        self._curves: dict[str, Curves] = {}

    def _results(self, part: str, where: str = "") -> list[Result]:
        return [result for result in self._part(part).results if where in result.case]

    def _case(self, part: str, case: str) -> list[Result]:
        """Returns the results of a case; none if the part has not been measured."""
        if not self.has(part):
            return []
        if found := [result for result in self._results(part) if result.case == case]:
            return found
        raise KeyError(f"no case {case!r} of {part!r}")

    def _part(self, part: str) -> Part:
        if part not in self._parts:
            raise KeyError(f"no results of {part!r}: run `python -m benchmarks --only {part}`")
        return self._parts[part]

    def _one(self, part: str, case: str, rival: str) -> Result:
        for result in self._results(part):
            if (result.case, result.rival) == (case, rival):
                return result
        raise KeyError(f"no result of {rival!r} in {case!r} of {part!r}")

    def has(self, part: str) -> bool:
        """Returns whether a part has been measured."""
        return part in self._parts

    def device(self) -> str:
        """Returns the name of the device on which all was measured."""
        (name,) = {part.machine["device"] for part in self._parts.values()}
        return str(name)

    def titles(self, titles: Mapping[str, str]) -> list[tuple[str, str]]:
        """Returns those parts, each with its title, that have been measured."""
        return [(part, title) for part, title in titles.items() if self.has(part)]

    def machines(self) -> str:
        """Says what the parts ran on: in a sentence if all ran on the same."""
        ran: dict[str, list[str]] = {}
        for name, part in self._parts.items():
            ran.setdefault(described(part.machine), []).append(name)
        if len(ran) == 1:
            return f"All of it ran on {next(iter(ran))}."
        return "\n".join(f"- {', '.join(names)}: {machine}" for machine, names in ran.items())

    def processors(self) -> str:
        """Lists the machines without what each of them measured."""
        return listed(unique(str(part.machine["processor"]) for part in self._parts.values()))

    def measured(self, part: str) -> str:
        """Says when a part ran, and how long that took."""
        found = self._part(part)
        return f"{when(found.date, found.seconds)}."

    def value(self, part: str, case: str, rival: str, digits: int | None = None) -> str:
        """Writes the median of a measurement with its unit, or why there is none."""
        result = self._one(part, case, rival)
        if digits is not None and result.value:
            return f"{result.value[1]:.{digits}f}"
        return measurement(result)

    def ratio(self, part: str, case: str, rival: str, to: str) -> str:
        """Writes how many times as long one rival takes as another."""
        taken = costs([self._one(part, case, name) for name in (rival, to)])
        return number(taken[0][1] / taken[1][1])

    def times(self, part: str, cases: Mapping[str, str], ways: Ways) -> str:
        """Makes a table of times: of the fastest in each case, and how much longer others take.

        Args:
            part: the part.
            cases: the title of each case.
            ways: what each tool is called in the results; its fastest way counts.
        """
        columns = [compared(ways, self._case(part, case)) for case in cases]
        rows, reasons = [], []
        for tool, names in ways.items():
            measured = [r for name in names for r in self._results(part) if r.rival == name]
            if any(result.value for result in measured if result.case in cases):
                rows.append([tool, *(column.get(tool, "") for column in columns)])
            elif notes := unique(result.note for result in measured):
                reasons.append(f"**{tool}** is missing here: {notes[0]}.")
        header = ["", *(formulas(title) for title in cases.values())]
        return "\n\n".join([markdown_table(header, rows), *reasons])

    def missed(self, part: str, where: str = "", rival: str = "") -> list[Result]:
        """Returns what missed its goal, in the cases and of the rivals that contain a text."""
        return [r for r in self._results(part, where) if r.met is False and rival in r.rival]

    def verdict(self, part: str, where: str = "") -> str:
        """Says of each goal in how many cases it was met, and by how much it was missed."""
        lines = []
        for (rival, goal), results in self._goals(part, where).items():
            missed = [result for result in results if not result.met]
            said = f"met in {len(results) - len(missed)} of {len(results)}"
            if not missed:
                said = "met" if len(results) == 1 else f"met in all {len(results)}"
            elif len(results) == 1:
                said = "missed"
            misses = "; ".join(f"{median(r)} at {formulas(r.case)}" for r in missed)
            lines.append(f"- **{rival}, {goal}:** {said}" + (f"; missed: {misses}" * bool(missed)))
        return "\n".join(lines)

    def goals(self, titles: Mapping[str, str]) -> str:
        """Makes a table of the goals of some parts, each with a title: in how many cases met."""
        rows = []
        for part, title in self.titles(titles):
            for (rival, goal), results in self._goals(part).items():
                met = sum(bool(result.met) for result in results)
                count = [f"{met}", "of", f"{len(results)}", "✓" if met == len(results) else "✗"]
                rows.append([title, f"{rival}, {goal}", SPACE.join(count)])
                title = ""
        return markdown_table(["", "goal", "met in"], rows, texts=2)

    def _goals(self, part: str, where: str = "") -> dict[tuple[str, str], list[Result]]:
        goals: dict[tuple[str, str], list[Result]] = {}
        for result in self._results(part, where):
            if result.goal:
                goals.setdefault((result.rival, result.goal), []).append(result)
        return goals

    def absent(self, part: str) -> str:
        """Says which rivals could not run, and why; nothing if all could."""
        reasons = {r.rival: r.note for r in self._results(part) if "install" in r.note}
        lines = [f"**{rival}** is missing here: {reason}." for rival, reason in reasons.items()]
        return "\n\n".join(lines)

    def by_case(self, part: str, where: str = "", unit: str = "", peer: str = "") -> str:
        """Makes a table with a row a case, named without `where`, and a column a rival.

        With `peer` the rivals are this package and those whose names begin like that.
        """
        results = [
            result
            for result in self._chosen(part, where, unit)
            if result.rival.startswith((OURS, peer))
        ]
        cases, rivals = unique(r.case for r in results), unique(r.rival for r in results)
        cells = {(result.case, result.rival): cell(result) for result in results}
        rows = [
            [shortened(case, where), *(cells.get((case, rival), "") for rival in rivals)]
            for case in cases
        ]
        return markdown_table(["", *rivals], rows)

    def _chosen(self, part: str, where: str, unit: str) -> list[Result]:
        return [r for r in self._results(part, where) if r.size is None and unit in ("", r.unit)]

    def learning(self, part: str) -> str:
        """Makes the table of accuracies by the number of sets, and of how many sets are needed."""
        return learning.table(self._results(part))

    def needing(self, part: str) -> str:
        """Lists the networks in the order of the sets that they need, and who did not get there."""
        return learning.needing(self._results(part))

    def beside(self, part: str, size: float, one: str, other: str) -> str:
        """Compares the accuracies of two networks with so many sets, and whether bands overlap."""
        return learning.beside(self._results(part), size, one, other)

    def accuracies(self, part: str) -> str:
        """Makes a table of accuracies with standard errors, the best first."""
        results = sorted(self._results(part), key=lambda r: -r.value[1] if r.value else math.inf)
        rows = []
        for result in results:
            lower, mean, upper = result.value or (math.nan,) * 3
            error = f"{(upper - lower) / 2:.3f}" if upper > lower else ""
            rows.append([result.rival, f"{mean:.3f}" if result.value else result.note, error])
        return markdown_table(["", "accuracy", "standard error"], rows)

    def by_size(self, part: str, case: str) -> str:
        """Makes a table with a row a rival and a column a size: means and standard errors."""
        results = self._results(part, case)
        sizes = unique(r.size for r in results if r.size is not None)
        cells = {(r.rival, r.size): with_error(r, 3) for r in results}
        rows = [
            [rival, *(cells.get((rival, size), "") for size in sizes)]
            for rival in unique(r.rival for r in results)
        ]
        return markdown_table(["", *(f"{size:,g}" for size in sizes)], rows)

    def beside_published(self, part: str, case: str) -> str:
        """Makes a table of means and standard errors, and of what the notes say was published."""
        rows = [[r.rival, with_error(r, 4), r.note] for r in self._results(part, case)]
        return markdown_table(["", case, "published"], rows)

    def slopes(self, part: str, where: str = "") -> str:
        """Makes the table of fitted slopes beside those of theory."""
        rows = []
        for result in laws.slopes(self._results(part, where)):
            fitted, theory = quartiles(result.value or (0.0,) * 3, 2), f"{result.theory or 0:.2f}"
            rows.append([result.case, result.rival, fitted, theory])
        return markdown_table(["cost", "of", "slope", "theory"], rows)

    def laws(self, part: str) -> str:
        """Says which slopes are not those of theory, and why."""
        return laws.verdict(self._results(part), laws.read())

    def figure(self, part: str, *cases: str) -> str:
        """Returns the mark at which the costs of some cases are to be drawn."""
        return self._marked("growth", {case: self._results(part, case) for case in cases})

    def learned(self, part: str, panels: Mapping[str, Sequence[str]]) -> str:
        """Returns the mark at which accuracies are to be drawn, of some networks in each panel."""
        limit = [result for result in self._results(part) if result.case == LIMIT]
        found: dict[str, Sequence[Result]] = {}
        for title, names in panels.items():
            curves = [learning.named(self._results(part), name) for name in names]
            found[title] = [*chain(*curves), *limit] if all(curves) else []
        return self._marked("accuracy", found)

    def _marked(self, kind: str, panels: Mapping[str, Sequence[Result]]) -> str:
        if lacking := [title for title, results in panels.items() if not results]:
            raise KeyError(f"not all results of {lacking}")
        mark = f"<!--benchmark-figure-{len(self._curves) + 1}-->"
        self._curves[mark] = Curves(kind, panels)
        return f'<figure class="plot"><div class="scroll">{mark}</div></figure>'
