import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from invariant_nets import AttentionPooling, InducedSetAttentionBlock, SetAttentionBlock
from tests.catalogue import shuffle_parameters
from tests.networks.test_attention_block import by_loops

MAKERS = {
    "SAB": SetAttentionBlock,
    "ISAB": lambda d, num_heads, **options: InducedSetAttentionBlock(d, num_heads, 3, **options),
    "PMA": lambda d, num_heads, **options: AttentionPooling(d, num_heads, 2, **options),
}
every_layer = pytest.mark.parametrize("name", MAKERS)
every_norm = pytest.mark.parametrize("layer_norm", [False, True])
sizes = {
    "batch": st.integers(0, 2),
    "n": st.integers(1, 4),
    "heads": st.integers(1, 3),
    "width": st.integers(1, 2),
    "layer_norm": st.booleans(),
    "seed": st.integers(0, 2**32 - 1),
}


OPTIONS = {
    "plain": {},
    "biased": {"bias": True},
    "as published": {"bias": True, "residual": "query", "dim_feedforward": 0, "in_features": 3},
}


def layer_of(name, d=4, heads=2, layer_norm=False, seed=0, **options):
    layer = MAKERS[name](d, heads, layer_norm=layer_norm, dtype=torch.float64, **options)
    return shuffle_parameters(layer, seed)


def sets(batch, n, d, seed):
    source = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, n, d, generator=source, dtype=torch.float64)
    return x, torch.rand(batch, n, generator=source) < 0.6


def slow(name, layer, x, mask):
    """The layers' formulas from the block written in loops, then 0 at padding."""
    if name == "SAB":
        return by_loops(layer, x, x, mask) * mask[..., None]
    if name == "ISAB":
        points = layer.points.expand(len(x), -1, -1)
        seen = by_loops(layer.gather, points, x, mask)
        everything = torch.ones(seen.shape[:2], dtype=torch.bool)
        return by_loops(layer.spread, x, seen, everything) * mask[..., None]
    members = x
    if isinstance(layer.linear, nn.Linear):
        members = (x @ layer.linear.weight.T + layer.linear.bias).clamp(min=0)
    return by_loops(layer.block, layer.seeds.expand(len(x), -1, -1), members, mask)


@every_layer
@given(**sizes)
def test_it_is_its_formula(name, batch, n, heads, width, layer_norm, seed):
    layer = layer_of(name, heads * width, heads, layer_norm, seed)
    x, mask = sets(batch, n, heads * width, seed)
    torch.testing.assert_close(layer(x), slow(name, layer, x, torch.ones_like(mask)))
    torch.testing.assert_close(layer(x, mask), slow(name, layer, x, mask))


@every_layer
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@given(**sizes)
def test_it_is_its_formula_with_every_option(
    name, options, batch, n, heads, width, layer_norm, seed
):
    layer = layer_of(name, heads * width, heads, layer_norm, seed, **options)
    x, mask = sets(batch, n, options.get("in_features", heads * width), seed)
    torch.testing.assert_close(layer(x), slow(name, layer, x, torch.ones_like(mask)))
    torch.testing.assert_close(layer(x, mask), slow(name, layer, x, mask))


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_the_seeds_may_look_at_the_members_themselves(options):
    layer = layer_of("PMA", rff=False, **options)
    assert not any(name.startswith("linear.") for name in layer.state_dict())
    x, mask = sets(3, 5, options.get("in_features", 4), seed=0)
    torch.testing.assert_close(layer(x, mask), slow("PMA", layer, x, mask))
    with pytest.raises(AssertionError):
        torch.testing.assert_close(layer(x, mask), layer(x.relu(), mask))


@every_layer
def test_dropout_acts_in_training_only(name):
    layer, (x, mask) = layer_of(name, dropout=0.5, bias=True), sets(3, 5, 4, seed=0)
    assert not torch.equal(layer(x, mask), layer(x, mask))
    expected = layer_of(name, bias=True)(x, mask)
    torch.testing.assert_close(layer.eval()(x, mask), expected, rtol=0, atol=0)


