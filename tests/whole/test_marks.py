"""What launches processes, compiles or opens a browser is marked, so that `make test` is quick."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
LONG = {"TORCHRUN", "Playwright", "NotebookClient"}
CALLS = {"subprocess.run", "subprocess.Popen", "torch.compile", "torch.export.export", "Runner"}
MARKS = {"pytest.mark.slow", "pytest.mark.book"}


def takes_long(node):
    """Whether code says that it launches something or compiles it; eager tracing is quick."""
    parts = list(ast.walk(node))
    calls = [part for part in parts if isinstance(part, ast.Call)]
    slow = [call for call in calls if ast.unparse(call.func) in CALLS and not eager(call)]
    return bool(slow) or any(isinstance(part, ast.Name) and part.id in LONG for part in parts)


def eager(call):
    """Whether a call asks for the backend that traces only."""
    return any(ast.unparse(word) == "backend='eager'" for word in call.keywords)


def unmarked(source):
    """The tests of a file that take long, by themselves or by what they call or ask for."""
    tree = ast.parse(source)
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    marks = [n for n in tree.body if isinstance(n, ast.Assign) and "pytestmark" in ast.unparse(n)]
    if any(mark in ast.unparse(node) for node in marks for mark in MARKS):
        return []
    long = {name for name, node in functions.items() if takes_long(node)}
    while True:
        words = {
            name: {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
            | {argument.arg for argument in node.args.args}
            for name, node in functions.items()
        }
        more = long | {name for name, used in words.items() if used & long}
        if more == long:
            break
        long = more
    return [
        name
        for name in sorted(long)
        if name.startswith("test_")
        and not MARKS & {ast.unparse(d).split("(")[0] for d in functions[name].decorator_list}
    ]


@pytest.mark.parametrize("path", sorted(TESTS.rglob("test_*.py")), ids=lambda path: path.stem)
def test_what_takes_long_is_marked(path):
    assert not unmarked(path.read_text())


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("def test_a():\n    subprocess.run([])", ["test_a"]),
        ("def job():\n    Popen(TORCHRUN)\ndef test_a():\n    job()", ["test_a"]),
        ("def job():\n    Popen(TORCHRUN)\ndef test_a(job):\n    pass", ["test_a"]),
        ("def test_a():\n    torch.compile(f)", ["test_a"]),
        ("def test_a():\n    torch.compile(f, backend='aot_eager')", ["test_a"]),
        ("def test_a():\n    torch.compile(f, backend='eager', fullgraph=True)", []),
        ("@pytest.mark.slow\ndef test_a():\n    subprocess.run([])", []),
        ("pytestmark = [pytest.mark.book]\ndef test_a():\n    subprocess.run([])", []),
        ("def test_a():\n    pass", []),
    ],
)
def test_an_unmarked_test_is_found(source, names):
    assert unmarked(source) == names
