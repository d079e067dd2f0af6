import copy
import itertools
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from invariant_nets import (
    LinearEquivariant,
    LinearInvariant,
    OrbitInvariant,
    OrbitLinear,
    PermutationGroup,
    alternating_group,
    assert_equivariant,
    cyclic_group,
    dihedral_group,
    direct_product,
    pocket_cube_group,
    symmetric_group,
    trivial_group,
)
from tests import oracles
from tests.examples import examples

DOUBLE = {"dtype": torch.float64}


@st.composite
def groups(draw, max_degree=6):
    n = draw(st.integers(1, max_degree))
    count = draw(st.integers(1, 3))
    return PermutationGroup([draw(st.permutations(range(n))) for _ in range(count)])


def randomized(layer):
    linear = getattr(layer, "linear", layer)
    linear.weight = torch.randn_like(linear.weight, requires_grad=False)
    if linear.bias is not None:
        linear.bias = torch.randn_like(linear.bias, requires_grad=False)
    return layer


@given(groups())
@examples(60)
def test_it_commutes_with_every_element_and_is_all_that_does(group):
    layer = randomized(OrbitLinear(group, 2, 3, **DOUBLE))
    x = torch.randn(2, group.degree, 2, **DOUBLE)
    for p in itertools.islice(group, 50):
        torch.testing.assert_close(layer(p(x)), p(layer(x)))
    # The dimension of the commutant: the null space of W ↦ (P W P⁻¹ − W) over the generators.
    n = group.degree
    eye = torch.eye(n, **DOUBLE)
    conditions = [
        torch.kron(eye[g.index_tensor], eye[g.index_tensor]) - torch.eye(n * n, **DOUBLE)
        for g in group.generators
    ]
    rank = int(torch.linalg.matrix_rank(torch.cat(conditions)))
    assert len(layer.weight) == n * n - rank


@given(groups(), st.integers(0, 2**31))
@examples(40)
def test_the_invariant_layer_is_all_that_is_invariant(group, seed):
    torch.manual_seed(seed)
    layer = randomized(OrbitInvariant(group, 2, 3, **DOUBLE))
    x = torch.randn(2, group.degree, 2, **DOUBLE)
    for p in itertools.islice(group, 50):
        torch.testing.assert_close(layer(p(x)), layer(x))
    assert len(layer.linear.weight) == len(group.orbits())


@pytest.mark.parametrize("n", [1, 2, 5])
def test_for_the_symmetric_group_it_is_the_averaged_layer(n):
    averaged = LinearEquivariant(3, 4, **DOUBLE)
    torch.nn.init.normal_(averaged.stored_c)
    layer = OrbitLinear(symmetric_group(n), 3, 4, **DOUBLE)
    with torch.no_grad():
        on, off = (averaged.a + averaged.b / n) / 3, averaged.b / (3 * n)
        layer.weight = torch.stack([on, off][: len(layer.weight)])
        layer.bias = averaged.c.sum(0, keepdim=True) / 3
        invariant, total = (
            OrbitInvariant(symmetric_group(n), 3, 4, **DOUBLE),
            LinearInvariant(3, 4, **DOUBLE),
        )
        invariant.linear.weight = total.b[None] / (3 * n)
        invariant.linear.bias = total.c.sum(0, keepdim=True) / 3
    x = torch.randn(5, n, 3, **DOUBLE)
    torch.testing.assert_close(layer(x), averaged(x))
    torch.testing.assert_close(invariant(x), total(x))


@pytest.mark.parametrize("n", [7, 100])
def test_for_the_cyclic_group_it_is_a_circular_convolution(n):
    layer = randomized(OrbitLinear(cyclic_group(n), 2, 3, bias=False, **DOUBLE))
    x = torch.randn(4, n, 2, **DOUBLE)
    padded = torch.cat((x, x[:, : n - 1]), 1).transpose(1, 2)
    expected = torch.nn.functional.conv1d(padded, layer.weight.permute(2, 1, 0))
    torch.testing.assert_close(layer(x), expected.transpose(1, 2))


