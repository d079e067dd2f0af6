import contextlib
import errno
import gc
import io
import os
import pickle
import warnings
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from invariant_nets import SetFileError, load_sets
from tests.examples import examples

X = np.random.default_rng(0).normal(size=(8, 3, 2))
Y = np.arange(8) % 2
MASK = np.arange(3) < np.array([3, 1, 2, 3, 1, 2, 2, 3])[:, None]
SETS = [torch.tensor(x[m]) for x, m in zip(X, MASK, strict=True)]
PLAIN = {"x": X, "y": Y}
WHOLE = {**PLAIN, "mask": MASK}
FORMATS = ["npz", "pt"]


def saved(folder, contents, kind):
    path = folder / f"sets.{kind}"
    if kind == "npz":
        np.savez(path, **contents)
    else:
        torch.save(tensors(contents), path)
    return path


def tensors(contents):
    if isinstance(contents, dict):
        return {
            key: torch.from_numpy(value) if isinstance(value, np.ndarray) else value
            for key, value in contents.items()
        }
    return contents


def zipped(names):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, contents in names.items():
            archive.writestr(name, contents)
    return stream.getvalue()


class Harmful:
    def __reduce__(self):
        return (os.mkdir, ("harm",))


# What is read.


@pytest.mark.parametrize("kind", FORMATS)
def test_sets_labels_and_mask_come_back(tmp_path, kind):
    train, test = load_sets(saved(tmp_path, WHOLE, kind))
    assert test is None
    assert torch.equal(train.x, torch.tensor(np.where(MASK[:, :, None], X, 0)).float())
    assert torch.equal(train.y, torch.tensor(Y)[:, None].float())
    assert torch.equal(train.mask, torch.tensor(MASK))


@pytest.mark.parametrize("kind", FORMATS)
def test_a_test_split_comes_back_apart(tmp_path, kind):
    split = {"x_test": X[:2] + 1, "y_test": Y[:2], "mask_test": MASK[:2]}
    train, test = load_sets(saved(tmp_path, {**PLAIN, **split}, kind))
    assert (len(train), train.mask, len(test)) == (8, None, 2)
    assert torch.equal(test.mask, torch.tensor(MASK[:2]))
    assert torch.allclose(test.x[0, 0], train.x[0, 0] + 1)


@pytest.mark.parametrize("kind", FORMATS)
def test_what_padding_holds_is_no_matter(tmp_path, kind):
    x = np.where(MASK[:, :, None], X, np.nan)
    assert load_sets(saved(tmp_path, {**WHOLE, "x": x}, kind)).train.x.isfinite().all()


@pytest.mark.parametrize("kind", FORMATS)
def test_other_keys_are_left_alone(tmp_path, kind):
    other = {"names": np.array(list("abcdefgh")) if kind == "npz" else list("abcdefgh")}
    assert len(load_sets(saved(tmp_path, {**PLAIN, **other}, kind)).train) == 8


@pytest.mark.parametrize(
    "y", [Y.astype(bool), Y.astype("f2"), Y.astype(">i4"), Y[:, None], Y * 1.0]
)
@pytest.mark.parametrize("kind", FORMATS)
def test_labels_of_every_type_and_both_shapes(tmp_path, kind, y):
    if kind == "pt":
        y = y.astype(y.dtype.newbyteorder("="))
    train = load_sets(saved(tmp_path, {"x": X, "y": y}, kind)).train
    assert train.y[:, 0].tolist() == Y.tolist()


@pytest.mark.parametrize(
    "dtype", ["f2", "f4", ">f8", "i1", "i8", ">i2", "u1", "u2", "u4", "u8", "?"]
)
def test_an_npz_may_have_numbers_of_every_type(tmp_path, dtype):
    x = np.asfortranarray((X > 0).astype(dtype))
    train = load_sets(saved(tmp_path, {"x": x, "y": Y.astype(dtype)}, "npz")).train
    assert torch.equal(train.x, torch.tensor(X > 0).float())
    assert train.y[:, 0].tolist() == Y.tolist()


