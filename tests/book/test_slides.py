"""The slides: what marks show, and how the decks look in a lecture hall without a network."""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jupytext
import pytest
from nbformat import NotebookNode, v4
from playwright.sync_api import sync_playwright

from book.running.chapters import read
from book.running.run import Runner
from book.slides.cells import KINDS, slides, title_of
from book.slides.deck import write
from tests.book.one_chapter import CHAPTER, build
from tests.book.one_chapter import write as write_chapter
from tests.book.pages import AXE, serious

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "docs" / "chapters").glob("*.py"))
CHROMIUM = shutil.which("chromium")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")

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


# In the browser, from the file system


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The decks of the book, with an outside that a deck must not ask."""
    folder = tmp_path_factory.mktemp("lecture") / "slides"
    runner, problems = Runner(ROOT, ROOT / ".cache" / "book"), []
    with ThreadPoolExecutor(1) as pool:  # other tests of a browser leave their loop running here
        executed = pool.submit(runner.run, CHAPTERS).result()
    write(folder, executed, ROOT / "docs" / "assets", problems.append)
    assert problems == []
    return folder


@pytest.fixture(scope="module")
def tab(folder):
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        page = browser.new_page(viewport={"width": 1280, "height": 720}, reduced_motion="reduce")
        page.problems = []
        page.on("console", lambda message: page.problems.append(message.text))
        page.on("pageerror", lambda error: page.problems.append(str(error)))
        page.on("requestfailed", lambda request: page.problems.append(request.url))
        inside = (folder.as_uri(), "data:")
        page.on("request", lambda r: r.url.startswith(inside) or page.problems.append(r.url))
        yield page
        browser.close()


SEEN = """() => {
  const slide = Reveal.getCurrentSlide();
  const words = "p, li, h1, h2, figcaption, .katex-base, table";
  const boxes = names => [...slide.querySelectorAll(names)].map(p => p.getBoundingClientRect());
  const type = [...slide.querySelectorAll("p, li")];
  return {
    number: Reveal.getState().indexh,
    inside: boxes(`${words}, .plot svg, .plot img`).every(box =>
      box.left >= 0 && box.right <= innerWidth && box.top >= 0 && box.bottom <= innerHeight),
    type: Math.min(99, ...type.map(part => parseFloat(getComputedStyle(part).fontSize))),
    fonts: [...document.fonts].filter(font => font.status === "error").length,
    drawn: boxes(".plot svg, .plot img").every(box => box.height > 150),
  };
}"""

in_browser = [
    pytest.mark.book,
    pytest.mark.skipif(not CHROMIUM and "CI" not in os.environ, reason="there is no chromium"),
    pytest.mark.xdist_group("browser"),  # with what builds the book, so that no chapter runs twice
]


def marked(test):
    for mark in in_browser:
        test = mark(test)
    return test


def opened(tab, address):
    tab.problems.clear()
    tab.goto(address)
    tab.wait_for_function("window.Reveal && Reveal.isReady()")


@marked
@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_deck_is_readable_from_the_last_row(folder, tab, path):
    opened(tab, (folder / f"{path.stem}.html").as_uri())
    faults, total = [], tab.evaluate("Reveal.getTotalSlides()")
    assert total >= 3
    for number in range(total):
        seen = tab.evaluate(SEEN)
        whole = seen["number"] == number and seen["inside"] and seen["drawn"]
        if not whole or seen["type"] < 24 or seen["fonts"]:
            faults.append(seen)
        tab.keyboard.press("ArrowRight")
    assert faults == []
    assert tab.problems == []


@marked
def test_a_slide_that_is_too_full_is_found(folder, tab):
    opened(tab, (folder / f"{CHAPTERS[0].stem}.html").as_uri())
    words = "document.querySelector('section.present').insertAdjacentHTML('beforeend', %r)"
    tab.evaluate(words % f"<p>{'word ' * 300}</p>")
    assert not tab.evaluate(SEEN)["inside"]


@marked
def test_colors_are_strong_and_the_page_of_decks_shows_every_figure(folder, tab):
    opened(tab, (folder / f"{CHAPTERS[0].stem}.html").as_uri())
    assert tab.problems == []
    tab.add_script_tag(path=AXE)  # which reads the styles again, and from the file system may not
    assert serious(tab, ["color-contrast", "svg-img-alt", "image-alt", "document-title"]) == []
    tab.goto((folder / "index.html").as_uri())
    tab.add_script_tag(path=AXE)
    assert serious(tab) == []
    links = tab.eval_on_selector_all("h2 a", "links => links.map(a => a.getAttribute('href'))")
    assert links == [f"{path.stem}.html" for path in CHAPTERS]
    figures = tab.locator(".figures img")
    for figure in figures.all():
        figure.scroll_into_view_if_needed()
    tab.wait_for_function("[...document.images].every(i => i.complete && i.naturalWidth > 50)")
    assert figures.count() == len(list((folder / "figures").glob("*.svg"))) > 15
