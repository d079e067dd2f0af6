"""What the author of a chapter types: `python -m book run 04`, `python -m book build 04`."""

import argparse
import asyncio
import logging
import os
import sys
from pathlib import Path

from mkdocs.commands.build import build as mkdocs_build
from mkdocs.config import load_config
from nbformat import NotebookNode

from book.chapters import ChapterError, read
from book.fingerprint import fingerprint
from book.run import Runner

ROOT = Path.cwd()


def find(number: str) -> Path:
    """Returns the chapter whose file name starts with `number`."""
    paths = sorted((ROOT / "docs" / "chapters").glob(f"{number}*.py"))
    if len(paths) != 1:
        sys.exit(f"{number} must name one chapter, and names {[path.name for path in paths]}")
    return paths[0]


def run(path: Path) -> None:
    """Executes a chapter, fresh or stale, and shows what each cell puts out."""
    runner = Runner(ROOT, ROOT / ".cache" / "book")
    notebook = read(path)
    key = fingerprint(notebook, runner.package)
    try:
        asyncio.run(runner.execute(path, notebook, key, watch=show))
    except ChapterError as error:
        sys.exit(f"\n{error}")


def show(number: int, cell: NotebookNode, seconds: float) -> None:
    """Prints the outputs of one cell."""
    print(f"[{number}] {cell.source.splitlines()[0]}    ({seconds:.2f} s)")
    for output in cell.outputs:
        text = output.get("text") or output.get("data", {}).get("text/plain", "")
        print("\n".join(f"    {line}" for line in text.splitlines()), flush=True)


def build(path: Path) -> None:
    """Renders the site into `build/`, and reports what concerns this chapter alone.

    Other chapters may be half written: theirs are the outputs that the cache has.
    """
    os.environ |= {"BOOK_ONLY": path.name, "NO_MKDOCS_2_WARNING": "true"}
    problems: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: problems.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("mkdocs").addHandler(handler)
    target = ROOT / "build" / path.name[:2]
    config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(target))
    config.plugins.on_startup(command="build", dirty=False)
    mkdocs_build(config)
    config.plugins.on_shutdown()
    problems = [problem for problem in problems if path.name in problem]
    print(target / "chapters" / path.stem / "index.html")
    sys.exit("\n".join(problems) or 0)


def main() -> None:
    """Runs a command."""
    parser = argparse.ArgumentParser(prog="python -m book", description="Work on a chapter.")
    parser.add_argument("command", choices=["run", "build"])
    parser.add_argument("chapter", help="its number, such as 04")
    arguments = parser.parse_args()
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    {"run": run, "build": build}[arguments.command](find(arguments.chapter))


if __name__ == "__main__":
    main()
