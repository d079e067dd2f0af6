"""Labeled sets from tables with a row per member: `.csv` and `.parquet`, read by pandas."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import torch

from invariant_nets.data.contents import (
    ADVICE,
    NUMBER,
    WHOLE,
    LabelKind,
    first_lost_row,
    instead_of,
    shown,
)
from invariant_nets.data.labeled_sets import LabeledSets

TABLES = (".csv", ".parquet")
_WORDS = "labels='classes' takes words"


class Columns(NamedTuple):
    """The roles of the columns of a table."""

    set: str
    labels: tuple[str, ...]
    split: str | None
    features: tuple[str, ...] | None

    @classmethod
    def checked(
        cls,
        set_column: str,
        label_column: str | Sequence[str],
        split_column: str | None,
        features: Sequence[str] | None,
    ) -> Columns:
        """Return the roles of the columns, or raise unless they are named by words."""
        labels = [label_column] if isinstance(label_column, str) else list(label_column)
        if isinstance(features, str):
            raise TypeError(f"features must be a sequence of columns, got {features!r}")
        split = [] if split_column is None else [split_column]
        for name in (set_column, *labels, *split, *(features or ())):
            if not isinstance(name, str):
                raise TypeError(f"columns must be named by words, got {name!r}")
        if not labels or (features is not None and not len(features)):
            raise ValueError("label_column and features must each name at least one column")
        features = None if features is None else tuple(features)
        return cls(set_column, tuple(labels), split_column, features)


def read_table(file: BinaryIO, kind: str) -> Any:
    """Return a file's rows, all of a `.csv` as texts, so that nothing is taken for anything."""
    import pandas as pd

    if kind == ".parquet":
        table = pd.read_parquet(file)
        if any(name is not None for name in table.index.names):
            table = table.reset_index()
        return table.set_axis([str(name) for name in table.columns], axis=1)
    # Without a header, so that no name is changed; names are the first row.
    texts = {"dtype": str, "na_filter": False, "skipinitialspace": True, "encoding": "utf-8-sig"}
    table = pd.read_csv(file, header=None, **texts)
    return table.iloc[1:].reset_index(drop=True).set_axis(table.iloc[0].str.strip(), axis=1)


def fault_of_csv(error: Exception) -> str | None:
    """Say why pandas could not read a `.csv`, if the reason is known."""
    if isinstance(error, UnicodeDecodeError):
        return f"must be saved in UTF-8, got another encoding ({error})"
    if str(error).startswith("No columns"):
        return "must have a row of names and a row per member, got an empty file"
    if found := re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error)):
        return (
            "must have {0} values in every line, got {2} in line {1}: separate values by commas, "
            "and put one with a comma in quotes"
        ).format(*found.groups())
    return None


def sets_of_table(
    table: Any, columns: Columns, labels: LabelKind, per_member: bool
) -> tuple[LabeledSets, LabeledSets | None]:
    """Return the sets of a table, and those of its test split; or raise an error that says why."""
    names = _checked_names(table, columns)
    if not len(table):
        raise ValueError("a row per member is needed, got none")
    rows = Rows.of_column(table[columns.set])
    x = np.stack([rows.floats(table[name]) for name in names], axis=1)
    class_names = None
    if labels == "classes":
        y, class_names = rows.classes(table[columns.labels[0]])
    elif labels == "numbers":
        y = np.stack([rows.floats(table[name]) for name in columns.labels], axis=1)
    else:
        y = np.stack([rows.numbers(table[name], _WORDS) for name in columns.labels], axis=1)
    if not per_member:
        for number, name in enumerate(columns.labels):
            rows.check_constant(y if y.ndim == 1 else y[:, number], table[name])
    try:
        sets = rows.sets(x, y, labels, per_member, class_names)
    except ValueError as error:
        if not str(error).startswith("y must"):
            raise
        raise ValueError(f"column {columns.labels[0]!r} {str(error)[2:]}") from error
    if columns.split is None or columns.split not in table:
        return sets, None
    test = rows.is_test(table[columns.split])
    if test.all():
        raise ValueError(f"column {columns.split!r} must leave a set to train on, got 'test' only")
    parts = [np.flatnonzero(part) for part in (~test, test)]
    train, *rest = (sets.select(torch.from_numpy(part)) for part in parts if len(part))
    return train, rest[0] if rest else None


