import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from invariant_nets import MultiheadAttentionBlock
from tests.catalogue import shuffle_parameters

sizes = {
    "batch": st.integers(0, 2),
    "m": st.integers(1, 3),
    "n": st.integers(1, 4),
    "heads": st.integers(1, 3),
    "width": st.integers(1, 2),
    "layer_norm": st.booleans(),
    "bias": st.booleans(),
    "residual": st.sampled_from(["input", "query"]),
    "dim_feedforward": st.sampled_from([None, 0, 3]),
    "y_features": st.sampled_from([None, 1, 3]),
    "seed": st.integers(0, 2**32 - 1),
}


def drawn(batch, m, n, heads, width, layer_norm, seed, **options):
    d = heads * width
    if options.get("residual") == "query":
        options["x_features"] = 2
    options |= {"layer_norm": layer_norm, "dtype": torch.float64}
    block = MultiheadAttentionBlock(d, heads, **options)
    shuffle_parameters(block, seed)
    source = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, m, block.x_features, generator=source, dtype=torch.float64)
    y = torch.randn(batch, n, block.y_features, generator=source, dtype=torch.float64)
    return block, x, y, torch.rand(batch, n, generator=source) < 0.6


def attention_by_loops(block, x, y, mask):
    """One head, one row and one member at a time, the softmax written out; 0 of an empty set."""
    total = x.new_zeros(*x.shape[:2], block.d)
    width = block.d // block.num_heads
    for k in range(len(x)):
        members = [y[k, j] for j in range(y.shape[1]) if mask[k, j]]
        for i in range(x.shape[1] if members else 0):
            heads = []
            for a in range(block.num_heads):
                part = slice(a * width, (a + 1) * width)
                query = linear_by_hand(block.query, x[k, i])[part]
                keys = [(block.key.weight @ member)[part] for member in members]
                values = [linear_by_hand(block.value, member)[part] for member in members]
                weights = [torch.exp(query @ key / math.sqrt(width)) for key in keys]
                seen = torch.zeros(width, dtype=x.dtype)
                for weight, value in zip(weights, values, strict=True):
                    seen = seen + weight / sum(weights) * value
                heads.append(seen)
            total[k, i] = linear_by_hand(block.out, torch.cat(heads))
    return total


def linear_by_hand(linear, x):
    if isinstance(linear, nn.Identity):
        return x
    return x @ linear.weight.T + (0 if linear.bias is None else linear.bias)


def norm_by_hand(norm, x):
    if isinstance(norm, nn.Identity):
        return x
    deviation = x - x.mean(-1, keepdim=True)
    variance = deviation.square().mean(-1, keepdim=True)
    return deviation / (variance + norm.eps).sqrt() * norm.weight + norm.bias


def by_loops(block, x, y, mask):
    start = linear_by_hand(block.query, x) if block.residual == "query" else x
    h = norm_by_hand(block.norm1, start + attention_by_loops(block, x, y, mask))
    hidden = linear_by_hand(block.linear1, h).clamp(min=0)
    return norm_by_hand(block.norm2, h + linear_by_hand(block.linear2, hidden))


@given(**sizes)
def test_it_is_its_formula_head_by_head(**drawing):
    block, x, y, mask = drawn(**drawing)
    torch.testing.assert_close(block(x, y), by_loops(block, x, y, torch.ones_like(mask)))
    torch.testing.assert_close(block(x, y, mask), by_loops(block, x, y, mask))
    alone = block.attention(x, y, mask)
    torch.testing.assert_close(alone, attention_by_loops(block, x, y, mask))


def test_the_heads_attend_apart():
    block, x, y, mask = drawn(2, 3, 4, 2, 2, False, seed=0)
    one = MultiheadAttentionBlock(4, 1, dtype=torch.float64)
    one.load_state_dict(block.state_dict())
    with pytest.raises(AssertionError):
        torch.testing.assert_close(one(x, y, mask), by_loops(block, x, y, mask))


