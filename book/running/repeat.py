"""Runs chapters twice, and says where their outputs differ: the same code gives the same bytes.

A measurement cannot be the same twice. A cell that shows some names their units in its head,
`# %% measured="s"`: a number before a unit and a table's column headed by it may then differ, and
with `measured="figure"` the cell's figure, but nothing else.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from nbformat import NotebookNode

from book.running.chapters import FIGURES, code_cells
from book.running.run import Runner

FIGURE = "figure"  # what a cell names in place of a unit
MASK = "(measured)"
NUMBER = r"(?<![\w.,])[-\N{MINUS SIGN}]?\d[\d.,]*(?:e[-+]?\d+)?"
BAR_TIMES = re.compile(r"\[\d+:[^],]*,[^],]*")  # those of a progress bar, in any cell
TABLES = {"text/html": ("</tr>", "(<[^>]*>)"), "text/plain": ("\n", "( {2,})")}
TABLES["stdout"] = TABLES["text/plain"]
EXCERPT = 100  # characters


def repeat(runner: Runner, paths: Iterable[Path]) -> list[str]:
    """Returns where the outputs of chapters differ from those of another run, cell by cell.

    The outputs that the cache keeps are those of the first run, as far as they are fresh.

    Raises:
        ExceptionGroup: If cells failed; one `ChapterError` a chapter.
    """
    first = runner.run(paths)
    second = runner.run_again(first)
    return [
        f"{path.name}, code cell {number}: {problem}"
        for path in first
        for number, problem in differences(first[path], second[path])
    ]


def differences(first: NotebookNode, second: NotebookNode) -> Iterator[tuple[int, str]]:
    """Yields the number of each cell whose outputs differ, and where they do."""
    pairs = zip(code_cells(first), code_cells(second), strict=True)
    for number, (cell, again) in enumerate(pairs, start=1):
        units = [unit for unit in cell.metadata.get("measured", "").split(", ") if unit]
        problems = [*unmeasured(cell, again, units), *difference(cell, again, units)]
        if problems:
            yield number, problems[0]


def unmeasured(cell: NotebookNode, again: NotebookNode, units: list[str]) -> Iterator[str]:
    """Yields what a cell claims to have measured although its outputs tell otherwise."""
    for unit in units:
        if unit == FIGURE:
            figures = [form for form in forms(cell) if form[0] in FIGURES]
            if not figures or any(form in figures for form in forms(again)):
                yield f'measured="{FIGURE}", and its figure is the same again'
        elif all(without(unit, *form) == form[1] for form in forms(cell)):
            yield f'measured="{unit}", and no number in its outputs has this unit'


def difference(cell: NotebookNode, again: NotebookNode, units: list[str]) -> Iterator[str]:
    """Yields where the outputs of a cell first differ by more than its measurements."""
    before, after = comparable(cell, units), comparable(again, units)
    names = [[name for name, _ in outputs] for outputs in (before, after)]
    if names[0] != names[1]:
        yield "puts out {} and then {}".format(*(", ".join(n) or "nothing" for n in names))
        return
    for (name, old), (_, new) in zip(before, after, strict=True):
        if old != new:
            pairs = enumerate(zip(old, new, strict=False))
            same = next((i for i, (a, b) in pairs if a != b), min(len(old), len(new)))
            line = old.count("\n", 0, same) + 1
            excerpts = "".join(f"\n    {excerpt(text, same)}" for text in (old, new))
            yield f"{name} differs in line {line}:{excerpts}"
            return


def comparable(cell: NotebookNode, units: list[str]) -> list[tuple[str, str]]:
    """Returns the outputs of a cell that must be the same again, as (name, text)."""
    outputs = []
    for name, text in forms(cell):
        if name in FIGURES and FIGURE in units:
            text = MASK
        for unit in units:
            text = without(unit, name, text)
        # A measurement moves what stands beside it.
        outputs.append((name, re.sub(" +", " ", text) if units else text))
    return outputs


def forms(cell: NotebookNode) -> list[tuple[str, str]]:
    """Returns each form of each output of a cell, as (name, text)."""
    found: list[tuple[str, str]] = []
    for output in cell.outputs:
        if output.output_type != "stream":
            found += sorted((name, written(data)) for name, data in output.data.items())
        elif output.name == "stdout":
            found.append((output.name, output.text))
        else:  # all that a chapter may write there is progress, whose place among the rest varies
            found.insert(0, (output.name, BAR_TIMES.sub(f"[{MASK}", output.text)))
    return found


def written(data: object) -> str:
    """Returns the data of an output as text: what is JSON comes as what it holds."""
    return data if isinstance(data, str) else json.dumps(data, sort_keys=True)


def without(unit: str, name: str, text: str) -> str:
    """Returns a text without the numbers of one unit."""
    if name not in TABLES:
        return text
    text = without_column(unit, text, *TABLES[name])
    return re.sub(rf" *{NUMBER}(\s*{re.escape(unit)})(?!\w)", rf" {MASK}\1", text)


def without_column(unit: str, text: str, row_end: str, cell_end: str) -> str:
    """Returns a table without what stands in the columns headed by a unit."""
    head, *rows = (re.split(cell_end, row) for row in text.split(row_end))
    # Counted from the end, as a row may begin with the tags around it.
    columns = [index - len(head) for index, cell in enumerate(head) if cell.strip() == unit]
    if not columns:
        return text
    for row in rows:
        for column in columns:
            if len(row) >= -column:
                row[column] = MASK
    return row_end.join("".join(row) for row in [head, *rows])


def excerpt(text: str, position: int) -> str:
    """Returns the line around a position in a text, or what fits."""
    start = max(text.rfind("\n", 0, position) + 1, position - EXCERPT // 2)
    return "…" * (text[:start][-1:] not in ("", "\n")) + text[start:].split("\n")[0][:EXCERPT]
