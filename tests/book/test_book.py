"""The build of the book: what runs again, what fails it, and what a page consists of."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml
from bs4 import BeautifulSoup

from book.pages.download import plain_markdown
from book.pages.katex import FormulaError
from book.pages.notation import read as read_symbols
from book.pages.symbols import Linker, Links
from book.running import repeat
from book.running.chapters import ChapterError, code_cells, read
from book.running.fingerprint import fingerprint
from book.running.run import Runner
from invariant_nets import figures

ROOT = Path(__file__).parents[2]

CHAPTER = r"""
# %% [markdown]
# # A small chapter
#
# Prose with $x \in \mathbb R^n$, a [link](../index.md#top), and
# [`double`][invariant_nets.core.double].
#
# $$ \sum_{i=1}^n x_i = n\, \bar x_{\sigma} $$
#
# $$ n + \mathbb E_{\sigma \in S_n} \sigma $$
#
# ??? success "Solution"
#     Folded, with $y$.

# %%
from matplotlib import pyplot as plt
from tqdm import trange
from invariant_nets.core import double
from invariant_nets.figures import table, use_book_style
use_book_style()
for _ in trange(3):
    print(double(21))

# %% alt="A \"rising\" line" caption="It rises by $\\alpha$."
plt.plot([1, 2])
plt.show()

# %% alt="The same line"
plt.plot([1, 2])
plt.show()

# %% alt="Many points"
plt.plot(range(9000), [i * i % 97 for i in range(9000)], ".", rasterized=False)
plt.show()

# %%
table([{"model": "MLP", "group": "$S_n$", "accuracy": 0.5}])

# %% fold="Solution, in code"
"the last cell"
"""
NOTATION = r"""
# Notation

| Paper | Code | Meaning |
|---|---|---|
| $n$ { #n } | `n` | the *size*: a number |
| $\sigma$, $\tau$ { #sigma } | `s` | a [permutation](index.md) of $n$ points |
| $x$ { #x data-local="01" } | – | a set |
"""
CORE = '''
"""A module."""


def double(x):
    r"""Double $x$.

    $$ y = 2 x $$

    Shape:
        any.

    Example:
        >>> double(1)
        2

    References:
        Euclid (300 BC), *Elements*, chapter 7.

    Derived in chapter 1.
    """
    return 2 * x
'''


@pytest.fixture
def project(tmp_path):
    """A book of one chapter on a package of one module, built by this repository's `book`."""
    for folder in ("docs/chapters", "invariant_nets", "benchmarks"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "book").symlink_to(ROOT / "book")
    (tmp_path / "docs" / "assets").symlink_to(ROOT / "docs" / "assets")
    (tmp_path / "invariant_nets" / "__init__.py").write_text("")
    (tmp_path / "invariant_nets" / "core.py").write_text(CORE)
    shutil.copy(ROOT / "invariant_nets" / "figures.py", tmp_path / "invariant_nets")
    (tmp_path / "docs" / "index.md").write_text("# Home {#top}\n\nText.\n")
    (tmp_path / "docs" / "core.md").write_text("# `core`\n\n::: invariant_nets.core\n")
    (tmp_path / "docs" / "notation.md").write_text(NOTATION)
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    config["nav"] = ["index.md", "notation.md", "chapters/01_small.py", "core.md"]
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(config))
    write(tmp_path, CHAPTER)
    return tmp_path


def write(project, chapter):
    path = project / "docs" / "chapters" / "01_small.py"
    path.write_text(chapter.strip() + "\n")
    return path


def build(project):
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict"],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        check=False,
    )


def key(project, chapter=CHAPTER):
    return fingerprint(read(write(project, chapter)), project / "invariant_nets")


# What runs again


def test_a_chapter_runs_again_only_after_a_change_of_code(project):
    path = write(project, "# %% [markdown]\n# # Title\n\n# %%\nimport time; time.time_ns()")
    runner = Runner(project, project / ".cache")

    def result():
        (cell,) = code_cells(runner.run([path])[path])
        return cell.outputs[0].data["text/plain"]

    first = result()
    assert result() == first
    path.write_text(path.read_text().replace("Title", "Another title"))
    assert result() == first
    path.write_text(path.read_text().replace("time_ns()", "time_ns() "))
    assert result() != first


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("double(21)", "double(22)"),
        ("plt.plot([1, 2])", "plt.plot([1, 3])"),
    ],
)
def test_changed_code_is_stale(project, old, new):
    assert key(project) != key(project, CHAPTER.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"), [("# Prose with", "# Other prose with"), ("It rises", "It climbs")]
)
def test_changed_prose_is_fresh(project, old, new):
    assert old in CHAPTER
    assert key(project) == key(project, CHAPTER.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "stale"),
    [
        ("return 2 * x", "return x + x", True),
        ("def double(x):", "def double(x, y=0):", True),
        ("Double $x$", "Twice $x$", False),
        ("return 2 * x", "return 2 * x  # a comment", False),
        ("return 2 * x", "return (2 * x)", False),
    ],
)
def test_package_code_makes_stale_and_its_docstrings_do_not(project, old, new, stale):
    before = key(project)
    assert old in CORE
    (project / "invariant_nets" / "core.py").write_text(CORE.replace(old, new))
    assert (key(project) != before) == stale


