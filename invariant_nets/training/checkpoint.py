r"""Checkpoints that are whole or not there: what is written survives being killed while writing.

A file is written under another name, forced to the disk and then renamed, which is one step for
the file system; the one before it is kept. Each begins with the SHA-256 of its contents, so that a
torn or altered file is known before it is read.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import pickle
import shutil
import warnings
from pathlib import Path
from typing import Any

import torch

_MAGIC = b"invariant_nets checkpoint 1\n"
_DIGEST_BYTES = 64
LAST, PREVIOUS = "last.ckpt", "previous.ckpt"


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message names the file and says why."""


class CheckpointFolder:
    r"""A folder with the last two checkpoints of a training run.

    Args:
        folder: where they are kept; it is made if it is not there.

    Raises:
        OSError: if the folder can be neither made nor written to.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as path:
        ...     folder = CheckpointFolder(path)
        ...     folder.save({"epoch": 1, "weights": torch.zeros(3)})
        ...     folder.load()
        {'epoch': 1, 'weights': tensor([0., 0., 0.])}

    Used by `BinaryTrainer`; chapter 10 mentions it.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write(b"", "writable")
            (self.folder / "writable").unlink()
        except OSError as error:
            raise _explained(error, f"checkpoint must be a folder to write to: {folder}") from error

    def save(self, state: dict[str, Any]) -> None:
        """Write a checkpoint, and keep the one before it.

        Args:
            state: numbers, strings and tensors, in dicts, lists and tuples.

        Raises:
            OSError: if it cannot be written, for want of space, say; the last one is then intact.
        """
        buffer = io.BytesIO()
        torch.save(state, buffer)
        contents = buffer.getvalue()
        last = self.folder / LAST
        try:
            self._write(_head(contents) + contents, f"{LAST}.partial")
            if last.exists():
                self._keep(last)
            os.replace(self.folder / f"{LAST}.partial", last)
        except OSError as error:
            with contextlib.suppress(OSError):
                (self.folder / f"{LAST}.partial").unlink(missing_ok=True)
            message = f"checkpoint could not be written to {self.folder}; the last one is intact"
            raise _explained(error, message) from error

    def load(self) -> dict[str, Any] | None:
        """Return the last checkpoint, or None if there is none yet.

        If it cannot be used, a `RuntimeWarning` says why, and the one before it is returned.

        Raises:
            CheckpointError: if there are checkpoints and none can be used.
        """
        found = [path for name in (LAST, PREVIOUS) if (path := self.folder / name).exists()]
        problems = []
        for path in found:
            try:
                state = _read(path)
            except (OSError, CheckpointError) as error:
                problems.append(str(error))
                continue
            for problem in problems:
                warnings.warn(f"{problem}; the one before it is used", RuntimeWarning, stacklevel=2)
            return state
        if problems:
            raise CheckpointError("; ".join(problems))
        return None

    def _write(self, contents: bytes, name: str) -> None:
        with open(self.folder / name, "wb") as file:
            file.write(contents)
            file.flush()
            os.fsync(file.fileno())

    def _keep(self, last: Path) -> None:
        # A second name for the same file, so that at no moment there is none.
        second = self.folder / f"{PREVIOUS}.partial"
        second.unlink(missing_ok=True)
        try:
            os.link(last, second)
        except OSError:
            shutil.copyfile(last, second)  # some file systems have no links
        os.replace(second, self.folder / PREVIOUS)


def _head(contents: bytes) -> bytes:
    return _MAGIC + hashlib.sha256(contents).hexdigest().encode() + b"\n"


def _read(path: Path) -> dict[str, Any]:
    contents = path.read_bytes()
    head = len(_MAGIC) + _DIGEST_BYTES + 1
    if not contents.startswith(_MAGIC):
        raise CheckpointError(f"{path} is no checkpoint of a training run")
    payload = contents[head:]
    if contents[:head] != _head(payload):
        raise CheckpointError(f"{path} is torn or was altered: its checksum does not match")
    # No code in a file is ever run.
    try:
        state: dict[str, Any] = torch.load(
            io.BytesIO(payload), map_location="cpu", weights_only=True
        )
    except pickle.UnpicklingError as error:
        raise CheckpointError(f"{path} holds more than tensors and plain values") from error
    return state


def _explained(error: OSError, message: str) -> OSError:
    return type(error)(error.errno, f"{message} ({error.strerror or error})")
