"""The exercises: each has a folded solution, and code of every chapter checks some of them."""

import ast
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from book.running.chapters import ChapterError, read
from book.running.run import Runner

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "docs" / "chapters").glob("*.py"))
SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
EXERCISE = re.compile(r"^\*\*(\d+)\.\*\* ", re.MULTILINE)
SOLUTION = re.compile(r'^\?\?\? success "Solution"\n {4}\S', re.MULTILINE)
TITLE = re.compile(r"Solutions? of exercises? (\d+(?:(?:, | and )\d+)*), in code")

# With the site's build in one worker, so that no chapter runs twice at once.
pytestmark = [pytest.mark.book, pytest.mark.xdist_group("browser")]


def in_section(notebook, name):
    """Returns the prose of a section of a chapter, and the cells of code in it."""
    prose, code, section = [], [], ""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            if section == name:
                code.append(cell)
            continue
        before, *rest = SECTION.split(cell.source)
        for title, text in [(section, before), *zip(rest[::2], rest[1::2], strict=True)]:
            section = title
            if title == name:
                prose.append(text)
    return "\n".join(prose), code


def checks_something(source):
    """Tells whether code asserts what a run must first find out."""
    asserts = (node.test for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Assert))
    return any(isinstance(node, ast.Name | ast.Call) for test in asserts for node in ast.walk(test))


def faults(notebook):
    """Returns what is wrong with the exercises of a chapter."""
    prose, code = in_section(notebook, "Exercises")
    _, *parts = EXERCISE.split(prose)
    numbers = [int(number) for number in parts[::2]]
    found = []
    if not numbers or numbers != list(range(1, len(numbers) + 1)):
        found.append(f"the exercises are numbered {numbers}")
    for number, text in zip(numbers, parts[1::2], strict=True):
        if len(SOLUTION.findall(text)) != 1:
            found.append(f"exercise {number} has not one folded solution")
    for cell in code:
        title = cell.metadata.get("fold", "")
        match = TITLE.fullmatch(title)
        if not match or not {int(n) for n in re.findall(r"\d+", match[1])} <= set(numbers):
            found.append(f"code of an exercise is under the title {title!r}")
        if not checks_something(cell.source):
            found.append(f"{title!r} checks nothing")
    if not code:
        found.append("no solution is code")
    return found


def executed(runner, path):
    """Returns a chapter that has run, in a thread: the browser's tests leave their loop running."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(runner.run, [path]).result()[path]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_exercise_has_a_solution_and_some_are_code_that_checks(path):
    assert faults(read(path)) == []


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_the_solutions_run(path):
    notebook = executed(Runner(ROOT, ROOT / ".cache" / "book"), path)
    _, solutions = in_section(notebook, "Exercises")
    assert solutions
    assert all(output.output_type != "error" for cell in solutions for output in cell.outputs)


CHAPTER = """# %% [markdown]
# # A chapter
#
# ## Exercises
#
# **1.** What is one and one?
#
# ??? success "Solution"
#     Two.

# %% fold="Solution of exercise 1, in code"
one = 1
assert one + one == 2

# %% [markdown]
# **2.** And why?
#
# ??? success "Solution"
#     By definition.
#
# ## Sources
"""


def write(folder, chapter):
    path = folder / "01_small.py"
    path.write_text(chapter)
    return path


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("**1.**", "**1**", "the exercises are numbered [2]"),
        ("**2.**", "**3.**", "the exercises are numbered [1, 3]"),
        ("By definition.", "", "exercise 2 has not one folded solution"),
        ('# ??? success "Solution"\n#     Two.', "#", "exercise 1 has not one folded solution"),
        ("exercise 1,", "exercise 3,", "title 'Solution of exercise 3, in code'"),
        (' fold="Solution of exercise 1, in code"', "", "under the title ''"),
        ("assert one + one == 2", "print(one + one == 2)", "checks nothing"),
        ("assert one + one == 2", "assert True", "checks nothing"),
        ("## Exercises", "## Questions", "no solution is code"),
    ],
)
def test_each_fault_is_found(tmp_path, old, new, fault):
    assert old in CHAPTER
    assert faults(read(write(tmp_path, CHAPTER))) == []
    found = faults(read(write(tmp_path, CHAPTER.replace(old, new, 1))))
    assert any(fault in problem for problem in found), found


def test_a_wrong_solution_fails(tmp_path):
    runner = Runner(ROOT, tmp_path / "cache")
    executed(runner, write(tmp_path, CHAPTER))
    wrong = write(tmp_path, CHAPTER.replace("== 2", "== 3"))
    with pytest.raises(ExceptionGroup) as group:
        executed(runner, wrong)
    (error,) = group.value.exceptions
    assert isinstance(error, ChapterError)
    assert "assert one + one == 3" in str(error)