@given(**sizes)
def test_rows_of_x_come_along_and_rows_of_y_do_not_matter(**drawing):
    block, x, y, mask = drawn(**drawing)
    source = torch.Generator().manual_seed(drawing["seed"])
    rows = torch.randperm(drawing["m"], generator=source)
    others = torch.randperm(drawing["n"], generator=source)
    moved = block(x[:, rows], y[:, others], mask[:, others])
    torch.testing.assert_close(moved, block(x, y, mask)[:, rows])


def test_the_law_can_fail():
    block, x, y, mask = drawn(2, 3, 4, 2, 2, False, seed=0)
    with pytest.raises(AssertionError):
        torch.testing.assert_close(block(x.flip(1), y, mask), block(x, y, mask))
    with pytest.raises(AssertionError):
        torch.testing.assert_close(block(x, y, mask.flip(1)), block(x, y, mask))


@pytest.mark.parametrize("options", [{}, {"bias": True}, {"bias": True, "residual": "query"}])
@pytest.mark.parametrize("layer_norm", [False, True])
def test_attention_to_an_empty_set_is_zero(layer_norm, options):
    block, x, y, _ = drawn(2, 3, 4, 2, 2, layer_norm, seed=0, **options)
    nobody = torch.zeros(2, 4, dtype=torch.bool)
    assert not block.attention(x, y, nobody).any()
    h = block.norm1(block.query(x) if options.get("residual") else x)
    expected = block.norm2(h + block.linear2(block.linear1(h).relu()))
    torch.testing.assert_close(block(x, y, nobody), expected)
    inputs = y.requires_grad_(), block.value.weight
    slopes = torch.autograd.grad(block(x, y, nobody).square().sum(), inputs)
    assert not any(slope.any() for slope in slopes)


@pytest.mark.parametrize("residual", ["input", "query"])
def test_a_bias_of_the_keys_would_make_no_difference(residual):
    block, x, y, mask = drawn(2, 3, 4, 2, 2, False, seed=0, residual=residual, bias=True)
    expected = block(x, y, mask)
    block.key.bias = nn.Parameter(torch.randn(4, dtype=torch.float64))
    torch.testing.assert_close(block(x, y, mask), expected)
    assert MultiheadAttentionBlock(4, 2, bias=True).key.bias is None


def test_dropout_acts_on_the_attention_and_both_branches_while_training():
    block, x, y, _ = drawn(64, 3, 4, 2, 2, False, seed=0, bias=True, dropout=0.5)
    assert not torch.equal(block(x, y), block(x, y))
    assert not torch.equal(block.attention(x, y), block.attention(x, y))
    plain, *_ = drawn(64, 3, 4, 2, 2, False, seed=0, bias=True)
    torch.testing.assert_close(block.eval()(x, y), plain(x, y), rtol=0, atol=0)
    for silent in (["out"], ["linear2"], ["out", "linear2"]):  # the other branch, and then none
        one, *_ = drawn(64, 3, 4, 2, 2, False, seed=0, bias=True, dropout=0.5)
        for name in silent:
            nn.init.zeros_(getattr(one, name).weight)
            nn.init.zeros_(getattr(one, name).bias)
        assert torch.equal(one(x, y), one(x, y)) == (len(silent) == 2)


class Doubling(nn.Module):
    """In the place of dropout, so that it shows where that acts."""

    p = 0.5

    def forward(self, x):
        return 2 * x


@pytest.mark.parametrize("dim_feedforward", [None, 0])
def test_what_is_dropped_are_entries_of_each_branch_and_of_the_hidden_layer(dim_feedforward):
    options = {"bias": True, "dim_feedforward": dim_feedforward}
    block, x, y, mask = drawn(2, 3, 4, 2, 2, False, seed=0, **options)
    h = x + 2 * attention_by_loops(block, x, y, mask)
    hidden = block.linear1(h).relu()
    branch = hidden if dim_feedforward == 0 else block.linear2(2 * hidden)
    block.dropout = Doubling()
    torch.testing.assert_close(block.eval()(x, y, mask), h + 2 * branch)