@pytest.mark.parametrize(
    ("group", "count"),
    [
        (symmetric_group(5), 2),
        (alternating_group(5), 2),
        (cyclic_group(9), 9),
        (dihedral_group(9), 5),
        (dihedral_group(8), 5),
        (direct_product(symmetric_group(4), symmetric_group(3), on="grid"), 4),
        (symmetric_group(4).on_tuples(2), 15),
        (symmetric_group(6).on_tuples(2), 15),
        (trivial_group(4), 16),
    ],
    ids=str,
)
def test_the_known_numbers_of_maps(group, count):
    assert len(OrbitLinear(group, 1, 1).weight) == count


def test_the_alternating_group_gives_the_symmetric_groups_layer():
    searched = PermutationGroup(alternating_group(6).generators).orbitals()
    assert torch.equal(searched, symmetric_group(6).orbitals())


def test_from_points_of_one_action_to_points_of_another():
    nodes = symmetric_group(5)
    edges = nodes.on_tuples(2)
    to_edges = randomized(OrbitLinear(nodes, 2, 3, out_group=edges, **DOUBLE))
    to_nodes = randomized(OrbitLinear(edges, 3, 2, out_group=nodes, **DOUBLE))
    assert len(to_edges.weight) == len(to_nodes.weight) == 5
    x = torch.randn(2, 5, 2, **DOUBLE)
    for p, q in zip(nodes.generators, edges.generators, strict=True):
        torch.testing.assert_close(to_edges(p(x)), q(to_edges(x)))
        torch.testing.assert_close(to_nodes(to_edges(p(x))), p(to_nodes(to_edges(x))))


@pytest.mark.parametrize(
    "group",
    [symmetric_group(20), cyclic_group(64), pocket_cube_group(), symmetric_group(4).on_tuples(2),
     direct_product(symmetric_group(3), symmetric_group(9))],
    ids=lambda group: group.name,
)  # fmt: skip
def test_at_the_start_every_output_keeps_the_inputs_variance(group):
    torch.manual_seed(0)
    n = group.degree
    layer = OrbitLinear(group, 3, 2000, **DOUBLE)
    # Var y = Σ W² for independent inputs of variance 1: a sum over the unit vectors.
    units = torch.eye(3 * n, **DOUBLE).view(-1, n, 3)
    variance = layer(units).detach().square().sum(0).mean(-1)
    torch.testing.assert_close(variance, torch.ones_like(variance), rtol=0.1, atol=0)


