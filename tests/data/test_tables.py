"""Sets from tables, against a reader that takes a row at a time, and every fault of a file."""

import csv
import io
import math
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from invariant_nets import SetFileError, load_sets, unpad_sets
from tests.examples import examples

pd = pytest.importorskip("pandas", reason="tables need pandas: the extra tables")
try:
    import pyarrow
except ImportError:
    pyarrow = None
needs_pyarrow = pytest.mark.skipif(
    pyarrow is None, reason="a .parquet needs pyarrow: the extra tables"
)
FORMATS = ["csv", pytest.param("parquet", marks=needs_pyarrow)]

TABLE = {
    "set": ["b", "a", "b", "c", "a", "b"],
    "label": [1, 0, 1, 0, 0, 1],
    "weight": [0.5, 1.25, -2.0, 3.0, 1e-3, 7.0],
    "height": [1, 2, 3, 4, 5, 6],
}


def saved(folder, columns, kind="csv", name="sets"):
    path = folder / f"{name}.{kind}"
    if isinstance(columns, str):
        path.write_text(columns)
        return path
    table = columns if isinstance(columns, pd.DataFrame) else pd.DataFrame(columns)
    if kind == "csv":
        table.to_csv(path, index=False)
    else:
        table.to_parquet(path)
    return path


def changed(**columns):
    return {**TABLE, **columns}


def by_rows(text, labels="label"):
    """Sets and labels, in the order in which sets first appear."""
    found = {}
    for row in csv.DictReader(io.StringIO(text)):
        x, y = found.setdefault(row.pop("set"), ([], []))
        y.append(float(row.pop(labels)))
        x.append([float(value) for value in row.values()])
    return [x for x, _ in found.values()], [y for _, y in found.values()]


def rows_of(sets, values=None):
    mask = torch.ones(sets.x.shape[:2], dtype=torch.bool) if sets.mask is None else sets.mask
    return [own.tolist() for own in unpad_sets(sets.x if values is None else values, mask)]


# What is read.


@pytest.mark.parametrize("kind", FORMATS)
def test_sets_come_in_the_order_in_which_they_appear(tmp_path, kind):
    train, test = load_sets(saved(tmp_path, TABLE, kind))
    assert test is None
    assert train.y.tolist() == [[1], [0], [0]]
    expected = [[[0.5, 1], [-2, 3], [7, 6]], [[1.25, 2], [1e-3, 5]], [[3, 4]]]
    assert rows_of(train) == [torch.tensor(own).tolist() for own in expected]
    assert train.counts == (2, 1)


floats = st.floats(-100, 100, width=32).map(lambda value: value + 0.0)
tables = st.lists(
    st.tuples(st.sampled_from("abcd"), st.integers(0, 3), floats, floats), min_size=1, max_size=12
)


@pytest.mark.parametrize("kind", FORMATS)
@examples(30)
@given(tables)
def test_a_table_is_read_as_by_one_who_takes_a_row_at_a_time(tmp_path_factory, kind, table):
    columns = dict(zip(("set", "label", "u", "v"), zip(*table, strict=True), strict=True))
    path = saved(tmp_path_factory.mktemp("table"), columns, kind)
    x, y = by_rows(pd.DataFrame(columns).to_csv(index=False))
    sets = load_sets(path, labels="classes", per_member=True).train
    assert rows_of(sets) == [torch.tensor(own).tolist() for own in x]
    assert rows_of(sets, sets.y[..., None]) == [[[int(label)] for label in own] for own in y]
    # A label a set: that of its first row.
    ids = columns["set"]
    first = [columns["label"][ids.index(name)] for name in ids]
    path = saved(tmp_path_factory.mktemp("table"), {**columns, "label": first}, kind)
    sets = load_sets(path, labels="numbers").train
    assert sets.y.tolist() == [[own[0]] for own in y]


@pytest.mark.parametrize("kind", FORMATS)
def test_columns_may_be_called_and_chosen_as_one_likes(tmp_path, kind):
    columns = {"molecule": TABLE["set"], "musk": TABLE["label"], "label": [9.0] * 6, **TABLE}
    columns["label"] = [9.5] * 6
    path = saved(tmp_path, {key: columns[key] for key in columns if key != "set"}, kind)
    options = {"set_column": "molecule", "label_column": "musk"}
    assert load_sets(path, **options).train.d == 3
    some = load_sets(path, **options, features=["height", "weight"]).train
    assert rows_of(some)[2] == [[4, 3]]