@pytest.mark.parametrize("dim_feedforward", [None, 0])
def test_dropout_keeps_the_mean_of_a_branch(dim_feedforward):
    block = MultiheadAttentionBlock(4, 2, dropout=0.5, dim_feedforward=dim_feedforward)
    torch.manual_seed(0)
    shuffle_parameters(block)
    x, y = torch.randn(1, 1, 4), torch.randn(1, 1, 4)
    alike = block.attention(x.expand(20_000, -1, -1), y.expand(20_000, -1, -1)).mean(0)
    torch.testing.assert_close(alike, block.eval().attention(x, y)[0], atol=0.05, rtol=0.05)
    with torch.no_grad():
        block.train().out.weight.zero_()
        if dim_feedforward == 0:  # where what is dropped is linear in what is not
            alike = block(x.expand(20_000, -1, -1), y.expand(20_000, -1, -1)).mean(0)
            torch.testing.assert_close(alike, block.eval()(x, y)[0], atol=0.05, rtol=0.05)


@pytest.mark.parametrize(
    "options",
    [
        {"bias": True},
        {"residual": "query", "x_features": 24, "y_features": 8},
        {"dim_feedforward": 0},
        {"bias": True, "residual": "query", "dim_feedforward": 0},
    ],
    ids=str,
)
def test_a_branch_adds_a_small_part_whatever_the_form(options):
    torch.manual_seed(0)
    block = MultiheadAttentionBlock(32, 4, **options)
    x, y = torch.randn(16, 8, block.x_features), torch.randn(16, 8, block.y_features)
    start = block.query(x) if block.residual == "query" else x
    added = (block(x, y) - start).square().mean() / start.square().mean()
    assert 0.01 < added < 3 * 0.25**2
    assert not any(p.any() for name, p in block.named_parameters() if name.endswith("bias"))


def test_the_bias_and_dropout_do_not_change_the_weights_that_are_drawn():
    states = []
    for options in ({}, {"dropout": 0.5}, {"residual": "input", "x_features": 4, "y_features": 4}):
        torch.manual_seed(0)
        states.append(MultiheadAttentionBlock(4, 2, **options).state_dict())
    for other in states[1:]:
        assert all(torch.equal(value, other[name]) for name, value in states[0].items())


def test_its_gradients_are_those_of_finite_differences():
    block, x, y, mask = drawn(2, 2, 3, 2, 1, True, seed=0)
    mask[0] = False
    inputs = (x.requires_grad_(), y.requires_grad_())
    assert torch.autograd.gradcheck(lambda x, y: block(x, y, mask), inputs)
    with sdpa_kernel(SDPBackend.MATH):
        assert torch.autograd.gradgradcheck(lambda x, y: block(x, y, mask), inputs)


def test_a_deep_stack_keeps_the_scale_of_its_signal_and_its_gradient():
    torch.manual_seed(0)
    x = torch.randn(32, 10, 32, requires_grad=True)
    y = x
    for _ in range(12):
        y = MultiheadAttentionBlock(32, 4)(y, y)
    assert 0.5 < y.square().mean() / x.square().mean() < 4
    (slope,) = torch.autograd.grad((y * torch.randn(y.shape)).sum(), x)
    assert 0.3 < slope.square().mean() < 10


def test_a_branch_adds_a_small_part():
    torch.manual_seed(0)
    block = MultiheadAttentionBlock(64, 4)
    x = torch.randn(16, 8, 64)
    added = (block(x, torch.randn(16, 8, 64)) - x).square().mean()
    assert 0.01 < added < 2 * 0.25**2


