"""Pictures that move, without a page: their numbers in a real browser."""

import ast
import re
from functools import cache

from book.play.hooks import ENTRY
from book.play.join import joined
from tests.book.small import ROOT

PLAY = ROOT / "docs" / "assets" / "play"
ASK = """([name, changes]) => {
  const { state, controls, draw } = BOOK.play["pictures/all.js"].pictures[name];
  const values = { ...state };
  for (const [key, { value }] of Object.entries(controls)) values[key] = value;
  const drawings = changes.map((change) => draw({ ...values, ...change }));
  return drawings.map(({ numbers, sentence, size }) => ({ ...numbers, sentence, size }));
}"""


@cache
def script():
    """The script of the book, as the site has it."""
    modules = {path.relative_to(PLAY).as_posix(): path.read_text() for path in PLAY.rglob("*.js")}
    return joined(modules, ENTRY)


def numbers(page, name, *changes):
    """Returns what a picture says of itself with each of some changes to its first values."""
    found = page.evaluate(ASK, [name, list(changes or [{}])])
    return found if changes else found[0]


def chapter(number):
    """Returns the text of a chapter."""
    return next((ROOT / "docs" / "chapters").glob(f"{number}_*.py")).read_text()


def asserted(number, left):
    """Returns what a chapter asserts an expression to be, `assert left == value`."""
    found = re.search(rf"^assert {re.escape(left)} == (.*)$", chapter(number), re.MULTILINE)
    assert found, f"chapter {number} asserts nothing of {left}"
    return ast.literal_eval(found[1])


def defined(number, *names):
    """Returns functions and constants of a chapter, without running the rest of it."""
    wanted = [
        node
        for node in ast.parse(chapter(number)).body
        if (isinstance(node, ast.FunctionDef) and node.name in names)
        or (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).strip("()") in names)
        or isinstance(node, ast.Import)
    ]
    space = {}
    exec(compile(ast.Module(wanted, []), f"chapter {number}", "exec"), space)
    return space
