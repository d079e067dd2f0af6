import json
import math

import pytest
import torch
from torch.utils.data import DataLoader

from invariant_nets import (
    GaussianDataset,
    GaussianTask,
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
    assert (task.goal.ideal, task.goal.labels, task.rates) == (task.bayes_accuracy, "binary", None)


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
