r"""Sets with labels, checked once and kept in memory, and their split into two parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor
from torch.nn.functional import pad
from torch.utils.data import Dataset

from invariant_nets._arguments import int_at_least, open_share, set_batch, set_mask
from invariant_nets.data.ragged import pad_sets

Sample = tuple[Tensor | tuple[Tensor, Tensor], Tensor]


class LabeledSets(Dataset[Sample]):
    r"""Sets $x \in \mathbb R^{n \times d}$ with a label $y \in \{0, 1\}$ each.

    Whatever stands where the mask says that no member is becomes 0. A mask that leaves nothing out
    is dropped.

    Sets are kept in float32, in which models are trained. It has 24 bits: whole numbers must be
    among those that it holds, and of the rest no feature may be rounded by more than
    $2^{-14}$ of the range that it has over all sets. Times in seconds since 1970, for example, lose
    their last two minutes; subtract the first of them.

    Args:
        x: the sets, of any real type; or a sequence of sets of different sizes, $(n_i, d)$ each,
            which are padded.
        y: the labels 0 and 1, of any real type or of bool.
        mask: true where a member is; every set must have one. A sequence needs none.
        suffix: what error messages append to the three names.

    Attributes:
        x: the sets, float32.
        y: the labels, float32.
        mask: true where a member is, or None if nothing is left out.

    Shape:
        $(N, n, d)$, labels $(N,)$ or $(N, 1)$, mask $(N, n)$. A sample is $(x, y)$ of shapes
        $(n, d)$ and $(1,)$; with a mask it is $((x, \mathrm{mask}), y)$.

    Raises:
        TypeError: if an argument is no tensor, or of the wrong type of numbers.
        ValueError: if a shape is another one, there is no set or an empty one, a member is not
            finite or loses too much as float32, or a label is neither 0 nor 1.

    Example:
        >>> sets = LabeledSets([torch.ones(3, 2), torch.ones(1, 2)], torch.tensor([0, 1]))
        >>> len(sets), sets.x.shape, sets.mask.tolist()
        (2, torch.Size([2, 3, 2]), [[True, True, True], [True, False, False]])

    Used in chapter 11.
    """

    x: Float[Tensor, "sets n d"]
    y: Float[Tensor, "sets 1"]
    mask: Bool[Tensor, "sets n"] | None

    def __init__(
        self,
        x: Shaped[Tensor, "sets n d"] | Sequence[Shaped[Tensor, "n_i d"]],
        y: Shaped[Tensor, "sets *one"],
        mask: Bool[Tensor, "sets n"] | None = None,
        *,
        suffix: str = "",
    ) -> None:
        names = [f"{name}{suffix}" for name in ("x", "y", "mask")]
        if ragged := not isinstance(x, Tensor) or x.is_nested:
            if mask is not None:
                raise ValueError(f"{names[2]} must be left out when {names[0]} is a list of sets")
            x, mask = _padded(x, names[0])
        x = _plain(x, names[0])
        set_batch(x, name=names[0])
        if not len(x):
            raise ValueError(f"{names[0]} must hold at least one set, got shape {tuple(x.shape)}")
        self.y = _labels(y, len(x), names[1])
        mask = mask if mask is None else _plain(mask, names[2])
        set_mask(mask, x, name=names[2])
        self.x = _members(x.to(torch.float32, copy=not ragged), x, mask, names[0])
        _check_rounding(self.x, x, mask, names[0])
        self.mask = None if mask is None or mask.all() else mask.clone()

    @property
    def n(self) -> int:
        """The size of the largest set, or how many rows there are."""
        return self.x.shape[1]

    @property
    def d(self) -> int:
        """The number of features."""
        return self.x.shape[2]

    @property
    def counts(self) -> tuple[int, int]:
        """How many sets have label 0, and how many label 1."""
        ones = int(self.y.sum())
        return len(self) - ones, ones

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> Sample:
        if self.mask is None:
            return self.x[index], self.y[index]
        return (self.x[index], self.mask[index]), self.y[index]

    def __getitems__(self, indices: Sequence[int]) -> list[Sample]:
        """Read a whole batch at once, as torch's `DataLoader` asks for it."""
        rows = torch.as_tensor(indices, dtype=torch.int64, device="cpu")
        inputs: Any = self.x[rows]
        if self.mask is not None:
            inputs = zip(inputs, self.mask[rows], strict=True)
        return list(zip(inputs, self.y[rows], strict=True))

    def select(self, indices: Sequence[int] | Tensor) -> LabeledSets:
        """Return some of the sets.

        Args:
            indices: which ones, in their order; at least one.

        Raises:
            ValueError: if there is none.
        """
        rows = torch.as_tensor(indices, device="cpu")
        if not len(rows):
            raise ValueError("indices must name at least one set, got none")
        mask = None if self.mask is None else self.mask[rows]
        return self._trusted(self.x[rows], self.y[rows], mask)

    def padded(self, n: int) -> LabeledSets:
        """Return the same sets with at least `n` rows; those that are new hold no member."""
        if n <= self.n:
            return self
        mask = self.x.new_ones(self.x.shape[:2], dtype=torch.bool)
        mask = mask if self.mask is None else self.mask
        more = n - self.n
        return self._trusted(pad(self.x, (0, 0, 0, more)), self.y, pad(mask, (0, more)))

    @classmethod
    def _trusted(cls, x: Tensor, y: Tensor, mask: Tensor | None) -> LabeledSets:
        # What was checked once is neither checked nor copied again.
        sets = cls.__new__(cls)
        sets.x, sets.y = x, y
        sets.mask = None if mask is None or mask.all() else mask
        return sets

    def split(self, share: float = 0.25, seed: int = 0) -> tuple[LabeledSets, LabeledSets]:
        """Split at random into two parts, each with its share of both labels.

        Args:
            share: the second part's share, in (0, 1). It gets so much of each label, rounded, but
                leaves one set of each label at least, and gets one.
            seed: the same seed gives the same split.

        Raises:
            ValueError: if the share is out of range, or a label has less than two sets.

        Example:
            >>> sets = LabeledSets(torch.randn(12, 3, 2), torch.arange(12) % 3 == 0)
            >>> [part.counts for part in sets.split(share=0.25)]
            [(6, 3), (2, 1)]
        """
        share = open_share("share", share)
        source = torch.Generator("cpu").manual_seed(int_at_least("seed", seed, 0))
        parts: tuple[list[Tensor], list[Tensor]] = [], []
        for label, count in enumerate(self.counts):
            if count < 2:
                raise ValueError(f"two sets of each label are needed, got {count} of label {label}")
            rows = torch.nonzero(self.y[:, 0] == label)[:, 0]
            rows = rows[torch.randperm(count, generator=source, device="cpu")]
            second = min(max(round(share * count), 1), count - 1)
            parts[0].append(rows[second:])
            parts[1].append(rows[:second])
        first, second_part = (self.select(torch.cat(part).sort().values) for part in parts)
        return first, second_part


