"""Pictures that move in a page: they come when needed, and a hand, keys and ears can use them."""

import gzip
import os
import re

import pytest

from tests.book.moving import PLAY, script
from tests.book.one_chapter import build, project_in, write
from tests.book.pages import AT_REST, AXE, CHECKS, CHROMIUM, IN_COLOR, VIEWS, serious, serving, show

pytestmark = [
    pytest.mark.book,
    pytest.mark.skipif(not CHROMIUM and "CI" not in os.environ, reason="there is no chromium"),
    pytest.mark.xdist_group("browser"),
]

NAMES = re.findall(r'^  "?([\w-]+)"?(?=[:,])', (PLAY / "pictures" / "all.js").read_text(), re.M)
HEAD = """
# %% [markdown]
# # Pictures
#
# Prose.

# %%
from matplotlib import pyplot as plt
from invariant_nets.figures import use_book_style
use_book_style()
"""
STILL = """
# %% [markdown]
# <div style="height: 2000px"></div>

# %% alt="A line" caption="It rises." moves="{}"
plt.plot([1, 2])
plt.show()
"""
BARE = """
# %% moves="{}"
print("a number")
"""


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """The folder of a small book with every picture, read from the file system."""
    folder = tmp_path_factory.mktemp("moving")
    project_in(folder)
    write(folder, HEAD + STILL.format(NAMES[0]) + BARE.format(" ".join(NAMES[1:])))
    result = build(folder)
    assert result.returncode == 0, result.stderr
    return folder / "site"


def opened(context, book):
    """A tab with the small book, which lists what it asks for and what goes wrong."""
    tab = context.new_page()
    tab.asked, tab.problems, tab.expected = [], [], []
    tab.on("request", lambda request: tab.asked.append(request.url))
    tab.on("pageerror", lambda error: tab.problems.append(str(error)))
    tab.goto(f"file://{book}/chapters/01_small.html")
    return tab


def unexpected(tab):
    return [problem for problem in tab.problems if not any(e in problem for e in tab.expected)]


@pytest.fixture
def tab(browser, book):
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        tab = opened(context, book)
        yield tab
        assert not unexpected(tab)


