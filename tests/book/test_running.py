"""Running chapters: what runs again, and what is said of a cell that fails."""

import re

import pytest

from book.running.chapters import ChapterError, code_cells
from book.running.run import Runner
from tests.book.one_chapter import CHAPTER, CORE, key, write

pytestmark = pytest.mark.book

# What runs again


def test_a_chapter_runs_again_only_after_a_change_of_code(project):
    path = write(project, "# %% [markdown]\n# # Title\n\n# %%\nimport time; time.time_ns()")
    runner = Runner(project, project / ".cache")

    def result():
        (cell,) = code_cells(runner.run([path])[path])
        return cell.outputs[0].data["text/plain"]

    first = result()
    assert result() == first
    path.write_text(path.read_text().replace("Title", "Another title"))
    assert result() == first
    path.write_text(path.read_text().replace("time_ns()", "time_ns() "))
    assert result() != first


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("double(21)", "double(22)"),
        ("plt.plot([1, 2])", "plt.plot([1, 3])"),
    ],
)
def test_changed_code_is_stale(project, old, new):
    assert key(project) != key(project, CHAPTER.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"), [("# Prose with", "# Other prose with"), ("It rises", "It climbs")]
)
def test_changed_prose_is_fresh(project, old, new):
    assert old in CHAPTER
    assert key(project) == key(project, CHAPTER.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "stale"),
    [
        ("return 2 * x", "return x + x", True),
        ("def double(x):", "def double(x, y=0):", True),
        ("Double $x$", "Twice $x$", False),
        ("return 2 * x", "return 2 * x  # a comment", False),
        ("return 2 * x", "return (2 * x)", False),
    ],
)
def test_package_code_makes_stale_and_its_docstrings_do_not(project, old, new, stale):
    before = key(project)
    assert old in CORE
    (project / "invariant_nets" / "core.py").write_text(CORE.replace(old, new))
    assert (key(project) != before) == stale


def test_only_the_modules_that_a_chapter_reaches_count(project):
    package = project / "invariant_nets"
    (package / "far.py").write_text("value = 1\n")
    (package / "near.py").write_text("value = 1\n")
    (package / "core.py").write_text(f"from invariant_nets.near import value\n{CORE}")
    before = key(project)
    (package / "far.py").write_text("value = 2\n")
    assert key(project) == before
    (package / "near.py").write_text("value = 2\n")
    assert key(project) != before


# What fails the build


@pytest.mark.parametrize(
    ("cell", "problem"),
    [
        ("x = 1\nassert x == 2, 'one is not two'", "AssertionError in line 2: one is not two"),
        ("x = (", "SyntaxError"),
        ("import warnings\nwarnings.warn('careful')", "wrote to stderr: .*careful"),
        ("import os\nos._exit(1)", "the kernel died"),
    ],
)
def test_a_failing_cell_is_named(project, cell, problem):
    path = write(project, f"# %%\nfirst = 1\n\n# %%\n{cell}\n\n# %%\nnever = 1")
    with pytest.raises(ExceptionGroup) as group:
        Runner(project, project / ".cache").run([path])
    (error,) = group.value.exceptions
    assert isinstance(error, ChapterError)
    assert re.search(f"01_small.py, code cell 2: {problem}", str(error), re.DOTALL)
    assert cell.splitlines()[-1] in str(error)
    assert not list((project / ".cache").glob("*"))
