"""The hooks that MkDocs calls: run the chapters, then let their pages be like any other page.

The prose of a chapter is one Markdown document for MkDocs, which checks its links, anchors and
references. Each code cell is a placeholder in it, and mkdocs-jupyter renders the cells for it. The
outputs come last, into pages that are finished but for them (`book.pages.chapter`).

A build runs what is stale first, strictly. A server shows the pages first and runs it then.
"""

import logging
import os
import re
import socket
import tempfile
from importlib.metadata import version
from pathlib import Path
from types import MethodType
from typing import cast

import nbformat
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.plugins import CombinedEvent, event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page
from mkdocs.structure.toc import AnchorLink
from mkdocs.utils.templates import TemplateContext
from mkdocs_autorefs import AutorefsPlugin
from mkdocs_jupyter.config import settings
from nbformat import NotebookNode

from book.pages.chapter import ChapterPage, markdown, with_cells
from book.pages.download import download
from book.pages.found.searched import Aside
from book.pages.katex import displayed, typeset, typeset_title
from book.pages.kept import kept
from book.pages.notation import Symbol, read
from book.pages.symbols import Links
from book.running.chapters import ChapterError, code_cells, numbered
from book.running.chapters import read as read_chapter
from book.running.live import Status, status_of
from book.running.run import Runner
from book.serving.notice import notice
from book.serving.remembered import remembered
from book.serving.served import Served

log = logging.getLogger("mkdocs.book")

# mkdocs-jupyter's own template puts 600 KB of style into every page, and loads MathJax from afar.
TEMPLATES = Path(__file__).parent / "templates"
settings.templates_dir = str(TEMPLATES)
CELLS = ("mkdocs-jupyter", "nbconvert", "Pygments")  # what renders the code of a chapter
REFERENCE = (  # and the pages of the reference
    *("mkdocs", "mkdocstrings", "mkdocstrings-python", "mkdocs-autorefs", "griffelib"),
    *("Markdown", "pymdown-extensions", "Pygments", "ruff"),
)

IDS = re.compile(r'\bid="([^"]*)"')
PACKAGE = re.compile(r"^::: ", re.MULTILINE)  # in a page that shows docstrings
NOTATION = "notation.md"  # its tables name the symbols that formulas link

chapters: dict[str, ChapterPage] = {}  # by the path below docs/, as in `chapters/04_….py`
places: dict[str, Path] = {}  # where their pages go
symbols: list[Symbol] = []


class State:
    """What lasts from one build to the next, or from one event of a page to another."""

    serving = False
    served: Served | None = None
    notation: File | None = None
    aside = Aside()


def on_startup(command: str, dirty: bool) -> None:
    """Learns whether this is a server."""
    State.serving = command == "serve"


def on_config(config: MkDocsConfig) -> None:
    """Prepares a server, unless its address is taken: MkDocs would say so after the first build."""
    if "MIKE_DOCS_VERSION" in os.environ:  # by which mike, when it publishes, tells the version
        config.extra["version"] = {"provider": "mike"}
    if not State.serving or State.served:
        return
    host, port = config.dev_addr
    if taken(host, port):
        free = next(other for other in range(port + 1, 65536) if not taken(host, other))
        raise SystemExit(f"{host}:{port} is in use: try `make serve ADDRESS={host}:{free}`")
    State.served = Served(runner_of(config, background=True))


def on_shutdown() -> None:
    """Ends what still runs."""
    if State.served:
        State.served.live.close()


def on_pre_build(config: MkDocsConfig) -> None:
    """Reads the chapters; a build executes those that are stale first."""
    docs = Path(config.docs_dir)
    paths = sorted((docs / "chapters").glob("*.py"))
    found = State.served.look(paths) if State.served else executed(runner_of(config), paths)
    chapters.clear()
    places.clear()
    for path, (notebook, status) in found.items():

        def report(number: int, source: str, problem: str, path: Path = path) -> None:
            log.warning(ChapterError(path, number, source, problem))

        chapters[path.relative_to(docs).as_posix()] = ChapterPage(notebook, status, report)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Puts the notebook of each chapter beside its page, and reads the symbols of the notation."""
    State.notation = files.get_file_from_path(NOTATION)
    symbols[:] = read(State.notation.content_string) if State.notation else []
    for uri, chapter in chapters.items():
        for solved in (False, True):
            content = download(chapter.notebook, solved)
            files.append(File.generated(config, notebook_uri(uri, solved), content=content))
    return files


def on_pre_page(page: Page, config: MkDocsConfig, files: Files) -> Page:
    """Sets a chapter's page up to be rendered by MkDocs and by mkdocs-jupyter, each its part."""
    if PACKAGE.search(page.file.content_string):
        remember(page)
    elif chapter := chapters.get(page.file.src_uri):
        render_cells = page.render  # mkdocs-jupyter has put itself here

        def render(self: Page, config: MkDocsConfig, files: Files) -> None:
            Page.render(self, config, files)
            prose, toc, source = self.content or "", self.toc, self.file.abs_src_path
            notebook = notebook_of_cells(chapter.notebook)

            def cells() -> bytes:
                with tempfile.TemporaryDirectory() as folder:
                    self.file.abs_src_path = os.path.join(folder, "cells.ipynb")
                    Path(self.file.abs_src_path).write_text(notebook)
                    render_cells(config, files)
                return (self.content or "").encode()

            template = TEMPLATES / "mkdocs_html" / "notebook.html.j2"
            depends_on = [notebook, template.read_text(), *map(version, CELLS)]
            rendered = kept(runner_of(config).cache / "cells", depends_on, cells)
            self.file.abs_src_path = source
            self.content, self.toc = with_cells(prose, rendered.decode()), toc

        page.render = MethodType(render, page)  # type: ignore[method-assign]
    return page