def _checked_names(table: Any, columns: Columns) -> list[str]:
    names = list(table.columns)
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"each column must have a name of its own, got {twice[0]!r} twice")
    split = () if columns.split is None else (columns.split,)
    roles = [columns.set, *columns.labels, *split, *(columns.features or ())]
    if twice := [name for name in roles if roles.count(name) > 1]:
        raise ValueError(f"a column can be one thing only, got {twice[0]!r} as two")
    needed = [columns.set, *columns.labels, *(columns.features or ())]
    if columns.split not in (None, "split"):  # what was named must be there
        needed.append(columns.split)
    if missing := [name for name in needed if name not in names]:
        advice = "set_column, label_column, split_column and features name yours"
        if len(names) == 1 and re.search(r"[;\t|]", names[0]):
            advice = "separate the columns by commas"
        raise ValueError(
            f"the columns {', '.join(map(repr, missing))} are needed, got only "
            f"{', '.join(map(repr, names[:20]))}{', …' * (len(names) > 20)}: {advice}"
        )
    found = list(columns.features or (name for name in names if name not in roles))
    if not found:
        raise ValueError(f"a column of features is needed besides {', '.join(map(repr, names))}")
    for name in found:
        if not columns.features and (not name or name.startswith(("Unnamed:", "__index_level"))):
            raise ValueError(
                f"every feature must have a name, got {name!r}: it may be the number of the row, "
                "and no feature; drop it, or name the features"
            )
    return found


