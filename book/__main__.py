"""What the author of a chapter types: `python -m book run 04`, and so on; `--help` says what."""

import argparse
import asyncio
import logging
import os
import sys
from pathlib import Path

from mkdocs.commands.build import build as mkdocs_build
from mkdocs.config import load_config
from nbformat import NotebookNode

from book.running.chapters import ChapterError, read
from book.running.fingerprint import fingerprint
from book.running.repeat import repeat as repeat_chapters
from book.running.run import Runner
from book.slides.deck import write as write_slides

ROOT = Path.cwd()


def find(number: str) -> Path:
    """Returns the chapter or appendix whose file name starts with its number or letter."""
    paths = chapters(number)
    if len(paths) != 1:
        sys.exit(f"{number} must name one chapter, and names {[path.name for path in paths]}")
    return paths[0]


def chapters(number: str = "") -> list[Path]:
    """Returns the chapters whose file names start with `number`, in order."""
    return sorted((ROOT / "docs" / "chapters").glob(f"{number}*.py"))


def run(number: str) -> None:
    """Executes a chapter, fresh or stale, and shows what each cell puts out."""
    path, runner = find(number), Runner(ROOT, ROOT / ".cache" / "book")
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


def build(number: str) -> None:
    """Renders the site into `build/`, and reports what concerns this chapter alone.

    Other chapters may be half written: theirs are the outputs that the cache has.
    """
    path = find(number)
    os.environ |= {"BOOK_ONLY": path.name, "NO_MKDOCS_2_WARNING": "true"}
    problems: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: problems.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("mkdocs").addHandler(handler)
    target = ROOT / "build" / path.name.split("_")[0]
    config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(target))
    config.plugins.on_startup(command="build", dirty=False)
    mkdocs_build(config)
    config.plugins.on_shutdown()
    problems = [problem for problem in problems if path.name in problem]
    print(target / "chapters" / f"{path.stem}.html")
    sys.exit("\n".join(problems) or 0)


def repeat(numbers: list[str]) -> None:
    """Compares the outputs of chapters, all or some, with those of another run."""
    paths = [find(number) for number in numbers] or chapters()
    try:
        problems = repeat_chapters(Runner(ROOT, ROOT / ".cache" / "book"), paths)
    except ExceptionGroup as group:
        sys.exit("\n\n".join(map(str, group.exceptions)))
    if problems:
        sys.exit("\n".join(problems))
    print("All outputs are the same again.")


def slides() -> None:
    """Makes slides of all chapters from the outputs that the book shows, and says where."""
    runner, problems = Runner(ROOT, ROOT / ".cache" / "book"), list[str]()
    try:
        executed = runner.run(chapters())
    except ExceptionGroup as group:
        sys.exit("\n\n".join(map(str, group.exceptions)))
    folder = ROOT / "build" / "slides"
    write_slides(folder, executed, ROOT / "docs" / "assets", problems.append)
    print(folder / "index.html")
    sys.exit("\n".join(problems) or 0)


def main() -> None:
    """Runs a command."""
    parser = argparse.ArgumentParser(prog="python -m book", description="Work on chapters.")
    commands = parser.add_subparsers(required=True, metavar="command")
    for function, words in (
        (run, "execute a chapter, and show what its cells put out"),
        (build, "render the page of a chapter, and say what is wrong with it"),
    ):
        command = commands.add_parser(function.__name__, help=words, description=words)
        command.add_argument("chapter", help="its number, such as 04, or the letter of an appendix")
        command.set_defaults(call=lambda arguments, f=function: f(arguments.chapter))
    words = "make slides of all chapters, from the outputs that the book shows"
    command = commands.add_parser("slides", help=words, description=words)
    command.set_defaults(call=lambda arguments: slides())
    words = "execute chapters once more, and say which cells put out something else"
    command = commands.add_parser(
        "repeat",
        help=words,
        description=f"{words[0].upper()}{words[1:]}. The outputs of the first run are those that "
        "the last build kept; a chapter for which it kept none, or stale ones, is executed twice. "
        "Numbers may differ where the head of a cell says that it measures them, "
        '`# %% measured="s"`; CONTRIBUTING.md tells how.',
    )
    command.add_argument("chapters", nargs="*", help="their numbers; all, if none is given")
    command.set_defaults(call=lambda arguments: repeat(arguments.chapters))
    arguments = parser.parse_args()
    logging.basicConfig(format="%(message)s", level=logging.INFO)
    arguments.call(arguments)


if __name__ == "__main__":
    main()
