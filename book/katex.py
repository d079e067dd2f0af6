r"""Typesets TeX at build time, so that a page carries finished formulas and no script for them.

The Markdown extension `pymdownx.arithmatex` (`generic: true`) finds `$…$` and `$$…$$` and leaves
`<span class="arithmatex">\(…\)</span>` and `<div class="arithmatex">\[…\]</div>`.
"""

import html
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

from py_mini_racer import JSEvalException, MiniRacer

FORMULA = re.compile(
    r'<(?P<tag>span|div) class="arithmatex">\\[(\[](?P<tex>.*?)\\[)\]]</(?P=tag)>', re.DOTALL
)
BARE = re.compile(r"\\\((?P<tex>.*?)\\\)")


class FormulaError(ValueError):
    """A formula that KaTeX does not take."""


@cache
def engine() -> MiniRacer:
    """Loads KaTeX once a process."""
    racer = MiniRacer()
    racer.eval((Path(__file__).parent / "vendor" / "katex.min.js").read_text())
    return racer


@cache
def formula(tex: str, display: bool) -> str:
    r"""Typesets one formula as HTML for the eyes and MathML for everyone else.

    Raises:
        FormulaError: If KaTeX cannot parse it.
    """
    try:
        markup: str = engine().call(
            "katex.renderToString", tex, {"displayMode": display, "strict": "error"}
        )
    except JSEvalException as error:
        message = next(line for line in str(error).splitlines() if "Error:" in line)
        raise FormulaError(message.split("Error:", 1)[1].strip()) from None
    # The search index takes the MathML's text: once, and not its TeX source.
    return markup.replace("<annotation", "<annotation data-search-exclude").replace(
        'class="katex-html"', 'class="katex-html" data-search-exclude'
    )


def typeset(page: str, report: Callable[[str], None]) -> str:
    """Typesets every formula of a page's HTML, and reports the wrong ones, which stay as TeX."""

    def replace(match: re.Match[str]) -> str:
        tex = html.unescape(match["tex"]).strip()
        display = match["tag"] == "div"
        try:
            markup = formula(tex, display)
        except FormulaError as error:
            report(f"formula `{tex}`: {error}")
            return f'<code class="wrong-formula">{html.escape(tex)}</code>'
        return f'<div class="formula">{markup}</div>' if display else markup

    return FORMULA.sub(replace, page)


def typeset_title(title: str) -> str:
    """Typesets the formulas of a heading as it stands in the table of contents."""
    return BARE.sub(lambda match: formula(html.unescape(match["tex"]), display=False), title)
