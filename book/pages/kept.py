"""Keeps on disk what takes long to make and depends on nothing but a few texts."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path


def kept(folder: Path, depends_on: list[str], make: Callable[[], str]) -> str:
    """Returns what `make` makes, which runs only if the folder has it of no earlier time."""
    file = folder / hashlib.sha256("\0".join(depends_on).encode()).hexdigest()
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(f".{os.getpid()}")
        partial.write_text(make())
        partial.replace(file)
    return file.read_text()