@every_layer
@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"in_features": 0}, "in_features must be at least 1, got 0"),
        ({"dropout": 1.0}, "dropout must lie in"),
        ({"residual": "key"}, "residual must be one of"),
    ],
)
def test_options_out_of_range_are_refused(name, options, words):
    with pytest.raises(ValueError, match=words):
        layer_of(name, **options)


@pytest.mark.parametrize("name", ["SAB", "ISAB"])
def test_members_of_another_width_need_the_residual_of_the_query(name):
    with pytest.raises(ValueError, match=r'x must have d=4 features .* got 3: residual="query"'):
        layer_of(name, in_features=3)
    assert layer_of(name, in_features=3, residual="query")(sets(2, 5, 3, 0)[0]).shape == (2, 5, 4)


@every_layer
@given(**sizes)
def test_members_may_come_in_any_order(name, batch, n, heads, width, layer_norm, seed):
    layer = layer_of(name, heads * width, heads, layer_norm, seed)
    x, mask = sets(batch, n, heads * width, seed)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    for before, after in ((None, None), (mask, mask[:, order])):
        y = layer(x, before)
        expected = y if name == "PMA" else y[:, order]
        torch.testing.assert_close(layer(x[:, order], after), expected)


@every_layer
def test_positions_break_the_law(name):
    layer, (x, _) = layer_of(name), sets(3, 5, 4, seed=0)
    positions = torch.arange(5.0)[:, None]
    y, moved = layer(x + positions), layer(x.flip(1) + positions)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(moved, y if name == "PMA" else y.flip(1))


@every_layer
def test_members_look_at_each_other(name):
    layer, (x, _) = layer_of(name), sets(1, 5, 4, seed=0)
    other = x.clone()
    other[:, 1:] += 1
    assert (layer(other) - layer(x))[:, 0].abs().max() > 1e-3


@every_norm
def test_pooling_an_empty_set_is_the_block_on_the_seeds(layer_norm):
    layer = layer_of("PMA", layer_norm=layer_norm)
    x = torch.full((1, 3, 4), torch.nan, dtype=torch.float64)
    y = layer(x, torch.zeros(1, 3, dtype=torch.bool))
    h = layer.block.norm1(layer.seeds)
    expected = layer.block.norm2(h + layer.block.linear2(layer.block.linear1(h).relu()))
    torch.testing.assert_close(y[0], expected)


@every_layer
def test_a_deep_stack_keeps_the_scale_of_its_signal(name):
    torch.manual_seed(0)
    x = y = torch.randn(32, 10, 16)
    for _ in range(8):
        y = MAKERS[name](16, 4)(y)
    assert 0.3 < y.square().mean() / x.square().mean() < 4


@every_layer
def test_a_new_start_forgets_the_old_one(name):
    layer = layer_of(name)
    old = {key: value.clone() for key, value in layer.state_dict().items()}
    layer.reset_parameters()
    assert all((value != old[key]).any() for key, value in layer.state_dict().items())


def test_the_numbers_of_points_and_seeds_are_those_asked_for():
    assert InducedSetAttentionBlock(4, 2, num_points=5).points.shape == (5, 4)
    assert AttentionPooling(4, 2)(torch.zeros(2, 3, 4)).shape == (2, 1, 4)
    assert AttentionPooling(4, 2, num_seeds=3)(torch.zeros(2, 7, 4)).shape == (2, 3, 4)
    assert "num_points=5" in repr(InducedSetAttentionBlock(4, 2, 5))
    assert "num_seeds=3" in repr(AttentionPooling(4, 2, 3))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: SetAttentionBlock(4, 0), "num_heads must be at least 1, got 0"),
        (lambda: SetAttentionBlock(5, 2), "num_heads must divide d=5, got 2"),
        (lambda: InducedSetAttentionBlock(5, 2, 3), "num_heads must divide d=5, got 2"),
        (lambda: InducedSetAttentionBlock(4, 2, 0), "num_points must be at least 1, got 0"),
        (lambda: AttentionPooling(4, 2, 0), "num_seeds must be at least 1, got 0"),
        (lambda: AttentionPooling(0, 2), "d must be at least 1, got 0"),
    ],
)
def test_bad_arguments_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()