@pytest.mark.parametrize("kind", FORMATS)
def test_several_numbers_and_binary_labels_of_members_have_a_column_each(tmp_path, kind):
    path = saved(tmp_path, changed(u=[1.5, 2, 1.5, 3, 2, 1.5], v=[7, 8, 7, 9, 8, 7]), kind)
    numbers = load_sets(path, labels="numbers", label_column=["u", "v"]).train
    assert numbers.y.tolist() == [[1.5, 7], [2, 8], [3, 9]]
    assert numbers.d == 3  # the column label is a feature then
    path = saved(tmp_path, changed(other=[0, 1, 1, 0, 0, 1]), kind)
    both = load_sets(path, per_member=True, label_column=["label", "other"]).train
    assert rows_of(both, both.y) == [[[1, 0], [1, 1], [1, 1]], [[0, 1], [0, 0]], [[0, 0]]]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("per_member", [False, True])
def test_classes_in_words_are_numbered_in_sorted_order(tmp_path, kind, per_member):
    words = ["pear", "apple", "pear", "NA", "apple", "pear"]
    sets = load_sets(
        saved(tmp_path, changed(label=words), kind), labels="classes", per_member=per_member
    ).train
    assert (sets.class_names, sets.num_classes) == (("NA", "apple", "pear"), 3)
    expected = [[2, 2, 2], [1, 1, 0], [0, 0, 0]] if per_member else [2, 1, 0]
    assert sets.y.tolist() == expected


@pytest.mark.parametrize("kind", FORMATS)
def test_classes_in_numbers_are_kept(tmp_path, kind):
    sets = load_sets(saved(tmp_path, changed(label=[3, 1, 3, 0, 1, 3]), kind), labels="classes")
    assert sets.train.y.tolist() == [3, 1, 0]
    assert (sets.train.class_names, sets.train.num_classes) == (None, 4)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_column_says_which_sets_are_of_the_test_split(tmp_path, kind):
    split = ["train", "test", "train", "train", "test", "train"]
    train, test = load_sets(saved(tmp_path, changed(split=split), kind))
    assert (len(train), len(test), train.d, train.n, test.n) == (2, 1, 2, 3, 3)
    assert rows_of(test) == [[[1.25, 2], [torch.tensor(1e-3).item(), 5]]]
    assert test.mask.tolist() == [[True, True, False]]
    only = load_sets(saved(tmp_path, changed(split=["train"] * 6), kind))
    assert (len(only.train), only.test) == (3, None)
    moved = saved(tmp_path, changed(part=split), kind)
    assert len(load_sets(moved, split_column="part").test) == 1


def test_classes_of_both_splits_are_counted_together(tmp_path):
    split = ["train", "test", "train", "train", "test", "train"]
    path = saved(tmp_path, changed(split=split, label=["u", "w", "u", "v", "w", "u"]))
    train, test = load_sets(path, labels="classes")
    assert train.class_names == test.class_names == ("u", "v", "w")
    assert (train.counts, test.counts) == ((1, 1, 0), (0, 0, 1))


def test_a_csv_keeps_ids_apart_that_numbers_would_make_one(tmp_path):
    text = "set,label,a\n007,1,1\n7,0,2\n7.0,1,3\nNA,0,4\n 7 ,0,5\n"
    train = load_sets(saved(tmp_path, text)).train
    assert rows_of(train) == [[[1]], [[2], [5]], [[3]], [[4]]]


def test_a_csv_may_have_spaces_quotes_a_mark_of_its_encoding_and_ends_of_windows(tmp_path):
    text = '\ufeffset, label ,"a, b"\r\n"one\ntwo", 1 , +1.5e1 \r\n\r\nx,0,.5\r\n'
    (tmp_path / "sets.csv").write_bytes(text.encode())
    train = load_sets(tmp_path / "sets.csv").train
    assert (rows_of(train), train.y.tolist()) == ([[[15]], [[0.5]]], [[1], [0]])


