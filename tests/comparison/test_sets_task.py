import json

import numpy as np
import pytest
import torch

from invariant_nets import LabeledSets, SetFileError, SetsTask, Task


def sets(count=20, n=4, d=3, mask=None):
    source = torch.Generator().manual_seed(count)
    return LabeledSets(
        torch.randn(count, n, d, generator=source), torch.arange(count) % 4 == 0, mask
    )


def test_a_share_of_the_sets_is_kept_for_the_test():
    task = SetsTask(sets(40), test_share=0.5, validation_share=0.4)
    parts = task.train, task.validation, task.test
    assert [part.counts for part in parts] == [(9, 3), (6, 2), (15, 5)]
    together = torch.cat([part.x for part in parts]).flatten(1)
    assert {tuple(x) for x in together.tolist()} == {
        tuple(x) for x in sets(40).x.flatten(1).tolist()
    }
    by_default = SetsTask(sets(40))
    assert [part.counts for part in (by_default.validation, by_default.test)] == [(4, 2), (8, 2)]
    for part in ("train", "validation", "test"):
        assert torch.equal(getattr(by_default, part).x, getattr(SetsTask(sets(40)), part).x)


def test_test_sets_of_their_own_are_taken():
    train, test, validation = sets(20), sets(8), sets(12)
    task = SetsTask(train, test, validation)
    assert task.training_data(0) is task.training_data(7) is train
    assert task.validation_data(0) is task.validation_data(3) is validation
    assert task.test_data() is test
    assert (task.n, task.d, task.goal.ideal) == (4, 3, None)
    half = SetsTask(train, test)
    assert half.test is test
    assert (len(half.train), len(half.validation)) == (16, 4)
    other = SetsTask(train, validation=validation)
    assert (len(other.train), len(other.test), other.validation) == (15, 5, validation)


def test_the_answer_that_does_not_look_is_that_of_the_training_sets():
    assert SetsTask(sets(20), sets(8)).constant_score == 6 / 8
    few = LabeledSets(torch.zeros(4, 4, 3), torch.tensor([1, 1, 1, 0]))
    assert SetsTask(sets(20), few).constant_score == 1 / 4


def labeled(y, **options):
    return LabeledSets(torch.zeros(len(y), 2, 1), torch.as_tensor(y), **options)


def test_so_it_is_for_classes_and_numbers():
    train, test = (
        labeled([2, 2, 1, 0], labels="classes"),
        labeled([2, 1, 2, 2, 0], labels="classes"),
    )
    assert SetsTask(train, test, train).constant_score == 3 / 5
    train, test = (labeled(y, labels="numbers") for y in ([1.0, 2.0, 9.0], [2.0, 4.0, 5.0, 2.0]))
    assert SetsTask(train, test, train).constant_score == (0 + 2 + 3 + 0) / 4
    squared = SetsTask(train, test, train, goal=Task.regression(score="mse"))
    assert squared.constant_score == (2**2 + 0 + 1 + 2**2) / 4  # of the mean, 4


def test_padding_has_no_label_that_counts():
    x, y = [torch.zeros(n, 1) for n in (3, 1, 2)], [[1, 1, 0], [1], [0, 0]]
    sets = LabeledSets(x, [torch.tensor(part) for part in y], labels="binary", per_member=True)
    assert SetsTask(sets, sets, sets).constant_score == 3 / 6


@pytest.mark.parametrize(
    ("sets", "labels", "outputs", "per_member", "score"),
    [
        (labeled([0, 1, 0, 1]), "binary", 1, False, "accuracy"),
        (labeled([0, 2, 1, 0], labels="classes"), "classes", 3, False, "accuracy"),
        (labeled(torch.eye(4), labels="numbers"), "numbers", 4, False, "mean absolute error"),
        (
            labeled(torch.arange(8).reshape(4, 2) % 3, labels="classes", per_member=True),
            "classes",
            3,
            True,
            "accuracy",
        ),
    ],
)
def test_what_the_labels_are_says_the_goal(sets, labels, outputs, per_member, score):
    goal = SetsTask(sets, sets, sets).goal
    assert (goal.labels, goal.outputs, goal.per_member, goal.score) == (
        labels,
        outputs,
        per_member,
        score,
    )
    with pytest.raises(ValueError, match="goal must be one of the labels of the sets"):
        SetsTask(sets, sets, sets, goal=Task.binary(per_member=not per_member))


def test_settings_are_plain_and_change_with_the_data_alone():
    plain = SetsTask(sets(), name="a").settings()
    assert json.loads(json.dumps(plain)) == plain
    assert (plain["train_sets"], plain["validation_sets"], plain["test_sets"]) == (12, 3, 5)
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
    assert (len(task.train), len(task.validation), len(task.test)) == (4, 2, 6)
    assert task.name == str(path)
    np.savez(path, x=x, y=y, x_test=x[:4], y_test=y[:4])
    assert len(SetsTask.from_file(path, validation_share=0.5).train) == 6
    with pytest.raises(ValueError, match=r"mine.npz: test_share must be left out with test sets"):
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
        (
            LabeledSets(
                torch.zeros(4, 4, 3), torch.ones(4), labels="classes", class_names=["dog", "cat"]
            ),
            None,
            None,
            "more than one class, got 'cat' only",
        ),
        (sets(), LabeledSets(torch.zeros(4, 4, 3), torch.zeros(4)), None, "test .* label 0 only"),
        (sets(), sets(n=5), None, r"test must have sets of the shape of train, \(4, 3\), got \(5"),
        (sets(), sets(d=2), None, r"got \(4, 2\)"),
        (sets(), sets(), 0.5, "test_share must be left out with test sets, got 0.5"),
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
    with pytest.raises(TypeError, match="goal must be a Task, got str"):
        SetsTask(sets(), goal="binary")


@pytest.mark.parametrize(
    ("test", "words"),
    [
        (labeled([0, 1, 1, 1], labels="classes"), "test must have labels as train has them"),
        (labeled([0, 2, 1, 1], labels="classes", num_classes=4), "labels as train has them"),
        (
            labeled([2, 2], labels="classes"),
            "test must have sets of more than one class, got label",
        ),
    ],
)
def test_parts_with_other_labels_are_refused(test, words):
    train = labeled([0, 2, 1, 0, 1], labels="classes")
    with pytest.raises(ValueError, match=words):
        SetsTask(train if "one class" in words or test.num_classes == 4 else sets(n=2, d=1), test)
