"""Calls that disturb nothing."""

from __future__ import annotations

import contextlib
import functools
import inspect
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from invariant_nets._sets import modes_kept

_DEPTH = 12  # of functions in functions
_FOREIGN = ("torch", "numpy")  # whose functions hold nothing of a user
_REGISTERED = ("_parameters", "_buffers", "_modules")


class Held:
    """The modules and generators that a function was found to use.

    They are those of a module, a method, a partial, an object that can be called, and what a
    function encloses, takes by default or names among its globals.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.modules: list[nn.Module] = []
        self.generators: list[torch.Generator | np.random.Generator | random.Random] = []
        self._seen: set[int] = set()
        self._find(function, _DEPTH)

    def _find(self, value: Any, depth: int) -> None:
        if id(value) in self._seen or depth < 0:
            return
        self._seen.add(id(value))
        if isinstance(value, nn.Module):
            modules = [m for m in value.modules() if m not in self.modules]
            self.modules += modules
            for module in modules:
                own = vars(module).items()
                self._all((value for name, value in own if name not in _REGISTERED), depth)
        elif isinstance(value, torch.Generator | np.random.Generator | random.Random):
            self.generators.append(value)
        elif isinstance(value, Mapping):
            self._all(value.values(), depth)
        elif isinstance(value, list | tuple):
            self._all(value, depth)
        elif isinstance(value, functools.partial):
            self._all((value.func, *value.args, *value.keywords.values()), depth)
        elif inspect.ismethod(value):
            owner = value.__self__
            known = isinstance(owner, nn.Module) or not hasattr(owner, "__dict__")
            self._all([owner] if known else vars(owner).values(), depth)
            self._find(value.__func__, depth - 1)
        elif inspect.isfunction(value):
            if (value.__module__ or "").partition(".")[0] not in _FOREIGN:
                self._all(_enclosed(value), depth)
        elif callable(value) and not isinstance(value, type) and hasattr(value, "__dict__"):
            self._all(vars(value).values(), depth)

    def _all(self, values: Any, depth: int) -> None:
        for value in list(values):
            self._find(value, depth - 1)


def _enclosed(function: Any) -> list[Any]:
    found = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    for cell in function.__closure__ or ():
        with contextlib.suppress(ValueError):  # an empty cell
            found.append(cell.cell_contents)
    names = function.__code__.co_names
    return found + [function.__globals__[name] for name in names if name in function.__globals__]


@contextlib.contextmanager
def undisturbed(held: Held) -> Iterator[None]:
    """Evaluation mode inside; modes, buffers and all random states as before afterwards."""
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    buffers = [
        (buffer, buffer.clone())
        for module in held.modules
        for buffer in module._buffers.values()
        if buffer is not None and buffer.layout == torch.strided and not is_lazy(buffer)
    ]
    with contextlib.ExitStack() as undo:
        undo.enter_context(torch.random.fork_rng())
        undo.callback(random.setstate, python_state)
        undo.callback(np.random.set_state, numpy_state)
        for generator in held.generators:
            undo.callback(_restore(generator))
        for module in undo.enter_context(modes_kept(nn.ModuleList(held.modules))):
            module.training = False
        for buffer, before in buffers:
            undo.callback(_put_back, buffer, before)
        yield


def _restore(generator: Any) -> Callable[[], Any]:
    if isinstance(generator, torch.Generator):
        return functools.partial(generator.set_state, generator.get_state())
    if isinstance(generator, random.Random):
        return functools.partial(generator.setstate, generator.getstate())
    state = generator.bit_generator.state
    return functools.partial(setattr, generator.bit_generator, "state", state)


def _put_back(buffer: Tensor, before: Tensor) -> None:
    if not torch.equal(buffer, before):
        buffer.copy_(before)
