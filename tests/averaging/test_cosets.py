"""Averages over whole cosets: which permutations they are, and what the average does with them."""

import copy
import itertools
import math
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from invariant_nets import (
    LinearInvariant,
    Permutation,
    PermutationGroup,
    PositionalEncoding,
    SetNetwork,
    SymmetryModel,
    alternating_group,
    cyclic_group,
    dihedral_group,
    direct_product,
    mlp,
    projective_group,
    symmetric_group,
    trivial_group,
)
from invariant_nets.averaging import sources
from invariant_nets.averaging.cosets import Cosets
from tests import oracles
from tests.contracts.padding import padded, ragged

S_4, C_4 = symmetric_group(4), cyclic_group(4)


def source(seed=0):
    return torch.Generator().manual_seed(seed)


def sets(batch=3, n=4, d=2):
    return torch.randn(batch, n, d, generator=source(), dtype=torch.float64)


def network(n=4):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return mlp(n, 2).double()


def mixed(n=4):
    """Depends on every row, in its order."""
    weights = torch.randn(n, n, generator=source(7), dtype=torch.float64)
    return lambda x: torch.einsum("ij,bjd->bid", weights, x).tanh()


def rows(group):
    return torch.cat(list(group.elements()))


def by_hand(draws, subgroup):
    """i ↦ σ(h(τ(i))), one coset after the other."""
    return [
        [left[h[right[i]]] for i in range(len(left))]
        for left, right in zip(*(d.tolist() for d in draws), strict=True)
        for h in rows(subgroup).tolist()
    ]


def streamed(*arguments, **options):
    """A model that keeps no elements, but has them listed."""
    kept, sources._KEPT_ENTRIES = sources._KEPT_ENTRIES, 0
    try:
        return SymmetryModel(*arguments, **options)
    finally:
        sources._KEPT_ENTRIES = kept


# Which permutations.


