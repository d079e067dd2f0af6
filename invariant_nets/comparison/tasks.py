r"""Tasks on which models are compared, and the running one, whose limit is known."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Protocol

import torch
from torch.utils.data import DataLoader, Dataset

from invariant_nets._arguments import open_share, positive_int, positive_variance
from invariant_nets.data.bayes import bayes_accuracy, bayes_loss
from invariant_nets.data.gaussian import GaussianDataset
from invariant_nets.data.labeled_sets import LabeledSets
from invariant_nets.data.set_files import load_sets

Setting = str | int | float | bool

TRAINING_SEEDS = 100
"""Seeds of training data are below it: those that follow are the seeds of other data."""
_TEST_SEED = 5000


class Task(Protocol):
    """What a comparison asks of a task; `GaussianTask` is one, `SetsTask` another.

    Attributes:
        shuffle: whether batches are drawn in random order.
    """

    shuffle: bool

    @property
    def n(self) -> int:
        """The set size for which models are built."""

    @property
    def d(self) -> int:
        """The number of features for which they are built."""

    @property
    def bayes_accuracy(self) -> float | None:
        """The best possible accuracy, if it is known."""

    @property
    def bayes_loss(self) -> float | None:
        """The least possible loss, if it is known."""

    def training_data(self, seed: int) -> Dataset[Any]:
        """Return what a model is trained on from a seed."""

    def validation_data(self, number: int) -> Dataset[Any]:
        """Return what the model of a number is tested on after each epoch; it chooses nothing."""

    def test_data(self) -> LabeledSets:
        """Return the sets that give the accuracies, the same for all models."""

    def settings(self) -> dict[str, Setting]:
        """Return what tells this task from others, in plain values.

        Among them are the numbers `train_sets` and `test_sets`.
        """


@dataclass(frozen=True)
class GaussianTask:
    r"""The running task: which of two Gaussians drew this set?

    Args:
        n: the set size, at least 1.
        d: the number of features, at least 1.
        var1: the variance $v_1 > 0$ under label 0.
        var2: the variance $v_2 > 0$ under label 1.
        static: whether all epochs show the same training sets; else no set comes twice.
        train_sets: training sets an epoch, at least 1.
        validation_sets: fresh sets on which the history of a training is read, other ones for
            every model; at least 1.
        test_sets: fresh sets that give the accuracies; at least 1.

    Raises:
        TypeError: if an argument is no number.
        ValueError: if a number is out of its range.

    Example:
        >>> task = GaussianTask(test_sets=1000)
        >>> print(task)
        two Gaussians of variances 1.0 and 0.8, n = 10, d = 5, no set comes twice
        >>> len(task.test_data()), round(task.bayes_accuracy, 4)
        (1000, 0.7108)

    Used in chapter 11.
    """

    n: int = 10
    d: int = 5
    var1: float = 1.0
    var2: float = 0.8
    static: bool = False
    train_sets: int = 800
    validation_sets: int = 200
    test_sets: int = 50_000

    shuffle = False  # unshuffled batches are balanced

    def __post_init__(self) -> None:
        for name in ("n", "d", "train_sets", "validation_sets", "test_sets"):
            object.__setattr__(self, name, positive_int(name, getattr(self, name)))
        for name in ("var1", "var2"):
            object.__setattr__(self, name, positive_variance(name, getattr(self, name)))
        object.__setattr__(self, "static", bool(self.static))

    @property
    def bayes_accuracy(self) -> float:
        """The accuracy that no classifier exceeds; see `bayes_accuracy`."""
        return bayes_accuracy(self.n, self.d, self.var1, self.var2)

    @property
    def bayes_loss(self) -> float:
        """The expected loss that no classifier undercuts; see `bayes_loss`."""
        return bayes_loss(self.n, self.d, self.var1, self.var2)

    def training_data(self, seed: int) -> GaussianDataset:
        """Return what a model is trained on from a seed."""
        return self._sets(self.train_sets, self.static, seed)

    def validation_data(self, number: int) -> GaussianDataset:
        """Return what the model of a number is tested on after each epoch; it chooses nothing."""
        return self._sets(self.validation_sets, False, TRAINING_SEEDS + number)

    def test_data(self) -> LabeledSets:
        """Return the sets that give the accuracies, the same for all models."""
        data = self._sets(self.test_sets, True, _TEST_SEED)
        # With a generator of its own, so that it draws no global random number.
        x, y = next(iter(DataLoader(data, len(data), generator=torch.Generator())))
        return LabeledSets(x, y)

    def settings(self) -> dict[str, Setting]:
        """Return the task's arguments."""
        return {"kind": "gaussian", **asdict(self)}

    def _sets(self, count: int, static: bool, seed: int) -> GaussianDataset:
        return GaussianDataset(count, (self.n, self.d), self.var1, self.var2, static, seed)

    def __str__(self) -> str:
        return (
            f"two Gaussians of variances {self.var1} and {self.var2}, n = {self.n}, d = {self.d}, "
            + ("the same training sets in every epoch" if self.static else "no set comes twice")
        )


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
