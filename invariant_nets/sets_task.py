r"""The task that your own labeled sets pose."""

from __future__ import annotations

import hashlib
import os
from functools import cached_property

from invariant_nets._validation import open_share
from invariant_nets.labeled_sets import LabeledSets
from invariant_nets.set_files import load_sets
from invariant_nets.tasks import Setting


class SetsTask:
    r"""The task that your own labeled sets pose; what its limit is, nobody knows.

    The sets are taken as they are: bring features to similar scales first.

    Args:
        train: the sets to train on.
        test: the sets that give the accuracies, of the same $n$ and $d$; by default a share of
            `train`, which then is not trained on. Where the split falls depends on nothing but the
            sets.
        test_share: that share, of each label; 0.25 by default.
        name: what messages call the sets.

    Raises:
        ValueError: if the sets differ in $n$ or $d$, do not have both labels, or a share is given
            beside test sets or out of its range.

    Example:
        >>> import torch
        >>> sets = LabeledSets(torch.randn(40, 10, 5), torch.arange(40) % 2)
        >>> task = SetsTask(sets, name="noise")
        >>> len(task.training_data(0)), len(task.test_data()), task.bayes_accuracy
        (30, 10, None)

    Used in chapter 11.
    """

    shuffle = True
    bayes_accuracy = None
    bayes_loss = None

    def __init__(
        self,
        train: LabeledSets,
        test: LabeledSets | None = None,
        *,
        test_share: float | None = None,
        name: str = "sets",
    ) -> None:
        if test_share is not None:
            open_share("test_share", test_share)
        for role, sets in (("train", train), ("test", test)):
            if sets is not None and not isinstance(sets, LabeledSets):
                raise TypeError(f"{role} must be LabeledSets, got {type(sets).__name__}")
            if sets is not None and not all(sets.counts):
                only = int(sets.counts[0] == 0)
                raise ValueError(f"{role} must have sets of both labels, got label {only} only")
        self.name = name
        if test is None:
            self.train, self.test = train.split(0.25 if test_share is None else test_share)
            return
        if test_share is not None:
            raise ValueError(f"test_share must be left out beside test sets, got {test_share}")
        if (train.n, train.d) != (test.n, test.d):
            raise ValueError(
                f"test must have sets of the shape of train, {(train.n, train.d)}, "
                f"got {(test.n, test.d)}"
            )
        self.train, self.test = train, test

    @classmethod
    def from_file(
        cls, path: str | os.PathLike[str], *, test_share: float | None = None
    ) -> SetsTask:
        """Read the sets from a file, as `load_sets` does.

        Args:
            path: a file whose name ends in `.npz` or `.pt`.
            test_share: as above, for a file without test sets of its own.

        Raises:
            OSError: if the file cannot be read.
            ValueError: if it does not hold labeled sets, or these are no task.
        """
        if test_share is not None:
            open_share("test_share", test_share)
        train, test = load_sets(path)
        try:
            return cls(train, test, test_share=test_share, name=os.fspath(path))
        except ValueError as error:
            raise ValueError(f"{os.fspath(path)}: {error}") from error

    @property
    def n(self) -> int:
        """The size of the largest set, or how many rows there are."""
        return self.train.n

    @property
    def d(self) -> int:
        """The number of features."""
        return self.train.d

    @property
    def majority_accuracy(self) -> float:
        """The accuracy on the test sets of the label that most training sets have."""
        zeros, ones = self.train.counts
        return self.test.counts[int(ones > zeros)] / len(self.test)

    def training_data(self, seed: int) -> LabeledSets:
        """Return the training sets; a seed decides only their order."""
        return self.train

    def validation_data(self, number: int) -> LabeledSets:
        """Return the test sets; they choose nothing."""
        return self.test

    def test_data(self) -> LabeledSets:
        """Return the sets that give the accuracies, the same for all models."""
        return self.test

    def settings(self) -> dict[str, Setting]:
        """Return the sizes, `majority_accuracy`, and a digest of all that the sets hold."""
        return {
            "kind": "sets",
            "n": self.n,
            "d": self.d,
            "train_sets": len(self.train),
            "test_sets": len(self.test),
            "majority_accuracy": self.majority_accuracy,
            "sha256": self._digest,
        }

    @cached_property
    def _digest(self) -> str:
        digest = hashlib.sha256()
        for sets in (self.train, self.test):
            for values in (sets.x, sets.y, sets.mask):
                if values is not None:
                    digest.update(repr(tuple(values.shape)).encode())
                    digest.update(values.numpy().tobytes())
        return digest.hexdigest()

    def __str__(self) -> str:
        sizes = f"n = {self.n}"
        if self.train.mask is not None or self.test.mask is not None:
            sizes = f"n ≤ {self.n}"
        return f"{self.name}, {sizes}, d = {self.d}"
