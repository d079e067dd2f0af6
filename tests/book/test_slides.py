"""The slides: what the marks of a chapter show, and what is wrong with a mark."""

import os
import subprocess
import sys
from pathlib import Path

import jupytext
import pytest
from nbformat import NotebookNode, v4

from book.running.chapters import read
from book.slides.cells import KINDS, slides, title_of
from book.slides.deck import write
from tests.book.one_chapter import CHAPTER, build
from tests.book.one_chapter import write as write_chapter

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "docs" / "chapters").glob("*.py"))

TEXT = r"""# %% [markdown] slide="question"
# # On $S_n$
#
# !!! abstract "What you will be able to do"
#     See whether this is left out?
#
# A set has no order. Which function may
# see one, as in [chapter 2](02_b.py)? We
# shall see.

# %% alt="A line" caption="It *rises* by $x$." slide="picture"
plot()

# %% [markdown] slide="theorem verdict"
# !!! theorem "Theorem (sums)"
#     Sums $\sum_i x_i$ commute, see [Sims (1970)](../bibliography.md#sims-1970).
#
# *Proof.* Clear.
#
# ## Summary
#
# - One.
# - Two
#   lines.
# - Three.
# - Four.
#
# ## Where the field went
#
# - Elsewhere.
"""
SVG = '<svg viewBox="0 0 10 10"><path d="M0 0h9"/></svg>'


def chapter(text=TEXT):
    notebook = jupytext.reads(text, fmt="py:percent")
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [v4.new_output("display_data", {"image/svg+xml": SVG})]
    return notebook


def test_marks_show_what_they_name():
    found = slides(chapter(), pytest.fail)
    assert [slide.kind for slide in found] == [
        *("question", "picture", "theorem", "verdict", "verdict"),
    ]
    question, picture, theorem, first, second = (slide.content for slide in found)
    assert question.startswith("<p>A set has no order. <strong>Which function may\nsee one, as in")
    assert "chapter 2?</strong> We\nshall see.</p>" in question
    assert "left out" not in question
    assert "<figcaption>It <em>rises</em> by <span" in picture
    assert 'aria-label="A line"' in picture
    assert "<a " not in theorem
    assert "Sims (1970)" in theorem
    assert "<math" in theorem
    assert found[2].heading == "Theorem (sums)"
    assert first.count("<li>") == second.count("<li>") == 2
    assert "Elsewhere" not in second
    assert "<math" in title_of(chapter(), pytest.fail)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('slide="question"', 'slide="picture"', "slide='picture' marks a cell of markdown"),
        ('slide="picture"', 'slide="theorem"', "slide='theorem' marks a cell of code"),
        ('slide="question"', 'slide="riddle"', "slide='riddle' marks a cell of markdown"),
        (
            '!!! theorem "Theorem (sums)',
            '!!! note "Sums',
            "slide='theorem' marks a cell that holds no theorem",
        ),
        ("## Summary", "## End", "slide='verdict' marks a cell that holds no verdict"),
        ("commute", r"$\undefined$ commute", r"formula `\undefined`"),
    ],
)
def test_a_wrong_mark_is_told(old, new, fault):
    assert old in TEXT
    problems = []
    slides(chapter(TEXT.replace(old, new)), problems.append)
    assert [problem for problem in problems if fault in problem]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_chapter_marks_its_question_theorems_pictures_and_verdict(path):
    notebook = read(path)
    marks = [(cell, cell.metadata.get("slide", "").split()) for cell in notebook.cells]
    kinds = [kind for _, found in marks for kind in found]
    assert kinds[0] == "question"
    assert kinds[-1] == "verdict"
    assert kinds.count("question") == kinds.count("verdict") == 1
    assert set(kinds) <= set(KINDS)
    for cell, found in marks:
        if cell.cell_type == "markdown":
            assert ("!!! theorem" in cell.source) == ("theorem" in found)


def test_a_deck_without_marks_is_told(tmp_path):
    path, problems = tmp_path / "01_a.py", []
    notebook = NotebookNode(cells=[v4.new_markdown_cell("# A chapter")])
    write(tmp_path / "slides", {path: notebook}, ROOT / "docs" / "assets", problems.append)
    assert problems == ["01_a.py: marks no cell for a slide"]


@pytest.mark.book
def test_slides_are_made_of_the_outputs_that_the_book_shows(project):
    text = CHAPTER.replace("# %% [markdown]", '# %% [markdown] slide="question"', 1)
    write_chapter(project, text.replace('alt="The same line"', 'alt="The same" slide="picture"'))
    assert build(project).returncode == 0
    result = subprocess.run(
        [sys.executable, "-m", "book", "slides"],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert "Running" not in result.stderr  # nothing ran a second time
    folder = project / "build" / "slides"
    assert result.stdout.strip() == str(folder / "index.html")
    assert 'aria-label="The same"' in (folder / "01_small.html").read_text()
    assert sorted(path.name for path in (folder / "figures").iterdir()) == [
        *("01_small-1.svg", "01_small-2.svg", "01_small-3.svg"),
    ]
