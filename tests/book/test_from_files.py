"""The built book without a server: all that a reader can follow, find, choose or move in files."""

import os
import re
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import nbformat
import pytest

from tests.book.pages import CHAPTERS, CHROMIUM, PAGES, SCHEMES, watch

pytestmark = [
    pytest.mark.book,
    pytest.mark.skipif(not CHROMIUM and "CI" not in os.environ, reason="there is no chromium"),
    pytest.mark.xdist_group("browser"),  # one worker, so that the book is built once
]
TOGGLE = "label.md-header__button[for^=__palette]:not([hidden])"
SCHEME = "document.body.dataset.mdColorScheme"
COME = "box => box.dataset.play ? box.play : box.querySelector('.moving')"


class Links(HTMLParser):
    """Lists where a page leads and what it loads."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        self.found += [value for name, value in attributes if name in ("href", "src")]


def broken(site, page):
    """Returns the links of a page that lead to no file of the site."""
    links = Links()
    links.feed((site / page).read_text())
    paths = {urlsplit(link).path for link in links.found if not urlsplit(link).scheme}
    return [path for path in paths - {""} if not ((site / page).parent / unquote(path)).is_file()]


def test_every_link_of_every_page_names_a_file(built):
    pages = [path.relative_to(built).as_posix() for path in built.rglob("*.html")]
    assert set(PAGES) == set(pages) - {"404.html"}  # which a server alone shows
    assert {page: found for page in PAGES if (found := broken(built, page))} == {}


def test_a_link_to_a_folder_is_found(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "index.html").write_text("")
    page = '<a href="a/"></a><a href="a/index.html#b"></a><a href="#c"></a><img src="d%20.png">'
    (tmp_path / "page.html").write_text(page)
    assert sorted(broken(tmp_path, "page.html")) == ["a/", "d%20.png"]


def opened(context, built):
    """A tab at Home, which lists what goes wrong and what it asks of others."""
    page = context.new_page()
    watch(page, f"{built.as_uri()}/")
    page.goto(f"{built.as_uri()}/index.html")
    return page


@pytest.fixture
def home(browser, built):
    """A tab at Home; nothing may go wrong in it."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = opened(context, built)
        yield page
        assert page.problems == []


@pytest.fixture(scope="module")
def tab(browser, built):
    """A tab for all pages."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        yield opened(context, built)


def test_one_can_walk_through_the_book_and_search_it(home, built):
    def at(pattern):
        home.wait_for_url(re.compile(f"^{built.as_uri()}/{pattern}$"))
        assert home.locator("article h1").is_visible()

    home.click(".md-sidebar--primary a:has-text('Sets, permutations, actions')")
    at(r"chapters/01_permutations\.html")
    home.click(".md-footer__link--next")
    at(r"chapters/02_task\.html")
    home.locator("article a[href*='reference/']").first.click()
    at(r"reference/\w+\.html#invariant_nets\.[\w.]+")
    anchor = home.url.partition("#")[2]
    assert home.locator(f"[id='{anchor}']").first.is_visible()
    home.click(".md-sidebar--primary a:has-text('Reference')")
    at(r"reference/index\.html")

    home.click(".md-search__input")
    home.locator(".md-search__input").press_sequentially("LinearEquivariant")
    home.locator("a.md-search-result__link:has-text('LinearEquivariant')").first.click()
    at(r"[\w/]+\.html\?h=\w+(#.*)?")
    home.locator("article mark:has-text('LinearEquivariant')").first.wait_for()
    home.locator("a.md-logo:visible").click()
    at(r"index\.html")


def test_a_color_scheme_stays_chosen_on_the_next_page(home):
    home.emulate_media(color_scheme="light")
    assert home.evaluate(SCHEME) == SCHEMES["light"]
    for _ in range(2):  # what the system says, light, dark
        home.click(TOGGLE)
    assert home.evaluate(SCHEME) == SCHEMES["dark"]
    home.click(".md-footer__link--next")
    home.wait_for_url(re.compile("how-to-read"))
    assert home.evaluate(SCHEME) == SCHEMES["dark"]
    home.click(TOGGLE)
    assert home.evaluate(SCHEME) == SCHEMES["light"]
    home.emulate_media(color_scheme="dark")
    home.wait_for_function(f"{SCHEME} == '{SCHEMES['dark']}'")


@pytest.mark.parametrize("address", PAGES)
def test_a_page_follows_the_system_and_all_that_moves_comes(tab, built, address):
    tab.problems.clear()
    tab.goto(f"{built.as_uri()}/{address}")
    for scheme in (*SCHEMES, *SCHEMES):
        tab.emulate_media(color_scheme=scheme)
        tab.wait_for_function(f"{SCHEME} == '{SCHEMES[scheme]}'")
    boxes = tab.locator("[data-play], [data-moves]")
    for number in range(boxes.count()):
        boxes.nth(number).scroll_into_view_if_needed()
        tab.wait_for_function(COME, arg=boxes.nth(number).element_handle())
    assert tab.problems == []


@pytest.mark.parametrize("label", ["Notebook", "Solved"])
def test_a_notebook_opens(home, built, label):
    """From files a browser shows a notebook, which is on the reader's disk already."""
    home.goto(f"{built.as_uri()}/{CHAPTERS[0]}")
    home.click(f"a[download]:has-text('{label}')")
    home.wait_for_url(re.compile(r"\.ipynb$"))
    nbformat.validate(nbformat.reads(home.text_content("body"), as_version=4))
