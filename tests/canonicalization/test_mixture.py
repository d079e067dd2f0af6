import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from invariant_nets import (
    CanonicalModel,
    DirectionFrame,
    LearnedOrder,
    MixedFrame,
    RelaxedOrders,
    WeightedOrders,
    order_keys,
)
from tests.canonicalization.test_learned_order import accuracy_after_training, drawn, places

SHARES = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)


def three_frames():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        parts = [LearnedOrder(order_keys(2, 4)), DirectionFrame(2, 5)]
        parts.append(LearnedOrder(order_keys(2, 4), noise=0.5))
    mixed = MixedFrame(*parts).double()
    with torch.no_grad():
        mixed.logits.copy_(SHARES.log() + 3)
    return mixed


@pytest.mark.parametrize("training", [False, True])
def test_the_average_is_that_of_the_averages_with_the_shares(training):
    x, f, mixed = drawn((3, 4, 2)), places(4, 2), three_frames().train(training)
    expected = sum(
        share * CanonicalModel(f, frame=frame)(x)
        for share, frame in zip(SHARES, mixed.frames, strict=True)
    )
    torch.testing.assert_close(CanonicalModel(f, frame=mixed)(x), expected)
    torch.testing.assert_close(mixed(x).weights.sum(1), torch.ones(3, dtype=torch.float64))


def test_gradients_are_those_of_the_averages():
    x, f, mixed = drawn((3, 4, 2)), places(4, 2), three_frames()
    inputs = list(mixed.parameters())
    found = torch.autograd.grad(CanonicalModel(f, frame=mixed)(x).sum(), inputs)
    shares = mixed.logits.softmax(0)
    parts = (
        share * CanonicalModel(f, frame=frame)(x).sum()
        for share, frame in zip(shares, mixed.frames, strict=True)
    )
    torch.testing.assert_close(found, torch.autograd.grad(sum(parts), inputs))
    assert all(gradient.any() for gradient in found)


def test_orders_have_a_gradient_where_one_has():
    x, mixed = drawn((2, 4, 2)), three_frames()
    relaxed = mixed(x)
    assert isinstance(relaxed, RelaxedOrders)
    assert torch.equal(relaxed.relaxed[:, :1], mixed.frames[0](x).relaxed)
    assert not relaxed.relaxed[:, 1:].any()
    assert isinstance(mixed.eval()(x), WeightedOrders)
    fixed = MixedFrame(DirectionFrame(2, 3)).double()
    assert isinstance(fixed(x), WeightedOrders)


def test_the_same_bits_for_every_order_of_arrival_and_any_padding():
    x, mixed = drawn((5, 4, 2)), three_frames()
    model = CanonicalModel(places(4, 2), frame=mixed)
    mask = torch.tensor([[True, False, True, True]]).expand(5, 4)
    dirty = x.masked_fill(~mask[..., None], math.nan)
    for order in ([3, 1, 0, 2], [1, 0, 3, 2]):
        assert torch.equal(model(x[:, order]), model(x))
        assert torch.equal(model(dirty[:, order], mask[:, order]), model(dirty, mask))


def test_what_is_no_frame_is_refused():
    with pytest.raises(ValueError, match="frames must be at least one, got none"):
        MixedFrame()
    with pytest.raises(TypeError, match=r"frames\[1\] must be a module, got 'circle'"):
        MixedFrame(DirectionFrame(2, 3), "circle")


def test_frames_must_take_a_mask_to_be_given_one():
    class Fixed(nn.Module):
        def forward(self, x):
            return WeightedOrders(torch.arange(3).expand(len(x), 1, 3), torch.ones(len(x), 1))

    frame = MixedFrame(Fixed())
    assert F.one_hot(frame(torch.zeros(2, 3, 1)).orders[0, 0]).trace() == 3
    with pytest.raises(TypeError, match="frame must take a mask"):
        frame(torch.zeros(2, 3, 1), torch.ones(2, 3, dtype=torch.bool))


@pytest.mark.slow
def test_a_mixture_finds_a_hidden_order_from_most_seeds():
    found = []
    for seed in range(4):
        torch.manual_seed(seed)
        frame = MixedFrame(*(LearnedOrder(order_keys(5)) for _ in range(4)))
        found.append(accuracy_after_training(frame, seed, keys_lr=1e-2))
    assert sum(accuracy > 0.88 for accuracy in found) >= 3, found