def remember(page: Page) -> None:
    """Lets a server render a page of the reference only if it may have changed."""
    render_page = page.render

    def render(self: Page, config: MkDocsConfig, files: Files) -> None:
        runner = runner_of(config)
        sources = [
            *(Path(config.config_file_path), Path(__file__).with_name("docstrings.py")),
            *(path for path in (TEMPLATES / "python").rglob("*") if path.is_file()),
            *(*sorted(runner.package.rglob("*.py")), *sorted(runner.root.glob("*.py"))),
        ]
        depends_on = [self.markdown or "", *(path.read_text() for path in sources)]
        remembered(
            runner.cache / "reference",
            [*depends_on, *map(version, REFERENCE)],
            self,
            cast("AutorefsPlugin", config.plugins["autorefs"]),
            lambda: render_page(config, files),
            anew=not State.serving,
        )

    page.render = MethodType(render, page)  # type: ignore[method-assign]


def on_page_markdown(text: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Returns the prose of a chapter as Markdown, with a placeholder for each code cell."""
    if not (chapter := chapters.get(page.file.src_uri)):
        return text
    kind, number = numbered(Path(page.file.src_uri))
    page.meta["number"] = f"{kind.capitalize()} {number}"
    page.meta["notebooks"] = {
        label: notebook_uri(page.file.src_uri, label == "Solved")
        for label in ("Solved", "Notebook")
    }
    return markdown(chapter.notebook, f"{kind}-{number.lower()}")


@event_priority(100)
def before_the_search(
    context: TemplateContext, page: Page, config: MkDocsConfig, nav: Navigation
) -> TemplateContext:
    """Typesets the formulas of a page and of its table of contents, and lets the search read it."""

    def report(problem: str) -> None:
        log.warning("Doc file '%s': %s", page.file.src_uri, problem)

    State.aside, content = Aside(), page.content or ""
    display = links_of(page).typeset
    if page.file.src_uri == NOTATION:
        display = displayed
        for anchor in {symbol.anchor for symbol in symbols} - set(IDS.findall(content)):
            report(f"formulas link to the anchor '#{anchor}', which the page does not contain")
    content = typeset(content, report, display, State.aside.formula)
    page.content = State.aside.code(content)
    for entry in page.toc:
        typeset_entry(entry)
    return context


@event_priority(-100)
def after_the_search(
    context: TemplateContext, page: Page, config: MkDocsConfig, nav: Navigation
) -> TemplateContext:
    """Gives the page back what the search need not read."""
    page.content = State.aside.back(page.content or "")
    return context


on_page_context = CombinedEvent(before_the_search, after_the_search)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Puts the outputs into the finished page of a chapter."""
    uri = page.file.src_uri
    if not (chapter := chapters.get(uri)):
        return output
    chapter.html, places[uri] = output, Path(page.file.abs_dest_path)
    return chapter.filled(notice(chapter.status))


def on_post_build(config: MkDocsConfig) -> None:
    """Shows the chapters as far as they are, and lets the others run."""
    if State.served:
        docs = Path(config.docs_dir)
        pages = {docs / uri: (place, chapters[uri]) for uri, place in places.items()}
        State.served.show(pages, Path(config.site_dir))


def runner_of(config: MkDocsConfig, background: bool = False) -> Runner:
    """Returns what executes the chapters of a project."""
    root = Path(config.config_file_path).parent
    return Runner(root, root / ".cache" / "book", background=background)


def executed(runner: Runner, paths: list[Path]) -> dict[Path, tuple[NotebookNode, Status]]:
    """Returns the chapters and their status, after all have run, or the one that is asked for."""
    only = os.environ.get("BOOK_ONLY")
    try:
        runner.run(path for path in paths if only in (None, path.name))
    except ExceptionGroup as group:
        raise PluginError("\n\n".join(map(str, group.exceptions))) from None
    notebooks = {path: read_chapter(path) for path in paths}
    found = {path: (book, status_of(runner, path, book)) for path, book in notebooks.items()}
    for path, (_, status) in found.items():
        if only in (None, path.name) and status.state != "done":
            raise PluginError(f"{path.name} or what it imports changed while it ran")
    return found


def taken(host: str, port: int) -> bool:
    """Tells whether something else listens at an address."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
        return probe.connect_ex((host, port)) == 0


def links_of(page: Page) -> Links:
    """Returns what typesets the displayed formulas of a page, with links to the notation."""
    name = page.file.name
    key = name.split("_")[0] if page.file.src_uri in chapters else name
    address = State.notation.url_relative_to(page.file) if State.notation else ""
    known = [] if name == "theorems" else symbols  # which stand for what they do in many chapters
    return Links(known, key, address)


def typeset_entry(entry: AnchorLink) -> None:
    """Typesets the formulas of an entry of the table of contents and of those below it."""
    entry.title = typeset_title(entry.title)
    for child in entry.children:
        typeset_entry(child)


def notebook_uri(uri: str, solved: bool) -> str:
    """Returns where a notebook of a chapter is, below the site's root."""
    return Path(uri).with_suffix(".solved.ipynb" if solved else ".ipynb").as_posix()


def notebook_of_cells(notebook: NotebookNode) -> str:
    """Returns the code cells of a chapter as a notebook that mkdocs-jupyter can read."""
    metadata = {"kernelspec": {"name": "python3", "display_name": "", "language": "python"}}
    cells = [NotebookNode(cell | {"id": f"c{i}"}) for i, cell in enumerate(code_cells(notebook))]
    text: str = nbformat.writes(nbformat.v4.new_notebook(cells=cells, metadata=metadata))
    return text
