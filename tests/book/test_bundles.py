"""What a cell puts out for pages to load: a script, also while a server runs the chapter."""

import nbformat
import pytest

from book.pages.bundles import GRAPHS, bundles
from book.running import repeat
from invariant_nets.comparison.graphs.export import MIME

DOCUMENT = {"name": "two", "graphs": {"n": 2}, "weights": "AAAA", "checks": {"x": "BBBB"}}
CELL = f"""
class Models:
    def _repr_mimebundle_(self, **_):
        return {{"text/plain": "2 models", {GRAPHS!r}: {DOCUMENT!r}}}
Models()
"""
SCRIPT = 'BOOK.data["two"] = {"graphs":{"n":2},"weights":"AAAA"};\n'


def output(document=DOCUMENT):
    data = {"text/plain": "2 models", GRAPHS: document}
    return nbformat.v4.new_output("execute_result", data=data)


def test_the_book_and_the_package_mean_the_same_type():
    assert GRAPHS == MIME


def test_an_output_becomes_a_script_and_its_checks():
    printed = nbformat.v4.new_output("stream", text="1")
    assert bundles([printed, output()]) == {
        "assets/play/two.js": SCRIPT,
        "assets/play/two.checks.json": '{"x":"BBBB"}\n',
    }
    assert bundles([printed]) == {}


@pytest.mark.parametrize("again", [DOCUMENT, DOCUMENT | {"weights": "AAAB"}])
def test_the_repetition_compares_it(again):
    first, second = (
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("pass", outputs=[output(d)])])
        for d in (DOCUMENT, again)
    )
    for notebook in (first, second):
        notebook.cells[0].metadata.measured = ""
    found = list(repeat.differences(first, second))
    assert bool(found) == (again != DOCUMENT)
    assert all(problem.startswith(f"{GRAPHS} differs") for _, problem in found)
