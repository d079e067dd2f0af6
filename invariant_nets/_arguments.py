"""Checks that several modules share; each raises an error that names what came."""

from __future__ import annotations

import importlib
import inspect
import math
import numbers
import operator
import sys
import warnings
from collections.abc import Sequence
from typing import SupportsIndex

import torch
from torch import Tensor, nn

# Fewer bits than in the fewest digits to which Python's limit can be set.
_LONG = 2_000


def positive_int(name: str, value: SupportsIndex) -> int:
    """Return `value` as an int of at least 1, or raise."""
    return int_at_least(name, value, 1)


def int_at_least(name: str, value: SupportsIndex, least: int) -> int:
    """Return `value` as an int of at least `least`, or raise."""
    if isinstance(value, bool):
        raise TypeError(f"{name} must be an integer, got the bool {value}")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}") from None
    if number < least:
        raise ValueError(f"{name} must be at least {long_int(least)}, got {long_int(number)}")
    return number


class LongInt(int):
    """An integer whose text is a power of ten where Python refuses to write out its digits."""

    def __format__(self, spec: str) -> str:
        limit = sys.get_int_max_str_digits()
        size = abs(self)
        if not limit or size < 10**limit:
            return format(int(self), spec)
        exponent = int(math.log10(size))
        sign = "-" if self < 0 else ""
        return f"{sign}{size // 10 ** (exponent - 2) / 100:.2f}·10^{exponent}"

    __str__ = __repr__ = lambda self: format(self)


def long_int(number: int) -> int:
    """Return an equal integer that every text can show."""
    return LongInt(number) if number.bit_length() > _LONG else number


def one_of(name: str, value: object, options: tuple[str, ...]) -> None:
    """Raise unless `value` is one of some words."""
    if value not in options:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, options))}, got {value!r}")


def positive_variance(name: str, value: object) -> float:
    """Return `value` as a float that is finite and above 0, or raise."""
    return _between(name, value, 0, math.inf, "be a positive, finite variance")


def step_size(name: str, value: object) -> float:
    """Return `value` as a float that is finite and above 0, or raise."""
    return _between(name, value, 0, math.inf, "be positive and finite")


def finite(name: str, value: object) -> float:
    """Return `value` as a finite float, or raise."""
    return _between(name, value, -math.inf, math.inf, "be finite")


def not_negative(name: str, value: object) -> float:
    """Return `value` as a float from 0 to infinity, both included, or raise."""
    if not isinstance(value, bool) and value in (0, math.inf):
        return float(value)
    return _between(name, value, 0, math.inf, "be at least 0")


def open_share(name: str, value: object) -> float:
    """Return `value` as a float strictly between 0 and 1, or raise."""
    return _between(name, value, 0, 1, "lie between 0 and 1")


def dropout_rate(value: object) -> float:
    """Return the probability of dropping an entry as a float from 0 to below 1, or raise."""
    if value == 0 and not isinstance(value, bool):
        return 0.0
    return _between("dropout", value, 0, 1, "lie in [0, 1)")


