"""Labels of every kind: what is kept of them, and what is refused."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from invariant_nets import LabeledSets, collate_sets
from tests.defaults import other_default

N, D = 4, 3
sizes = st.lists(st.integers(1, N), min_size=2, max_size=8)
seeds = st.integers(0, 2**32 - 1)
KINDS = ["binary", "classes", "numbers"]
GARBAGE = [0.0, -7.0, 0.5, math.nan, math.inf]


def drawn(kind, sizes, k, seed, per_member=True):
    """Labels of every member, or of every set, of one kind."""
    source = torch.Generator().manual_seed(seed)
    shapes = [(size, k) if per_member else (k,) for size in sizes]
    if kind == "numbers":
        return [torch.randn(shape, generator=source) for shape in shapes]
    most = 2 if kind == "binary" else 5
    return [torch.randint(most, shape, generator=source) for shape in shapes]


def ragged(sizes, seed=0):
    source = torch.Generator().manual_seed(seed)
    return [torch.randn(size, D, generator=source) for size in sizes]


def by_loops(rows, n):
    """Every set's rows of labels, then zeros."""
    k = rows[0].shape[1]
    return [[*own.tolist(), *[[0] * k] * (n - len(own))] for own in rows]


def made(kind, per_member, count=6, masked=True, k=1):
    sizes = [1 + number % N for number in range(count - 1)] + [N]
    x = ragged(sizes if masked else [N] * count)
    y = drawn(kind, [len(rows) for rows in x], k, 0, per_member)
    if not per_member:
        y = torch.stack(y)
    if kind == "classes":
        y = [own[:, 0] for own in y] if per_member else y[:, 0]
    return LabeledSets(x, y, labels=kind, per_member=per_member)


@given(st.sampled_from(KINDS), sizes, st.integers(1, 3), st.sampled_from(GARBAGE), seeds)
def test_labels_of_members_are_kept_and_those_of_padding_are_0(kind, sizes, k, garbage, seed):
    k = 1 if kind == "classes" else k
    x, y = ragged(sizes, seed), drawn(kind, sizes, k, seed)
    sets = LabeledSets(x, y, labels=kind, per_member=True)
    n = max(sizes)
    kept = sets.y[..., None] if kind == "classes" else sets.y
    assert kept.tolist() == by_loops(y, n)
    assert sets.y.dtype == (torch.int64 if kind == "classes" else torch.float32)
    # The same labels in one tensor, with anything at all at padding.
    mask = torch.arange(n) < torch.tensor(sizes)[:, None]
    tensor = torch.full((len(sizes), n, k), garbage, dtype=torch.float64)
    tensor[mask] = torch.cat(y).double()
    plain = torch.zeros(len(sizes), n, D)
    plain[mask] = torch.cat(x)
    same = LabeledSets(plain, tensor, mask, labels=kind, per_member=True)
    assert torch.equal(same.y, sets.y)
    assert torch.equal(same.x, sets.x)
    assert torch.equal(LabeledSets(x, tensor, labels=kind, per_member=True).y, sets.y)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("nested", [False, True])
def test_labels_of_members_may_be_without_columns_or_nested(kind, nested):
    x, y = ragged([2, 3]), [own[:, 0] for own in drawn(kind, [2, 3], 1, 0)]
    given_y = torch.nested.nested_tensor(y, layout=torch.jagged) if nested else y
    sets = LabeledSets(x, given_y, labels=kind, per_member=True)
    assert sets.y.shape == ((2, 3) if kind == "classes" else (2, 3, 1))
    assert sets.y.flatten().tolist() == [*y[0].tolist(), 0, *y[1].tolist()]


