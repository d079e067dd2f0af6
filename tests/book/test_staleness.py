"""Which chapters run again: those that reach what has changed, and no others."""

import ast
import importlib
import shutil
import sys
from functools import cache
from pathlib import Path

import pytest

from book.running.chapters import code_cells, read
from book.running.fingerprint import reached_code
from invariant_nets import MODELS

ROOT = Path(__file__).parents[2]

ROOMS = {  # a package of two rooms, one of which has a room inside
    "": "from invariant_nets.near import value\nfrom invariant_nets.far import other\n",
    "near": "from invariant_nets.near.core import value, unused\n",
    "near.core": "from invariant_nets.far.deep.core import base\nvalue = unused = base\n",
    "near.beside": "value = 1\n",
    "far": "from .deep import other\n",
    "far.beside": "value = 1\n",
    "far.deep": "from .core import base as root\nfrom .more import other\nVERSION = 1\nroot\n",
    "far.deep.core": "base = 1\n",
    "far.deep.more": "from ..beside import value\nother = value\n",
}
FACES = {"", "near", "far", "far.deep"}
VALUE = {"near.core", "far.deep.core", *FACES}
REACHED = {  # by what a chapter says
    "from invariant_nets import value": VALUE,
    "from invariant_nets.near import value": VALUE,
    "from invariant_nets.near.core import value": VALUE,
    "from invariant_nets import other": {
        *("far.deep.more", "far.beside", "far.deep.core"),
        *("", "far", "far.deep"),
    },
    "from invariant_nets.near import beside": {"near.beside", "", "near"},
    "from invariant_nets.near.beside import value": {"near.beside", "", "near"},
    "from invariant_nets.far.deep import VERSION": set(ROOMS),
    "import invariant_nets": set(ROOMS),
    "import numpy": set(),
}


def files_of(package, rooms):
    """The files of a package, by the dotted names of its modules."""
    files = {
        name: package.joinpath(*name.split("."), *["__init__"] * (name in FACES)).with_suffix(".py")
        for name in rooms
    }
    for name, file in files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(rooms[name])
    return files


@pytest.mark.parametrize("chapter", REACHED)
def test_a_change_in_a_room_makes_stale_what_reaches_it_and_nothing_else(tmp_path, chapter):
    package = tmp_path / "invariant_nets"
    files = files_of(package, ROOMS)
    before, stale = reached_code([chapter], package), set()
    for name, file in files.items():
        file.write_text(f"{ROOMS[name]}added = 1\n")
        stale |= {name} if reached_code([chapter], package) != before else set()
        file.write_text(ROOMS[name])
    assert stale == REACHED[chapter]


def test_a_name_that_a_face_takes_from_elsewhere_makes_stale(tmp_path):
    package = tmp_path / "invariant_nets"
    files = files_of(package, ROOMS | {"near.other": "value = 1\n"})
    before = reached_code(["from invariant_nets import value"], package)
    files["near"].write_text(
        ROOMS["near"].replace("near.core import value", "near.other import value")
    )
    assert reached_code(["from invariant_nets import value"], package) != before


# The book itself


@cache
def homes(source):
    """The files of the package that hold what a source imports from it, as Python finds them."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "invariant_nets":
            for alias in node.names:
                place = importlib.import_module(node.module)
                value = getattr(place, alias.name)
                owner = getattr(value, "__module__", None) or ""
                if not owner.startswith("invariant_nets"):  # a constant, such as MODELS
                    owner = "invariant_nets.comparison.models" if value is MODELS else node.module
                found.add(Path(sys.modules[owner].__file__))
    return found


def reached_by(sources):
    """The files that sources reach, directly or not."""
    found = set()
    waiting = [path for source in sources for path in homes(source)]
    while waiting:
        if (path := waiting.pop()) not in found:
            found.add(path)
            waiting += homes(path.read_text())
    return found


@pytest.fixture(scope="module")
def chapters():
    """The code of every chapter."""
    paths = sorted((ROOT / "docs" / "chapters").glob("*.py"))
    return [[cell.source for cell in code_cells(read(path))] for path in paths]


@pytest.fixture(scope="module")
def before(chapters):
    """The code of the package that every chapter reaches."""
    return [reached_code(code, ROOT / "invariant_nets") for code in chapters]


@pytest.mark.xdist_group("staleness")  # parses the package once
@pytest.mark.parametrize(
    ("file", "reach_it"),
    [
        *((name, name) for name in ("averaging/recompute.py", "averaging/augmentation.py")),
        *((name, name) for name in ("groups/products.py", "groups/enumeration.py")),
        *((name, name) for name in ("layers/exchangeable_sparse.py", "data/ragged.py", "ranks.py")),
        ("canonicalization/__init__.py", "canonicalization/"),
        ("checks/__init__.py", "checks/"),
    ],
)
def test_a_change_in_the_package_makes_the_chapters_stale_that_reach_it_and_no_others(
    tmp_path, chapters, before, file, reach_it
):
    package = tmp_path / "invariant_nets"
    shutil.copytree(ROOT / "invariant_nets", package)
    (package / file).write_text((package / file).read_text() + "\nadded = 1\n")
    stale = [reached_code(code, package) != old for code, old in zip(chapters, before, strict=True)]
    start = str(ROOT / "invariant_nets" / reach_it)
    assert stale == [any(str(p).startswith(start) for p in reached_by(code)) for code in chapters]
    assert 0 < sum(stale) < len(chapters)
