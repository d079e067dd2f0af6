"""The hooks by which MkDocs fills the page of benchmarks from what they found."""

import multiprocessing
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

from benchmarks.page.figures import Curves, draw
from benchmarks.page.findings import render

PAGE = "benchmarks.md"  # a template, see `benchmarks.page.findings`

curves: dict[str, Curves] = {}  # what is to be drawn, by the mark in its place


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fills the page from the results, and lets another process draw what was never drawn."""
    if page.file.src_uri != PAGE:
        return markdown
    results = Path(config.config_file_path).parent / "benchmarks" / "results.json"
    try:
        filled, found = render(markdown, results)
    except Exception as error:
        raise PluginError(f"{PAGE}: {error}") from error
    curves.clear()
    curves.update(found)
    if not drawings_of(config).exists():  # it takes seconds, while the other pages are made
        spawn = multiprocessing.get_context("spawn")
        spawn.Process(target=draw, args=(found, drawings_of(config)), daemon=True).start()
    return filled


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Puts the drawings into the finished page."""
    if page.file.src_uri == PAGE:
        for drawing in multiprocessing.active_children():
            drawing.join()
        for mark, svg in draw(curves, drawings_of(config)).items():
            output = output.replace(mark, svg)
    return output


def drawings_of(config: MkDocsConfig) -> Path:
    """Returns the folder for what was drawn."""
    return Path(config.config_file_path).parent / ".cache" / "benchmarks"
