import json
import math

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from invariant_nets import (
    GaussianDataset,
    GaussianTask,
    LabeledSets,
    SetFileError,
    SetsTask,
    bayes_accuracy,
    bayes_loss,
)
from invariant_nets.comparison.tasks import TRAINING_SEEDS

TASK = GaussianTask(6, 3, 2.0, 0.5, train_sets=12, validation_sets=8, test_sets=40)


# The Gaussian task.


def batch(data):
    return next(iter(DataLoader(data, len(data))))


def test_the_defaults_are_the_running_task():
    task = GaussianTask()
    assert (task.n, task.d, task.var1, task.var2, task.static) == (10, 5, 1.0, 0.8, False)
    assert task.bayes_accuracy == bayes_accuracy(10, 5, 1.0, 0.8)
    assert task.bayes_loss == bayes_loss(10, 5, 1.0, 0.8)


@pytest.mark.parametrize("static", [False, True])
def test_training_data_repeats_if_it_is_static(static):
    data = GaussianTask(6, 3, static=static, train_sets=12).training_data(1)
    assert data.shape == (6, 3)
    assert torch.equal(batch(data)[0], batch(data)[0]) == static


def test_each_seed_and_each_model_has_data_of_its_own():
    drawn = [batch(TASK.training_data(seed))[0] for seed in (0, 1)]
    drawn += [batch(TASK.validation_data(number))[0] for number in (0, 1)]
    assert len({x[0, 0, 0].item() for x in drawn}) == 4
    assert torch.equal(drawn[1], batch(TASK.training_data(1))[0])
    assert torch.equal(drawn[2], batch(TASK.validation_data(0))[0])


def test_test_data_is_the_same_each_time_and_of_the_two_variances():
    many = GaussianTask(6, 3, 2.0, 0.5, test_sets=4000)
    sets = many.test_data()
    assert torch.equal(sets.x, many.test_data().x)
    assert sets.counts == (2000, 2000)
    for label, variance in enumerate((2.0, 0.5)):
        entries = sets.x[sets.y[:, 0] == label]
        error = variance * math.sqrt(2 / entries.numel())
        assert entries.var().item() == pytest.approx(variance, abs=5 * error)


def test_test_data_draws_no_global_random_number():
    before = torch.get_rng_state()
    TASK.test_data()
    assert torch.equal(torch.get_rng_state(), before)


def test_seeds_of_training_leave_those_of_other_data_alone():
    sizes = {"train_sets": 40, "validation_sets": 40, "test_sets": 40}
    task = GaussianTask(2, 2, **sizes)
    assert task.validation_data(0).seed == TRAINING_SEEDS
    data = task.validation_data(0), task.validation_data(3)
    assert all(isinstance(sets, GaussianDataset) and sets.seed >= TRAINING_SEEDS for sets in data)


def test_settings_are_plain_and_tell_tasks_apart():
    plain = TASK.settings()
    assert json.loads(json.dumps(plain)) == plain
    assert (plain["kind"], plain["train_sets"], plain["test_sets"]) == ("gaussian", 12, 40)
    assert GaussianTask().settings() != GaussianTask(static=True).settings()
    assert GaussianTask(var1=1).settings() == GaussianTask().settings()


def test_the_gaussian_task_says_what_it_is():
    assert str(TASK) == "two Gaussians of variances 2.0 and 0.5, n = 6, d = 3, no set comes twice"
    assert str(GaussianTask(static=True)).endswith("the same training sets in every epoch")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "n must be at least 1, got 0"),
        ({"d": -1}, "d must be at least 1, got -1"),
        ({"var1": 0}, "var1 must be a positive, finite variance, got 0"),
        ({"var2": math.nan}, "var2 must be a positive, finite variance, got nan"),
        ({"train_sets": 0}, "train_sets must be at least 1"),
        ({"validation_sets": 0}, "validation_sets must be at least 1"),
        ({"test_sets": 0}, "test_sets must be at least 1"),
    ],
)
def test_numbers_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        GaussianTask(**arguments)


def test_what_is_no_number_is_refused():
    with pytest.raises(TypeError, match=r"n must be an integer, got 2\.5"):
        GaussianTask(2.5)
    with pytest.raises(TypeError, match="var1 must be a number, got '1'"):
        GaussianTask(var1="1")


# The task of labeled sets.


def sets(count=20, n=4, d=3, mask=None):
    source = torch.Generator().manual_seed(count)
    return LabeledSets(
        torch.randn(count, n, d, generator=source), torch.arange(count) % 4 == 0, mask
    )


