"""Modules joined into one classic script."""

import json

import pytest
from py_mini_racer import MiniRacer

from book.play.join import JoinError, joined
from tests.book.small import ROOT

MODULES = {
    "main.js": """
import { twice, PI as pi } from "./parts/math.js";
import {
  count,
} from "./count.js";
import "./count.js";

const name = "main";
export function all() { return [name, twice(pi), count]; }
""",
    "parts/math.js": """
import { count as n } from "../count.js";
const name = "math";
export const PI = 3;
export { double as twice };
function double(x) { return n * x; }
// import what you like from "a comment"
""",
    "count.js": 'const name = "count";\nexport const count = 2;\nexport class Of {}\n',
    "alone.js": "export default 1;",
}


def value(script, expression):
    return json.loads(MiniRacer().eval(f"var BOOK = {{}};{script};JSON.stringify({expression})"))


def test_modules_come_after_what_they_import_and_keep_their_names_to_themselves():
    script = joined(MODULES, "main.js")
    assert value(script, "BOOK.play['main.js'].all()") == ["main", 6, 2]
    assert value(script, "Object.keys(BOOK.play)") == ["count.js", "parts/math.js", "main.js"]
    assert value(script, "Object.keys(BOOK.play['count.js'])") == ["count", "Of"]
    assert value(script, "typeof name") == "undefined"


@pytest.mark.parametrize(
    "line",
    [
        "export default 1;",
        "export let a = 1;",
        "export const { a } = {};",
        "export const [a] = [];",
        'export { count } from "./count.js";',
        'export * from "./count.js";',
        'import * as all from "./count.js";',
        'import count from "./count.js";',
        'import { count } from "./count.js"',
        "import { count } from './count.js';",
        'import { count } from "count.js";',
        'import { count } from "https://a.example/count.js";',
        '  import { count } from "./count.js";',
        'const later = import("./count.js");',
        "const here = import.meta.url;",
        'import data from "./data.json" with { type: "json" };',
    ],
)
def test_a_form_that_is_not_known_is_an_error(line):
    with pytest.raises(JoinError, match=r"^main\.js: a form of import or export"):
        joined({**MODULES, "main.js": f"const a = 0;\n{line}\n"}, "main.js")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('import { count } from "./none.js";', "there is no none"),
        ('import { other } from "./count.js";', "count.js exports no other"),
        ('import { count: n } from "./count.js";', "a form of import"),
        ('import { a b } from "./count.js";', "not a name: 'a b'"),
        ('import "./main.js";', "imports itself"),
        ("export const a = 1;\nexport { a };", "twice"),
    ],
)
def test_what_cannot_be_joined_is_an_error(line, message):
    with pytest.raises(JoinError, match=message):
        joined({**MODULES, "main.js": line}, "main.js")


def test_modules_that_import_each_other_are_an_error():
    modules = {"a.js": 'import "./b.js";', "b.js": 'import "./a.js";'}
    with pytest.raises(JoinError, match="imports itself, by way of"):
        joined(modules, "a.js")


def test_the_book_s_own_are_joined_and_all_of_them_are_used():
    folder = ROOT / "docs" / "assets" / "play"
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.js")}
    modules = {name: path.read_text() for name, path in paths.items()}
    used = set()
    for entry in ("main.js", "nets.js"):  # what runs in a page, and models without one
        used |= set(value(joined(modules, entry), "Object.keys(BOOK.play)"))
    assert used == paths.keys()
    assert all(len(path.read_text().splitlines()) <= 300 for path in paths.values())
