r"""What a training run was: losses and accuracies an epoch, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from invariant_nets._arguments import need_matplotlib

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Epoch(NamedTuple):
    """What one epoch gave; see `History` for the fields."""

    train_loss: float
    train_acc: float
    test_loss: float
    test_acc: float
    seconds: float


@dataclass
class History:
    r"""The record of a fit, an entry an epoch; epochs count from 1.

    Attributes:
        epochs: what each completed epoch gave.
        stopped: why the fit ended, in words; empty while it runs.
        restored_best: whether the model ended with the weights of `best_epoch`.
        interrupted: whether Ctrl-C ended the fit.

    Example:
        >>> history = History([Epoch(0.7, 0.5, 0.69, 0.5, 0.1), Epoch(0.6, 0.6, 0.65, 0.6, 0.1)])
        >>> history.num_epochs, history.best_epoch, history.test_loss
        (2, 2, [0.69, 0.65])

    Read in chapter 10.
    """

    # One list, so that an interrupt finds an epoch in it either whole or not at all.
    epochs: list[Epoch] = field(default_factory=list)
    stopped: str = ""
    restored_best: bool = False
    interrupted: bool = False

    @property
    def train_loss(self) -> list[float]:
        """The mean loss over the training samples, taken while the weights were moving."""
        return [epoch.train_loss for epoch in self.epochs]

    @property
    def train_acc(self) -> list[float]:
        """The share of training samples on the right side, in [0, 1], taken likewise."""
        return [epoch.train_acc for epoch in self.epochs]

    @property
    def test_loss(self) -> list[float]:
        """The mean loss over the test samples after each epoch."""
        return [epoch.test_loss for epoch in self.epochs]

    @property
    def test_acc(self) -> list[float]:
        """The share of test samples on the right side after each epoch, in [0, 1]."""
        return [epoch.test_acc for epoch in self.epochs]

    @property
    def seconds(self) -> list[float]:
        """How long each epoch took, its test included."""
        return [epoch.seconds for epoch in self.epochs]

    @property
    def num_epochs(self) -> int:
        """The number of epochs that were completed."""
        return len(self.epochs)

    @property
    def best_epoch(self) -> int | None:
        """The first epoch with the least test loss, or none before the first epoch."""
        losses = self.test_loss
        return losses.index(min(losses)) + 1 if losses else None

    def line(self, epoch: int) -> str:
        """Return one epoch in words."""
        row = self.epochs[epoch - 1]
        return (
            f"epoch {epoch}: train loss {row.train_loss:.4f}, accuracy {row.train_acc:.3f}"
            f" | test loss {row.test_loss:.4f}, accuracy {row.test_acc:.3f}"
        )

    def __str__(self) -> str:
        if self.best_epoch is None:
            return f"no epoch was completed ({self.stopped or 'running'})"
        kept = "its weights were restored" if self.restored_best else "the last weights were kept"
        return (
            f"{self.num_epochs} epochs in {sum(self.seconds):.1f} s ({self.stopped or 'running'})\n"
            f"least test loss at {self.line(self.best_epoch)}; {kept}"
        )

    def plot(
        self, *, bayes_accuracy: float | None = None, bayes_loss: float | None = None
    ) -> Figure:
        """Plot the losses and the accuracies over the epochs.

        Args:
            bayes_accuracy: the best possible accuracy, drawn as a limit if given.
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

        figure = Figure(figsize=(8, 3.2), layout="constrained")
        panels = (
            ("loss", self.train_loss, self.test_loss, bayes_loss),
            ("accuracy", self.train_acc, self.test_acc, bayes_accuracy),
        )
        epochs = range(1, self.num_epochs + 1)
        for axes, (name, train, test, limit) in zip(figure.subplots(1, 2), panels, strict=True):
            axes.plot(epochs, train, label="training sets")
            axes.plot(epochs, test, label="test sets")
            if limit is not None:
                axes.axhline(limit, color="C2", linestyle="--", label="Bayes limit")
            axes.set(xlabel="epoch", ylabel=name)
            axes.legend()
        return figure
