r"""Sets with labels, checked once and kept in memory, and their split into parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor
from torch.nn.functional import pad
from torch.utils.data import Dataset

from invariant_nets._arguments import int_at_least, open_share, set_batch, set_mask
from invariant_nets.data.contents import (
    LabelKind,
    as_float32,
    checked_kind,
    checked_labels,
    number_of_classes,
    padded_labels,
    padded_sets,
    plain,
)

Sample = tuple[Tensor | tuple[Tensor, Tensor], Tensor]


class LabeledSets(Dataset[Sample]):
    r"""Sets $x \in \mathbb R^{n \times d}$ with labels $y$: one per set, or one per member.

    | `labels` | what they are | kept as | of a set | of its members |
    |---|---|---|---|---|
    | `"binary"` | 0 or 1 | float32 | $(1,)$ | $(n, k)$ |
    | `"classes"` | one of $0, \dots, k - 1$ | int64 | $()$ | $(n,)$ |
    | `"numbers"` | $k$ real numbers | float32 | $(k,)$ | $(n, k)$ |

    Values at padding become 0, and so do labels of members there. A mask without padding is
    dropped.

    Sets are kept in float32, in which models are trained. It has 24 bits. Whole numbers must be
    exact in it, and no other feature may be rounded by more than $2^{-14}$ of its range over all
    sets. Times in seconds since 1970, for example, would be rounded to about two minutes; subtract
    the first of them. The same holds for labels that are numbers.

    Args:
        x: the sets, of any real type; or a sequence of sets of different sizes, $(n_i, d)$ each,
            which are padded.
        y: the labels, of any real type or of bool, classes in floats only if whole. Those of the
            members of a sequence of sets may be a sequence, $(n_i,)$ or $(n_i, k)$ each.
        mask: true where a member is; every set must have one. A sequence needs none.
        labels: the kind of the labels, as in the table.
        per_member: whether each member has a label, and not each set.
        num_classes: the number of classes, if the sets may lack the last of them; by default one
            more than the largest label.
        class_names: the names of the classes, one each.
        suffix: what error messages append to the three names.

    Attributes:
        x: the sets, float32.
        y: the labels.
        mask: true where a member is, or None if nothing is left out.
        labels: the kind of the labels.
        per_member: whether each member has a label.
        num_classes: the number of classes, 2 for binary labels, None for numbers.
        class_names: the names of the classes, or None.

    Shape:
        $(N, n, d)$, mask $(N, n)$; labels $(N,)$ or $(N, 1)$, numbers also $(N, k)$; per member
        $(N, n)$ or $(N, n, 1)$, numbers and binary ones also $(N, n, k)$. A sample is $(x, y)$ of
        shapes $(n, d)$ and as in the table; with a mask it is $((x, \mathrm{mask}), y)$.

    Raises:
        TypeError: if an argument is no tensor, or of the wrong type of numbers.
        ValueError: if a shape is another one, there is no set or an empty one, a member is not
            finite or loses too much as float32, or a label is none of its kind.

    Example:
        >>> sets = LabeledSets([torch.ones(3, 2), torch.ones(1, 2)], torch.tensor([0, 1]))
        >>> sets
        LabeledSets(2 sets, n ≤ 3, d = 2, labels='binary', counts=(1, 1))
        >>> sets.x.shape, sets.mask.tolist()
        (torch.Size([2, 3, 2]), [[True, True, True], [True, False, False]])
        >>> x, y = torch.ones(4, 3, 2), torch.tensor([2, 0, 1, 0])
        >>> sets = LabeledSets(x, y, labels="classes")
        >>> sets.num_classes, sets.counts, sets[0][1]
        (3, (2, 1, 1), tensor(2))

    Used in chapters 6, 13 and 14.
    """

    x: Float[Tensor, "sets n d"]
    y: Float[Tensor, "sets *shape"] | Int[Tensor, "sets *shape"]
    mask: Bool[Tensor, "sets n"] | None
    labels: LabelKind = "binary"
    per_member: bool = False
    num_classes: int | None = 2
    class_names: tuple[str, ...] | None = None

    def __init__(
        self,
        x: Shaped[Tensor, "sets n d"] | Sequence[Shaped[Tensor, "n_i d"]],
        y: Shaped[Tensor, "sets *shape"] | Sequence[Shaped[Tensor, "n_i *k"]],
        mask: Bool[Tensor, "sets n"] | None = None,
        *,
        labels: LabelKind = "binary",
        per_member: bool = False,
        num_classes: int | None = None,
        class_names: Sequence[str] | None = None,
        suffix: str = "",
    ) -> None:
        names = [f"{name}{suffix}" for name in ("x", "y", "mask")]
        checked_kind(labels, per_member, num_classes, class_names)
        self.labels, self.per_member = labels, bool(per_member)
        if ragged := not isinstance(x, Tensor) or x.is_nested:
            if mask is not None:
                raise ValueError(f"{names[2]} must be left out when {names[0]} is a list of sets")
            x, mask = padded_sets(x, names[0])
            if per_member and (not isinstance(y, Tensor) or y.is_nested):
                y = padded_labels(y, mask, names[1])
        x = plain(x, names[0])
        set_batch(x, name=names[0])
        if not len(x):
            raise ValueError(f"{names[0]} must hold at least one set, got shape {tuple(x.shape)}")
        mask = mask if mask is None else plain(mask, names[2])
        set_mask(mask, x, name=names[2])
        self.x = as_float32(x, mask, names[0], copy=not ragged)
        self.y = checked_labels(y, labels, names[1], x, mask, self.per_member)
        self.mask = None if mask is None or mask.all() else mask.clone()
        if labels == "numbers":
            self.num_classes = None
        elif labels == "classes":
            self.class_names = None if class_names is None else tuple(class_names)
            given = num_classes if class_names is None else len(class_names)
            self.num_classes = number_of_classes(self.y, given, names[1])

    @property
    def n(self) -> int:
        """The number of rows: at least the size of the largest set."""
        return self.x.shape[1]

    @property
    def d(self) -> int:
        """The number of features."""
        return self.x.shape[2]

    @property
    def counts(self) -> tuple[int, ...]:
        """How many sets have label 0, how many label 1, and so on; or how many members.

        Raises:
            ValueError: if the labels are numbers.
        """
        if self.num_classes is None:
            raise ValueError("counts are of binary labels and of classes, got labels='numbers'")
        y = self.y if self.mask is None or not self.per_member else self.y[self.mask]
        return tuple(torch.bincount(y.flatten().long(), minlength=self.num_classes).tolist())

    def __repr__(self) -> str:
        counts = "" if self.num_classes is None else f", counts={self.counts}"
        sizes = f"n {'=' if self.mask is None else '≤'} {self.n}, d = {self.d}"
        return f"LabeledSets({len(self)} sets, {sizes}, labels={self.labels!r}{counts})"

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
        """Return the same sets with at least `n` rows; the new rows are padding."""
        if n <= self.n:
            return self
        mask = self.x.new_ones(self.x.shape[:2], dtype=torch.bool)
        mask = mask if self.mask is None else self.mask
        more = n - self.n
        y = self.y
        if self.per_member:
            y = pad(y, (0, 0, 0, more) if y.ndim == 3 else (0, more))
        return self._trusted(pad(self.x, (0, 0, 0, more)), y, pad(mask, (0, more)))

    def _trusted(self, x: Tensor, y: Tensor, mask: Tensor | None) -> LabeledSets:
        # What was checked once is neither checked nor copied again.
        sets = type(self).__new__(type(self))
        sets.__dict__.update(self.__dict__)
        sets.x, sets.y = x, y
        sets.mask = None if mask is None or mask.all() else mask
        return sets

    def split(self, share: float = 0.25, seed: int = 0) -> tuple[LabeledSets, LabeledSets]:
        """Split at random into two parts, each with its share of every label.

        Sets with numbers or labels of members are split without balance. For three parts, split one
        of the two again, as in the example.

        Args:
            share: the second part's share, in (0, 1). It gets this share of the sets of each label,
                rounded, so that both parts have at least one; the only set of a class stays in the
                first part.
            seed: the same seed gives the same split.

        Raises:
            ValueError: if the share is out of range, or a binary label, or every class, has less
                than two sets.

        Example:
            >>> sets = LabeledSets(torch.randn(12, 3, 2), torch.arange(12) % 3 == 0)
            >>> [part.counts for part in sets.split(share=0.25)]
            [(6, 3), (2, 1)]
            >>> rest, test = sets.split(share=0.25)
            >>> train, validation = rest.split(share=0.33)
            >>> len(train), len(validation), len(test)
            (6, 3, 3)
        """
        share = open_share("share", share)
        parts: tuple[list[Tensor], list[Tensor]] = [], []
        if max(map(len, strata := self._shuffled(seed))) < 2:
            raise ValueError(f"two sets of one label are needed, got {len(self)} in all")
        for rows in strata:
            second = min(max(round(share * len(rows)), 1), len(rows) - 1)
            parts[0].append(rows[second:])
            parts[1].append(rows[:second])
        first, second_part = (self.select(torch.cat(part).sort().values) for part in parts)
        return first, second_part

    def folds(self, k: int = 10, seed: int = 0) -> Iterator[tuple[LabeledSets, LabeledSets]]:
        """Yield `k` splits for cross-validation, each of which leaves out another part of the sets.

        The parts differ in size by at most one set, and so do their numbers of sets of each label;
        numbers and labels of members are not balanced, as in `split`. Ten folds, repeated with
        several seeds, are the usual protocol for bags.

        Args:
            k: how many folds, from 2 to the number of sets.
            seed: the same seed gives the same folds.

        Returns:
            An iterator over pairs: the sets to train on, and those left out to test on.

        Raises:
            ValueError: if `k` is out of range, or a binary label has less than two sets.

        Example:
            >>> sets = LabeledSets(torch.randn(12, 3, 2), torch.arange(12) % 3 == 0)
            >>> [(train.counts, test.counts) for train, test in sets.folds(k=4)][0]
            ((6, 3), (2, 1))
        """
        if int_at_least("k", k, 2) > len(self):
            raise ValueError(f"k must be at most the number of sets, {len(self)}, got {k}")
        order = torch.cat(self._shuffled(seed))
        fold = torch.empty_like(order)
        # Dealt out in turn, the sets of one label after those of another.
        fold[order] = torch.arange(len(order), device="cpu") % k
        return (
            (
                self.select((fold != part).nonzero()[:, 0]),
                self.select((fold == part).nonzero()[:, 0]),
            )
            for part in range(k)
        )

    def _shuffled(self, seed: int) -> list[Int[Tensor, " rows"]]:
        source = torch.Generator("cpu").manual_seed(int_at_least("seed", seed, 0))
        if self.per_member or self.num_classes is None:
            return [torch.randperm(len(self), generator=source, device="cpu")]
        strata = []
        for label, count in enumerate(self.counts):
            if count < 2 and self.labels == "binary":
                raise ValueError(f"two sets of each label are needed, got {count} of label {label}")
            rows = torch.nonzero(self.y.flatten() == label)[:, 0]
            strata.append(rows[torch.randperm(count, generator=source, device="cpu")])
        return [rows for rows in strata if len(rows)]
