r"""Labeled sets from a file: NumPy's `.npz` or torch's `.pt`. No code in a file is ever run."""

from __future__ import annotations

import os
import pickle
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from invariant_nets.data.labeled_sets import LabeledSets

_KEYS = ("x", "y", "mask")
_SUFFIX = "_test"
_HARMFUL = "holds pickled objects, which could run code and are never loaded"


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
    | `x` | $(N, n, d)$ | the sets, of any real type |
    | `y` | $(N,)$ or $(N, 1)$ | the labels 0 and 1, of any real type or of bool |
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
    readers = {".npz": _read_npz, ".pt": _read_pt}
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; a file .npz or .pt is needed")
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file")
    if path.suffix.lower() not in readers:
        raise SetFileError(f"{path} must end in .npz or .pt, got {path.suffix or 'no extension'}")
    if not path.is_file():
        raise SetFileError(f"{path} is no regular file")
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise type(error)(f"{path} cannot be read: {error.strerror or error}") from error
    values = readers[path.suffix.lower()](path)
    try:
        return _checked(values)
    except (TypeError, ValueError, RuntimeError) as error:
        raise SetFileError(f"{path}: {error}") from error


def _checked(values: Mapping[str, Any]) -> SetFile:
    if missing := [key for key in ("x", "y") if key not in values]:
        there = ", ".join(map(str, values)) or "no key"
        raise ValueError(
            f"the keys x and y are needed, got {there}, without {' and '.join(missing)}"
        )
    test_keys = [key + _SUFFIX for key in _KEYS if key + _SUFFIX in values]
    for key in (f"x{_SUFFIX}", f"y{_SUFFIX}"):
        if test_keys and key not in test_keys:
            raise ValueError(f"a test split needs {key}, got {', '.join(test_keys)} only")
    train = LabeledSets(values["x"], values["y"], values.get("mask"))
    if not test_keys:
        return SetFile(train, None)
    x, y, mask = (values.get(key + _SUFFIX) for key in _KEYS)
    test = LabeledSets(x, y, mask, suffix=_SUFFIX)  # type: ignore[arg-type]
    free = isinstance(values["x"], Tensor), isinstance(x, Tensor)
    if test.d != train.d or (all(free) and test.n != train.n):
        raise ValueError(
            f"x{_SUFFIX} must have shape (sets, {train.n}, {train.d}) as x has, "
            f"got {tuple(test.x.shape)}"
        )
    rows = max(train.n, test.n)
    return SetFile(train.padded(rows), test.padded(rows))


def _read_npz(path: Path) -> dict[str, Any]:
    if not zipfile.is_zipfile(path):
        raise SetFileError(f"{path} is torn or no .npz: it is not the zip archive that one is")
    values: dict[str, Any] = {}
    try:
        with np.load(path, allow_pickle=False) as archive:
            keys = archive.files
            wanted = {key + suffix for key in _KEYS for suffix in ("", _SUFFIX)}
            # Others are named in messages, and not read.
            values = {key: archive[key] if key in wanted else None for key in keys}
    except Exception as error:  # whatever a damaged file makes NumPy raise
        if "allow_pickle" in str(error):
            raise SetFileError(f"{path} {_HARMFUL}") from error
        raise _damaged(path, error) from error
    return {
        key: None if array is None else _tensor(path, key, array) for key, array in values.items()
    }


def _tensor(path: Path, key: str, array: Any) -> Tensor:
    kind = array.dtype.kind if isinstance(array, np.ndarray) else ""
    if not kind or kind not in "fiub":
        came = f"dtype {array.dtype}" if kind else "no array"
        raise SetFileError(f"{path}: {key} must be an array of real numbers or of bool, got {came}")
    # Torch has neither long doubles nor a foreign byte order, and of unsigned types the bytes only.
    size = min(array.dtype.itemsize, 8)
    kind, size = ("i", 2 * size) if kind == "u" and 1 < size < 8 else (kind, size)
    kind = "f" if kind == "u" and size == 8 else kind
    with np.errstate(over="ignore"):
        return torch.from_numpy(np.ascontiguousarray(array, dtype=f"={kind}{size}"))


def _read_pt(path: Path) -> dict[str, Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            contents = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever a damaged file makes torch raise
        if isinstance(error, pickle.UnpicklingError) and "GLOBAL" in str(error):
            message = f"{path} {_HARMFUL}: save tensors only, no arrays and no datasets"
            raise SetFileError(message) from error
        raise _damaged(path, error) from error
    if isinstance(contents, Mapping):
        values = dict(contents)
    elif isinstance(contents, tuple | list) and len(contents) in (2, 3):
        values = dict(zip(_KEYS, contents, strict=False))
    else:
        came = type(contents).__name__
        if isinstance(contents, tuple | list):
            came += f" of {len(contents)}"
        raise SetFileError(
            f"{path} must hold a dict with x and y, or a tuple (x, y) or (x, y, mask), got {came}"
        )
    for key in ("y", f"y{_SUFFIX}"):
        if isinstance(values.get(key), list | tuple):
            values[key] = _label_list(values[key])
    return values


def _label_list(y: Sequence[Any]) -> Any:
    numbers = [
        label.item() if isinstance(label, Tensor) and label.numel() == 1 else label for label in y
    ]
    alike = all(isinstance(number, bool | int | float) for number in numbers)
    return torch.tensor(numbers, dtype=torch.float64) if alike else y


def _damaged(path: Path, error: Exception) -> SetFileError:
    kind = path.suffix.lower()
    # Torch's advice on loading what it refused is not for this file.
    reason = "" if isinstance(error, pickle.UnpicklingError) else " ".join(str(error).split())[:120]
    return SetFileError(f"{path} is torn, damaged or no {kind} ({reason or type(error).__name__})")