WRITES = {
    "an assignment": lambda layer, other: setattr(layer, "weight", other.weight.detach()),
    "behind autograd": lambda layer, other: layer.stored_weight.data.mul_(2),
    "a copy": lambda layer, other: layer.stored_weight.data.copy_(other.stored_weight.data),
    "a state": lambda layer, other: layer.load_state_dict(other.state_dict()),
    "a vector": lambda layer, other: nn.utils.vector_to_parameters(
        nn.utils.parameters_to_vector(other.parameters()), layer.parameters()
    ),
    "a swap": lambda layer, other: torch.utils.swap_tensors(
        layer.stored_weight, other.stored_weight
    ),
    "new data": lambda layer, other: setattr(
        layer.stored_weight, "data", other.stored_weight.data.clone()
    ),
    "bytes": lambda layer, other: layer.stored_weight.detach().numpy().__imul__(2),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_no_write_to_the_weights_leaves_anything_stale(write):
    layer, other = (OrbitLinear(dihedral_group(5), 2, 3).eval() for _ in "ab")
    x = torch.randn(4, 5, 2)
    with torch.inference_mode():
        layer(x)
        torch.func.vmap(layer)(x[:, None])
    write(layer, other)
    weight = layer.weight.detach()
    expected = torch.einsum("bni,mnio->bmo", x, weight[layer.ids]) + layer.bias[layer.out_orbit]
    for context in (torch.inference_mode, torch.no_grad, torch.enable_grad):
        with context():
            torch.testing.assert_close(layer(x), expected)


def test_nothing_is_kept_from_a_call():
    layer = OrbitLinear(dihedral_group(5), 2, 3).eval()
    before = dict(layer.__dict__)
    with torch.no_grad():
        layer(torch.randn(4, 5, 2))
    assert layer.__dict__ == before


FORMS = {
    "pooled": symmetric_group(4),
    "two orbits": direct_product(symmetric_group(3), symmetric_group(9)),
    "grid": direct_product(symmetric_group(2), symmetric_group(3), on="grid"),
    "cyclic": cyclic_group(64),
    "written out": dihedral_group(5),
}
every_form = pytest.mark.parametrize("name", FORMS)


@every_form
def test_whatever_the_form_it_copies_and_pickles(name):
    n = FORMS[name].degree
    layer = OrbitLinear(FORMS[name], 2, 3).eval()
    x = torch.randn(2, n, 2)
    with torch.no_grad():
        for again in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
            torch.testing.assert_close(again(x), layer(x))


@every_form
def test_whatever_the_form_it_moves_to_another_device_as_a_whole(name):
    n = FORMS[name].degree
    layer = OrbitLinear(FORMS[name], 2, 3).to("meta")
    assert layer(torch.empty(2, n, 2, device="meta")).shape == (2, n, 3)
    assert {buffer.device.type for buffer in layer.buffers()} == {"meta"}


@every_form
def test_whatever_the_form_vmap_gives_each_layer_its_weights(name):
    n = FORMS[name].degree
    layer = OrbitLinear(FORMS[name], 2, 3).eval()
    x, weights = torch.randn(2, n, 2), torch.randn(4, *layer.weight.shape)

    def outputs(weight):
        return torch.func.functional_call(layer, {"stored_weight": weight}, (x,))

    with torch.no_grad():
        outputs(weights[0])
        each = torch.stack([outputs(weight) for weight in weights])
        torch.testing.assert_close(torch.func.vmap(outputs)(weights), each)


def test_its_state_is_its_weights_and_it_shows_its_group():
    layer = OrbitLinear(symmetric_group(4), 2, 3)
    assert set(layer.state_dict()) == {"stored_weight", "stored_bias"}
    assert "S_4, 2, 3, orbitals=2, bias=True" in repr(layer)


def test_a_wrong_layer_would_not_pass():
    layer = OrbitLinear(cyclic_group(4), 2, 2)
    with pytest.raises(AssertionError):
        assert_equivariant(layer, torch.randn(32, 4, 2))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([[0, 1]], 1, 1), TypeError, "group must be a PermutationGroup"),
        ((cyclic_group(3), 0, 1), ValueError, "in_channels must be at least 1"),
        ((cyclic_group(3), 1, 0), ValueError, "out_channels must be at least 1"),
    ],
)
@pytest.mark.parametrize("layer", [OrbitLinear, OrbitInvariant])
def test_bad_arguments_are_refused(layer, arguments, error, message):
    with pytest.raises(error, match=message):
        layer(*arguments)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="generator by generator"):
        OrbitLinear(symmetric_group(3), 1, 1, out_group=cyclic_group(3))
    with pytest.raises(TypeError, match="out_group must be a PermutationGroup"):
        OrbitLinear(symmetric_group(3), 1, 1, out_group=3)


def test_the_oracle_of_the_orbits_agrees():
    group = dihedral_group(5)
    closure = oracles.closure([tuple(g.index_tensor.tolist()) for g in group.generators])
    ids = group.orbitals()
    for a, b, c, d in itertools.product(range(5), repeat=4):
        together = any((g[a], g[b]) == (c, d) for g in closure)
        assert (ids[a, b] == ids[c, d]) == together


