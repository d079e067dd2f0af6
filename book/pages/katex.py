r"""Typesets TeX at build time, so that a page carries finished formulas and no script for them.

The Markdown extension `pymdownx.arithmatex` (`generic: true`) finds `$…$` and `$$…$$` and leaves
`<span class="arithmatex">\(…\)</span>` and `<div class="arithmatex">\[…\]</div>`.
"""

import atexit
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
    atexit.register(racer.close)  # left to the end of the interpreter, it can wait forever
    racer.eval((Path(__file__).parents[1] / "vendor" / "katex.min.js").read_text())
    return racer


@cache
def formula(tex: str, display: bool, links: bool = False) -> str:
    r"""Typesets one formula as HTML for the eyes and MathML for everyone else.

    Only with `links` may it contain `\href`.

    Raises:
        FormulaError: If KaTeX cannot parse it.
    """
    try:
        markup: str = engine().call(
            "katex.renderToString",
            tex,
            {"displayMode": display, "strict": "error", "trust": links},
        )
    except JSEvalException as error:
        message = next(line for line in str(error).splitlines() if "Error:" in line)
        raise FormulaError(message.split("Error:", 1)[1].strip()) from None
    # The search index takes the MathML's text: once, and not its TeX source.
    return markup.replace("<annotation", "<annotation data-search-exclude").replace(
        'class="katex-html"', 'class="katex-html" data-search-exclude'
    )


def displayed(tex: str, links: bool = False) -> str:
    """Typesets a displayed formula, in a box that scrolls."""
    return f'<div class="formula">{formula(tex, True, links)}</div>'


def typeset(
    page: str, report: Callable[[str], None], display: Callable[[str], str] | None = None
) -> str:
    """Typesets every formula of a page's HTML, and reports the wrong ones, which stay as TeX.

    Args:
        page: The HTML.
        report: Called with what is wrong with a formula.
        display: What typesets the displayed ones instead of `displayed`.
    """

    def replace(match: re.Match[str]) -> str:
        tex = html.unescape(match["tex"]).strip()
        try:
            if match["tag"] == "div":
                return (display or displayed)(tex)
            return formula(tex, display=False)
        except FormulaError as error:
            report(f"formula `{tex}`: {error}")
            return f'<code class="wrong-formula">{html.escape(tex)}</code>'

    return FORMULA.sub(replace, page)


def typeset_title(title: str) -> str:
    """Typesets the formulas of a heading as it stands in the table of contents."""
    return BARE.sub(lambda match: formula(html.unescape(match["tex"]), display=False), title)