def test_only_the_modules_that_a_chapter_reaches_count(project):
    package = project / "invariant_nets"
    (package / "far.py").write_text("value = 1\n")
    (package / "near.py").write_text("value = 1\n")
    (package / "core.py").write_text(f"from invariant_nets.near import value\n{CORE}")
    before = key(project)
    (package / "far.py").write_text("value = 2\n")
    assert key(project) == before
    (package / "near.py").write_text("value = 2\n")
    assert key(project) != before


# What fails the build


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        ("x = 1\nassert x == 2, 'one is not two'", "AssertionError in line 2: one is not two"),
        ("x = (", "SyntaxError"),
        ("import warnings\nwarnings.warn('careful')", "wrote to stderr: .*careful"),
        ("import os\nos._exit(1)", "the kernel died"),
    ],
)
def test_a_failing_cell_is_named(project, cell, problem):
    path = write(project, f"# %%\nfirst = 1\n\n# %%\n{cell}\n\n# %%\nnever = 1")
    with pytest.raises(ExceptionGroup) as group:
        Runner(project, project / ".cache").run([path])
    (error,) = group.value.exceptions
    assert isinstance(error, ChapterError)
    assert re.search(f"01_small.py, code cell 2: {problem}", str(error), re.DOTALL)
    assert cell.splitlines()[-1] in str(error)
    assert not list((project / ".cache").glob("*"))


def test_a_failing_cell_fails_the_build(project):
    write(project, CHAPTER.replace("double(21)", "undefined"))
    result = build(project)
    assert result.returncode != 0
    assert "01_small.py, code cell 1: NameError in line 7" in result.stderr
    assert not (project / "site" / "index.html").exists()


def test_each_fault_of_a_page_fails_the_build(project):
    faults = {
        r"$\undefined{x}$": r"formula `\undefined{x}`",
        "[dead](02_none.py)": "02_none.py",
        "[anchor](../index.md#nowhere)": "does not contain an anchor '#nowhere'",
        "[`f`][invariant_nets.core.f]": "cross-reference target 'invariant_nets.core.f'",
    }
    prose = CHAPTER.replace("Prose with", "Prose with " + ", ".join(faults) + ",")
    write(project, prose.replace(' alt="The same line"', ""))
    (project / "docs" / "core.md").write_text("# `core`\n\n::: invariant_nets.core\n\n$\\frac$\n")
    stray = "| $m$ { #m } | – | a row of no table |\n"
    (project / "docs" / "notation.md").write_text(f"{NOTATION}\nText.\n\n{stray}")
    result = build(project)
    assert result.returncode != 0
    warnings = [line for line in result.stderr.splitlines() if "WARNING" in line]
    assert len(warnings) == len(faults) + 3, result.stderr
    for message in faults.values():
        assert any(message in line and "chapters/01_small.py" in line for line in warnings), message
    assert any("'core.md': formula `\\frac`" in line for line in warnings)
    assert any("'notation.md': formulas link to the anchor '#m'" in line for line in warnings)
    assert any("01_small.py, code cell 3: its figure has no alt text" in line for line in warnings)


# What differs when it runs again

