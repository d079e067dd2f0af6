"""Formulas, their links to the notation, and the Markdown of a download."""

import re
import subprocess
import sys

import pytest

from book.pages.download import plain_markdown
from book.pages.katex import FormulaError
from book.pages.notation import read as read_symbols
from book.pages.symbols import Linker, Links
from tests.book.one_chapter import ROOT

SYMBOLS = read_symbols(
    r"""
| $n$ { #n } | `n` | size |
| $x$ { #x } | `x` | set |
| $x_{ij}$ { #x-ij } | – | entry |
| $f$ { #f } | – | network |
| $\bar f$ { #f-bar } | – | average |
| $\sigma$, $\tau$ { #sigma } | – | permutation |
| $\rho(g)$ { #rho } | – | action on the output |
| $\mathrm{pool}$ { #pool } | – | mean |
| orbital { #orbital } | – | orbit of pairs |
| $s$ { #s data-local="03" } | – | scale |
| $A$ { #A data-only="06 exchangeable" } | – | weight |
"""
)


@pytest.mark.parametrize(
    ("tex", "linked"),
    [
        (r"\bar f(x) = f(x)", r"<\bar f>(<x>)=<f>(x)"),  # the first of each
        (r"\bar x + \bar f_\theta + f'", r"\bar x+\bar f_\theta +f'"),  # others with them
        (r"x_i + x_{ij} + x", r"x_i+<x_{ij}>+<x>"),
        (r"x_{ij}^2 + n^{-1} + x^*", r"<x_{ij}^2>+<n^{-1}>+x^*"),  # powers belong to the link
        (r"\rho(g)^{-1} \rho(h)", r"<\rho (g)^{-1}>\rho (h)"),
        (r"\frac1n \sum_{i=1}^n n", r"\frac 1n\sum _{i=1}^n<n>"),  # not an argument without braces
        (r"\sqrt n \sqrt[n]{n}", r"\sqrt n\sqrt [n]{<n>}"),
        (r"\sum_{\sigma, n} \tau", r"\sum _{<\sigma >,n}\tau "),  # a letter in an index counts
        (r"\frac{x}{\sqrt{n}}", r"\frac {<x>}{\sqrt {<n>}}"),
        (r"\text{ for $x$ in } x", r"\text{ for $x$ in }<x>"),
        (r"\operatorname{fix}(n)", r"\operatorname {fix}(<n>)"),
        (r"\mathrm{pool}(x)\,\mathrm dx", r"<\mathrm {pool}>(<x>)\,\mathrm dx"),
        (r"\left( x \right)", r"\left (<x>\right )"),
        (r"\bigl\lvert x \bigr\rvert", r"\bigl \lvert <x>\bigr \rvert "),
        (r"\begin{aligned} x &= f \\ n \end{aligned}",
         r"\begin {aligned}<x>&=<f>\\<n>\end {aligned}"),
    ],
)  # fmt: skip
def test_links_in_a_formula(tex, linked):
    linker = Linker(Links(SYMBOLS, "04", "notation").symbols)
    found = re.sub(
        r"\{\\href\{#symbol-[\w-]+\}\{((?:[^{}]|\{[^{}]*\})*)\}\}", r"<\1>", linker.link(tex)
    )
    assert found == linked
    Links(SYMBOLS, "04", "notation").typeset(tex)


@pytest.mark.parametrize(
    ("page", "anchors"),
    [("03", []), ("04", ["s"]), ("06", ["s", "A"]), ("exchangeable", ["s", "A"])],
)
def test_a_symbol_links_only_where_it_has_its_meaning(page, anchors):
    linker = Linker(Links(SYMBOLS, page, "notation").symbols)
    linker.link("s + A")
    assert [symbol.anchor for symbol in linker.linked] == anchors


def test_a_wrong_formula_is_wrong_with_links_too():
    with pytest.raises(FormulaError, match="foo"):
        Links(SYMBOLS, "04", "notation").typeset(r"x + \foo")


@pytest.mark.slow
def test_typesetting_lets_the_process_end():
    code = "from book.pages.katex import formula; [formula(f'x_{{{i}}}', True) for i in range(100)]"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


def test_markdown_of_a_download_is_plain():
    source = '!!! note "A note"\n    See [here](x.md#y), [`f`][m.f] and `[a](b)`.\n\nEnd.\n'
    assert plain_markdown(source) == ("> **A note**\n>\n> See here, `f` and `[a](b)`.\n\nEnd.\n")
    folded = plain_markdown('??? success "Solution"\n    Because $x$.\n')
    assert folded == "<details><summary>Solution</summary>\n\nBecause $x$.\n\n</details>\n\n"
