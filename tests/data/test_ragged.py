import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from invariant_nets import (
    PaddedSets,
    collate_sets,
    intrinsic,
    pad_graphs,
    pad_sets,
    unpad_sets,
)
from tests.defaults import other_default


def ragged(sizes, d=2):
    source = torch.Generator().manual_seed(0)
    return [torch.randn(size, d, generator=source) for size in sizes]


def by_loops(sets, n):
    x = torch.zeros(len(sets), n, sets[0].shape[1])
    mask = torch.zeros(len(sets), n, dtype=torch.bool)
    for k, members in enumerate(sets):
        for i, row in enumerate(members):
            x[k, i] = row
            mask[k, i] = True
    return x, mask


@given(st.lists(st.integers(0, 5), min_size=1, max_size=6), st.integers(1, 3), st.integers(0, 3))
def test_the_members_come_first_and_zeros_after_them(sizes, d, more):
    sets, n = ragged(sizes, d), max(1, *sizes) + more
    padded = pad_sets(sets, n)
    x, mask = by_loops(sets, n)
    assert torch.equal(padded.x, x)
    assert torch.equal(padded.mask, mask)
    for members, back in zip(sets, unpad_sets(*padded), strict=True):
        assert torch.equal(members, back)


def test_by_default_there_are_as_many_rows_as_the_largest_set_has():
    assert pad_sets(ragged([2, 4, 0])).x.shape == (3, 4, 2)
    assert pad_sets(ragged([0, 0])).x.shape == (2, 1, 2)  # a batch of sets has a row at least


def test_members_may_lie_anywhere_when_they_are_taken_out():
    x, mask = torch.arange(6.0).view(1, 3, 2), torch.tensor([[True, False, True]])
    (members,) = unpad_sets(x, mask)
    assert members.tolist() == [[0, 1], [4, 5]]


def test_a_nested_tensor_is_taken():
    sets = ragged([2, 4, 1])
    x, mask = pad_sets(torch.nested.nested_tensor(sets, layout=torch.jagged))
    assert torch.equal(x, pad_sets(sets).x)
    assert torch.equal(mask, pad_sets(sets).mask)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.int64])
def test_the_numbers_keep_their_type(dtype):
    assert pad_sets([torch.ones(1, 2, dtype=dtype), torch.ones(2, 2, dtype=dtype)]).x.dtype == dtype


def test_gradients_reach_the_sets():
    sets = [members.requires_grad_() for members in ragged([1, 3])]
    pad_sets(sets).x.sum().backward()
    assert all(torch.equal(members.grad, torch.ones_like(members)) for members in sets)


def test_what_is_padded_can_be_given_to_a_model():
    sets = ragged([2, 4, 1], d=3)
    model = intrinsic(4, 3)
    x, mask = pad_sets(sets)
    alone = torch.cat([model(members[None]) for members in sets])
    torch.testing.assert_close(model(x, mask=mask), alone)


def test_a_loader_collates_sets_with_their_labels():
    data = [(members, torch.tensor([float(k)])) for k, members in enumerate(ragged([2, 4, 1]))]
    ((x, mask), label), (last, _) = DataLoader(data, 2, collate_fn=collate_sets)
    assert (x.shape, mask.tolist()) == ((2, 4, 2), [[True, True, False, False], [True] * 4])
    assert label.tolist() == [[0], [1]]
    assert isinstance(last, PaddedSets)
    assert last.x.shape == (1, 1, 2)


