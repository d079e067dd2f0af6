"""The laws that tie the routes together, in float64, and wrong layers that break them."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from invariant_nets import (
    CanonicalModel,
    LinearEquivariant,
    LinearInvariant,
    Permutation,
    SymmetryModel,
    columnwise_sort,
    create_all_permutations,
    create_permutations_from_generators,
    create_random_permutations,
    intrinsic,
    lexicographic_sort,
    mlp,
    transformer,
)
from invariant_nets.groups.permutation import stack_permutations
from tests import oracles
from tests.examples import examples

sizes = {"n": st.integers(1, 4), "d": st.integers(1, 4), "seed": st.integers(0, 2**32 - 1)}
every_backbone = pytest.mark.parametrize("backbone", [mlp, transformer, intrinsic])


def close(first, second):
    return torch.allclose(first, second, rtol=1e-9, atol=1e-11)


def drawn(backbone, n, d, seed):
    """A backbone with drawn weights, some sets, and the generator for what else is drawn."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = backbone(n, d).double().eval()
    generator = torch.Generator().manual_seed(seed)
    return network, torch.randn(3, n, d, generator=generator, dtype=torch.float64), generator


def all_of(n):
    return lambda: create_all_permutations(n)


# By construction.


@given(
    **sizes,
    hidden=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    normalization=st.sampled_from(["mean", "sqrt", "sum"]),
    pooling=st.sampled_from(["mean", "sum"]),
)
def test_equivariant_layers_in_a_row_and_an_invariant_one_make_an_invariant_network(
    n, d, seed, hidden, normalization, pooling
):
    def network(n, d):
        return intrinsic(n, d, hidden=hidden, normalization=normalization, pooling=pooling)

    model, x, generator = drawn(network, n, d, seed)
    order = torch.randperm(n, generator=generator)
    assert close(model(x[:, order]), model(x))


@given(**sizes)
def test_what_acts_on_every_member_alone_keeps_equivariance(n, d, seed):
    def two_layers(n, d):
        return nn.ModuleList(LinearEquivariant(d, d) for _ in range(2))

    (first, second), x, generator = drawn(two_layers, n, d, seed)
    order = torch.randperm(n, generator=generator)
    for between in (torch.relu, torch.tanh, nn.LayerNorm(d).double(), lambda x: x.softmax(-1)):
        composed = second(between(first(x[:, order])))
        assert close(composed, second(between(first(x)))[:, order])


# Averages over a group.


@examples(50)
@every_backbone
@given(**sizes)
def test_the_average_over_a_generated_group_is_invariant_to_every_element(backbone, n, d, seed):
    model, x, generator = drawn(backbone, n, d, seed)
    group = create_permutations_from_generators(create_random_permutations(n, 1, generator))
    average = SymmetryModel(model, lambda: group)
    for p in group:
        assert close(average(p(x)), average(x))


@examples(25)
@given(**sizes)
def test_averaging_twice_is_averaging_once(n, d, seed):
    model, x, _ = drawn(mlp, n, d, seed)
    once = SymmetryModel(model, all_of(n))
    assert close(SymmetryModel(once, all_of(n))(x), once(x))


@examples(25)
@given(**sizes)
def test_averaging_over_a_subgroup_first_changes_nothing(n, d, seed):
    model, x, generator = drawn(mlp, n, d, seed)
    subgroup = create_permutations_from_generators(create_random_permutations(n, 1, generator))
    first = SymmetryModel(model, lambda: subgroup)
    assert close(SymmetryModel(first, all_of(n))(x), SymmetryModel(model, all_of(n))(x))


@given(**sizes)
def test_averaging_leaves_an_invariant_function_alone(n, d, seed):
    model, x, _ = drawn(intrinsic, n, d, seed)
    assert close(SymmetryModel(model, all_of(n))(x), model(x))


@given(**sizes)
def test_canonicalization_leaves_an_invariant_function_alone(n, d, seed):
    model, x, _ = drawn(intrinsic, n, d, seed)
    assert close(CanonicalModel(model)(x), model(x))


