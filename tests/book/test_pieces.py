"""Pieces of the playground in the chapters, and the picture of the first minute."""

import json
import os
import re
import xml.etree.ElementTree as ET

import pytest
from py_mini_racer import MiniRacer

from book.pages.download import ON_THE_PAGE, plain_markdown
from book.play import first
from book.play.claims import claims
from book.play.still import MOVES, WAITS, Stills
from invariant_nets import MODELS
from tests.book.moving import script
from tests.book.pages import CHROMIUM, watch
from tests.book.play_pages import PAGE, write_pages
from tests.book.small import ROOT

pytestmark = pytest.mark.xdist_group("playground")  # one worker, which exports the models once
IN_BROWSER = [
    pytest.mark.book,
    pytest.mark.skipif(not CHROMIUM and "CI" not in os.environ, reason="there is no chromium"),
]
CHAPTERS = ("02", "04", "07", "08", "09", "11")
TAG = re.compile(r'^# (<div data-play="playground"[^>]*></div>)$', re.MULTILINE)
NAMES = "all => all.map((one) => one.dataset.%s)"
CONTROLS = {"edit", "guess"}  # that are no buttons


def pieces():
    """Yields chapters with the tags of their pieces."""
    for path in sorted((ROOT / "docs" / "chapters").glob("*.py")):
        for tag in TAG.findall(path.read_text()):
            yield path.name[:2], tag


def listed(tag, name):
    found = re.search(rf'data-{name}="([^"]*)"', tag)
    return found[1].split() if found else []


def buttons():
    engine = MiniRacer()
    engine.eval(f"var BOOK = {{}}; {script()}")
    return json.loads(engine.eval("JSON.stringify(Object.keys(BOOK.play['set.js'].ACTIONS))"))


# --- What they name ---


def test_each_chapter_that_speaks_of_a_trained_route_has_a_piece_with_its_models():
    found = dict(pieces())
    assert tuple(found) == CHAPTERS
    known = {*buttons(), *CONTROLS}
    for tag in found.values():
        assert 'data-needs="playground claims"' in tag
        assert set(listed(tag, "models")) <= set(MODELS)
        assert set(listed(tag, "actions")) <= known
    assert not listed(found["11"], "models")
    assert "guess" in listed(found["11"], "actions")


def test_a_piece_is_named_in_the_notebook_for_readers_and_not_left_empty():
    for _, tag in pieces():
        assert plain_markdown(f"**Try it.**\n\n{tag}\n\nEnd.") == (
            f"**Try it.**\n\n{ON_THE_PAGE}\n\nEnd."
        )
    assert plain_markdown("<div>kept</div>") == "<div>kept</div>"


# --- In a browser ---


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """All pieces on one page; and a page whose models have not come."""
    folder = tmp_path_factory.mktemp("pieces")
    write_pages(folder)
    tags = [tag for _, tag in pieces()]
    (folder / "pieces.html").write_text(PAGE.replace("BOXES", "\n".join(tags)))
    waiting = Stills({}, {}).filled(tags[0].replace("playground claims", "absent claims"))
    (folder / "waiting.html").write_text(PAGE.replace("BOXES", waiting))
    return folder


@pytest.fixture
def opened(browser, folder):
    def open_page(name, width=1280, **options):
        page = browser.new_context(viewport={"width": width, "height": 900}, **options).new_page()
        watch(page, folder.as_uri())
        page.goto(f"{folder.as_uri()}/{name}")
        pages.append(page)
        return page

    pages = []
    yield open_page
    for page in pages:
        page.context.close()


