"""What no module of the catalogue takes: it says what came and what was expected."""

import pytest
import torch
from torch import Tensor, nn

from invariant_nets import (
    Augmentation,
    CanonicalModel,
    CircleFrame,
    SetNetwork,
    SymmetricElements,
    SymmetryModel,
    cyclic_group,
)
from tests.catalogue import CATALOGUE, D, made, seeded

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


# Sets of another type: of what type they must be, and what is to be done.

TYPES = {
    "double": (lambda x: x.double(), "torch.float64"),
    "half": (lambda x: x.half(), "torch.float16"),
    "bfloat16": (lambda x: x.bfloat16(), "torch.bfloat16"),
    "integers": (lambda x: x.long(), "torch.int64"),
    "bytes": (lambda x: x.byte(), "torch.uint8"),
    "bools": (lambda x: x > 0, "torch.bool"),
    "complex": (lambda x: x.to(torch.complex64), "torch.complex64"),
}
KINDS = {
    "nested": (
        lambda x: torch.nested.nested_tensor(list(x), layout=torch.jagged),
        "a nested one: ",
    ),
    "sparse": (lambda x: x.to_sparse(), r"got one of torch.sparse_coo: [xy].to_dense\(\)$"),
    "array": (lambda x: x.numpy(), r"got ndarray: torch.from_numpy\([xy]\)$"),
    "list": (lambda x: x.tolist(), "got list$"),
    "nothing": (lambda x: None, "got NoneType$"),
}


def some(entry):
    return torch.ones(2, entry.n, *entry.features)


def assert_another_type_is_refused_or_right(module, entry, convert, dtype):
    """A sentence says what came, what was expected and what to do; or the result is right."""
    x = convert(some(entry))
    expected = "torch.float32 as the weights are|a floating-point type|bool, float16 to float64"
    if takes(module, x):
        y = seeded(module, x, {})
        assert y.dtype == x.dtype or not x.is_floating_point()
        assert not list(module.parameters())
        wide = x if x.is_complex() else x.float()
        torch.testing.assert_close(y.to(wide.dtype), seeded(module, wide, {}), **HALF)
    else:
        with pytest.raises(
            TypeError, match=rf"^(x|y|values) must be of ({expected}).*, got {dtype}"
        ):
            module(x)


HALF = {"atol": 0.1, "rtol": 0.05}


def takes(module, x):
    try:
        module(x)
    except TypeError:
        return False
    return True


@pytest.mark.parametrize("name", CATALOGUE)
def test_sets_of_another_type_are_refused_or_taken_rightly(name):
    module = made(name)
    for kind in TYPES.values():
        assert_another_type_is_refused_or_right(module, CATALOGUE[name], *kind)


@pytest.mark.parametrize("name", TAKES_SETS)
def test_what_is_no_dense_tensor_is_refused(name):
    module = made(name)
    for convert, words in KINDS.values():
        with pytest.raises(TypeError, match=f"^[xy] must be .*{words}"):
            module(convert(some(CATALOGUE[name])))


@pytest.mark.parametrize("name", TAKES_SETS)
def test_sets_on_another_device_are_refused(name):
    module = made(name).eval()
    if list(module.parameters()):
        with pytest.raises(
            ValueError, match=r"^[xy] must be on cpu as the weights are, got meta: "
        ):
            module(some(CATALOGUE[name]).to("meta"))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("name", CATALOGUE)
def test_under_autocast_the_types_that_it_mixes_are_taken(name, dtype):
    module, x = made(name), some(CATALOGUE[name])
    with torch.autocast("cpu", dtype=dtype):
        found, expected = (seeded(module, sets, {}) for sets in (x.to(dtype), x))
    torch.testing.assert_close(found.float(), expected.float(), atol=0.1, rtol=0.1)


def test_models_of_your_own_in_a_wrapper_say_so_too():
    model = nn.Sequential(nn.Flatten(), nn.Linear(6, 1))
    convolutions = [nn.Conv1d(3, 4, 1) for _ in "ab"]
    words = r"^x must be of torch.float32 as the weights are, got torch.float64: x.float\(\), or "
    for wrapper in (
        CanonicalModel(model),
        CanonicalModel(model, frame=CircleFrame()),
        SymmetryModel(model, cyclic_group(3)),
        SymmetryModel(model, cyclic_group(3), recompute=True),
        Augmentation(model),
        SetNetwork(nn.Flatten(), nn.Linear(6, 1), d=2),
        SetNetwork(nn.Linear(2, 1), d=2),
    ):
        with pytest.raises(TypeError, match=words):
            wrapper(torch.ones(4, 3, 2, dtype=torch.float64))
    with pytest.raises(TypeError, match=words):
        SymmetricElements(*convolutions)(torch.ones(4, 2, 3, 5, dtype=torch.float64))
    # What takes integers itself is asked.
    embedding = SetNetwork(nn.Embedding(5, 2), nn.Flatten(), d=1)
    assert embedding(torch.ones(2, 3, 1, dtype=torch.int64)).shape == (2, 6)


def test_an_error_of_a_model_is_left_as_it_is():
    class Broken(nn.Linear):
        def forward(self, x):
            raise RuntimeError("what went wrong")

    with pytest.raises(RuntimeError, match=r"^what went wrong$"):
        SetNetwork(Broken(2, 1), d=2)(torch.ones(4, 3, 2))