UNSTEADY = r"""
# %%
import random
import time
import torch
from invariant_nets.figures import table, use_book_style
from matplotlib import pyplot as plt
use_book_style()
torch.manual_seed(0)
def show(value):
    plt.plot([0, value])
    plt.show()

# %%
print(torch.rand(3))

# %%
random.random()

# %%
print("the same line")
print(hash("a string"))

# %%
object()

# %%
print(f"in {time.perf_counter()} s")

# %% measured="s"
print(f"in {time.perf_counter()} s")
table([{"name": "a", "s": time.perf_counter(), "value": 2.0}], digits=9)

# %% measured="s"
table([{"name": "a", "s": time.perf_counter(), "value": random.random()}])

# %% measured="s"
print("nothing that was measured")

# %% alt="A line."
show(random.random())

# %% alt="A line." measured="figure"
show(time.perf_counter_ns() % 1e9)

# %% alt="A line." measured="figure"
show(1)
"""
STEADY = CHAPTER + UNSTEADY.split("# %%\nrandom.random()")[0]


def again(project, chapter, *numbers):
    write(project, chapter)
    return subprocess.run(
        [sys.executable, "-m", "book", "repeat", *numbers],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_chapter_that_puts_out_something_else_is_caught(project):
    result = again(project, UNSTEADY)
    assert result.returncode == 1
    report = "\n" + result.stderr
    found = re.findall(r"\n01_small\.py, code cell (\d+): (.*)", report)
    assert [int(number) for number, _ in found] == [3, 4, 5, 6, 8, 9, 10, 12], report
    problems = {int(number): problem for number, problem in found}
    assert problems[3] == "text/plain differs in line 1:"
    assert problems[4] == "stdout differs in line 2:"
    assert problems[8] == "text/html differs in line 1:"
    assert problems[9] == 'measured="s", and no number in its outputs has this unit'
    assert problems[10].startswith("image/png differs in line ")
    assert problems[12] == 'measured="figure", and its figure is the same again'
    assert re.search(r"cell 5: .*\n    .*<object at 0x\w+>\n    .*<object at 0x\w+>\n", report)


def test_a_chapter_that_puts_out_the_same_again_passes(project):
    path = write(project, STEADY)
    Runner(project, project / ".cache" / "book").run([path])
    kept = (project / ".cache" / "book" / "01_small.ipynb").read_bytes()
    result = again(project, STEADY.replace("Prose", "Other prose"), "01")
    assert result.returncode == 0, result.stderr
    assert result.stdout == "All outputs are the same again.\n"
    assert result.stderr.count("ran in") == 1  # what the cache had was the first run
    assert (project / ".cache" / "book" / "01_small.ipynb").read_bytes() == kept


def test_a_failing_cell_fails_the_repetition(project):
    result = again(project, "# %%\nundefined")
    assert result.returncode == 1
    assert "01_small.py, code cell 1: NameError" in result.stderr


def one_cell(*outputs, measured=""):
    cell = nbformat.v4.new_code_cell("pass", outputs=list(outputs))
    cell.metadata.measured = measured
    return nbformat.v4.new_notebook(cells=[cell])


def printed(text, name="stdout"):
    return nbformat.v4.new_output("stream", name=name, text=text)


def tabled(*rows):
    value = figures.table([dict(zip(("name", "ms", "gap"), row, strict=True)) for row in rows])
    data = {"text/plain": str(value), "text/html": value._repr_html_()}
    return nbformat.v4.new_output("execute_result", data=data)


@pytest.mark.parametrize(
    ("measured", "before", "after", "same"),
    [
        ("", "1 s", "1 s", True),
        ("", "1 s", "2 s", False),
        ("s", "1 s", "2 s", True),
        ("s", "took  9.5 s", "took 11.25 s", True),
        ("s", "took 1e-3s.", "took 2.5e-3s.", True),
        ("s", "1,000 s", "999 s", True),
        ("s", "1 s or 5", "1 s or 6", False),
        ("s", "1 s, 5 ms", "2 s, 6 ms", False),
        ("s, ms", "1 s, 5 ms", "2 s, 6 ms", True),
        ("s", "A: 1 s", "B: 1 s", False),
        ("s", "1 seed, 1 s", "2 seed, 1 s", False),
        ("s", "S_1 s, 1 s", "S_2 s, 1 s", False),
        ("×", "loop   9.6 × faster", "loop 173.2 × faster", True),
        ("s", "1 s\n", "1 s\n2 s\n", False),
    ],
)
def test_numbers_of_a_unit_alone_may_differ(measured, before, after, same):
    first = one_cell(printed(before), measured=measured)
    found = list(repeat.differences(first, one_cell(printed(after))))
    assert (not found) == same, found


@pytest.mark.parametrize(
    ("rows", "same"),
    [
        ([("a", 12, 0.5), ("b", 1_345, 0.25)], True),
        ([("a", 3, 0.5), ("b", 4, 0.26)], False),
        ([("a", 3, 0.5), ("c", 4, 0.25)], False),
        ([("b", 3, 0.25), ("a", 4, 0.5)], False),
        ([("a", 3, 0.5)], False),
    ],
)
def test_a_column_headed_by_a_unit_alone_may_differ(rows, same):
    first = one_cell(tabled(("a", 3, 0.5), ("b", 4, 0.25)), measured="ms")
    found = list(repeat.differences(first, one_cell(tabled(*rows))))
    assert (not found) == same, found


def test_several_columns_of_measurements_may_differ():
    def rows(ms, kb, gap):
        row = {"name": "a", "ms": ms, "gap": gap, "kB": kb}
        value = figures.table([row, row])
        data = {"text/plain": str(value), "text/html": value._repr_html_()}
        return nbformat.v4.new_output("execute_result", data=data)

    first = one_cell(rows(3, 1234, 0.5), measured="ms, kB")
    assert not list(repeat.differences(first, one_cell(rows(12_345, 7, 0.5))))
    assert list(repeat.differences(first, one_cell(rows(3, 1234, 0.25))))


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ([printed("1")], [], "puts out stdout and then nothing"),
        ([printed("1")], [printed("1"), printed("2", "stderr")],
         "puts out stdout and then stderr, stdout"),
        ([printed("a\n" + 90 * "x" + "y")], [printed("a\n" + 90 * "x" + "z")],
         f"stdout differs in line 2:\n    …{50 * 'x'}y\n    …{50 * 'x'}z"),
        ([printed("a\nb\nc")], [printed("a\nb")], "stdout differs in line 2:\n    b\n    b"),
    ],
)  # fmt: skip
def test_the_first_difference_is_shown(before, after, problem):
    assert list(repeat.differences(one_cell(*before), one_cell(*after))) == [(1, problem)]