@pytest.mark.parametrize(
    "dtype", [torch.int64, torch.uint8, torch.int32, torch.uint64, torch.float32, torch.float64]
)
def test_classes_of_every_type_become_int64_of_one_axis(dtype):
    for shape in ((4,), (4, 1)):
        y = torch.tensor([2, 0, 1, 2]).to(dtype).reshape(shape)
        sets = LabeledSets(torch.zeros(4, 2, 1), y, labels="classes")
        assert (sets.y.dtype, sets.y.tolist()) == (torch.int64, [2, 0, 1, 2])
        assert (sets.num_classes, sets.counts) == (3, (1, 1, 2))
    assert LabeledSets(torch.zeros(2, 2, 1), torch.tensor([True, False]), labels="classes").counts


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 3)])
def test_numbers_become_float32_with_columns(shape):
    y = torch.randn(shape, dtype=torch.float64)
    sets = LabeledSets(torch.zeros(4, 2, 1), y, labels="numbers")
    assert (sets.y.dtype, sets.y.shape) == (torch.float32, (4, *(shape[1:] or (1,))))
    assert torch.equal(sets.y.flatten(), y.float().flatten())
    assert sets.num_classes is None
    with pytest.raises(ValueError, match="counts are of binary labels and of classes, got"):
        _ = sets.counts


def test_the_number_of_classes_is_the_largest_label_and_one_or_as_given():
    x, y = torch.zeros(3, 2, 1), torch.tensor([0, 2, 2])
    assert LabeledSets(x, y, labels="classes").counts == (1, 0, 2)
    assert LabeledSets(x, y, labels="classes", num_classes=4).counts == (1, 0, 2, 0)
    named = LabeledSets(x, y, labels="classes", class_names=["a", "b", "c", "d"])
    assert (named.num_classes, named.class_names) == (4, ("a", "b", "c", "d"))
    assert LabeledSets(x, y > 0).num_classes == 2


def test_counts_of_members_leave_padding_out():
    sets = LabeledSets(ragged([1, 3]), [torch.tensor([1]), torch.tensor([0, 2, 1])],
                       labels="classes", per_member=True)  # fmt: skip
    assert sets.counts == (1, 2, 1)
    both = LabeledSets(ragged([1, 3]), [torch.ones(1, 2), torch.zeros(3, 2)], per_member=True)
    assert both.counts == (6, 2)


# What else keeps working, for all kinds.


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("per_member", [False, True])
@pytest.mark.parametrize("masked", [False, True])
def test_samples_batches_selections_and_padding_have_the_labels(kind, per_member, masked):
    sets = made(kind, per_member, masked=masked)
    shape = {"binary": (1,), "classes": (), "numbers": (1,)}[kind]
    shape = (N, *shape) if per_member else shape
    x, y = sets[2]
    assert isinstance(x, tuple) is masked
    assert y.shape == shape
    assert torch.equal(y, sets.y[2])
    (batch, labels), *_ = DataLoader(sets, 4)
    assert labels.shape == (4, *shape)
    assert torch.equal(labels, sets.y[:4])
    assert torch.equal(batch[0] if masked else batch, sets.x[:4])
    for number, sample in enumerate(sets.__getitems__([5, 0])):
        assert torch.equal(sample[1], sets.y[[5, 0][number]])
    some = sets.select([3, 1])
    assert torch.equal(some.y, sets.y[[3, 1]])
    more = sets.padded(N + 2)
    assert more.y.shape == ((6, N + 2, *shape[1:]) if per_member else (6, *shape))
    assert torch.equal(more.y[:, :N] if per_member else more.y, sets.y)
    assert not per_member or not more.y[:, N:].any()
    for part in (some, more):
        assert (part.labels, part.per_member) == (kind, per_member)
        assert part.num_classes == sets.num_classes


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("per_member", [False, True])
def test_torchs_defaults_change_no_labels(kind, per_member):
    def parts():
        sets = made(kind, per_member, count=16)
        return [*(part.y for part in sets.split()), *(test.y for _, test in sets.folds(3))]

    before = parts()
    sets = made(kind, per_member, count=16)
    for default in ("dtype", "device"):
        with other_default(default):
            now = [*(p.y for p in sets.split()), *(test.y for _, test in sets.folds(3))]
            assert sets.padded(9).y.device.type == "cpu"
        torch.testing.assert_close(now, before, rtol=0, atol=0)


