"""The exercises: each has a folded solution and a check, which refuses wrong answers."""

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
KINDS = ("exercise", "solution", "check", "wrong")  # of cells, in their order
TRIES = re.compile(r"^check_(\d+)\.holds\(", re.MULTILINE)
# Their exercises have solutions only, some of them as code that asserts.

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


def faults(notebook, least=5, built=2):
    """Returns what is wrong with the exercises of a chapter.

    Each has a prompt, a folded solution, and cells of all kinds in their order. At least `least`
    there are, of which `built` are code that is held to a law.
    """
    prose, code = in_section(notebook, "Exercises")
    _, *parts = EXERCISE.split(prose)
    numbers = [int(number) for number in parts[::2]]
    found = []
    if len(numbers) < least or numbers != list(range(1, len(numbers) + 1)):
        found.append(f"the exercises are numbered {numbers}")
    for number, text in zip(numbers, parts[1::2], strict=True):
        if len(SOLUTION.findall(text)) != 1:
            found.append(f"exercise {number} has not one folded solution")
    kinds = [
        (kind, cell.metadata[kind]) for cell in code for kind in KINDS if kind in cell.metadata
    ]
    if len(kinds) != len(code):
        found.append("a cell of the exercises is of no kind, or of several")
    if kinds != [(kind, str(number)) for number in numbers for kind in KINDS]:
        found.append(f"the cells of the exercises are {kinds}")
    for cell in code:
        number = cell.metadata.get("wrong")
        if number and TRIES.findall(cell.source) != [number]:
            found.append(f"exercise {number} tries no wrong answers")
    if sum("CodeCheck(" in cell.source for cell in code) < built:
        found.append("too few exercises build something")
    return found


def executed(runner, path):
    """Returns a chapter that has run, in a thread: the browser's tests leave their loop running."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(runner.run, [path]).result()[path]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_exercise_has_a_solution_and_a_check(path):
    notebook = read(path)
    if path.stem[0].isdigit():
        assert faults(notebook) == []
    else:  # an appendix
        assert faults(notebook, least=3, built=1) == []


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_the_solutions_run(path):
    notebook = executed(Runner(ROOT, ROOT / ".cache" / "book"), path)
    _, solutions = in_section(notebook, "Exercises")
    assert solutions
    assert all(output.output_type != "error" for cell in solutions for output in cell.outputs)


CHAPTER = """# %% [markdown]
# # A chapter

# %%
from invariant_nets.exercises import AnswerCheck, CodeCheck, digest

# %% [markdown]
# ## Exercises
#
# **1.** What is one and one?
#
# ??? success "Solution"
#     Two.

# %% exercise="1"
answer_1 = ...

# %% solution="1"
answer_1 = 1 + 1

# %% check="1"
check_1 = AnswerCheck("1.1", digest("1.1", 2))
check_1(answer_1)

# %% wrong="1"
check_1.holds(answer_1, wrong=[1, 3, 11])

# %% [markdown]
# **2.** Double it.
#
# ??? success "Solution"
#     By addition.

# %% exercise="2"
def double(x):
    ...

# %% solution="2"
def double(x):
    return x + x

# %% check="2"
def law_2(double):
    assert double(21) == 42

check_2 = CodeCheck("2", law_2)
check_2(double)

# %% wrong="2"
check_2.holds(double, wrong=[abs, lambda x: x * x, lambda x: x + 2])

# %% [markdown]
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
        ("By addition.", "", "exercise 2 has not one folded solution"),
        ('# ??? success "Solution"\n#     Two.', "#", "exercise 1 has not one folded solution"),
        ('exercise="2"', 'exercise="1"', "the cells of the exercises are"),
        ('wrong="2"', 'check="2"', "the cells of the exercises are"),
        ('# %% solution="1"\nanswer_1 = 1 + 1', "", "the cells of the exercises are"),
        ('# %% check="1"', "# %%", "of no kind"),
        ('check="1"', 'check="1" wrong="1"', "or of several"),
        ("check_1.holds(", "print(", "exercise 1 tries no wrong answers"),
        ("check_2.holds(", "check_1.holds(", "exercise 2 tries no wrong answers"),
        ("CodeCheck(", "print(", "too few exercises build something"),
        ("## Exercises", "## Questions", "the exercises are numbered []"),
    ],
)
def test_each_fault_is_found(tmp_path, old, new, fault):
    assert old in CHAPTER
    assert faults(read(write(tmp_path, CHAPTER)), least=2, built=1) == []
    found = faults(read(write(tmp_path, CHAPTER.replace(old, new))), least=2, built=1)
    assert any(fault in problem for problem in found), found
    assert faults(read(write(tmp_path, CHAPTER)), least=3)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("answer_1 = 1 + 1", "answer_1 = 3", "the right answer is refused"),
        ("[1, 3, 11]", "[1, 2, 11]", "wrong answer 2 is taken for right"),
        ("[1, 3, 11]", "[1, 3]", "give at least three"),
        ("return x + x", "return x * x", "the right answer is refused"),
        ("[abs, ", "[lambda x: 2 * x, ", "wrong answer 1 is taken for right"),
    ],
)
def test_a_wrong_solution_fails_and_so_does_a_check_that_takes_one(tmp_path, old, new, message):
    runner = Runner(ROOT, tmp_path / "cache")
    executed(runner, write(tmp_path, CHAPTER))
    assert old in CHAPTER
    with pytest.raises(ExceptionGroup) as group:
        executed(runner, write(tmp_path, CHAPTER.replace(old, new)))
    (error,) = group.value.exceptions
    assert isinstance(error, ChapterError)
    assert message in str(error)
