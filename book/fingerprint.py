"""What the outputs of a chapter depend on, as one hash: equal hashes mean equal outputs."""

import ast
import hashlib
import platform
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path

from nbformat import NotebookNode

from book.chapters import code_cells

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
        *(f"{name} {version(name)}" for name in LIBRARIES),
        platform.python_version(),
        code_of(Path(__file__).with_name("run.py").read_text()),
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def reached_code(sources: Iterable[str], package: Path) -> list[str]:
    """Returns the code of every module of `package` that `sources` import, directly or not.

    Whatever cannot be told from the import statements alone counts as reaching every module.
    """
    if not package.is_dir():
        return []
    modules = {path.stem: path.read_text() for path in package.glob("*.py")}
    exports, rest = read_init(modules.pop("__init__"))
    found: set[str] = set()
    names: set[str] = set()
    waiting = list(sources)
    while waiting:
        for module, name in imports(waiting.pop(), package.name):
            target = module or (name if name in modules else exports.get(name, "*"))
            names.add(f"{name} from {target}")
            new = ({target} if target in modules else set(modules)) - found
            found |= new
            waiting += [modules[stem] for stem in new]
    return [rest, *sorted(names), *(code_of(modules[stem]) for stem in sorted(found))]


@cache
def imports(source: str, package: str) -> set[tuple[str, str]]:
    """Returns (module, name) of all that `source` imports from `package`; its top is `""`."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # not plain Python, such as a cell with a magic command
        return {("", "*")}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            if any(alias.name.split(".")[0] == package for alias in node.names):
                found.add(("", "*"))
        elif isinstance(node, ast.ImportFrom):
            first, *path = [package] * (node.level > 0) + (node.module or "").split(".")
            if first == package:
                found |= {(path[0] if path else "", alias.name) for alias in node.names}
    return found


def read_init(source: str) -> tuple[dict[str, str], str]:
    """Splits `__init__.py` into the names that it exports, each with its module, and other code."""
    tree = ast.parse(source)
    exports: dict[str, str] = {}
    rest: list[ast.stmt] = []
    for node in without_docstrings(tree).body:
        if isinstance(node, ast.ImportFrom):
            module = (node.module or "").split(".")[-1]
            exports |= {alias.asname or alias.name: module or alias.name for alias in node.names}
        elif not (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"):
            rest.append(node)
    return exports, ast.dump(ast.Module(rest, []))


@cache
def code_of(source: str) -> str:
    """Returns a module's code without its comments, docstrings and layout."""
    return ast.dump(without_docstrings(ast.parse(source)))


def without_docstrings(tree: ast.Module) -> ast.Module:
    """Removes the docstrings of a module, its classes and its functions, in place."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            match node.body:
                case [ast.Expr(ast.Constant(str())), *body]:
                    node.body = body
    return tree
