"""Calls in double precision, of functions whose weights are in another one."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

_DOUBLE = {
    torch.float16: torch.float64,
    torch.bfloat16: torch.float64,
    torch.float32: torch.float64,
    torch.complex32: torch.complex128,
    torch.complex64: torch.complex128,
}
_CASTS = ("float", "half", "bfloat16", "cfloat", "chalf")
_ASSIGNMENTS = ("__set__", "__setitem__", "__iadd__", "__isub__", "__imul__", "__itruediv__")


class DoublePrecision(TorchFunctionMode):
    """Lets each function of torch take and return double precision instead of any other.

    Weights and whatever else a function holds are converted where they are used, and stay as they
    are. Code that is compiled runs uncompiled meanwhile.
    """

    def __enter__(self) -> DoublePrecision:
        self._stance = torch.compiler.set_stance("force_eager")
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]
        self._stance.__exit__(*error)

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs, name = kwargs or {}, getattr(func, "__name__", "")
        if name == "__get__":  # an attribute, such as the type of numbers
            return in_double(func(*args, **kwargs))
        if name in _CASTS:
            return in_double(args[0])
        in_place = name in _ASSIGNMENTS or (name.endswith("_") and not name.endswith("__"))
        kept = {"out": kwargs["out"]} if "out" in kwargs else {}
        converted = {key: in_double(value) for key, value in kwargs.items()}
        result = func(*args[:in_place], *in_double(args[in_place:]), **(converted | kept))
        return result if in_place or kept else in_double(result)


def in_double(value: Any) -> Any:
    """Return tensors, and types of numbers, in double precision; anything else as it is."""
    if isinstance(value, Tensor):
        return value.to(_DOUBLE[value.dtype]) if value.dtype in _DOUBLE else value
    if isinstance(value, torch.dtype):
        return _DOUBLE.get(value, value)
    if type(value) in (list, tuple):
        return type(value)(in_double(part) for part in value)
    if type(value) is dict:
        return {key: in_double(part) for key, part in value.items()}
    return value
