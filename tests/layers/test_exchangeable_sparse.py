import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.func import functional_call, grad, stack_module_state, vmap

from invariant_nets import ExchangeableEquivariant, SparseExchangeableEquivariant

DOUBLE = {"dtype": torch.float64}
# Duplicates are allowed: an index that comes twice is two entries.
patterns = st.tuples(st.integers(1, 6), st.integers(1, 5)).flatmap(
    lambda size: st.tuples(
        st.just(size),
        st.lists(st.tuples(st.integers(0, size[0] - 1), st.integers(0, size[1] - 1)), max_size=12),
    )
)
seeds = st.integers(0, 2**32 - 1)


def drawn(entries, seed, channels=2, out=3, bias=True):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layer = SparseExchangeableEquivariant(channels, out, bias=bias, **DOUBLE)
        if bias:
            layer.bias = torch.randn(out, **DOUBLE)
        return layer, torch.randn(entries, channels, **DOUBLE)


def pairs(entries):
    return torch.tensor(entries, dtype=torch.int64).reshape(-1, 2).T


def mean(vectors, zero):
    return sum(vectors) / len(vectors) if vectors else zero


def shared_by_loops(layer, values, entries, i, j):
    """The terms of entry (i, j) but its own, from a loop over the entries."""
    _, b, c, grand = layer.weight
    zero = values.new_zeros(layer.in_channels)
    row = mean([v for v, e in zip(values, entries, strict=True) if e[0] == i], zero)
    column = mean([v for v, e in zip(values, entries, strict=True) if e[1] == j], zero)
    bias = 0 if layer.bias is None else layer.bias
    return row @ b + column @ c + mean(list(values), zero) @ grand + bias


@given(pattern=patterns, bias=st.booleans(), seed=seeds)
def test_it_is_its_formula(pattern, bias, seed):
    size, entries = pattern
    layer, values = drawn(len(entries), seed, bias=bias)
    y = layer(values, pairs(entries), size)
    assert y.shape == (len(entries), 3)
    for k, (i, j) in enumerate(entries):
        expected = values[k] @ layer.weight[0] + shared_by_loops(layer, values, entries, i, j)
        torch.testing.assert_close(y[k], expected)


@given(pattern=patterns, seed=seeds)
def test_queries_are_all_terms_but_the_entrys_own(pattern, seed):
    size, entries = pattern
    layer, values = drawn(len(entries), seed)
    everywhere = torch.cartesian_prod(*map(torch.arange, size)).T
    y = layer(values, pairs(entries), size, queries=everywhere)
    for k, (i, j) in enumerate(everywhere.T.tolist()):
        torch.testing.assert_close(y[k], shared_by_loops(layer, values, entries, i, j))
    here = layer(values, pairs(entries), size, queries=pairs(entries))
    own = values @ layer.weight[0]
    torch.testing.assert_close(here + own, layer(values, pairs(entries), size))


@given(pattern=patterns, seed=seeds)
def test_it_is_the_layer_of_matrices_with_a_mask(pattern, seed):
    size, entries = pattern[0], sorted(set(pattern[1]))
    layer, values = drawn(len(entries), seed)
    dense = ExchangeableEquivariant(2, 3, **DOUBLE)
    dense.load_state_dict(layer.state_dict())
    rows, columns = indices = pairs(entries)
    x, mask = torch.full((1, *size, 2), torch.nan, **DOUBLE), torch.zeros(1, *size).bool()
    x[0, rows, columns], mask[0, rows, columns] = values, True
    torch.testing.assert_close(layer(values, indices, size), dense(x, mask)[0, rows, columns])


def test_with_all_entries_it_is_the_layer_of_matrices():
    layer, values = drawn(12, seed=0)
    dense = ExchangeableEquivariant(2, 3, **DOUBLE)
    dense.load_state_dict(layer.state_dict())
    everywhere = torch.cartesian_prod(torch.arange(4), torch.arange(3)).T
    y = dense(values.view(1, 4, 3, 2)).view(12, 3)
    torch.testing.assert_close(layer(values, everywhere, (4, 3)), y)


@given(pattern=patterns, seed=seeds)
def test_rows_columns_and_entries_may_come_in_any_order(pattern, seed):
    (n, d), entries = pattern
    layer, values = drawn(len(entries), seed)
    source = torch.Generator().manual_seed(seed)
    order, rows, columns = (torch.randperm(m, generator=source) for m in (len(entries), n, d))
    indices = pairs(entries)
    moved = torch.stack((rows[indices[0]], columns[indices[1]]))[:, order]
    expected = layer(values, indices, (n, d))[order]
    torch.testing.assert_close(layer(values[order], moved, (n, d)), expected)


def test_it_takes_the_parts_of_a_sparse_tensor():
    layer = SparseExchangeableEquivariant(2, 3)
    indices, values = torch.tensor([[0, 2, 2], [1, 0, 4]]), torch.randn(3, 2)
    x = torch.sparse_coo_tensor(
        indices, values, (3, 5, 2), is_coalesced=True, check_invariants=True
    )
    got = layer(x.values(), x.indices(), x.shape[:2])
    torch.testing.assert_close(got, layer(values, indices, (3, 5)))


