import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from invariant_nets import LabeledSets, SetsTask, unpad_sets
from tests.contracts.padding import GARBAGE, padded, ragged
from tests.defaults import other_default

sizes = st.lists(st.integers(1, 4), min_size=1, max_size=9)
seeds = st.integers(0, 2**32 - 1)


def labels(count, seed=0):
    return torch.randint(2, (count,), generator=torch.Generator().manual_seed(seed))


def members(sets):
    mask = torch.ones(sets.x.shape[:2], dtype=torch.bool) if sets.mask is None else sets.mask
    return unpad_sets(sets.x, mask)


def same(first, second):
    return len(first) == len(second) and all(map(torch.equal, first, second))


@given(sizes, st.sampled_from(GARBAGE), seeds)
def test_the_members_are_kept_and_the_padding_is_0(sizes, garbage, seed):
    given_sets = [rows.float() for rows in ragged(3, sizes, seed)]
    x, mask = padded(given_sets, 5, garbage, seed)
    sets = LabeledSets(x, labels(len(sizes), seed), mask)
    assert same(members(sets), given_sets)
    assert not sets.x[~mask].any()
    assert sets.y.flatten().tolist() == labels(len(sizes), seed).tolist()
    assert same(members(LabeledSets(given_sets, sets.y)), given_sets)


@given(sizes, seeds, st.booleans())
def test_a_batch_is_its_samples(sizes, seed, masked):
    x = torch.randn(len(sizes), 4, 2)
    mask = torch.arange(4) < torch.tensor(sizes)[:, None] if masked else None
    sets = LabeledSets(x, labels(len(sizes), seed), mask)
    rows = torch.randperm(len(sets)).tolist()
    for row, ((batched, label), (inputs, y)) in enumerate(
        zip(sets.__getitems__(rows), [sets[row] for row in rows], strict=True)
    ):
        assert torch.equal(label, y)
        assert label.tolist() == sets.y[rows[row]].tolist()
        both = (batched, inputs) if isinstance(inputs, tuple) else ((batched,), (inputs,))
        assert same(*both)
        assert torch.equal(both[1][0], sets.x[rows[row]])


def test_a_loader_makes_batches_that_the_trainer_takes():
    x = torch.randn(5, 4, 2)
    plain, y = next(iter(DataLoader(LabeledSets(x, labels(5)), 3)))
    assert (plain.shape, y.shape) == ((3, 4, 2), (3, 1))
    mask = torch.arange(4) < torch.tensor([1, 2, 3, 4, 4])[:, None]
    (padded_x, padding), y = next(iter(DataLoader(LabeledSets(x, labels(5), mask), 3)))
    assert torch.equal(padding, mask[:3])
    assert (padded_x.shape, y.shape) == ((3, 4, 2), (3, 1))


def test_a_mask_that_leaves_nothing_out_is_dropped():
    assert LabeledSets(torch.randn(3, 4, 2), labels(3), torch.ones(3, 4, dtype=bool)).mask is None
    assert LabeledSets([torch.randn(4, 2)] * 3, labels(3)).mask is None


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.int8, torch.uint8, bool])
def test_sets_and_labels_of_every_real_type_become_float32(dtype):
    x = torch.tensor([[[0.0, 1.0]], [[1.0, 1.0]]], dtype=dtype)
    sets = LabeledSets(x, torch.tensor([0, 1], dtype=dtype))
    assert (sets.x.dtype, sets.y.dtype) == (torch.float32, torch.float32)
    assert sets.x.tolist() == [[[0, 1]], [[1, 1]]]
    assert sets.y.tolist() == [[0], [1]]


SECONDS = [[[1700000025], [1700000027]], [[1700000026], [1700000040]]]