def test_loud_extensions_are_read(tmp_path):
    assert len(load_sets(saved(tmp_path, TABLE).rename(tmp_path / "A.CSV")).train) == 3


def test_no_feature_is_forgotten_and_none_made_up(tmp_path):
    path = saved(tmp_path, pd.DataFrame(TABLE).to_csv())  # with the number of the row
    with pytest.raises(SetFileError, match="every feature must have a name, got ''"):
        load_sets(path)
    assert load_sets(path, features=["height"]).train.d == 1
    again = saved(tmp_path, pd.read_csv(path))
    with pytest.raises(SetFileError, match="every feature must have a name, got 'Unnamed: 0'"):
        load_sets(again)


@needs_pyarrow
def test_a_parquet_may_have_its_sets_in_the_index_and_numbers_of_every_type(tmp_path):
    table = pd.DataFrame(TABLE).set_index("set")
    table["small"] = pd.array([1, 2, 3, 4, 5, 6], dtype="Int8")
    table["half"] = table["weight"].astype("float32")
    table["text"] = ["1", "2", "3", "4", "5", "6"]
    train = load_sets(saved(tmp_path, table, "parquet")).train
    assert rows_of(train)[2] == [[3, 4, 4, 3, 4]]
    numbered = pd.DataFrame(changed(set=[7, 3, 7, 9, 3, 7])).set_axis([*"sabc"], axis=1)
    sets = load_sets(saved(tmp_path, numbered, "parquet"), set_column="s", label_column="a").train
    assert sets.y.tolist() == [[1], [0], [0]]


@needs_pyarrow
def test_a_parquet_may_have_classes_as_categories(tmp_path):
    labels = pd.Categorical(["pear", "apple", "pear", "fig", "apple", "pear"])
    path = saved(tmp_path, pd.DataFrame(changed(label=labels)), "parquet")
    assert load_sets(path, labels="classes").train.y.tolist() == [2, 0, 1]


# What is refused.

