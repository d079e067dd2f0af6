"""Makes the outputs of a chapter fit for a page: one form each, figures that follow the theme."""

import html
import re
from collections.abc import Callable

from nbformat import NotebookNode

from book.running.chapters import FIGURES, code_cells

INK = "#757a85"  # of `invariant_nets.figures`, which would load torch
MAX_SVG = 120_000  # bytes; a heavier figure goes out as a PNG
FORMS = ("image/svg+xml", "image/png", "text/html", "text/plain")

Report = Callable[[int, str, str], None]


def prepare(notebook: NotebookNode, report: Report) -> None:
    """Brings the outputs of a chapter into the form that its page shows.

    Args:
        notebook: The executed chapter, changed in place.
        report: Called with number, source and problem where a figure lacks its alt text.
    """
    for number, cell in enumerate(code_cells(notebook), start=1):
        cell.outputs = [page_form(output) for output in cell.outputs]
        figures = [o for o in cell.outputs if any(form in o.get("data", ()) for form in FIGURES)]
        alt = cell.metadata.get("alt", "")
        if len(figures) > 1:
            report(number, cell.source, "puts out more than one figure")
        if figures and not alt:
            report(number, cell.source, 'its figure has no alt text: write # %% alt="…"')
        if alt and cell.outputs and not figures:
            report(number, cell.source, "has alt text but no figure")
        for output in figures:
            if svg := output.data.get("image/svg+xml"):
                output.data["image/svg+xml"] = page_svg(svg, alt, f"figure-{number}-")


def page_form(output: NotebookNode) -> NotebookNode:
    """Keeps the richest form of an output that a page can carry."""
    if "data" not in output:
        return output
    forms = [form for form in FORMS if form in output.data]
    if forms[:2] == list(FIGURES) and len(output.data["image/svg+xml"]) > MAX_SVG:
        forms = forms[1:]
    data = {form: output.data[form] for form in forms[:1]}
    if "text/html" in data:
        data["text/html"] = re.sub(
            r"\$([^$\n]+)\$", r'<span class="arithmatex">\\(\1\\)</span>', data["text/html"]
        )
    return NotebookNode(output | {"data": NotebookNode(data)})


def page_svg(svg: str, alt: str, prefix: str) -> str:
    """Makes a figure of matplotlib part of the page: its colors, its ids, its width, its name."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>\s*", "", body, flags=re.DOTALL)
    body = body.replace(INK, "currentColor")
    # Matplotlib's ids are unique within one figure only.
    body = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}", body)
    box = re.search(r'viewBox="\S+ \S+ (\S+) \S+"', body)
    assert box, "matplotlib writes a viewBox"
    opening = (
        f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" role="img" '
        f'aria-label="{html.escape(alt)}" {box[0]} style="--width: {float(box[1]):.0f}pt">'
    )
    return re.sub(r"<svg[^>]*>", lambda _: opening, body, count=1)


def set_aside(notebook: NotebookNode) -> dict[str, str]:
    """Puts a mark in the place of each SVG, and returns the SVGs by their marks.

    What reads a page on its way, nbconvert and the search among them, would parse every path of
    every figure: that is half of the time that pages take.
    """
    drawings = {}
    for number, cell in enumerate(code_cells(notebook), start=1):
        for output in cell.outputs:
            if svg := output.get("data", {}).get("image/svg+xml"):
                mark = f"<!--figure-{number}-->"
                drawings[mark] = svg
                output.data["image/svg+xml"] = mark
    return drawings
