import errno
import os

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from invariant_nets import CheckpointError, CheckpointFolder
from invariant_nets.training.resuming import checkpoint
from invariant_nets.training.resuming.checkpoint import LAST, PREVIOUS


def state(epoch):
    return {"epoch": epoch, "weights": torch.full((50,), float(epoch)), "names": ["a", "b"]}


@pytest.fixture
def folder(tmp_path):
    """A folder with checkpoints of epochs 1 and 2."""
    made = CheckpointFolder(tmp_path / "deep" / "run")
    made.save(state(1))
    made.save(state(2))
    return made


def epoch_of(folder):
    return folder.load()["epoch"]


def test_the_last_one_comes_back_and_the_one_before_it_is_kept(folder):
    loaded = folder.load()
    assert loaded["epoch"] == 2
    assert torch.equal(loaded["weights"], torch.full((50,), 2.0))
    assert sorted(os.listdir(folder.folder)) == [LAST, PREVIOUS]
    folder.save(state(3))
    (folder.folder / LAST).unlink()
    assert epoch_of(folder) == 2


def test_an_empty_folder_has_none(tmp_path):
    assert CheckpointFolder(tmp_path).load() is None
    assert os.listdir(tmp_path) == []


@given(st.data())
def test_a_bit_that_flips_anywhere_is_noticed(tmp_path_factory, data):
    folder = CheckpointFolder(tmp_path_factory.mktemp("run"))
    folder.save(state(1))
    folder.save(state(2))
    path = folder.folder / LAST
    contents = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(contents) - 1))
    contents[at] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(contents)
    with pytest.warns(RuntimeWarning, match=r"last.ckpt is .*; the one before it is used"):
        assert epoch_of(folder) == 1


def test_every_byte_of_the_head_is_checked(folder):
    path = folder.folder / LAST
    whole = path.read_bytes()
    for at in range(len(checkpoint._head(b""))):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.warns(RuntimeWarning, match="the one before it is used"):
            assert epoch_of(folder) == 1


@given(st.floats(0, 1, exclude_max=True))
def test_a_torn_file_is_noticed_wherever_it_ends(tmp_path_factory, share):
    folder = CheckpointFolder(tmp_path_factory.mktemp("run"))
    folder.save(state(1))
    folder.save(state(2))
    path = folder.folder / LAST
    contents = path.read_bytes()
    path.write_bytes(contents[: int(share * len(contents))])
    with pytest.warns(RuntimeWarning, match="the one before it is used"):
        assert epoch_of(folder) == 1


def test_two_damaged_ones_are_refused_with_both_reasons(folder):
    (folder.folder / LAST).write_bytes(b"something else")
    (folder.folder / PREVIOUS).write_bytes((folder.folder / PREVIOUS).read_bytes()[:-1])
    with pytest.raises(
        CheckpointError, match=r"last.ckpt is no checkpoint .*previous.ckpt is torn"
    ):
        folder.load()


class Harmful:
    def __reduce__(self):
        return (os.mkdir, ("harm",))


def test_no_code_in_a_file_is_ever_run(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    CheckpointFolder(folder.folder).save({"code": Harmful()})
    with pytest.warns(RuntimeWarning, match="last.ckpt holds more than tensors and plain values"):
        assert epoch_of(folder) == 2
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("step", ["fsync", "link", "replace"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_fault_at_every_step_of_a_save_leaves_the_last_one(folder, monkeypatch, step, code):
    def fails(*arguments):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(checkpoint.os, step, fails)
    if step == "link":  # the copy fails as well
        monkeypatch.setattr("shutil.copyfile", fails)
    with pytest.raises(OSError, match=r"the last one is intact \(.*\)") as caught:
        folder.save(state(3))
    assert caught.value.errno == code
    monkeypatch.undo()
    assert epoch_of(folder) == 2
    assert f"{LAST}.partial" not in os.listdir(folder.folder)
    folder.save(state(4))
    assert epoch_of(folder) == 4


def test_a_file_system_without_links_gets_copies(folder, monkeypatch):
    def no_links(*arguments):
        raise PermissionError(errno.EPERM, "no links")

    monkeypatch.setattr(checkpoint.os, "link", no_links)
    folder.save(state(3))
    (folder.folder / LAST).unlink()
    assert epoch_of(folder) == 2


def test_what_can_be_no_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"checkpoint must be a folder to write to, got .*file"):
        CheckpointFolder(tmp_path / "file")
