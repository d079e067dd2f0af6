"""What the outputs of a chapter depend on, as one hash: equal hashes mean equal outputs."""

import ast
import hashlib
import platform
from collections.abc import Container, Iterable, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from nbformat import NotebookNode

from book.running.chapters import code_cells

LIBRARIES = (
    *("torch", "numpy", "scipy", "jaxtyping", "tqdm", "matplotlib"),
    *("ipykernel", "ipython", "matplotlib-inline", "nbclient"),
)


def fingerprint(notebook: NotebookNode, package: Path) -> str:
    """Hashes a chapter's code, the package code that it reaches, and the versions beneath it."""
    sources = [cell.source for cell in code_cells(notebook)]
    parts = [
        *sources,
        *reached_code(sources, package),
        *versions(),
        code_of(Path(__file__).with_name("run.py").read_text()),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@cache
def versions() -> tuple[str, ...]:
    """Returns the versions of Python and of the libraries that outputs depend on."""
    return (*(f"{name} {version(name)}" for name in LIBRARIES), platform.python_version())


def reached_code(sources: Iterable[str], package: Path) -> list[str]:
    """Returns the code of every module of `package` that `sources` import, directly or not.

    A folder's `__init__` is its face: a name that it takes from a module leads to that module, and
    to no other. Whatever cannot be told from the import statements alone reaches every module.
    """
    files = {dotted(path, package): path.read_text() for path in package.rglob("*.py")}
    paths = {name: f"{package.name}.{name}".rstrip(".") for name in files}
    faces = {
        name: read_face(files[name], paths[name])
        for name in (dotted(path, package) for path in package.rglob("__init__.py"))
    }
    found: set[str] = set()
    names: set[str] = set()
    waiting = [imports(source, package.name) for source in sources]
    while waiting:
        for imported in waiting.pop():
            target = home(imported, files, faces)
            names.add(f"{imported} from {target}")
            new = (set(files) if target is None else {target, *above(target, faces)}) - found
            found |= new
            waiting += [
                faces[name].uses if name in faces else imports(files[name], paths[name])
                for name in new
            ]
    return [
        *sorted(names),
        *(faces[name].rest if name in faces else code_of(files[name]) for name in sorted(found)),
    ]


def above(module: str, faces: Iterable[str]) -> set[str]:
    """Returns the faces that run when a module is imported."""
    return {face for face in faces if not face or module.startswith(f"{face}.")}


def dotted(path: Path, package: Path) -> str:
    """Returns the name of a module below its package, as in `groups.chain`; the top's is empty."""
    parts = path.relative_to(package).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def home(imported: str, modules: Container[str], faces: Mapping[str, "Face"]) -> str | None:
    """Returns the module that an imported name leads to, or none if that is not to be told."""
    seen: set[str] = set()
    while imported not in seen:
        seen.add(imported)
        place, _, name = imported.rpartition(".")
        if place in faces and name in faces[place].exports:
            imported = faces[place].exports[name]
        elif imported in modules and imported not in faces:
            return imported
        else:
            return place if place in modules and place not in faces else None
    return None


@cache
def imports(source: str, module: str) -> frozenset[str]:
    """Returns what `source`, which is or belongs to `module`, imports from the package around it.

    Each is a name below the package, as in `groups.chain.count`; `*` is all there is.
    """
    package = module.partition(".")[0]
    try:
        tree = parsed(source)
    except SyntaxError:  # not plain Python, such as a cell with a magic command
        return frozenset("*")
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            if any(alias.name.split(".")[0] == package for alias in node.names):
                found.add("*")
        elif isinstance(node, ast.ImportFrom):
            place = absolute(node, module.rpartition(".")[0])
            if place.split(".")[0] == package:
                found |= {f"{place}.{alias.name}".partition(".")[2] for alias in node.names}
    return frozenset(found)


def absolute(node: ast.ImportFrom, package: str) -> str:
    """Returns the module that a `from` in a package names, whether or not it begins with dots."""
    if not node.level:
        return node.module or ""
    around = package.split(".")
    return ".".join([*around[: len(around) - node.level + 1], *filter(None, [node.module])])


class Face(NamedTuple):
    """An `__init__`: the names that it takes from elsewhere, and its other code.

    Attributes:
        exports: Its names, each with its home below the package.
        rest: The other code.
        uses: What of the package the other code uses.
    """

    exports: Mapping[str, str]
    rest: str
    uses: frozenset[str]


@cache
def read_face(source: str, package: str) -> Face:
    """Splits the `__init__` of a package into the names that it exports and its other code."""
    tree = parsed(source)
    exports: dict[str, str] = {}
    rest: list[ast.stmt] = []
    for node in tree.body:
        place = absolute(node, package) if isinstance(node, ast.ImportFrom) else ""
        if isinstance(node, ast.ImportFrom) and place.split(".")[0] == package.split(".")[0]:
            exports |= {
                alias.asname or alias.name: f"{place}.{alias.name}".partition(".")[2]
                for alias in node.names
            }
        elif not (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"):
            rest.append(node)
    used = {node.id for part in rest for node in ast.walk(part) if isinstance(node, ast.Name)}
    uses = frozenset(exports[name] for name in used & exports.keys())
    return Face(exports, ast.dump(ast.Module(rest, [])), uses)


@cache
def code_of(source: str) -> str:
    """Returns a module's code without its comments, docstrings and layout."""
    return ast.dump(parsed(source))


@cache
def parsed(source: str) -> ast.Module:
    """Parses a module, without the docstrings of itself, its classes and its functions."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            match node.body:
                case [ast.Expr(ast.Constant(str())), *body]:
                    node.body = body
    return tree