def test_its_start_is_drawn_from_the_global_generator():
    block, states = MultiheadAttentionBlock(4, 2, layer_norm=True), []
    for _ in range(2):
        shuffle_parameters(block)
        torch.manual_seed(0)
        block.reset_parameters()
        states.append({name: value.clone() for name, value in block.state_dict().items()})
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name])
    torch.testing.assert_close(block.key.weight @ block.key.weight.T, torch.eye(4))
    assert not block.linear1.bias.any()
    assert torch.equal(block.norm1.weight, torch.ones(4))


def test_the_norms_are_an_option():
    norms = [
        [type(module) for module in (block.norm1, block.norm2)]
        for block in (MultiheadAttentionBlock(4, 2), MultiheadAttentionBlock(4, 2, layer_norm=True))
    ]
    assert norms == [[nn.Identity] * 2, [nn.LayerNorm] * 2]
    scaled = MultiheadAttentionBlock(4, 2, layer_norm=True)(*2 * [1e3 * torch.randn(5, 3, 4)])
    torch.testing.assert_close(scaled.square().mean(2), torch.ones(5, 3), rtol=1e-3, atol=0)


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ((0, 1), {}, "d must be at least 1, got 0"),
        ((4, 0), {}, "num_heads must be at least 1, got 0"),
        ((4, 3), {}, "num_heads must divide d=4, got 3"),
        ((4, 2), {"dim_feedforward": -1}, "dim_feedforward must be at least 0, got -1"),
        ((4, 2), {"dropout": 1}, r"dropout must lie in \[0, 1\), got 1"),
        ((4, 2), {"dropout": -0.1}, r"dropout must lie in \[0, 1\), got -0.1"),
        ((4, 2), {"residual": None}, "residual must be one of 'input', 'query', got None"),
        ((4, 2), {"y_features": 0}, "y_features must be at least 1, got 0"),
        ((4, 2), {"x_features": 0}, "x_features must be at least 1, got 0"),
        ((4, 2), {"x_features": 3}, 'x must have d=4 features .* got 3: residual="query" adds'),
    ],
)
def test_bad_arguments_are_refused(arguments, options, words):
    with pytest.raises(ValueError, match=words):
        MultiheadAttentionBlock(*arguments, **options)


def test_input_of_another_shape_is_refused():
    block, x = MultiheadAttentionBlock(4, 2), torch.zeros(2, 3, 4)
    for wrong in (x[0], x[None], x[..., :3]):
        with pytest.raises(ValueError, match=r"x must have shape \(batch, n, 4\)"):
            block(wrong, x)
        with pytest.raises(ValueError, match=r"y must have shape \(batch, n, 4\)"):
            block(x, wrong)
    with pytest.raises(ValueError, match="mask must have shape"):
        block(x, x, torch.ones(2, 4, dtype=torch.bool))
    with pytest.raises(TypeError, match="x must be a tensor, got list"):
        block([x], x)


def test_rows_of_other_widths_are_expected_and_others_refused():
    options = {"residual": "query", "x_features": 3, "y_features": 5}
    block = MultiheadAttentionBlock(4, 2, **options)
    x, y = torch.zeros(2, 6, 3), torch.zeros(2, 7, 5)
    assert block(x, y).shape == block.attention(x, y).shape == (2, 6, 4)
    for call in (block, block.attention):
        with pytest.raises(ValueError, match=r"x must have shape \(batch, n, 3\)"):
            call(y, y)
        with pytest.raises(ValueError, match=r"y must have shape \(batch, n, 5\)"):
            call(x, x)
        with pytest.raises(ValueError, match="mask must have shape"):
            call(x, y, torch.ones(2, 6, dtype=torch.bool))


def test_it_shows_its_arguments():
    assert "residual='query'" in repr(MultiheadAttentionBlock(4, 2, residual="query"))
    text = repr(MultiheadAttentionBlock(4, 2, dim_feedforward=7))
    assert text.startswith("MultiheadAttentionBlock(\n  4, num_heads=2")
    assert "out_features=7" in text