class Rows:
    """The set of each row, and the names of the sets."""

    def __init__(self, codes: np.ndarray[Any, Any], ids: Any = None) -> None:
        self.codes, self.ids = codes, ids
        self.order = np.argsort(self.codes, kind="stable")
        self.sizes = np.bincount(self.codes)
        self.first = self.order[np.cumsum(self.sizes) - self.sizes]

    @classmethod
    def of_column(cls, column: Any) -> Rows:
        """Number the sets in the order in which a column first names them, or raise."""
        import pandas as pd

        ids = column.str.strip() if _is_text(column) else column
        missing = ids.isna() | (ids == "")
        if missing.any():
            raise ValueError(
                f"column {column.name!r} must name the set of each row, got nothing in row "
                f"{int(np.flatnonzero(missing)[0])} of the table"
            )
        return cls(*pd.factorize(ids))

    def at(self, row: int) -> str:
        """Say where a row is."""
        own = int((self.codes[:row] == self.codes[row]).sum())
        return f"set {shown(self.ids[self.codes[row]])}, row {own}"

    def numbers(self, column: Any, advice: str = "") -> np.ndarray[Any, Any]:
        """Return the numbers of a column, of 64 bits if they are written as texts."""
        values, texts = self._plain(column, advice)
        if texts is None:
            return values
        if (texts.str.fullmatch(WHOLE)).all():
            try:
                return values.astype(np.int64)
            except OverflowError:
                pass
        return values.astype(np.float64)

    def floats(self, column: Any) -> np.ndarray[Any, Any]:
        """Return the numbers of a column in float32, or raise if they lose too much."""
        values = self.numbers(column)
        with np.errstate(over="ignore"):
            floats = values.astype(np.float32)
        if len(rows := np.flatnonzero(~np.isfinite(floats))):
            raise ValueError(
                f"column {column.name!r} must hold finite float32 numbers, got "
                f"{shown(column.iloc[rows[0]])} in {self.at(rows[0])}"
            )
        row = first_lost_row(floats, values, column.tolist() if _is_text(column) else None)
        if row is not None:
            raise ValueError(
                f"column {column.name!r} must keep its digits as float32, got "
                f"{shown(column.iloc[row])} in {self.at(row)}, which becomes {floats[row]}: "
                f"{ADVICE}"
            )
        return floats

    def classes(self, column: Any) -> tuple[np.ndarray[Any, Any], tuple[str, ...] | None]:
        """Return the numbers of classes, and their names if they are named, in sorted order."""
        if hasattr(column, "cat"):
            column = column.astype(column.cat.categories.dtype)
        if _is_text(column):
            texts = column.str.strip()
            if not (texts.isna() | (texts == "") | texts.str.fullmatch(NUMBER)).all():
                self._check_present(column, texts)
                names, codes = np.unique(texts.to_numpy(dtype=object), return_inverse=True)
                return codes.astype(np.int64), tuple(names.tolist())
        return self.numbers(column), None

    def check_constant(self, values: np.ndarray[Any, Any], column: Any) -> None:
        """Raise unless all rows of a set have one value."""
        first = self.first[self.codes]
        if len(rows := np.flatnonzero(values != values[first])):
            row = int(rows[0])
            raise ValueError(
                f"column {column.name!r} must be the same in all rows of a set, got "
                f"{shown(column.iloc[first[row]])} and {shown(column.iloc[row])} in "
                f"{self.at(row)}"
            )

    def is_test(self, column: Any) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Return of each set whether it is of the test split."""
        texts = (column.str.strip() if _is_text(column) else column).to_numpy(dtype=object)
        if len(rows := np.flatnonzero((texts != "train") & (texts != "test"))):
            raise ValueError(
                f"column {column.name!r} must hold 'train' or 'test', got "
                f"{shown(column.iloc[rows[0]])} in {self.at(int(rows[0]))}: if it is a feature, "
                "give split_column=None"
            )
        self.check_constant(texts == "test", column)
        return texts[self.first] == "test"  # type: ignore[no-any-return]

    def sets(
        self,
        x: np.ndarray[Any, Any],
        y: np.ndarray[Any, Any],
        labels: LabelKind,
        per_member: bool,
        class_names: Sequence[str] | None = None,
    ) -> LabeledSets:
        """Put the rows of each set together."""
        sizes = self.sizes.tolist()
        rows = torch.split(torch.from_numpy(x[self.order]), sizes)
        own = torch.from_numpy(y[self.order if per_member else self.first])
        return LabeledSets(
            rows,
            torch.split(own, sizes) if per_member else own,
            labels=labels,
            per_member=per_member,
            class_names=class_names,
        )

    def _plain(self, column: Any, advice: str) -> tuple[np.ndarray[Any, Any], Any | None]:
        """Return what a column holds, and its texts if it holds texts; or raise."""
        texts = column.str.strip() if _is_text(column) else None
        self._check_present(column, column if texts is None else texts)
        if texts is None:
            if (kind := column.dtype.kind) not in "iuf":
                raise ValueError(
                    f"column {column.name!r} must hold numbers, got {column.dtype} such as "
                    f"{shown(column.iloc[0])} in {self.at(0)}"
                )
            dtype = np.dtype(f"{kind}{column.dtype.itemsize}")  # also of what may have gaps
            return column.to_numpy(dtype=dtype, copy=True), None
        if not (numbers := texts.str.fullmatch(NUMBER).astype(bool)).all():
            row = int(np.flatnonzero(~numbers)[0])
            raise ValueError(
                f"column {column.name!r} must hold numbers, got {shown(column.iloc[row])} in "
                f"{self.at(row)}: {advice or instead_of(texts.iloc[row])}"
            )
        return texts.to_numpy(dtype=object), texts

    def _check_present(self, column: Any, values: Any) -> None:
        if len(rows := np.flatnonzero(values.isna() | (values == ""))):
            row = int(rows[0])
            raise ValueError(
                f"column {column.name!r} must have a value in every row, got none in {self.at(row)}"
            )


def _is_text(column: Any) -> bool:
    import pandas as pd

    return bool(pd.api.types.is_string_dtype(column))