def test_labels_are_copied():
    for kind in KINDS:
        for per_member, shape in ((False, (2, 1)), (True, (2, 3, 1))):
            dtype = torch.int64 if kind == "classes" else torch.float32
            y = torch.ones(shape, dtype=dtype)
            sets = LabeledSets(torch.zeros(2, 3, 1), y, labels=kind, per_member=per_member)
            y.zero_()
            assert sets.y.all()


@given(sizes, st.integers(1, 3))
def test_labels_of_members_are_collated_with_their_sets(sizes, k):
    x, y = ragged(sizes), drawn("numbers", sizes, k, 0)
    data = list(zip(x, y, [torch.tensor([float(size)]) for size in sizes], strict=True))
    (padded, mask), labels, others = collate_sets(data)
    sets = LabeledSets(x, y, labels="numbers", per_member=True)
    assert torch.equal(padded, sets.x)
    assert torch.equal(mask.sum(1), torch.tensor(sizes))
    assert torch.equal(labels, sets.y)
    assert others.tolist() == [[size] for size in sizes]
    _, flat = collate_sets([(rows, own[:, 0]) for rows, own in zip(x, y, strict=True)])
    assert torch.equal(flat, sets.y[..., 0])


def test_labels_that_are_neither_of_the_sets_nor_of_their_members_are_not_collated():
    with pytest.raises(RuntimeError, match="stack"):
        collate_sets([(torch.ones(2, 1), torch.ones(3)), (torch.ones(3, 1), torch.ones(2))])


# What is refused.

X, MASK = torch.zeros(4, 3, 2), torch.arange(3) < torch.tensor([3, 1, 3, 3])[:, None]
Y = torch.tensor([0, 1, 2, 1])
MEMBERS = torch.zeros(4, 3)
SECONDS = 1.7e9 + torch.arange(4, dtype=torch.float64) + 0.25


def with_value(value, shape=(4, 3), at=(2, 1)):
    y = torch.zeros(shape, dtype=torch.float64)
    y[at] = value
    return y


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        (Y - 1, {}, r"y must hold classes numbered 0, 1, …, got -1 in set 0"),
        (Y * 0.5, {}, r"y must hold classes numbered 0, 1, …, got 0.5 in set 1"),
        (Y / (Y > 0), {}, r"got nan in set 0"),
        (Y / 0.0, {}, r"got nan in set 0"),
        (torch.tensor([0, 1, 2, math.inf]), {}, r"got inf in set 3"),
        (Y[:3], {}, r"y must have shape \(4,\) or \(4, 1\), got \(3,\)"),
        (Y[:, None].expand(4, 2), {}, r"y must have shape \(4,\) or \(4, 1\), got \(4, 2\)"),
        (Y, {"num_classes": 2}, "num_classes must be at least 3, got 2"),
        (Y * 10**6, {}, "y must hold classes .* got 2000000: number them without gaps"),
        (Y, {"class_names": ["a", "b"]}, "num_classes must be at least 3, got 2"),
        (Y, {"class_names": ["a"], "num_classes": 3}, "num_classes must be 1 as class_names"),
        (MEMBERS[:, :2], {"per_member": True}, r"y must have shape \(4, 3\) or \(4, 3, 1\)"),
        (MEMBERS[..., None].expand(4, 3, 2), {"per_member": True}, r"got \(4, 3, 2\)"),
        (with_value(-1), {"per_member": True}, r"got -1.0 in set 2, row 1"),
        (with_value(math.nan), {"per_member": True}, r"got nan in set 2, row 1"),
    ],
)
def test_what_are_no_classes_is_refused(y, options, message):
    with pytest.raises(ValueError, match=message):
        LabeledSets(X, y, MASK, labels="classes", **options)


