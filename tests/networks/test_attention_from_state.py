"""Blocks of others, written from their equations, and ours with their weights."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from invariant_nets import (
    AttentionPooling,
    InducedSetAttentionBlock,
    MultiheadAttentionBlock,
    SetAttentionBlock,
    attention_from_state,
)

DOUBLE = {"dtype": torch.float64}
CLOSE = {"rtol": 0, "atol": 1e-10}
heads = pytest.mark.parametrize("k", [1, 2, 4])
norms = pytest.mark.parametrize("normed", [False, True])


# Their states, by their names.


def linear(name, width_in, width_out):
    return {f"{name}.weight": (width_out, width_in), f"{name}.bias": (width_out,)}


def norm(name, width):
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def published(before="", x=8, y=8, d=8, normed=True):
    """The shapes of a MAB of the published code, of x and y features to d."""
    shapes = linear("fc_q", x, d) | linear("fc_k", y, d) | linear("fc_v", y, d)
    shapes |= linear("fc_o", d, d) | (norm("ln0", d) | norm("ln1", d) if normed else {})
    return {before + name: shape for name, shape in shapes.items()}


def torchs(before="", d=8):
    shapes = {"in_proj_weight": (3 * d, d), "in_proj_bias": (3 * d,), **linear("out_proj", d, d)}
    return {before + name: shape for name, shape in shapes.items()}


def of_graphs(before="", d=8, normed=True):
    """The shapes of a block of PyTorch Geometric."""
    norms = norm("layer_norm1", d) | norm("layer_norm2", d) if normed else {}
    shapes = torchs("attn.", d) | linear("lin", d, d) | norms
    return {before + name: shape for name, shape in shapes.items()}


def drawn(shapes, dtype=torch.float64):
    source = torch.Generator().manual_seed(0)
    return {
        name: (torch.randn(shape, generator=source, dtype=torch.float64) / 2).to(dtype)
        for name, shape in shapes.items()
    }


def sets(*widths, sizes=(5, 7)):
    source = torch.Generator().manual_seed(1)
    return [
        torch.randn(3, n, width, generator=source, **DOUBLE)
        for n, width in zip(sizes, widths, strict=False)
    ]


def some_mask():
    mask = torch.rand(3, 7, generator=torch.Generator().manual_seed(2)) < 0.6
    mask[:, 0] = True
    return mask


# What they compute: the equations, one head after the other.


def within(state, before):
    return {name.removeprefix(before): w for name, w in state.items() if name.startswith(before)}


def affine(state, name, x):
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def normalized(state, name, x):
    if f"{name}.weight" not in state:
        return x
    return F.layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"])


def looked_up(query, key, value, k, scale, mask=None):
    """The softmax of the scores of each head, times its values, side by side."""
    seen = []
    for q, key_, v in zip(*(part.chunk(k, -1) for part in (query, key, value)), strict=True):
        scores = q @ key_.mT / scale
        if mask is not None:
            scores = scores.masked_fill(~mask[:, None], -math.inf)
        seen.append(scores.softmax(-1) @ v)
    return torch.cat(seen, -1)


def published_block(state, x, y, k):
    query, key, value = (affine(state, f"fc_{c}", z) for c, z in zip("qkv", (x, y, y), strict=True))
    h = query + looked_up(query, key, value, k, math.sqrt(query.shape[-1]))
    h = normalized(state, "ln0", h)
    return normalized(state, "ln1", h + affine(state, "fc_o", h).relu())


def torchs_attention(state, x, y, k, mask=None):
    weights, biases = state["in_proj_weight"].chunk(3), state["in_proj_bias"].chunk(3)
    query, key, value = (z @ w.T + b for z, w, b in zip((x, y, y), weights, biases, strict=True))
    seen = looked_up(query, key, value, k, math.sqrt(x.shape[-1] / k), mask)
    return affine(state, "out_proj", seen)


def block_of_graphs(state, x, y, k, mask=None):
    h = normalized(
        state, "layer_norm1", x + torchs_attention(within(state, "attn."), x, y, k, mask)
    )
    return normalized(state, "layer_norm2", h + affine(state, "lin", h).relu())


# Ours give the same.


@heads
def test_the_attention_of_torch(k):
    theirs = nn.MultiheadAttention(8, k, batch_first=True, **DOUBLE)
    theirs.load_state_dict(drawn(torchs()))
    ours, mask = attention_from_state(theirs.state_dict(), k), some_mask()
    assert type(ours) is MultiheadAttentionBlock
    x, y = sets(8, 8)
    torch.testing.assert_close(ours.attention(x, y), theirs(x, y, y)[0], **CLOSE)
    expected = theirs(x, y, y, ~mask)[0]
    torch.testing.assert_close(ours.attention(x, y, mask), expected, **CLOSE)
    torch.testing.assert_close(torchs_attention(theirs.state_dict(), x, y, k, mask), expected)
    h = x + expected
    torch.testing.assert_close(ours(x, y, mask), h + ours.linear2(ours.linear1(h).relu()))


@pytest.mark.parametrize("bias", [False, True])
def test_the_attention_of_torch_to_members_of_another_width(bias):
    theirs = nn.MultiheadAttention(8, 2, bias=bias, kdim=3, vdim=3, batch_first=True, **DOUBLE)
    ours = attention_from_state(theirs.state_dict(), 2)
    x, y = sets(8, 3)
    torch.testing.assert_close(ours.attention(x, y), theirs(x, y, y)[0], **CLOSE)
    assert (ours.query.bias is not None) == bias


@heads
@norms
def test_a_published_block(k, normed):
    state, (x, y) = drawn(published(x=6, y=3, normed=normed)), sets(6, 3)
    ours = attention_from_state(state, k)
    assert type(ours) is MultiheadAttentionBlock
    torch.testing.assert_close(ours(x, y), published_block(state, x, y, k), **CLOSE)
    if k > 1:  # with the scale of a head it would be another function
        unscaled = attention_from_state(state, k)
        unscaled.key.weight.data.mul_(math.sqrt(k))
        assert not torch.allclose(unscaled(x, y), ours(x, y), atol=1e-3)


@heads
@norms
def test_published_self_attention(k, normed):
    state, (x,) = drawn(published("mab.", 3, 3, normed=normed)), sets(3)
    ours = attention_from_state(state, k)
    assert type(ours) is SetAttentionBlock
    torch.testing.assert_close(ours(x), published_block(within(state, "mab."), x, x, k), **CLOSE)


@heads
@norms
def test_published_attention_by_way_of_points(k, normed):
    shapes = published("mab0.", 8, 3, normed=normed) | published("mab1.", 3, 8, normed=normed)
    state, (x,) = drawn(shapes | {"I": (1, 4, 8)}), sets(3)
    ours = attention_from_state(state, k)
    assert type(ours) is InducedSetAttentionBlock
    seen = published_block(within(state, "mab0."), state["I"].expand(3, -1, -1), x, k)
    expected = published_block(within(state, "mab1."), x, seen, k)
    torch.testing.assert_close(ours(x), expected, **CLOSE)


@heads
@norms
def test_published_pooling(k, normed):
    state, (x,) = drawn(published("mab.", normed=normed) | {"S": (1, 2, 8)}), sets(8)
    ours = attention_from_state(state, k)
    assert type(ours) is AttentionPooling
    seeds = state["S"].expand(3, -1, -1)
    torch.testing.assert_close(
        ours(x), published_block(within(state, "mab."), seeds, x, k), **CLOSE
    )


@heads
@norms
def test_blocks_of_graphs(k, normed):
    (x, y), mask = sets(8, 8), some_mask()
    state = drawn(of_graphs(normed=normed))
    ours = attention_from_state(state, k)
    assert type(ours) is MultiheadAttentionBlock
    torch.testing.assert_close(ours(x, y, mask), block_of_graphs(state, x, y, k, mask), **CLOSE)

    state = drawn(of_graphs("mab.", normed=normed))
    ours, inner = attention_from_state(state, k), within(state, "mab.")
    assert type(ours) is SetAttentionBlock
    expected = block_of_graphs(inner, y, y, k, mask)
    torch.testing.assert_close(ours(y, mask)[mask], expected[mask], **CLOSE)

    first, second = of_graphs("mab1.", normed=normed), of_graphs("mab2.", normed=normed)
    state = drawn({"ind": (1, 4, 8)} | first | second)
    ours, points = attention_from_state(state, k), state["ind"].expand(3, -1, -1)
    assert type(ours) is InducedSetAttentionBlock
    seen = block_of_graphs(within(state, "mab1."), points, y, k, mask)
    expected = block_of_graphs(within(state, "mab2."), y, seen, k)
    torch.testing.assert_close(ours(y, mask)[mask], expected[mask], **CLOSE)

    state = drawn({"seed": (1, 2, 8)} | linear("lin", 8, 8) | of_graphs("mab.", normed=normed))
    ours, seeds = attention_from_state(state, k), state["seed"].expand(3, -1, -1)
    assert type(ours) is AttentionPooling
    codes = affine(state, "lin", y).relu()
    expected = block_of_graphs(within(state, "mab."), seeds, codes, k, mask)
    torch.testing.assert_close(ours(y, mask), expected, **CLOSE)


STATES = {
    "torch": torchs(),
    "published MAB": published(),
    "published SAB": published("mab."),
    "published ISAB": published("mab0.") | published("mab1.") | {"I": (1, 4, 8)},
    "published PMA": published("mab.") | {"S": (1, 2, 8)},
    "block of graphs": of_graphs(),
    "pooling of graphs": of_graphs("mab.") | linear("lin", 8, 8) | {"seed": (1, 2, 8)},
}
every_state = pytest.mark.parametrize("shapes", STATES.values(), ids=STATES)


@every_state
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_the_weights_are_copies_in_their_type_and_may_drop_while_training(shapes, dtype):
    state = drawn(shapes, dtype)
    before = {name: weight.clone() for name, weight in state.items()}
    ours = attention_from_state(state, 2, dropout=0.25)
    assert {p.dtype for p in ours.parameters()} == {dtype}
    assert {m.p for m in ours.modules() if isinstance(m, nn.Dropout)} == {0.25}
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.add_(1)
    assert all(torch.equal(state[name], before[name]) for name in state)


@every_state
def test_a_state_with_a_weight_too_few_or_too_many_is_refused(shapes):
    state = drawn(shapes)
    for name in shapes:
        less = {other: weight for other, weight in state.items() if other != name}
        if name == "S":
            assert type(attention_from_state(less, 2)) is SetAttentionBlock
        elif name.endswith("fc_k.bias"):  # which makes no difference
            attention_from_state(less, 2)
        else:
            with pytest.raises(ValueError, match=r"^state must (be|hold)"):
                attention_from_state(less, 2)
    with pytest.raises(ValueError, match=r"state must be that of .*attention block, got .*other"):
        attention_from_state({**state, "other.weight": torch.zeros(2)}, 2)


@pytest.mark.parametrize(
    ("state", "num_heads", "error", "words"),
    [
        ({}, 2, ValueError, "state must be that of an attention block, got nothing"),
        (drawn(published()), 3, ValueError, "num_heads must divide d=8, got 3"),
        (drawn(published()), 0, ValueError, "num_heads must be at least 1, got 0"),
        (nn.MultiheadAttention(8, 2), 2, TypeError, r"got MultiheadAttention: module.state_dict"),
        ({"fc_q.weight": [[1.0]]}, 1, TypeError, "state must map names to tensors, got dict"),
        (
            nn.MultiheadAttention(8, 2, kdim=3, vdim=4).state_dict(),
            2,
            ValueError,
            "state must have keys and values of the same features, got 3 and 4",
        ),
        (
            nn.MultiheadAttention(8, 2, add_bias_kv=True).state_dict(),
            2,
            ValueError,
            "state must be that of an attention block, got bias_k",
        ),
    ],
    ids=["nothing", "heads", "no heads", "a module", "a list", "two widths", "a learned member"],
)
def test_what_is_no_such_state_is_refused(state, num_heads, error, words):
    with pytest.raises(error, match=words):
        attention_from_state(state, num_heads)