@pytest.mark.parametrize(
    "x",
    [
        torch.tensor(SECONDS),
        torch.tensor(SECONDS, dtype=torch.int32),
        torch.tensor(SECONDS, dtype=torch.uint32),
        torch.tensor(SECONDS, dtype=torch.float64),
        torch.tensor(SECONDS, dtype=torch.float64) + 0.25,
        torch.tensor(SECONDS).transpose(0, 1),
        list(torch.tensor(SECONDS)),
        torch.tensor([[[2**24 + 1]], [[0]]]),
        torch.tensor([[[2**60 + 1]], [[0]]]),
        torch.tensor([[[2**63 - 1]], [[0]]]),
        torch.tensor([[[2**63 + 1]], [[0]]], dtype=torch.uint64),
        torch.tensor([[[1e-50]], [[0.0]]], dtype=torch.float64),
        torch.tensor([[[52.5200001]], [[52.5200002]]], dtype=torch.float64),
    ],
    ids=str,
)
def test_numbers_that_float32_would_make_one_are_refused(x):
    with pytest.raises(ValueError, match=r"x must keep its digits as float32, got .* set 0, row 0"):
        LabeledSets(x, torch.tensor([0, 1]))


def test_what_float32_holds_well_enough_is_rounded():
    source = torch.Generator().manual_seed(0)
    x = torch.randn(50, 4, 3, dtype=torch.float64, generator=source) * 10 + 300
    x[..., 1] = 0.1  # says nothing, and goes on to say nothing
    for given_x in (x, x.round().long(), torch.tensor(SECONDS) - SECONDS[0][0][0]):
        sets = LabeledSets(given_x, torch.arange(len(given_x)) % 2)
        torch.testing.assert_close(sets.x.double(), given_x.double(), rtol=1e-7, atol=0)


def test_what_is_padding_may_be_any_number():
    x = torch.tensor([[[1.0], [2.0**24 + 1]]], dtype=torch.float64)
    assert LabeledSets(x, torch.ones(1), torch.tensor([[True, False]])).x.tolist() == [[[1], [0]]]


@pytest.mark.parametrize("default", ["dtype", "device"])
def test_torchs_defaults_change_nothing(default):
    def made():
        ragged_sets = LabeledSets([X[0], X[1, :2]], torch.tensor([0, 1], device="cpu"))
        sets = LabeledSets(X, Y)
        parts = [*sets.split(), ragged_sets.padded(5), sets.select([3, 0])]
        return [part.__getitems__(range(len(part))) for part in parts]

    before = made()
    with other_default(default):
        now = made()
    torch.testing.assert_close(now, before, rtol=0, atol=0)


def test_what_is_given_is_copied_and_left_as_it_is():
    x, y = torch.ones(2, 2, 1), torch.tensor([0.0, 1.0])
    mask = torch.tensor([[True, False], [True, True]])
    sets = LabeledSets(x, y, mask)
    for values in (x, y, mask):
        values.zero_()
    assert sets.x.flatten().tolist() == [1, 0, 1, 1]
    assert sets.y.flatten().tolist() == [0, 1]
    assert sets.mask.flatten().tolist() == [1, 0, 1, 1]


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("split", [False, True])
def test_sets_from_a_file_are_checked_and_copied_once(tmp_path, monkeypatch, ragged, split):
    """On all their way to a task; a list is copied into one tensor, which then is not copied."""
    contents = {"x": torch.randn(12, 3, 2), "y": torch.arange(12) % 2}
    if split:
        contents |= {"x_test": torch.randn(4, 5 if ragged else 3, 2), "y_test": torch.arange(4) % 2}
    numbers = sum(x.numel() for x in contents.values() if x.ndim == 3)
    if ragged:
        contents |= {name: list(x) for name, x in contents.items() if x.ndim == 3}
    torch.save(contents, tmp_path / "sets.pt")
    checked, copied = [], []
    isfinite, to = torch.Tensor.isfinite, torch.Tensor.to

    def counted_check(x):
        checked.append(x.numel())
        return isfinite(x)

    def counted_copy(x, *arguments, **options):
        y = to(x, *arguments, **options)
        if x.ndim == 3 and y.data_ptr() != x.data_ptr():
            copied.append(x.numel())
        return y

    monkeypatch.setattr(torch.Tensor, "isfinite", counted_check)
    monkeypatch.setattr(torch.Tensor, "to", counted_copy)
    task = SetsTask.from_file(tmp_path / "sets.pt")
    assert (len(task.train), len(task.test)) == ((10, 4) if split else (6, 4))
    assert sum(checked) == numbers
    assert sum(copied) == (0 if ragged else numbers)


