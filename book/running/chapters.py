"""A chapter: a percent-format Python file whose cells are prose or code."""

from copy import deepcopy
from functools import cache
from pathlib import Path

import jupytext
from nbformat import NotebookNode

FIGURES = ("image/svg+xml", "image/png")  # the forms of a figure, the better one first


def read(path: Path) -> NotebookNode:
    """Reads a chapter as a notebook without outputs."""
    return deepcopy(parsed(path.read_text()))


@cache
def parsed(text: str) -> NotebookNode:
    """Parses a chapter."""
    notebook: NotebookNode = jupytext.reads(text, fmt="py:percent")
    return notebook


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Returns the cells that hold code, in order; empty ones do not count."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def hidden(cell: NotebookNode) -> bool:
    """Returns whether a cell runs and is shown nowhere: it tries wrong answers on an exercise."""
    return "wrong" in cell.metadata


def numbered(path: Path) -> tuple[str, str]:
    """Returns what a file is and its number, by its name: `chapter` and 4, `appendix` and A."""
    number = path.name.split("_")[0]
    if number.isdigit():
        return "chapter", str(int(number))
    return "appendix", number.upper()


class ChapterError(Exception):
    """What is wrong with one cell of a chapter, in words that name the chapter and the cell."""

    def __init__(self, path: Path, cell: int, source: str, problem: str) -> None:
        code = "\n".join(f"    {line}" for line in source.strip().splitlines())
        super().__init__(f"{path.name}, code cell {cell}: {problem}\n\n{code}\n")
