"""The folders of a comparison's checkpoints: each says of which training it is."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

from invariant_nets._output_files import write_whole
from invariant_nets.checkpoint import LAST, PREVIOUS, CheckpointError
from invariant_nets.tasks import Setting

SETTINGS = "settings.json"


def make_folder(name: str, folder: Path) -> None:
    """Make a folder if it is not there, or raise if it can be neither made nor written to."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        message = f"{name} must be a folder to write to, got {folder} ({error.strerror or error})"
        raise type(error)(message) from error


def check(folder: Path, settings: Mapping[str, Setting]) -> None:
    """Raise if the folder has checkpoints of a training with other settings.

    Raises:
        CheckpointError: if it has, or if it does not say of which training they are.
    """
    file = folder / SETTINGS
    if not any((folder / name).exists() for name in (SETTINGS, LAST, PREVIOUS)):
        return
    try:
        before = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(before, dict):
            raise ValueError("no object")
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file} does not say of which training the folder is") from error
    for key in dict.fromkeys((*settings, *before)):
        if before.get(key) != settings.get(key):
            raise CheckpointError(
                f"{folder} is of a training with {key} {before.get(key)}, not "
                f"{settings.get(key)}: give the same settings, or another folder"
            )


def claim(folder: Path, settings: Mapping[str, Setting]) -> None:
    """Make the folder of a training, and write down its settings."""
    make_folder("checkpoint", folder)
    write_whole(folder / SETTINGS, (json.dumps(settings, indent=1) + "\n").encode())
