import json
import os

import pytest

from invariant_nets import CheckpointError
from invariant_nets._files import make_folder
from invariant_nets.comparison.compare import SETTINGS, check, claim
from invariant_nets.training.checkpoint import LAST, PREVIOUS

TRAINING = {"model": "mlp", "seed": 0, "lr": 1e-3, "static": False}


def test_a_folder_that_was_claimed_belongs_to_that_training(tmp_path):
    folder = tmp_path / "deep" / "mlp-seed-0"
    check(folder, TRAINING)
    claim(folder, TRAINING)
    assert os.listdir(folder) == [SETTINGS]
    check(folder, TRAINING)
    claim(folder, TRAINING)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({**TRAINING, "lr": 1e-2}, "of a training with lr 0.001, not 0.01: give the same settings"),
        ({**TRAINING, "static": True}, "static False, not True"),
        ({**TRAINING, "n": 10}, "n None, not 10"),
        ({"model": "mlp", "seed": 0, "lr": 1e-3}, "static False, not None"),
    ],
)
def test_another_training_is_refused_with_what_differs(tmp_path, other, words):
    claim(tmp_path, TRAINING)
    with pytest.raises(CheckpointError, match=words) as caught:
        check(tmp_path, other)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("name", [LAST, PREVIOUS])
def test_checkpoints_that_do_not_say_of_what_are_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    with pytest.raises(CheckpointError, match="does not say of which training the folder is"):
        check(tmp_path, TRAINING)


@pytest.mark.parametrize("contents", [b"", b"{", b"[]", b"\xff", json.dumps(3).encode()])
def test_settings_that_cannot_be_read_are_refused(tmp_path, contents):
    (tmp_path / SETTINGS).write_bytes(contents)
    with pytest.raises(CheckpointError, match=f"{SETTINGS} does not say of which training"):
        check(tmp_path, TRAINING)


def test_what_can_be_no_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "inside"):
        with pytest.raises(OSError, match=r"checkpoint must be a folder to write to, got .*file"):
            make_folder("checkpoint", path)
    make_folder("checkpoint", tmp_path / "new" / "deep")
    assert os.listdir(tmp_path / "new" / "deep") == []