@pytest.mark.parametrize(
    "contents",
    [
        (torch.tensor(X), torch.tensor(Y), torch.tensor(MASK)),
        [torch.tensor(X), torch.tensor(Y), torch.tensor(MASK)],
        (SETS, torch.tensor(Y)),
        {"x": tuple(SETS), "y": torch.tensor(Y)},
        {"x": torch.nested.nested_tensor(SETS, layout=torch.jagged), "y": torch.tensor(Y)},
    ],
)
def test_a_pt_may_be_a_tuple_and_have_sets_in_a_list(tmp_path, contents):
    expected = load_sets(saved(tmp_path, WHOLE, "npz")).train
    train = load_sets(saved(tmp_path, contents, "pt")).train
    for name in ("x", "y", "mask"):
        assert torch.equal(getattr(train, name), getattr(expected, name))


def test_lists_of_sets_of_a_split_are_padded_to_one_size(tmp_path):
    split = {"x_test": [torch.ones(7, 2), torch.ones(1, 2)], "y_test": torch.arange(2)}
    train, test = load_sets(saved(tmp_path, {"x": SETS, "y": Y, **split}, "pt"))
    assert (train.n, test.n) == (7, 7)
    assert test.mask.sum(1).tolist() == [7, 1]
    assert train.mask.sum(1).tolist() == MASK.sum(1).tolist()


def test_older_forms_of_files_and_loud_extensions_are_read(tmp_path):
    torch.save(tensors(PLAIN), tmp_path / "old.PT", _use_new_zipfile_serialization=False)
    np.savez_compressed(tmp_path / "small.npz", **PLAIN)
    os.rename(tmp_path / "small.npz", tmp_path / "small.NPZ")
    for name in ("old.PT", "small.NPZ"):
        assert len(load_sets(tmp_path / name).train) == 8
        assert len(load_sets(str(tmp_path / name)).train) == 8


@pytest.mark.parametrize("kind", FORMATS)
def test_labels_of_every_kind_are_read(tmp_path, kind):
    path = saved(tmp_path, {"x": X, "y": np.arange(8) % 3}, kind)
    classes = load_sets(path, labels="classes").train
    assert (classes.y.tolist(), classes.num_classes) == ([0, 1, 2, 0, 1, 2, 0, 1], 3)
    y = np.arange(16).reshape(8, 2) / 4
    numbers = load_sets(saved(tmp_path, {"x": X, "y": y}, kind), labels="numbers").train
    assert numbers.y.tolist() == y.tolist()
    y = np.where(MASK, np.arange(24).reshape(8, 3), -1)
    path = saved(tmp_path, {**WHOLE, "y": y}, kind)
    members = load_sets(path, labels="classes", per_member=True).train
    assert members.y.tolist() == np.where(MASK, y, 0).tolist()


@pytest.mark.parametrize("kind", FORMATS)
def test_a_split_has_one_number_of_classes(tmp_path, kind):
    split = {"x_test": X[:2], "y_test": np.array([0, 5])}
    train, test = load_sets(saved(tmp_path, {**PLAIN, **split}, kind), labels="classes")
    assert (train.num_classes, test.num_classes) == (6, 6)
    assert train.counts == (4, 4, 0, 0, 0, 0)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_split_must_have_one_number_of_columns(tmp_path, kind):
    split = {"x_test": X[:2], "y_test": np.zeros((2, 2))}
    path = saved(tmp_path, {**PLAIN, **split}, kind)
    with pytest.raises(SetFileError, match=r"y_test must have as many columns as y, shape"):
        load_sets(path, labels="numbers")


def test_a_pt_may_have_labels_of_members_in_a_list(tmp_path):
    y = [torch.arange(len(rows)) for rows in SETS]
    path = saved(tmp_path, {"x": SETS, "y": y}, "pt")
    train = load_sets(path, labels="classes", per_member=True).train
    assert train.y[train.mask].tolist() == torch.cat(y).tolist()
    with pytest.raises(SetFileError, match="y must be a tensor, got list"):
        load_sets(path, labels="classes")


# What is refused.


def bad(**changes):
    return {**WHOLE, **changes}


def with_value(value):
    x = X.copy()
    x[1, 0, 1] = value
    return x


