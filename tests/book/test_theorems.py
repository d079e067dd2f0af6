"""The theorems: marked, named, proved or with a source, listed on a page, found by the search."""

import json
import re
from pathlib import Path

import jupytext
import pytest
import yaml

from book.finding import PLACE
from book.pages.found.searched import symbol_entries
from book.pages.found.theorems import from_root, listed, theorems, with_anchors
from book.pages.notation import names, typed
from book.running.chapters import read
from tests.book.one_chapter import CHAPTER, build, write

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "docs" / "chapters").glob("*.py"))

TEXT = """# %% [markdown]
# # A chapter
#
# !!! abstract "What you will be able to do"
#     Theorems.
#
# !!! theorem "Theorem (two generators)"
#     Two do, see [the group](02_group.py#generators) and [Sims
#     (1970)](../bibliography.md#sims-1970).
#
#     $$ S_n = \\langle s, t \\rangle . $$
#
# *Proof.* By bubble sort.
#
# !!! theorem "Lemma (Schreier)"
#     What generates a stabilizer.
#
# [Sims (1970)](../bibliography.md#sims-1970) uses it.
#
# ## More
"""


def chapter(text=TEXT):
    return jupytext.reads(text, fmt="py:percent")


def test_a_theorem_is_a_box_with_an_anchor():
    first, second = theorems(chapter())
    assert (first.title, first.anchor) == ("Theorem (two generators)", "theorem-two-generators")
    assert first.statement.startswith("Two do, see")
    assert first.statement.endswith("\\rangle . $$")
    assert (second.title, second.statement) == ("Lemma (Schreier)", "What generates a stabilizer.")
    assert first.fault == second.fault == ""
    markup = with_anchors(chapter().cells[0].source)
    assert markup.count("### ") == markup.count('<div class="admonition theorem" markdown>') == 2
    assert '!!! abstract "What you will be able to do"\n    Theorems.\n' in markup
    assert "</div>\n\n*Proof.* By" in markup


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("Lemma (Schreier)", "Lemma", "has no name"),
        ("Lemma (Schreier)", "Lemma ()", "has no name"),
        ("#     What generates a stabilizer.\n", "", "has no statement"),
        ("[Sims (1970)](../bibliography.md#sims-1970) uses it.", "So.", "neither a proof nor a"),
        ('theorem "Lemma', 'abstract "Lemma', "is marked abstract, not theorem"),
        ("Lemma (Schreier)", "Theorem (two generators)", "has the name of another one"),
        ("Lemma (Schreier)", "Schreier", "has no name"),
    ],
)
def test_what_is_missing_is_told(old, new, fault):
    assert old in TEXT
    problems = []
    listed([("chapters/01_a.py", "1 A", chapter(TEXT.replace(old, new)))], problems.append)
    (problem,) = problems
    assert problem.startswith("chapters/01_a.py: '")
    assert fault in problem


def test_links_start_at_the_page_of_all_theorems():
    page = listed([("chapters/01_a.py", "1 A", chapter())], pytest.fail)
    assert page.startswith("## [1 A](chapters/01_a.py) ")
    assert "### [Lemma (Schreier)](chapters/01_a.py#lemma-schreier) " in page
    assert "[the group](chapters/02_group.py#generators)" in page
    assert "(1970)](bibliography.md#sims-1970)" in page
    kept = "[a](https://host/b) [c](#d) [`f`][invariant_nets.f]"
    assert from_root(kept, "chapters") == kept


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_theorem_of_the_book_is_whole(path):
    notebook = read(path)
    assert [theorem.fault for theorem in theorems(notebook) if theorem.fault] == []
    boxes = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert len(theorems(notebook)) == len(re.findall("^!!! theorem ", boxes, re.MULTILINE))


def test_the_book_has_theorems():
    assert sum(len(theorems(read(path))) for path in CHAPTERS) >= 29
    assert (ROOT / "docs" / "theorems.md").read_text().count(PLACE) == 1


# What the search reads


@pytest.mark.parametrize(
    ("tex", "text"),
    [
        (r"\rho(g)", "ρ(g)"),
        ("S_n", "S_n"),
        (r"x \in \mathbb R^{n \times d}", "x ∈ R^n × d"),
        (r"\bar f(x) = \hat f_k", "f̄(x) = f̂_k"),
        (
            r"\ln x \le \max_i y_{ij}\,,\quad \text{for all } \varepsilon",
            "ln x ≤ max_i y_ij , for all ε",
        ),
        (r"\bigl( \lvert G \rvert \bigr)", "( ∣ G ∣ )"),
    ],
)
def test_a_formula_is_read_as_one_would_type_it(tex, text):
    assert typed(tex) == text


def test_symbols_are_entries_with_their_names():
    assert names(r"\rho(\sigma_{\mathrm{x}}) \le \infty") == ["rho", "sigma"]
    row = (
        "| $\\rho(g)$, $v_1$ { #rho } | [`f(x)`][m.f] | an *action* of $G$ & more | – | [1](c.py) |"
    )
    (entry,) = symbol_entries("notation.html", row)
    assert entry["location"] == "notation.html#rho"
    assert entry["title"] == "ρ(g), v_1 (rho)"
    assert entry["text"] == "an action of G &amp; more. f(x)"
    assert (
        symbol_entries("notation.html", "| – { #mask } | `mask` | members | – | [1](c.py) |") == []
    )


@pytest.mark.book
def test_a_build_lists_the_theorems_and_fails_if_one_is_not_whole(project):
    settings = yaml.safe_load((project / "mkdocs.yml").read_text())
    settings["hooks"].append("book/finding.py")
    settings["nav"].append("theorems.md")
    (project / "mkdocs.yml").write_text(yaml.safe_dump(settings))
    (project / "docs" / "theorems.md").write_text(f"# All theorems\n\n{PLACE}\n")
    box = '# !!! theorem "Theorem (sums)"\n#     Sums $x$ commute.\n#\n'
    write(project, CHAPTER.replace("# ??? success", f"{box}# *Proof.* Clear.\n#\n# ??? success"))
    result = build(project)
    assert result.returncode == 0, result.stderr
    page = (project / "site" / "theorems.html").read_text()
    assert 'href="chapters/01_small.html#theorem-sums"' in page
    assert "Sums <span" in page
    assert 'id="theorem-sums"' in (project / "site/chapters/01_small.html").read_text()
    entries = json.loads((project / "site/search/search_index.json").read_text())["docs"]
    found = {entry["location"]: entry for entry in entries}
    assert found["chapters/01_small.html#theorem-sums"]["text"] == "<p>Sums x commute.</p>"
    assert found["notation.html#sigma"]["title"] == "σ, τ (sigma, tau)"
    assert "theorems.html#theorem-sums" not in found

    write(project, CHAPTER.replace("# ??? success", f"{box}# Clear.\n#\n# ??? success"))
    result = build(project)
    assert result.returncode != 0
    assert (
        "chapters/01_small.py: 'Theorem (sums)' has neither a proof nor a source" in result.stderr
    )
