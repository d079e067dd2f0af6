"""The built book in a real browser: every page, light and dark, on a desk and on a phone."""

import json
import os
from http.server import SimpleHTTPRequestHandler
from urllib.parse import urlsplit

import nbformat
import pytest

from tests.book.pages import (
    AXE,
    CHAPTERS,
    CHROMIUM,
    PAGES,
    SCHEMES,
    VIEWS,
    faults_of,
    in_view,
    serving,
    watch,
)

pytestmark = [
    pytest.mark.book,
    pytest.mark.skipif(not CHROMIUM and "CI" not in os.environ, reason="there is no chromium"),
    pytest.mark.xdist_group("browser"),  # one worker, so that the book is built once
]


class Book(SimpleHTTPRequestHandler):
    """Serves a folder, axe-core, and an empty search index to who does not search."""

    def translate_path(self, path):
        if path == "/axe.min.js":
            return str(AXE)
        if path == "/search/search_index.json" and "Unsearched" in self.headers:
            path = "/search/nothing.json"
        return super().translate_path(path)

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def site(built):
    """The address of the book, strictly built and served."""
    index = json.loads((built / "search" / "search_index.json").read_text())
    (built / "search" / "nothing.json").write_text(json.dumps(index | {"docs": []}))
    with serving(built, Book) as address:
        yield address


@pytest.fixture(scope="module")
def tab(site, browser):
    """A tab for all pages, which keeps fonts and styles; each page would index the whole book."""
    context = browser.new_context(extra_http_headers={"Unsearched": "yes"})
    page = context.new_page()
    watch(page, site)
    yield page
    context.close()


@pytest.fixture(scope="module")
def checked(site, tab, request):
    """The tab after a page was checked in it, with what was found in `faults`."""
    tab.faults = faults_of(tab, site + request.param)
    return tab


# A scope makes pytest run the tests of one page after another, so that it is loaded once.
@pytest.mark.parametrize("checked", PAGES, indirect=True, scope="module")
def test_page(checked):
    assert checked.faults == []


@pytest.mark.parametrize("checked", CHAPTERS, indirect=True, scope="module")
@pytest.mark.parametrize("label", ["Notebook", "Solved"])
def test_download_opens_as_a_notebook(checked, label, tmp_path):
    with checked.expect_download() as download:
        checked.click(f"a[download]:has-text('{label}')")
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    assert path.suffix == ".ipynb"
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert "pip install" in notebook.cells[0].source


ALL, LIGHT, DARK, PHONE = (
    {view for view in VIEWS if part in ("", *view)} for part in ("", "light", "dark", 390)
)
STYLE = """<style>
.faint { color: #888 !important; background: #999 }
[data-md-color-scheme=slate] .night { color: #444 !important }
@media (width < 400px) { .phone { color: #888 !important; background: #999 } }
@media (width > 400px) { [data-md-color-scheme=slate] .late { color: #444 !important } }
.under { background: #222 }
.same { color: #444 !important; text-decoration: none !important }
[data-md-color-scheme=slate] .same { color: #bbb !important }
</style>"""


def formula(inside):
    """Returns a small formula as KaTeX typesets it."""
    base = f'<span class="katex-base">{inside}</span>'
    text = '<span class="katex-mathml"><math><mi>x</mi></math></span>'
    html = f'<span class="katex-html" aria-hidden="true">{base}</span>'
    return f'<span class="katex">{text}{html}</span>'


def code(inside):
    return f"<pre><code><span>x</span> = {inside}</code></pre>"


def menu(inside):
    return f"<ul class='md-nav__list'><li class='md-nav__item'>{inside}</li></ul>"


# What is found (by axe: its rule) in which views, after what was put into a chapter; the element
# marked with ! is shown. In the dark, axe is asked for colors alone.
FAULTS = [
    ("color-contrast", ALL, "<p ! class='faint'>text</p>"),
    ("color-contrast", DARK, "<p ! class='night'>text</p>"),
    ("color-contrast", PHONE, "<p ! class='phone'>text</p>"),
    ("color-contrast", ALL, code("<span ! class='faint'>1</span>")),
    ("color-contrast", DARK, code("<span ! class='night'>1</span>")),
    ("color-contrast", ALL, formula("<span ! class='faint'>x</span>")),
    ("color-contrast", DARK, formula("<span ! class='night'>x</span>")),
    ("color-contrast", PHONE, formula("<span ! class='phone'>x</span>")),
    ("color-contrast", LIGHT, f"<p class='under'>{formula('<span !>x</span>')}</p>"),
    ("color-contrast", DARK - PHONE, formula("<span ! class='late'>x</span>")),
    ("link-in-text-block", ALL, "<p>Text, and <a ! class='same' href='#'>a link</a> in it.</p>"),
    ("color-contrast", ALL, menu("<a ! class='faint' href='#'>text</a>")),
    ("link-name", LIGHT, menu("<a ! href='#'></a>")),
    ("label", LIGHT, "<input !>"),
    ("button-name", LIGHT, "<button !></button>"),
    ("image-alt", LIGHT, "<img ! src='data:image/gif;base64,R0lGODdhAQABAAAAACw='>"),
    ("svg-img-alt", LIGHT, "<svg ! role='img'><path d='M0 0h9'/></svg>"),
    ("nested-interactive", LIGHT, "<svg ! role='img' aria-label='a'><a href='#'>A</a></svg>"),
    *2 * [("link-name", LIGHT, f"<a ! href='#'>{formula('<span>x</span>')}</a>")],
    ("aria-valid-attr", LIGHT, code("<span ! aria-wrong='1'>x</span>")),
    ("link-name", LIGHT, code("<a href='#'>f</a>(<a ! href='#'></a>)")),
    (
        "scrollable-region-focusable",
        LIGHT & PHONE,
        f"<div ! class='formula'>{formula('<span>' + 50 * 'x' + '</span>')}</div>",
    ),
    ("hidden, but the keyboard reaches it", ALL, formula("<a ! href='#'>x</a>")),
    ("the page is 7", PHONE, "<div style='width: 700px'>wide</div>"),
    ("not typeset: $x^2$", ALL, "<p>$x^2$</p>"),
    ("invisible: ", ALL, formula("")),
    ("a plot of 9", ALL, "<div class='plot scroll'><p><svg width='9' height='9'></svg></p></div>"),
]
# The last line undoes what the book's script does for a formula that scrolls.
SPOIL = """
document.querySelector(".md-content__inner").insertAdjacentHTML("beforeend", %s);
window.before = document.querySelectorAll("*").length;
console.error("oh");
fetch("missing.txt");
fetch("http://127.0.0.1:9/").catch(() => {});
const formula = document.querySelector("[id^=fault].formula");
addEventListener("resize", () => formula.removeAttribute("tabindex"));
"""


