"""Files and folders to write to: checked before the work, whole or not there after it."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path


def output_file(name: str, path: str | os.PathLike[str], extensions: Sequence[str]) -> Path:
    """Return the path, or raise unless a file with one of some extensions can be written there."""
    file = Path(path)
    if file.suffix.lower() not in extensions:
        raise ValueError(f"{name} must end in {' or '.join(extensions)}, got {os.fspath(path)!r}")
    if file.is_dir():
        raise IsADirectoryError(f"{name} must be a file, got the folder {file}")
    if not file.parent.is_dir():
        raise FileNotFoundError(f"{name} must be in a folder that exists, got {file}")
    try:
        with tempfile.TemporaryFile(dir=file.parent):
            pass
    except OSError as error:
        message = f"{name} must be in a folder to write to, got {file} ({error.strerror or error})"
        raise type(error)(message) from error
    return file


def write_whole(file: Path, contents: bytes) -> None:
    """Write a file under another name, and rename it: at no moment is there a part of it."""
    partial = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        with open(partial, "wb") as stream:
            stream.write(contents)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(partial, file)
    except OSError as error:
        raise type(error)(f"{file} could not be written ({error.strerror or error})") from error
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def make_folder(name: str, folder: Path) -> None:
    """Make a folder if it is not there, or raise if it can be neither made nor written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        message = f"{name} must be a folder to write to, got {folder} ({error.strerror or error})"
        raise type(error)(message) from error