def test_padded_adds_rows_without_members():
    sets = LabeledSets(torch.randn(3, 4, 2), labels(3))
    more = sets.padded(6)
    assert (more.n, more.mask.sum(1).tolist()) == (6, [4, 4, 4])
    assert same(members(more), members(sets))
    assert same(members(more.padded(7)), members(sets))
    assert sets.padded(2) is sets


def test_a_selection_has_its_sets_in_their_order_and_one_at_least():
    mask = torch.arange(4) < torch.tensor([2, 4, 4])[:, None]
    sets = LabeledSets(torch.randn(3, 4, 2), torch.tensor([0, 1, 1]), mask)
    assert same(members(sets.select([2, 0])), [members(sets)[2], members(sets)[0]])
    assert sets.select([2, 0]).y.flatten().tolist() == [1, 0]
    assert sets.select([1, 2]).mask is None
    with pytest.raises(ValueError, match="indices must name at least one set, got none"):
        sets.select([])


# The split.


@given(st.integers(2, 30), st.integers(2, 30), st.floats(0.01, 0.99), seeds)
def test_a_split_takes_its_share_of_both_labels_and_every_set_once(zeros, ones, share, seed):
    count = zeros + ones
    y = torch.tensor([0] * zeros + [1] * ones)[torch.randperm(count)]
    sets = LabeledSets(torch.arange(float(count))[:, None, None], y)
    first, second = sets.split(share, seed)
    for total, part in zip((zeros, ones), second.counts, strict=True):
        assert 1 <= part <= total - 1
        assert abs(part - share * total) <= 0.5 or part in (1, total - 1)
    places = torch.cat([first.x, second.x]).flatten().long()
    assert places.sort().values.tolist() == list(range(count))
    assert torch.equal(torch.cat([first.y, second.y])[:, 0].long(), y[places])
    again = sets.split(share, seed)
    assert torch.equal(again[1].x, second.x)


def test_another_seed_gives_another_split():
    sets = LabeledSets(torch.arange(40.0)[:, None, None], torch.arange(40) % 2)
    parts = [sets.split(seed=seed)[1].x for seed in (0, 1)]
    assert not torch.equal(*parts)


@pytest.mark.parametrize("share", [0, 1, -0.1, 1.5, float("nan")])
def test_a_share_out_of_range_is_refused(share):
    with pytest.raises(ValueError, match="share must lie between 0 and 1, got"):
        LabeledSets(torch.randn(4, 2, 2), torch.arange(4) % 2).split(share)


def test_a_share_that_is_no_number_is_refused():
    for share in ("half", True):
        with pytest.raises(TypeError, match="share must be a number"):
            LabeledSets(torch.randn(4, 2, 2), torch.arange(4) % 2).split(share)


def test_a_label_with_a_single_set_cannot_be_split():
    sets = LabeledSets(torch.randn(4, 2, 2), torch.tensor([0, 0, 1, 0]))
    with pytest.raises(ValueError, match="two sets of each label are needed, got 1 of label 1"):
        sets.split()


@given(
    st.lists(st.integers(0, 9), min_size=2, max_size=6).filter(lambda counts: max(counts) > 1),
    st.floats(0.01, 0.99),
    seeds,
)
def test_a_split_takes_its_share_of_every_class(counts, share, seed):
    y = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    y = y[torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))]
    x = torch.arange(float(len(y)))[:, None, None]
    sets = LabeledSets(x, y, labels="classes", num_classes=len(counts))
    first, second = sets.split(share, seed)
    for total, part in zip(counts, second.counts, strict=True):
        assert part == (min(max(round(share * total), 1), total - 1) if total else 0)
    places = torch.cat([first.x, second.x]).flatten().long()
    assert places.sort().values.tolist() == list(range(len(y)))
    assert torch.equal(torch.cat([first.y, second.y]), y[places])


