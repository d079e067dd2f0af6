"""Writes all goals and what was measured for them into a file beside the results, for maintainers.

    python -m benchmarks.page.goals

What it says is in `goals.md`, a template as the page of the book is one.
"""

from pathlib import Path

from benchmarks.harness.results import FILE
from benchmarks.page.findings import render

TEMPLATE = Path(__file__).with_name("goals.md")
WRITTEN = FILE.with_name("GOALS.md")


def text(results: Path = FILE) -> str:
    """Returns what the file says of some results."""
    filled, _ = render(TEMPLATE.read_text(), results)
    return filled + "\n"


if __name__ == "__main__":
    WRITTEN.write_text(text())
