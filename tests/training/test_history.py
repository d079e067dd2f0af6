import sys

import matplotlib as mpl
import pytest

from invariant_nets import Epoch, History

EPOCHS = [
    Epoch(0.70, 0.50, 0.69, 0.52, 0.25),
    Epoch(0.60, 0.65, 0.61, 0.62, 0.25),
    Epoch(0.50, 0.75, 0.61, 0.64, 0.25),
    Epoch(0.40, 0.85, 0.66, 0.60, 0.25),
]


def finished(**changes):
    return History(list(EPOCHS), **({"stopped": "all 4 epochs done"} | changes))


def test_the_columns_are_those_of_the_epochs():
    history = finished()
    assert history.train_loss == [0.70, 0.60, 0.50, 0.40]
    assert history.train_acc == [0.50, 0.65, 0.75, 0.85]
    assert history.test_loss == [0.69, 0.61, 0.61, 0.66]
    assert history.test_acc == [0.52, 0.62, 0.64, 0.60]
    assert history.seconds == [0.25] * 4
    assert history.num_epochs == 4


def test_the_best_epoch_is_the_first_with_the_least_test_loss_counted_from_one():
    assert finished().best_epoch == 2


def test_without_an_epoch_there_is_no_best_one():
    assert History().best_epoch is None
    assert History().num_epochs == 0


def test_histories_do_not_share_their_epochs():
    first, second = History(), History()
    first.epochs.append(EPOCHS[0])
    assert second.epochs == []


def test_an_epoch_reads_well():
    assert finished().line(2) == (
        "epoch 2: train loss 0.6000, accuracy 0.650 | test loss 0.6100, accuracy 0.620"
    )


def test_the_whole_history_reads_well():
    assert str(finished()).splitlines() == [
        "4 epochs in 1.0 s (all 4 epochs done)",
        f"least test loss at {finished().line(2)}; the last weights were kept",
    ]


def test_it_says_when_weights_were_restored():
    assert str(finished(restored_best=True)).endswith("; its weights were restored")


def test_it_says_when_no_epoch_was_completed():
    assert str(History(stopped="interrupted")) == "no epoch was completed (interrupted)"
    assert str(History()) == "no epoch was completed (running)"


def test_the_plot_shows_both_sets_in_both_panels():
    loss, accuracy = finished().plot().axes
    for axes, name, curves in (
        (loss, "loss", (finished().train_loss, finished().test_loss)),
        (accuracy, "accuracy", (finished().train_acc, finished().test_acc)),
    ):
        assert axes.get_ylabel() == name
        assert axes.get_xlabel() == "epoch"
        assert [list(line.get_xdata()) for line in axes.lines] == [[1, 2, 3, 4]] * 2
        assert tuple(list(line.get_ydata()) for line in axes.lines) == curves
        assert [t.get_text() for t in axes.get_legend().get_texts()] == [
            "training sets",
            "test sets",
        ]


def test_the_plot_shows_the_limits_when_they_are_given():
    loss, accuracy = finished().plot(bayes_accuracy=0.71, bayes_loss=0.56).axes
    assert list(loss.lines[-1].get_ydata()) == [0.56, 0.56]
    assert list(accuracy.lines[-1].get_ydata()) == [0.71, 0.71]
    assert loss.get_legend().get_texts()[-1].get_text() == "Bayes limit"


def test_the_plot_can_be_drawn(tmp_path):
    path = tmp_path / "history.png"
    finished().plot().savefig(path)
    assert path.stat().st_size > 5000


def test_the_plot_changes_nothing_global():
    before = dict(mpl.rcParams)
    finished().plot()
    assert dict(mpl.rcParams) == before
    if "matplotlib.pyplot" in sys.modules:
        assert sys.modules["matplotlib.pyplot"].get_fignums() == []


def test_no_epoch_cannot_be_plotted():
    with pytest.raises(ValueError, match="history must hold at least one epoch"):
        History().plot()


def test_without_matplotlib_the_plot_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'invariant_nets\[plot\]'"):
        finished().plot()
