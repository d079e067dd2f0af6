"""The decks in a browser, from the file system: readable in a lecture hall, without a network."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from book.running.run import Runner
from book.slides.deck import write
from tests.book.pages import AXE, CHROMIUM, FLAGS, serious

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "docs" / "chapters").glob("*.py"))

pytestmark = [
    pytest.mark.book,
    pytest.mark.skipif(not CHROMIUM and "CI" not in os.environ, reason="there is no chromium"),
    pytest.mark.xdist_group("browser"),  # with what builds the book, so that no chapter runs twice
]


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


def opened(tab, address):
    tab.problems.clear()
    tab.goto(address)
    tab.wait_for_function("window.Reveal && Reveal.isReady()")


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


def test_a_slide_that_is_too_full_is_found(folder, tab):
    opened(tab, (folder / f"{CHAPTERS[0].stem}.html").as_uri())
    words = "document.querySelector('section.present').insertAdjacentHTML('beforeend', %r)"
    tab.evaluate(words % f"<p>{'word ' * 300}</p>")
    assert not tab.evaluate(SEEN)["inside"]


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
