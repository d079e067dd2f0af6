"""The hooks by which MkDocs fills the page of benchmarks from what they found."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

from benchmarks.page.findings import render

PAGE = "benchmarks.md"  # a template, see `benchmarks.page.findings`

drawings: dict[str, str] = {}  # by the mark in its place


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fills the page from the results."""
    if page.file.src_uri != PAGE:
        return markdown
    root = Path(config.config_file_path).parent
    results, drawn = root / "benchmarks" / "results.json", root / ".cache" / "benchmarks"
    try:
        filled, found = render(markdown, results, drawn)
    except Exception as error:
        raise PluginError(f"{PAGE}: {error}") from error
    drawings.clear()
    drawings.update(found)
    return filled


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Puts the drawings into the finished page."""
    if page.file.src_uri == PAGE:
        for mark, svg in drawings.items():
            output = output.replace(mark, svg)
    return output
