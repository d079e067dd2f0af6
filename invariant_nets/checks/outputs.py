r"""The output of a function, entry by entry: how far it varies, and which error is tolerated.

Each output entry $j$ has a spread $s_j$ over the sets and its own rounding error. An error in it is
tolerated up to $\mathrm{atol} + \mathrm{rtol}\, s_j + c\, \varepsilon\, |f_j(x)|$, whatever the
scale of the other entries.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

_ROUNDING_UNITS = {torch.float16: 4, torch.bfloat16: 4}
_MOST_ROUNDING_UNITS = 32
_NORMAL = 1.4826  # the standard deviation of a normal variable over its median absolute deviation
_SWALLOWED = 0.25  # the part of the spread from which rounding hides a defect
_EXACT = (torch.float64, torch.complex128)


def tensors_of(output: object, name: str = "output") -> dict[str, Tensor]:
    """Return the tensors of an output by their names, such as `output['mean']` or `output[0]`."""
    parts: Iterable[tuple[str, Any]]
    if isinstance(output, Tensor):
        return {name: output.to_dense() if output.layout != torch.strided else output}
    if isinstance(output, Mapping):
        parts = ((f"[{key!r}]", part) for key, part in output.items())
    elif isinstance(output, tuple) and hasattr(output, "_fields"):
        parts = zip((f".{field}" for field in output._fields), output, strict=True)
    elif isinstance(output, tuple | list):
        parts = ((f"[{number}]", part) for number, part in enumerate(output))
    elif dataclasses.is_dataclass(output):
        parts = ((f".{f.name}", getattr(output, f.name)) for f in dataclasses.fields(output))
    else:
        raise TypeError(
            f"model must return a tensor, got {type(output).__name__}"
            + ("" if name == "output" else f" as {name}")
            + "; a tuple, list, dict or dataclass of tensors will do as well"
        )
    found: dict[str, Tensor] = {}
    for place, part in parts:
        found |= {} if part is None else tensors_of(part, name + place)
    if not found and name == "output":
        raise TypeError(f"model must return a tensor, got {type(output).__name__} without any")
    return found


def wide(y: Tensor) -> Tensor:
    """Return a tensor in double precision; integers and booleans as they are."""
    if y.is_complex():
        return y.to(torch.complex128)
    return y.double() if y.is_floating_point() else y


def gap(a: Tensor, b: Tensor) -> Float[Tensor, "*out"]:
    """Return how far apart two outputs are; NaN, and so infinity, is not to be compared."""
    if a.is_floating_point() or a.is_complex():
        return (a - b).abs()
    return (a.double() - b.double()).abs().clamp_min(1).masked_fill(a == b, 0)


@dataclass(frozen=True)
class Leaf:
    """One tensor of the outputs on a batch, and what an error in each entry is compared with.

    Attributes:
        name: such as `output` or `output['mean']`.
        dtype: its type of numbers, as it came.
        reference: the tensor, in double precision.
        spread: the standard deviation of each entry over different sets.
        rounding: the part of the tolerance that grows with the entry itself.
        tolerance: the largest error of each entry, in each set, that still counts as rounding.
    """

    name: str
    dtype: torch.dtype
    reference: Shaped[Tensor, "batch *out"]
    spread: Float[Tensor, "*out"]
    rounding: Float[Tensor, "batch *out"]
    tolerance: Float[Tensor, "batch *out"]

    @classmethod
    def of(
        cls,
        name: str,
        output: Shaped[Tensor, "batch *out"],
        samples: Shaped[Tensor, "sets *out"],
        rtol: float | None,
        atol: float,
    ) -> Leaf:
        """Compare the entries of an output with their spread over samples."""
        reference, dtype = wide(output), output.dtype
        exact = not (dtype.is_floating_point or dtype.is_complex)
        values = samples.double() if exact else wide(samples)
        spread = _root_mean_square(values - values.mean(0))
        if exact:
            nothing = torch.zeros(reference.shape, dtype=torch.float64, device=reference.device)
            return cls(name, dtype, reference, spread, nothing, nothing + atol)
        epsilon = torch.finfo(dtype).eps
        units = _ROUNDING_UNITS.get(dtype, _MOST_ROUNDING_UNITS)
        rounding = units * epsilon * reference.abs()
        relative = epsilon**0.5 if rtol is None else rtol
        tolerance = atol + relative * _typical(values, spread) + rounding
        return cls(name, dtype, reference, spread, rounding, tolerance)

    def blurred(self) -> Shaped[Tensor, "batch *out"]:
        """Return where the type's rounding may hide a defect as large as the spread."""
        if self.dtype in _EXACT or not (self.dtype.is_floating_point or self.dtype.is_complex):
            return torch.zeros_like(self.tolerance, dtype=torch.bool)
        # A spread that is itself rounding is that of a constant.
        varies = self.spread > torch.finfo(self.dtype).eps * self.reference.abs().amax(0)
        return (self.rounding > _SWALLOWED * self.spread) & varies


def _root_mean_square(deviations: Tensor) -> Float[Tensor, "*out"]:
    return deviations.abs().square().mean(0).sqrt()


def _typical(values: Tensor, spread: Float[Tensor, "*out"]) -> Float[Tensor, "*out"]:
    # One set of another scale widens the standard deviation; what is tolerated it must not widen.
    if not values.numel():
        return spread
    deviations = (values - _median(values)).abs()
    typical = _NORMAL * deviations.median(0).values
    return torch.where(typical > 0, typical.minimum(spread), spread)


def _median(values: Tensor) -> Tensor:
    if values.is_complex():
        return torch.complex(_median(values.real), _median(values.imag))
    return values.median(0).values