@given(st.integers(2, 40), st.floats(0.01, 0.99), seeds)
def test_a_split_of_numbers_takes_its_share_of_all(count, share, seed):
    x = torch.arange(float(count))[:, None, None]
    for y, per_member in ((x[:, 0], False), (x, True)):
        sets = LabeledSets(x, y, labels="numbers", per_member=per_member)
        first, second = sets.split(share, seed)
        assert len(second) == min(max(round(share * count), 1), count - 1)
        places = torch.cat([first.x, second.x]).flatten()
        assert places.sort().values.tolist() == list(range(count))
        assert torch.equal(second.y.flatten(), second.x.flatten())


def test_what_has_no_two_sets_of_a_label_cannot_be_split():
    x = torch.zeros(2, 1, 1)
    for y, kind, count in (([0, 1], "classes", 2), ([0.5], "numbers", 1)):
        sets = LabeledSets(x[:count], torch.tensor(y), labels=kind)
        with pytest.raises(ValueError, match=f"two sets of one label are needed, got {count} in"):
            sets.split()


# The folds.


@given(st.lists(st.integers(2, 12), min_size=2, max_size=4), st.integers(2, 12), seeds)
def test_folds_leave_every_set_out_once_and_balance_every_label(counts, k, seed):
    y = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    y = y[torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))]
    x = torch.arange(float(len(y)))[:, None, None]
    sets = LabeledSets(x, y, labels="classes")
    if k > len(y):
        with pytest.raises(ValueError, match="k must be at most the number of sets"):
            sets.folds(k)
        return
    folds = list(sets.folds(k, seed))
    assert len(folds) == k
    left_out = []
    for train, test in folds:
        assert sorted([*train.x.flatten(), *test.x.flatten()]) == list(range(len(y)))
        assert torch.equal(test.y, y[test.x.flatten().long()])
        left_out += test.x.flatten().tolist()
        assert abs(len(test) - len(y) / k) < 1
        for count, own in zip(counts, test.counts, strict=True):
            assert abs(own - count / k) < 1
    assert sorted(left_out) == list(range(len(y)))
    again = [test.x for _, test in sets.folds(k, seed)]
    assert all(map(torch.equal, again, (test.x for _, test in folds)))


def test_folds_of_numbers_are_by_chance_and_another_seed_gives_others():
    x = torch.arange(40.0)[:, None, None]
    sets = LabeledSets(x, x[:, 0], labels="numbers")
    (_, first), (_, other) = next(sets.folds()), next(sets.folds(seed=1))
    assert (len(first), len(other)) == (4, 4)
    assert not torch.equal(first.x, other.x)


@pytest.mark.parametrize(
    ("k", "error", "message"),
    [(1, ValueError, "k must be at least 2, got 1"), (2.5, TypeError, "k must be an integer")],
)
def test_a_number_of_folds_that_is_none_is_refused_at_once(k, error, message):
    with pytest.raises(error, match=message):
        LabeledSets(torch.randn(4, 2, 2), torch.arange(4) % 2).folds(k)


def test_a_binary_label_with_a_single_set_makes_no_folds():
    sets = LabeledSets(torch.randn(4, 2, 2), torch.tensor([0, 0, 1, 0]))
    with pytest.raises(ValueError, match="two sets of each label are needed, got 1 of label 1"):
        sets.folds(2)


# What is refused.

X, Y, MASK = torch.zeros(4, 3, 2), torch.tensor([0, 1, 0, 1]), torch.ones(4, 3, dtype=torch.bool)
NO_MEMBER = MASK & (torch.arange(4) != 2)[:, None]


