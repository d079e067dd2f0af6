r"""Checkpoints that are whole or not there: what is written survives being killed while writing.

A file is written under another name, forced to the disk and then renamed, which is one step for
the file system; the one before it is kept. Each begins with the SHA-256 of its contents, so that a
torn or altered file is known before it is read.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
from pathlib import Path
from typing import Any

import torch

from invariant_nets._arguments import warn
from invariant_nets._files import explained, make_folder, write_whole

_MAGIC = b"invariant_nets checkpoint 1\n"
_DIGEST_BYTES = 64
LAST, PREVIOUS = "last.ckpt", "previous.ckpt"


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message names the file and the reason."""


class CheckpointFolder:
    r"""A folder with the last two checkpoints of a training run.

    Args:
        folder: the folder; it is made if it does not exist.

    Raises:
        OSError: if the folder can be neither made nor written to.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as path:
        ...     folder = CheckpointFolder(path)
        ...     folder.save({"epoch": 1, "weights": torch.zeros(3)})
        ...     folder.load()
        {'epoch': 1, 'weights': tensor([0., 0., 0.])}

    Used by `Trainer` and `BinaryTrainer`.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = make_folder("checkpoint", folder)

    def save(self, state: dict[str, Any]) -> None:
        """Write a checkpoint, and keep the one before it.

        Args:
            state: numbers, strings and tensors, in dicts, lists and tuples.

        Raises:
            OSError: if it cannot be written, for example for lack of space; the last one is then
                intact.
        """
        buffer = io.BytesIO()
        torch.save(state, buffer)
        contents = buffer.getvalue()
        with explained(f"checkpoint could not be written to {self.folder}; the last one is intact"):
            write_whole(self.folder / LAST, _head(contents) + contents, self.folder / PREVIOUS)

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
                warn(f"{problem}; the one before it is used", RuntimeWarning)
            return state
        if problems:
            raise CheckpointError("; ".join(problems))
        return None


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
