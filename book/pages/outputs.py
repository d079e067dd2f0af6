"""Writes what a cell put out as HTML: one form of each output, figures that follow the theme."""

import html
import re
from collections.abc import Callable, Mapping, Sequence

from nbconvert.filters import ansi2html
from nbformat import NotebookNode

from book.pages.katex import typeset
from book.running.chapters import FIGURES

INK = "#757a85"  # of `invariant_nets.figures`, which would load torch
MAX_SVG = 120_000  # bytes; a heavier figure goes out as a PNG
FORMS = (*FIGURES, "text/html", "text/plain")
STILL = "With JavaScript, a picture here moves under your hand."
CAPTION = "<!--caption-->"  # the place of a figure's caption
DOLLARS = re.compile(r"\$([^$\n]+)\$")

Report = Callable[[str], None]


def rendered(
    number: int, cell: NotebookNode, outputs: Sequence[NotebookNode], report: Report
) -> str:
    """Returns the outputs of a cell as HTML, with a place for the caption of a figure.

    Args:
        number: The number of the cell, which makes the ids of its figure unique on the page.
        cell: The cell, whose metadata hold the figure's alt text.
        outputs: What it put out.
        report: Called with what is wrong with a figure or a formula.
    """
    alt, figures, parts = cell.metadata.get("alt", ""), 0, []
    for output in outputs:
        form, data = form_of(output)
        figures += form in FIGURES
        if form == "image/svg+xml":
            parts.append(figure(page_svg(data, alt, f"figure-{number}-")))
        elif form == "image/png":
            size = output.metadata.get(form, {})
            parts.append(figure(page_png(data, alt, size)))
        elif form == "text/html":
            data = DOLLARS.sub(r'<span class="arithmatex">\\(\1\\)</span>', data)
            parts.append(f'<div class="output-html scroll">{typeset(data, report)}</div>')
        elif form:
            parts.append(f'<pre class="output">{ansi2html(data)}</pre>')  # type: ignore[no-untyped-call]
    if figures > 1:
        report("puts out more than one figure")
    if figures and not alt:
        report('its figure has no alt text: write # %% alt="…"')
    if alt and outputs and not figures:
        report("has alt text but no figure")
    return moving("".join(parts), cell.metadata)


def form_of(output: NotebookNode) -> tuple[str, str]:
    """Returns the name and the content of the richest form that a page can carry, or nothing."""
    if output.output_type == "stream":
        return "text/plain", output.text
    data = output.get("data", {})
    forms = [form for form in FORMS if form in data]
    if forms[:2] == list(FIGURES) and len(data["image/svg+xml"]) > MAX_SVG:
        forms = forms[1:]
    return (forms[0], data[forms[0]]) if forms else ("", "")


def figure(drawing: str) -> str:
    """Puts a drawing into a box that scrolls, above the place of its caption."""
    return f'<figure class="plot"><div class="scroll">{drawing}</div>{CAPTION}</figure>'


def moving(outputs: str, metadata: Mapping[str, str]) -> str:
    """Marks where pictures move: the first at the figure of a cell, if it has one, others below."""
    needs = f' data-needs="{html.escape(metadata["needs"])}"' if "needs" in metadata else ""
    for name in metadata.get("moves", "").split():
        opening = f'<figure class="plot" data-moves="{html.escape(name)}"{needs}>'
        still = f"<noscript><p>{STILL}</p></noscript>"
        if '<figure class="plot">' in outputs:
            outputs = outputs.replace('<figure class="plot">', opening, 1)
            outputs = outputs.replace(CAPTION, still + CAPTION, 1)
        else:
            outputs += f"{opening}{still}</figure>"
    return outputs


def page_png(data: str, alt: str, size: NotebookNode) -> str:
    """Makes a figure of pixels part of the page."""
    shown = ""
    if size.get("width"):
        width, height = size["width"], size["height"]
        shown = f' width="{width}" height="{height}" style="--width: {width}px"'
    source = "data:image/png;base64," + data.replace("\n", "")
    return f'<img alt="{html.escape(alt)}" src="{source}"{shown}>'


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
