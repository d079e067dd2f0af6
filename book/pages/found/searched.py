"""What the search reads of a page: words, and not the markup of formulas and of colored code.

The search walks every tag of a page in Python; the thousands of spans that KaTeX and Pygments make
would be half of the time that the pages take. So it is given each formula as one would type it, and
each block of code without its tags; the page gets them back afterwards. The symbols of the notation
are entries of their own, found by what one types for them.
"""

import html
import re

from book.pages.notation import ROW, names, plain, typed

CODE = re.compile(r"<pre\b.*?</pre>", re.DOTALL)
TEX = re.compile(r"<annotation[^>]*>(.*?)</annotation>", re.DOTALL)
TAG = re.compile(r"<(?!/?(?:pre|code)\b)[^>]*>")
MARK = re.compile(r"<!--aside-(\d+)-->.*?<!--/aside-->", re.DOTALL)

BOOST = 4  # what a symbol means comes before the headings that contain it


class Aside:
    """Markup that is out of a page for a while."""

    def __init__(self) -> None:
        self._markups: list[str] = []

    def formula(self, markup: str) -> str:
        """Puts a formula that KaTeX has set aside, and returns what stands in its place."""
        words = " ".join(typed(html.unescape(tex)) for tex in TEX.findall(markup))
        return self._put(markup, html.escape(words, quote=False))

    def code(self, content: str) -> str:
        """Puts the blocks of code of a page aside, and returns the page with their words."""
        return CODE.sub(lambda match: self._put(match[0], match[0]), content)

    def back(self, content: str) -> str:
        """Puts everything back into the page."""
        return MARK.sub(lambda match: self._markups[int(match[1])], content)

    def _put(self, markup: str, words: str) -> str:
        self._markups.append(markup)
        return f"<!--aside-{len(self._markups) - 1}-->{TAG.sub('', words)}<!--/aside-->"


def symbol_entries(address: str, notation: str) -> list[dict[str, str | int]]:
    """Returns what the search knows of each symbol: its row on the notation page, and its names.

    Args:
        address: Where the notation page is, below the site's root.
        notation: Its Markdown.
    """
    entries: list[dict[str, str | int]] = []
    for row in ROW.finditer(notation):
        formulas = re.findall(r"\$([^$]+)\$", row["symbols"])
        title = ", ".join(map(typed, formulas)) or row["symbols"]
        called = ", ".join(dict.fromkeys(name for tex in formulas for name in names(tex)))
        code = ", ".join(re.findall(r"`([^`]+)`", row["code"]))
        text = ". ".join(part for part in (plain(row["meaning"]), code) if part)
        if title != "–":
            entry = {
                "location": f"{address}#{row['anchor']}",
                "title": f"{title} ({called})" if called else title,
                "text": text,
            }
            escaped = {key: html.escape(value, quote=False) for key, value in entry.items()}
            entries.append(escaped | {"boost": BOOST})
    return entries
