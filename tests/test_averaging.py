import copy
import functools
import itertools
import math
import pickle
import re

import oracles
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from invariant_nets import (
    Permutation,
    SymmetryModel,
    average_over,
    create_all_permutations,
    create_permutations_from_generators,
    create_random_permutations,
    mlp,
)

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
    with pytest.raises(ValueError, match="perm_creator must give at least one permutation"):
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