@given(**sizes)
def test_averaging_is_linear(n, d, seed):
    f, x, _ = drawn(mlp, n, d, seed)
    g, _, _ = drawn(transformer, n, d, seed)
    combined = SymmetryModel(lambda x: 2 * f(x) - 3 * g(x), all_of(n))(x)
    f_bar, g_bar = (SymmetryModel(function, all_of(n))(x) for function in (f, g))
    assert close(combined, 2 * f_bar - 3 * g_bar)


@given(**sizes)
def test_the_average_of_a_linear_map_is_the_invariant_layer(n, d, seed):
    _, x, generator = drawn(mlp, n, d, seed)
    weight = torch.randn(n, d, generator=generator, dtype=torch.float64)
    layer = LinearInvariant(d, 1, normalization="sum", pooling="sum", dtype=torch.float64)
    layer.load_state_dict({"b": weight.mean(0)[:, None], "c": torch.zeros(d, 1)})
    average = SymmetryModel(lambda x: (x * weight).sum((1, 2))[:, None], all_of(n))
    assert close(average(x), layer(x))


@given(n=st.integers(2, 4), seed=st.integers(0, 2**32 - 1))
def test_the_equivariant_average_of_a_matrix_is_the_equivariant_layer(n, seed):
    # ρ(σ)⁻¹ W ρ(σ) over all σ leaves one number on the diagonal and one beside it.
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(n, n, generator=generator, dtype=torch.float64)
    x = torch.randn(3, n, 1, generator=generator, dtype=torch.float64)
    average = torch.stack([p.inverse()(weight @ p(x)) for p in create_all_permutations(n)]).mean(0)
    diagonal = weight.diagonal().mean()
    beside = (weight.sum() - weight.diagonal().sum()) / (n * (n - 1))
    layer = LinearEquivariant(1, 1, normalization="sum", pooling="sum", dtype=torch.float64)
    layer.load_state_dict(
        {
            "a": (diagonal - beside).reshape(1, 1),
            "b": beside.reshape(1, 1),
            "c": torch.zeros(1, 1),
        }
    )
    assert close(layer(x), average)


@given(**sizes)
def test_the_loss_of_the_average_is_at_most_the_average_loss(n, d, seed):
    model, x, generator = drawn(mlp, n, d, seed)
    labels = torch.randint(2, (len(x), 1), generator=generator).double()

    def losses(logits):
        return F.binary_cross_entropy_with_logits(logits, labels, reduction="none")

    average = SymmetryModel(model, all_of(n))(x)
    mean_loss = torch.stack([losses(model(p(x))) for p in create_all_permutations(n)]).mean(0)
    assert (losses(average) <= mean_loss + 1e-12).all()


# Averages over a sample.


def sampled_outputs(k, draws=4000):
    """Many sampled averages of one network on one set, and its outputs on all permutations."""
    model, x, generator = drawn(mlp, 4, 2, seed=0)
    x = x[:1]
    outputs = torch.cat([model(p(x)) for p in create_all_permutations(4)]).detach()
    # One call draws for all: a permutation a set, k sets an average.
    orders = create_random_permutations(4, k * draws, generator)
    samples = model(x[0, stack_permutations(orders)]).detach().reshape(draws, k).mean(1)
    single = SymmetryModel(model, lambda: orders[:k])(x)
    assert close(single[0, 0], samples[0])
    return outputs, samples


@pytest.mark.parametrize("k", [1, 4, 16])
def test_the_sampled_average_is_right_in_the_mean_and_its_error_falls_with_the_root_of_k(k):
    outputs, samples = sampled_outputs(k)
    sigma = outputs.std(correction=0).item()
    error = sigma / math.sqrt(k * len(samples))
    assert abs(samples.mean() - outputs.mean()) < 4 * error
    # Relative standard error of a standard deviation: about 1/√(2·4000), 4.5 % at four of them.
    assert samples.std().item() == pytest.approx(sigma / math.sqrt(k), rel=0.06)


