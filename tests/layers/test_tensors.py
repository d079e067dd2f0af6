"""The layer of tensors: its maps one by one, masks, sizes, symmetric tensors, gradients, scale."""

import copy
import itertools
import math

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from invariant_nets import (
    ExchangeableEquivariant,
    GraphNetwork,
    LinearEquivariant,
    OrbitLinear,
    TensorLinear,
    graph_network,
    pad_graphs,
    symmetric_group,
)
from invariant_nets.layers.partitions.partition import numbered, partitions
from invariant_nets.layers.tensors.orbits import TensorForm
from tests.layers.test_partitions import PATTERNS

DOUBLE = {"dtype": torch.float64}
CUBES = "n n n -> n n n"
NAN = float("nan")


def source(seed=0):
    return torch.Generator().manual_seed(seed)


def made(pattern, channels=2, out=3, **options):
    """A layer with a bias that is not 0, and sizes of its names: n = 4, m = 3."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layer = TensorLinear(pattern, channels, out, **{**DOUBLE, **options})
    if layer.bias is not None:
        layer.bias = torch.randn(layer.bias.shape, generator=source(), **DOUBLE)
    return layer, {name: {"n": 4, "m": 3}[name] for name in layer.plan.names}


def inputs(layer, lengths, batch=2, seed=1):
    shape = (batch, *(lengths[name] for name in layer.plan.inner.axes), layer.in_channels)
    return torch.randn(shape, generator=source(seed), **DOUBLE) + 1


def missing(layer, lengths):
    return {
        name: lengths[name] for name in layer.plan.outer.axes if name not in layer.plan.inner.axes
    }


def by_definition(layer, x, lengths):
    """Entry by entry and map by map: the mean over the indices that the partition allows."""
    inner, outer = layer.plan.inner.axes, layer.plan.outer.axes
    k = len(inner)

    def pattern_of(indices, axes):
        return numbered(list(zip(axes, indices, strict=True)))

    weight, of = layer.weight.detach(), layer.classes.of
    y = x.new_zeros(len(x), *(lengths[name] for name in outer), layer.out_channels)
    for b in itertools.product(*(range(lengths[name]) for name in outer)):
        at = (slice(None), *b)
        pattern = pattern_of(b, outer)
        for labels, number in zip(layer.plan.maps, of, strict=True):
            if numbered(labels[k:]) != pattern:
                continue
            tied = dict(zip(labels[k:], b, strict=True))
            taken = [
                x[(slice(None), *a)]
                for a in itertools.product(*(range(lengths[name]) for name in inner))
                if pattern_of(a, inner) == numbered(labels[:k])
                and all(tied.get(label, i) == i for label, i in zip(labels, a, strict=False))
            ]
            if taken:
                y[at] += sum(taken) / len(taken) @ weight[number] / of.count(number)
        if layer.bias is not None:
            patterns = [d.partition for d in layer.plan.outer.diagonals]
            y[at] += layer.bias.detach()[layer.classes.of_bias[patterns.index(pattern)]]
    return y


@pytest.mark.parametrize("pattern", PATTERNS)
def test_it_is_what_it_is_defined_to_be(pattern):
    layer, lengths = made(pattern)
    x = inputs(layer, lengths)
    y = layer(x, sizes=missing(layer, lengths))
    torch.testing.assert_close(y, by_definition(layer, x, lengths), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_below_its_order_too(n):
    layer, _ = made("n n -> n n")
    x = inputs(layer, {"n": n})
    torch.testing.assert_close(layer(x), by_definition(layer, x, {"n": n}), rtol=1e-9, atol=1e-9)


def test_the_203_maps_of_cubes():
    # Where a map's kept blocks come in another order in a coarser partition: n n cannot show it.
    layer, lengths = made(CUBES, 1, 1)
    x = inputs(layer, lengths, batch=1)
    torch.testing.assert_close(layer(x), by_definition(layer, x, lengths), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("symmetric", ["input", "output", "both"])
@pytest.mark.parametrize("pattern", ["n n -> n n", "n n -> n", "n -> n n", "n n m -> n m"])
def test_symmetric_tensors(pattern, symmetric):
    layer, lengths = made(pattern, symmetric=symmetric)
    x = inputs(layer, lengths)
    y = layer(x)
    torch.testing.assert_close(y, by_definition(layer, x, lengths), rtol=1e-9, atol=1e-9)
    if symmetric != "input" and layer.plan.outer.axes.count("n") == 2:
        torch.testing.assert_close(y, y.transpose(1, 2))
    if symmetric != "output" and layer.plan.inner.axes.count("n") == 2:
        torch.testing.assert_close(layer(x.transpose(1, 2)), y)


def test_with_all_maps_neither_holds():
    layer, lengths = made("n n -> n n")
    x = inputs(layer, lengths)
    assert not torch.allclose(layer(x), layer(x).transpose(1, 2))
    assert not torch.allclose(layer(x.transpose(1, 2)), layer(x))


def permuted(x, axes, orders):
    for axis, name in enumerate(axes):
        x = x.index_select(1 + axis, orders[name])
    return x


@pytest.mark.parametrize("pattern", [*PATTERNS, CUBES])
def test_it_is_equivariant_to_permutations_of_each_name(pattern):
    layer, lengths = made(pattern)
    x = inputs(layer, lengths)
    orders = {name: torch.randperm(n, generator=source(n)) for name, n in lengths.items()}
    sizes = missing(layer, lengths)
    moved = layer(permuted(x, layer.plan.inner.axes, orders), sizes=sizes)
    expected = permuted(layer(x, sizes=sizes), layer.plan.outer.axes, orders)
    torch.testing.assert_close(moved, expected, rtol=1e-9, atol=1e-9)


def all_maps(pattern, into):
    """A layer whose channels that go out, or those that come in, each have one map alone."""
    count = len(made(pattern, 1, 1, bias=False)[0].maps)
    layer, _ = made(pattern, *((count, 1) if into else (1, count)), bias=False)
    layer.weight = torch.eye(count, **DOUBLE).view(layer.weight.shape)
    return layer


def by_rows(pattern, n):
    """Each map as a matrix from all entries that come in to all that go out: its gradients."""
    layer = all_maps(pattern, into=True)
    x = torch.zeros(1, *(n for _ in layer.plan.inner.axes), layer.in_channels, **DOUBLE)
    y = layer(x.requires_grad_(True)).flatten()
    rows = [torch.autograd.grad(value, x, retain_graph=True)[0].flatten(0, -2) for value in y]
    return torch.stack(rows).movedim(-1, 0)


def by_columns(pattern, n):
    """The same matrices by their columns, faster where more goes out than comes in."""
    layer = all_maps(pattern, into=False)
    shape = [n for _ in layer.plan.inner.axes]
    unit = torch.eye(math.prod(shape), **DOUBLE).view(-1, *shape, 1)
    return layer(unit).detach().flatten(1, -2).movedim(-1, 0).mT


def test_a_matrix_has_one_value_by_rows_and_by_columns():
    for pattern in ("n n -> n", "n -> n n", "n n -> n n"):
        torch.testing.assert_close(by_rows(pattern, 3), by_columns(pattern, 3))


@pytest.mark.parametrize(
    "n", [*range(1, 6), *(pytest.param(n, marks=pytest.mark.slow) for n in (6, 7))]
)
@pytest.mark.parametrize(("k", "rest"), [(k, r) for k in range(1, 6) for r in range(6 - k)])
def test_the_maps_are_all_that_there_are(k, rest, n):
    """Their rank is the number of partitions of at most n blocks, and they span the orbitals."""
    pattern = f"{' '.join('n' * k)} -> {' '.join('n' * rest)}"
    maps = (by_rows if rest < k else by_columns)(pattern, n).flatten(1)
    expected = sum(max(p, default=-1) < n for p in partitions(("n",) * (k + rest)))
    assert torch.linalg.matrix_rank(maps) == expected
    group = symmetric_group(n)
    if rest == 0:
        return
    ids = group.on_tuples(rest).orbitals(group.on_tuples(k)).reshape(1, -1)
    orbitals = (ids == torch.arange(int(ids.max()) + 1)[:, None]).to(maps)
    assert torch.linalg.matrix_rank(torch.cat((maps, orbitals))) == expected == len(orbitals)


# Masks.


@pytest.mark.parametrize("pattern", [*PATTERNS, CUBES])
def test_padding_never_matters(pattern):
    """Outputs and gradients of padded tensors are those of the tensors alone; NaN is no number."""
    layer, lengths = made(pattern)
    axes, outer = layer.plan.inner.axes, layer.plan.outer.axes
    full = {name: n + 2 for name, n in lengths.items()}
    there = {
        name: torch.randperm(full[name], generator=source(3))[:n].sort().values
        for name, n in lengths.items()
    }
    mask = {
        name: torch.zeros(2, full[name], dtype=torch.bool).index_fill(1, there[name], True)
        for name in full
    }
    small = inputs(layer, lengths)
    x = torch.full((2, *(full[name] for name in axes), 2), NAN, **DOUBLE)
    at = torch.meshgrid(*(there[name] for name in axes), indexing="ij") if axes else ()
    x[(slice(None), *at)] = small
    x.requires_grad_(True)
    y = layer(x, mask, sizes=missing(layer, full))
    small.requires_grad_(True)
    expected = layer(small, sizes=missing(layer, lengths))
    at_out = torch.meshgrid(*(there[name] for name in outer), indexing="ij") if outer else ()
    torch.testing.assert_close(y[(slice(None), *at_out)], expected, rtol=1e-9, atol=1e-9)
    assert (
        torch.equal(y.sum() - y[(slice(None), *at_out)].sum(), y.new_zeros(()))
        or not y.isnan().any()
    )
    parameters = list(layer.parameters())
    of_padded = torch.autograd.grad(y.square().sum(), [x, *parameters])
    of_small = torch.autograd.grad(expected.square().sum(), [small, *parameters])
    torch.testing.assert_close(of_padded[0][(slice(None), *at)], of_small[0], rtol=1e-8, atol=1e-8)
    assert of_padded[0].isfinite().all()
    for one, other in zip(of_padded[1:], of_small[1:], strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-8)


def test_graphs_of_different_sizes_in_one_batch():
    layer, _ = made("n n -> n n")
    graphs = [inputs(layer, {"n": n}, batch=1)[0] for n in (1, 3, 6)]
    x, mask = pad_graphs(graphs)
    y = layer(x, mask)
    for graph, out, n in zip(graphs, y, (1, 3, 6), strict=True):
        torch.testing.assert_close(out[:n, :n], layer(graph[None])[0], rtol=1e-9, atol=1e-9)
        assert not out[n:].any()
        assert not out[:, n:].any()


def test_no_indices_at_all_give_zeros_and_no_nan():
    layer, _ = made("n n -> n n")
    y = layer(torch.full((2, 3, 3, 2), NAN, **DOUBLE), torch.zeros(2, 3, dtype=torch.bool))
    assert not y.any()
    readout, _ = made("n n ->")
    nothing = readout(torch.full((2, 3, 3, 2), NAN, **DOUBLE), torch.zeros(2, 3, dtype=torch.bool))
    torch.testing.assert_close(nothing, readout.bias.sum(0).expand(2, -1) * 0 + readout.bias[0])


def test_one_mask_of_two_names():
    layer, lengths = made("n m -> n m")
    x, mask = inputs(layer, lengths), torch.tensor([[True] * 4, [True, False, True, True]])
    assert torch.equal(layer(x, mask), layer(x, {"n": mask}))
    assert not torch.equal(layer(x, mask), layer(x))


@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        ({"k": torch.ones(2, 4, dtype=torch.bool)}, ValueError, r"of names in \['n'\], got one of"),
        ({"n": torch.ones(2, 5, dtype=torch.bool)}, ValueError, r"mask\['n'\] must have shape"),
        ({"n": torch.ones(2, 4)}, TypeError, r"mask\['n'\] must be of bool"),
        ({"n": [True] * 4}, TypeError, r"mask\['n'\] must be a tensor"),
    ],
)
def test_a_mask_that_is_none_is_refused(mask, error, message):
    layer, lengths = made("n n -> n n")
    with pytest.raises(error, match=message):
        layer(inputs(layer, lengths), mask)


@pytest.mark.parametrize(
    ("pattern", "shape", "sizes", "message"),
    [
        ("n n -> n", (2, 4, 5, 2), None, "the same on all axes of that name"),
        ("n n -> n", (2, 4, 2), None, r"x must have shape \(batch, n, n, 2\)"),
        ("n n -> n", (2, 4, 4, 3), None, r"x must have shape \(batch, n, n, 2\)"),
        ("n n -> n", (2, 0, 0, 2), None, "n ≥ 1"),
        ("n -> n m", (2, 4, 2), None, r"sizes must tell those of \['m'\]"),
        ("n -> n m", (2, 4, 2), {"m": 2, "n": 4}, r"sizes must tell those of \['m'\]"),
        ("n -> n m", (2, 4, 2), {"m": 0}, "m must be at least 1"),
        ("n -> n", (2, 4, 2), {"n": 4}, "sizes must tell those of no name"),
    ],
)
def test_what_does_not_fit_is_refused(pattern, shape, sizes, message):
    layer, _ = made(pattern)
    with pytest.raises(ValueError, match=message):
        layer(torch.zeros(shape, **DOUBLE), sizes=sizes)


# Two ways to compute it, and their gradients.


@pytest.mark.parametrize("pattern", [*PATTERNS, CUBES])
def test_what_transforms_see_is_the_same(pattern):
    layer, lengths = made(pattern)
    x, sizes = inputs(layer, lengths), missing(layer, lengths)
    each = torch.vmap(lambda one: layer(one[None], sizes=sizes)[0])(x)
    torch.testing.assert_close(each, layer(x, sizes=sizes), rtol=1e-10, atol=1e-10)
    parameters = {name: p.detach() for name, p in layer.named_parameters()}

    def loss(parameters, x):
        return torch.func.functional_call(layer, parameters, (x,), {"sizes": sizes}).square().sum()

    of_parameters, of_x = torch.func.grad(loss, (0, 1))(parameters, x)
    x.requires_grad_(True)
    layer(x, sizes=sizes).square().sum().backward()
    torch.testing.assert_close(of_x, x.grad, rtol=1e-9, atol=1e-9)
    for name, p in layer.named_parameters():
        torch.testing.assert_close(of_parameters[name], p.grad, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("pattern", ["n n -> n n", "n n -> n", "n -> n n", "n n ->", "n m -> m n"])
def test_first_and_second_derivatives(pattern, masked):
    layer, lengths = made(pattern, 1, 2)
    lengths = dict.fromkeys(lengths, 3)
    x = inputs(layer, lengths).requires_grad_(True)
    mask = {"n": torch.tensor([[True] * 3, [True, False, True]])} if masked else None
    names = [name for name, _ in layer.named_parameters()]

    def outputs(x, *values):
        parameters = dict(zip(names, values, strict=True))
        return torch.func.functional_call(layer, parameters, (x, mask))

    values = [p.detach().clone().requires_grad_(True) for p in layer.parameters()]
    assert gradcheck(outputs, (x, *values))
    assert gradgradcheck(outputs, (x, *values), fast_mode=True)


def test_a_gradient_that_nobody_wants_is_not_needed():
    layer, lengths = made("n n -> n n")
    x = inputs(layer, lengths)
    layer(x).sum().backward()
    frozen = copy.deepcopy(layer).requires_grad_(False)
    x.requires_grad_(True)
    frozen(x).sum().backward()
    assert x.grad is not None
    assert all(p.grad is None for p in frozen.parameters())


# One set of weights for every size; other layers; scale.


def test_the_same_weights_take_every_size():
    torch.manual_seed(0)
    layer = TensorLinear("n n -> n n", 1, 1)
    constant = [layer(torch.ones(1, n, n, 1)) for n in (4, 60)]
    torch.testing.assert_close(constant[0][0, :2, :2], constant[1][0, :2, :2], rtol=1e-5, atol=1e-5)


def test_sets_are_the_averaged_layer():
    layer, other = TensorLinear("n -> n", 3, 4, **DOUBLE), LinearEquivariant(3, 4, **DOUBLE)
    same, mean = layer.weight
    other.a, other.b = 3 * same.detach(), 3 * mean.detach()
    x = torch.randn(2, 7, 3, **DOUBLE)
    torch.testing.assert_close(layer(x), other(x))
    assert layer.maps == ("n1 -> n1", "n1 -> n2")


def test_tables_are_the_exchangeable_layer():
    layer = TensorLinear("n m -> n m", 3, 4, **DOUBLE)
    other = ExchangeableEquivariant(3, 4, **DOUBLE)
    where = ["n1 m1 -> n1 m1", "n1 m1 -> n1 m2", "n1 m1 -> n2 m1", "n1 m1 -> n2 m2"]
    other.weight = layer.weight.detach()[[layer.maps.index(text) for text in where]]
    x = torch.randn(2, 7, 5, 3, **DOUBLE)
    torch.testing.assert_close(layer(x), other(x))


@pytest.mark.parametrize(("pattern", "n"), [("n n -> n n", 5), ("n n -> n n", 30), (CUBES, 5)])
def test_a_constant_keeps_its_energy(pattern, n):
    """Of the strata: the mean squares of entries with each pattern of equal indices, summed."""
    order = len(pattern.split(" ->")[0].split())
    torch.manual_seed(0)
    h = torch.randn(3, *[1] * order, 4, **DOUBLE).expand(3, *[n] * order, 4)
    every = torch.cartesian_prod(*[torch.arange(n)] * order).tolist()
    strata = {}
    for index in every:
        strata.setdefault(numbered(index), []).append(index)

    def energy(h):
        means = [h[(slice(None), *torch.tensor(ids).T)].square().mean() for ids in strata.values()]
        return sum(means).item()

    before = energy(h)
    with torch.no_grad():
        for _ in range(4):
            h = TensorLinear(pattern, 4, 4, **DOUBLE)(h) / 2**0.5  # what a ReLU would halve
    assert energy(h) == pytest.approx(before, rel=1e-9)


def energy_of_pairs(h):
    """The mean square off the diagonal, and that on it."""
    n, on = h.shape[1], h.diagonal(0, 1, 2).square()
    off = (h.square().sum((1, 2)) - on.sum(2)) / (n * n - n)
    return (off.mean() + on.mean()).item()


def test_independent_entries_keep_it_nearly():
    torch.manual_seed(0)
    h = torch.randn(20, 30, 30, 16)
    before = energy_of_pairs(h)
    with torch.no_grad():
        for _ in range(4):
            h = TensorLinear("n n -> n n", 16, 16)(h) / 2**0.5
    assert 0.8 < energy_of_pairs(h) / before < 1.25


@pytest.mark.parametrize("symmetric", ["none", "input", "output", "both"])
def test_layers_of_symmetric_tensors_keep_it_too(symmetric):
    torch.manual_seed(0)
    ratios = []
    for _ in range(20):
        x = torch.randn(4, 20, 20, 16)
        if symmetric in ("input", "both"):
            x = (x + x.transpose(1, 2)) / 2**0.5
        with torch.no_grad():
            y = TensorLinear("n n -> n n", 16, 16, symmetric=symmetric)(x) / 2**0.5
        ratios.append(energy_of_pairs(y) / energy_of_pairs(x))
    assert 0.95 < sum(ratios) / len(ratios) < 1.05


def test_half_precision_adds_up_in_single():
    # A sum of 300² times 3 is beyond float16.
    layer = TensorLinear("n n -> n n", 1, 2, dtype=torch.float16)
    y = layer(torch.full((1, 300, 300, 1), 3.0, dtype=torch.float16))
    assert y.isfinite().all()
    y.float().mean().backward()
    assert all(p.grad.isfinite().all() for p in layer.parameters())


# The layers of groups on tuples take the same sums.


def test_orbit_layers_on_pairs_and_triples_are_sums():
    group = symmetric_group(5).on_tuples(2)
    layer = OrbitLinear(group, 20, 20, **DOUBLE)
    assert isinstance(layer.form, TensorForm)
    x = torch.randn(2, 25, 20, **DOUBLE)
    full = layer.weight[layer.ids]  # (to, from, in, out)
    expected = torch.einsum("bpi,qpio->bqo", x, full) + layer.bias[layer.out_orbit]
    torch.testing.assert_close(layer(x), expected)


# Networks of them.


@pytest.mark.parametrize("undirected", [False, True])
@pytest.mark.parametrize(("per", "axes"), [("graph", 0), ("node", 1), ("pair", 2)])
def test_networks_of_graphs_of_every_size(per, axes, undirected):
    torch.manual_seed(0)
    network = graph_network(
        edge_features=2, node_features=3, outputs=2, per=per, undirected=undirected
    ).double()
    graphs, features = [], []
    for n in (3, 7):
        edges = torch.randn(n, n, 2, **DOUBLE)
        graphs.append(edges + edges.transpose(0, 1) if undirected else edges)
        features.append(torch.randn(n, 3, **DOUBLE))
    x, mask = pad_graphs(graphs)
    nodes = torch.nn.utils.rnn.pad_sequence(features, batch_first=True, padding_value=NAN)
    y = network(x, mask=mask, nodes=nodes)
    assert y.shape == (2, *[7] * axes, 2)
    for k, n in enumerate((3, 7)):
        alone = network(graphs[k][None], nodes=features[k][None])
        here = (k, *[slice(0, n)] * axes)
        torch.testing.assert_close(y[here], alone[0])
        order = torch.randperm(n, generator=source(n))
        moved = network(graphs[k][order][:, order][None], nodes=features[k][order][None])
        torch.testing.assert_close(moved, permuted(alone, ("n",) * axes, {"n": order}))
    if axes == 2:
        assert not y[0, 3:].any()
        assert not y[0, :, 3:].any()
        if undirected:
            torch.testing.assert_close(y, y.transpose(1, 2))


def test_probabilities_of_pairs_that_are_not_there_are_zero():
    network = graph_network(per="pair", probabilities=True)
    x, mask = pad_graphs([torch.ones(2, 2), torch.ones(4, 4)])
    y = network(x, mask=mask)
    assert not y[0, 2:].any()
    assert not y[0, :, 2:].any()
    assert (y[1] > 0).all()


def test_a_network_of_graphs_trains():
    """To tell triangles from paths, which takes both kinds of sums: of rows, and of all."""
    torch.manual_seed(0)
    triangle = torch.ones(3, 3) - torch.eye(3)
    path = torch.tensor([[0.0, 1, 0], [1, 0, 1], [0, 1, 0]])
    x, mask = pad_graphs([triangle, path])
    network = graph_network(hidden=(8,))
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    for _ in range(60):
        optimizer.zero_grad()
        logits = network(x, mask=mask)[:, 0]
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.tensor([1.0, 0]))
        loss.backward()
        optimizer.step()
    assert loss < 0.1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.zeros(2, 3, 4),), r"x must have shape \(batch, n, n, 1\), got \(2, 3, 4\)"),
        ((torch.zeros(2, 3, 3, 2),), r"x must have shape \(batch, n, n, 1\)"),
        ((torch.zeros(2, 0, 0),), "n ≥ 1"),
        ((torch.zeros(2, 3, 3), None, torch.zeros(2, 3, 1)), "nodes must have 0 features, got a"),
    ],
)
def test_what_is_no_graph_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        GraphNetwork(TensorLinear("n n ->", 1, 1))(*arguments)


def test_nodes_of_another_shape_are_refused():
    network = graph_network(node_features=2)
    with pytest.raises(ValueError, match="nodes must have 2 features, got none"):
        network(torch.zeros(2, 3, 3))
    with pytest.raises(ValueError, match=r"nodes must have shape \(2, 3, 2\), got \(2, 4, 2\)"):
        network(torch.zeros(2, 3, 3), nodes=torch.zeros(2, 4, 2))