@pytest.mark.parametrize(
    ("y", "options", "message"),
    [
        (with_value(math.nan, (4, 2)), {}, "y must hold finite float32 .* nan in set 2, column 1"),
        (with_value(1e300, (4,), 2), {}, "y must hold finite float32 .* in set 2, column 0"),
        (SECONDS, {}, "y must keep its digits as float32, .* in set 0, column 0"),
        (torch.tensor([2**24 + 1, 0, 0, 0]), {}, "y must keep its digits as float32, got 16777217"),
        (torch.zeros(4, 0), {}, r"y must have shape \(4,\) or \(4, k\), got \(4, 0\)"),
        (torch.zeros(4, 1, 1), {}, r"y must have shape \(4,\) or \(4, k\), got \(4, 1, 1\)"),
        (with_value(math.inf), {"per_member": True}, "got inf in set 2, row 1, column 0"),
        (MEMBERS[0], {"per_member": True}, r"y must have shape \(4, 3\) or \(4, 3, k\), got \(3,"),
        (with_value(2.0**24 + 1), {"per_member": True}, "got 16777217.0 in set 2, row 1, column 0"),
    ],
)
def test_what_are_no_numbers_is_refused(y, options, message):
    with pytest.raises(ValueError, match=message):
        LabeledSets(X, y, MASK, labels="numbers", **options)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (with_value(2), r"y must hold the labels 0 and 1 only, got 2.0 in set 2, row 1"),
        (with_value(0.5, (4, 3, 2), (2, 1, 1)), r"got 0.5 in set 2, row 1"),
        (torch.zeros(4), r"y must have shape \(4, 3\) or \(4, 3, k\), got \(4,\)"),
    ],
)
def test_what_are_no_binary_labels_of_members_is_refused(y, message):
    with pytest.raises(ValueError, match=message):
        LabeledSets(X, y, MASK, per_member=True)


@pytest.mark.parametrize(
    ("y", "error", "message"),
    [
        ([torch.ones(2)], ValueError, "y must hold labels of 2 sets, got 1"),
        ([torch.ones(2), torch.ones(2)], ValueError, "each of the 3 members of set 1, got 2"),
        ([torch.ones(2, 1), torch.ones(3, 2)], ValueError, r"y must all have shape \(n_i, 1\)"),
        ([torch.ones(2), [0, 1, 0]], TypeError, "y must hold tensors, got list"),
        ([torch.ones(2), torch.ones(3).double()], TypeError, "y must have one dtype"),
        ([torch.ones(()), torch.ones(3)], ValueError, r"y must all have shape"),
    ],
)
def test_labels_of_members_that_do_not_fit_their_sets_are_refused(y, error, message):
    with pytest.raises(error, match=message):
        LabeledSets(ragged([2, 3]), y, per_member=True)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"labels": "words"}, ValueError, "labels must be one of 'binary', 'classes', 'numbers'"),
        ({"per_member": "yes"}, TypeError, "per_member must be True or False, got 'yes'"),
        ({"num_classes": 2}, ValueError, "num_classes must be left out unless labels='classes'"),
        ({"class_names": ["a", "b"]}, ValueError, "class_names must be left out unless"),
        ({"labels": "classes", "class_names": "abc"}, TypeError, "must be a sequence of names"),
        ({"labels": "classes", "class_names": [1, 2, 3]}, TypeError, "must be a sequence of names"),
        ({"labels": "classes", "num_classes": 2.5}, TypeError, "num_classes must be an integer"),
    ],
)
def test_what_is_no_kind_of_labels_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        LabeledSets(X, Y, **options)


def test_labels_of_members_as_a_list_beside_sets_in_a_tensor_are_refused():
    with pytest.raises(TypeError, match="y must be a tensor, got list"):
        LabeledSets(X, list(MEMBERS), per_member=True)
