"""What torch's own modules do with the members of a set, given as (batch, n, d).

Some act on every member by itself, others mix the members, and of others nobody knows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

# They take numbers to numbers, so that what they leave in padding is none the worse for it.
SIMPLE = (
    *(nn.Linear, nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid),
    *(nn.Dropout, nn.Identity),
)
_ENTRYWISE = (
    *(nn.CELU, nn.SELU, nn.Mish, nn.ReLU6, nn.RReLU, nn.Softplus, nn.Softsign, nn.Softshrink),
    *(nn.Hardshrink, nn.Hardsigmoid, nn.Hardswish, nn.Hardtanh, nn.LogSigmoid, nn.Tanhshrink),
    *(nn.Threshold, nn.AlphaDropout, nn.Embedding),
)
_ON_AN_AXIS: dict[type[nn.Module], Callable[[Any], bool]] = {  # whether that of the features
    nn.LayerNorm: lambda module: len(module.normalized_shape) == 1,
    nn.RMSNorm: lambda module: len(module.normalized_shape) == 1,
    nn.Softmax: lambda module: module.dim in (-1, 2),
    nn.LogSoftmax: lambda module: module.dim in (-1, 2),
    nn.Softmin: lambda module: module.dim in (-1, 2),
    nn.GLU: lambda module: module.dim in (-1, 2),
    nn.Flatten: lambda module: module.start_dim in (-1, 2),
    nn.Unflatten: lambda module: module.dim in (-1, 2),
    nn.PReLU: lambda module: module.num_parameters == 1,
}
_ATTENTION = "use SetAttentionBlock or EncoderLayer, which take a mask"
_NORMALIZATION = "use nn.LayerNorm, which normalizes each member by itself"
_MIXERS = {  # by the names of their classes, or how these begin
    "MultiheadAttention": _ATTENTION,
    "Transformer": _ATTENTION,
    "BatchNorm": _NORMALIZATION,
    "SyncBatchNorm": _NORMALIZATION,
    "InstanceNorm": _NORMALIZATION,
    "GroupNorm": _NORMALIZATION,
    "LocalResponseNorm": _NORMALIZATION,
    "LayerNorm": "normalize the features alone, nn.LayerNorm(d)",
    "RMSNorm": "normalize the features alone, nn.RMSNorm(d)",
    "Softmax": "take it over the features, dim=-1",
    "LogSoftmax": "take it over the features, dim=-1",
    "Softmin": "take it over the features, dim=-1",
    "GLU": "halve the features, dim=-1",
    "PReLU": "use one parameter for all members, nn.PReLU()",
    "Flatten": "use FlattenMembers, which takes a mask",
    "Unflatten": "unflatten the features, dim=2",
    "Conv": "use a layer that takes a mask, such as LinearEquivariant",
    "RNN": "use a layer that takes a mask, such as LinearEquivariant",
    "LSTM": "use a layer that takes a mask, such as LinearEquivariant",
    "GRU": "use a layer that takes a mask, such as LinearEquivariant",
}


def is_torchs(module: object) -> bool:
    """Return whether a module's `forward` is one that torch wrote."""
    forward = getattr(type(module), "forward", None)
    return (getattr(forward, "__module__", None) or "").startswith("torch.nn.modules.")


def is_sequence(module: nn.Module) -> bool:
    """Return whether a module does nothing but call others in turn."""
    return type(module).forward is nn.Sequential.forward


def acts_by_member(module: nn.Module) -> bool:
    """Return whether a module of torch is known to act on every member by itself."""
    kind = _written_as(module)
    if kind in SIMPLE or kind in _ENTRYWISE:
        return True
    return kind in _ON_AN_AXIS and _ON_AN_AXIS[kind](module)


def is_simple(module: nn.Module) -> bool:
    """Return whether it besides takes numbers to numbers."""
    return _written_as(module) in SIMPLE


def advice(module: nn.Module) -> str | None:
    """Return what to use for a module of torch that mixes the members, or None if none is known."""
    if not is_torchs(module):
        return None
    names = [kind.__name__.lstrip("_").removeprefix("Lazy") for kind in type(module).__mro__]
    fitting = [start for start in _MIXERS for name in names if name.startswith(start)]
    return _MIXERS[max(fitting, key=len)] if fitting else None


def _written_as(module: nn.Module) -> type[nn.Module] | None:
    """Return torch's class whose `forward` a module has: that of a subclass may be its own."""
    if not is_torchs(module):
        return None
    forward = type(module).forward
    kinds = reversed(type(module).__mro__)
    return next(kind for kind in kinds if vars(kind).get("forward") is forward)