DAYS = ["2020-01-01"] * 6
FAULTS = [
    (changed(label=None), {}, "column 'label' must have a value in every row, got none in set 'b'"),
    (changed(label=[1, 0, 1, 0, 1, 1]), {}, "'label' must be the same in all rows of a set, got "
     r"'?0'? and '?1'? in set 'a', row 1"),
    (changed(label=[2, 0, 2, 0, 0, 2]), {}, "'label' must hold the labels 0 and 1 only, got"),
    (changed(label=[*"yxyxxy"]), {}, "column 'label' must hold numbers, got 'y' in set 'b', row 0"),
    (changed(label=[*"yxyxxx"]), {"labels": "classes"}, "got 'y' and 'x' in set 'b', row 2"),
    (changed(label=[-1] * 6), {"labels": "classes"}, "'label' must hold classes numbered 0, 1, …"),
    (changed(label=[0.5] * 6), {"labels": "classes"}, "got 0.5 in set 0"),
    (changed(weight=[1, 2, None, 4, 5, 6]), {}, "column 'weight' must have a value in every row, "
     "got none in set 'b', row 1"),
    (changed(weight=[*"12345x"]), {}, "'weight' must hold numbers, got 'x' in set 'b', row 2"),
    (changed(weight=DAYS), {}, "must hold numbers, got '2020-01-01' in set 'b', row 0"),
    (changed(weight=[True] * 6), {}, "column 'weight' must hold numbers, got .*True"),
    (changed(weight=[1, 2, 3, 4, math.inf, 6]), {}, "must hold (finite float32 )?numbers, got "
     "'?inf'? in set 'a', row 1"),
    (changed(weight=[1, 2, 3, 4, 1e39, 6]), {}, "'weight' must hold finite .* in set 'a', row 1"),
    (changed(weight=[2**24 + 1, 2, 3, 4, 5, 6]), {}, "must keep its digits as float32, got "
     "'?16777217'? in set 'b', row 0, which becomes 16777216.0"),
    (changed(weight=[2**63 - 1, 2, 3, 4, 5, 6]), {}, "'weight' must keep its digits as float32"),
    (changed(weight=[1.7e9 + k / 4 for k in range(6)]), {}, "'weight' must keep its digits"),
    (changed(set=["b", None, "b", "c", "a", "b"]), {}, "column 'set' must name the set of each "
     "row, got nothing in row 1 of the table"),
    (changed(split=["train"] * 5 + ["valid"]), {}, "'split' must hold 'train' or 'test', got 'val"),
    (changed(split=[0.5] * 6), {}, "'train' or 'test', got .*0.5.*: if it is a feature, give spl"),
    (changed(split=["train"] * 5 + ["test"]), {}, "'split' must be the same in all rows of a set"),
    (changed(split=["test"] * 6), {}, "column 'split' must leave a set to train on"),
    ({key: TABLE[key] for key in ("set", "weight")}, {}, "the columns 'label' are needed, got only "
     "'set', 'weight'"),
    (TABLE, {"set_column": "id"}, "the columns 'id' are needed, got only 'set', 'label', 'weight'"),
    (TABLE, {"split_column": "fold"}, "the columns 'fold' are needed"),
    (TABLE, {"features": ["weight", "age"]}, "the columns 'age' are needed"),
    (TABLE, {"features": ["weight", "set"]}, "a column can be one thing only, got 'set' as two"),
    (TABLE, {"features": ["weight", "weight"]}, "a column can be one thing only, got 'weight'"),
    ({key: TABLE[key] for key in ("set", "label")}, {}, "a column of features is needed besides"),
    ({key: [] for key in TABLE}, {}, "a row per member is needed, got none"),
    (changed(height=[2**24 + 1.0, 2, 3, 4, 5, 6]), {"labels": "numbers", "label_column": "height",
     "per_member": True}, "'height' must keep its digits as float32"),
]  # fmt: skip


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(("columns", "options", "message"), FAULTS)
def test_a_fault_is_refused_by_its_place(tmp_path, kind, columns, options, message):
    path = saved(tmp_path, columns, kind)
    with pytest.raises(SetFileError, match=message) as caught:
        load_sets(path, **options)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must have a row of names and a row per member, got an empty file"),
        ("\n\n", "got an empty file"),
        ("set,label,a\n", "a row per member is needed, got none"),
        ("set,label,a,a\n1,0,2,3\n", "each column must have a name of its own, got 'a' twice"),
        ("set,label,a\n1,0,2,3\n", "must have 3 values in every line, got 4 in line 2: sep"),
        ("a;b\n1,5;2,5\n1;2\n", "must have 1 values .*: separate values by commas"),
        (
            "set,label,a,b\n1,0,2\n",
            "'b' must have a value in every row, got none in set '1', row 0",
        ),
        (
            "set;label;a\n1;0;2\n",
            "the columns 'set', 'label' are needed, got only 'set;label;a': sep",
        ),
        ("set\tlabel\ta\n1\t0\t2\n", "got only .*: separate the columns by commas"),
        ('set,label,a\n1,0,"2\n', "is torn, damaged or no .csv"),
        ("set,label,a\n1,0,1_0\n", "must hold numbers, got '1_0'"),
        ("set,label,a\n1,0,0x1\n", "must hold numbers, got '0x1'"),
        ("set,label,a\n1,0,١\n", "must hold numbers, got '١'"),
        ("set,label,a\n1,0,nan\n", "must hold numbers, got 'nan' in set '1', row 0"),
        ("set,label,a\n1,0,1e400\n", "must hold finite float32 numbers, got '1e400'"),
        ("set,label,a\n1,0,99999999999999999999999\n1,0,0\n", "must keep its digits"),
        ("set,label,a\n1,0,9007199254740993\n1,0,0.5\n", "must keep its digits .*'90071992547409"),
        ("set,label,a\n1,0,1e-400\n1,0,2e-400\n", "must keep its digits as float32, got '2e-400'"),
        ("set,label,a\n1,0,3.00000000000000000001\n1,0,3\n", "must keep its digits .* got '3'"),
        ("set,label,a\n1,True,2\n", "'label' must hold numbers, got 'True'"),
        ('set,label,a\n1,0,"0,5"\n', "got '0,5' in set '1', row 0: write 0.5 for 0,5"),
        ('set,label,a\n1,0,"-1,000.5"\n', "got '-1,000.5' in .*: write .* 1000 for 1,000"),
        ("set,label,a\n1,0,NA\n", "got 'NA' in set '1', row 0: nothing is filled in, so"),
        ("set,label,a\n1,0,red\n", "got 'red' in set '1', row 0: write words as numbers, or name"),
        ("set,label,a\n1,no,2\n", "got 'no' in set '1', row 0: labels='classes' takes words"),
        ("set,label,a\n1,2,2\n", "0 and 1 only, got 2: labels='classes' takes others"),
        ("Set,Label,a\n1,2,2\n", "got only 'Set', 'Label', 'a': set_column, label_column, "),
    ],
)
def test_what_a_csv_alone_can_hold_is_refused(tmp_path, text, message):
    path = saved(tmp_path, text)
    with pytest.raises(SetFileError, match=message) as caught:
        load_sets(path)
    assert "\n" not in str(caught.value)