BAD_CONTENTS = [
    ({"x": X}, "the keys x and y are needed, got x, without y"),
    ({"sets": X, "labels": Y}, "got sets, labels, without x and y"),
    ({}, "got no key, without x and y"),
    (bad(x=X[0]), r"x must have shape \(batch, n, d\), got \(3, 2\)"),
    (bad(y=Y[:5]), r"y must have shape \(8,\) or \(8, 1\), got \(5,\)"),
    (bad(y=Y + 1), "y must hold the labels 0 and 1 only, got 2"),
    (bad(x=with_value(np.nan), mask=MASK | True), "got nan in set 1, row 0, column 1"),
    (bad(x=with_value(1e200)), r"got 1e\+200 in set 1"),
    (bad(x=X * 1j), "x must .*real"),
    (bad(mask=MASK[:, :2]), r"mask must have shape \(batch, n\) = \(8, 3\), got \(8, 2\)"),
    (bad(mask=MASK.astype("i4")), "mask must be of bool, .*, got torch.int32"),
    (bad(x_test=X), "the keys x_test and y_test are needed, .* without y_test"),
    (bad(y_test=Y), "got x, y, mask, y_test, without x_test"),
    (bad(mask_test=MASK), "got .*mask_test, without x_test and y_test"),
    (bad(x_test=X[:, :2], y_test=Y), r"x_test must have shape \(sets, 3, 2\) .*\(8, 2, 2\)"),
    (bad(x_test=X[:, :, :1], y_test=Y), r"x_test must have shape \(sets, 3, 2\) .*\(8, 3, 1\)"),
    (bad(x_test=X, y_test=Y[:3]), r"y_test must have shape \(8,\)"),
    (bad(x_test=X, y_test=Y, mask_test=MASK[:3]), "mask_test must have shape"),
]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(("contents", "message"), BAD_CONTENTS)
def test_what_are_no_labeled_sets_is_refused_by_the_files_name(tmp_path, kind, contents, message):
    path = saved(tmp_path, contents, kind)
    with pytest.raises(SetFileError, match=message) as caught:
        load_sets(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (torch.tensor(X), r"must hold a dict with x and y, or a tuple .*, got Tensor"),
        ((torch.tensor(X),), "the keys x and y are needed, got x, without y"),
        (SETS, "a tuple .*, got list"),
        (3, "got int"),
        ((torch.tensor(X), "labels"), "y must be a tensor, got str"),
        ((SETS, Y.tolist()), "y must be a tensor, got list"),
        (([*SETS[:-1], torch.ones(2)], torch.tensor(Y)), r"x must all have shape \(n_i, 2\)"),
        ((SETS, torch.tensor(Y), torch.tensor(MASK)), "mask must be left out when x is a list"),
        ((X.tolist(), torch.tensor(Y)), "x must hold tensors, got list"),
        ({"x": torch.tensor(X).to_sparse(), "y": torch.tensor(Y)}, "x must be a dense tensor"),
    ],
)
def test_what_a_pt_alone_can_hold_is_refused(tmp_path, contents, message):
    path = saved(tmp_path, contents, "pt")
    with pytest.raises(SetFileError, match=message) as caught:
        load_sets(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("key", ["x", "y", "mask"])
@pytest.mark.parametrize(
    "array", [np.array(list("abcdefgh")), np.zeros(8, "M8[s]"), np.zeros(8, "V3"), np.zeros(8, "g")]
)
def test_an_npz_of_no_numbers_is_refused(tmp_path, key, array):
    with pytest.raises(SetFileError, match=f"{key} must be of numbers or bools as torch has"):
        load_sets(saved(tmp_path, bad(**{key: array}), "npz"))


@pytest.mark.parametrize(
    ("kind", "contents"),
    [
        ("npz", {**PLAIN, "y": np.array([Harmful()] * 8)}),
        ("npz", {**PLAIN, "x": np.array([SETS[0].numpy(), SETS[1].numpy()], dtype=object)}),
        ("pt", {"x": torch.tensor(X), "y": Harmful()}),
        ("pt", (X, Y)),
        ("pt", torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))),
    ],
)
def test_pickled_objects_are_refused_and_never_run(tmp_path, monkeypatch, kind, contents):
    monkeypatch.chdir(tmp_path)
    path = saved(tmp_path, contents, kind) if isinstance(contents, dict) else tmp_path / "a.pt"
    if not isinstance(contents, dict):
        torch.save(contents, path)
    with pytest.raises(SetFileError, match="holds pickled objects, which could run code") as caught:
        load_sets(path)
    assert str(path) in str(caught.value)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    "contents",
    [
        b"",
        b"x,y\n1,0\n",
        b"\x89PNG\r\n\x1a\n" + bytes(99),
        b"PK\x05\x06" + bytes(18),
        pickle.dumps({"x": 1}),
        zipped({"x.npy": b"no array", "y.npy": b"\x93NUMPY"}),
        zipped({"x": b"no array", "y": b""}),
    ],
)
def test_what_is_of_another_format_is_refused(tmp_path, kind, contents):
    path = tmp_path / f"sets.{kind}"
    path.write_bytes(contents)
    with pytest.raises(SetFileError) as caught:
        load_sets(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_single_array_is_no_npz(tmp_path):
    with open(tmp_path / "sets.npz", "wb") as file:
        np.save(file, X)
    with pytest.raises(SetFileError, match=r"is torn, damaged or no .npz"):
        load_sets(tmp_path / "sets.npz")


def test_one_format_under_the_name_of_the_other_is_refused(tmp_path):
    for kind, other in (FORMATS, FORMATS[::-1]):
        path = saved(tmp_path, PLAIN, kind)
        with pytest.raises(SetFileError, match=r"\.(pt|npz)"):
            load_sets(path.rename(tmp_path / f"wrong.{other}"))


@pytest.mark.parametrize("kind", FORMATS)
@examples(60)
@given(data=st.data())
def test_a_damaged_file_is_refused_or_read_and_nothing_else(tmp_path_factory, kind, data):
    path = saved(tmp_path_factory.mktemp("file"), WHOLE, kind)
    contents = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        contents = contents[: data.draw(st.integers(0, len(contents) - 1))]
    else:
        contents[data.draw(st.integers(0, len(contents) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(contents)
    problem = f"{path}"
    try:
        load_sets(path)
    except SetFileError as error:
        problem = str(error)
    assert str(path) in problem
    assert "\n" not in problem


@pytest.mark.parametrize("kind", FORMATS)
def test_a_damaged_file_is_closed(tmp_path, kind):
    path = saved(tmp_path, WHOLE, kind)
    whole = path.read_bytes()
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        for at in range(0, len(whole), 7):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 255]) + whole[at + 1 :])
            with contextlib.suppress(SetFileError):
                load_sets(path)
        gc.collect()
    assert [str(w.message) for w in heard if w.category is ResourceWarning] == []


@pytest.mark.parametrize("kind", FORMATS)
@given(share=st.floats(0, 0.999))
def test_a_torn_file_is_refused(tmp_path_factory, kind, share):
    path = saved(tmp_path_factory.mktemp("file"), WHOLE, kind)
    contents = path.read_bytes()
    path.write_bytes(contents[: int(share * len(contents))])
    with pytest.raises(SetFileError, match=r"torn"):
        load_sets(path)


def test_a_name_that_is_no_file_of_sets_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.npz: there is no such file"):
        load_sets(tmp_path / "none.npz")
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(IsADirectoryError, match=r"folder\.npz is a folder"):
        load_sets(tmp_path / "folder.npz")
    for name in ("sets.txt", "sets", "sets.pth", "npz"):
        (tmp_path / name).write_text("")
        with pytest.raises(SetFileError, match=rf"{name} must end in .npz, .pt, .csv or .parquet"):
            load_sets(tmp_path / name)


def test_a_file_that_is_closed_is_refused(tmp_path, monkeypatch):
    path = saved(tmp_path, PLAIN, "npz")

    def closed(name, *arguments):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), name)

    monkeypatch.setattr("builtins.open", closed)
    with pytest.raises(PermissionError, match=r"sets\.npz cannot be read \(Permission denied\)"):
        load_sets(path)