def with_value(value, dtype=torch.float32):
    x = X.to(dtype, copy=True)
    x[1, 2, 0] = value
    return x


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.zeros(4, 3), Y), r"x must have shape \(batch, n, d\), got \(4, 3\)"),
        ((torch.zeros(4, 3, 2, 1), Y), r"x must have shape .*, got \(4, 3, 2, 1\)"),
        ((torch.zeros(4, 0, 2), Y), r"x must hold sets with n ≥ 1 and d ≥ 1, got \(4, 0, 2\)"),
        ((torch.zeros(4, 3, 0), Y), r"x must hold sets with n ≥ 1 and d ≥ 1"),
        ((torch.zeros(0, 3, 2), Y[:0]), r"x must hold at least one set, got shape \(0, 3, 2\)"),
        ((X, Y[:3]), r"y must have shape \(4,\) or \(4, 1\), got \(3,\)"),
        ((X, Y[:, None].expand(4, 2)), r"y must have shape .*, got \(4, 2\)"),
        ((X, Y[None]), r"y must have shape .*, got \(1, 4\)"),
        ((X, Y + 1), "y must hold the labels 0 and 1 only, got 2"),
        ((X, Y * 2 - 1), "y must hold the labels 0 and 1 only, got -1"),
        ((X, Y * 0.5), "y must hold the labels 0 and 1 only, got 0.5"),
        ((X, Y / Y), "y must hold the labels 0 and 1 only, got nan"),
        ((with_value(torch.nan), Y), "x must hold finite .*, got nan in set 1, row 2, column 0"),
        ((with_value(-torch.inf), Y), "got -inf in set 1, row 2, column 0"),
        ((with_value(1e300, torch.float64), Y), r"float32 numbers, got 1e\+300 in set 1"),
        ((with_value(torch.nan), Y, MASK), "got nan in set 1"),
        ((X, Y, MASK[:3]), r"mask must have shape \(batch, n\) = \(4, 3\), got \(3, 3\)"),
        ((X, Y, MASK[:, :2]), r"mask must have shape .* got \(4, 2\)"),
        ((X, Y, MASK[:, :, None]), r"mask must have shape .* got \(4, 3, 1\)"),
        ((X, Y, NO_MEMBER), "x must have a member in every set, got none in set 2"),
        (([X[0], X[0, :0]], Y[:2]), "x must have a member in every set, got none in set 1"),
        (([], Y[:0]), "x must hold at least one set, got none"),
        (([X[0], X[0, :, :1]], Y[:2]), r"x must all have shape \(n_i, 2\), got \(3, 1\)"),
        (([X[0], X[1]], Y[:2], MASK[:2]), "mask must be left out when x is a list of sets"),
    ],
)
def test_what_are_no_labeled_sets_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        LabeledSets(*arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((X.to(torch.complex64), Y), "x must hold real numbers, got torch.complex64"),
        ((X, Y.to(torch.complex64)), "y must hold real numbers, got torch.complex64"),
        ((X.to_sparse(), Y), "x must be a dense tensor .*, got torch.sparse_coo"),
        ((X.to("meta"), Y), "x must be a dense tensor"),
        ((X, Y.tolist()), "y must be a tensor, got list"),
        ((X, None), "y must be a tensor, got NoneType"),
        ((5, Y), "x must be a sequence of tensors, got int"),
        (([X[0].tolist()], Y[:1]), "x must hold tensors, got list"),
        (([X[0], X[0].double()], Y[:2]), "x must have one dtype, got"),
        ((X, Y, MASK.float()), "mask must be of bool, .*, got torch.float32"),
        ((X, Y, [True]), "mask must be a tensor, got list"),
    ],
)
def test_what_are_no_numbers_is_refused(arguments, message):
    with pytest.raises(TypeError, match=message):
        LabeledSets(*arguments)


def test_a_suffix_tells_which_sets_are_wrong():
    with pytest.raises(ValueError, match="y_test must hold the labels 0 and 1 only, got 7"):
        LabeledSets(X, Y * 7, suffix="_test")


def test_large_floats_are_no_whole_numbers():
    x = torch.randn(8, 3, 2, dtype=torch.float64) * 1e30
    torch.testing.assert_close(LabeledSets(x, torch.arange(8) % 2)[0][0].double(), x[0])


def test_a_glance_tells_the_sizes_and_the_labels():
    whole = LabeledSets(torch.ones(4, 3, 2), torch.tensor([2, 0, 1, 0]), labels="classes")
    assert repr(whole) == "LabeledSets(4 sets, n = 3, d = 2, labels='classes', counts=(2, 1, 1))"
    numbers = LabeledSets(torch.ones(4, 3, 2), torch.ones(4), labels="numbers")
    assert repr(numbers) == "LabeledSets(4 sets, n = 3, d = 2, labels='numbers')"
