"""A wheel in a new environment: `python -m tests.release.fresh dist` tries the README with it.

The environment holds what `pip install '.[plot,tables]'` brings, at the versions of
constraints.txt, and nothing of this repository. Everything runs in an empty folder.
"""

import os
import shlex
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from tests.release.examples import commands
from tests.release.inside import ROOT, both

QUICK = "--models deep-sets mlp --epochs 2"


def table(sets=60, members=4):
    """Lines of a table as the README tells it: a row per member, with its set and its label."""
    yield "set,label,height,width"
    for number in range(sets):
        for member in range(member_count := members + number % 3):
            yield f"{number},{number % 2},{(number % 2) + member / member_count},{member}"


def main(folder):
    """Installs, checks that the pieces fit, and runs what the README shows."""
    wheel, _ = both(folder.resolve())
    # No variable of this repository's own environment, no folder on the path of imports.
    own = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    readme = ROOT / "README.md"
    with tempfile.TemporaryDirectory() as place:
        venv.create(Path(place) / "new", with_pip=True)
        python = Path(place) / "new" / "bin" / "python"
        empty = Path(place) / "empty"
        empty.mkdir()

        def call(*words):
            print("$", *words, flush=True)
            subprocess.run([python, "-I", *words], cwd=empty, env=own, check=True)

        pip = ("-m", "pip", "--quiet", "--disable-pip-version-check")
        constraints = ROOT / "constraints.txt"
        # Not compiled: of what is installed, little is imported here.
        call(*pip, "install", "--no-compile", "-c", constraints, f"{wheel}[plot,tables]")
        call(*pip, "check")
        call(ROOT / "tests" / "release" / "examples.py", readme)
        (empty / "sets.csv").write_text("\n".join(table()) + "\n", encoding="utf-8")
        (command,) = [c for c in commands(readme.read_text("utf-8")) if "compare --data" in c]
        call(*shlex.split(command)[1:], *shlex.split(QUICK))
        made = {path.name for path in empty.iterdir()}
        if not {"sets.html"} <= made <= {"sets.csv", "sets.html", "sets.json"}:
            raise SystemExit(f"the command must write sets.html, got {sorted(made)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
