r"""Reads what the notation page says of the book's symbols.

The first cell of a row of its tables holds symbols, each a formula of its own, and the row's
anchor; the third says what they mean:

    | $\sigma$, $\tau$ { #sigma } | `Permutation` | a permutation of $n$ points | … |

A symbol may mean something else on some page. `data-local="05"` beside the anchor names the pages
that do not link it, `data-only="06 exchangeable"` the only ones that do: a chapter by its number,
another page by the name of its file.
"""

import re
from dataclasses import dataclass

ROW = re.compile(
    r"^\| *(?P<symbols>.*?\S) +\{ *#(?P<anchor>[\w-]+)(?P<where>[^}]*)\} *"
    r"\|[^|]*\|(?P<meaning>[^|]*)\|",
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