def test_a_loader_collates_sets_alone_and_with_several_things():
    sets = ragged([2, 4])
    assert isinstance(collate_sets(sets), PaddedSets)
    padded, names, numbers = collate_sets([(sets[0], "a", 1), (sets[1], "b", 2)])
    assert isinstance(padded, PaddedSets)
    assert list(names) == ["a", "b"]
    assert numbers.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("sets", "error", "words"),
    [
        ([], ValueError, "at least one set, got none"),
        (torch.zeros(2, 3, 4), TypeError, r"a nested tensor, got a tensor of shape \(2, 3, 4\)"),
        (None, TypeError, "sets must be a sequence of tensors, got NoneType"),
        ([[[1.0]]], TypeError, "sets must hold tensors, got list"),
        ([torch.zeros(3)], ValueError, r"shape \(n_i, d\), got \(3,\)"),
        ([torch.zeros(3, 0)], ValueError, r"shape \(n_i, d\), got \(3, 0\)"),
        ([torch.zeros(3, 2), torch.zeros(3, 4)], ValueError, r"\(n_i, 2\), got \(3, 4\)"),
        ([torch.zeros(1, 2), torch.zeros(1, 2).double()], TypeError, "one dtype, got .*float64"),
        (
            [torch.zeros(1, 2), torch.zeros(1, 2, device="meta")],
            ValueError,
            "on one device, got .*meta",
        ),
    ],
)
def test_what_are_no_sets_is_refused(sets, error, words):
    with pytest.raises(error, match=words):
        pad_sets(sets)


@pytest.mark.parametrize(("n", "error"), [(3, ValueError), (2.5, TypeError), (True, TypeError)])
def test_a_number_of_rows_that_does_not_fit_is_refused(n, error):
    with pytest.raises(error, match="n must be"):
        pad_sets(ragged([4]), n)


@pytest.mark.parametrize(
    ("mask", "error"),
    [(None, TypeError), (torch.ones(1, 3), TypeError), (torch.ones(1, 2).bool(), ValueError)],
)
def test_what_is_no_mask_is_refused(mask, error):
    with pytest.raises(error, match="mask must"):
        unpad_sets(torch.zeros(1, 3, 2), mask)


def test_no_samples_are_refused():
    with pytest.raises(ValueError, match="at least one set, got none"):
        collate_sets([])


def test_the_mask_lies_where_the_sets_do():
    sets = ragged([1, 3])
    with other_default("device"):
        x, mask = pad_sets(sets)
        (again, same_mask), _ = collate_sets([(rows, torch.zeros(1)) for rows in sets])
        assert [len(rows) for rows in unpad_sets(x, mask)] == [1, 3]
    assert mask.device == same_mask.device == x.device == again.device == sets[0].device
    assert mask.tolist() == [[True, False, False], [True, True, True]]


# Graphs.


def test_graphs_are_padded_on_both_axes():
    graphs = [torch.rand(n, n, 2) for n in (1, 0, 3)]
    x, mask = pad_graphs(graphs, n=4)
    assert x.shape == (3, 4, 4, 2)
    assert mask.sum(1).tolist() == [1, 0, 3]
    for padded, graph in zip(x, graphs, strict=True):
        assert torch.equal(padded[: len(graph), : len(graph)], graph)
        assert padded.sum() == pytest.approx(graph.sum().item())


@pytest.mark.parametrize(
    ("graphs", "error", "message"),
    [
        ([], ValueError, "graphs must hold at least one graph, got none"),
        ([[[1.0]]], TypeError, "graphs must hold tensors, got list"),
        ([torch.ones(2, 3)], ValueError, r"shape \(n_i, n_i\), got \(2, 3\)"),
        ([torch.ones(2)], ValueError, r"shape \(n_i, n_i\), got \(2,\)"),
        ([torch.ones(2, 2, 3), torch.ones(2, 2)], ValueError, r"shape \(n_i, n_i, 3\), got"),
        ([torch.ones(1, 1), torch.ones(1, 1).double()], TypeError, "one dtype"),
    ],
)
def test_what_are_no_graphs_is_refused(graphs, error, message):
    with pytest.raises(error, match=message):
        pad_graphs(graphs)


def test_too_few_nodes_are_refused():
    with pytest.raises(ValueError, match="n must be at least 3, got 2"):
        pad_graphs([torch.ones(3, 3)], n=2)
