"""The house: few rooms, small modules, faces that say what is public, imports one way."""

import ast
import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import invariant_nets

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "invariant_nets"
ROOMS = sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
FILES = sorted(PACKAGE.rglob("*.py"))
MODULES = [path for path in FILES if path.name != "__init__.py"]


def imported(path):
    """The modules inside the package that a file imports from, also inside functions."""
    nodes = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ImportFrom)]
    assert all(node.level == 0 for node in nodes), "imports inside the package are absolute"
    return {node.module for node in nodes if node.module.split(".")[0] == "invariant_nets"}


def test_nine_rooms_of_at_most_nine_modules():
    assert len(ROOMS) == 9
    for folder in ("invariant_nets", "book", "benchmarks"):
        for face in (ROOT / folder).rglob("*/__init__.py"):
            names = [path.name for path in face.parent.glob("*.py") if path != face]
            assert 1 <= len(names) <= 9, face
            assert not [name for name in names if name.startswith("_")], face


@pytest.mark.parametrize("folder", ["invariant_nets", "book", "benchmarks"])
def test_a_module_is_read_in_one_sitting(folder):
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in (ROOT / folder).rglob("*.py")
    }
    assert not {path: length for path, length in lengths.items() if length > 300}


def test_every_module_begins_with_a_docstring():
    assert not [path for path in FILES if not ast.get_docstring(ast.parse(path.read_text()))]


def test_code_imports_from_files_and_never_from_faces():
    faces = {"invariant_nets", *(f"invariant_nets.{room}" for room in ROOMS)}
    assert not {path.name: imported(path) & faces for path in MODULES if imported(path) & faces}


@pytest.mark.parametrize("room", ROOMS)
def test_what_a_face_names_is_what_its_room_shows(room):
    face = importlib.import_module(f"invariant_nets.{room}")
    taken = {
        alias.name
        for node in ast.parse((PACKAGE / room / "__init__.py").read_text()).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert sorted(taken) == sorted(face.__all__)
    for name in face.__all__:
        owner = getattr(getattr(face, name), "__module__", f"invariant_nets.{room}")
        assert owner.startswith((f"invariant_nets.{room}", "builtins"))


def test_the_table_of_the_package_has_a_row_per_room():
    rows = [line for line in invariant_nets.__doc__.splitlines() if line.startswith("| `")]
    assert sorted(row.split("`")[1] for row in rows) == ROOMS


def test_the_tests_have_the_same_rooms():
    for room in ROOMS:
        tests = list((ROOT / "tests" / room).glob("test_*.py"))
        assert tests, room


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("groups/permutation.py", "from invariant_nets.layers.averaged import LinearEquivariant"),
        ("layers/orbit.py", "import invariant_nets.training.trainer"),
        (
            "data/ragged.py",
            "def f():\n    from invariant_nets.groups.group import PermutationGroup",
        ),
        ("_sets.py", "from invariant_nets.comparison.compare import compare"),
        ("new_room/__init__.py", ""),
    ],
)
def test_the_linter_finds_an_import_that_points_the_wrong_way(tmp_path, file, line):
    for name in ("invariant_nets", "book", "benchmarks"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("vendor"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)

    def lint():
        command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode

    assert lint() == 0
    changed = tmp_path / "invariant_nets" / file
    changed.parent.mkdir(exist_ok=True)
    changed.write_text((changed.read_text() if changed.exists() else "") + f"\n{line}\n")
    assert lint() == 1


@pytest.mark.slow
def test_importing_the_package_loads_no_plotting_no_integration_and_no_compiler():
    heavy = ["matplotlib", "scipy", "sympy.combinatorics", "IPython", "invariant_nets.figures"]
    heavy += ["torch._dynamo"]  # half of the time that the import would take
    code = f"import sys, invariant_nets; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
