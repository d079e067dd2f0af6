"""The basis of all checks: the errors of a function's outputs when the rows are permuted."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from invariant_nets._arguments import dense, set_mask
from invariant_nets.checks.outputs import Leaf, gap, tensors_of, wide
from invariant_nets.checks.precision import DoublePrecision, in_double
from invariant_nets.checks.undisturbed import Held, undisturbed

_RESAMPLED_SETS = 64
_FIRST_SETS = 4
_SUPERBATCH_SETS = 8192
_SUPERBATCH_ENTRIES = 1 << 22
_SCALED = 4  # units of rounding by which an input is scaled, to see what rounding does
_NOISE = 32  # times what was seen is tolerated
_MOST_NOISE = 1e4  # units of rounding of the input; what moves more does not move by rounding


class Worst(NamedTuple):
    """The output entry with the largest error under a permutation, compared with its tolerance."""

    excess: float  # the error over the tolerance
    error: float
    spread: float
    tolerance: float
    output: str
    dtype: torch.dtype


class Off(NamedTuple):
    """The error of one tensor of the outputs, for each set, permutation and entry."""

    leaf: Leaf
    ratio: Float[Tensor, "batch k *out"]  # the error over the tolerance
    error: Float[Tensor, "batch k *out"]
    spread: Float[Tensor, "batch k *out"]
    tolerance: Float[Tensor, "batch k *out"]


class Probe:
    """A function and a batch of sets on which permutations are tried; made by `probing`."""

    def __init__(
        self,
        function: Callable[..., Any],
        x: Shaped[Tensor, "batch n *rest"],
        mask: Bool[Tensor, "batch n"] | None,
        axes: int,
        equivariant: bool,
        double: bool,
        options: tuple[float | None, float],
        source: torch.Generator,
    ) -> None:
        self.function, self.mask, self.double = function, mask, double
        self.x = in_double(x) if double else x
        self.axes, self.equivariant = axes, equivariant
        first, again = self._outputs(self.x, mask), self._outputs(self.x, mask)
        samples = first
        if len(x) == 1:
            more = None if mask is None else mask.expand(_RESAMPLED_SETS, *mask.shape[1:])
            samples = self._outputs(resampled(self.x, axes, source), more)
        self.leaves = [Leaf.of(name, y, samples[name], *options) for name, y in first.items()]
        differences = [gap(leaf.reference, wide(again[leaf.name])) for leaf in self.leaves]
        # NaN compares false: outputs that are NaN are not called random.
        self.call_to_call = max(
            (float(d.nan_to_num(nan=0.0).max()) for d in differences if d.numel()), default=0.0
        )
        self.is_random = any(
            bool((difference > leaf.rounding).any())
            for difference, leaf in zip(differences, self.leaves, strict=True)
        )

    def _outputs(self, x: Tensor, mask: Tensor | None) -> dict[str, Tensor]:
        # A copy, lest a function that works in place changes what it is compared with.
        given = {} if mask is None else {"mask": mask.clone()}
        with DoublePrecision() if self.double else contextlib.nullcontext():
            outputs = tensors_of(self.function(x.clone(), **given))
        points = x.shape[1 : 1 + self.axes]
        for name, y in outputs.items():
            if y.ndim < 1 or len(y) != len(x):
                raise ValueError(
                    f"model must return one output per set: {len(x)} sets came in, "
                    f"an {name} of shape {tuple(y.shape)} came out"
                )
            if self.equivariant and y.shape[1 : 1 + self.axes] != points:
                raise ValueError(
                    "model must return one row per member, "
                    f"(batch, {', '.join(map(str, points))}, …), got {tuple(y.shape)}"
                    + ("" if name == "output" else f" as {name}")
                )
            if self.equivariant and mask is not None:  # what it makes of padding is not asked
                members = mask.flatten(self.axes + 1).any(-1) if mask.ndim > self.axes + 1 else mask
                absent = ~members[(..., *(None,) * (y.ndim - members.ndim))]
                outputs[name] = y.masked_fill(absent, 0)
        return {name: y.clone() for name, y in outputs.items()}

    def moves(self, images: Int[Tensor, " n"]) -> bool:
        """Return whether a permutation changes any set at all."""
        return not torch.equal(self._moved(self.x, images[None])[:, 0], self.x)

    def worst(self, images: Int[Tensor, " n"]) -> Worst:
        """Return the entry with the largest error under a permutation."""
        found = [
            _worst(off.leaf, *(part[:, 0] for part in off[1:]))
            for off in self._off(images[None], slice(None))
        ]
        return max(found, key=rank)

    def excess(
        self, images: Int[Tensor, "k n"], sets: slice = slice(None), per_call: int = 1
    ) -> Float[Tensor, " k"]:
        """Return each permutation's largest error over what is tolerated, some at a time."""
        found = []
        for chunk in torch.split(images, per_call):
            largest = torch.zeros(len(chunk), dtype=torch.float64, device="cpu")
            for off in self._off(chunk, sets):
                flat = off.ratio.transpose(0, 1).flatten(1)
                if flat.numel():
                    largest = torch.maximum(largest, flat.amax(1).cpu())  # NaN stays
            found.append(largest)
        return torch.cat(found)

    def _off(self, images: Int[Tensor, "k n"], sets: slice) -> Iterator[Off]:
        x, k = self.x[sets], len(images)
        mask = None if self.mask is None else self._moved_mask(self.mask[sets], images)
        outputs = self._outputs(self._moved(x, images).flatten(0, 1), mask)
        for leaf in self.leaves:
            y = wide(outputs[leaf.name])
            error = gap(
                y.reshape(len(x), k, *y.shape[1:]), self._expected(leaf.reference[sets], images)
            )
            tolerance = self._expected(leaf.tolerance[sets], images).expand_as(error)
            ratio = _over(error, tolerance)
            if bool((ratio > 1).any()):
                noise = self._noise[leaf.name].expand_as(leaf.tolerance)[sets]
                tolerance = tolerance + self._expected(noise, images)
                ratio = _over(error, tolerance)
            blurred = self._expected(leaf.blurred()[sets], images)
            if bool((blurred & (ratio > 0) & (ratio <= 1)).any()):
                raise ValueError(
                    f"model must have outputs that vary by more than their rounding in "
                    f"{leaf.dtype}, which could hide a defect: {leaf.name} does not; "
                    "take float64, or subtract what is constant"
                )
            spread = self._expected(leaf.spread.expand_as(leaf.tolerance)[sets], images)
            yield Off(leaf, ratio, error, spread.expand_as(error), tolerance)

    def _expected(
        self, y: Shaped[Tensor, "batch *out"], images: Int[Tensor, "k n"]
    ) -> Shaped[Tensor, "batch k *out"]:
        return self._moved(y, images) if self.equivariant else y[:, None]

    def _moved(
        self, y: Shaped[Tensor, "batch n *rest"], images: Int[Tensor, "k n"]
    ) -> Shaped[Tensor, "batch k n *rest"]:
        # (σ·y)_i = y_{σ(i)} for every permutation σ
        moved = y.flatten(1, self.axes).index_select(1, images.flatten().to(y.device))
        return moved.reshape(len(y), len(images), *y.shape[1:])

    def _moved_mask(
        self, mask: Bool[Tensor, "batch n"], images: Int[Tensor, "k points"]
    ) -> Bool[Tensor, "batch_k n"]:
        if mask.ndim > self.axes:
            return self._moved(mask, images).flatten(0, 1)
        entries = mask[..., None].expand(self.x.shape[:3])
        moved = self._moved(entries, images).flatten(0, 1)
        if not torch.equal(moved.any(-1), moved.all(-1)):
            raise ValueError(
                "mask must be one of entries, (batch, n, d), since the group does not move whole "
                "rows; this is one of rows"
            )
        return moved.any(-1)

    @functools.cached_property
    def _noise(self) -> dict[str, Float[Tensor, "*out"]]:
        # Where outputs cancel, rounding is larger than any number that is left. The same input,
        # scaled by a few units of rounding, shows how large: ties stay ties.
        found = {leaf.name: torch.zeros_like(leaf.spread) for leaf in self.leaves}
        if self.x.dtype not in (torch.float32, torch.float64) or self.is_random:
            return found
        epsilon = torch.finfo(self.x.dtype).eps
        most = _MOST_NOISE * epsilon * float(self.x.abs().max())
        outputs = self._outputs(self.x * (1 + _SCALED * epsilon), self.mask)
        for leaf in self.leaves:
            y = outputs[leaf.name]
            if y.is_floating_point() or y.is_complex():
                moved = gap(wide(y), leaf.reference)
                found[leaf.name] = _NOISE * torch.where(moved <= most, moved, 0).amax(0)
        return found

    @functools.cached_property
    def _each_by_itself(self) -> bool:
        """Whether a set's output does not depend on the other sets of its batch."""
        # Some of the sets alone, beside themselves in reverse: another batch than all of them.
        rows = torch.arange(math.prod(self.x.shape[1 : 1 + self.axes]), device="cpu")
        both, some = torch.stack([rows, rows.flip(0)]), max(1, len(self.x) // 2)
        return bool(self.excess(both, slice(min(_FIRST_SETS, some)), per_call=2)[0] <= 1)

    def holds(self, images: Int[Tensor, "k n"]) -> Bool[Tensor, " k"]:
        """Return under which permutations the errors are rounding; few sets refute most others."""
        kept = torch.arange(len(images), device="cpu")
        first, rest = slice(_FIRST_SETS), slice(_FIRST_SETS, None)
        for sets in (first, rest) if self._each_by_itself else (slice(None),):
            x = self.x[sets]
            if len(x) and len(kept):
                size = min(_SUPERBATCH_SETS // len(x), _SUPERBATCH_ENTRIES // x.numel())
                size = max(1, size) if self._each_by_itself else 1
                kept = kept[self.excess(images[kept], sets, per_call=size) <= 1]
        passed = torch.zeros(len(images), dtype=torch.bool, device="cpu")
        passed[kept] = True
        return passed


@contextlib.contextmanager
def probing(
    model: Callable[..., Any],
    x: Shaped[Tensor, "batch n *rest"],
    *,
    mask: Bool[Tensor, "batch n"] | None = None,
    axes: int,
    equivariant: bool,
    double: bool | None,
    rtol: float | None,
    atol: float,
    source: torch.Generator,
) -> Iterator[Probe]:
    """Call the model twice, and let permutations be tried on it, in evaluation mode."""
    with undisturbed(Held(model)), torch.no_grad():
        probe = None
        if double is not False:
            # Not every function takes numbers of double precision.
            with contextlib.suppress(*() if double else (Exception,)):
                probe = Probe(model, x, mask, axes, equivariant, True, (rtol, atol), source)
        yield probe or Probe(model, x, mask, axes, equivariant, False, (rtol, atol), source)


def set_like(x: Tensor, mask: Tensor | None) -> None:
    """Raise unless `x` is a batch of at least one set, and `mask` says which rows are members."""
    dense(x, "input")
    if x.ndim < 3:
        raise ValueError(f"input must have shape (batch, n, d), got {tuple(x.shape)}")
    if len(x) == 0:
        raise ValueError(f"input must hold at least one set, got the shape {tuple(x.shape)}")
    if x.numel() == 0:
        raise ValueError(f"input must hold sets with n ≥ 1 and d ≥ 1, got {tuple(x.shape)}")
    set_mask(mask, x, 1, 2)


def resampled(
    x: Shaped[Tensor, "1 n *rest"], axes: int, source: torch.Generator
) -> Shaped[Tensor, "resampled n *rest"]:
    """Return more sets, each feature drawn from one set's: a single output has no spread."""
    pool = x.flatten(1, axes)
    shape = (_RESAMPLED_SETS, *pool.shape[1:])
    drawn = torch.randint(pool.shape[1], shape, generator=source, device="cpu").to(x.device)
    return pool.expand(shape).gather(1, drawn).reshape(_RESAMPLED_SETS, *x.shape[1:])


def rank(worst: Worst) -> tuple[bool, float, float]:
    """Return by what the worst of several is found: NaN is the worst, then the largest excess."""
    return math.isnan(worst.excess), worst.excess, worst.spread


def _over(error: Tensor, tolerance: Tensor) -> Tensor:
    return torch.where(error == 0, 0.0, error / tolerance)


def _worst(leaf: Leaf, ratio: Tensor, error: Tensor, spread: Tensor, tolerance: Tensor) -> Worst:
    if not ratio.numel():
        return Worst(0.0, 0.0, 0.0, 0.0, leaf.name, leaf.dtype)
    largest = ratio.nan_to_num(nan=math.inf).max()
    # Where nothing is off, the entry that varies most stands for all.
    at = ratio.argmax() if largest > 0 else spread.argmax()  # NaN is the largest
    excess, off, varies, tolerated = (
        part.flatten()[at].item() for part in (ratio, error, spread, tolerance)
    )
    entry = torch.unravel_index(at, ratio.shape)[1:]
    name = leaf.name + (f"[{', '.join(str(int(i)) for i in entry)}]" if entry else "")
    return Worst(excess, off, varies, tolerated, name, leaf.dtype)
