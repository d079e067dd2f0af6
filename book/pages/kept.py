"""Keeps on disk what takes long to make and depends on nothing but some texts."""

import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path


def kept(
    folder: Path, depends_on: Iterable[str], make: Callable[[], bytes], anew: bool = False
) -> bytes:
    """Returns what `make` makes, which runs only if the folder does not have it yet, or anew."""
    file = folder / hashlib.sha256("\0".join(depends_on).encode()).hexdigest()
    if anew or not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(f".{os.getpid()}")
        partial.write_bytes(make())
        partial.replace(file)
    return file.read_bytes()
