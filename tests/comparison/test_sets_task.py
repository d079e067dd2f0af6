import json

import numpy as np
import pytest
import torch

from invariant_nets import LabeledSets, SetFileError, SetsTask


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


def test_it_says_what_it_is():
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
