r"""Makes the symbols of displayed formulas links to their rows on the notation page.

`Linker` rewrites the TeX of a formula, `Links` typesets the formulas of a page with it.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from book.pages.katex import FormulaError, displayed
from book.pages.notation import Symbol, tokenize

VERBATIM = {  # with their argument, braced or not, they are one name or one symbol
    *(rf"\{font}" for font in ("mathrm", "mathcal", "mathbb", "mathbf", "mathit", "mathsf")),
    *(rf"\{accent}" for accent in ("bar", "hat", "tilde", "vec", "dot", "overline")),
    *(r"\operatorname", r"\operatorname*", r"\begin", r"\end", r"\tag"),
}
ARGUMENTS = {r"\frac": 2, r"\tfrac": 2, r"\dfrac": 2, r"\binom": 2, r"\sqrt": 1}
DELIMITED = re.compile(r"\\(left|right|middle|[bB]igg?[lrm]?)")
POWERS = (("^", "2"), ("^", r"\top"), ("^", "{", "-", "1", "}"))
MARK = "#symbol-"  # in place of the notation page's address, which depends on the page


@dataclass
class Linker:
    r"""Rewrites the TeX of one formula: the first of each symbol becomes `\href{…}{…}`."""

    symbols: list[Symbol]
    linked: list[Symbol] = field(default_factory=list)

    def link(self, tex: str) -> str:
        """Returns the formula with links; `linked` then holds their symbols."""
        self.tokens = tokenize(tex)
        self.at = 0
        return join(list(self.group(small=False)))

    def group(self, small: bool) -> Iterator[str]:
        """Yields the rewritten tokens up to the brace that closes the group, or to the end."""
        while (token := self.peek()) not in ("", "}"):
            if symbol := self.match(small):
                self.linked.append(symbol)
                end = self.at + len(symbol.tokens)
                end += len(self.power(end))  # outside of the link it would stand elsewhere
                body, self.at = join(self.tokens[self.at : end]), end
                # In braces it can stand wherever the symbol stood.
                yield rf"{{\href{{{MARK}{symbol.anchor}}}{{{body}}}}}"
                continue
            yield self.take()
            if token in ("_", "^"):
                yield from self.argument(small=True)
            elif token in VERBATIM:
                yield from self.verbatim()
            elif DELIMITED.fullmatch(token):
                yield self.take()
            elif token == "{":
                yield from self.group(small)
                yield self.take()
            for _ in range(ARGUMENTS.get(token, 0)):
                yield from self.argument(small)

    def argument(self, small: bool) -> Iterator[str]:
        """Yields an argument; without braces it is a single symbol, which gets no link."""
        while self.peek() == "[":  # as in \sqrt[3]{x}
            while self.peek() not in ("", "]"):
                yield self.take()
            yield self.take()
        if self.peek() != "{":
            yield from self.verbatim()
            return
        yield self.take()
        yield from self.group(small)
        yield self.take()

    def verbatim(self) -> Iterator[str]:
        """Yields an argument as it is."""
        depth = 0
        while token := self.take():
            yield token
            depth += (token == "{") - (token == "}")
            if depth <= 0 and token not in VERBATIM:
                return

    def match(self, small: bool) -> Symbol | None:
        """Returns the symbol that begins here, unless it has its link or is part of another.

        With an index or a prime it is another symbol, and a letter in an index is often a counter.
        """
        for symbol in self.symbols:
            end = self.at + len(symbol.tokens)
            if tuple(self.tokens[self.at : end]) == symbol.tokens:
                indexed = self.tokens[end : end + 1] in (["_"], ["'"], ["^"])
                other = indexed and not self.power(end)
                letter = len(symbol.tokens) == 1 and symbol.tokens[0].isalpha()
                known = symbol.anchor in {done.anchor for done in self.linked}
                return None if other or known or (small and letter) else symbol
        return None

    def power(self, at: int) -> tuple[str, ...]:
        """Returns the tokens of the power that stands at a place, of those that name no symbol."""
        return next((p for p in POWERS if tuple(self.tokens[at : at + len(p)]) == p), ())

    def peek(self) -> str:
        """Returns the next token, or nothing at the end."""
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        """Returns the next token and moves on."""
        token = self.peek()
        self.at += bool(token)
        return token


def join(tokens: list[str] | tuple[str, ...]) -> str:
    """Makes TeX of tokens: a macro's name needs a space after it."""
    return "".join(f"{t} " if re.fullmatch(r"\\[A-Za-z]+", t) else t for t in tokens)


class Links:
    """Typesets the displayed formulas of one page, with links.

    KaTeX makes a formula twice: in HTML for the eyes, hidden from assistive technology, and in
    MathML, which no browser lets carry links. So the links inside a formula are for the pointer
    alone. A line of them below it is for everyone else, and shows when the keyboard reaches it;
    it names each symbol once a page.

    Args:
        symbols: The symbols of the notation.
        page: The page, as `data-local` and `data-only` name it.
        address: Where the notation page is, seen from this one.
    """

    def __init__(self, symbols: list[Symbol], page: str, address: str) -> None:
        self.symbols = [
            s for s in symbols if page not in s.local and (s.only is None or page in s.only)
        ]
        self.address = address
        self.seen: set[str] = set()

    def typeset(self, tex: str) -> str:
        """Typesets a displayed formula.

        Raises:
            FormulaError: If KaTeX cannot parse it, without links or with them.
        """
        markup = displayed(tex)
        linker = Linker(self.symbols)
        linked_tex = linker.link(tex)
        if not linker.linked:
            return markup
        try:
            markup = displayed(linked_tex, links=True)
        except FormulaError as error:
            raise FormulaError(f"with its links, `{linked_tex}`: {error}") from None
        source = html.escape(tex).replace("\\", r"\\")
        markup = re.sub(rf'(<m\w+[^>]*?) href="{MARK}[\w-]+"', r"\1", markup)
        markup = re.sub(r"(<annotation.*?>).*(</annotation>)", rf"\1{source}\2", markup, flags=re.S)
        symbols = {symbol.anchor: symbol for symbol in linker.linked}
        markup = re.sub(
            rf'<a(?: class="(?P<style>[^"]*)")? href="{MARK}(?P<anchor>[\w-]+)"',
            lambda match: self.inside(symbols[match["anchor"]], match["style"] or ""),
            markup,
        )
        return markup + self.below([s for s in linker.linked if s.anchor not in self.seen])

    def inside(self, symbol: Symbol, style: str) -> str:
        """Returns the opening of a link inside a formula."""
        address, title = f"{self.address}#{symbol.anchor}", html.escape(symbol.meaning)
        names = f"{style} symbol".strip()
        return f'<a class="{names}" href="{address}" tabindex="-1" title="{title}"'

    def below(self, symbols: list[Symbol]) -> str:
        """Returns the line of links below a formula."""
        self.seen |= {symbol.anchor for symbol in symbols}
        links = [
            f'<a href="{self.address}#{s.anchor}">{html.escape(re.split("[:;]", s.meaning)[0])}</a>'
            for s in symbols
        ]
        if not links:
            return ""
        return f'<p class="symbols" data-search-exclude>Symbols: {"; ".join(links)}</p>'
