"""What is no member counts for nothing: every module of the catalogue that takes a mask."""

import pytest
import torch
from torch import nn

from invariant_nets import SetAttentionBlock
from tests.catalogue import CATALOGUE, D, N, calls, made, seeded
from tests.contracts.padding import GARBAGE, padded, ragged

DOUBLE = torch.float64
MASKED = [name for name, entry in CATALOGUE.items() if entry.mask]


def of_sizes(*sizes):
    return [name for name in MASKED if CATALOGUE[name].sizes in sizes]


def shuffled(name):
    """Biases too, so that what a layer adds to padding shows."""
    return made(name, shuffled=True, dtype=DOUBLE), CATALOGUE[name]


def output_and_gradients(module, x, mask):
    """An output, and the gradients of a smooth function of it, of the input first."""
    x = x.clone().requires_grad_()
    y = seeded(module, x, {"mask": mask})
    inputs = [x, *(p for p in module.parameters() if p.requires_grad)]
    loss = (y * y.detach().cos()).sum()
    return y, *torch.autograd.grad(loss, inputs, allow_unused=True, materialize_grads=True)


@torch.no_grad()
def output_alone(module, x, mask):
    return (seeded(module, x, {"mask": mask}),)


def assert_padding_never_leaks(module, n, features):
    """The same outputs and gradients whatever the padding holds, and none of the padding's own."""
    x, mask = padded(ragged(features), n, 0.0)
    for training, run in ((True, output_and_gradients), (False, output_alone)):
        module.train(training)
        reference = run(module, x, mask)
        for garbage in GARBAGE:
            dirty = x.masked_fill(~mask.reshape(*mask.shape, *[1] * len(features)), garbage)
            for found, expected in zip(run(module, dirty, mask), reference, strict=True):
                assert torch.equal(found, expected)
        if training:
            assert all(result.isfinite().all() for result in reference)
            assert not reference[1][~mask].any()


def assert_same_as_unpadded(module, n, features, equivariant):
    """A padded set gives what the set itself gives, at its members' places; 0 at the others."""
    sets = ragged(features)
    for scattered in (False, True):
        x, mask = padded(sets, n, scattered=scattered)
        y = module(x, mask=mask)
        for k, members in enumerate(sets):
            if equivariant:
                assert not y[k][~mask[k]].any()
            if len(members):
                alone = module(members[None])[0]
                torch.testing.assert_close(y[k][mask[k]] if equivariant else y[k], alone)


def assert_the_place_makes_no_difference(module, n, features, equivariant):
    """What the members give does not depend on where among the padding they are."""
    outputs = []
    for scattered in (False, True):
        x, mask = padded(ragged(features), n, scattered=scattered)
        y = module(x, mask=mask)
        outputs.append(y[mask] if equivariant else y)
    torch.testing.assert_close(*outputs)


def assert_a_mask_that_is_all_true_changes_nothing(module, n, features):
    x = torch.stack(ragged(features, (n, n)))
    everyone = torch.ones(2, n, dtype=torch.bool)
    torch.testing.assert_close(seeded(module, x, {"mask": everyone}), seeded(module, x, {}))


@pytest.mark.parametrize("name", MASKED)
def test_padding_never_leaks(name):
    module, entry = shuffled(name)
    assert_padding_never_leaks(module, entry.n, entry.features)


@pytest.mark.parametrize("name", of_sizes("every"))
def test_a_padded_set_gives_what_the_set_gives(name):
    module, entry = shuffled(name)
    assert_same_as_unpadded(module.eval(), entry.n, entry.features, entry.equivariant)


@pytest.mark.parametrize("name", of_sizes("fixed"))
def test_where_the_padding_is_makes_no_difference(name):
    module, entry = shuffled(name)
    assert_the_place_makes_no_difference(module.eval(), entry.n, entry.features, entry.equivariant)


@pytest.mark.parametrize("name", MASKED)
def test_a_mask_that_is_all_true_changes_nothing(name):
    module, entry = shuffled(name)
    assert_a_mask_that_is_all_true_changes_nothing(module, entry.n, entry.features)


@pytest.mark.parametrize("name", CATALOGUE)
def test_no_sets_give_no_outputs(name):
    entry = CATALOGUE[name]
    x, options = calls(entry, batch=0)
    for option in options:
        y = seeded(made(name), x, option)
        assert y.shape[0] == 0
        assert not entry.equivariant or y.shape[1] == entry.n


# The contracts can fail.


class Broken(nn.Module):
    """Attention that does something wrong with the mask."""

    def __init__(self, wrong):
        super().__init__()
        self.layer, self.wrong = SetAttentionBlock(D, 2, dtype=DOUBLE), wrong

    def forward(self, x, mask=None):
        members = torch.ones_like(x[..., :1], dtype=torch.bool) if mask is None else mask[..., None]
        return self.wrong(x, members, self.layer)


def softmax_over_nothing(x, members, layer):
    weights = (layer.query(x) @ x.mT).exp() * members.mT
    return (weights / weights.sum(-1, keepdim=True) @ x).masked_fill(~members, 0)


LEAKS = {
    "a product, which NaN survives": lambda x, members, layer: (x * members).sum(1),
    "a mask after the root, too late for its gradient": lambda x, members, layer: (
        (x * x).sqrt().masked_fill(~members, 0).sum(1)
    ),
    "attention to padding": lambda x, members, layer: layer(x).masked_fill(~members, 0),
    "softmax over nothing": softmax_over_nothing,
}
DIFFERENCES = {
    "a mean over padding": lambda x, members, layer: x.masked_fill(~members, 0).mean(1),
    "attention to zeros": lambda x, members, layer: layer(x.masked_fill(~members, 0)).masked_fill(
        ~members, 0
    ),
    "a bias in the padding": lambda x, members, layer: layer(x, members[..., 0]) + 1,
}


@pytest.mark.parametrize("wrong", LEAKS.values(), ids=LEAKS)
def test_a_leak_is_found(wrong):
    with pytest.raises(AssertionError):
        assert_padding_never_leaks(Broken(wrong), N, (D,))


def test_a_leak_in_evaluation_alone_is_found():
    class Leaky(nn.Module):
        def forward(self, x, mask):
            return x.masked_fill(~mask[..., None] & self.training, 0).sum(1)

    with pytest.raises(AssertionError):
        assert_padding_never_leaks(Leaky(), N, (D,))


@pytest.mark.parametrize("wrong", DIFFERENCES.values(), ids=DIFFERENCES)
def test_what_counts_padding_is_found(wrong):
    module, equivariant = Broken(wrong), wrong is not DIFFERENCES["a mean over padding"]
    with pytest.raises(AssertionError):
        assert_same_as_unpadded(module, N, (D,), equivariant)


def test_what_depends_on_the_place_is_found():
    def first_row(x, members, layer):
        return x.masked_fill(~members, 0)[:, 0]

    with pytest.raises(AssertionError):
        assert_the_place_makes_no_difference(Broken(first_row), N, (D,), False)


def test_what_depends_on_there_being_a_mask_is_found():
    class Sum(nn.Module):
        def forward(self, x, mask=None):
            return x.sum(1) if mask is None else x.mean(1)

    with pytest.raises(AssertionError):
        assert_a_mask_that_is_all_true_changes_nothing(Sum(), N, (D,))
