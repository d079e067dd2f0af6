import copy
import itertools
from collections import Counter

import pytest
import torch
from scipy.stats import chisquare
from torch import nn

from invariant_nets import Augmentation


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def numbered(batch, n, d):
    """Every row tells which it is."""
    return (torch.arange(float(n))[:, None] * 10 + torch.arange(d)).expand(batch, n, d)


def test_evaluation_sees_the_sets_as_they_are():
    x = torch.randn(8, 5, 3)
    assert torch.equal(Augmentation(nn.Identity()).eval()(x), x)


def test_training_sees_the_same_rows_in_another_order():
    x = numbered(64, 5, 3)
    seen = Augmentation(nn.Identity(), seeded())(x)
    assert not torch.equal(seen, x)
    assert torch.equal(seen.sort(1).values, x)


def test_the_features_of_a_row_stay_together_and_in_place():
    seen = Augmentation(nn.Identity(), seeded())(numbered(64, 5, 3))
    assert torch.equal(seen - seen[..., :1], torch.arange(3.0).expand(64, 5, 3))


def test_every_sample_has_a_permutation_of_its_own():
    seen = Augmentation(nn.Identity(), seeded())(numbered(64, 6, 1))
    assert len(seen.unique(dim=0)) > 50


def test_every_pass_draws_anew():
    model, x = Augmentation(nn.Identity(), seeded()), numbered(8, 6, 1)
    assert not torch.equal(model(x), model(x))


def test_the_permutations_are_uniform():
    seen = Augmentation(nn.Identity(), seeded())(numbered(24_000, 4, 1))
    counts = Counter(tuple(rows) for rows in seen.flatten(1).tolist())
    assert len(counts) == 24
    assert chisquare(list(counts.values())).pvalue > 1e-3


def test_the_generator_decides():
    x = numbered(8, 6, 2)
    first, second, other = (Augmentation(nn.Identity(), seeded(s))(x) for s in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_a_generator_of_ones_own_leaves_the_global_one_alone():
    before = torch.get_rng_state()
    Augmentation(nn.Identity(), seeded())(numbered(8, 6, 2))
    assert torch.equal(torch.get_rng_state(), before)


def test_without_a_generator_torchs_global_one_decides():
    x, seen = numbered(8, 6, 2), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        seen.append(Augmentation(nn.Identity())(x))
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])


def test_evaluation_draws_nothing():
    generator = seeded()
    Augmentation(nn.Identity(), generator).eval()(numbered(8, 6, 2))
    assert torch.equal(generator.get_state(), seeded().get_state())


def test_the_mean_gradient_is_that_of_the_averaged_loss():
    model = nn.Sequential(nn.Flatten(), nn.Linear(3, 1)).double()
    x = torch.tensor([[[0.5], [-1.0], [2.0]]], dtype=torch.float64)

    def gradient(sets):
        model.zero_grad()
        nn.functional.softplus(model(sets)).mean().backward()
        return model[1].weight.grad.clone()

    exact = gradient(torch.cat([x[:, list(p)] for p in itertools.permutations(range(3))]))
    drawn = gradient(Augmentation(nn.Identity(), seeded())(x.expand(40_000, -1, -1)))
    assert (drawn - exact).abs().max() < 4 * 2 / 40_000**0.5
    assert (gradient(x) - exact).abs().max() > 0.1


def test_gradients_flow_back_to_the_rows_that_they_came_from():
    x = numbered(4, 5, 2).clone().requires_grad_()
    Augmentation(nn.Identity(), seeded())(x).square().sum().backward()
    assert torch.equal(x.grad, 2 * x)


def test_a_copy_continues_with_the_same_draws():
    model = Augmentation(nn.Identity(), seeded())
    x = numbered(8, 6, 2)
    assert torch.equal(copy.deepcopy(model)(x), model(x))


def test_a_model_that_is_no_function_is_refused():
    with pytest.raises(TypeError, match="model must be a module or a function, got 'mlp'"):
        Augmentation("mlp")
