"""A training run that is cut off goes on as if nothing had happened."""

import multiprocessing
import os
import random
import signal
import threading
import time

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from invariant_nets import (
    Augmentation,
    BinaryTrainer,
    CheckpointError,
    GaussianDataset,
    Ranks,
    SymmetryModel,
    mlp,
    symmetric_group,
)
from invariant_nets.training.resuming.checkpoint import LAST
from tests.ranks import RanksError, on_ranks, stand_alone

EPOCHS = 6


def pieces(seed=0, workers=0):
    """A model, an optimizer and loaders with every kind of randomness, made anew."""
    torch.manual_seed(seed)
    source = torch.Generator().manual_seed(1)
    average = SymmetryModel(mlp(5, 2), symmetric_group(5), samples=3, generator=source)
    model = nn.Sequential(nn.Dropout(0.1), Augmentation(average))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    train = GaussianDataset(96, (5, 2), 1.0, 0.3, static=False, seed=2)
    test = GaussianDataset(40, (5, 2), 1.0, 0.3, static=False, seed=3)
    shuffled = DataLoader(train, 16, shuffle=True, num_workers=workers)
    own = DataLoader(test, 40, shuffle=True, generator=torch.Generator().manual_seed(4))
    return model, optimizer, shuffled, own


def fit(folder=None, epochs=EPOCHS, workers=0, **options):
    model, optimizer, train, test = pieces(workers=workers)
    trainer = BinaryTrainer(model, nn.BCEWithLogitsLoss(), optimizer)
    history = trainer.fit(train, test, epochs, checkpoint=folder, **options)
    return model.state_dict(), history


def same(first, second):
    weights, history = first
    other, other_history = second
    assert all(torch.equal(weights[name], other[name]) for name in weights)
    for losses in ("train_loss", "test_loss", "train_acc", "test_acc"):
        assert getattr(history, losses) == getattr(other_history, losses)
    assert history.stopped == other_history.stopped


@pytest.mark.parametrize("cut", [1, 3, EPOCHS])
@pytest.mark.parametrize("options", [{}, {"early_stopping": 3}])
def test_a_run_in_two_parts_is_the_run_in_one(tmp_path, cut, options):
    fit(tmp_path, epochs=cut, **options)
    random.random()
    torch.rand(7)  # what happens between the parts makes no difference
    same(fit(tmp_path, **options), fit(**options))


def test_keeping_checkpoints_changes_nothing(tmp_path):
    same(fit(tmp_path), fit())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_the_loaders_workers_change_nothing(tmp_path):
    fit(tmp_path, epochs=2, workers=2)
    same(fit(tmp_path, epochs=3, workers=2), fit(epochs=3, workers=2))


def test_a_finished_run_is_not_trained_again(tmp_path):
    done = fit(tmp_path)
    before = (tmp_path / LAST).read_bytes()
    same(fit(tmp_path), done)
    assert (tmp_path / LAST).read_bytes() == before


def test_fewer_epochs_than_were_done_are_told(tmp_path):
    longer, _ = fit(tmp_path, epochs=3)
    weights, history = fit(tmp_path, epochs=2)
    assert history.num_epochs == 3
    assert history.stopped == "3 epochs done before, more than the 2 that were asked for"
    assert all(torch.equal(weights[name], longer[name]) for name in weights)


def test_more_epochs_can_be_asked_for_later(tmp_path):
    fit(tmp_path, epochs=2)
    assert fit(tmp_path, epochs=4)[1].num_epochs == 4


def test_an_interrupted_epoch_is_done_again(tmp_path):
    model, optimizer, train, test = pieces()
    calls = []

    def interrupted(logits, labels):
        calls.append(len(logits))
        if len(calls) == 20:
            raise KeyboardInterrupt
        return nn.functional.binary_cross_entropy_with_logits(logits, labels)

    trainer = BinaryTrainer(model, interrupted, optimizer, threshold=0.0)
    assert trainer.fit(train, test, EPOCHS, checkpoint=tmp_path).stopped == "interrupted"
    same(fit(tmp_path), fit())


def test_a_damaged_last_checkpoint_costs_one_epoch(tmp_path):
    fit(tmp_path, epochs=3)
    contents = (tmp_path / LAST).read_bytes()
    (tmp_path / LAST).write_bytes(contents[:-9])
    with pytest.warns(RuntimeWarning, match="the one before it is used"):
        resumed = fit(tmp_path)
    same(resumed, fit())


