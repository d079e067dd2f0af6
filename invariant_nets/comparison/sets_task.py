r"""The task of your own labeled sets: three parts, of which one chooses nothing."""

from __future__ import annotations

import hashlib
import os
from functools import cached_property
from typing import Any

from invariant_nets._arguments import open_share
from invariant_nets.comparison.tasks import Setting
from invariant_nets.data.labeled_sets import LabeledSets
from invariant_nets.data.set_files import load_sets
from invariant_nets.training.tasks import Task

RATES = 1e-3, 3e-3, 1e-2
_SHARES = {"test": 0.25, "validation": 0.2}


class SetsTask:
    r"""The task of your own labeled sets, whose best possible score is not known.

    Models are trained on one part of the sets. A second part, for validation, chooses their
    learning rates. The third part gives the scores and chooses nothing. The features are not
    scaled: bring them to similar scales first.

    Args:
        train: the sets to train on.
        test: the sets that give the scores; by default a share of `train`, which then is not
            trained on. The split depends only on the sets.
        validation: the sets that choose; by default a share of what is left of `train`.
        test_share: the first of these shares, of each label; 0.25 by default.
        validation_share: the second one; 0.2 by default.
        goal: loss, score and limit; by default the kind of the labels decides: `Task.binary`,
            `Task.classes` or `Task.regression`.
        name: the name of the sets in messages.

    Raises:
        TypeError: if an argument is of the wrong kind.
        ValueError: if the sets differ in $n$, $d$ or in the kind of their labels, or have a single
            label; if a share is given together with the sets that it would replace, or is out of
            its range; or if the goal is one of other labels.

    Example:
        >>> import torch
        >>> sets = LabeledSets(torch.randn(40, 10, 5), torch.arange(40) % 2)
        >>> task = SetsTask(sets, name="noise")
        >>> [len(part) for part in (task.train, task.validation, task.test)]
        [24, 6, 10]
        >>> task.goal.score, task.goal.ideal, task.constant_score
        ('accuracy', None, 0.5)

    Used in chapters 6 and 13.
    """

    shuffle = True
    rates = RATES

    def __init__(
        self,
        train: LabeledSets,
        test: LabeledSets | None = None,
        validation: LabeledSets | None = None,
        *,
        test_share: float | None = None,
        validation_share: float | None = None,
        goal: Task | None = None,
        name: str = "sets",
    ) -> None:
        given = {"test": test, "validation": validation}
        shares = {"test": test_share, "validation": validation_share}
        for role, share in shares.items():
            if share is not None:
                open_share(f"{role}_share", share)
        for role, sets in {"train": train, **given}.items():
            if sets is not None:
                _check(role, sets, train)
        for role, share in shares.items():
            if share is not None and given[role] is not None:
                raise ValueError(f"{role}_share must be left out with {role} sets, got {share}")
        if goal is not None and not isinstance(goal, Task):
            raise TypeError(f"goal must be a Task, got {type(goal).__name__}")
        self.name = name
        self.goal = _goal_of(train) if goal is None else goal
        if (goal := self.goal) and (goal.labels, goal.per_member) != (
            train.labels,
            train.per_member,
        ):
            raise ValueError(
                f"goal must be one of the labels of the sets, {train.labels!r}"
                f"{' per member' * train.per_member}, got {goal.labels!r}"
                f"{' per member' * goal.per_member}"
            )
        parts: dict[str, LabeledSets] = {}
        for seed, (role, sets) in enumerate(given.items()):
            if sets is None:
                share = shares[role]
                train, sets = train.split(_SHARES[role] if share is None else share, seed)
            parts[role] = sets
        self.train, self.test, self.validation = train, parts["test"], parts["validation"]

    @classmethod
    def from_file(
        cls,
        path: str | os.PathLike[str],
        *,
        test_share: float | None = None,
        validation_share: float | None = None,
        goal: Task | None = None,
        **options: Any,
    ) -> SetsTask:
        """Read the sets from a file, as `load_sets` does.

        Args:
            path: a file of one of the kinds of `load_sets`.
            test_share: as above, for a file without test sets of its own.
            validation_share: as above.
            goal: as above.
            options: those of `load_sets`, such as `labels`.

        Raises:
            OSError: if the file cannot be read.
            ValueError: if it does not hold labeled sets, or these are no task.
        """
        for name, share in (("test_share", test_share), ("validation_share", validation_share)):
            if share is not None:
                open_share(name, share)
        train, test = load_sets(path, **options)
        try:
            return cls(
                train,
                test,
                test_share=test_share,
                validation_share=validation_share,
                goal=goal,
                name=os.fspath(path),
            )
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

    @cached_property
    def constant_score(self) -> float:
        """The score on the test sets of the best answer that does not depend on the set.

        This answer is the most frequent label of the training sets, their median for a mean
        absolute error, and their mean for a squared one.
        """
        train, test = (
            self.goal.of_members(sets.y, sets.y, sets.mask)[1] for sets in (self.train, self.test)
        )
        if self.goal.labels == "numbers":
            median = "absolute" in self.goal.score
            answer = train.median(0).values if median else train.mean(0)
            return self.goal.score_fn(answer.expand_as(test), test).mean().item()
        if self.goal.labels == "classes":
            return (test == train.mode().values).double().mean().item()
        return (test == (train.mean(0) > 0.5)).double().mean().item()

    def training_data(self, seed: int) -> LabeledSets:
        """Return the training sets; a seed decides only their order."""
        return self.train

    def validation_data(self, number: int) -> LabeledSets:
        """Return the validation sets, the same for all models."""
        return self.validation

    def test_data(self) -> LabeledSets:
        """Return the sets that give the scores, the same for all models."""
        return self.test

    def settings(self) -> dict[str, Setting]:
        """Return the sizes, `constant_score`, and a digest of all that the sets hold."""
        return {
            "kind": "sets",
            "n": self.n,
            "d": self.d,
            "labels": self.goal.labels,
            "per_member": self.goal.per_member,
            "outputs": self.goal.outputs,
            "score": self.goal.score,
            "train_sets": len(self.train),
            "validation_sets": len(self.validation),
            "test_sets": len(self.test),
            "constant_score": self.constant_score,
            "sha256": self._digest,
        }

    @cached_property
    def _digest(self) -> str:
        digest = hashlib.sha256()
        for sets in (self.train, self.validation, self.test):
            for values in (sets.x, sets.y, sets.mask):
                if values is not None:
                    digest.update(repr(tuple(values.shape)).encode())
                    digest.update(values.numpy().tobytes())
        return digest.hexdigest()

    def __str__(self) -> str:
        parts = self.train, self.validation, self.test
        sizes = f"n {'=' if all(sets.mask is None for sets in parts) else '≤'} {self.n}"
        return f"{self.name}, {sizes}, d = {self.d}"


