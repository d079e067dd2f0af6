"""The hooks that help to find something: the page of all theorems, and symbols in the search."""

import logging
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import Files
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page

from book.pages.found.searched import symbol_entries
from book.pages.found.theorems import listed
from book.running.chapters import read

log = logging.getLogger("mkdocs.book")

THEOREMS, NOTATION = "theorems.md", "notation.md"
PLACE = "<!--theorems-->"


class State:
    """What one event leaves for a later one."""

    chapters: tuple[tuple[str, str], ...] = ()  # the path of each below docs/, and its title
    notation: tuple[str, str] = ("", "")  # the address of that page, and its Markdown


def on_nav(nav: Navigation, config: MkDocsConfig, files: Files) -> None:
    """Learns the order and the titles of the chapters."""
    State.chapters = tuple(
        (page.file.src_uri, str(page.title))
        for page in nav.pages
        if page.file.src_uri.startswith("chapters/")
    )
    notation = files.get_file_from_path(NOTATION)
    State.notation = (notation.url, notation.content_string) if notation else ("", "")


def on_page_markdown(text: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Puts the theorems of all chapters into the page that lists them."""
    if page.file.src_uri != THEOREMS:
        return text
    docs = Path(config.docs_dir)
    chapters = [(uri, title, read(docs / uri)) for uri, title in State.chapters]
    return text.replace(PLACE, listed(chapters, lambda problem: log.warning("%s", problem)))


@event_priority(100)  # before the plugin of the search writes its index
def on_post_build(config: MkDocsConfig) -> None:
    """Lets the search find the symbols of the notation, each by all that one may type for it."""
    search = config.plugins.get("material/search")
    if search:
        search.search_index.entries += symbol_entries(*State.notation)