def _between(name: str, value: object, low: float, high: float, words: str) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    try:
        number = float(value)
    except OverflowError:  # an integer above the largest float
        number = math.inf
    if not low < number < high:
        raise ValueError(f"{name} must {words}, got {value}")
    return number


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line outside of the package that led here."""
    level, frame = 1, inspect.currentframe()
    while frame is not None and frame.f_globals.get("__name__", "").startswith("invariant_nets."):
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def need_matplotlib(name: str) -> None:
    """Raise unless matplotlib is installed, which what has this name needs."""
    _need(name, "matplotlib.figure", "plot")


def need_pandas(kind: str) -> None:
    """Raise unless what reads tables of a kind, such as `.csv`, is installed."""
    for package in ("pandas", "pyarrow")[: 1 + (kind == ".parquet")]:
        _need(f"a {kind}", package, "tables")


def _need(name: str, module: str, extra: str) -> None:
    try:
        importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        message = f"{name} needs {package}: pip install 'invariant_nets[{extra}]'"
        raise ImportError(message) from error


def set_batch(
    x: Tensor,
    *,
    n: int | None = None,
    d: int | None = None,
    like: Tensor | None = None,
    name: str = "x",
) -> None:
    """Raise unless `x` is a batch of non-empty sets, of size `n` and `d` features where given.

    It must be of the type, and on the device, of the weights `like`, where given.
    """
    dense(x, name)
    shape = x.shape
    if len(shape) == 3 and (shape[1] < 1 or shape[2] < 1):
        raise ValueError(f"{name} must hold sets with n ≥ 1 and d ≥ 1, got {tuple(shape)}")
    if len(shape) != 3 or n not in (None, shape[1]) or d not in (None, shape[2]):
        expected = f"(batch, {n or 'n'}, {d or 'd'})"
        raise ValueError(f"{name} must have shape {expected}, got {tuple(shape)}")
    of_weights(x, like, name)


def dense(x: object, name: str = "x") -> None:
    """Raise unless `x` is a tensor that holds every entry."""
    if not isinstance(x, Tensor):
        advice = f": torch.from_numpy({name})" if type(x).__name__ == "ndarray" else ""
        raise TypeError(f"{name} must be a tensor, got {type(x).__name__}{advice}")
    if x.is_nested:
        raise TypeError(
            f"{name} must be a dense tensor, got a nested one: "
            f"{name}, mask = pad_sets({name}.unbind())"
        )
    if x.layout is not torch.strided:
        raise TypeError(f"{name} must be dense, got one of {x.layout}: {name}.to_dense()")


_METHODS = {
    torch.float64: "double()",
    torch.float32: "float()",
    torch.float16: "half()",
    torch.bfloat16: "bfloat16()",
}
_CAST = (torch.float32, torch.float16, torch.bfloat16)  # what autocast makes one type of


def of_weights(x: Tensor, like: Tensor | None, name: str = "x") -> None:
    """Raise unless `x` is of the type of weights and on their device; autocast mixes some types."""
    if like is None:
        return
    here, there = x.device, like.device
    if x.dtype != like.dtype and not (
        x.dtype in _CAST and like.dtype in _CAST and autocasts(here.type)
    ):
        first = _METHODS.get(like.dtype, f"to({like.dtype})")
        second = f", or layer.{_METHODS[x.dtype]}" if x.dtype in _METHODS else ""
        raise TypeError(
            f"{name} must be of {like.dtype} as the weights are, got {x.dtype}: "
            f"{name}.{first}{second}"
        )
    if here != there:
        raise ValueError(
            f'{name} must be on {there} as the weights are, got {here}: {name}.to("{there}")'
        )


def first_weight(module: object) -> Tensor | None:
    """Return the first parameter of a module, or None."""
    return next(module.parameters(), None) if isinstance(module, nn.Module) else None


def autocasts(kind: str) -> bool:
    """Return whether autocast is on for a kind of device; some, such as meta, have none."""
    return torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)


def floating(x: Tensor) -> None:
    """Raise unless the entries of `x` are real numbers in floating point."""
    if not x.is_floating_point():
        raise TypeError(f"x must be of a floating-point type, got {x.dtype}: x.float()")


def set_mask(mask: object, x: Tensor, *axes: int, name: str = "mask") -> None:
    """Raise unless `mask` is None or says of each row of the sets `x` whether it is a member.

    With 2 `axes` it must say so of each entry of the matrices `x`; of several numbers any will do.
    What says that it was `checked` at another door is trusted.
    """
    if mask is None:
        return
    if not isinstance(mask, Tensor):
        if getattr(mask, "checked", False):
            return
        raise TypeError(f"{name} must be a tensor, got {type(mask).__name__}")
    if mask.dtype != torch.bool:
        raise TypeError(f"{name} must be of bool, True where a member is, got {mask.dtype}")
    shape, allowed = mask.shape, axes or (1,)
    if len(shape) - 1 not in allowed or shape != x.shape[: len(shape)]:
        shapes = [tuple(x.shape[: 1 + count]) for count in allowed]
        names = {2: "(batch, n)", 3: "(batch, n, d)"}
        texts = (f"{names.get(len(s), '(batch, …)')} = {s}" for s in shapes)
        raise ValueError(f"{name} must have shape {' or '.join(texts)}, got {tuple(shape)}")


def model_output(output: object, sets: int, points: tuple[int, ...] = ()) -> Tensor:
    """Return a model's output, or raise unless it is a tensor of one output per set (and point)."""
    if not isinstance(output, Tensor):
        raise TypeError(f"model must return a tensor, got {type(output).__name__}")
    if output.ndim == 0 or output.shape[0] != sets:
        raise ValueError(
            f"model must keep the batch axis: {sets} sets came in, "
            f"an output of shape {tuple(output.shape)} came out"
        )
    if output.shape[1 : 1 + len(points)] != points:
        raise ValueError(
            f"model must return one output a member to be equivariant, "
            f"(batch, {', '.join(map(str, points))}, …), got {tuple(output.shape)}"
        )
    return output


def layer_widths(first: int, hidden: Sequence[int]) -> list[int]:
    """Return the widths of a network from what comes in on; at least one must be hidden."""
    _check_sequence("hidden", hidden)
    if len(hidden) < 1:
        raise ValueError(f"hidden must hold at least one width, got {hidden!r}")
    return [first, *hidden]


def checked_widths(name: str, widths: Sequence[int]) -> list[int]:
    """Return the widths as integers of at least 1, or raise an error that says which is not."""
    _check_sequence(name, widths)
    return [positive_int(f"{name}[{k}]", width) for k, width in enumerate(widths)]


def _check_sequence(name: str, widths: object) -> None:
    if isinstance(widths, str) or not hasattr(widths, "__len__"):
        raise TypeError(f"{name} must be a sequence of widths, such as (16, 16), got {widths!r}")
