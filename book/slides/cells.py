"""The slides that a chapter gives: what its cells are marked for, and what of them is shown.

`# %% [markdown] slide="question"` shows the paragraph of the cell that asks; `slide="theorem"` the
theorems in it; `slide="verdict"` the points of its summary; `slide="picture"`, on a cell of code,
the figure or the table that it puts out. A cell may be marked for several.
"""

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from markdown import Markdown
from nbformat import NotebookNode

from book.pages.download import ADMONITION, LINK
from book.pages.found.theorems import theorems
from book.pages.katex import typeset
from book.pages.outputs import CAPTION, rendered
from book.running.chapters import code_cells

KINDS = ("question", "theorem", "picture", "verdict")
EXTENSIONS = ("attr_list", "tables", "pymdownx.arithmatex")
TITLE = re.compile(r"^# (.+)$", re.MULTILINE)
QUESTION = re.compile(r"(?:(?<=[.?!:]\s)|\A)([^.?!:]+\?)")
SUMMARY = re.compile(r"^## Summary\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
POINT = re.compile(r"^- ", re.MULTILINE)
POINTS = 3  # on a slide

Report = Callable[[str], None]


@dataclass(frozen=True)
class Slide:
    """A slide: what it is for, its heading and its content as HTML."""

    kind: str
    heading: str
    content: str


def title_of(notebook: NotebookNode, report: Report) -> str:
    """Returns the title of a chapter as HTML."""
    title = TITLE.search(notebook.cells[0].source)
    assert title, "a chapter begins with its title"
    return inline(title[1], report)


def slides(notebook: NotebookNode, report: Report) -> list[Slide]:
    """Returns the slides of an executed chapter, in order.

    Args:
        notebook: The chapter with its outputs.
        report: Called with what is wrong with a mark.
    """
    numbers = {id(cell): number for number, cell in enumerate(code_cells(notebook), start=1)}
    found: list[Slide] = []
    for cell in notebook.cells:
        for kind in cell.metadata.get("slide", "").split():
            if kind not in KINDS or (kind == "picture") != (cell.cell_type == "code"):
                report(f"slide={kind!r} marks a cell of {cell.cell_type}")
                continue
            if kind == "picture":
                more = list(pictures(numbers[id(cell)], cell, report))
            else:
                more = [slide for slide in SHOWN[kind](cell.source, report) if slide.content]
            if not more:
                report(f"slide={kind!r} marks a cell that holds no {kind}")
            found += more
    return found


def questions(source: str, report: Report) -> Iterator[Slide]:
    """Yields the paragraph that asks, its questions emphasized."""
    prose = TITLE.sub("", ADMONITION.sub("", source))
    paragraphs = [paragraph for paragraph in prose.split("\n\n") if paragraph.strip()]
    asking = [paragraph for paragraph in paragraphs if "?" in paragraph] or paragraphs[-1:]
    for paragraph in asking[-1:]:
        text = QUESTION.sub(r"**\1**", unlinked(paragraph.strip()))
        yield Slide("question", "", block(text, report))


def statements(source: str, report: Report) -> Iterator[Slide]:
    """Yields the theorems of a cell."""
    cell = NotebookNode(cell_type="markdown", source=source)
    for theorem in theorems(NotebookNode(cells=[cell])):
        yield Slide("theorem", inline(theorem.title, report), block(theorem.statement, report))


def verdicts(source: str, report: Report) -> Iterator[Slide]:
    """Yields the points of the summary in a cell, some on each slide."""
    summary = SUMMARY.search(source)
    points = POINT.split(summary[1])[1:] if summary else []
    parts = -(-len(points) // POINTS)
    for part in range(parts):
        share = points[len(points) * part // parts : len(points) * (part + 1) // parts]
        yield Slide("verdict", "Summary", block("".join(f"- {p.strip()}\n" for p in share), report))


def pictures(number: int, cell: NotebookNode, report: Report) -> Iterator[Slide]:
    """Yields what a cell of code has put out, with its caption."""
    metadata = {name: value for name, value in cell.metadata.items() if name != "moves"}
    still = NotebookNode(cell | {"metadata": NotebookNode(metadata)})
    if markup := rendered(number, still, cell.outputs, report):
        caption = inline(cell.metadata.get("caption", ""), report)
        caption = f"<figcaption>{caption}</figcaption>" if caption else ""
        yield Slide("picture", "", markup.replace(CAPTION, caption))


SHOWN = {"question": questions, "theorem": statements, "verdict": verdicts}


def block(text: str, report: Report) -> str:
    """Returns Markdown as HTML with formulas, and without links, which lead out of the deck."""
    converter = Markdown(
        extensions=[*EXTENSIONS], extension_configs={EXTENSIONS[-1]: {"generic": True}}
    )
    return typeset(converter.convert(unlinked(text)), report)


def unlinked(text: str) -> str:
    """Returns Markdown with the words of its links in their place."""
    return LINK.sub(lambda match: match["code"] or match["text"], text)


def inline(text: str, report: Report) -> str:
    """Returns a line of Markdown as HTML that stands in another element."""
    return re.sub(r"\A<p>|</p>\Z", "", block(text, report))


def figures(notebook: NotebookNode) -> list[tuple[str, str]]:
    """Returns the figures of an executed chapter as SVG, each with its text for who cannot see."""
    return [
        (output.data["image/svg+xml"], html.escape(cell.metadata.get("alt", "")))
        for cell in code_cells(notebook)
        for output in cell.outputs
        if "image/svg+xml" in output.get("data", {})
    ]
