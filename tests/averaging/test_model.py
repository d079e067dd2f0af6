import copy
import functools
import itertools
import math
import pickle
import re
from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from invariant_nets import (
    Permutation,
    PermutationGroup,
    SymmetryModel,
    alternating_group,
    average_over,
    create_all_permutations,
    create_permutations_from_generators,
    create_random_permutations,
    cyclic_group,
    dihedral_group,
    direct_product,
    mlp,
    symmetric_group,
    trivial_group,
)
from invariant_nets.averaging import model as averaging
from invariant_nets.averaging.cosets import Cosets
from tests import oracles

CYCLIC = create_permutations_from_generators([Permutation([1, 2, 3, 0])])
S_4 = list(create_all_permutations(4))


def sets(batch=3, n=4, d=2):
    return torch.randn(batch, n, d, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def network():
    return mlp(4, 2).double()


def indices(permutations):
    return [permutation.index_tensor.tolist() for permutation in permutations]


@pytest.mark.parametrize("permutations", [CYCLIC, S_4, S_4[5:6]], ids=["C_4", "S_4", "one"])
def test_it_is_the_loop_over_permutations_and_sets(permutations):
    model, x = network(), sets()
    expected = oracles.average(model, x, indices(permutations))
    torch.testing.assert_close(SymmetryModel(model, lambda: permutations)(x), expected)


@given(
    n=st.integers(1, 5),
    k=st.integers(1, 7),
    batch=st.integers(0, 4),
    chunksize=st.integers(1, 9),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_permutations_in_any_chunks_average_like_the_loop(n, k, batch, chunksize, seed):
    generator = torch.Generator().manual_seed(seed)
    permutations = create_random_permutations(n, k, generator)
    x = torch.randn(batch + 1, n, 2, generator=generator, dtype=torch.float64)
    weights = torch.randn(n, 2, generator=generator, dtype=torch.float64)

    def function(x):
        return (x * weights).sum((1, 2)).exp()

    expected = oracles.average(function, x, indices(permutations))[:batch]
    model = SymmetryModel(function, lambda: permutations, chunksize)
    torch.testing.assert_close(model(x[:batch]), expected)


@pytest.mark.parametrize("chunksize", [1, 2, 7, 24, 1000])
def test_the_chunksize_does_not_change_the_result(chunksize):
    model, x = network(), sets()
    by_default = SymmetryModel(model, lambda: S_4)(x)
    torch.testing.assert_close(
        SymmetryModel(model, lambda: S_4, chunksize=chunksize)(x), by_default
    )


@pytest.mark.parametrize("chunksize", [1, 7])
def test_the_chunksize_does_not_change_the_gradient(chunksize):
    model, x = network(), sets()
    gradients = []
    for size in (None, chunksize):
        model.zero_grad()
        SymmetryModel(model, lambda: S_4, size)(x).square().sum().backward()
        gradients.append([p.grad.clone() for p in model.parameters()])
    torch.testing.assert_close(gradients[0], gradients[1])


def test_the_gradient_is_that_of_the_loop():
    model, x = network(), sets().requires_grad_()
    inputs = [x, *model.parameters()]
    fast = torch.autograd.grad(SymmetryModel(model, lambda: S_4)(x).square().sum(), inputs)
    slow = torch.autograd.grad(oracles.average(model, x, indices(S_4)).square().sum(), inputs)
    torch.testing.assert_close(fast, slow)


def calls_of(chunksize, batch, permutations=S_4):
    """How many sets come in at each call of the model."""
    calls = []
    model = SymmetryModel(
        lambda x: calls.append(len(x)) or x.sum((1, 2)), lambda: permutations, chunksize
    )
    model(sets(batch))
    return calls


def test_a_chunk_is_one_super_batch():
    assert calls_of(7, batch=3) == [21, 21, 21, 9]


def test_by_default_few_sets_go_through_together_and_many_in_turn():
    assert calls_of(None, batch=3) == [72]
    assert calls_of(None, batch=4096) == [8192] * 12
    assert calls_of(None, batch=10_000) == [10_000] * 24


def test_a_lazy_perm_creator_is_consumed_chunk_by_chunk():
    taken, taken_at_call = [], []

    def lazily():
        for permutation in S_4:
            taken.append(permutation)
            yield permutation

    def model(x):
        taken_at_call.append(len(taken))
        return x.sum((1, 2))

    SymmetryModel(model, lazily, chunksize=5)(sets())
    assert taken_at_call == [5, 10, 15, 20, 24]


def test_only_the_chunks_are_held():
    # 50! permutations could never be listed.
    endless = itertools.islice(create_all_permutations(50), 300)
    model = SymmetryModel(lambda x: x[:, 0], lambda: endless, chunksize=100)
    assert model(torch.randn(2, 50, 1)).shape == (2, 1)


def test_the_perm_creator_is_called_once_a_forward_pass():
    calls = []
    model = SymmetryModel(lambda x: x[:, 0], lambda: calls.append(1) or S_4, chunksize=5)
    model(sets())
    model(sets())
    assert len(calls) == 2


@pytest.mark.parametrize(
    "perm_creator",
    [
        functools.partial(create_all_permutations, 4),
        lambda: (p for p in S_4),
        lambda: tuple(S_4),
        lambda: set(S_4),
        lambda: dict.fromkeys(S_4),
        lambda: map(Permutation, itertools.permutations(range(4))),
    ],
    ids=["function", "generator", "tuple", "set", "dict", "map"],
)
def test_every_kind_of_iterable_is_taken(perm_creator):
    model, x = network(), sets()
    expected = SymmetryModel(model, lambda: S_4)(x)
    torch.testing.assert_close(SymmetryModel(model, perm_creator)(x), expected)


@pytest.mark.parametrize("shape", [(), (5,), (2, 3), (4, 2)])
def test_outputs_of_every_shape_are_averaged(shape):
    weights = torch.randn(8, math.prod(shape), dtype=torch.float64)

    def function(x):
        return (x.flatten(1) @ weights).reshape(len(x), *shape)

    x = sets()
    output = SymmetryModel(function, lambda: CYCLIC, chunksize=3)(x)
    assert output.shape == (3, *shape)
    torch.testing.assert_close(output, oracles.average(function, x, indices(CYCLIC)))


def test_integer_outputs_have_a_fractional_mean():
    def function(x):
        return (x[:, 0, 0] > 0).long()

    x = sets(64)
    output = SymmetryModel(function, lambda: CYCLIC)(x)
    torch.testing.assert_close(output, (x[..., 0] > 0).float().mean(1))


def test_the_average_over_a_group_is_invariant_to_it_and_to_no_more():
    model, x = SymmetryModel(network(), lambda: CYCLIC), sets()
    torch.testing.assert_close(model(x.roll(1, 1)), model(x))
    assert (model(Permutation([1, 0, 2, 3])(x)) - model(x)).abs().max() > 1e-4


def test_a_sample_is_drawn_anew_at_each_pass():
    model = SymmetryModel(network(), lambda: create_random_permutations(4, 2))
    x = sets()
    assert len({tuple(model(x).flatten().tolist()) for _ in range(5)}) > 1


def test_the_models_parameters_are_its_parameters():
    backbone = network()
    model = SymmetryModel(backbone, lambda: CYCLIC)
    assert list(model.parameters()) == list(backbone.parameters())
    assert not model.eval().model.training


def test_it_can_be_copied_and_pickled():
    model, x = SymmetryModel(network(), functools.partial(tuple, CYCLIC)), sets()
    assert torch.equal(copy.deepcopy(model)(x), model(x))
    assert torch.equal(pickle.loads(pickle.dumps(model))(x), model(x))


def test_it_shows_its_chunksize():
    assert "chunksize=3" in repr(SymmetryModel(nn.Flatten(), lambda: CYCLIC, 3))


def test_the_classic_arguments_work_by_name():
    model = SymmetryModel(model=nn.Flatten(), perm_creator=lambda: CYCLIC, chunksize=2)
    assert model(sets()).shape == (3, 8)


@pytest.mark.parametrize("chunksize", [0, -1])
def test_a_chunksize_below_one_is_refused(chunksize):
    with pytest.raises(ValueError, match=f"chunksize must be at least 1, got {chunksize}"):
        SymmetryModel(nn.Flatten(), lambda: CYCLIC, chunksize)


@pytest.mark.parametrize("chunksize", [1.5, "2", True])
def test_a_chunksize_that_is_no_integer_is_refused(chunksize):
    with pytest.raises(TypeError, match=f"chunksize must be an integer, got .*{chunksize}"):
        SymmetryModel(nn.Flatten(), lambda: CYCLIC, chunksize)


def test_a_model_that_is_no_function_is_refused():
    with pytest.raises(TypeError, match="model must be a module or a function, got 3"):
        SymmetryModel(3, lambda: CYCLIC)


def test_a_list_of_permutations_is_refused_with_a_hint():
    with pytest.raises(TypeError, match=r"perm_creator must be a function.*lambda.*got list"):
        SymmetryModel(nn.Flatten(), CYCLIC)


@pytest.mark.parametrize("made", [None, 3, Permutation([0, 1, 2, 3])])
def test_a_perm_creator_of_no_iterable_is_refused(made):
    words = f"perm_creator must give an iterable of Permutation, got {made!r}"
    with pytest.raises(TypeError, match=re.escape(words)):
        SymmetryModel(nn.Flatten(), lambda: made)(sets())


def test_a_perm_creator_of_something_else_than_permutations_is_refused():
    with pytest.raises(TypeError, match=r"perm_creator\(\) must hold Permutation objects, got \["):
        SymmetryModel(nn.Flatten(), lambda: [[0, 1, 2, 3]])(sets())


def test_no_permutations_are_refused():
    words = "perm_creator must give at least one permutation, got none"
    with pytest.raises(ValueError, match=f"^{words}$"):
        SymmetryModel(nn.Flatten(), list)(sets())


def test_permutations_of_another_size_than_the_set_are_refused():
    with pytest.raises(ValueError, match=r"must be of the set's size, \(k, 4\), got \(1, 3\)"):
        SymmetryModel(nn.Flatten(), lambda: [Permutation([0, 1, 2])])(sets())


def test_permutations_of_different_sizes_are_refused():
    different = [Permutation([0, 1, 2, 3]), Permutation([0, 1, 2])]
    with pytest.raises(ValueError, match=r"one size, got the sizes \[3, 4\]"):
        SymmetryModel(nn.Flatten(), lambda: different)(sets())


@pytest.mark.parametrize("function", [torch.sum, lambda x: x.flatten(0, 1), lambda x: x[:1]])
def test_a_model_that_loses_the_batch_axis_is_refused(function):
    with pytest.raises(ValueError, match="model must keep the batch axis: 12 sets came in"):
        SymmetryModel(function, lambda: CYCLIC)(sets())


def test_a_model_that_returns_no_tensor_is_refused():
    with pytest.raises(TypeError, match="model must return a tensor, got tuple"):
        SymmetryModel(lambda x: (x, x), lambda: CYCLIC)(sets())


@pytest.mark.parametrize("shape", [(4, 2), (3, 0, 2), (3, 4, 0), (4,)])
def test_input_that_is_no_batch_of_sets_is_refused_before_any_permutation(shape):
    calls = []
    model = SymmetryModel(nn.Flatten(), lambda: calls.append(1) or CYCLIC)
    with pytest.raises(ValueError, match="x must"):
        model(torch.zeros(shape))
    assert not calls


def test_average_over_takes_index_tensors():
    x = sets()
    chunks = [torch.tensor(indices(S_4[:5])), torch.tensor(indices(S_4[5:]))]
    expected = SymmetryModel(nn.Flatten(), lambda: S_4)(x)
    torch.testing.assert_close(average_over(nn.Flatten(), x, chunks), expected)


@pytest.mark.parametrize(
    ("x", "chunks", "words"),
    [
        (torch.zeros(4, 2), [torch.arange(4)[None]], r"x must have shape .* got \(4, 2\)"),
        (torch.zeros(1, 4, 2), [torch.arange(4)], r"\(k, 4\), got \(4,\)"),
        (torch.zeros(1, 4, 2), [torch.zeros(0, 4, dtype=torch.int64)], "at least one"),
        (torch.zeros(1, 4, 2), [], "at least one"),
    ],
)
def test_average_over_refuses_what_does_not_fit(x, chunks, words):
    with pytest.raises(ValueError, match=words):
        average_over(nn.Flatten(), x, chunks)


def test_average_over_refuses_a_mask_that_does_not_fit():
    with pytest.raises(ValueError, match=r"mask must .* got \(3, 5\)"):
        average_over(nn.Flatten(), sets(), [torch.arange(4)[None]], mask=torch.ones(3, 5) > 0)


# Groups.


def mixed():
    """Depends on every row, in its order."""
    weights = torch.randn(4, 4, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    return lambda x: torch.einsum("ij,bjd->bid", weights, x).tanh()


GROUPS = [
    cyclic_group(4), dihedral_group(4), alternating_group(4), symmetric_group(4), trivial_group(4),
    direct_product(cyclic_group(2), symmetric_group(2)),
]  # fmt: skip


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_the_average_over_a_group_is_the_loop_over_its_elements(group):
    model, x = network(), sets()
    expected = oracles.average(model, x, indices(group))
    for symmetric in (SymmetryModel(model, group), SymmetryModel(model, group=group, chunksize=3)):
        torch.testing.assert_close(symmetric(x), expected)


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
def test_an_equivariant_average_is_equivariant_to_the_group_and_to_no_more(group):
    symmetric = SymmetryModel(mixed(), group, equivariant=True)
    x = sets()
    for p in symmetric_group(4):
        error = (symmetric(p(x)) - p(symmetric(x))).abs().max()
        # Output rows that depend linearly on the input see the 2-closure of the group only; the
        # nonlinearity tells A_4 from S_4.
        assert (error < 1e-12) == (p in group)


@pytest.mark.parametrize("recompute", [False, True])
def test_a_grid_acts_on_rows_and_columns(recompute):
    group = direct_product(symmetric_group(4), cyclic_group(2), on="grid")
    model = SymmetryModel(network(), group, recompute=recompute)
    x = sets()
    torch.testing.assert_close(model(x.flip(2)), model(x))
    torch.testing.assert_close(model(x[:, [1, 0, 2, 3]]), model(x))
    assert not torch.allclose(SymmetryModel(network(), symmetric_group(4))(x.flip(2)), model(x))
    pairs = SymmetryModel(nn.Flatten(), symmetric_group(3).on_tuples(2))
    matrix = torch.randn(2, 3, 3)
    order = torch.tensor([2, 0, 1])
    torch.testing.assert_close(pairs(matrix), pairs(matrix[:, order][:, :, order]))


def test_samples_are_drawn_anew_from_the_group():
    model = SymmetryModel(network(), cyclic_group(4), samples=3)
    x = sets()
    values = {round(float(model(x).sum().detach()), 12) for _ in range(50)}
    assert 1 < len(values) <= 20  # multisets of three of the four shifts
    seeded = [
        SymmetryModel(
            model.model, symmetric_group(4), samples=5, generator=torch.Generator().manual_seed(2)
        )(x)
        for _ in range(2)
    ]
    assert torch.equal(*seeded)


@pytest.mark.parametrize("equivariant", [False, True])
def test_the_standard_error_is_the_spread_of_the_estimate(equivariant):
    function = mixed() if equivariant else nn.Sequential(nn.Flatten(), nn.Linear(8, 1).double())
    generator = torch.Generator().manual_seed(0)
    model = SymmetryModel(
        function, symmetric_group(4), samples=16, equivariant=equivariant, generator=generator
    )
    exact = SymmetryModel(function, symmetric_group(4), equivariant=equivariant)
    x = sets()
    with torch.no_grad():
        estimates = [model.estimate(x) for _ in range(400)]
        errors = torch.stack([e.mean - exact(x) for e in estimates])
        claimed = torch.stack([e.standard_error for e in estimates])
    ratio = errors.square().mean(0).sqrt() / claimed.square().mean(0).sqrt()
    torch.testing.assert_close(ratio, torch.ones_like(ratio), rtol=0.15, atol=0)
    chunked = SymmetryModel(function, symmetric_group(4), 5, samples=16, equivariant=equivariant,
                            generator=torch.Generator().manual_seed(0))  # fmt: skip
    torch.testing.assert_close(chunked.estimate(x).mean, estimates[0].mean)


def test_a_group_that_is_too_large_is_refused_at_once_with_both_ways_out():
    with pytest.raises(ValueError, match=r"2,432,902,008,176,640,000 .*samples=k.*max_order$"):
        SymmetryModel(network(), symmetric_group(20))
    with pytest.raises(ValueError, match="C_5 has 5 elements, more than max_order=4"):
        SymmetryModel(network(), cyclic_group(5), max_order=4)
    SymmetryModel(network(), symmetric_group(20), samples=2)
    SymmetryModel(network(), cyclic_group(5), max_order=5)


def test_by_default_ten_million_elements_are_not_too_many_and_one_more_are():
    SymmetryModel(nn.Flatten(), direct_product(*[cyclic_group(10)] * 7))
    with pytest.raises(ValueError, match="10,000,001 elements, more than max_order=10,000,000"):
        SymmetryModel(nn.Flatten(), direct_product(cyclic_group(11), cyclic_group(909_091)))


def test_the_elements_of_a_small_group_are_listed_once(monkeypatch):
    model, x = SymmetryModel(network(), dihedral_group(4)), sets()
    expected = model(x)
    monkeypatch.setattr(PermutationGroup, "elements", None)
    assert torch.equal(model(x), expected)
    # They are no part of what is saved.
    assert model.state_dict().keys() == {f"model.{name}" for name in model.model.state_dict()}


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"group": [Permutation([1, 0])]}, TypeError, "group must be a PermutationGroup"),
        ({"perm_creator": lambda: S_4, "group": cyclic_group(4)}, ValueError, "not both"),
        ({"perm_creator": lambda: S_4, "samples": 3}, ValueError, "samples must come with a group"),
        ({"group": cyclic_group(4), "samples": 0}, ValueError, "samples must be at least 1"),
        ({}, TypeError, "perm_creator must be a function"),
        ({"group": cyclic_group(4), "max_order": 0}, ValueError, "^max_order must be at least 1"),
        (
            {"perm_creator": lambda: S_4, "process_group": object()},
            ValueError,
            "process_group must come with a group",
        ),
    ],
)
def test_contradictory_sources_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        SymmetryModel(network(), **arguments)


