"""The examples of a README: `python -I examples.py README.md` runs its Python in an empty folder.

It needs the standard library alone, since it runs where only the package is installed.
"""

import re
import sys
from pathlib import Path

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(text, language):
    """The fenced blocks of one language, in order."""
    return [code for name, code in FENCE.findall(text) if name == language]


def commands(text):
    """The commands of the shell blocks, without their comments."""
    lines = "".join(blocks(text, "sh")).splitlines()
    return [line.partition("  #")[0].strip() for line in lines if line.strip()]


def run(text):
    """Runs the blocks one after another, as a reader does who goes on in the same session."""
    session = {"__name__": "__main__"}
    for code in blocks(text, "python"):
        exec(compile(code, "README.md", "exec"), session)
    return session


if __name__ == "__main__":
    run(Path(sys.argv[1]).read_text(encoding="utf-8"))