@pytest.fixture(scope="module")
def moved(browser, book):
    """A tab in which all pictures have come, for the tests that move each of them."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        tab = opened(context, book)
        for name in NAMES:
            shown(tab, name)
        yield tab
        assert not unexpected(tab)


def shown(tab, name):
    """Brings a picture into view, and returns its figure."""
    figure = tab.locator(f"[data-moves='{name}']")
    figure.scroll_into_view_if_needed()
    figure.locator(".moving").wait_for()
    return figure


def scripts_of_play(addresses):
    return [url for url in addresses if "play" in url and url.endswith(".js")]


def test_nothing_is_loaded_before_a_picture_is_near(tab):
    tab.wait_for_timeout(300)
    assert not scripts_of_play(tab.asked)
    assert tab.locator("[data-moves] .scroll svg").count() == 1
    figure = shown(tab, NAMES[0])
    assert len([url for url in tab.asked if url.endswith("assets/play.js")]) == 1
    assert figure.locator(".scroll, figcaption").count() == 0
    assert all(url.startswith("file://") for url in tab.asked)
    for name in NAMES[1:]:
        shown(tab, name)
    assert len(scripts_of_play(tab.asked)) == 1


def test_a_picture_that_a_server_fills_in_later_comes_too(tab):
    shown(tab, NAMES[0])
    tab.evaluate(
        """name => {
            document.querySelector("h1").insertAdjacentHTML("afterend",
                `<figure class="plot later" data-moves="${name}"></figure>`);
            scrollTo(0, 0);
            dispatchEvent(new Event("resize"));
        }""",
        NAMES[1],
    )
    tab.locator(".later .moving svg").wait_for()
    assert tab.locator(".later .moving").count() == 1


def test_a_page_without_pictures_loads_nothing(browser, book):
    with browser.new_context() as context:
        tab = context.new_page()
        asked = []
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(f"file://{book}/index.html")
        tab.wait_for_timeout(300)
        assert any(url.endswith("book.js") for url in asked)
        assert not scripts_of_play(asked)


def test_without_scripts_the_still_figure_stays_and_says_so(browser, book):
    with browser.new_context(java_script_enabled=False) as context:
        tab = context.new_page()
        tab.goto(f"file://{book}/chapters/01_small.html")
        figure = tab.locator(f"[data-moves='{NAMES[0]}']")
        assert figure.locator(".scroll svg").is_visible()
        assert figure.locator("figcaption").text_content() == "It rises."
        assert "With JavaScript" in figure.locator("noscript p").inner_text()
        assert tab.locator("noscript p:visible").count() == len(NAMES)


def test_a_picture_that_fails_leaves_the_still_one(tab):
    broken = "{ 'main.js': { start() { throw Error('broken'); } } }"
    tab.evaluate(f"Object.defineProperty(BOOK, 'play', {{ get: () => ({broken}), set() {{}} }})")
    with tab.expect_event("pageerror"):
        tab.locator(f"[data-moves='{NAMES[0]}']").scroll_into_view_if_needed()
    tab.wait_for_timeout(100)
    assert tab.locator("[data-moves] .scroll svg").is_visible()
    tab.expected.append("broken")


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_has_a_name_a_caption_and_labels(moved, name):
    figure = shown(moved, name)
    drawing, says = figure.locator(".moving > svg"), figure.locator(".says")
    assert drawing.get_attribute("role") == "img"
    assert drawing.get_attribute("aria-label") == says.text_content()
    assert says.get_attribute("aria-live") == "polite"
    assert not re.search(r"NaN|undefined|Infinity|-\d", says.text_content())
    assert not re.search(r"NaN|undefined|Infinity", drawing.inner_html())
    for control in figure.locator("input, button").all():
        assert control.evaluate("e => e.labels?.[0]?.textContent || e.textContent")
        assert (
            control.evaluate("e => (e.closest('label') ?? e).getBoundingClientRect().height") >= 24
        )
    groups = figure.locator("fieldset")
    assert groups.count() == groups.locator("legend").count()


@pytest.mark.parametrize("name", NAMES)
def test_every_control_works_by_key_and_redraws_once_a_frame(moved, name):
    figure = shown(moved, name)
    says, drawing = figure.locator(".says"), figure.locator(".moving > svg")
    for control in figure.locator("input[type=range], button").all():
        before = drawing.inner_html()
        control.focus()
        if control.evaluate("e => e.type") == "range":
            ahead = control.evaluate("e => e.value < e.max")
            control.press("ArrowRight" if ahead else "ArrowLeft")
            assert control.get_attribute("aria-valuetext")
        else:
            control.press("Enter")
        moved.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
        assert drawing.inner_html() != before, control.evaluate("e => e.outerHTML")
        assert drawing.get_attribute("aria-label") == says.text_content()
    for group in figure.locator("fieldset").all():
        before = drawing.inner_html()
        group.locator("input:checked").press("ArrowRight")
        moved.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
        assert drawing.inner_html() != before


def test_a_picture_is_drawn_once_a_frame(moved):
    figure = shown(moved, NAMES[0])
    drawn = figure.evaluate("""async figure => {
        let changes = 0;
        const range = figure.querySelector("input[type=range]");
        new MutationObserver(() => changes++).observe(
            figure.querySelector("svg"), { attributeFilter: ["aria-label"], childList: true });
        for (let i = 0; i < 50; i++) {
            range.value = i % 6;
            range.dispatchEvent(new Event("input"));
        }
        await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
        return changes;
    }""")
    assert drawn == 1


# Where a pointer goes in a drawing, in its own units, and what then has changed.
POINTED = {
    "permutation": ((88, 34), (142, 127)),
    "orbit": ((170, 200), (180, 220)),
    "threshold": ((100, 100), (150, 100)),
    "dead-zone": ((100, 100), (150, 100)),
    "four-maps": ((260, 40), (300, 130)),
    "meeting": ((100, 50), (180, 50)),
    "pair-maps": ((62, 22), (90, 50)),
    "renaming": ((80, 30), (130, 117)),
}


@pytest.mark.parametrize("name", POINTED)
def test_a_pointer_does_what_keys_do(moved, name):
    figure = shown(moved, name)
    drawing = figure.locator(".moving > svg")
    drawing.scroll_into_view_if_needed()
    before = figure.locator("input").evaluate_all("all => all.map(e => e.value).join()")
    places = [
        drawing.evaluate(
            "(e, [x, y]) => { const p = new DOMPoint(x, y)"
            ".matrixTransform(e.getScreenCTM()); return [p.x, p.y]; }",
            list(place),
        )
        for place in POINTED[name]
    ]
    moved.mouse.move(*places[0])
    moved.mouse.down()
    assert figure.locator(".says").get_attribute("aria-busy") == "true"
    moved.mouse.move(*places[1], steps=3)
    moved.mouse.up()
    assert figure.locator(".says").get_attribute("aria-busy") == "false"
    assert figure.locator("input").evaluate_all("all => all.map(e => e.value).join()") != before


@pytest.fixture
def served(book):
    """The address of the book on a server."""
    with serving(book) as address:
        yield address


def test_pages_of_pictures_have_no_faults(tab, served):
    tab.goto(f"{served}chapters/01_small.html")
    for name in NAMES:
        shown(tab, name)
    tab.add_style_tag(content=AT_REST)
    tab.add_script_tag(path=AXE)
    tab.add_script_tag(content=CHECKS)
    faults = []
    for view in VIEWS:
        show(tab, *view)
        faults += tab.evaluate("faultsOfWhole()")
        faults += [
            f"{name}: {box}"
            for name in NAMES
            if (box := tab.locator(f"[data-moves='{name}'] .moving").evaluate(TOO_WIDE))
        ]
        faults += serious(tab, IN_COLOR if view[0] == "dark" else None)
    assert faults == []


TOO_WIDE = """box => {
  const { left, right } = box.getBoundingClientRect();
  return [...box.querySelectorAll("text, label, output")].filter((e) => {
    const r = e.getBoundingClientRect();
    return r.left < left - 2 || r.right > right + 2;
  }).map((e) => e.textContent).join("; ");
}"""


def test_all_pictures_together_are_light():
    assert len(gzip.compress(script().encode(), mtime=0)) < 40_000