@pytest.mark.parametrize("option", [{"recompute": True}, {"process_group": object()}])
def test_some_options_need_a_module(option):
    (name,) = option
    with pytest.raises(TypeError, match=f"^{name} needs .* an nn.Module, got function"):
        SymmetryModel(mixed(), cyclic_group(4), **option)


@pytest.mark.parametrize(
    "source", [cyclic_group(4), lambda: S_4, lambda: [Permutation(torch.randperm(4))]]
)
def test_recomputing_changes_no_gradient(source):
    gradients = []
    model = network()
    for recompute in (False, True):
        torch.manual_seed(0)
        model.zero_grad()
        SymmetryModel(model, source, chunksize=3, recompute=recompute)(sets()).sum().backward()
        gradients.append([p.grad.clone() for p in model.parameters()])
    for first, second in zip(*gradients, strict=True):
        torch.testing.assert_close(first, second, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("options", [{}, {"recompute": True}, {"samples": 3}])
def test_the_shape_of_an_average_is_known_without_numbers(options):
    model = SymmetryModel(network().to("meta"), cyclic_group(4), **options)
    y = model(sets().to("meta"))
    assert y.is_meta
    assert y.shape == (3, 1)
    y.sum().backward()
    assert all(p.grad.is_meta for p in model.parameters())


@pytest.mark.parametrize("from_a_group", [True, False])
def test_random_permutations_are_the_same_when_they_are_recomputed(from_a_group):
    gradients = []
    model = network()
    for recompute in (False, True):
        source = torch.Generator().manual_seed(0)
        options = {"samples": 5, "generator": source} if from_a_group else {}
        permutations = (
            symmetric_group(4)
            if from_a_group
            else functools.partial(create_random_permutations, 4, 5, source)
        )
        average = SymmetryModel(model, permutations, 2, recompute=recompute, **options)
        gradients.append(torch.autograd.grad(average(sets()).sum(), [*model.parameters()]))
    torch.testing.assert_close(*gradients, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("shape", [(3, 5, 2), (3, 2, 4), (4, 2)])
def test_an_input_that_the_group_does_not_permute_is_refused(shape):
    model = SymmetryModel(network(), direct_product(symmetric_group(4), cyclic_group(2), on="grid"))
    with pytest.raises(ValueError, match=r"S_4 × C_2 permutes, \(batch, 8, d\).*\(batch, 4, 2\)"):
        model(torch.zeros(shape))


def test_a_mask_of_rows_is_one_of_the_entries_whatever_channels_they_have():
    group = direct_product(symmetric_group(4), cyclic_group(2), on="grid")
    x = torch.randn(3, 4, 2, 5)
    mask = torch.tensor([4, 2, 0])[:, None] > torch.arange(4)
    model = SymmetryModel(lambda x, mask: (x.exp() * mask[..., None]).sum((1, 2)), group)
    torch.testing.assert_close(model(x, mask), (x.exp() * mask[..., None, None]).sum((1, 2)))
    torch.testing.assert_close(model(x, mask), model(x, mask[..., None].expand(3, 4, 2)))


@pytest.mark.parametrize("mask", [torch.ones(3, 5).bool(), torch.ones(3, 4), torch.ones(2, 4) > 0])
@pytest.mark.parametrize("on", ["union", "grid"])
def test_a_mask_that_does_not_fit_is_refused_before_anything_is_drawn(mask, on):
    group = direct_product(symmetric_group(2), cyclic_group(2), on=on)
    group = group if on == "union" else direct_product(symmetric_group(4), group, on="grid")
    source = torch.Generator().manual_seed(0)
    model = SymmetryModel(network(), group, samples=3, recompute=True, generator=source)
    with pytest.raises((ValueError, TypeError), match="mask must"):
        model(torch.zeros(3, 4, 4), mask)
    assert torch.equal(source.get_state(), torch.Generator().manual_seed(0).get_state())


def test_the_estimate_needs_samples():
    for model in (SymmetryModel(network(), cyclic_group(4)),
                  SymmetryModel(network(), cyclic_group(4), samples=1)):  # fmt: skip
        with pytest.raises(ValueError, match="at least 2 samples"):
            model.estimate(sets())


def test_two_samples_are_enough_for_an_estimate():
    x = sets()
    model = SymmetryModel(network(), cyclic_group(4), samples=2)
    first, second = (model.model(x[:, p]) for p in one_draw(2))
    model.generator = torch.Generator().manual_seed(0)
    found = model.estimate(x)
    torch.testing.assert_close(found.mean, (first + second) / 2)
    torch.testing.assert_close(found.standard_error, (first - second).abs() / 2)


def one_draw(k):
    return cyclic_group(4).sample(k, torch.Generator().manual_seed(0))


def test_it_shows_its_group():
    model = SymmetryModel(nn.Identity(), cyclic_group(4), samples=2, equivariant=True)
    assert model.extra_repr() == "group=C_4, samples=2, equivariant=True, chunksize=None"
    model = SymmetryModel(nn.Identity(), cyclic_group(4), 3, recompute=True)
    assert model.extra_repr() == "group=C_4, recompute=True, chunksize=3"
    assert SymmetryModel(nn.Identity(), lambda: CYCLIC).extra_repr() == "chunksize=None"


def test_few_estimates_go_through_together_and_many_in_turn():
    calls = []
    model = SymmetryModel(
        lambda x: calls.append(len(x)) or x.sum((1, 2)), symmetric_group(4), samples=4
    )
    model.estimate(sets(3))
    model.estimate(sets(4096))
    assert calls == [12, 8192, 8192]


# Several ranks; what they do together is in test_sharded.


def shared(**options):
    """A model that several ranks share, as far as one process can tell."""
    model = SymmetryModel(network(), cyclic_group(4), **options)
    model.process_group = SimpleNamespace(size=lambda: 3)
    return model


@pytest.mark.parametrize("training", [True, False])
def test_ranks_must_agree_on_all_that_the_average_depends_on(monkeypatch, training):
    asked = []

    def one_rank(average, x, *, count, parameters, process_group, alike):
        asked.append((count, process_group, alike))
        part = average(x, slice(0, 1))
        torch.testing.assert_close(part, model.model(x))  # the identity is number 0
        return (part + 3 * average(x, slice(1, 4))) / 4

    monkeypatch.setattr(averaging, "sharded_average", one_rank)
    model, x = shared().train(training), sets()
    torch.testing.assert_close(model(x), SymmetryModel(model.model, cyclic_group(4))(x))
    model(x)
    (count, process_group, first), (*_, second) = asked
    assert (count, process_group) == (4, model.process_group)
    assert first == {
        "mask": None,
        "the average": ["C_4", 4, None, False],
        "the mode": "training" if training else "evaluation",
        "the model's weights": list(model.model.parameters()),
    }
    # The weights agreed once.
    assert second == {**first, "the model's weights": None}


def test_ranks_must_agree_on_the_design(monkeypatch):
    monkeypatch.setattr(averaging, "sharded_average", lambda *_, alike, **options: alike)
    asked = shared(samples=4, design=cyclic_group(4))(sets())["the average"]
    assert asked == ["C_4", 4, 4, False, *Cosets(cyclic_group(4), cyclic_group(4), 1).alike()]


def test_what_traces_it_is_referred_to_its_model(monkeypatch):
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    words = (
        "an average with a process_group cannot be compiled or exported: compile its model instead"
    )
    with pytest.raises(ValueError, match=f"^{words}$"):
        shared()(sets())


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_leaves_the_ranks(copied):
    assert copied(shared()).process_group is None


def test_it_shows_how_many_ranks_share_it():
    model = shared(samples=2)
    assert model.extra_repr() == "group=C_4, samples=2, ranks=3, chunksize=None"