def test_without_entries_queries_see_the_bias_alone():
    layer, values = drawn(0, seed=0)
    nothing = torch.zeros(2, 0, dtype=torch.int64)
    assert layer(values, nothing, (3, 4)).shape == (0, 3)
    y = layer(values, nothing, (3, 4), queries=torch.tensor([[0, 2], [3, 1]]))
    torch.testing.assert_close(y, layer.bias.expand(2, -1))
    assert layer(values, nothing, (3, 4), queries=nothing).shape == (0, 3)


INDICES = torch.tensor([[0, 3, 0, 1], [2, 2, 1, 0]])
QUERIES = torch.tensor([[2, 0], [0, 2]])


@pytest.mark.parametrize("queries", [None, QUERIES])
def test_gradients_are_those_of_the_formula(queries):
    layer, values = drawn(4, seed=0)

    def function(values, weight, bias):
        parameters = {"stored_weight": weight, "stored_bias": bias}
        return functional_call(layer, parameters, (values, INDICES, (4, 3), queries))

    stored = layer.stored_weight, layer.stored_bias
    tensors = [t.detach().requires_grad_() for t in (values, *stored)]
    assert torch.autograd.gradcheck(function, tensors)
    assert torch.autograd.gradgradcheck(function, tensors)


def test_parameters_may_be_stacked():
    layers = [SparseExchangeableEquivariant(2, 3, **DOUBLE) for _ in range(3)]
    arguments = torch.randn(4, 2, **DOUBLE), INDICES, (4, 3)
    parameters, _ = stack_module_state(layers)

    def loss(parameters):
        return functional_call(layers[0], parameters, arguments).square().sum()

    stacked = vmap(grad(loss))(parameters)
    for k, layer in enumerate(layers):
        layer(*arguments).square().sum().backward()
        for name, parameter in layer.named_parameters():
            torch.testing.assert_close(stacked[name][k], parameter.grad)


def test_long_sums_in_bfloat16_do_not_stall():
    layer = SparseExchangeableEquivariant(1, 1, bias=False, dtype=torch.bfloat16)
    layer.load_state_dict({"weight": torch.ones(4, 1, 1)})
    entries = 5000
    indices = torch.stack((torch.zeros(entries, dtype=torch.int64), torch.arange(entries)))
    y = layer(torch.ones(entries, 1, dtype=torch.bfloat16), indices, (1, entries))
    assert torch.equal(y, torch.full_like(y, 4))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"values": [[1.0]]}, TypeError, "values must be a tensor, got list"),
        ({"values": torch.zeros(4)}, ValueError, r"values must have shape \(entries, 2\)"),
        ({"values": torch.zeros(4, 3)}, ValueError, r"values must have shape \(entries, 2\)"),
        ({"values": torch.zeros(5, 2)}, ValueError, r"indices must have shape \(2, 5\), one pair"),
        ({"indices": [[0], [0]]}, TypeError, "indices must be a tensor, got list"),
        ({"indices": INDICES.double()}, TypeError, "indices must be of int64 or int32, got"),
        ({"indices": INDICES.bool()}, TypeError, "indices must be of int64 or int32, got"),
        ({"indices": INDICES.T}, ValueError, r"indices must have shape \(2, pairs\), got"),
        ({"indices": INDICES - 1}, ValueError, "indices must name rows from 0 to 3, got one of -1"),
        ({"size": (3, 3)}, ValueError, "indices must name rows from 0 to 2, got one of 3"),
        ({"size": (4, 2)}, ValueError, "indices must name columns from 0 to 1, got one of 2"),
        ({"size": (0, 3)}, ValueError, r"size\[0\] must be at least 1, got 0"),
        ({"size": (4, 3.0)}, TypeError, r"size\[1\] must be an integer, got 3.0"),
        ({"size": (4, 3, 2)}, ValueError, r"size must be \(n, d\), got \(4, 3, 2\)"),
        ({"size": 4}, ValueError, r"size must be \(n, d\), got 4"),
        ({"queries": QUERIES + 2}, ValueError, "queries must name rows from 0 to 3, got one of 4"),
        ({"queries": QUERIES[0]}, ValueError, r"queries must have shape \(2, pairs\), got"),
        ({"queries": QUERIES.float()}, TypeError, "queries must be of int64 or int32, got"),
    ],
)
def test_bad_entries_are_refused(change, error, message):
    arguments = {"values": torch.zeros(4, 2), "indices": INDICES, "size": (4, 3)} | change
    with pytest.raises(error, match=message):
        SparseExchangeableEquivariant(2, 1)(**arguments)


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="in_channels must be at least 1, got 0"):
        SparseExchangeableEquivariant(0, 1)
    with pytest.raises(ValueError, match="out_channels must be at least 1, got 0"):
        SparseExchangeableEquivariant(1, 0)


def test_it_shows_its_arguments():
    text = repr(SparseExchangeableEquivariant(2, 3, bias=False))
    assert text == "SparseExchangeableEquivariant(2, 3, bias=False)"
