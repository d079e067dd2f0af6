r"""What a model is trained for: how many outputs it has, their loss, their score, and the limit."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from invariant_nets._arguments import finite, int_at_least, one_of, positive_int
from invariant_nets.training.arguments import (
    check_mean,
    of_classes,
    takes_logits,
    takes_probabilities,
    threshold_of,
)

Loss = Callable[[Tensor, Tensor], Tensor]
Score = Callable[[Tensor, Tensor], Tensor]

_LOSSES: dict[str, Callable[[], Loss]] = {
    "mse": nn.MSELoss,
    "mae": nn.L1Loss,
    "huber": nn.HuberLoss,
}
_ERRORS: dict[str, tuple[str, Score]] = {
    "mae": ("mean absolute error", lambda output, label: (output - label).abs()),
    "mse": ("mean squared error", lambda output, label: (output - label).square()),
}


@dataclass(frozen=True)
class Task:
    r"""What a model is trained for; made by `Task.binary`, `Task.classes` or `Task.regression`.

    The loss is a mean over labels, which training minimizes. The score is a mean over labels too,
    $\frac1N \sum_i s(f(x_i), y_i)$, which is reported: an accuracy or an error.

    Attributes:
        labels: `"binary"`, `"classes"` or `"numbers"`, as in `LabeledSets`.
        outputs: the number of outputs of the model per set, or per member.
        loss_fn: maps outputs and labels to their mean loss.
        score_fn: maps outputs and labels to the score of each label.
        score: the name of the score, in words.
        maximize: whether a larger score is better.
        per_member: whether there is a label for each member, not for each set.
        ideal: the best score that any model can have, if it is known.

    Example:
        >>> task = Task.classes(3)
        >>> logits, labels = torch.tensor([[2.0, 0.0, 1.0], [0.0, 3.0, 0.0]]), torch.tensor([0, 2])
        >>> task.score, task.score_fn(logits, labels).tolist()
        ('accuracy', [1.0, 0.0])
        >>> Task.regression(score="mse").score_fn(torch.tensor([[2.0]]), torch.tensor([[5.0]]))
        tensor([[9.]])

    Used in chapters 12 and 13.
    """

    labels: Literal["binary", "classes", "numbers"]
    outputs: int
    loss_fn: Loss
    score_fn: Score
    score: str = "accuracy"
    maximize: bool = True
    per_member: bool = False
    ideal: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "outputs", positive_int("outputs", self.outputs))
        object.__setattr__(self, "per_member", bool(self.per_member))
        if self.ideal is not None:
            object.__setattr__(self, "ideal", finite("ideal", self.ideal))

    @classmethod
    def binary(
        cls,
        loss_fn: Loss | None = None,
        *,
        outputs: int = 1,
        threshold: float | None = None,
        per_member: bool = False,
        ideal: float | None = None,
    ) -> Task:
        r"""Return the task of labels 0 and 1, each the side of a threshold on which its output is.

        Args:
            loss_fn: `BCEWithLogitsLoss`, the default, `BCELoss`, or their functional forms;
                anything else needs `threshold`. It must average over the batch.
            outputs: how many labels a set has, at least 1.
            threshold: outputs above it count as label 1; by default it follows from `loss_fn`:
                0 for logits, 1/2 for probabilities.
            per_member: whether each member has labels of its own.
            ideal: the best accuracy possible, where it is known.

        Raises:
            TypeError: if an argument is of the wrong kind.
            ValueError: if the threshold does not follow from `loss_fn` and is not given, or the
                loss is one of several classes or no mean.
        """
        loss_fn = nn.BCEWithLogitsLoss() if loss_fn is None else loss_fn
        if of_classes(loss_fn):
            raise ValueError(
                "loss_fn must be BCEWithLogitsLoss (logits) or BCELoss (probabilities) for labels "
                f"0 and 1, got {loss_fn!r}: Task.classes and Trainer are for several classes"
            )
        check_mean(loss_fn)
        limit = threshold_of(loss_fn, threshold)

        def right(output: Tensor, label: Tensor) -> Tensor:
            return ((output > limit) == (label > 0.5)).to(output.dtype)

        return cls("binary", outputs, loss_fn, right, per_member=per_member, ideal=ideal)

    @classmethod
    def classes(
        cls,
        count: int,
        loss_fn: Loss | None = None,
        *,
        per_member: bool = False,
        ideal: float | None = None,
    ) -> Task:
        r"""Return the task of classes $0, \dots, k - 1$, each the largest of $k$ outputs.

        Args:
            count: how many classes $k$ there are, at least 2.
            loss_fn: of outputs $(\mathrm{labels}, k)$ and whole numbers $(\mathrm{labels},)$;
                `CrossEntropyLoss` by default.
            per_member: whether each member has a class of its own.
            ideal: the best accuracy possible, where it is known.

        Raises:
            TypeError: if an argument is of the wrong kind.
            ValueError: if there are less than two classes, or the loss is of labels 0 and 1 or no
                mean.
        """
        count = int_at_least("count", count, 2)
        loss_fn = nn.CrossEntropyLoss() if loss_fn is None else loss_fn
        if takes_logits(loss_fn) or takes_probabilities(loss_fn):
            raise ValueError(
                f"loss_fn must be of several classes, such as CrossEntropyLoss, got {loss_fn!r}: "
                "Task.binary is for labels 0 and 1"
            )
        check_mean(loss_fn)
        if getattr(loss_fn, "ignore_index", -100) != -100:
            raise ValueError("loss_fn must count every label, got one with ignore_index")

        def right(output: Tensor, label: Tensor) -> Tensor:
            return (output.argmax(-1) == label).to(output.dtype)

        return cls("classes", count, loss_fn, right, per_member=per_member, ideal=ideal)

    @classmethod
    def regression(
        cls,
        outputs: int = 1,
        loss_fn: Loss | Literal["mse", "mae", "huber"] = "mse",
        *,
        score: Literal["mae", "mse"] = "mae",
        per_member: bool = False,
        ideal: float | None = None,
    ) -> Task:
        r"""Return the task of real numbers, each the output itself.

        Args:
            outputs: how many numbers a set has, at least 1.
            loss_fn: of outputs and labels of one shape: `"mse"` (`MSELoss`), `"mae"` (`L1Loss`),
                `"huber"` (`HuberLoss`), or a function.
            score: what is reported, the mean absolute or the mean squared error.
            per_member: whether each member has numbers of its own.
            ideal: the least error possible, where it is known.

        Raises:
            TypeError: if an argument is of the wrong kind.
            ValueError: if an argument is out of its range, or the loss is one of several classes or
                no mean.
        """
        one_of("score", score, tuple(_ERRORS))
        if isinstance(loss_fn, str):
            one_of("loss_fn", loss_fn, tuple(_LOSSES))
            loss_fn = _LOSSES[loss_fn]()
        if of_classes(loss_fn):
            raise ValueError(f"loss_fn must compare numbers, got {loss_fn!r} of several classes")
        check_mean(loss_fn)
        name, error = _ERRORS[score]
        return cls("numbers", outputs, loss_fn, error, name, False, per_member, ideal)

    def check_labels(
        self, label: Shaped[Tensor, "batch *labels"], output: Float[Tensor, "batch *out"], name: str
    ) -> None:
        """Raise unless labels fit the outputs."""
        expected, words = output.shape, "the outputs' shape"
        if self.labels == "classes":
            if output.ndim != 2 + self.per_member or output.shape[-1] != self.outputs:
                shape = "(batch, n, k)" if self.per_member else "(batch, k)"
                raise ValueError(
                    f"model must give an output for each class, {shape} with k = {self.outputs}, "
                    f"got the shape {tuple(output.shape)}"
                )
            expected, words = output.shape[:-1], "one class per row of the outputs, the shape"
        if label.shape != expected:
            hint = ": label[..., None] makes it so" if label.shape == expected[:-1] else ""
            hint = ": label[..., 0] makes it so" if label.shape == (*expected, 1) else hint
            raise ValueError(
                f"the labels of {name} must have {words} {tuple(expected)}, got "
                f"{tuple(label.shape)}{hint}"
            )
        if self.labels == "classes":
            if label.is_floating_point() or label.is_complex() or label.dtype == torch.bool:
                raise ValueError(
                    f"the labels of {name} must be whole numbers, got {label.dtype}: label.long()"
                )
        elif not label.is_floating_point():
            raise ValueError(
                f"the labels of {name} must be floating-point, got {label.dtype}: label.float()"
            )

    def check_range(self, label: Tensor, name: str) -> tuple[float, float]:
        """Return the least and the largest label, or raise unless they are labels of this task."""
        if not label.numel():
            return math.inf, -math.inf
        low, high = torch.stack(label.aminmax()).tolist()
        if self.labels == "binary" and not 0 <= low <= high <= 1:
            raise ValueError(
                f"the labels of {name} must lie in [0, 1], got {low if not low >= 0 else high}: "
                "Trainer takes classes and numbers, with Task.classes and Task.regression"
            )
        if self.labels == "classes" and not 0 <= low <= high < self.outputs:
            raise ValueError(
                f"the labels of {name} must be classes from 0 to {self.outputs - 1}, got "
                f"{low if low < 0 else high}"
            )
        if not (math.isfinite(low) and math.isfinite(high)):
            raise ValueError(f"the labels of {name} must be finite, got {low:g} to {high:g}")
        return float(low), float(high)

    def of_members(
        self, output: Tensor, label: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return outputs and labels along one axis: of the sets, or of the members of all."""
        if not self.per_member:
            return output, label
        if mask is None:
            return output.flatten(0, 1), label.flatten(0, 1)
        return output[mask], label[mask]

    def count(self, x: Tensor, mask: Tensor | None) -> int:
        """Return how many labels a batch has over which the loss is a mean."""
        if not self.per_member:
            return len(x)
        return x.shape[0] * x.shape[1] if mask is None else int(mask.sum())
