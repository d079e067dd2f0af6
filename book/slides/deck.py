"""Writes the decks: one page a chapter, every figure as SVG, and a page that leads to all of them.

The folder stands alone: it asks no other host for anything, and works from the file system.
"""

import html
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from nbformat import NotebookNode

from book.running.chapters import numbered
from book.slides.cells import figures, slides, title_of

HERE = Path(__file__).parent
VENDOR = HERE.parent / "vendor" / "reveal"


def write(
    folder: Path,
    chapters: Mapping[Path, NotebookNode],
    assets: Path,
    report: Callable[[str], None],
) -> list[Path]:
    """Writes the decks of executed chapters into a folder, and returns their pages.

    Args:
        folder: The folder, which is emptied first.
        chapters: The chapters with their outputs, by their paths.
        assets: Where the site keeps the styles of formulas and the fonts.
        report: Called with what is wrong with a chapter's marks.
    """
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("katex", "fonts"):
        shutil.copytree(assets / name, folder / "assets" / name)
    for file in (*VENDOR.iterdir(), HERE / "deck.css", HERE / "deck.js"):
        shutil.copy(file, folder / "assets")
    (folder / "figures").mkdir()
    environment = Environment(
        loader=FileSystemLoader(HERE), undefined=StrictUndefined, trim_blocks=True
    )
    entries, pages = [], []
    for path, notebook in chapters.items():

        def problem(text: str, name: str = path.name) -> None:
            report(f"{name}: {text}")

        kind, number = numbered(path)
        entry = {
            "file": f"{path.stem}.html",
            "label": f"{kind.capitalize()} {number}",
            "title": title_of(notebook, problem),
            "name": html.escape(notebook.cells[0].source.splitlines()[0].lstrip("# ")),
            "slides": slides(notebook, problem),
            "figures": [],
        }
        for place, (svg, alt) in enumerate(figures(notebook), start=1):
            name = f"figures/{path.stem}-{place}.svg"
            (folder / name).write_text(svg)
            entry["figures"].append((name, alt))  # type: ignore[attr-defined]
        if not entry["slides"]:
            problem("marks no cell for a slide")
        pages.append(folder / f"{path.stem}.html")
        pages[-1].write_text(environment.get_template("deck.html.j2").render(entry))
        entries.append(entry)
    index = environment.get_template("index.html.j2").render(entries=entries)
    (folder / "index.html").write_text(index)
    return pages
