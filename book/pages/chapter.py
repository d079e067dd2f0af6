"""A chapter's page: finished without outputs, which are put into the places that it keeps for them.

Its prose is one Markdown document with a placeholder for each code cell; the cells are rendered
apart, and in each of them a `<template>` keeps the place of its outputs, with the caption of their
figure inside. Filling a page costs milliseconds and can be repeated while the chapter runs.
"""

import re
from collections.abc import Callable
from functools import partial

from nbformat import NotebookNode

from book.pages.found.theorems import with_anchors
from book.pages.outputs import CAPTION, rendered
from book.running.chapters import code_cells, hidden
from book.running.live import Status

PLACEHOLDER = re.compile(r"<p>CODE-CELL-(\d+)</p>(?:\s*<p class=\"caption\">(.*?)</p>)?", re.DOTALL)
CELLS = re.compile(r"<!--cell(.*?)-->", re.DOTALL)
OUTPUTS = re.compile(
    r'<template data-outputs="(\d+)" data-search-exclude>(.*?)</template>', re.DOTALL
)
STATE = "<!--state-->"  # the place of the notice, under the title


def markdown(notebook: NotebookNode, anchor: str) -> str:
    """Returns the prose of a chapter as Markdown, with a placeholder for each code cell."""
    parts: list[str] = []
    cells = 0
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(with_anchors(cell.source))
        elif cell.source.strip():
            cells += 1
            if hidden(cell):
                continue
            parts.append(f"CODE-CELL-{cells}")
            if caption := cell.metadata.get("caption"):
                parts.append(f"{caption}\n{{: .caption }}")
    # With this anchor `[chapter 4][chapter-4]` leads here from any docstring.
    title = rf"\g<0> {{#{anchor}}}\n\n{STATE}"
    parts[0] = re.sub(r"^# .*$", title, parts[0], count=1, flags=re.M)
    return "\n\n".join(parts)


def with_cells(prose: str, cells: str) -> str:
    """Puts rendered code cells into the places that the prose keeps for them."""
    code: list[str] = CELLS.findall(cells)

    def cell(match: re.Match[str]) -> str:
        number, caption = match[1], match[2] or ""
        place = f'<template data-outputs="{number}" data-search-exclude>{caption}</template>'
        return code[int(number) - 1].replace("<outputs></outputs>", place)

    return PLACEHOLDER.sub(cell, prose)


class ChapterPage:
    """The page of a chapter, finished but for the outputs.

    Args:
        notebook: The chapter, as its file is.
        status: How far it has come.
        report: Called with the number, the code and the fault of a cell.
    """

    def __init__(
        self, notebook: NotebookNode, status: Status, report: Callable[[int, str, str], None]
    ) -> None:
        self.notebook = notebook
        self.status = status
        self.html = ""  # with the places
        self._cells = dict(enumerate(code_cells(notebook), start=1))
        self._report = report
        self._known: dict[int, tuple[list[NotebookNode], str]] = {}

    def outputs(self) -> dict[int, str]:
        """Returns the outputs of each cell as HTML; those of other code are marked."""
        found = {}
        for match in OUTPUTS.finditer(self.html):
            number, caption = int(match[1]), match[2]
            if markup := self._rendered(number):
                old = " stale" * (number > self.status.fresh)
                caption = f"<figcaption>{caption}</figcaption>" if caption else ""
                markup = markup.replace(CAPTION, caption)
                markup = f'<div class="outputs{old}" data-search-exclude>{markup}</div>'
            found[number] = markup
        return found

    def filled(self, said: str = "", script: str = "") -> str:
        """Returns the page with its outputs, and with what is said of them.

        If something is said, a script may wait for more; it finds each output by an element's id.
        """
        script *= bool(said)
        outputs = self.outputs()

        def put(match: re.Match[str]) -> str:
            markup = outputs[int(match[1])]
            return f'<div id="outputs-{match[1]}">{markup}</div>' if script else markup

        bar = f'<div class="state" role="status">{said}</div>{script}' if said else ""
        return OUTPUTS.sub(put, self.html).replace(STATE, bar)

    def _rendered(self, number: int) -> str:
        outputs = self.status.outputs.get(number, [])
        known, markup = self._known.get(number, (None, ""))
        if known is not outputs:
            cell = self._cells[number]
            markup = rendered(number, cell, outputs, partial(self._report, number, cell.source))
            self._known[number] = outputs, markup
        return markup