@pytest.mark.parametrize("width", [1280, 390])
class TestPieces:
    pytestmark = IN_BROWSER

    def test_each_runs_with_the_models_and_the_buttons_that_it_names(self, opened, width):
        page = opened("pieces.html", width)
        keeps = {model["name"]: model["keeps"] for model in claims()["models"]}
        for number, (_, tag) in enumerate(pieces()):
            box = page.locator("[data-play]").nth(number)
            box.scroll_into_view_if_needed()
            box.locator(".play-tools").wait_for()
            models = box.locator("[data-model]").evaluate_all(
                "all => all.map(a => a.dataset.model)"
            )
            assert set(models) == set(listed(tag, "models") or MODELS)
            named = [name for name in listed(tag, "actions") if name not in CONTROLS]
            shown = box.locator("[data-action]").evaluate_all(
                "all => all.map(a => a.dataset.action)"
            )
            assert set(shown) == set(named)
            for control, place in {"edit": ".play-editor", "guess": ".play-first"}.items():
                wanted = control in listed(tag, "actions")
                assert box.locator(place).is_visible() == wanted
            for name in named:
                box.locator(f"[data-action={name}]").click()
                assert "broken" not in box.locator(".play-status").text_content()
                if name != "swap":
                    continue
                for model in models:
                    verdict = box.locator(f"[data-model={model}]").get_attribute("data-verdict")
                    assert (verdict == "kept") == ("rows" in keeps[model])
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.problems == []

    def test_one_whose_models_have_not_come_says_so(self, opened, width):
        page = opened("waiting.html", width)
        page.wait_for_timeout(500)
        assert page.locator("[data-play]").inner_text() == f"{MOVES} {WAITS}"
        assert any("absent.js" in problem for problem in page.problems)


class TestWaiting:
    pytestmark = IN_BROWSER

    def test_models_out_of_view_wait_for_the_end_of_an_action(self, opened):
        page = opened("whole.html", 390)
        page.wait_for_function("document.querySelector('[data-play]').play")
        page.wait_for_function("document.querySelector('[data-model=radial]')")
        page.evaluate("document.querySelector('.play-rows').scrollIntoView()")
        page.wait_for_timeout(300)
        logits = "({ ...document.querySelector('[data-play]').play.state().now })"
        before = page.evaluate(logits)
        bar = page.locator("li:nth-child(2) .play-bar").first.bounding_box()
        x, y = bar["x"] + bar["width"] / 2, bar["y"] + 5
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x, y + 30, steps=3)
        page.wait_for_timeout(300)
        during = page.evaluate(logits)
        page.mouse.up()
        after = page.evaluate(logits)
        moved = {name for name in before if during[name] != before[name]}
        assert "radial" not in moved
        assert moved
        assert all(after[name] != before[name] for name in before)


# --- The first minute ---


@pytest.fixture(scope="module")
def pictures():
    return {scheme: first.FOLDER / f"first-{scheme}.svg" for scheme in first.SCHEMES}


@pytest.mark.book
def test_the_picture_is_what_the_trained_networks_answer(pictures):
    x, order, logits = first.drawn()
    before, after = logits["deep-sets"]
    assert after == pytest.approx(before, abs=1e-9)
    before, after = logits["mlp"]
    assert abs(after - before) > 0.1
    for scheme, path in pictures.items():
        assert path.read_text() == first.picture(x, order, logits, scheme)


def test_the_picture_stands_on_the_first_page_and_in_the_readme(pictures):
    home, readme = (ROOT / "docs" / "index.md").read_text(), (ROOT / "README.md").read_text()
    for scheme, path in pictures.items():
        assert f"(assets/{path.name}#only-{scheme})" in home
        assert f"docs/assets/{path.name}" in readme
        names = {element.tag.partition("}")[2] for element in ET.parse(path).getroot().iter()}
        assert names == {"svg", "style", "g", "path", "rect", "circle", "text"}
        assert path.read_text().count("http") == 1  # the name of SVG
        assert "\n" not in re.sub(r">\s+<", "><", path.read_text()).split("</style>")[1].strip()
    assert "](playground.md)" in home
    for command in ("serve", "book", "test"):
        assert f"\nmake {command} " in readme
    for target in re.findall(r"^\| \[[^]]*\]\(([^)]*)\)", readme, re.MULTILINE):
        assert (ROOT / target).exists()


class TestMotion:
    pytestmark = IN_BROWSER

    @pytest.mark.parametrize(("wish", "moving"), [("no-preference", True), ("reduce", False)])
    def test_it_moves_once_and_not_for_who_wants_no_motion(self, browser, pictures, wish, moving):
        with browser.new_context(reduced_motion=wish) as context:
            page = context.new_page()
            page.goto(pictures["light"].as_uri())
            times = page.evaluate(
                "document.getAnimations().map((a) => a.effect.getTiming().iterations)"
            )
            assert bool(times) == moving
            assert set(times) <= {1}
