r"""What training one model, from several seeds, came to."""

from __future__ import annotations

import inspect
import math
import statistics
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from torch import nn

from invariant_nets._arguments import one_of, positive_int
from invariant_nets.training.history import History

Builder = Callable[..., nn.Module]  # of n and d, and of outputs= where it is not 1
Data = Literal["sets", "tables"]


@dataclass(frozen=True)
class Run:
    """A training of one model from one seed, and what it came to on the test sets.

    Attributes:
        seed: the seed of weights and data.
        history: the record of the training.
        model: the trained model.
        accuracy: the share of test sets on the right side, or None if the run failed.
        loss: the mean binary cross-entropy on them, or None likewise.
        problem: why it failed; empty if it did not.
    """

    seed: int
    history: History
    model: nn.Module = field(repr=False)
    accuracy: float | None
    loss: float | None
    problem: str = ""


@dataclass(frozen=True)
class ModelResult:
    """What a comparison found about one model.

    Attributes:
        name: the model's name.
        spec: how it is built, its route and its claim.
        lr: the step size that it was trained with.
        runs: its trainings, one a seed.
        test_sets: how many sets gave the accuracies.
        limit: the best possible accuracy, or None if it is not known.
    """

    name: str
    spec: ModelSpec
    lr: float
    runs: tuple[Run, ...]
    test_sets: int
    limit: float | None

    @property
    def accuracies(self) -> list[float | None]:
        """The accuracy of each run."""
        return [run.accuracy for run in self.runs]

    @property
    def accuracy(self) -> float | None:
        """The mean accuracy over the seeds; None if a run failed."""
        values = [value for value in self.accuracies if value is not None]
        return statistics.fmean(values) if len(values) == len(self.runs) else None

    @property
    def sd(self) -> float | None:
        """The standard deviation over the seeds; None for a single one, or if a run failed."""
        values = [value for value in self.accuracies if value is not None]
        return statistics.stdev(values) if 1 < len(values) == len(self.runs) else None

    @property
    def standard_error(self) -> float | None:
        """The standard error of an accuracy that the finite number of test sets leaves."""
        mean = self.accuracy
        return None if mean is None else math.sqrt(mean * (1 - mean) / self.test_sets)

    @property
    def gap(self) -> float | None:
        """How far the mean accuracy is below the best possible one, if that is known."""
        mean = self.accuracy
        return None if mean is None or self.limit is None else self.limit - mean

    @property
    def weights(self) -> int:
        """The number of trained parameters."""
        return sum(p.numel() for p in self.model.parameters() if p.requires_grad)

    @property
    def seconds(self) -> float | None:
        """The median time of an epoch, its validation included."""
        times = [time for run in self.runs for time in run.history.seconds]
        return statistics.median(times) if times else None

    @property
    def model(self) -> nn.Module:
        """The trained model of the first seed."""
        return self.runs[0].model

    @property
    def history(self) -> History:
        """The history of the first seed."""
        return self.runs[0].history

    def claim(self, formula: bool = False) -> str:
        """Return the group that the model claims, as plain text or as a formula; or "nothing"."""
        if (group := self.spec.group) == "trivial":
            return "nothing"
        return f"${group}$".replace("×", r"\times") if formula else group

    def to_dict(self) -> dict[str, Any]:
        """Return all but the weights in plain values."""
        return {
            "name": self.name,
            "route": self.spec.route,
            "claims": self.spec.group,
            "chapter": self.spec.chapter,
            "lr": self.lr,
            "weights": self.weights,
            "accuracy": self.accuracy,
            "sd": self.sd,
            "standard_error": self.standard_error,
            "gap": self.gap,
            "seconds_per_epoch": self.seconds,
            "runs": [_run_as_dict(run) for run in self.runs],
        }


def _run_as_dict(run: Run) -> dict[str, Any]:
    names = "train_loss", "train_acc", "test_loss", "test_acc", "seconds"
    return {
        "seed": run.seed,
        "accuracy": run.accuracy,
        "loss": run.loss,
        "problem": run.problem or None,
        "history": {name: getattr(run.history, name) for name in names},
    }


@dataclass(frozen=True)
class ModelSpec:
    r"""How to build a model of sets of size $n$ with $d$ features, and what it claims.

    Attributes:
        build: maps $(n, d)$ to a fresh module that gives logits of shape $(\mathrm{batch}, 1)$ and
            takes a mask; one that takes `outputs=` too can give several.
        route: which of the book's routes to invariance it takes, in words.
        group: the name of the largest group that it is exactly invariant to, by construction.
        chapter: the number of the chapter that builds it.
        lr: the learning rate of Adam with which it is compared, chosen for a short training on the
            running task as chapter 11 says.
        data: what its group is a symmetry of: `"sets"`, whose rows are exchanged and whose columns
            are features, or `"tables"`, whose columns are exchanged too, or entries between them.
    """

    build: Builder
    route: str
    group: str
    chapter: int
    lr: float = 1e-3
    data: Data = "sets"

    def __post_init__(self) -> None:
        one_of("data", self.data, get_args(Data))

    def model(self, n: int, d: int, outputs: int = 1) -> nn.Module:
        r"""Build the model.

        Args:
            n: the set size, at least 1.
            d: the number of features, at least 1.
            outputs: the number of outputs per set, at least 1.

        Raises:
            TypeError: if there are several outputs, and `build` does not take `outputs=`.
            ValueError: if a number is below 1.

        Example:
            >>> import torch
            >>> from invariant_nets import MODELS
            >>> MODELS["deep-sets"].model(10, 5, outputs=3)(torch.zeros(32, 10, 5)).shape
            torch.Size([32, 3])
        """
        n, d, outputs = positive_int("n", n), positive_int("d", d), positive_int("outputs", outputs)
        if outputs == 1:
            return self.build(n, d)
        if not _takes_outputs(self.build):
            raise TypeError(
                f"build must take outputs= to give {outputs} outputs, build(n, d, "
                f"outputs={outputs}), got {getattr(self.build, '__name__', self.build)!r}, which "
                "does not"
            )
        return self.build(n, d, outputs=outputs)


def _takes_outputs(build: Builder) -> bool:
    try:
        inspect.signature(build).bind(1, 1, outputs=2)
    except TypeError:
        return False
    except ValueError:  # what is not written in Python may not tell
        return True
    return True