def _padded(x: Any, name: str) -> tuple[Tensor, Tensor]:
    try:
        return pad_sets(x)
    except (TypeError, ValueError) as error:
        # Its messages begin with its argument's name.
        raise type(error)(str(error).replace("sets", name, 1)) from error


def _plain(value: Any, name: str) -> Tensor:
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be a tensor, got {type(value).__name__}")
    if value.layout != torch.strided or value.is_quantized or value.is_meta:
        raise TypeError(f"{name} must be a dense tensor of plain numbers, got {value.layout}")
    if value.is_complex():
        raise TypeError(f"{name} must hold real numbers, got {value.dtype}")
    plain: Tensor = value.detach().cpu()
    return plain


def _labels(y: Any, sets: int, name: str) -> Float[Tensor, "sets 1"]:
    labels = _plain(y, name)
    if labels.shape not in ((sets,), (sets, 1)):
        shape = tuple(labels.shape)
        raise ValueError(f"{name} must have shape ({sets},) or ({sets}, 1), got {shape}")
    labels = labels.reshape(sets, 1)
    exact = labels.to(torch.float64)  # not all types compare
    if len(wrong := labels[(exact != 0) & (exact != 1)]):
        raise ValueError(f"{name} must hold the labels 0 and 1 only, got {wrong[0].item()}")
    return labels.to(torch.float32, copy=True)


def _members(
    floats: Float[Tensor, "sets n d"], x: Tensor, mask: Tensor | None, name: str
) -> Float[Tensor, "sets n d"]:
    if mask is not None:
        if len(empty := (~mask.any(1)).nonzero()):
            raise ValueError(
                f"{name} must have a member in every set, got none in set {int(empty[0])}"
            )
        floats.masked_fill_(~mask[:, :, None], 0)
    if len(places := (~floats.isfinite()).nonzero()):
        place = places[0].tolist()
        raise ValueError(
            f"{name} must hold finite float32 numbers, got {x[tuple(place)].item()} in set "
            f"{place[0]}, row {place[1]}, column {place[2]}"
        )
    return floats


_LOSES_NOTHING = {
    *(torch.float32, torch.float16, torch.bfloat16),
    *(torch.bool, torch.uint8, torch.int8, torch.int16),
}
_ROUNDING = 2.0**-14


def _check_rounding(
    floats: Float[Tensor, "sets n d"], x: Tensor, mask: Tensor | None, name: str
) -> None:
    if x.dtype in _LOSES_NOTHING:
        return
    exact = x.to(torch.float64)
    if mask is not None:
        exact = exact.masked_fill(~mask[:, :, None], 0)
    error = (floats - exact).abs()
    # From 2**53 on every float64 is a whole number, and says nothing by it.
    whole = (exact == exact.round()) & (error > 0) & (exact.abs() < 2.0**53)
    if not x.is_floating_point():
        whole |= exact.abs() > 2.0**53  # of which float64 does not hold all either
    present = exact.flatten(0, 1) if mask is None else exact[mask]
    span = present.amax(0) - present.amin(0)
    lost = whole | ((error > _ROUNDING * span) & (span > 0))
    if len(places := lost.nonzero()):
        place = places[0].tolist()
        raise ValueError(
            f"{name} must keep its digits as float32, got {x[tuple(place)].item()} in set "
            f"{place[0]}, row {place[1]}, column {place[2]}, which becomes "
            f"{floats[tuple(place)].item()}: subtract from each feature its mean or its first "
            "value, in the type that it has"
        )