def test_a_csv_in_another_encoding_is_refused(tmp_path):
    (tmp_path / "sets.csv").write_bytes(b"set,label,h\xf6he\n1,0,2\n")
    with pytest.raises(SetFileError, match=r"must be saved in UTF-8, got .* \('utf-8' codec"):
        load_sets(tmp_path / "sets.csv")


def test_large_numbers_that_are_rounded_as_any_are_read(tmp_path):
    text = "set,label,a,b\n1,0,1e20,5\n1,0,-2.5e20,5.0\n"
    assert rows_of(load_sets(saved(tmp_path, text)).train)[0][0] == [torch.tensor(1e20).item(), 5]


@needs_pyarrow
@pytest.mark.parametrize(
    ("values", "message"),
    [
        (pd.to_datetime(DAYS), "column 'weight' must hold numbers, got datetime64"),
        (pd.to_timedelta([1] * 6), "must hold numbers, got timedelta64"),
        (pd.Categorical([*"abcabc"]), "must hold numbers, got .*'a' in set 'b', row 0"),
        (pd.array([True] * 6, dtype="boolean"), "must hold numbers, got boolean"),
        ([[1]] * 6, "must hold numbers, got object"),
        (
            pd.array([1, None, 3, 4, 5, 6], dtype="Int64"),
            "in every row, got none in set 'a', row 0",
        ),
    ],
)
def test_what_a_parquet_alone_can_hold_is_refused(tmp_path, values, message):
    path = saved(tmp_path, changed(weight=values), "parquet")
    with pytest.raises(SetFileError, match=message):
        load_sets(path)


@needs_pyarrow
@given(share=st.floats(0, 0.999))
@examples(15)
def test_a_torn_parquet_is_refused(tmp_path_factory, share):
    path = saved(tmp_path_factory.mktemp("file"), TABLE, "parquet")
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(SetFileError, match=r"torn, damaged or no .parquet") as caught:
        load_sets(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"features": "weight"}, TypeError, "features must be a sequence of columns, got 'weight'"),
        ({"features": []}, ValueError, "must each name at least one column"),
        ({"label_column": []}, ValueError, "must each name at least one column"),
        ({"set_column": 3}, TypeError, "columns must be named by words, got 3"),
        ({"label_column": ["a", "b"]}, ValueError, "label_column must be one for labels='binary'"),
        ({"label_column": ["a", "b"], "labels": "classes", "per_member": True}, ValueError, "one"),
        ({"labels": "words"}, ValueError, "labels must be one of 'binary', 'classes', 'numbers'"),
    ],
)
def test_arguments_that_name_no_columns_are_refused_before_the_file_is_read(
    options, error, message
):
    with pytest.raises(error, match=message):
        load_sets("none.csv", **options)


@pytest.mark.parametrize(
    ("kind", "package"), [("csv", "pandas"), ("parquet", "pandas"), ("parquet", "pyarrow")]
)
def test_what_is_not_installed_is_named_with_its_extra(tmp_path, monkeypatch, kind, package):
    monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / f"sets.{kind}").write_text("")
    message = rf"a \.{kind} needs {package}: pip install 'invariant_nets\[tables\]'"
    if package == "pyarrow" or pyarrow is not None or kind == "csv":
        with pytest.raises(ImportError, match=message):
            load_sets(tmp_path / f"sets.{kind}")
