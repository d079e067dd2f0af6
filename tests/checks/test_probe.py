"""`Probe` by itself; what is found with it is held by the tests of reports and of searches."""

import math

import pytest
import torch

from invariant_nets import cyclic_group, symmetric_group, symmetry_report
from invariant_nets.checks import probe as module
from invariant_nets.checks.probe import Worst, probing, resampled, set_like
from invariant_nets.groups.permutation import stack_permutations

S_4 = torch.cat(list(symmetric_group(4).elements()))


def probe_of(function, x, **changed):
    """Everything that `probing` lets one choose, as a search chooses it."""
    options = {"axes": 1, "equivariant": False, "double": False, "rtol": None, "atol": 0.0}
    options |= changed
    return probing(function, x, **options, source=torch.Generator().manual_seed(0))


def sets(batch, n=4, d=2):
    return torch.randn(batch, n, d, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("batch", [3, 4, 5, 9])
def test_what_holds_holds_on_every_set(batch):
    # Only the last set has rows that differ; the first row stays where it is under six of 24.
    x = sets(batch)
    x[:-1] = x[:-1, :1]
    with probe_of(lambda x: x[:, 0], x) as probe:
        assert torch.equal(probe.holds(S_4), S_4[:, 0] == 0)


@pytest.mark.parametrize("per_call", [1, 5, 24, 100])
def test_each_error_is_that_of_its_permutation(per_call):
    x = sets(6)
    with probe_of(lambda x: x[:, 0], x) as probe:
        excess = probe.excess(S_4, per_call=per_call)
        worst = [probe.worst(sigma) for sigma in S_4]
        tolerance = probe.leaves[0].tolerance + probe._noise["output"]
    expected = [((x[:, sigma[0]] - x[:, 0]).double().abs() / tolerance).max() for sigma in S_4]
    assert torch.allclose(excess, torch.stack(expected))
    assert excess.tolist() == [found.excess for found in worst]


@pytest.mark.parametrize("limit", ["sets", "entries"])
@pytest.mark.parametrize("most", [1, 7, 8, 9, 100, 1000])
def test_a_super_batch_is_within_its_limits_unless_one_permutation_is_not(monkeypatch, limit, most):
    sizes = []

    def function(x):
        sizes.append(len(x) if limit == "sets" else x.numel())
        return x.sum(1)

    x = sets(4)
    with probe_of(function, x) as probe:
        assert probe.holds(S_4[:1])
        monkeypatch.setattr(module, f"_SUPERBATCH_{limit.upper()}", most)
        sizes.clear()
        assert probe.holds(S_4).all()
    one = len(x) if limit == "sets" else x.numel()
    assert sum(sizes) == one * len(S_4)
    # As many together as there is room for.
    together = min(len(S_4), max(1, most // one))
    assert max(sizes) == one * together
    assert len(sizes) == math.ceil(len(S_4) / together)


@pytest.mark.parametrize("batch", [2, 4, 9])
def test_a_function_of_the_whole_batch_is_tried_on_all_of_it_and_by_one_permutation_at_a_time(
    batch,
):
    with probe_of(lambda x: x[:, 0] - x[:, 0].mean(0), sets(batch)) as probe:
        assert torch.equal(probe.holds(S_4), S_4[:, 0] == 0)


def test_a_function_of_the_number_of_sets_is_tried_on_as_many():
    for batch in (1, 3, 9):
        with probe_of(lambda x: len(x) * x.sum(1), sets(batch)) as probe:
            assert probe.holds(S_4).all()


def test_a_function_of_a_single_set_and_its_batch_is_tried_by_one_permutation_at_a_time():
    with probe_of(lambda x: x[:, 0] - x[:, 0].mean(0), sets(1)) as probe:
        assert probe.holds(S_4).all()  # it is 0


def test_few_sets_refute_most_permutations():
    seen = []

    def function(x):
        seen.append(len(x))
        return x[:, 0]

    with probe_of(function, sets(20)) as probe:
        probe.holds(S_4[:1])
        seen.clear()
        probe.holds(S_4)
    assert seen == [4 * 24, 16 * 6]


def test_errors_are_found_for_one_permutation_at_a_time_unless_told_otherwise():
    seen = []
    with probe_of(lambda x: seen.append(len(x)) or x.sum(1), sets(5)) as probe:
        seen.clear()
        probe.excess(S_4)
    assert seen == [5] * 24


# The limits of what is tolerated.


def off_by(error, other=4.0):
    """Two sets; only in the first does an exchange of the two rows change the first row."""
    return torch.tensor([[[0.0], [error]], [[other], [other]]])


SWAP = torch.tensor([[1, 0]])


@pytest.mark.parametrize(("error", "holds"), [(1.5, True), (2.0, True), (2.5, False), (3.5, False)])
def test_an_error_is_tolerated_up_to_its_limit_and_at_it(error, holds):
    with probe_of(lambda x: x[:, 0], off_by(error), rtol=0.0, atol=2.0) as probe:
        worst = probe.worst(SWAP[0])
        assert probe.holds(SWAP).item() == holds
        assert probe.excess(SWAP).item() == worst.excess
    assert (worst.error, worst.excess <= 1) == (error, holds)


@pytest.mark.parametrize(("error", "verdict"), [(2.0, None), (3.0, False)])
def test_an_error_within_blurring_rounding_has_no_verdict_and_one_above_it_has(error, verdict):
    # In float32, 2^19 is rounded by 2^-4; 32 times that is tolerated, and more than a quarter of
    # the spread, which is 2.
    def function(x):
        return 2.0**19 + x[:, 0]

    with probe_of(function, off_by(error), rtol=0.0) as probe:
        if verdict is None:
            with pytest.raises(ValueError, match=r"float64, or subtract what is constant$"):
                probe.worst(SWAP[0])
        else:
            assert probe.worst(SWAP[0]).excess == error / 2


def test_what_is_off_by_nothing_is_not_blurred():
    with probe_of(lambda x: 2.0**19 + x.sum(1), off_by(1.0), rtol=0.0) as probe:
        assert probe.leaves[0].blurred().all()
        assert probe.worst(SWAP[0]).error == 0


def test_only_an_error_above_its_limit_is_compared_with_what_rounding_does():
    # The output cancels to a few units of the rounding of 1.
    epsilon = torch.finfo(torch.float64).eps
    x = torch.tensor([[[1.0], [1.0 + 8 * epsilon]]], dtype=torch.float64).expand(2, 2, 1)
    for atol, tolerated in ((8 * epsilon, 8 * epsilon), (8 / 1.5 * epsilon, 128 * epsilon)):
        with probe_of(lambda x: x[:, 0] - 1, x, rtol=0.0, atol=atol) as probe:
            worst = probe.worst(SWAP[0])
        assert worst.excess <= 1
        assert worst.tolerance == pytest.approx(tolerated, rel=0.1)


# Which entry is named.


def test_of_what_is_exact_the_entry_that_varies_most_is_named():
    x = sets(9) * torch.tensor([1.0, 10.0])
    assert symmetry_report(lambda x: x.amax(1), x).output == "output[1]"
    assert symmetry_report(lambda x: x.amax(1).flip(1), x).output == "output[0]"


def test_the_entry_is_named_by_all_its_indices():
    x = sets(9)
    assert symmetry_report(lambda x: x[:, 0, 0], x).output == "output"
    off = torch.tensor([[0, 0, 0], [0, 1, 0]])
    report = symmetry_report(lambda x: x.amax((1, 2))[:, None, None] + off * x[:, :1, :1], x)
    assert report.output == "output[1, 1]"


@pytest.mark.parametrize("at", [0, 1])
def test_nan_is_the_worst_wherever_it_is(at):
    def function(x):
        parts = [x[:, 0], x.sum(1)]
        parts[at] = parts[at] * torch.tensor([1.0, torch.nan])
        return tuple(parts)

    report = symmetry_report(function, sets(9))
    assert report.output == f"output[{at}][1]"
    assert math.isnan(report.max_error)


def test_outputs_without_entries_are_off_by_nothing():
    with probe_of(lambda x: x[:, :0, 0], sets(3)) as probe:
        assert probe.worst(S_4[1]) == Worst(0.0, 0.0, 0.0, 0.0, "output", torch.float32)
        assert torch.equal(probe.excess(S_4), torch.zeros(24, dtype=torch.float64))


# Sets and masks.


@pytest.mark.parametrize("axes", [1, 2])
def test_more_sets_are_drawn_from_the_rows_of_one_and_leave_features_apart(axes):
    x = torch.arange(24.0).reshape(1, 4, 3, 2)
    drawn = resampled(x, axes, torch.Generator().manual_seed(0))
    pool, found = x.flatten(1, axes)[0], drawn.flatten(1, axes).flatten(0, 1)
    assert drawn.shape == (64, 4, 3, 2)
    for feature in range(pool[0].numel()):
        values = pool.flatten(1)[:, feature].tolist()
        assert set(found.flatten(1)[:, feature].tolist()) == set(values)


def test_a_mask_of_rows_moves_with_a_grid_that_has_channels():
    rows = cyclic_group(12)
    rows.shape = (4, 3)
    generator = rows.generators[0]
    x = torch.randn(5, 4, 3, 2, generator=torch.Generator().manual_seed(0))
    mask = torch.arange(4).expand(5, 4) < 3
    seen = []

    def function(x, mask):
        seen.append(mask)
        return (x * mask[..., None, None]).sum((1, 2))

    three = generator @ generator @ generator  # takes each row to another as a whole
    with probe_of(function, x, axes=2, mask=mask) as probe:
        assert probe.worst(stack_permutations([three])[0]).excess <= 1
        assert torch.equal(seen[-1], mask.roll(-1, 1))
        message = (
            r"^mask must be one of entries, \(batch, n, d\), since the group does not move whole "
            r"rows; this is one of rows$"
        )
        with pytest.raises(ValueError, match=message):
            probe.worst(stack_permutations([generator])[0])


def test_sets_and_masks_are_checked_by_their_names():
    with pytest.raises(TypeError, match=r"^input must be a tensor"):
        set_like([[[1.0]]], None)
    with pytest.raises((TypeError, ValueError), match=r"^input must be "):
        set_like(torch.ones(2, 3, 1).to_sparse(), None)
    with pytest.raises(ValueError, match=r"^mask must have shape"):
        set_like(torch.ones(2, 3, 1), torch.ones(2, 4, dtype=torch.bool))
    assert set_like(torch.ones(2, 3, 1), torch.ones(2, 3, dtype=torch.bool)) is None


def test_a_single_set_is_drawn_anew_with_its_mask():
    x, mask, seen = sets(1), torch.tensor([[True, True, True, False]]), []

    def function(x, mask):
        seen.append((len(x), mask.clone()))
        return (x * mask[..., None]).sum(1)

    with probe_of(function, x, mask=mask):
        assert [count for count, _ in seen] == [1, 1, 64]
        assert all(torch.equal(given, mask.expand(count, -1)) for count, given in seen)


def test_outputs_that_are_nan_at_every_call_do_not_differ_from_call_to_call():
    report = symmetry_report(lambda x: x.sum(1) * torch.nan, sets(5))
    assert (report.call_to_call, report.is_random, report.holds) == (0, False, False)


def test_an_output_of_another_size_is_named_if_it_has_a_name():
    with (
        pytest.raises(ValueError, match=r"\(batch, 4, …\), got \(5, 3, 2\)$"),
        probe_of(lambda x: x[:, 1:], sets(5), equivariant=True),
    ):
        pass
    with (
        pytest.raises(ValueError, match=r"\(batch, 4, …\), got \(5, 3, 2\) as output\[1\]$"),
        probe_of(lambda x: (x, x[:, 1:]), sets(5), equivariant=True),
    ):
        pass


def test_a_row_of_which_an_entry_is_there_is_a_member():
    x = sets(5, 4, 2)
    mask = torch.ones(5, 4, 2, dtype=torch.bool)
    mask[:, 2, 0] = False  # in part
    mask[:, 3] = False  # as a whole

    def on_padding(x, mask):
        return torch.where(mask.any(-1, keepdim=True), x, torch.arange(4.0)[:, None])

    def on_members(x, mask):
        return torch.where(mask.all(-1, keepdim=True), x, torch.arange(4.0)[:, None])

    def one_number(x, mask):
        return on_padding(x, mask).sum(-1)

    def more_numbers(x, mask):
        return torch.cat(3 * [on_padding(x, mask)], -1)

    for function in (on_padding, on_members, one_number, more_numbers):
        with probe_of(function, x, equivariant=True, mask=mask) as probe:
            assert bool(probe.holds(S_4).all()) == (function is not on_members)
