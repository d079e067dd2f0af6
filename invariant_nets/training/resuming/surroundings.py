r"""What a run depends on beside its weights, found by a walk through all that a fit is given.

Generators of random numbers are found and kept, and so is whatever has `state_dict` and
`load_state_dict`. All else must stay as it is while a model is trained, which is looked at.
"""

from __future__ import annotations

import functools
import hashlib
import pickle
import random
import sys
import sysconfig
import types
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, DistributedSampler, Sampler

_GENERATORS = (
    torch.Generator,
    np.random.Generator,
    np.random.BitGenerator,
    np.random.RandomState,
    random.Random,
)
_SCALARS = (type(None), bool, int, float, complex, str, bytes, PurePath, range, slice)
_VALUES = (*_SCALARS, torch.dtype, torch.device, torch.Size, np.generic, Tensor, np.ndarray)
_CONTAINERS = (list, tuple, dict, set, frozenset, deque)
_FUNCTIONS = (types.FunctionType, types.MethodType, functools.partial)
_PARTS = (nn.Module, torch.optim.Optimizer, Dataset, DataLoader, Sampler)

# What torch keeps in its objects for itself, or has in their `state_dict`.
_TORCHS_OWN = {
    *("_parameters", "_buffers", "_modules", "_non_persistent_buffers_set", "training"),
    *("defaults", "state", "param_groups", "step", "_step_count", "_opt_called"),
    *("_iterator", "_DataLoader__multiprocessing_context", "_DataLoader__initialized"),
    *("_zero_grad_profile_name", "_patch_step_function", "_warned_capturable_if_run_uncaptured"),
}


class Surroundings:
    """All that was found in the parts of a fit, which are given by name.

    Attributes:
        generators: sources of random numbers, in the order in which they are met.
        states: what has `state_dict` and `load_state_dict`, likewise.
        digests: one for each value that must not change, by where it is.
        unseen: why what lies there cannot be looked into.
        strangers: the names of classes and functions that neither torch nor this package wrote.
        lengths: how long the lists were that functions can fill: what they add is a record.
    """

    def __init__(
        self,
        parts: dict[str, Any],
        kept: Iterable[Any] = (),
        stateless: Iterable[Any] = (),
        lengths: dict[Any, int] | None = None,
    ) -> None:
        self.generators: list[Any] = []
        self.states: list[Any] = []
        self.digests: dict[str, bytes] = {}
        self.unseen: dict[str, str] = {}
        self.strangers: set[str] = set()
        self.lengths = {} if lengths is None else lengths
        self._kept = {id(value) for value in kept}
        self._stateless = {id(value) for value in stateless}
        self._met: dict[int, Any] = {}  # alive, so that no other has its id
        for path, value in parts.items():
            self.look(path, value, watched=True)

    def changes_since(self, start: Surroundings) -> list[str]:
        """Return where something is not what it was."""
        paths = {**start.digests, **self.digests}
        return [path for path in paths if start.digests.get(path) != self.digests.get(path)]

    def look(self, path: str, value: Any, watched: bool) -> None:
        """Look at a value and all that it holds; what is watched must not change."""
        if isinstance(value, _VALUES):
            if watched:
                self.digests[path] = self._digest(path, value)
            return
        if id(value) in self._met:
            return
        self._met[id(value)] = value
        kind, declared = type(value), id(value) in self._stateless
        if isinstance(value, _GENERATORS):
            if isinstance(value, random.SystemRandom):
                self.unseen[path] = "it draws from the operating system"
            self.generators.append(value)
            self.digests[path] = b"generator"  # one that is made later could not be put back
            return
        if id(value) not in self._kept and _has_state(value):
            if not isinstance(value, nn.Module):
                self.states.append(value)
                self.digests[path] = b"state"
                return
            if value.state_dict():
                self.states.append(value)
            self._kept |= {id(module) for module in value.modules()}
        if isinstance(value, _FUNCTIONS):
            inner = getattr(value, "func", value)  # of a partial one
            watched |= _is_user_code(getattr(inner, "__module__", None))
        watched = watched and not declared
        if isinstance(value, _CONTAINERS) and not watched:
            items = value.items() if isinstance(value, dict) else enumerate(value)
            for key, element in items:
                self.look(f"{path}[{key}]", element, watched=False)
        elif isinstance(value, _FUNCTIONS) or (watched and not _has_parts(kind)):
            digest = self._digest(path, value, quiet=not watched)
            if watched:
                self.digests[path] = digest
        elif _has_parts(kind):
            self._look_inside(path, value, watched=not (declared or _is_house(kind)))

    def _look_inside(self, path: str, value: Any, watched: bool) -> None:
        if not _is_house(type(value)):
            digest = self._digest(path, type(value), quiet=not watched)
            if watched:
                self.digests[f"the class of {path}"] = digest
        if isinstance(value, nn.Module):
            for name, child in value.named_children():
                self.look(f"{path}.{name}", child, watched=True)
        slots = [name for kind in type(value).__mro__ for name in vars(kind).get("__slots__", ())]
        attributes = {name: getattr(value, name) for name in slots if hasattr(value, name)}
        for name, attribute in (attributes | vars(value)).items():
            if name in _TORCHS_OWN or (name == "epoch" and isinstance(value, DistributedSampler)):
                continue
            part = isinstance(attribute, _PARTS)  # what others wrote is watched wherever it is
            self.look(f"{path}.{name}", attribute, watched or part or _is_own(type(attribute)))

    def _digest(self, path: str, value: Any, quiet: bool = False) -> bytes:
        writer = _Writer(self, path)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                writer.dump(value)
        except Exception as error:  # whatever an object raises that cannot be pickled
            if not quiet:
                self.unseen[path] = f"{type(value).__name__}: {error}"
        return writer.sink.digest()


