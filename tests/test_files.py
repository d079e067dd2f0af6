import errno
import os

import pytest

from invariant_nets._files import make_folder, output_file, write_whole


def test_a_file_that_can_be_written_is_its_path_and_is_not_made(tmp_path):
    for name in ("a.json", "b.JSON"):
        assert output_file("out", str(tmp_path / name), [".json"]) == tmp_path / name
    assert os.listdir(tmp_path) == []


def test_a_file_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"out must end in .svg or .png, got '.*a.json'"):
        output_file("out", tmp_path / "a.json", [".svg", ".png"])
    with pytest.raises(ValueError, match=r"out must end in .json, got ''"):
        output_file("out", "", [".json"])
    with pytest.raises(IsADirectoryError, match=r"out must be a file, got the folder .*folder"):
        output_file("out", tmp_path / "folder.json", [".json"])
    for folder in ("none", "file"):
        with pytest.raises(FileNotFoundError, match=r"out must be in a folder that exists, got"):
            output_file("out", tmp_path / folder / "a.json", [".json"])


def test_a_folder_that_is_closed_is_refused(tmp_path, monkeypatch):
    def closed(**arguments):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("tempfile.TemporaryFile", closed)
    for refused in (
        lambda: output_file("out", tmp_path / "a.json", [".json"]),
        lambda: make_folder("out", tmp_path),
    ):
        with pytest.raises(
            PermissionError, match=r"^out must .*folder to write to, got .* \(Permission denied\)$"
        ) as caught:
            refused()
        assert caught.value.errno == errno.EACCES


def test_a_folder_is_made_if_it_can_be(tmp_path):
    for _ in range(2):
        assert make_folder("out", str(tmp_path / "new" / "deep")) == tmp_path / "new" / "deep"
    assert os.listdir(tmp_path / "new" / "deep") == []
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "inside"):
        with pytest.raises(OSError, match=r"out must be a folder to write to, got .*file"):
            make_folder("out", path)


def test_what_is_written_replaces_what_was_there_or_keeps_it(tmp_path):
    for contents in (b"one", b"two"):
        write_whole(tmp_path / "a.json", contents)
        assert (tmp_path / "a.json").read_bytes() == contents
    assert os.listdir(tmp_path) == ["a.json"]
    for contents, before in ((b"three", b"two"), (b"four", b"three")):
        write_whole(tmp_path / "a.json", contents, tmp_path / "b.json")
        assert (tmp_path / "b.json").read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["a.json", "b.json"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("problem", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
def test_a_fault_leaves_what_was_there(tmp_path, monkeypatch, step, problem):
    (tmp_path / "a.json").write_text("before")

    def fails(*arguments):
        raise problem

    monkeypatch.setattr(f"os.{step}", fails)
    with pytest.raises(type(problem), match=r"a.json could not be written \(full\)|^$"):
        write_whole(tmp_path / "a.json", b"after")
    assert os.listdir(tmp_path) == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "before"