def test_the_times_of_a_progress_bar_may_differ_and_its_place():
    bar = "fit: 100%|##| 3/3 [00:0{}<00:00, {}it/s, loss=0.5]"
    first = one_cell(printed("a"), printed(bar.format(1, "12.1"), "stderr"))
    second = one_cell(printed(bar.format(2, "?"), "stderr"), printed("a"))
    assert not list(repeat.differences(first, second))
    other = one_cell(printed("a"), printed(bar.format(1, "12.1").replace("0.5", "0.6"), "stderr"))
    assert list(repeat.differences(first, other))


def test_two_cold_builds_give_the_same_site(project):
    write(project, CHAPTER.replace("in trange(", "in range("))
    sites = []
    for name in ("first", "second"):
        result = build(project)
        assert result.returncode == 0, result.stderr
        sites.append((project / "site").rename(project / name))
        shutil.rmtree(project / ".cache")
    first, second = (
        {path.relative_to(site): path.read_bytes() for path in site.rglob("*") if path.is_file()}
        for site in sites
    )
    # The map of the site says on which day it was built.
    names = [name for name in first.keys() | second.keys() if name.stem.split(".")[0] != "sitemap"]
    assert len(names) > 20
    assert not [name for name in names if first.get(name) != second.get(name)]


# What a page consists of


