"""The still picture in a place of the playground, for who has no JavaScript."""

import base64
import json
import re
import struct
from collections.abc import Mapping
from pathlib import Path

from py_mini_racer import MiniRacer

from book.play.join import joined

PLACE = re.compile(r'(<div [^>]*data-play="playground"[^>]*>)\s*</div>')
MODELS = re.compile(r'data-models="([^"]*)"')
NEEDS = re.compile(r'data-needs="([\w-]+)')
MOVES = "With JavaScript, you move the rows of this set and watch the trained models answer."
WAITS = (
    "Its models come with a chapter that has not run yet. Load this page again when all have run."
)


class Stills:
    """What draws the still pictures of a site.

    Args:
        modules: the text of each module of `docs/assets/play`, by its path there.
        scripts: the data scripts, by the name of their data.
    """

    def __init__(self, modules: Mapping[str, str], scripts: Mapping[str, str]) -> None:
        self.modules = modules
        self.scripts = scripts
        self._engine: MiniRacer | None = None

    def filled(self, html: str) -> str:
        """Returns a page whose places hold their still pictures."""
        return PLACE.sub(lambda place: f"{place[1]}{self._still(place[1])}</div>", html)

    def _still(self, tag: str) -> str:
        needs, chosen = NEEDS.search(tag), MODELS.search(tag)
        if not needs or needs[1] not in self.scripts or "claims" not in self.scripts:
            return f"<p>{MOVES} {WAITS}</p>"
        names = json.dumps(chosen[1].split() if chosen else [])
        data = json.loads(value(self.scripts[needs[1]]))
        content = base64.b64decode(data["weights"])
        weights = json.dumps(struct.unpack(f"<{len(content) // 4}f", content))
        graphs, claims = json.dumps(data["graphs"]), value(self.scripts["claims"])
        call = f"BOOK.play['still.js'].still({claims}, {graphs}, {weights}, {names})"
        tag = '<div class="play play-still" data-search-exclude>'  # its words are the models' names
        return f"{tag}{self._run(call)}</div><p>{MOVES}</p>"

    def _run(self, call: str) -> str:
        if self._engine is None:
            own = Path(__file__).with_name("still.js").read_text()
            self._engine = MiniRacer()
            self._engine.eval(
                f"var BOOK = {{}};{joined({**self.modules, 'still.js': own}, 'still.js')}"
            )
        return str(self._engine.eval(call))


def value(script: str) -> str:
    """Returns what a data script assigns."""
    return script.partition(" = ")[2].strip().removesuffix(";")