def fit_in_a_process(folder, epochs):
    stand_alone()
    fit(folder, epochs=epochs)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_killed_at_twenty_random_moments_it_ends_with_the_same_weights(tmp_path):
    context, moments = multiprocessing.get_context("fork"), random.Random(0)
    # The whole run takes longer than all the moments together, so that it never ends before.
    start, kills, epochs = time.perf_counter(), 0, 40
    fit(epochs=epochs)
    longest = 2 * (time.perf_counter() - start) / 20
    epochs *= 4
    while kills < 20:
        process = context.Process(target=fit_in_a_process, args=(tmp_path, epochs))
        process.start()
        process.join(moments.uniform(0, longest))
        assert process.exitcode is None, "it ended before it was killed"
        os.kill(process.pid, signal.SIGKILL)
        process.join()
        kills += 1
    same(fit(tmp_path, epochs=epochs), fit(epochs=epochs))


@pytest.mark.slow
def test_two_ranks_killed_at_random_moments_end_with_the_same_weights(tmp_path):
    moments, epochs = random.Random(0), 80

    def killed(seconds):
        # Both at once, as when a machine fails.
        threading.Timer(seconds, os.kill, (os.getpid(), signal.SIGKILL)).start()
        fit(tmp_path, epochs)

    for _ in range(8):
        with pytest.raises(RanksError, match="it died"):
            on_ranks(2, killed, moments.uniform(0, 0.25))
    first, second = on_ranks(2, lambda: fit(tmp_path, epochs))
    undisturbed, _ = on_ranks(2, lambda: fit(epochs=epochs))
    same(first, undisturbed)
    same(first, second)


@pytest.mark.slow
def test_ranks_have_random_numbers_of_their_own(tmp_path):
    def own(folder, epochs):
        torch.manual_seed(Ranks().number)
        model = nn.Sequential(nn.Dropout(0.5), mlp(5, 2))
        _, _, train, test = pieces(seed=Ranks().number)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        BinaryTrainer(model, nn.BCEWithLogitsLoss(), optimizer).fit(
            train, test, epochs, checkpoint=folder
        )
        return torch.rand(3)

    on_ranks(2, own, tmp_path, 2)
    resumed, whole = on_ranks(2, own, tmp_path, 4), on_ranks(2, own, None, 4)
    assert [list(numbers) for numbers in resumed] == [list(numbers) for numbers in whole]
    assert not torch.equal(*whole)


def test_another_number_of_ranks_goes_on_and_says_so(tmp_path):
    on_ranks(2, lambda: fit(tmp_path, epochs=2))
    with pytest.warns(RuntimeWarning, match="the checkpoint of 2 ranks is continued by 1") as w:
        _, history = fit(tmp_path, epochs=4)
    assert history.num_epochs == 4
    assert w[0].filename == __file__


def test_only_the_first_rank_writes(tmp_path):
    def folder_of_each():
        own = tmp_path / str(Ranks().number)
        fit(own, epochs=1)

    on_ranks(2, folder_of_each)
    assert (tmp_path / "0" / LAST).exists()
    assert not (tmp_path / "1").exists()


@pytest.mark.parametrize(
    "change",
    [
        lambda parts: (mlp(5, 3), *parts[1:]),
        lambda parts: (*parts[:2], [(torch.zeros(1, 5, 2), torch.zeros(1, 1))], parts[3]),
        lambda parts: (*parts[:2], parts[3], parts[3]),
    ],
    ids=["another model", "other data", "a dataset of another size"],
)
def test_the_checkpoint_of_another_run_is_refused_and_left_alone(tmp_path, change):
    fit(tmp_path, epochs=1)
    before = (tmp_path / LAST).read_bytes()
    model, optimizer, train, test = change(pieces())
    if model is not pieces()[0] and isinstance(model, nn.Module):
        optimizer = torch.optim.Adam(model.parameters())
    rehearsal = test if model.__class__ is nn.Sequential else [
        (torch.zeros(1, 5, 3), torch.zeros(1, 1))
    ]  # fmt: skip
    with pytest.raises(CheckpointError, match="checkpoint is that of another training run"):
        BinaryTrainer(model, nn.BCEWithLogitsLoss(), optimizer).fit(
            train, rehearsal, 2, checkpoint=tmp_path
        )
    assert (tmp_path / LAST).read_bytes() == before


def test_a_full_disk_ends_the_fit_and_keeps_the_last_checkpoint(tmp_path, monkeypatch):
    fit(tmp_path, epochs=2)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    model, optimizer, train, test = pieces()
    trainer = BinaryTrainer(model, nn.BCEWithLogitsLoss(), optimizer)
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space left"):
            trainer.fit(train, test, EPOCHS, checkpoint=tmp_path)
    same(fit(tmp_path), fit())