def _check(role: str, sets: Any, train: LabeledSets) -> None:
    if not isinstance(sets, LabeledSets):
        raise TypeError(f"{role} must be LabeledSets, got {type(sets).__name__}")
    if sets.labels != "numbers" and sum(count > 0 for count in sets.counts) < 2:
        only = next(label for label, count in enumerate(sets.counts) if count)
        words = "both labels" if sets.labels == "binary" else "more than one class"
        found = f"label {only}" if sets.class_names is None else repr(sets.class_names[only])
        raise ValueError(f"{role} must have sets of {words}, got {found} only")
    if (train.n, train.d) != (sets.n, sets.d):
        raise ValueError(
            f"{role} must have sets of the shape of train, {(train.n, train.d)}, "
            f"got {(sets.n, sets.d)}"
        )
    theirs, ours = (
        (s.labels, s.per_member, s.num_classes, tuple(s.y.shape[1:])) for s in (sets, train)
    )
    if theirs != ours:
        raise ValueError(f"{role} must have labels as train has them, {ours}, got {theirs}")


def _goal_of(sets: LabeledSets) -> Task:
    per_member = sets.per_member
    if sets.labels == "classes":
        assert sets.num_classes is not None
        return Task.classes(max(2, sets.num_classes), per_member=per_member)
    if sets.labels == "numbers":
        return Task.regression(sets.y.shape[-1], per_member=per_member)
    return Task.binary(outputs=sets.y.shape[-1], per_member=per_member)
