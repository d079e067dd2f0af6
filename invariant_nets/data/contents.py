"""The contents of labeled sets: features and labels, checked, in the form that models take."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from invariant_nets._arguments import int_at_least, one_of
from invariant_nets.data.ragged import pad_sets

LabelKind = Literal["binary", "classes", "numbers"]
WHOLE = r"[+-]?[0-9]+"
NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
_ABSENT = ("na", "n/a", "nan", "null", "none", "inf", "+inf", "-inf", "?", "-")

_MANY = 2**20  # classes that no one has: such labels are numbers of another thing
_ROUNDING = 2.0**-14
_LOSES_NOTHING = {
    *(torch.float32, torch.float16, torch.bfloat16),
    *(torch.bool, torch.uint8, torch.int8, torch.int16),
}


def plain(value: Any, name: str) -> Tensor:
    """Return a tensor of real numbers on the CPU, without its gradient, or raise."""
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(value).__name__}")
    if value.layout != torch.strided or value.is_quantized or value.is_meta:
        raise TypeError(f"{name} must be a dense tensor of plain numbers, got {value.layout}")
    if value.is_complex():
        raise TypeError(f"{name} must hold real numbers, got {value.dtype}")
    tensor: Tensor = value.detach().cpu()
    return tensor


def padded_sets(x: Any, name: str, n: int | None = None) -> tuple[Tensor, Tensor]:
    """Pad a sequence of sets, or raise an error that calls it by its name."""
    try:
        return pad_sets(x, n)
    except (TypeError, ValueError) as error:
        # Its messages begin with its argument's name.
        raise type(error)(str(error).replace("sets", name, 1)) from error


def padded_labels(y: Any, mask: Bool[Tensor, "sets n"], name: str) -> Tensor:
    """Pad the labels of the members of each set as the sets are, or raise."""
    rows = list(y.unbind() if isinstance(y, Tensor) else y)
    sizes = mask.sum(1).tolist()
    if len(rows) != len(sizes):
        raise ValueError(f"{name} must hold labels of {len(sizes)} sets, got {len(rows)}")
    for number, (own, size) in enumerate(zip(rows, sizes, strict=True)):
        if isinstance(own, Tensor) and own.ndim and len(own) != size:
            raise ValueError(
                f"{name} must have a label for each of the {size} members of set {number}, "
                f"got {len(own)}"
            )
    columns = [own[:, None] if isinstance(own, Tensor) and own.ndim == 1 else own for own in rows]
    return padded_sets(columns, name, mask.shape[1])[0]


def as_float32(
    x: Shaped[Tensor, "sets n d"],
    mask: Bool[Tensor, "sets n"] | None,
    name: str,
    *,
    copy: bool = True,
    has_rows: bool = True,
) -> Float[Tensor, "sets n d"]:
    """Return the numbers in float32, 0 at padding, or raise if one is not finite or loses much."""

    def at(place: Sequence[int]) -> str:
        row = f", row {place[1]}" if has_rows else ""
        return f"set {place[0]}{row}, column {place[2]}"

    floats = x.to(torch.float32, copy=copy)
    if mask is not None:
        if len(empty := (~mask.any(1)).nonzero()):
            raise ValueError(
                f"{name} must have a member in every set, got none in set {int(empty[0])}"
            )
        floats.masked_fill_(~mask[:, :, None], 0)
    if len(places := (~floats.isfinite()).nonzero()):
        place = places[0].tolist()
        raise ValueError(
            f"{name} must hold finite float32 numbers, got {x[tuple(place)].item()} in {at(place)}"
        )
    if x.dtype in _LOSES_NOTHING:
        return floats
    exact, rows = x.to(torch.float64), floats
    exact, rows = (v.flatten(0, 1) if mask is None else v[mask] for v in (exact, rows))
    if (lost := first_lost(rows, exact, not x.is_floating_point())) is not None:
        row, column = lost
        numbers = divmod(row, x.shape[1]) if mask is None else mask.nonzero()[row].tolist()
        place = [*numbers, column]
        raise ValueError(
            f"{name} must keep its digits as float32, got {x[tuple(place)].item()} in {at(place)}, "
            f"which becomes {floats[tuple(place)].item()}: {ADVICE}"
        )
    return floats


ADVICE = "subtract from each feature its mean or its first value, in the type that it has"


def first_lost(
    floats: Float[Tensor, "rows d"], exact: Float[Tensor, "rows d"], whole: bool
) -> tuple[int, int] | None:
    """Return where float32 first rounds too much, of numbers of which all are whole or not."""
    error = (floats - exact).abs()
    # From 2**53 on every float64 is a whole number, and says nothing by it.
    lost = (exact == exact.round()) & (error > 0) & (exact.abs() < 2.0**53)
    if whole:
        lost |= exact.abs() > 2.0**53  # of which float64 does not hold all either
    span = exact.amax(0) - exact.amin(0)
    lost |= (error > _ROUNDING * span) & (span > 0)
    places = lost.nonzero()
    return (int(places[0, 0]), int(places[0, 1])) if len(places) else None


def instead_of(text: str) -> str:
    """Advise what to write instead of a text that is no number."""
    if text.lower() in _ABSENT:
        return "nothing is filled in, so fill it in or leave its row out"
    if any(re.fullmatch(NUMBER, text.replace(",", mark)) for mark in (".", "")):
        return "write 0.5 for 0,5 and 1000 for 1,000"
    return "write words as numbers, or name the other columns as features"


def first_lost_row(
    floats: np.ndarray[Any, Any], values: np.ndarray[Any, Any], texts: Sequence[str] | None
) -> int | None:
    """Return the first row of a column that lost too much, maybe before it came to float32."""
    exact = torch.from_numpy(values.astype(np.float64))[:, None]
    lost = first_lost(torch.from_numpy(floats)[:, None], exact, values.dtype.kind in "iu")
    if lost is not None:
        return lost[0]
    if texts is None or values.dtype.kind != "f":
        return None
    large = np.abs(values)
    for row in np.flatnonzero(large >= 2.0**53):
        text = texts[int(row)].strip()
        if re.fullmatch(WHOLE, text) and int(text) != int(np.float32(values[row])):
            return int(row)
    if large.max() * 2.0**-39 < values.max() - values.min():
        return None
    numbers = [Decimal(text.strip()) for text in texts]
    return next((row for row, number in enumerate(numbers) if number != numbers[0]), None)


def shown(value: Any) -> str:
    """Return a value as messages show it."""
    value = value.item() if isinstance(value, np.generic) else value
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def checked_labels(
    y: Any,
    kind: LabelKind,
    name: str,
    x: Shaped[Tensor, "sets n d"],
    mask: Bool[Tensor, "sets n"] | None,
    per_member: bool,
) -> Tensor:
    """Return labels in the shape and type in which they are kept, or raise."""
    labels = plain(y, name)
    lead = tuple(x.shape[: 1 + per_member])
    columns = 1 if kind == "classes" or (kind == "binary" and not per_member) else None
    _check_shape(labels, lead, columns, name)
    labels = labels.reshape(*lead, -1)
    own = mask if per_member else None
    if kind == "numbers":
        if per_member:
            return as_float32(labels, own, name)
        return as_float32(labels[:, None], None, name, has_rows=False)[:, 0]
    exact = labels.to(torch.float64)  # not all types compare
    if own is not None:
        exact = exact.masked_fill(~own[:, :, None], 0)
    if kind == "binary":
        wrong, words = (exact != 0) & (exact != 1), "the labels 0 and 1 only"
        advice = ": labels='classes' takes others"
    else:
        wrong = (exact != exact.round()) | (exact < 0) | exact.isinf()
        words, advice = "classes numbered 0, 1, …", ""
    if len(places := wrong.nonzero()):
        place = places[0].tolist()
        there = "" if kind == "binary" and not per_member else f" in set {place[0]}"
        there += f", row {place[1]}" if per_member else ""
        found = labels[tuple(place)].item()
        raise ValueError(f"{name} must hold {words}, got {found}{there}{advice}")
    return exact.to(torch.float32) if kind == "binary" else exact[..., 0].to(torch.int64)


def _check_shape(labels: Tensor, lead: tuple[int, ...], columns: int | None, name: str) -> None:
    count, shape = len(lead), tuple(labels.shape)
    end = shape[count:]
    fits = not end or (len(end) == 1 and 1 <= end[0] <= (columns or end[0]))
    if shape[:count] == lead and fits:
        return
    first = ", ".join(map(str, lead))
    alone = f"({first},)" if count == 1 else f"({first})"
    raise ValueError(f"{name} must have shape {alone} or ({first}, {columns or 'k'}), got {shape}")


def number_of_classes(labels: Int[Tensor, "*lead"], given: int | None, name: str) -> int:
    """Return the given number of classes, or one more than the largest label; or raise."""
    least = int(labels.max()) + 1
    if given is not None:
        return int_at_least("num_classes", given, least)
    if least > _MANY:
        raise ValueError(
            f"{name} must hold classes numbered 0, 1, …, got {least - 1}: number them without "
            "gaps, or give num_classes"
        )
    return least


def checked_kind(
    kind: str,
    per_member: object,
    num_classes: int | None = None,
    class_names: Sequence[str] | None = None,
) -> None:
    """Raise unless a kind of labels is one, and what is said of classes is said of them."""
    one_of("labels", kind, get_args(LabelKind))
    if per_member not in (True, False):
        raise TypeError(f"per_member must be True or False, got {per_member!r}")
    for name, value in (("num_classes", num_classes), ("class_names", class_names)):
        if value is not None and kind != "classes":
            raise ValueError(f"{name} must be left out unless labels='classes', got {value!r}")
    if class_names is None:
        return
    if isinstance(class_names, str) or not all(isinstance(name, str) for name in class_names):
        raise TypeError(f"class_names must be a sequence of names, got {class_names!r}")
    if num_classes not in (None, len(class_names)):
        raise ValueError(
            f"num_classes must be {len(class_names)} as class_names, got {num_classes}"
        )