def test_a_share_of_the_sets_is_kept_for_the_test():
    task = SetsTask(sets(40), test_share=0.5)
    assert task.train.counts == task.test.counts == (15, 5)
    assert SetsTask(sets(40)).test.counts == (8, 2)
    assert torch.equal(SetsTask(sets(40)).test.x, SetsTask(sets(40)).test.x)


def test_test_sets_of_their_own_are_taken():
    train, test = sets(20), sets(8)
    task = SetsTask(train, test)
    assert task.training_data(0) is task.training_data(7) is train
    assert task.validation_data(3) is task.test_data() is test
    assert (task.n, task.d, task.bayes_accuracy, task.bayes_loss) == (4, 3, None, None)


def test_the_more_frequent_label_is_that_of_the_training_sets():
    assert SetsTask(sets(20), sets(8)).majority_accuracy == 6 / 8
    few = LabeledSets(torch.zeros(4, 4, 3), torch.tensor([1, 1, 1, 0]))
    assert SetsTask(sets(20), few).majority_accuracy == 1 / 4


def test_settings_are_plain_and_change_with_the_data_alone():
    plain = SetsTask(sets(), name="a").settings()
    assert json.loads(json.dumps(plain)) == plain
    assert (plain["train_sets"], plain["test_sets"]) == (15, 5)
    assert plain == SetsTask(sets(), name="b").settings()
    x, y = sets().x, sets().y
    changed = x.clone()
    changed[0, 0, 0] += 1
    mask = torch.arange(4) < torch.full((20, 1), 3)
    others = LabeledSets(changed, y), LabeledSets(x, 1 - y), LabeledSets(x, y, mask)
    digests = {SetsTask(other).settings()["sha256"] for other in others}
    assert len(digests | {plain["sha256"]}) == 4


def test_a_task_of_sets_says_what_it_is():
    assert str(SetsTask(sets(), name="mine")) == "mine, n = 4, d = 3"
    mask = torch.arange(4) < torch.full((20, 1), 3)
    assert str(SetsTask(sets(mask=mask))) == "sets, n ≤ 4, d = 3"


def test_a_file_is_read_and_names_the_task(tmp_path):
    path = tmp_path / "mine.npz"
    x, y = np.random.default_rng(0).normal(size=(12, 4, 3)), np.arange(12) % 2
    np.savez(path, x=x, y=y)
    task = SetsTask.from_file(path, test_share=0.5)
    assert (len(task.train), len(task.test), task.name) == (6, 6, str(path))
    np.savez(path, x=x, y=y, x_test=x[:4], y_test=y[:4])
    assert len(SetsTask.from_file(path).train) == 12
    with pytest.raises(ValueError, match=r"mine.npz: test_share must be left out beside test sets"):
        SetsTask.from_file(path, test_share=0.5)
    np.savez(path, x=x, y=y * 0)
    with pytest.raises(
        ValueError, match=r"mine.npz: train must have sets of both labels, got label"
    ):
        SetsTask.from_file(path)
    np.savez(path, x=x, y=np.arange(12) == 0)
    with pytest.raises(ValueError, match=r"mine.npz: two sets of each label are needed, got 1"):
        SetsTask.from_file(path)
    with pytest.raises(SetFileError, match="must end in"):
        SetsTask.from_file(__file__)


@pytest.mark.parametrize(
    ("train", "test", "share", "message"),
    [
        (LabeledSets(torch.zeros(4, 4, 3), torch.ones(4)), None, None, "got label 1 only"),
        (sets(), LabeledSets(torch.zeros(4, 4, 3), torch.zeros(4)), None, "test .* label 0 only"),
        (sets(), sets(n=5), None, r"test must have sets of the shape of train, \(4, 3\), got \(5"),
        (sets(), sets(d=2), None, r"got \(4, 2\)"),
        (sets(), sets(), 0.5, "test_share must be left out beside test sets, got 0.5"),
        (sets(), None, 0, "test_share must lie between 0 and 1, got 0"),
        (sets(), None, 1.0, "test_share must lie between 0 and 1, got 1.0"),
        (sets(), None, float("nan"), "test_share must lie between 0 and 1, got nan"),
    ],
)
def test_what_is_no_task_is_refused(train, test, share, message):
    with pytest.raises(ValueError, match=message):
        SetsTask(train, test, test_share=share)


def test_what_are_no_sets_is_refused():
    with pytest.raises(TypeError, match="train must be LabeledSets, got Tensor"):
        SetsTask(torch.zeros(4, 4, 3))
    with pytest.raises(TypeError, match="test must be LabeledSets, got tuple"):
        SetsTask(sets(), (1, 2))
    with pytest.raises(TypeError, match="test_share must be a number, got '1'"):
        SetsTask(sets(), test_share="1")
