"""The still pictures in the places of the playground."""

import json
import re

import pytest

from book.play.claims import claims
from book.play.still import MOVES, WAITS, Stills
from tests.book.play_pages import ASSETS, exported

PLACE = '<div data-play="playground" data-needs="playground claims"{}></div>'


pytestmark = pytest.mark.book


@pytest.fixture(scope="module")
def claimed():
    return claims()


@pytest.fixture(scope="module")
def stills(claimed):
    found = (ASSETS / "play").rglob("*.js")
    modules = {file.relative_to(ASSETS / "play").as_posix(): file.read_text() for file in found}
    scripts = {"playground": exported(), "claims": claimed}
    return Stills(
        modules, {name: f"BOOK.data.x = {json.dumps(d)};\n" for name, d in scripts.items()}
    )


def test_a_place_shows_what_the_models_answer(stills, claimed):
    html = stills.filled(f"<p>A.</p>{PLACE.format('')}<p>B.</p>")
    assert html.startswith('<p>A.</p><div data-play="playground"')
    assert html.endswith(f"<p>{MOVES}</p></div><p>B.</p>")
    assert set(re.findall(r'data-verdict="(\w+)"', html)) == {"kept", "moved"}
    assert html.count('data-verdict="kept"') == sum("rows" in m["keeps"] for m in claimed["models"])
    assert html.count('role="row"') == len(claimed["models"])
    assert html.count('class="play-bar"') == 50
    assert "Someone swapped rows " in html
    assert stills.filled(PLACE.format("")) == stills.filled(PLACE.format(""))


def test_a_piece_shows_its_models(stills):
    html = stills.filled(PLACE.format(' data-models="mlp intrinsic"'))
    assert re.findall(r'class="play-name">([\w-]+)<', html) == ["mlp", "intrinsic"]
    assert "intrinsic ignores this by construction and did not move; mlp moved." in html


def test_a_place_whose_models_are_not_there_yet_says_so(stills):
    html = Stills(stills.modules, {}).filled(PLACE.format(""))
    assert html.endswith(f"<p>{MOVES} {WAITS}</p></div>")
    assert stills.filled("<p>no place</p>") == "<p>no place</p>"
