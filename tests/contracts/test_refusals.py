"""What no module of the catalogue takes: it says what came and what was expected."""

import pytest
import torch
from torch import Tensor, nn

from tests.catalogue import CATALOGUE, D, made

TAKES_SETS = [name for name, entry in CATALOGUE.items() if entry.mask]


def true(*shape):
    return torch.ones(shape, dtype=torch.bool)


def wrong_sets(entry):
    """Inputs that are no batch of its sets, each with what is said of it."""
    n, features = entry.n, entry.features
    yield torch.zeros(n), ValueError, r"^[xy] must .*got \("
    yield torch.zeros(n, *features), ValueError, r"^[xy] must .*got \("
    yield torch.zeros(1, 2, n, *features), ValueError, r"^[xy] must .*got \("
    yield torch.zeros(2, 0, *features), ValueError, r"^[xy] must .*got \(2, 0, "
    for k in range(len(features)):
        nothing = *features[:k], 0, *features[k + 1 :]
        yield torch.zeros(2, n, *nothing), ValueError, r"^[xy] must .*got \("
    if not entry.any_features:
        yield torch.zeros(2, n, *features[:-1], features[-1] + 1), ValueError, r"^[xy] must .*got"
    if entry.sizes != "every" and not entry.any_features:
        yield torch.zeros(2, n + 1, *features), ValueError, f"^x must .*{n}.*got .2, {n + 1}, "
    yield [[[1.0]]], TypeError, "^[xy] must be a tensor, got list$"


def wrong_masks(n):
    """What is no mask of three sets."""
    shape = r"^mask must have shape \(batch, n\) = \(3, .*got "
    yield true(3, n + 1), ValueError, shape
    yield true(2, n), ValueError, shape
    yield true(3, n, 1), ValueError, shape
    yield true(n), ValueError, shape
    yield torch.ones(3, n), TypeError, "^mask must be of bool, .*got torch.float32$"
    yield torch.ones(3, n, dtype=torch.int64), TypeError, "^mask must be of bool, .*torch.int64$"
    yield [[True] * n] * 3, TypeError, "^mask must be a tensor, got list$"


def assert_refuses_what_are_no_sets(module, entry):
    for x, error, words in wrong_sets(entry):
        shape = x.shape[:2] if isinstance(x, Tensor) else (2, entry.n)
        for options in ({}, {"mask": true(*shape)}):
            with pytest.raises(error, match=words):
                module(x, **options)


def assert_refuses_what_is_no_mask(module, entry):
    for mask, error, words in wrong_masks(entry.n):
        with pytest.raises(error, match=words):
            module(torch.zeros(3, entry.n, *entry.features), mask=mask)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", TAKES_SETS)
def test_what_are_no_sets_is_refused(name, training):
    assert_refuses_what_are_no_sets(made(name).train(training), CATALOGUE[name])


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", TAKES_SETS)
def test_what_is_no_mask_is_refused(name, training):
    assert_refuses_what_is_no_mask(made(name).train(training), CATALOGUE[name])


# The contracts can fail.


class Trusting(nn.Module):
    """Takes whatever comes."""

    def forward(self, x, mask=None):
        return x


class LeavesItToTorch(nn.Linear):
    def forward(self, x, mask=None):
        return super().forward(x if mask is None else x * mask[..., None])


@pytest.mark.parametrize("module", [Trusting(), LeavesItToTorch(D, 1)])
def test_a_module_that_does_not_look_is_found(module):
    entry = CATALOGUE["LinearInvariant"]
    for refuses in (assert_refuses_what_are_no_sets, assert_refuses_what_is_no_mask):
        with pytest.raises((AssertionError, pytest.fail.Exception, RuntimeError, TypeError)):
            refuses(module, entry)
