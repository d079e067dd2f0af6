import json
import os

import pytest
import torch
from torch import nn

from invariant_nets import (
    MODELS,
    BinaryTrainer,
    CheckpointError,
    GaussianTask,
    LabeledSets,
    ModelSpec,
    SetsTask,
)
from invariant_nets.comparison.compare import SETTINGS, prepare
from invariant_nets.training.checkpoint import LAST
from tests.comparison.comparisons import untimed

TASK = GaussianTask(4, 2, 2.0, 0.5, train_sets=24, validation_sets=8, test_sets=60)
SETS = SetsTask(LabeledSets(torch.randn(40, 4, 2), torch.arange(40) % 2))
NAMES = ["sampled-mlp", "radial"]


def plan(models=tuple(NAMES), task=TASK, epochs=3, seeds=2, batch_size=8, **options):
    return prepare(models, task, epochs=epochs, seeds=seeds, batch_size=batch_size, **options)


def spec(forward):
    """A model of two weights, and what comes of it and the calls so far."""

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.tensor([0.0, 1.0]))
            self.calls = 0

        def forward(self, x):
            self.calls += 1
            return forward(self, self.weight[0] + self.weight[1] * x.mean((1, 2))[:, None])

    return ModelSpec(lambda n, d: Model(), "none", "trivial", 0)


# Failures and interrupts.


def fails_in_training(model, y):
    return y * torch.inf if model.training else y


def fails_in_the_test(model, y):
    return y if len(y) < 60 else y * torch.nan


@pytest.mark.parametrize(
    ("forward", "problem"),
    [
        (fails_in_training, "the training loss became nan in epoch 1"),
        (fails_in_the_test, "the outputs on the test sets are not finite"),
    ],
)
def test_a_training_that_fails_does_not_end_the_comparison(forward, problem):
    comparison = plan({"bad": spec(forward), "radial": MODELS["radial"]}).run()
    assert comparison.ranking == ["radial", "bad"]
    assert comparison["bad"].accuracies == [None, None]
    assert comparison.problems == [f"bad, seed {seed}: {problem}" for seed in (0, 1)]
    assert comparison["radial"].accuracy is not None
    json.loads(comparison.to_json())


def interrupt_at(call):
    def forward(model, y):
        if model.calls == call:
            raise KeyboardInterrupt
        return y

    return spec(forward)


# 1 rehearsal; 3 steps of training and 1 of validation an epoch; the test is the 14th call.
@pytest.mark.parametrize("call", [1, 2, 6, 14])
def test_ctrl_c_ends_it_with_the_trainings_that_were_done(call):
    models = {"radial": MODELS["radial"], "slow": interrupt_at(call), "mlp": MODELS["mlp"]}
    comparison = plan(models).run()
    assert comparison.interrupted
    assert comparison.stopped == "interrupted after 1 of 6 trainings"
    assert comparison.ranking == ["radial"]
    assert len(comparison["radial"].runs) == 1


def test_other_errors_come_through():
    def fails(model, y):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        plan({"bad": spec(fails)}).run()


# Checkpoints.


def kept(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("task", [TASK, SETS])
def test_an_interrupted_comparison_goes_on_to_the_same(tmp_path, monkeypatch, task):
    expected = untimed(plan(task=task).run())
    steps = 0
    step = torch.optim.Adam.step

    def interrupted(self, *arguments, **options):
        nonlocal steps
        steps += 1
        if steps in (20, 25, 31):
            raise KeyboardInterrupt
        return step(self, *arguments, **options)

    monkeypatch.setattr(torch.optim.Adam, "step", interrupted)
    folder = tmp_path / "runs"
    done = [plan(task=task, checkpoint=folder).run() for _ in range(4)]
    assert [comparison.interrupted for comparison in done] == [True, True, True, False]
    assert untimed(done[-1]) == expected
    assert kept(folder) == [f"{name}-seed-{seed}" for name in sorted(NAMES) for seed in (0, 1)]
    assert SETTINGS in kept(folder / "radial-seed-0")


def test_what_is_done_is_not_trained_again(tmp_path, monkeypatch):
    first = plan(checkpoint=tmp_path).run()

    def trained(*arguments):
        raise AssertionError("a step was made")

    monkeypatch.setattr(torch.optim.Adam, "step", trained)
    assert plan(checkpoint=tmp_path).run().to_dict() == first.to_dict()


def test_more_models_and_seeds_may_join(tmp_path):
    plan(["radial"], seeds=1, checkpoint=tmp_path).run()
    both = plan(checkpoint=tmp_path).run()
    assert untimed(both) == untimed(plan().run())


def test_a_damaged_checkpoint_is_an_error(tmp_path):
    plan(["radial"], epochs=1, seeds=1, checkpoint=tmp_path).run()
    (tmp_path / "radial-seed-0" / LAST).write_bytes(b"torn")
    with pytest.raises(CheckpointError, match=rf"{LAST} is no checkpoint"):
        plan(["radial"], epochs=1, seeds=1, checkpoint=tmp_path).run()


def test_without_a_folder_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan().run()
    assert os.listdir(tmp_path) == []


# Progress.


def test_it_is_silent_unless_asked(capfd):
    plan().run()
    assert capfd.readouterr() == ("", "")


def test_the_bar_counts_all_steps_and_names_the_training(capfd, tmp_path):
    for _ in range(2):  # the second time from checkpoints
        plan(log=True, checkpoint=tmp_path).run()
        out, shown = capfd.readouterr()
        assert out == ""
        last = shown.replace("\r", "\n").strip().splitlines()[-1]
        assert "radial, seed 1" in last
        assert f"{2 * 2 * 3 * 3}/{2 * 2 * 3 * 3}" in last
        assert "100%" in last


def test_the_trainer_gets_plain_loaders(monkeypatch):
    given = []
    fit = BinaryTrainer.fit

    def noted(self, dl_train, dl_test, *arguments, **options):
        given.append((dl_train.batch_size, dl_train.generator, len(dl_test.dataset)))
        return fit(self, dl_train, dl_test, *arguments, **options)

    monkeypatch.setattr(BinaryTrainer, "fit", noted)
    plan(["radial"], seeds=1).run()
    plan(["radial"], SETS, seeds=1).run()
    assert given[0] == (8, None, 8)
    assert (given[1][0], given[1][2]) == (8, 10)
    assert isinstance(given[1][1], torch.Generator)
