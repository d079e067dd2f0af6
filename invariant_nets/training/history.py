r"""The record of a training run: the losses and scores of each epoch, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from invariant_nets._arguments import need_matplotlib

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Epoch(NamedTuple):
    """The results of one epoch; see `History` for the fields."""

    train_loss: float
    train_score: float
    valid_loss: float
    valid_score: float
    seconds: float


class LossAndScore(NamedTuple):
    """The mean loss and the mean score over the labels of some sets."""

    loss: float
    score: float


@dataclass
class History:
    r"""The record of a fit, with an entry for each epoch; epochs count from 1.

    Attributes:
        epochs: the results of each completed epoch.
        stopped: why the fit ended, in words; empty while it runs.
        restored_best: whether the model ended with the weights of `best_epoch`.
        interrupted: whether Ctrl-C ended the fit.
        score: the name of the score, such as accuracy.
        held_out: the name of the sets that are not trained on: validation, or test.
        ideal: the best score that any model can have, if it is known.

    Example:
        >>> history = History([Epoch(0.7, 0.5, 0.69, 0.5, 0.1), Epoch(0.6, 0.6, 0.65, 0.6, 0.1)])
        >>> history.num_epochs, history.best_epoch, history.valid_loss
        (2, 2, [0.69, 0.65])

    Read in chapter 2.
    """

    # One list, so that an interrupt finds an epoch in it either whole or not at all.
    epochs: list[Epoch] = field(default_factory=list)
    stopped: str = ""
    restored_best: bool = False
    interrupted: bool = False
    score: str = "accuracy"
    held_out: str = "test"
    ideal: float | None = None

    @property
    def train_loss(self) -> list[float]:
        """The mean loss over the training labels, while the weights changed."""
        return [epoch.train_loss for epoch in self.epochs]

    @property
    def train_score(self) -> list[float]:
        """The mean score over the training labels, while the weights changed."""
        return [epoch.train_score for epoch in self.epochs]

    @property
    def valid_loss(self) -> list[float]:
        """The mean loss over the labels that are not trained on, after each epoch."""
        return [epoch.valid_loss for epoch in self.epochs]

    @property
    def valid_score(self) -> list[float]:
        """The mean score over the labels that are not trained on, after each epoch."""
        return [epoch.valid_score for epoch in self.epochs]

    @property
    def train_acc(self) -> list[float]:
        """The scores of a `BinaryTrainer`: the share of training labels on the right side."""
        return self.train_score

    @property
    def test_loss(self) -> list[float]:
        """The losses on what a `BinaryTrainer` calls test sets."""
        return self.valid_loss

    @property
    def test_acc(self) -> list[float]:
        """The share of their labels on the right side."""
        return self.valid_score

    @property
    def seconds(self) -> list[float]:
        """The time of each epoch, including the evaluation of the sets that are held out."""
        return [epoch.seconds for epoch in self.epochs]

    @property
    def num_epochs(self) -> int:
        """The number of epochs that were completed."""
        return len(self.epochs)

    @property
    def best_epoch(self) -> int | None:
        """The first epoch with the least loss on the held-out sets, or None before the first."""
        losses = self.valid_loss
        return losses.index(min(losses)) + 1 if losses else None

    def line(self, epoch: int) -> str:
        """Return one epoch in words."""
        row, score = self.epochs[epoch - 1], self.score
        return (
            f"epoch {epoch}: train loss {row.train_loss:.4f}, {score} {row.train_score:.3f}"
            f" | {self.held_out} loss {row.valid_loss:.4f}, {score} {row.valid_score:.3f}"
        )

    def __str__(self) -> str:
        if self.best_epoch is None:
            return f"no epoch was completed ({self.stopped or 'running'})"
        kept = "its weights were restored" if self.restored_best else "the last weights were kept"
        return (
            f"{self.num_epochs} epochs in {sum(self.seconds):.1f} s ({self.stopped or 'running'})\n"
            f"least {self.held_out} loss at {self.line(self.best_epoch)}; {kept}"
        )

    def plot(
        self, *, bayes_accuracy: float | None = None, bayes_loss: float | None = None
    ) -> Figure:
        """Plot the losses and the scores over the epochs.

        Args:
            bayes_accuracy: the best possible score, drawn as a limit if given; `ideal` by default.
            bayes_loss: the least possible loss, likewise.

        Returns:
            A matplotlib figure of its own; nothing global changes, and a notebook shows it.

        Raises:
            ImportError: if matplotlib is not installed (the extra `plot`).
            ValueError: if there is no epoch to plot.
        """
        if not self.num_epochs:
            raise ValueError("history must hold at least one epoch to be plotted, got none")
        need_matplotlib("History.plot")
        from matplotlib.figure import Figure

        best = self.ideal if bayes_accuracy is None else bayes_accuracy
        figure = Figure(figsize=(8, 3.2), layout="constrained")
        panels = (
            ("loss", self.train_loss, self.valid_loss, bayes_loss),
            (self.score, self.train_score, self.valid_score, best),
        )
        epochs = range(1, self.num_epochs + 1)
        for axes, (name, train, test, limit) in zip(figure.subplots(1, 2), panels, strict=True):
            axes.plot(epochs, train, label="training sets")
            axes.plot(epochs, test, label=f"{self.held_out} sets")
            if limit is not None:
                axes.axhline(limit, color="C2", linestyle="--", label="Bayes limit")
            axes.set(xlabel="epoch", ylabel=name)
            axes.legend()
        return figure
