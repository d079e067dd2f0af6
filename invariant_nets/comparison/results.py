r"""What training one model, from several seeds, came to."""

from __future__ import annotations

import inspect
import math
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from invariant_nets._arguments import one_of, positive_int
from invariant_nets.training.history import History
from invariant_nets.training.tasks import Task

Builder = Callable[..., nn.Module]  # of n and d, and of outputs= where it is not 1
Data = Literal["sets", "tables"]


@dataclass(frozen=True)
class Run:
    """A training of one model from one seed, and its result on the test sets.

    Attributes:
        seed: the seed of weights and data.
        history: the record of the training.
        model: the trained model.
        score: the mean score on the test sets, or None if the run failed.
        loss: the mean loss on them, or None likewise.
        problem: why it failed; empty if it did not.
        by_set: the contribution of each test set to the score, which is their mean.
    """

    seed: int
    history: History
    model: nn.Module = field(repr=False)
    score: float | None
    loss: float | None
    problem: str = ""
    by_set: Float[Tensor, " sets"] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class ModelResult:
    """The result of one model in a comparison.

    Attributes:
        name: the model's name.
        spec: how it is built, its route and its claim.
        lr: the learning rate with which it was trained.
        runs: its trainings, one for each seed.
        task: the labels, the score and its limit.
        rates: the validation loss with each learning rate, or None if it failed; empty if none was
            to be chosen.
    """

    name: str
    spec: ModelSpec
    lr: float
    runs: tuple[Run, ...]
    task: Task
    rates: Mapping[float, float | None] = field(default_factory=dict)

    @property
    def scores(self) -> list[float | None]:
        """The score of each run."""
        return [run.score for run in self.runs]

    @property
    def score(self) -> float | None:
        """The mean score over the seeds; None if a run failed."""
        values = [value for value in self.scores if value is not None]
        return statistics.fmean(values) if len(values) == len(self.runs) else None

    @property
    def sd(self) -> float | None:
        """The standard deviation over the seeds; None for a single one, or if a run failed."""
        values = [value for value in self.scores if value is not None]
        return statistics.stdev(values) if 1 < len(values) == len(self.runs) else None

    @property
    def standard_error(self) -> float | None:
        """The standard error of a score, from the finite number of test sets."""
        by_set = self._by_set()
        if by_set is None or by_set.shape[1] < 2:
            return None
        return math.sqrt(by_set.var(1).mean().item() / by_set.shape[1])

    @property
    def gap(self) -> float | None:
        """The distance of the mean score from the best possible one, if that is known."""
        mean, ideal = self.score, self.task.ideal
        if mean is None or ideal is None:
            return None
        return ideal - mean if self.task.maximize else mean - ideal

    def behind(self, other: ModelResult) -> tuple[float, float | None] | None:
        r"""Return by how much this model is worse than another one, and the error of that.

        Both have the same seeds and the same test sets, so the differences are paired, for each
        seed and for each set. The error is $\sqrt{v_1 / K + v_2 / N}$ with the variance $v_1$
        of the $K$ means of the seeds and the variance $v_2$ of the $N$ means of the sets.

        Returns:
            The mean difference, above 0 if the other one is better, and its standard error, or None
            for a single seed or a single set; None if a run failed.
        """
        mine, theirs = self._by_set(), other._by_set()
        if mine is None or theirs is None or mine.shape != theirs.shape:
            return None
        apart = (theirs - mine) if self.task.maximize else (mine - theirs)
        if min(apart.shape) < 2:
            return apart.mean().item(), None
        error = apart.mean(1).var() / len(apart) + apart.mean(0).var() / apart.shape[1]
        return apart.mean().item(), math.sqrt(error.item())

    def _by_set(self) -> Float[Tensor, "seeds sets"] | None:
        rows = [run.by_set for run in self.runs]
        return None if any(row is None for row in rows) else torch.stack(rows)  # type: ignore[arg-type]

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
            "rates": {f"{rate:g}": loss for rate, loss in self.rates.items()},
            "score": self.score,
            "sd": self.sd,
            "standard_error": self.standard_error,
            "gap": self.gap,
            "seconds_per_epoch": self.seconds,
            "runs": [_run_as_dict(run) for run in self.runs],
        }


def _run_as_dict(run: Run) -> dict[str, Any]:
    names = "train_loss", "train_score", "valid_loss", "valid_score", "seconds"
    return {
        "seed": run.seed,
        "score": run.score,
        "loss": run.loss,
        "problem": run.problem or None,
        "history": {name: getattr(run.history, name) for name in names},
    }


@dataclass(frozen=True)
class ModelSpec:
    r"""How to build a model of sets of size $n$ with $d$ features, and what it claims.

    Attributes:
        build: maps $(n, d)$ to a new module with logits of shape $(\mathrm{batch}, 1)$ that takes a
            mask; if it takes `outputs=` too, the model can have several outputs, and if it takes
            `per_member=`, outputs of each member.
        route: its route to invariance, in words.
        group: the name of the largest group to which it is exactly invariant, by construction.
        chapter: the number of the chapter that builds it.
        lr: the learning rate of Adam with which it is compared on the running task, chosen for a
            short training on it.
        data: the data whose symmetry is the group: `"sets"`, whose rows are exchanged and whose
            columns are features, or `"tables"`, in which columns, or single entries, are exchanged
            too.
    """

    build: Builder
    route: str
    group: str
    chapter: int
    lr: float = 1e-3
    data: Data = "sets"

    def __post_init__(self) -> None:
        one_of("data", self.data, get_args(Data))

    @property
    def per_member(self) -> bool:
        """Whether `build` takes `per_member=`, for outputs of each member."""
        return _takes(self.build, per_member=True)

    def model(self, n: int, d: int, outputs: int = 1, per_member: bool = False) -> nn.Module:
        r"""Build the model.

        Args:
            n: the set size, at least 1.
            d: the number of features, at least 1.
            outputs: the number of outputs per set, or per member, at least 1.
            per_member: whether the outputs are of each member; a `build` that does not take
                `per_member=` gives what it gives.

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
        options: dict[str, Any] = {"per_member": True} if per_member and self.per_member else {}
        if outputs == 1:
            return self.build(n, d, **options)
        if not _takes(self.build, outputs=2):
            raise TypeError(
                f"build must take outputs= to give {outputs} outputs, build(n, d, "
                f"outputs={outputs}), got {getattr(self.build, '__name__', self.build)!r}, which "
                "does not"
            )
        return self.build(n, d, outputs=outputs, **options)


def _takes(build: Builder, **options: Any) -> bool:
    try:
        inspect.signature(build).bind(1, 1, **options)
    except TypeError:
        return False
    except ValueError:  # what is not written in Python may not tell
        return True
    return True
