"""Running chapters twice: what differs, and what may."""

import os
import re
import subprocess
import sys

import nbformat
import pytest

from book.running import repeat
from book.running.run import Runner
from invariant_nets import figures
from tests.book.one_chapter import CHAPTER, write

UNSTEADY = r"""
# %%
import random
import time
import torch
from invariant_nets.figures import table, use_book_style
from matplotlib import pyplot as plt
use_book_style()
torch.manual_seed(0)
def show(value):
    plt.plot([0, value])
    plt.show()

# %%
print(torch.rand(3))

# %%
random.random()

# %%
print("the same line")
print(hash("a string"))

# %%
object()

# %%
print(f"in {time.perf_counter()} s")

# %% measured="s"
print(f"in {time.perf_counter()} s")
table([{"name": "a", "s": time.perf_counter(), "value": 2.0}], digits=9)

# %% measured="s"
table([{"name": "a", "s": time.perf_counter(), "value": random.random()}])

# %% measured="s"
print("nothing that was measured")

# %% alt="A line."
show(random.random())

# %% alt="A line." measured="figure"
show(time.perf_counter_ns() % 1e9)

# %% alt="A line." measured="figure"
show(1)
"""
STEADY = CHAPTER + UNSTEADY.split("# %%\nrandom.random()")[0]