@pytest.mark.parametrize(
    ("group", "subgroup"),
    [(S_4, C_4), (S_4, dihedral_group(4)), (dihedral_group(4), C_4), (alternating_group(4), None)],
    ids=str,
)
def test_every_permutation_of_the_group_comes_as_often_over_all_cosets(group, subgroup):
    """So the mean over all of them is the average over the group."""
    subgroup = subgroup or alternating_group(4)
    every = rows(group)
    pairs = torch.cartesian_prod(torch.arange(len(every)), torch.arange(len(every)))
    draws = every[pairs[:, 0]], every[pairs[:, 1]]
    cosets = Cosets(group, subgroup, len(pairs))
    found = torch.cat(list(cosets.chunks(draws, rows(subgroup), 1000, slice(None))))
    orders, counts = found.unique(dim=0, return_counts=True)
    assert orders.tolist() == sorted(every.tolist())
    assert set(counts.tolist()) == {len(found) // len(every)}


@given(
    number=st.integers(1, 5),
    cut=st.integers(0, 40),
    size=st.integers(1, 50),
    kept=st.booleans(),
    subgroup=st.sampled_from([C_4, dihedral_group(4), trivial_group(4)]),
    seed=st.integers(0, 1000),
)
def test_parts_of_any_chunks_are_the_cosets(number, cut, size, kept, subgroup, seed):
    cosets = Cosets(S_4, subgroup, number)
    draws = cosets.draw(source(seed))
    elements = rows(subgroup) if kept else None
    cut = min(cut, cosets.count)
    chunks = [
        chunk
        for part in (slice(0, cut), slice(cut, cosets.count))
        for chunk in cosets.chunks(draws, elements, size, part)
    ]
    assert all(1 <= len(chunk) <= size for chunk in chunks)
    assert torch.cat(chunks).tolist() == by_hand(draws, subgroup)


def test_both_sides_are_drawn_from_the_group_apart():
    left, right = Cosets(dihedral_group(5), cyclic_group(5), 2000).draw(source())
    for drawn in (left, right):
        orders, counts = drawn.unique(dim=0, return_counts=True)
        assert orders.tolist() == sorted(rows(dihedral_group(5)).tolist())
        assert (counts - 200).abs().max() < 70
    assert not torch.equal(left, right)


# The average.


@pytest.mark.parametrize("make", [SymmetryModel, streamed])
@pytest.mark.parametrize("equivariant", [False, True])
@pytest.mark.parametrize("chunksize", [None, 1, 5])
def test_it_is_the_loop_over_the_cosets(make, equivariant, chunksize):
    function, x = mixed() if equivariant else network(), sets()
    options = {"samples": 14, "design": C_4, "equivariant": equivariant}
    model = make(function, S_4, chunksize, **options, generator=source(3))
    orders = by_hand(Cosets(S_4, C_4, 3).draw(source(3)), C_4)
    loop = [function(x[:, order]) for order in orders]
    if equivariant:
        loop = [y[:, torch.tensor(order).argsort()] for y, order in zip(loop, orders, strict=True)]
    torch.testing.assert_close(model(x), torch.stack(loop).mean(0))
    if not equivariant:
        torch.testing.assert_close(model(x), model(x), rtol=1, atol=1)
        model.generator = source(3)
        torch.testing.assert_close(model(x), oracles.average(function, x, orders))


@pytest.mark.parametrize("make", [SymmetryModel, streamed])
@pytest.mark.parametrize(("chunksize", "batch", "most"), [(3, 2, 3), (1, 3, 1), (None, 5000, 1)])
def test_no_more_permutations_come_at_a_time_than_asked_for(make, chunksize, batch, most):
    seen = []

    def function(x):
        seen.append(len(x) // batch)
        return x.mean(1)

    make(function, S_4, chunksize, samples=12, design=C_4)(sets(batch))
    assert sum(seen) == 12
    assert max(seen) == most


def test_ranks_must_agree_on_the_cosets():
    other = PermutationGroup([Permutation([2, 3, 1, 0])], name="C_4")
    designs = [(C_4, 3), (cyclic_group(4), 3), (C_4, 2), (other, 3), (trivial_group(4), 3)]
    first, second, *others = (Cosets(S_4, *design).alike() for design in designs)
    assert first == second
    assert first not in others


def test_the_same_seed_gives_the_same_bits_and_each_pass_draws_anew():
    model, x = SymmetryModel(network(), S_4, samples=8, design="cosets", generator=source()), sets()
    first, second = model(x), model(x)
    assert not torch.equal(first, second)
    for other in (model, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        other.generator = source()
        assert torch.equal(other(x), first)
        assert torch.equal(other(x), second)


def test_there_are_as_many_whole_cosets_as_there_is_room_for():
    seen = []

    def count(x):
        seen.append(len(x))
        return x.sum((1, 2))

    for samples in (4, 7, 8, 23):
        model = SymmetryModel(count, S_4, samples=samples, design=C_4)
        model(sets(1))
    assert seen == [4, 4, 8, 20]


def test_independent_draws_are_the_default():
    x, design = sets(), {"design": "independent"}
    models = [
        SymmetryModel(network(), S_4, samples=5, generator=source(), **options)
        for options in ({}, design)
    ]
    assert torch.equal(models[0](x), models[1](x))
    assert models[0].design is None
    assert torch.equal(SymmetryModel(network(), S_4, **design)(x), SymmetryModel(network(), S_4)(x))


@pytest.mark.parametrize("samples", [24, 100])
def test_where_there_is_room_for_the_whole_group_nothing_is_drawn(samples):
    generator, x = source(), sets()
    model = SymmetryModel(network(), S_4, samples=samples, design="cosets", generator=generator)
    mean, error = model.estimate(x)
    torch.testing.assert_close(model(x), SymmetryModel(network(), S_4)(x))
    torch.testing.assert_close(mean, model(x))
    assert torch.equal(error, torch.zeros_like(mean))
    assert torch.equal(generator.get_state(), source().get_state())
    assert str(model.design) == "1 coset of S_4"


@pytest.mark.parametrize("equivariant", [False, True])
def test_the_standard_error_is_the_spread_of_the_cosets(equivariant):
    function, x = mixed() if equivariant else network(), sets()
    options = {"design": C_4, "equivariant": equivariant, "generator": source()}
    model = SymmetryModel(function, S_4, samples=32, **options)
    exact = SymmetryModel(function, S_4, equivariant=equivariant)(x)
    with torch.no_grad():
        estimates = [model.estimate(x) for _ in range(600)]
        errors = torch.stack([e.mean - exact for e in estimates])
        claimed = torch.stack([e.standard_error for e in estimates])
    ratio = errors.square().mean(0).sqrt() / claimed.square().mean(0).sqrt()
    torch.testing.assert_close(ratio, torch.ones_like(ratio), rtol=0.15, atol=0)
    two = SymmetryModel(function, S_4, samples=8, **{**options, "generator": source(2)})
    orders = torch.tensor(by_hand(Cosets(S_4, C_4, 2).draw(source(2)), C_4))
    halves = [SymmetryModel(function, lambda h=half: perms(h), equivariant=equivariant)(x)
              for half in (orders[:4], orders[4:])]  # fmt: skip
    mean, error = two.estimate(x)
    torch.testing.assert_close(mean, (halves[0] + halves[1]) / 2)
    torch.testing.assert_close(error, (halves[0] - halves[1]).abs() / 2)


def perms(orders):
    return [Permutation(order) for order in orders.tolist()]


def test_one_coset_has_no_standard_error():
    estimate = SymmetryModel(network(), S_4, samples=7, design=C_4).estimate(sets())
    assert estimate.standard_error is None
    assert estimate.mean.shape == (3, 1)


def test_gradients_that_are_recomputed_are_those_of_the_same_cosets():
    x, results = sets(), []
    for make, recompute in itertools.product((SymmetryModel, streamed), (False, True)):
        function, inputs = network(), x.clone().requires_grad_()
        options = {"samples": 9, "design": C_4, "recompute": recompute, "generator": source()}
        y = make(function, S_4, 3, **options)(inputs)
        results.append([y, *torch.autograd.grad(y.sum(), [inputs, *function.parameters()])])
    for other in results[1:]:
        torch.testing.assert_close(other, results[0], rtol=1e-12, atol=1e-14)


def test_masks_move_with_the_members():
    reader = SetNetwork(
        PositionalEncoding(2, 4), nn.Linear(2, 8), nn.Tanh(), LinearInvariant(8, 1), d=2
    ).double()
    x, mask = padded(ragged(2, (3, 1, 4, 2)), 4)
    model = SymmetryModel(reader, S_4, samples=8, design=C_4, generator=source())
    orders = by_hand(Cosets(S_4, C_4, 2).draw(source()), C_4)
    loop = [reader(x[:, order], mask=mask[:, order]) for order in orders]
    torch.testing.assert_close(model(x, mask=mask), torch.stack(loop).mean(0))


def test_a_grid_has_designs_of_grids():
    group = direct_product(S_4, symmetric_group(3), on="grid")
    design = direct_product(C_4, cyclic_group(3), on="grid")
    weights = torch.randn(4, 3, generator=source(), dtype=torch.float64)
    x = torch.randn(2, 4, 3, 1, generator=source(), dtype=torch.float64)

    def linear(x):
        return (x[..., 0] * weights).sum((1, 2))

    model = SymmetryModel(linear, group, samples=12, design=design)
    # It is transitive, and the function is of degree 1.
    torch.testing.assert_close(model(x), x.mean((1, 2, 3)) * weights.sum())
    with pytest.raises(
        ValueError, match=r'design="cosets" chooses a subgroup of S_n, .* S_4 × S_3'
    ):
        SymmetryModel(linear, group, samples=12, design="cosets")


def test_without_numbers_the_shape_is_known():
    model = SymmetryModel(network().to("meta"), S_4, samples=8, design=C_4)
    assert model(sets().to("meta")).shape == (3, 1)


def test_it_shows_its_design():
    model = SymmetryModel(nn.Identity(), symmetric_group(10), samples=1500, design="cosets")
    shown = "group=S_10, samples=1500, design=2 cosets of PGL(2, 9), chunksize=None"
    assert model.extra_repr() == shown
    assert model.design.count == 2 * math.perm(10, 3)
    assert model.design.subgroup == projective_group(9)


def test_a_group_of_all_orders_is_known_by_its_order():
    group = PermutationGroup([[1, 2, 3, 0], [1, 0, 2, 3]])
    assert str(SymmetryModel(network(), group, samples=5, design="cosets").design) == (
        "1 coset of C_4"
    )


# What is refused.


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"design": 3},
            TypeError,
            r'^design must be "independent", "cosets" or a PermutationGroup, got int$',
        ),
        ({"design": "coset"}, ValueError, "^design must be \"independent\", .*, got 'coset'$"),
        ({"samples": None}, ValueError, "^design must come with a group and samples=k"),
        ({"samples": None, "group": None, "perm_creator": list}, ValueError, "^design must come"),
        ({"group": C_4, "design": "cosets"}, ValueError, "of S_n, and the group is C_4: give one"),
        ({"group": C_4, "design": S_4}, ValueError, "^design must be a subgroup of C_4, got S_4$"),
        ({"design": cyclic_group(5)}, ValueError, "^design must be a subgroup of S_4, got C_5$"),
        ({"samples": 3}, ValueError, "^design must have at most .* got 4 and samples=3$"),
    ],
)
def test_a_design_that_does_not_fit_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        SymmetryModel(network(), **{"group": S_4, "samples": 8, "design": C_4, **options})


def test_a_design_too_large_is_not_unrolled(monkeypatch):
    model = streamed(network(), S_4, samples=8, design=C_4)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    words = (
        "C_4 has 4 elements, too many to compile or export the average: call the model as it is, "
        "or choose a smaller design"
    )
    with pytest.raises(ValueError, match=f"^{words}$"):
        model(sets())