def test_a_page(project):
    result = build(project)
    assert result.returncode == 0, result.stderr
    site = project / "site"
    source = (site / "chapters" / "01_small" / "index.html").read_text()
    page = BeautifulSoup(source, "html.parser")

    assert page.title.text.startswith("A small chapter")
    assert page.select_one(".chapter-number").text == "Chapter 1"
    assert len(page.select(".md-content math")) == 6  # 3 in prose, solution, caption, table
    assert len([tag.extract() for tag in page.select("pre code")]) == 6
    assert not page.find(string=re.compile(r"\$|\\\(|\\\[|In \[|Out\[|Copied!"))
    assert page.select_one("a[href='../../core/#invariant_nets.core.double']")
    assert page.select_one("details.success math")
    assert page.select_one("details.example .outputs")
    assert "42" in page.select_one("pre.output").text
    assert "3/3" in source
    assert "0/3" not in source  # the bar's last state alone

    first, _ = page.select("figure.plot svg")
    assert first["aria-label"] == 'A "rising" line'
    assert first.find_parent("figure").figcaption.text.startswith("It rises by")
    assert "currentColor" in str(first)
    assert figures.INK not in source
    ids = [tag["id"] for tag in page.select("[id]")]
    assert len(ids) == len(set(ids))
    png = page.select_one("figure.plot img")
    assert png["src"].startswith("data:image/png")
    assert png["alt"] == "Many points"

    for name in ("index.html", "core/index.html", "chapters/01_small/index.html"):
        assert foreign((site / name).read_text()) == [], name
    assert len(source) < 400_000
    assert not re.search("mathjax|requirejs", source, re.IGNORECASE)

    text = (site / "search" / "search_index.json").read_text()
    assert "Prose with" in text
    assert not re.search(r"In \[|Copied|rising", text)

    reference = BeautifulSoup((site / "core" / "index.html").read_text(), "html.parser")
    assert reference.select_one(".doc-contents math")
    assert reference.select_one("a[href='../chapters/01_small/#chapter-1']").text == "chapter 1"
    assert not reference.select("a[href*='chapter-7']")
    titles = [title.text for title in reference.select(".doc-section-title")]
    assert titles == ["Shape:", "Examples:", "References:"]

    links = page.select(".formula a.symbol[tabindex='-1']")
    address = "../../notation/index.html"
    assert [a["href"] for a in links] == 2 * [f"{address}#n", f"{address}#sigma"]
    assert links[0]["title"] == "the size: a number"
    assert "mtight" in links[1]["class"]  # in an index
    assert [line.text for line in page.select(".formula + .symbols")] == [
        "Symbols: the size; a permutation of n points"
    ]
    assert [a["href"] for a in page.select(".symbols a")] == [f"{address}#n", f"{address}#sigma"]
    assert [a["href"] for a in reference.select("a.symbol")] == ["../notation/index.html#x"]
    for html in (source, text, str(reference)):
        assert not re.search(r"#symbol-|\\href", html)
    assert not page.select("math [href]")
    assert r"n + \mathbb E_{\sigma \in S_n} \sigma" in [a.text for a in page.select("annotation")]
    assert "Symbols:" not in text
    notation = BeautifulSoup((site / "notation" / "index.html").read_text(), "html.parser")
    assert {"n", "sigma", "x"} <= {cell.get("id") for cell in notation.select("td")}
    assert not notation.select("a.symbol")

    link = page.select_one("a[download]")["href"]
    notebook = nbformat.read(site / "chapters" / "01_small" / link, as_version=4)
    nbformat.validate(notebook)
    assert "pip install" in notebook.cells[0].source
    assert "[plot]" in notebook.cells[0].source
    assert [cell.source for cell in code_cells(notebook)] == [
        cell.source for cell in code_cells(read(project / "docs" / "chapters" / "01_small.py"))
    ]


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


def test_typesetting_lets_the_process_end():
    code = "from book.katex import formula; [formula(f'x_{{{i}}}', True) for i in range(100)]"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)


def foreign(page):
    """Returns the addresses on other hosts from which a page would load something."""
    soup = BeautifulSoup(page, "html.parser")
    loading = soup.select("[src], link[href]:not([rel=canonical])")
    addresses = [tag.get("src") or tag.get("href") for tag in loading]
    return [a for a in addresses if re.match(r"(https?:)?//", a)]


def test_foreign_finds_what_a_page_would_load():
    assert foreign('<script src="https://cdn.example/x.js"></script><img src="a.png">') == [
        "https://cdn.example/x.js"
    ]


def test_markdown_of_a_download_is_plain():
    source = '!!! note "A note"\n    See [here](x.md#y), [`f`][m.f] and `[a](b)`.\n\nEnd.\n'
    assert plain_markdown(source) == ("> **A note**\n>\n> See here, `f` and `[a](b)`.\n\nEnd.\n")
    folded = plain_markdown('??? success "Solution"\n    Because $x$.\n')
    assert folded == "<details><summary>Solution</summary>\n\nBecause $x$.\n\n</details>\n\n"
