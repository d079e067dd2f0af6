"""The set that a reader plays with, its actions, its address and the sentences, without a page."""

import json
from collections import Counter

import numpy as np
import pytest
from py_mini_racer import MiniRacer

from book.play.join import joined
from tests.book.small import ROOT

PLAY = ROOT / "docs" / "assets" / "play"
LAWS = """
import { addressOf, setAt } from "./address.js";
import { order, normal, seeded } from "./draws.js";
import { ACTIONS, copied, dropped, edited, fresh, moved, packed, squares } from "./set.js";
import { summary, verdict, inWords } from "./verdicts.js";
const plain = ({ rows, columns }) => ({ x: rows.map(({ x }) => [...x]), columns });
const random = seeded(3);
const start = (seed = 7) => fresh(10, 5, seed, 1);
const act = (name, set, i = 4) => ACTIONS[name][2](set, random, i, [1, 0.8]);
export const laws = { addressOf, setAt, order, normal, seeded, ACTIONS, copied, dropped, edited,
  fresh, moved, packed, squares, summary, verdict, inWords, plain, random, start, act };
"""


@pytest.fixture(scope="module")
def js():
    """Evaluates an expression of the modules, whose value JSON can hold."""
    sources = {path.relative_to(PLAY).as_posix(): path.read_text() for path in PLAY.rglob("*.js")}
    script = joined(sources | {"laws.js": LAWS}, "laws.js")
    names = (
        "var { " + LAWS[LAWS.rindex("{") + 1 : LAWS.rindex("}")] + " } = BOOK.play['laws.js'].laws;"
    )
    base = (ROOT / "tests" / "book" / "base64.js").read_text()
    engine = MiniRacer()
    engine.eval(f"var BOOK = {{}}; {base} {script} {names}")
    return lambda expression: json.loads(engine.eval(f"JSON.stringify({expression})"))


def entries(x):
    return sorted(value for row in x for value in row)


def rows(x):
    return sorted(map(tuple, x))


# What each kind keeps of a set; the smallest group whose kind that is.
KEPT = {
    "again": lambda x: x.tolist(),
    "shift": lambda x: max(np.roll(x, k, 0).tolist() for k in range(len(x))),
    "rows": rows,
    "within": lambda x: np.sort(x, 0).tolist(),
    "column-shift": lambda x: max(np.roll(x, k, 1).tolist() for k in range(5)),
    "columns": lambda x: rows(x.T),
    "turn": lambda x: np.round(x @ x.T, 4).tolist(),
    "entries": entries,
    "spin": lambda x: round((x**2).sum(), 3),
    "edit": lambda x: None,
}
KINDS = {
    "shift": "shift",
    "swap": "rows",
    "shuffle": "rows",
    "up": "rows",
    "down": "rows",
    "column-shift": "column-shift",
    "column-swap": "columns",
    "within": "within",
    "turn": "turn",
    "entries": "entries",
    "spin": "spin",
    "copy": "edit",
    "delete": "edit",
    "new-1": "edit",
    "new-2": "edit",
    "again": "again",
}


@pytest.mark.parametrize("name", KINDS)
def test_an_action_is_of_its_kind_and_keeps_what_that_kind_keeps(js, name):
    for seed in range(8):
        done = js(
            f"[start({seed})].map((set) => [plain(set), act('{name}', set)])"
            ".map(([before, { set, kind, words }]) => ({ before, kind, words, after: plain(set) }))"
        )[0]
        before, after = (np.array(done[key]["x"]) for key in ("before", "after"))
        assert done["kind"] == KINDS[name]
        assert done["words"].startswith("You ")
        assert KEPT[done["kind"]](before) == KEPT[done["kind"]](after)
        if name != "again":
            assert before.tolist() != after.tolist()
            narrower = {"rows": "shift", "columns": "column-shift", "entries": "within"}
            narrower |= {"within": "rows", "turn": "columns", "spin": "entries"}
            kind = narrower.get(done["kind"])
            assert kind is None or KEPT[kind](before) != KEPT[kind](after)


def test_columns_keep_their_colors(js):
    for name in ("column-shift", "column-swap"):
        done = js(f"[start()].map((set) => [plain(set), plain(act('{name}', set).set)])")[0]
        before, after = (np.array(part["x"]) for part in done)
        assert (before[:, done[1]["columns"]] == after).all()


def test_a_move_is_judged_by_its_result(js):
    assert js("moved(start(), 2, 6).kind") == "rows"
    assert js("moved(start(), 0, 9).kind") == "shift"
    assert js("moved(start(), 0, 9).words") == (
        "You moved row 1 to place 10, which shifts all rows."
    )
    assert js("moved(start(), 3, 3).idle") is True
    assert js("'refused' in moved(start(), 0, -1)") is True
    # Of nine rows a shift is none of the ten places.
    assert js("moved(dropped(start(), 0).set, 0, 8).kind") == "rows"
    assert js("act('shift', dropped(start(), 0).set).kind") == "rows"


