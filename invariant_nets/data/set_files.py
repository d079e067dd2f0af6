r"""Labeled sets from a file: NumPy's `.npz` or torch's `.pt`. No code in a file is ever run."""

from __future__ import annotations

import os
import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import torch

from invariant_nets._files import explained
from invariant_nets.data.labeled_sets import LabeledSets

_KEYS = ("x", "y", "mask", "x_test", "y_test", "mask_test")


class SetFileError(ValueError):
    """A file that does not hold labeled sets; the message names it and says why."""


class SetFile(NamedTuple):
    """What a file holds; made by `load_sets`.

    Attributes:
        train: the sets.
        test: those of the file's own test split, if it has one.
    """

    train: LabeledSets
    test: LabeledSets | None


def load_sets(path: str | os.PathLike[str]) -> SetFile:
    r"""Read sets and labels from a file.

    | key | shape | |
    |---|---|---|
    | `x` | $(N, n, d)$ | the sets, of any real type that torch has |
    | `y` | $(N,)$ or $(N, 1)$ | the labels 0 and 1, of such a type or of bool |
    | `mask` | $(N, n)$ | optional, of bool: true where a member is |
    | `x_test`, `y_test`, `mask_test` | | optional, a test split of the same kind |

    An `.npz` holds them as arrays. A `.pt` holds a dict of tensors, or a tuple `(x, y)` or
    `(x, y, mask)`; there, `x` may be a list of sets of different sizes, $(n_i, d)$ each. Other keys
    are left alone.

    Args:
        path: a file whose name ends in `.npz` or `.pt`.

    Returns:
        The sets, and those of the test split or None. Both are padded to one number of rows.

    Raises:
        FileNotFoundError: if there is no such file.
        IsADirectoryError: if it is a folder.
        OSError: if it cannot be read.
        SetFileError: if it is torn, of another format, holds pickled objects, lacks a key, or what
            it holds is not what the table says.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "sets.npz"
        ...     np.savez(path, x=np.zeros((8, 10, 5)), y=np.arange(8) % 2)
        ...     train, test = load_sets(path)
        >>> train.x.shape, train.counts, test
        (torch.Size([8, 10, 5]), (4, 4), None)

    Used in chapter 11.
    """
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; a file .npz or .pt is needed")
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file")
    if (kind := path.suffix.lower()) not in _READERS:
        raise SetFileError(f"{path} must end in .npz or .pt, got {path.suffix or 'no extension'}")
    with explained(f"{path} cannot be read"), open(path, "rb") as file:
        try:
            contents = _READERS[kind](file)
        except Exception as error:  # whatever a damaged file makes NumPy or torch raise
            raise SetFileError(f"{path} {_reason(error, kind)}") from error
    try:
        return _checked(contents)
    except (TypeError, ValueError, RuntimeError) as error:
        raise SetFileError(f"{path}: {error}") from error


def _read_npz(file: BinaryIO) -> dict[str, Any]:
    if not zipfile.is_zipfile(file):
        raise zipfile.BadZipFile("it is not the zip archive that one is")
    file.seek(0)
    with np.load(file, allow_pickle=False) as archive:
        # Others are named in messages, and not read.
        return {key: archive[key] if key in _KEYS else None for key in archive.files}


def _read_pt(file: BinaryIO) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.load(file, map_location="cpu", weights_only=True)


_READERS = {".npz": _read_npz, ".pt": _read_pt}


def _reason(error: Exception, kind: str) -> str:
    text = " ".join(str(error).split())
    unpickling = isinstance(error, pickle.UnpicklingError)
    if "allow_pickle" in text or (unpickling and "GLOBAL" in text):
        return (
            "holds pickled objects, which could run code and are never loaded: save arrays of "
            "numbers in an .npz, tensors in a .pt"
        )
    # Torch's advice on loading what it refused is not for this file.
    what = "" if unpickling else text[:120]
    return f"is torn, damaged or no {kind} ({what or type(error).__name__})"


def _checked(contents: Any) -> SetFile:
    if isinstance(contents, tuple | list) and len(contents) <= 3:
        contents = dict(zip(("x", "y", "mask"), contents, strict=False))
    if not isinstance(contents, Mapping):
        raise TypeError(
            "it must hold a dict with x and y, or a tuple (x, y) or (x, y, mask), got "
            f"{type(contents).__name__}"
        )
    train = _sets(contents, "")
    if not any(f"{key}_test" in contents for key in ("x", "y", "mask")):
        return SetFile(train, None)
    test = _sets(contents, "_test")
    whole = all(not isinstance(contents[key], list | tuple) for key in ("x", "x_test"))
    if test.d != train.d or (whole and test.n != train.n):
        raise ValueError(
            f"x_test must have shape (sets, {train.n}, {train.d}) as x has, "
            f"got {tuple(test.x.shape)}"
        )
    rows = max(train.n, test.n)
    return SetFile(train.padded(rows), test.padded(rows))


def _sets(contents: Mapping[str, Any], suffix: str) -> LabeledSets:
    keys = [f"{key}{suffix}" for key in ("x", "y", "mask")]
    if missing := [key for key in keys[:2] if key not in contents]:
        there = ", ".join(map(str, contents)) or "no key"
        raise ValueError(
            f"the keys {' and '.join(keys[:2])} are needed, got {there}, "
            f"without {' and '.join(missing)}"
        )
    x, y, mask = (_tensor(key, contents.get(key)) for key in keys)
    return LabeledSets(x, y, mask, suffix=suffix)


def _tensor(key: str, value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    try:
        return torch.from_numpy(value.astype(value.dtype.newbyteorder("="), copy=False))
    except TypeError:
        kind = value.dtype
        raise TypeError(
            f"{key} must be of numbers or bools as torch has them, got {kind}"
        ) from None
