"""Files and folders to write to: checked before the work, whole or not there after it."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
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
    with explained(f"{name} must be in a folder to write to, got {file}"):
        _write_nothing(file.parent)
    return file


def make_folder(name: str, path: str | os.PathLike[str]) -> Path:
    """Make a folder if it is not there, or raise if it can be neither made nor written to."""
    folder = Path(path)
    with explained(f"{name} must be a folder to write to, got {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
        _write_nothing(folder)
    return folder


def write_whole(file: Path, contents: bytes, before: Path | None = None) -> None:
    """Write a file under another name, and rename it: at no moment is there a part of it.

    A file that was there is intact if this fails. Given the name `before`, it is kept under it.
    """
    partial = file.with_name(f"{file.name}.partial")
    try:
        with explained(f"{file} could not be written"):
            with open(partial, "wb") as stream:
                stream.write(contents)
                stream.flush()
                os.fsync(stream.fileno())
            if before is not None and file.exists():
                _keep(file, before)
            os.replace(partial, file)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


@contextlib.contextmanager
def explained(message: str) -> Iterator[None]:
    """Say what an error of the file system means, and then what it is."""
    try:
        yield
    except OSError as error:
        same = type(error)(f"{message} ({error.strerror or error})")
        same.errno = error.errno
        raise same from error


def _write_nothing(folder: Path) -> None:
    with tempfile.TemporaryFile(dir=folder):
        pass


def _keep(file: Path, before: Path) -> None:
    # A second name for the same file, so that at no moment there is none.
    second = before.with_name(f"{before.name}.partial")
    second.unlink(missing_ok=True)
    try:
        os.link(file, second)
    except OSError:
        shutil.copyfile(file, second)  # some file systems have no links
    os.replace(second, before)