def test_copies_and_deletions_keep_within_the_room(js):
    x = js("plain(start()).x")
    assert js("plain(copied(start(), 3).set).x") == [*x[:4], *x[3:9]]
    assert "in place of row 10" in js("copied(start(), 3).words")
    assert "room for 10" in js("copied(start(), 9).refused")
    assert js("plain(copied(dropped(start(), 9).set, 8).set).x") == [*x[:9], x[8]]
    assert js("plain(dropped(start(), 3).set).x") == [*x[:3], *x[4:]]
    one = "Array(9).fill(0).reduce((set) => dropped(set, 0).set, start())"
    assert js(f"[dropped({one}, 0).refused, act('swap', {one}).refused]") == 2 * [
        "This is the only row."
    ]
    packed = js(f"[packed({one})].map(({{ x, mask }}) => [[...x], [...mask]])[0]")
    assert packed == [x[9] + 45 * [0], [1] + 9 * [0]]


def test_the_address_leads_back_to_the_set(js):
    x = js("plain(start()).x")
    assert js("addressOf(start())") == "s=7&v=1&o=abcdefghij&c=abcde"
    steps = ["swap", "column-shift", "copy", "column-swap", "delete", "new-2", "within", "turn"]
    steps += ["delete", "spin", "shuffle", "entries", "column-swap"]
    for k in range(len(steps) + 1):
        made = f"{json.dumps(steps[:k])}.reduce((set, name) => act(name, set).set, start())"
        before, after, address = js(
            f"[{made}].map((set) => [plain(set), plain(setAt('#' + addressOf(set), 10, 5)),"
            " addressOf(set)])[0]"
        )
        assert before == after
        assert address.startswith("x=") == (k > 6)
    assert js("plain(setAt('s=7', 10, 5)).x") == x
    wrong = ["", "s=a", "s=7&o=abz", "s=7&o=", "s=7&c=abcda", "x=AAAA", "x=*", "s=7&v=-1", "x="]
    wrong += ["s=7&o=aaaaaaaaaaa", "x=" + "AACAfwAA" * 10 + "AAAA", "top"]
    assert js(f"{json.dumps(wrong)}.map((text) => setAt(text, 10, 5))") == [None] * len(wrong)


def test_draws_are_what_they_should_be(js):
    shuffles = Counter(map(tuple, js("Array.from({ length: 6000 }, () => order(3, random))")))
    assert len(shuffles) == 6
    assert sum((count - 1000) ** 2 / 1000 for count in shuffles.values()) < 20.5  # 1 in 1,000
    drawn = np.array(js("Array.from({ length: 20000 }, () => normal(random))"))
    assert abs(drawn.mean()) < 4 / 20000**0.5
    assert abs(drawn.var() - 1) < 4 * (2 / 20000) ** 0.5
    assert abs((drawn**4).mean() - 3) < 4 * (96 / 20000) ** 0.5
    x, smaller = (np.array(js(f"plain(fresh(10, 5, 7, {v})).x")) for v in (1, 0.8))
    np.testing.assert_allclose(smaller, 0.8**0.5 * x, rtol=1e-6)
    assert js("squares(start())") == pytest.approx((x**2).sum())


MODELS = [
    {"name": "one", "keeps": ["rows"], "draws": False},
    {"name": "two", "keeps": [], "draws": False},
    {"name": "three", "keeps": [], "draws": True},
]


def judged(js, logits, kind="rows", times=1):
    models, logits = json.dumps(MODELS * times), json.dumps(logits * times)
    return js(
        f"[{models}.map((model, i) => verdict(model, '{kind}', 0, {logits}[i]))]"
        f".map((found) => [summary('You did.', found, '{kind}'), found.map(inWords)])[0]"
    )


def test_a_sentence_sums_up(js):
    text, words = judged(js, [1e-6, 0.5, 0.25])
    assert words == ["✓ as claimed", "moved 0.50", "drew anew: 0.25"]
    assert text == (
        "You did. one ignores this by construction and did not move; two moved; "
        "three drew orders anew and moved."
    )
    text, words = judged(js, [0.3, 0, -0.25], times=2)
    assert words[:3] == ["CLAIM BROKEN", "same", "drew anew: 0.25"]
    assert text == (
        "You did. 2 models did not move, without a claim; 2 models moved; "
        "2 models drew orders anew and moved. A claim is broken: one, one."
    )
    assert judged(js, [float("1e9"), 1, 1], kind="edit")[1][0].startswith("moved")
