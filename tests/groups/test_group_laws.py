"""The laws of permutation groups and of the routes that use them, in float64 over random groups."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from invariant_nets import (
    CanonicalModel,
    CircleFrame,
    DirectionFrame,
    OrbitInvariant,
    OrbitLinear,
    Permutation,
    PermutationGroup,
    SymmetryModel,
    columnwise_sort,
    create_random_permutations,
    cyclic_group,
    direct_product,
    least_rotation,
    mlp,
    row_column_sort,
    symmetric_group,
    symmetry_report,
)
from tests import oracles
from tests.contracts.test_laws import close, drawn, sizes
from tests.examples import examples

groups = st.builds(
    lambda n, count, seed: PermutationGroup(
        create_random_permutations(n, count, torch.Generator().manual_seed(seed))
    ),
    n=st.integers(1, 5),
    count=st.integers(1, 3),
    seed=st.integers(0, 2**32 - 1),
)
seeds = st.integers(0, 2**32 - 1)


def images_by_closure(group):
    """Every element by multiplying generators until nothing new comes."""
    return oracles.closure(g.index_tensor.tolist() for g in group.generators)


@given(groups, seeds)
def test_the_action_is_a_left_action(group, seed):
    source = torch.Generator().manual_seed(seed)
    x = torch.randn(2, group.degree, 3, generator=source, dtype=torch.float64)
    p, q = map(Permutation, group.sample(2, source))
    assert torch.equal((p @ q)(x), p(q(x)))
    assert torch.equal(Permutation.identity(group.degree)(x), x)
    assert torch.equal(p.inverse()(p(x)), x)


@given(groups)
def test_the_elements_are_a_group_and_exactly_the_products_of_the_generators(group):
    elements = list(group)
    assert {tuple(p.index_tensor.tolist()) for p in elements} == images_by_closure(group)
    assert len(elements) == group.order == len(set(elements))
    assert Permutation.identity(group.degree) in group
    for p, q in itertools.islice(itertools.product(elements, repeat=2), 400):
        assert p @ q in group
        assert p.inverse() in group


@given(groups, st.integers(1, 2))
def test_orbits_are_counted_by_fixed_points(group, k):
    # The number of orbits on k-tuples is the mean of fix(g)^k.
    action = group if k == 1 else group.on_tuples(k)
    fixed = sum(sum(i == g for i, g in enumerate(p)) ** k for p in images_by_closure(group))
    assert len(action.orbits()) * group.order == fixed
    if k == 2:
        assert (int(group.orbitals().max()) + 1) * group.order == fixed


@given(groups, seeds)
def test_the_length_of_an_orbit_times_the_order_of_the_stabilizer_is_the_order(group, seed):
    point = seed % group.degree
    orbit = next(orbit for orbit in group.orbits() if point in orbit)
    assert len(orbit) * group.stabilizer(point).order == group.order


@given(groups, seeds)
def test_orbit_layers_are_equivariant_and_invariant_to_every_element(group, seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        linear = OrbitLinear(group, 2, 3).double()
        invariant = OrbitInvariant(group, 2, 3).double()
        x = torch.randn(2, group.degree, 2, dtype=torch.float64)
    for g in map(Permutation, images_by_closure(group)):
        assert close(linear(g(x)), g(linear(x)))
        assert close(invariant(g(x)), invariant(x))


@given(groups, seeds)
def test_the_average_of_any_matrix_over_the_group_is_an_orbit_layer(group, seed):
    n = group.degree
    source = torch.Generator().manual_seed(seed)
    weight = torch.randn(n, n, generator=source, dtype=torch.float64)
    x = torch.randn(2, n, 1, generator=source, dtype=torch.float64)
    average = SymmetryModel(lambda x: weight @ x, group=group, equivariant=True)
    ids = group.orbitals().flatten()
    layer = OrbitLinear(group, 1, 1, bias=False, dtype=torch.float64)
    means = torch.zeros(len(layer.weight), dtype=torch.float64)
    means = means.index_add(0, ids, weight.flatten()) / ids.bincount()
    layer.load_state_dict({"weight": means[:, None, None]})
    assert close(average(x), layer(x))


@examples(40)
@pytest.mark.parametrize("recompute", [False, True])
@given(group=groups, seed=seeds)
def test_the_average_over_a_group_is_exact_and_invariant(recompute, group, seed):
    model, x, _ = drawn(mlp, group.degree, 2, seed)
    average = SymmetryModel(model, group=group, recompute=recompute, chunksize=7)
    assert close(average(x), oracles.average(model, x, images_by_closure(group)))
    for g in group.generators:
        assert close(average(g(x)), average(x))


@examples(40)
@given(group=groups, seed=seeds)
def test_the_average_over_a_group_is_equivariant_on_request(group, seed):
    n = group.degree
    _, x, source = drawn(mlp, n, 2, seed)
    weight = torch.randn(n * 2, n * 2, generator=source, dtype=torch.float64)

    def function(x):
        return (x.flatten(1) @ weight).tanh().reshape(x.shape)

    average = SymmetryModel(function, group=group, equivariant=True)
    for g in group.generators:
        assert close(average(g(x)), g(average(x)))


@given(**sizes)
def test_canonical_models_and_frames_are_equivariant_on_request(n, d, seed):
    _, x, source = drawn(mlp, n, d, seed)
    weight = torch.randn(n * d, n * d, generator=source, dtype=torch.float64)

    def function(x):
        return (x.flatten(1) @ weight).tanh().reshape(x.shape)

    rows, shift = symmetric_group(n), cyclic_group(n)
    frames = [DirectionFrame(d, 5).double(), *([CircleFrame()] if d == 2 else [])]
    routes = [(CanonicalModel(function, equivariant=True), rows)]
    routes += [(CanonicalModel(function, least_rotation, equivariant=True), shift)]
    routes += [(CanonicalModel(function, frame=f, equivariant=True), rows) for f in frames]
    for model, group in routes:
        for g in group.generators:
            assert close(model(g(x)), g(model(x)))


@given(**sizes)
def test_every_route_that_claims_invariance_has_it(n, d, seed):
    network, x, _ = drawn(mlp, n, d, seed)
    rows, grid = symmetric_group(n), direct_product(
        symmetric_group(n), symmetric_group(d), on="grid"
    )  # fmt: skip
    routes = [
        (SymmetryModel(network, rows), rows),
        (SymmetryModel(network, cyclic_group(n)), cyclic_group(n)),
        (CanonicalModel(network), rows),
        (CanonicalModel(network, columnwise_sort), rows),
        (CanonicalModel(network, least_rotation), cyclic_group(n)),
        (CanonicalModel(network, frame=DirectionFrame(d, 5).double()), rows),
        (CanonicalModel(network, row_column_sort), grid),
    ]
    if n * d <= 6:
        routes.append((SymmetryModel(network, grid), grid))
    for model, group in routes:
        for g in group.generators:
            moved = g(x.reshape(len(x), group.degree, -1)).reshape(x.shape)
            assert close(model(moved), model(x)), model


def test_an_average_over_too_small_a_group_is_not_invariant():
    network, x, _ = drawn(mlp, 4, 2, 0)
    average = SymmetryModel(network, cyclic_group(4))
    assert symmetry_report(average, x, cyclic_group(4))
    assert not symmetry_report(average, x, symmetric_group(4))