@pytest.mark.parametrize("k", [1, 4, 16])
def test_two_sampled_averages_differ_by_sigma_times_the_root_of_two_over_k(k):
    outputs, samples = sampled_outputs(k)
    sigma = outputs.std(correction=0).item()
    between = (samples[::2] - samples[1::2]).square().mean().sqrt().item()
    assert between == pytest.approx(sigma * math.sqrt(2 / k), rel=0.08)


# Canonical forms.


@every_backbone
@pytest.mark.parametrize("sort", [lexicographic_sort, columnwise_sort])
@given(**sizes)
def test_a_canonical_model_gives_the_same_bits_for_every_order(backbone, sort, n, d, seed):
    model, x, generator = drawn(backbone, n, d, seed)
    order = torch.randperm(n, generator=generator)
    canonical = CanonicalModel(model, sort)
    assert torch.equal(canonical(x[:, order]), canonical(x))


@given(**sizes)
def test_averaging_a_canonical_model_changes_nothing(n, d, seed):
    model, x, _ = drawn(mlp, n, d, seed)
    canonical = CanonicalModel(model)
    assert close(SymmetryModel(canonical, all_of(n))(x), canonical(x))


@given(n=sizes["n"], seed=sizes["seed"])
def test_for_one_feature_both_sorts_are_the_same(n, seed):
    _, x, _ = drawn(mlp, n, 1, seed)
    assert torch.equal(lexicographic_sort(x), columnwise_sort(x))


# The laws can be broken.


class Wrong(nn.Module):
    """A layer like `LinearEquivariant`, with one mistake."""

    def __init__(self, mistake):
        super().__init__()
        self.right = LinearEquivariant(3, 2, dtype=torch.float64)
        self.mistake = mistake

    def forward(self, x):
        return self.mistake(self.right(x), x)


MISTAKES = {
    "positions": lambda y, x: y + 1e-6 * torch.arange(4.0)[:, None],
    "first row left out of the pool": lambda y, x: y - 1e-6 * x[:, :1].mean(-1, keepdim=True),
    "a sum that runs": lambda y, x: y + 1e-6 * x.mean(-1, keepdim=True).cumsum(1),
    "rows sorted": lambda y, x: y.sort(1).values,
    "set and feature axes swapped": lambda y, x: (
        y + x.mT[..., :2].mean(1, keepdim=True).expand(-1, 4, -1)
    ),
    "row weights": lambda y, x: y * (1 + 1e-6 * torch.arange(4.0)[:, None]),
}


def is_equivariant(layer, x):
    return all(close(layer(p(x)), p(layer(x))) for p in create_all_permutations(x.shape[1]))


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_wrong_layer_is_not_equivariant(mistake):
    x = torch.randn(3, 4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert is_equivariant(Wrong(lambda y, x: y), x)
    assert not is_equivariant(Wrong(mistake), x)


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES.keys())
def test_a_wrong_layer_is_not_its_double_loop(mistake):
    x = torch.randn(3, 4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    layer = Wrong(mistake)
    right = layer.right
    expected = oracles.linear_equivariant(x, right.a, right.b, right.c, "mean", "mean")
    assert close(right(x), expected)
    assert not close(layer(x), expected)


def test_an_average_that_misses_a_permutation_is_not_invariant():
    model, x, _ = drawn(mlp, 3, 2, seed=0)
    group = list(create_all_permutations(3))
    swapped = Permutation([1, 0, 2])(x)
    whole = SymmetryModel(model, lambda: group)
    broken = SymmetryModel(model, lambda: group[:-1])
    assert close(whole(swapped), whole(x))
    assert not close(broken(swapped), broken(x))


def test_a_sort_by_one_feature_that_leaves_the_others_behind_is_caught():
    _, x, _ = drawn(mlp, 4, 3, seed=0)

    def sort_first_column_only(x):
        return torch.cat([x[..., :1].sort(1).values, x[..., 1:]], dim=-1)

    rows = [tuple(row) for row in sort_first_column_only(x)[0].tolist()]
    assert sorted(rows) != sorted(tuple(row) for row in x[0].tolist())
    for p in itertools.islice(create_all_permutations(4), 1, None):
        assert not close(sort_first_column_only(p(x)), sort_first_column_only(x))