class _Sink:
    """A file of which nothing but its digest is kept."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=16)
        self.write = self._hash.update
        self.digest = self._hash.digest


class _Writer(pickle.Pickler):
    """Writes a value to a digest; what it holds is pickled, or looked at."""

    def __init__(self, found: Surroundings, path: str) -> None:
        self.sink = _Sink()
        super().__init__(self.sink, protocol=5)
        self.found = found
        self.path = path
        self._begun: set[int] = set()

    def reducer_override(self, value: Any) -> Any:
        """Return what is written instead, `str` of a tuple; it is never read."""
        if isinstance(value, Tensor):
            return (str, (_bytes_of(value),)) if _is_dense(value) else NotImplemented
        if value is str:
            return NotImplemented
        if isinstance(value, type):
            return self._once(value, _contents_of_class) if _is_own(value) else _name(value)
        if isinstance(value, types.FunctionType):
            if not _is_user_code(value.__module__):
                return _name(value)
            return self._once(value, self._contents_of_function)
        if isinstance(value, types.ModuleType):
            return str, (value.__name__,)
        owner = getattr(value, "__self__", None)
        if owner is not None and callable(value) and not isinstance(owner, types.ModuleType):
            return str, ((value.__name__, owner),)
        if isinstance(value, _GENERATORS) or _has_state(value) or _is_house(type(value)):
            self.found.look(self.path, value, watched=True)
            return _name(type(value))
        return NotImplemented

    def _once(self, value: Any, contents: Any) -> Any:
        if id(value) in self._begun:
            return _name(value)
        self._begun.add(id(value))
        self.found.strangers.add(value.__qualname__)
        return str, ((value.__qualname__, contents(value)),)

    def _contents_of_function(self, function: types.FunctionType) -> list[Any]:
        """Return what a function can see that may change, but not what it adds to a list."""
        contents: list[Any] = [function.__defaults__, function.__kwdefaults__]
        variables = {name: function.__globals__.get(name) for name in _names(function.__code__)}
        for name, value in variables.items():
            kinds = (*_VALUES, *_GENERATORS, types.FunctionType, type)
            if isinstance(value, kinds) or _has_state(value) or _is_own(type(value)):
                contents.append((name, value))
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        for name, cell in cells:
            try:
                value = cell.cell_contents
            except ValueError:  # not filled yet
                continue
            if type(value) is list:
                where = (self.path, function.__qualname__, name)
                value = value[: self.found.lengths.setdefault(where, len(value))]
            contents.append(value)
        return contents


def _contents_of_class(kind: type) -> list[Any]:
    contents: list[Any] = [base for base in kind.__mro__[1:] if _is_own(base)]
    for name, value in vars(kind).items():
        if name.startswith("__") and not isinstance(value, types.FunctionType):
            continue
        plain = getattr(value, "__func__", None) or getattr(value, "fget", None) or value
        if isinstance(plain, (types.FunctionType, *_GENERATORS, *_VALUES, *_CONTAINERS)):
            contents.append((name, plain))
    return contents


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _name(value: Any) -> tuple[type, tuple[str]]:
    return str, (f"{value.__module__}.{value.__qualname__}",)


def _is_dense(value: Tensor) -> bool:
    return value.layout == torch.strided and not value.is_quantized and not value.is_meta


def _bytes_of(value: Tensor) -> tuple[str, bytes]:
    numbers = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
    return f"{value.dtype}{tuple(value.shape)}", hashlib.blake2b(
        numbers.data, digest_size=16
    ).digest()


def _has_state(value: Any) -> bool:
    names = ("state_dict", "load_state_dict")
    return not isinstance(value, type) and all(callable(getattr(value, n, None)) for n in names)


def _has_parts(kind: type) -> bool:
    return (_is_house(kind) or _is_own(kind)) and "__dict__" in dir(kind)


def _is_house(kind: type) -> bool:
    root = kind.__module__.partition(".")[0]
    return root == "invariant_nets" or (root == "torch" and issubclass(kind, _PARTS))


def _is_own(kind: type) -> bool:
    return not _is_house(kind) and _is_user_code(kind.__module__)


@functools.cache
def _is_user_code(module: str | None) -> bool:
    """Return whether a module is neither of this package, nor installed, nor Python's own."""
    if module is None:
        return False
    root = module.partition(".")[0]
    if root in {"invariant_nets", *sys.stdlib_module_names, *sys.builtin_module_names}:
        return False
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    paths = sysconfig.get_paths()
    return not any(file.startswith(paths[name]) for name in ("purelib", "platlib", "stdlib"))