@pytest.fixture(scope="module")
def spoiled(site, tab):
    """What is found in the chapter with the most formulas after all faults were put into it."""
    html = [html.replace("!", f"id='fault-{i}-'") for i, (_, _, html) in enumerate(FAULTS)]
    usual = formula("<span>x</span>")  # so that the later ones of its kind are thinned away
    script = SPOIL % json.dumps("".join([STYLE, usual, *html]))
    return faults_of(tab, f"{site}chapters/06_rows_and_columns.html", script)


@pytest.mark.parametrize("number", range(len(FAULTS)), ids=lambda number: FAULTS[number][0])
def test_each_fault_is_found_where_it_shows(spoiled, number):
    name, views, html = FAULTS[number]
    mark = f"fault-{number}-" if "!" in html else ""
    found = {view: in_view(view) + name for view in VIEWS}
    assert views == {
        view
        for view, start in found.items()
        if any(fault.startswith(start) and mark in fault for fault in spoiled)
    }


def test_nothing_else_is_found(spoiled):
    names = tuple(in_view(view) + name for name, views, _ in FAULTS for view in views)
    assert len([fault for fault in spoiled if fault.startswith(names)]) == sum(
        len(views) for _, views, _ in FAULTS
    )
    others = [fault for fault in spoiled if not fault.startswith(names)]
    for problem in ("oh", "404: ", "asks for http://127.0.0.1:9/"):
        assert any(fault.startswith(problem) for fault in others)
    assert not [fault for fault in others if fault.startswith(("light", "dark"))]


def test_what_axe_walks_is_a_small_part(spoiled, tab):
    after = tab.evaluate("document.querySelectorAll('*').length")
    assert after < tab.evaluate("window.before") / 4


# What one types, and where one of the first answers leads: a page, or a part of the first page.
SEARCHES = {
    "LinearEquivariant": "reference/layers.html#invariant_nets.layers.averaged.LinearEquivariant",
    "SymmetryModel": "reference/averaging.html#invariant_nets.averaging.model.SymmetryModel",
    "S_n": "notation.html#S-n",
    "ρ(g)": "notation.html#rho",
    "rho": "notation.html#rho",
    "ρ": "notation.html#rho",
    "σ": "notation.html#sigma",
    "two generators": "chapters/01_permutations.html#theorem-two-generators",
    "Burnside": "chapters/01_permutations.html#theorem-burnsides-lemma",
    "Bayes limit": "chapters/02_task.html#theorem-bayes-limit",
    "all theorems": "theorems.html",
    "S_n × S_d": "notation.html#S-n-S-d",
    "α": "chapters/13_real_data.html",  # no symbol of the notation, but a letter of some formula
}


@pytest.mark.parametrize("words", SEARCHES)
def test_search_finds_symbols_theorems_and_the_package(site, browser, words):
    with browser.new_context() as context:
        page = context.new_page()
        watch(page, site)
        page.goto(site)
        page.click(".md-search__input")
        page.fill(".md-search__input", words)
        page.keyboard.press("End")  # the theme looks when a key comes up
        page.wait_for_selector(".md-search-result__item")
        links = page.locator(".md-search-result__link").all()
        text = page.locator(".md-search-result__list").text_content()
        assert "Copied!" not in text
        assert "In [" not in text
        assert f"{site}{SEARCHES[words]}" in [place_of(link) for link in links[:3]]
        assert page.problems == []


def place_of(link):
    """Returns where a link leads, without the words that the page is to highlight."""
    address = urlsplit(link.get_attribute("href"))
    return address._replace(query="").geturl()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_color_scheme_is_the_system_s_and_can_be_chosen(site, tab, scheme):
    tab.emulate_media(color_scheme=scheme)
    tab.set_viewport_size({"width": 1280, "height": 900})
    tab.goto(site)
    seen = [tab.evaluate("document.body.dataset.mdColorScheme")]
    assert seen == [SCHEMES[scheme]]
    for _ in range(3):
        tab.click("label.md-header__button[for^=__palette]:not([hidden])")
        seen.append(tab.evaluate("document.body.dataset.mdColorScheme"))
    assert set(seen) == set(SCHEMES.values())
