r"""The tasks on which models are compared; the limit of the running one is known."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Protocol

import torch
from torch.utils.data import DataLoader, Dataset

from invariant_nets._arguments import positive_int, positive_variance
from invariant_nets.data.bayes import bayes_accuracy, bayes_loss
from invariant_nets.data.gaussian import GaussianDataset
from invariant_nets.data.labeled_sets import LabeledSets
from invariant_nets.training.tasks import Task

Setting = str | int | float | bool

TRAINING_SEEDS = 100
"""Seeds of training data are below it: those that follow are the seeds of other data."""
CHOOSING_SEED = 4999
_TEST_SEED = 5000


class DataTask(Protocol):
    """A task with its data; `GaussianTask` is one, `SetsTask` another.

    Attributes:
        shuffle: whether batches are drawn in random order.
    """

    shuffle: bool

    @property
    def rates(self) -> tuple[float, ...] | None:
        """The learning rates that every model tries; or None, if each has its own."""

    @property
    def goal(self) -> Task:
        """The goal of training: labels, loss, score, and the limit if it is known."""

    @property
    def n(self) -> int:
        """The set size for which models are built."""

    @property
    def d(self) -> int:
        """The number of features for which they are built."""

    def training_data(self, seed: int) -> Dataset[Any]:
        """Return the training sets of a seed."""

    def validation_data(self, number: int) -> Dataset[Any]:
        """Return the validation sets of a model, by its number, for use after each epoch.

        It may choose the learning rate, and nothing else.
        """

    def test_data(self) -> LabeledSets:
        """Return the sets that give the scores, the same for all models; they choose nothing."""

    def settings(self) -> dict[str, Setting]:
        """Return what tells this task from others, in plain values.

        Among them are the numbers `train_sets`, `validation_sets` and `test_sets`.
        """


@dataclass(frozen=True)
class GaussianTask:
    r"""The running task: from which of two Gaussians was this set drawn?

    Args:
        n: the set size, at least 1.
        d: the number of features, at least 1.
        var1: the variance $v_1 > 0$ under label 0.
        var2: the variance $v_2 > 0$ under label 1.
        static: whether all epochs show the same training sets; else no set comes twice.
        train_sets: the number of training sets per epoch, at least 1.
        validation_sets: the number of fresh sets for the history of a training, different for every
            model; at least 1.
        test_sets: the number of fresh sets that give the scores; at least 1.

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
    rates = None

    def __post_init__(self) -> None:
        for name in ("n", "d", "train_sets", "validation_sets", "test_sets"):
            object.__setattr__(self, name, positive_int(name, getattr(self, name)))
        for name in ("var1", "var2"):
            object.__setattr__(self, name, positive_variance(name, getattr(self, name)))
        object.__setattr__(self, "static", bool(self.static))

    @property
    def goal(self) -> Task:
        """Labels 0 and 1, judged by the side on which their logit is."""
        return Task.binary(ideal=self.bayes_accuracy)

    @property
    def bayes_accuracy(self) -> float:
        """The accuracy that no classifier exceeds; see `bayes_accuracy`."""
        return bayes_accuracy(self.n, self.d, self.var1, self.var2)

    @property
    def bayes_loss(self) -> float:
        """The expected loss that no classifier undercuts; see `bayes_loss`."""
        return bayes_loss(self.n, self.d, self.var1, self.var2)

    def training_data(self, seed: int) -> GaussianDataset:
        """Return the training sets of a seed."""
        return self._sets(self.train_sets, self.static, seed)

    def validation_data(self, number: int) -> GaussianDataset:
        """Return the validation sets of a model, by its number, new after each epoch."""
        return self._sets(self.validation_sets, False, TRAINING_SEEDS + number)

    def test_data(self) -> LabeledSets:
        """Return the sets that give the scores, the same for all models."""
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
