"""The build of the book: what fails it, and what a page consists of."""

import json
import re
import shutil

import nbformat
import pytest
from bs4 import BeautifulSoup

from book.running.chapters import code_cells, read
from invariant_nets import figures
from tests.book.one_chapter import CHAPTER, NOTATION, build, write

pytestmark = pytest.mark.book


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


def test_a_page(project):
    result = build(project)
    assert result.returncode == 0, result.stderr
    site = project / "site"
    source = (site / "chapters" / "01_small.html").read_text()
    page = BeautifulSoup(source, "html.parser")

    assert page.title.text.startswith("A small chapter")
    assert page.select_one(".chapter-number").text == "Chapter 1"
    assert len(page.select(".md-content math")) == 6  # 3 in prose, solution, caption, table
    solution = page.select_one("details.example")
    assert solution.summary.text == "Solution of exercise 1, in code"
    assert "what was asked" in solution.text
    assert "Right." in source
    assert "in vain" not in source
    folded = page.select("details.code")
    assert [fold.summary.text for fold in folded] == 3 * ["Code of the figure"]
    assert all("plt.plot" in fold.text for fold in folded)
    assert not page.select("details.code figure")
    assert len([tag.extract() for tag in page.select("pre code")]) == 9
    assert not page.find(string=re.compile(r"\$|\\\(|\\\[|In \[|Out\[|Copied!"))
    assert page.select_one("a[href='../core.html#invariant_nets.core.double']")
    assert page.select_one("details.success math")
    assert page.select_one("details.example .outputs")
    assert "42" in page.select_one("pre.output").text
    assert "3/3" in source
    assert "0/3" not in source  # the bar's last state alone

    first, second = page.select("figure.plot svg")
    moving = second.find_parent("figure")
    assert (moving["data-moves"], moving["data-needs"]) == ("line", "numbers")
    assert "JavaScript" in moving.noscript.p.text
    assert (
        [moving] == page.select("[data-moves]") == [tag.parent for tag in page.select("noscript")]
    )
    assert first["aria-label"] == 'A "rising" line'
    assert first.find_parent("figure").figcaption.text.startswith("It rises by")
    assert "currentColor" in str(first)
    assert figures.INK not in source
    ids = [tag["id"] for tag in page.select("[id]")]
    assert len(ids) == len(set(ids))
    png = page.select_one("figure.plot img")
    assert png["src"].startswith("data:image/png")
    assert png["alt"] == "Many points"

    for name in ("index.html", "core.html", "chapters/01_small.html"):
        assert foreign((site / name).read_text()) == [], name
    assert len(source) < 400_000
    assert not re.search("mathjax|requirejs", source, re.IGNORECASE)

    text = (site / "search" / "search_index.json").read_text()
    found = " ".join(entry["text"] for entry in json.loads(text)["docs"])
    assert "Prose with x ∈ R^n, a link" in found  # a formula once, as one would type it
    assert "<pre><code>from matplotlib import pyplot as plt" in found
    assert not re.search(r"In \[|Copied|rising", text)

    reference = BeautifulSoup((site / "core.html").read_text(), "html.parser")
    assert reference.select_one(".doc-contents math")
    assert reference.select_one("a[href='chapters/01_small.html#chapter-1']").text == "chapter 1"
    assert not reference.select("a[href*='chapter-7']")
    titles = [title.text for title in reference.select(".doc-section-title")]
    assert titles == ["Shape:", "Examples:", "References:"]

    links = page.select(".formula a.symbol[tabindex='-1']")
    address = "../notation.html"
    assert [a["href"] for a in links] == 2 * [f"{address}#n", f"{address}#sigma"]
    assert links[0]["title"] == "the size: a number"
    assert "mtight" in links[1]["class"]  # in an index
    assert [line.text for line in page.select(".formula + .symbols")] == [
        "Symbols: the size; a permutation of n points"
    ]
    assert [a["href"] for a in page.select(".symbols a")] == [f"{address}#n", f"{address}#sigma"]
    assert [a["href"] for a in reference.select("a.symbol")] == ["notation.html#x"]
    for html in (source, text, str(reference)):
        assert not re.search(r"#symbol-|\\href", html)
    assert not page.select("math [href]")
    assert r"n + \mathbb E_{\sigma \in S_n} \sigma" in [a.text for a in page.select("annotation")]
    assert "Symbols:" not in text
    notation = BeautifulSoup((site / "notation.html").read_text(), "html.parser")
    assert {"n", "sigma", "x"} <= {cell.get("id") for cell in notation.select("td")}
    assert not notation.select("a.symbol")


def test_the_downloads(project):
    assert build(project).returncode == 0
    folder = project / "site" / "chapters"
    page = BeautifulSoup((folder / "01_small.html").read_text(), "html.parser")
    solved, to_work = (
        nbformat.read(folder / link["href"], as_version=4) for link in page.select("a[download]")
    )
    cells = code_cells(read(project / "docs" / "chapters" / "01_small.py"))
    for notebook, hidden in ((solved, {"wrong"}), (to_work, {"wrong", "solution"})):
        nbformat.validate(notebook)
        assert "pip install" in notebook.cells[0].source
        assert "[plot,data]" in notebook.cells[0].source
        shown = [cell.source for cell in cells if not hidden & cell.metadata.keys()]
        assert [cell.source for cell in code_cells(notebook)] == shown
    assert ["Folded, with" in nbformat.writes(n) for n in (solved, to_work)] == [True, False]


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
