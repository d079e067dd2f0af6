"""States of generators and data as tensors and plain values, all that a checkpoint may hold."""

from __future__ import annotations

import io
import pickle
import random
from typing import Any

import numpy as np
import torch

from invariant_nets.training.resuming.checkpoint import CheckpointError


def check_loadable(state: dict[str, Any]) -> None:
    """Raise if a state holds what could not be loaded later, for no code in a file is ever run."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    buffer.seek(0)
    try:
        torch.load(buffer, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            "the state of the run holds more than tensors and plain values, which a state_dict() "
            f"must give: {str(error).splitlines()[0]}"
        ) from error


def state_of(source: Any) -> Any:
    """Return the state of a generator, or of what has `state_dict`, in plain values."""
    if isinstance(source, torch.Generator):
        return source.get_state()
    if isinstance(source, np.random.Generator):
        return _plain(source.bit_generator.state)
    if isinstance(source, np.random.BitGenerator):
        return _plain(source.state)
    if isinstance(source, np.random.RandomState):
        return _plain(source.get_state(legacy=False))
    return _plain(source.getstate() if isinstance(source, random.Random) else source.state_dict())


def set_state(source: Any, state: Any) -> None:
    """Give it back the state that `state_of` returned."""
    state = _as_it_was(state)
    if isinstance(source, np.random.Generator):
        source.bit_generator.state = state
    elif isinstance(source, np.random.BitGenerator):
        source.state = state
    elif isinstance(source, (torch.Generator, np.random.RandomState)):
        source.set_state(state)
    elif isinstance(source, random.Random):
        source.setstate(state)
    else:
        source.load_state_dict(state)


_ARRAY = "invariant_nets.array"


def _plain(value: Any) -> Any:
    # Checkpoints hold tensors and plain values, so that no code in them is ever run.
    if isinstance(value, np.ndarray) and value.dtype != object:
        return {_ARRAY: (str(value.dtype), list(value.shape), value.ravel().tolist())}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        same = type(value) if type(value).__name__ == "OrderedDict" else dict
        return same((key, _plain(element)) for key, element in value.items())
    if type(value) in (list, tuple):
        return type(value)(_plain(element) for element in value)
    return value


def _as_it_was(value: Any) -> Any:
    if isinstance(value, dict):
        if _ARRAY in value:
            dtype, shape, numbers = value[_ARRAY]
            return np.array(numbers, dtype).reshape(shape)
        for key in value:
            value[key] = _as_it_was(value[key])
    elif type(value) in (list, tuple):
        return type(value)(_as_it_was(element) for element in value)
    return value
