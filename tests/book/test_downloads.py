"""The two notebooks of each chapter, run as a reader does: beside an installed package alone.

They differ in the solutions alone, so what comes before the exercises runs once for both.
"""

import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import nbformat
import pytest

from book.pages.download import EXTRAS, download
from book.running.chapters import code_cells, hidden, parsed, read

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "docs" / "chapters").glob("*.py"))
QUICK = {"01", "03", "a", "b"}  # by the start of their names
OPEN = {"Not yet", "There is no answer to check yet"}  # what a check says of an open exercise
CHECK = re.compile(r"^check_\d+\(", re.MULTILINE)

pytestmark = pytest.mark.book


def run(*command, cwd, **options):
    """Runs a command, and returns what it said; a failure shows it."""
    result = subprocess.run(
        [*map(str, command)], cwd=cwd, capture_output=True, text=True, check=False, **options
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """A Python that has the package as a wheel, and all else from this environment."""
    folder = tmp_path_factory.mktemp("installed")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    run(sys.executable, "-m", "venv", "--without-pip", "venv", cwd=folder)
    python = folder / "venv" / "bin" / "python"
    places = [path for path in sys.path if path.endswith("site-packages")]
    (own,) = (folder / "venv").glob("lib/python*/site-packages")
    # Python reads no such file in a folder that one names: a package in development stays behind.
    (own / "beside.pth").write_text("\n".join(places))
    install = ("-m", "pip", "--python", python, "install", "--no-deps", "--no-index")
    run(sys.executable, *install, *folder.glob("*.whl"), cwd=folder)
    return python


def executed(python, notebook, folder):
    """Returns a notebook after all its cells have run, in a folder of its own."""
    (folder / "chapter.ipynb").write_text(notebook)
    settings = {"IPYTHONDIR": "ipython", "JUPYTER_CONFIG_DIR": "config", "HOME": "home"}
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "MPLBACKEND", "VIRTUAL_ENV")
    } | {name: str(folder / place) for name, place in settings.items()}
    command = ("-m", "nbconvert", "--execute", "--to", "notebook", "--output", "done")
    run(python, *command, "chapter.ipynb", cwd=folder, env=environment)
    return nbformat.read(folder / "done.ipynb", as_version=4)


def answers(notebook):
    """Returns the first words that each check of an executed notebook says."""
    return [
        re.split(r"[.:]", cell.outputs[-1].data["text/plain"])[0]
        for cell in code_cells(notebook)
        if CHECK.search(cell.source)
    ]


def complaints(notebook):
    """Returns what the cells of an executed notebook wrote to stderr, but for bars of progress."""
    texts = [
        output.text
        for cell in code_cells(notebook)
        for output in cell.outputs
        if output.get("name") == "stderr"
    ]
    return [text for text in texts if "%|" not in text]


# Cells before the first exercise, and behind the last: what is named is again as it was.
KEPT = "_kept = {name: value for name, value in globals().items() if name[0] != '_'}"
AGAIN = """for _name in [name for name in globals() if name[0] != "_"]:
    del globals()[_name]
globals().update(_kept)"""


def to_work_and_solved(chapter):
    """Returns a download to work, and behind it the exercises of the solved one, begun anew."""
    to_work, solved = (
        nbformat.reads(download(chapter, solved), as_version=4) for solved in (False, True)
    )
    first = next(cell.source for cell in code_cells(chapter) if "exercise" in cell.metadata)
    (before, left), (same, right) = (
        (sources[: sources.index(first)], sources[sources.index(first) :])
        for sources in ([cell.source for cell in code_cells(n)] for n in (to_work, solved))
    )
    assert before == same
    cells = [*before, KEPT, *left, AGAIN, *right]
    to_work.cells = [nbformat.v4.new_code_cell(source) for source in cells]
    return nbformat.writes(to_work)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_the_downloads_run_beside_the_installed_package(path, python, tmp_path):
    if path.stem.split("_")[0] not in QUICK and "CI" not in os.environ:
        pytest.skip("all chapters take ten minutes; CI runs them")
    notebook = executed(python, to_work_and_solved(read(path)), tmp_path)
    found = answers(notebook)
    count = len(found) // 2
    assert set(found[:count]) <= OPEN
    assert found[count:] == ["Right"] * count
    assert count >= 3
    assert complaints(notebook) == []


def test_a_solution_that_needs_what_comes_later_is_found(python, tmp_path):
    text = '# %% exercise="1"\na = ...\n\n# %% solution="1"\na = b\n\n# %% exercise="2"\nb = 1\n'
    with pytest.raises(AssertionError, match="name 'b' is not defined"):
        executed(python, to_work_and_solved(parsed(text)), tmp_path)


def test_the_repository_is_out_of_reach(python, tmp_path):
    cell = nbformat.v4.new_code_cell("import invariant_nets\nprint(invariant_nets.__file__)")
    text = nbformat.writes(nbformat.v4.new_notebook(cells=[cell]))
    (found,) = executed(python, text, tmp_path).cells
    assert found.outputs[0].text.startswith(str(python.parents[1]))
    with pytest.raises(AssertionError, match="No module named 'book'"):
        executed(python, text.replace("import invariant_nets", "import book"), tmp_path)


# What a download imports, and what it leaves out


def requirements(name):
    """Returns the names of the packages that an extra asks for, or the package itself."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines = extras[name] if name else project["dependencies"]
    return {re.split(r"[<>=\[ ]", line)[0].lower() for line in lines}


def strangers(notebook):
    """Returns what the cells of a notebook import beyond the package and its two extras."""
    owned = set().union(*(requirements(name) for name in ("", *EXTRAS)))
    homes = packages_distributions()
    code = "\n".join(cell.source for cell in code_cells(notebook))
    modules = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            modules |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            modules.add(node.module.split(".")[0])
    modules -= {*sys.stdlib_module_names, "invariant_nets"}
    return {m for m in modules if not owned & {home.lower() for home in homes.get(m, [])}}


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_download_imports_what_its_first_cell_installs(path):
    notebook = nbformat.reads(download(read(path), solved=True), as_version=4)
    assert strangers(notebook) == set()
    assert f"[{','.join(EXTRAS)}]" in notebook.cells[0].source
    shown = [cell.source for cell in code_cells(read(path)) if not hidden(cell)]
    assert [cell.source for cell in code_cells(notebook)] == shown


def test_a_stranger_is_found():
    code = "import os, yaml, torch.nn\nfrom sklearn import svm\nfrom book.hooks import chapters"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    assert strangers(notebook) == {"yaml", "book"}