def again(project, chapter, *numbers):
    write(project, chapter)
    return subprocess.run(
        [sys.executable, "-m", "book", "repeat", *numbers],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(project)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.book
def test_a_chapter_that_puts_out_something_else_is_caught(project):
    result = again(project, UNSTEADY)
    assert result.returncode == 1
    report = "\n" + result.stderr
    found = re.findall(r"\n01_small\.py, code cell (\d+): (.*)", report)
    assert [int(number) for number, _ in found] == [3, 4, 5, 6, 8, 9, 10, 12], report
    problems = {int(number): problem for number, problem in found}
    assert problems[3] == "text/plain differs in line 1:"
    assert problems[4] == "stdout differs in line 2:"
    assert problems[8] == "text/html differs in line 1:"
    assert problems[9] == 'measured="s", and no number in its outputs has this unit'
    assert problems[10].startswith("image/png differs in line ")
    assert problems[12] == 'measured="figure", and its figure is the same again'
    assert re.search(r"cell 5: .*\n    .*<object at 0x\w+>\n    .*<object at 0x\w+>\n", report)


@pytest.mark.book
def test_a_chapter_that_puts_out_the_same_again_passes(project):
    path = write(project, STEADY)
    Runner(project, project / ".cache" / "book").run([path])
    kept = (project / ".cache" / "book" / "01_small.ipynb").read_bytes()
    result = again(project, STEADY.replace("Prose", "Other prose"), "01")
    assert result.returncode == 0, result.stderr
    assert result.stdout == "All outputs are the same again.\n"
    assert result.stderr.count("ran in") == 1  # what the cache had was the first run
    assert (project / ".cache" / "book" / "01_small.ipynb").read_bytes() == kept


@pytest.mark.book
def test_a_failing_cell_fails_the_repetition(project):
    result = again(project, "# %%\nundefined")
    assert result.returncode == 1
    assert "01_small.py, code cell 1: NameError" in result.stderr


def one_cell(*outputs, measured=""):
    cell = nbformat.v4.new_code_cell("pass", outputs=list(outputs))
    cell.metadata.measured = measured
    return nbformat.v4.new_notebook(cells=[cell])


def printed(text, name="stdout"):
    return nbformat.v4.new_output("stream", name=name, text=text)


def tabled(*rows):
    value = figures.table([dict(zip(("name", "ms", "gap"), row, strict=True)) for row in rows])
    data = {"text/plain": str(value), "text/html": value._repr_html_()}
    return nbformat.v4.new_output("execute_result", data=data)


@pytest.mark.parametrize(
    ("measured", "before", "after", "same"),
    [
        ("", "1 s", "1 s", True),
        ("", "1 s", "2 s", False),
        ("s", "1 s", "2 s", True),
        ("s", "took  9.5 s", "took 11.25 s", True),
        ("s", "took 1e-3s.", "took 2.5e-3s.", True),
        ("s", "1,000 s", "999 s", True),
        ("s", "1 s or 5", "1 s or 6", False),
        ("s", "1 s, 5 ms", "2 s, 6 ms", False),
        ("s, ms", "1 s, 5 ms", "2 s, 6 ms", True),
        ("s", "A: 1 s", "B: 1 s", False),
        ("s", "1 seed, 1 s", "2 seed, 1 s", False),
        ("s", "S_1 s, 1 s", "S_2 s, 1 s", False),
        ("×", "loop   9.6 × faster", "loop 173.2 × faster", True),
        ("s", "1 s\n", "1 s\n2 s\n", False),
    ],
)
def test_numbers_of_a_unit_alone_may_differ(measured, before, after, same):
    first = one_cell(printed(before), measured=measured)
    found = list(repeat.differences(first, one_cell(printed(after))))
    assert (not found) == same, found


@pytest.mark.parametrize(
    ("rows", "same"),
    [
        ([("a", 12, 0.5), ("b", 1_345, 0.25)], True),
        ([("a", 3, 0.5), ("b", 4, 0.26)], False),
        ([("a", 3, 0.5), ("c", 4, 0.25)], False),
        ([("b", 3, 0.25), ("a", 4, 0.5)], False),
        ([("a", 3, 0.5)], False),
    ],
)
def test_a_column_headed_by_a_unit_alone_may_differ(rows, same):
    first = one_cell(tabled(("a", 3, 0.5), ("b", 4, 0.25)), measured="ms")
    found = list(repeat.differences(first, one_cell(tabled(*rows))))
    assert (not found) == same, found


def test_several_columns_of_measurements_may_differ():
    def rows(ms, kb, gap):
        row = {"name": "a", "ms": ms, "gap": gap, "kB": kb}
        value = figures.table([row, row])
        data = {"text/plain": str(value), "text/html": value._repr_html_()}
        return nbformat.v4.new_output("execute_result", data=data)

    first = one_cell(rows(3, 1234, 0.5), measured="ms, kB")
    assert not list(repeat.differences(first, one_cell(rows(12_345, 7, 0.5))))
    assert list(repeat.differences(first, one_cell(rows(3, 1234, 0.25))))


@pytest.mark.parametrize(
    ("before", "after", "problem"),
    [
        ([printed("1")], [], "puts out stdout and then nothing"),
        ([printed("1")], [printed("1"), printed("2", "stderr")],
         "puts out stdout and then stderr, stdout"),
        ([printed("a\n" + 90 * "x" + "y")], [printed("a\n" + 90 * "x" + "z")],
         f"stdout differs in line 2:\n    …{50 * 'x'}y\n    …{50 * 'x'}z"),
        ([printed("a\nb\nc")], [printed("a\nb")], "stdout differs in line 2:\n    b\n    b"),
    ],
)  # fmt: skip
def test_the_first_difference_is_shown(before, after, problem):
    assert list(repeat.differences(one_cell(*before), one_cell(*after))) == [(1, problem)]


def test_the_times_of_a_progress_bar_may_differ_and_its_place():
    bar = "fit: 100%|##| 3/3 [00:0{}<00:00, {}it/s, loss=0.5]"
    first = one_cell(printed("a"), printed(bar.format(1, "12.1"), "stderr"))
    second = one_cell(printed(bar.format(2, "?"), "stderr"), printed("a"))
    assert not list(repeat.differences(first, second))
    other = one_cell(printed("a"), printed(bar.format(1, "12.1").replace("0.5", "0.6"), "stderr"))
    assert list(repeat.differences(first, other))


def test_the_order_of_names_in_json_is_no_difference():
    assert repeat.written({"b": 1, "a": [2]}) == repeat.written({"a": [2], "b": 1})
    assert repeat.written({"a": 1}) != repeat.written({"a": 2})
