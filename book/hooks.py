"""The hooks that MkDocs calls: run the chapters, then let their pages be like any other page.

The prose of a chapter is one Markdown document for MkDocs, which checks its links, anchors and
references. Each code cell is a placeholder in it, and mkdocs-jupyter renders the cells for it.
"""

import logging
import os
import re
import tempfile
from pathlib import Path
from types import MethodType

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.structure.toc import AnchorLink
from mkdocs_jupyter.config import settings
from nbformat import NotebookNode

from book.pages.download import download
from book.pages.katex import typeset, typeset_title
from book.pages.notation import Symbol, read
from book.pages.outputs import prepare, set_aside
from book.pages.symbols import Links
from book.running.chapters import ChapterError, code_cells
from book.running.run import Runner

log = logging.getLogger("mkdocs.book")

# mkdocs-jupyter's own template puts 600 KB of style into every page, and loads MathJax from afar.
settings.templates_dir = str(Path(__file__).parent / "templates")

PLACEHOLDER = re.compile(r"<p>CODE-CELL-(\d+)</p>(?:\s*<p class=\"caption\">(.*?)</p>)?", re.DOTALL)
IDS = re.compile(r'\bid="([^"]*)"')
NOTATION = "notation.md"  # its tables name the symbols that formulas link
CELLS = re.compile(r"<!--cell-->(.*?)<!--/cell-->", re.DOTALL)

chapters: dict[str, NotebookNode] = {}  # by the path below docs/, as in `chapters/04_….py`
drawings: dict[str, dict[str, str]] = {}  # by the same path, then by the mark in its place
symbols: list[Symbol] = []
rendered: dict[str, str] = {}  # by the notebook of the cells; serving, prose edits find theirs


def on_pre_build(config: MkDocsConfig) -> None:
    """Executes the chapters that are stale."""
    docs, root = Path(config.docs_dir), Path(config.config_file_path).parent
    runner = Runner(root, root / ".cache" / "book")
    paths = sorted((docs / "chapters").glob("*.py"))
    only = os.environ.get("BOOK_ONLY")
    try:
        executed = runner.run(path for path in paths if only in (None, path.name))
    except ExceptionGroup as group:
        raise PluginError("\n\n".join(map(str, group.exceptions))) from None
    chapters.clear()
    for path in paths:
        notebook = executed[path] if path in executed else runner.stored(path)

        def report(number: int, source: str, problem: str, path: Path = path) -> None:
            log.warning(ChapterError(path, number, source, problem))

        prepare(notebook, report)
        uri = path.relative_to(docs).as_posix()
        chapters[uri], drawings[uri] = notebook, set_aside(notebook)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Puts the notebook of each chapter beside its page, and reads the symbols of the notation."""
    notation = files.get_file_from_path(NOTATION)
    symbols[:] = read(notation.content_string) if notation else []
    for uri, notebook in chapters.items():
        files.append(File.generated(config, notebook_uri(uri), content=download(notebook)))
    return files


def on_pre_page(page: Page, config: MkDocsConfig, files: Files) -> Page:
    """Sets a chapter's page up to be rendered by MkDocs and by mkdocs-jupyter, each its part."""
    uri = page.file.src_uri
    if notebook := chapters.get(uri):
        render_cells = page.render  # mkdocs-jupyter has put itself here

        def render(self: Page, config: MkDocsConfig, files: Files) -> None:
            Page.render(self, config, files)
            prose, toc, source = self.content or "", self.toc, self.file.abs_src_path
            cells = notebook_of_cells(notebook)
            if cells not in rendered:
                with tempfile.TemporaryDirectory() as folder:
                    self.file.abs_src_path = os.path.join(folder, "cells.ipynb")
                    Path(self.file.abs_src_path).write_text(cells)
                    render_cells(config, files)
                rendered[cells] = self.content or ""
            self.file.abs_src_path = source
            self.content, self.toc = with_cells(prose, rendered[cells]), toc

        page.render = MethodType(render, page)  # type: ignore[method-assign]
    return page


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Returns the prose of a chapter as Markdown, with a placeholder for each code cell."""
    if not (notebook := chapters.get(page.file.src_uri)):
        return markdown
    page.meta["number"] = int(page.file.name.split("_")[0])
    page.meta["notebook"] = notebook_uri(page.file.src_uri)
    parts: list[str] = []
    number = 0
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
        elif cell.source.strip():
            number += 1
            parts.append(f"CODE-CELL-{number}")
            if caption := cell.metadata.get("caption"):
                parts.append(f"{caption}\n{{: .caption }}")
    # With this anchor `[chapter 4][chapter-4]` leads here from any docstring.
    parts[0] = re.sub(
        r"^# .*$", rf"\g<0> {{#chapter-{page.meta['number']}}}", parts[0], count=1, flags=re.M
    )
    return "\n\n".join(parts)


def on_page_content(content: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Typesets the formulas of a page and of its table of contents."""

    def report(problem: str) -> None:
        log.warning("Doc file '%s': %s", page.file.src_uri, problem)

    for entry in page.toc:
        typeset_entry(entry)
    if page.file.src_uri == NOTATION:
        for anchor in {symbol.anchor for symbol in symbols} - set(IDS.findall(content)):
            report(f"formulas link to the anchor '#{anchor}', which the page does not contain")
        return typeset(content, report)
    return typeset(content, report, links_of(page, files).typeset)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Puts the drawings into a finished page."""
    for mark, svg in drawings.get(page.file.src_uri, {}).items():
        output = output.replace(mark, svg)
    return output


def links_of(page: Page, files: Files) -> Links:
    """Returns what typesets the displayed formulas of a page, with links to the notation."""
    name = page.file.name
    number = re.match(r"\d+", name) if page.file.src_uri in chapters else None
    address = ""
    if notation := files.get_file_from_path(NOTATION):
        address = notation.url_relative_to(page.file)
    # Also where no server finds the index of a folder.
    return Links(symbols, number[0] if number else name, re.sub(r"/$", "/index.html", address))


def typeset_entry(entry: AnchorLink) -> None:
    """Typesets the formulas of an entry of the table of contents and of those below it."""
    entry.title = typeset_title(entry.title)
    for child in entry.children:
        typeset_entry(child)


def notebook_uri(uri: str) -> str:
    """Returns where the notebook of a chapter is, below the site's root."""
    return Path(uri).with_suffix(".ipynb").as_posix()


def notebook_of_cells(notebook: NotebookNode) -> str:
    """Returns the code cells of a chapter as a notebook that mkdocs-jupyter can read."""
    metadata = {"kernelspec": {"name": "python3", "display_name": "", "language": "python"}}
    cells = [NotebookNode(cell | {"id": f"c{i}"}) for i, cell in enumerate(code_cells(notebook))]
    text: str = nbformat.writes(nbformat.v4.new_notebook(cells=cells, metadata=metadata))
    return text


def with_cells(prose: str, cells: str) -> str:
    """Puts rendered code cells into the places that the prose keeps for them."""
    rendered: list[str] = CELLS.findall(cells)

    def cell(match: re.Match[str]) -> str:
        caption = f"<figcaption>{match[2]}</figcaption>" if match[2] else ""
        return rendered[int(match[1]) - 1].replace("<!--caption-->", caption)

    return PLACEHOLDER.sub(cell, prose)
