"""The data script `assets/play/claims.js`: what the models claim, for the pages that ask for it."""

import re
import subprocess
import sys
from pathlib import Path

from book.pages.kept import kept

SCRIPT = "assets/play/claims.js"
NEEDED = re.compile(r'data-needs="[^"]*\bclaims\b')  # in a page


def claims_script(root: Path, cache: Path) -> str:
    """Returns the script, by a process of its own that imports the package, if that has changed."""

    def ask() -> bytes:
        command = [sys.executable, "-m", "book.play.claims"]
        return subprocess.run(command, cwd=root, stdout=subprocess.PIPE, check=True).stdout

    package = sorted((root / "invariant_nets").rglob("*.py"))
    sources = [Path(__file__).with_name("claims.py"), *package]
    claims = kept(cache / "claims", [path.read_text() for path in sources], ask)
    return f"BOOK.data.claims = {claims.decode().strip()};\n"
