r"""Reads what the notation page says of the book's symbols.

The first cell of a row of its tables holds symbols, each a formula of its own, and the row's
anchor; the third says what they mean:

    | $\sigma$, $\tau$ { #sigma } | `Permutation` | a permutation of $n$ points | … |

A symbol may mean something else on some page. `data-local="05"` beside the anchor names the pages
that do not link it, `data-only="06 exchangeable"` the only ones that do: a chapter by its number,
another page by the name of its file.
"""

import html
import re
from dataclasses import dataclass
from functools import cache

from book.pages.katex import FormulaError, formula

ROW = re.compile(
    r"^\| *(?P<symbols>.*?\S) +\{ *#(?P<anchor>[\w-]+)(?P<where>[^}]*)\} *"
    r"\|(?P<code>[^|]*)\|(?P<meaning>[^|]*)\|",
    re.MULTILINE,
)
TOKEN = re.compile(
    r"\\text[a-z]*\s*\{(?:[^{}]|\{[^{}]*\})*\}|\\[A-Za-z]+\*?|\\.|\s+|.", re.DOTALL
)  # only in \text do spaces count
UNICODE = {
    **{r"\chi": "χ", r"\ell": "ℓ", r"\mu": "μ", r"\rho": "ρ", r"\sigma": "σ", r"\tau": "τ"},
    **{r"\cdot": "·", r"\dots": "…", r"\in": "∈", r"\le": "≤", r"\ne": "≠", r"\times": "×"},
    **{r"\lvert": "|", r"\rvert": "|", r"\,": " ", r"\ ": " "},
}
MATH = re.compile(r"<math.*?(?=<annotation)", re.DOTALL)
TAG = re.compile(r"<[^>]*>|[\u2061\s]")  # and what MathML puts between a function and its argument
ACCENTS = {r"\bar": "\u0304", r"\hat": "\u0302", r"\tilde": "\u0303"}


@dataclass(frozen=True)
class Symbol:
    """A symbol: its TeX as tokens, the anchor of its row, what it means, and where."""

    tokens: tuple[str, ...]
    anchor: str
    meaning: str
    local: frozenset[str] = frozenset()
    only: frozenset[str] | None = None


def read(notation: str) -> list[Symbol]:
    """Reads the symbols from the Markdown of the notation page, the longest first."""
    symbols = []
    for row in ROW.finditer(notation):
        pages = dict(re.findall(r'data-(local|only)="([^"]*)"', row["where"]))
        where = {kind: frozenset(names.split()) for kind, names in pages.items()}
        for tex in re.findall(r"\$([^$]+)\$", row["symbols"]):
            tokens, meaning = tuple(tokenize(tex)), plain(row["meaning"])
            symbols.append(Symbol(tokens, row["anchor"], meaning, **where))
    return sorted(symbols, key=lambda symbol: -len(symbol.tokens))


def tokenize(tex: str) -> list[str]:
    """Splits TeX into its tokens, without the spaces that mean nothing."""
    return [token for token in TOKEN.findall(tex) if not token.isspace()]


def plain(markdown: str) -> str:
    """Writes Markdown with formulas as plain text, for a tooltip."""
    text = re.sub(r"\[`?([^]`]+)`?\](?:\([^)]*\)|\[[^]]*\])", r"\1", markdown.strip())
    text = text.replace("^{-1}", "⁻¹").replace("^2", "²")
    text = re.sub(r"\\[A-Za-z]+|\\.", lambda m: UNICODE.get(m[0], m[0]), text)
    return re.sub(r"\s+", " ", re.sub(r"[$`{}]|\*\*?", "", text))


def typed(tex: str) -> str:
    r"""Writes TeX as one would type it: `\rho(g)` as ρ(g), `S_n` as it is."""
    parts: list[str] = []
    accent = ""
    for token in TOKEN.findall(tex):
        if token in ACCENTS:
            accent = ACCENTS[token]
        elif word := re.fullmatch(r"\\text[a-z]*\s*\{(.*)\}", token, re.DOTALL):
            parts.append(word[1])
        elif token in ("{", "}"):
            continue
        elif sign := glyph(token):
            parts.append(sign + (accent if not sign.isspace() else ""))
            accent = accent if sign.isspace() else ""
    return re.sub(r"\s+", " ", "".join(parts)).strip()


@cache
def glyph(token: str) -> str:
    """Returns the sign that a token of TeX stands for, or nothing if it only arranges others."""
    if not token.startswith("\\"):
        return " " if token in "&~" or token.isspace() else token
    if not token[1:].rstrip("*").isalpha():
        return token[1] if token[1] in "{}|%#_&" else " "
    try:
        markup = formula(token, display=False)
    except FormulaError:
        return ""
    return html.unescape(TAG.sub("", "".join(MATH.findall(markup))))


def names(tex: str) -> list[str]:
    r"""Returns what the Greek letters of a formula are called: of `\rho(\sigma)`, rho and sigma."""
    macros = re.findall(r"\\[A-Za-z]+", tex)
    return [macro[1:] for macro in macros if "\u0370" <= glyph(macro) <= "\u03ff"]