def test_the_weights_of_a_functional_call_are_not_mistaken_for_others():
    layer = OrbitLinear(dihedral_group(5), 2, 2).eval()
    x = torch.randn(3, 5, 2)
    with torch.no_grad():
        for _ in range(20):
            weights = {
                "stored_weight": torch.randn_like(layer.stored_weight),
                "stored_bias": layer.stored_bias.detach(),
            }
            y = torch.func.functional_call(layer, weights, (x,))
            weights = {name: value.clone() for name, value in weights.items()}
            fresh = OrbitLinear(dihedral_group(5), 2, 2)
            fresh.load_state_dict(weights)
            torch.testing.assert_close(y, fresh.eval()(x))


# Sums over many points, in half precision.

MANY = {
    "pooled": symmetric_group(2000),
    "two orbits": direct_product(symmetric_group(1500), symmetric_group(500)),
    "grid": direct_product(symmetric_group(50), symmetric_group(40), on="grid"),
    "cyclic": cyclic_group(2000),
    "written out": direct_product(dihedral_group(300), symmetric_group(3)),
}
halves = pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
many = pytest.mark.parametrize("group", MANY.values(), ids=MANY)


@halves
@many
@pytest.mark.parametrize("autocast", [False, True])
def test_sums_over_many_points_are_those_of_double_precision(dtype, group, autocast):
    torch.manual_seed(0)
    layer = OrbitLinear(group, 1, 1).to(dtype)
    exact, x = copy.deepcopy(layer).double(), torch.full((1, group.degree, 1), 100.0)
    layer = layer.float() if autocast else layer
    with torch.autocast("cpu", dtype=dtype, enabled=autocast):
        y = layer(x if autocast else x.to(dtype))
    expected = exact(x.double())
    atol = 0.02 * expected.abs().max().item()
    torch.testing.assert_close(y.double(), expected, rtol=0.02, atol=atol)


@halves
@many
def test_gradients_of_weights_are_sums_over_all_of_their_pairs(dtype, group):
    torch.manual_seed(0)
    layer = OrbitLinear(group, 1, 1).to(dtype)
    exact, x = copy.deepcopy(layer).double(), torch.full((1, group.degree, 1), 1.0)
    for module, kind in ((layer, dtype), (exact, torch.float64)):
        module(x.to(kind)).sum().div(100).backward()
    for found, expected in zip(layer.parameters(), exact.parameters(), strict=True):
        torch.testing.assert_close(found.grad.double(), expected.grad, rtol=0.02, atol=0.02)


@pytest.mark.parametrize(
    "group",
    [
        symmetric_group(1000),
        alternating_group(1000),
        PermutationGroup(symmetric_group(1000).generators),
        direct_product(symmetric_group(600), symmetric_group(400)),
        direct_product(symmetric_group(50), symmetric_group(20), on="grid"),
        cyclic_group(1000),
    ],
    ids=lambda group: group.name,
)
def test_a_pickle_of_a_closed_form_does_not_hold_all_pairs(group):
    layer = OrbitLinear(group, 1, 1)
    assert len(pickle.dumps(layer)) < 300 * group.degree
    assert layer.ids.shape == (1000, 1000)


@given(groups())
@examples(40)
def test_the_weights_start_with_the_same_share_for_each_orbital_of_a_row(group):
    layer, ids = OrbitLinear(group, 4, 1), group.orbitals()
    for row in ids:
        of_row, pairs = row.unique(return_counts=True)
        variance = 1 / (4 * len(of_row) * pairs)
        torch.testing.assert_close(1 / (4.0 * layer._terms[of_row]), variance)


def test_the_layer_stays_where_no_values_are():
    x = torch.randn(2, 64, 1, device="meta")
    for group in (symmetric_group(64), cyclic_group(64), symmetric_group(8).on_tuples(2)):
        layer = OrbitLinear(group, 1, 3, device="meta")
        assert layer(x).shape == (2, 64, 3)
        assert OrbitInvariant(group, 1, 3, device="meta")(x).shape == (2, 3)
