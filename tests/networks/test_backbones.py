import re

import pytest
import torch
from torch import nn

from invariant_nets import PositionalEncoding, intrinsic, mlp, transformer
from tests import oracles
from tests.defaults import default_dtype

BACKBONES = [mlp, transformer, intrinsic]


def parameters_of(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("d_model", [1, 2, 3, 4, 5, 8, 17])
@pytest.mark.parametrize("max_len", [1, 2, 50])
def test_the_encoding_is_the_sinusoidal_one(d_model, max_len):
    encoding = PositionalEncoding(d_model, max_len)(torch.zeros(1, max_len, d_model))
    expected = oracles.positional_encoding(d_model, max_len)
    torch.testing.assert_close(encoding[0].double(), expected, atol=1e-5, rtol=0)


def test_the_encoding_is_added():
    encoding, x = PositionalEncoding(4, 6), torch.randn(2, 6, 4)
    zero = torch.zeros(1, 6, 4)
    torch.testing.assert_close(encoding(x), x + encoding(zero))


def test_a_shorter_set_gets_the_first_codes():
    encoding = PositionalEncoding(4, 6)
    assert torch.equal(encoding(torch.zeros(1, 3, 4)), encoding(torch.zeros(1, 6, 4))[:, :3])


def test_the_encoding_tells_all_rows_apart():
    codes = PositionalEncoding(5, 100)(torch.zeros(1, 100, 5))[0]
    assert torch.pdist(codes).min() > 1e-3


def test_the_encoding_is_a_buffer_and_no_parameter():
    encoding = PositionalEncoding(4, 6)
    assert parameters_of(encoding) == 0
    assert list(encoding.state_dict()) == ["encoding"]
    assert encoding.double()(torch.zeros(1, 2, 4, dtype=torch.float64)).dtype == torch.float64


@pytest.mark.parametrize("shape", [(1, 7, 4), (1, 6, 3), (6, 4), (1, 0, 4), (1, 1, 6, 4)])
def test_input_that_the_encoding_does_not_fit_is_refused(shape):
    with pytest.raises(ValueError, match=rf"x must.*got {re.escape(str(shape))}"):
        PositionalEncoding(4, 6)(torch.zeros(shape))


@pytest.mark.parametrize(
    ("d_model", "max_len", "words"), [(0, 5, "d_model .* got 0"), (4, 0, "max_len .* got 0")]
)
def test_an_encoding_of_nothing_is_refused(d_model, max_len, words):
    with pytest.raises(ValueError, match=words):
        PositionalEncoding(d_model, max_len)


def test_the_mlp_has_the_layers_that_its_docstring_draws():
    linears = [m for m in mlp(7, 3) if isinstance(m, nn.Linear)]
    assert [(m.in_features, m.out_features) for m in linears] == [(21, 30), (30, 30), (30, 1)]


def test_the_transformer_has_one_encoder_layer_of_the_asked_width():
    (layer,) = (
        m for m in transformer(7, 4, dim_feedforward=9) if isinstance(m, nn.TransformerEncoderLayer)
    )
    assert layer.linear1.out_features == 9
    assert layer.self_attn.num_heads == 1
    assert layer.self_attn.embed_dim == 4
    assert layer.self_attn.batch_first


def test_the_default_feed_forward_width_is_small_beside_pytorchs():
    assert parameters_of(transformer(10, 5)) < parameters_of(nn.TransformerEncoderLayer(5, 1)) / 20


def test_dropout_acts_while_training_only():
    network, x = transformer(5, 3, dropout=0.5), torch.randn(8, 5, 3)
    assert not torch.equal(network(x), network(x))
    network.eval()
    assert torch.equal(network(x), network(x))


@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_parameter_gets_a_gradient(backbone):
    network = backbone(4, 3)
    network(torch.randn(64, 4, 3)).square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dim_feedforward": 0}, "dim_feedforward must be at least 1, got 0"),
        ({"dropout": 1.5}, "dropout probability .* between 0 and 1, but got 1.5"),
    ],
)
def test_transformer_options_out_of_range_are_refused(options, words):
    with pytest.raises(ValueError, match=words):
        transformer(4, 3, **options)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_network_can_be_cut_like_a_sequential(backbone):
    network, x = backbone(4, 3).eval(), torch.randn(6, 4, 3)
    torch.testing.assert_close(network[1:](network[:1](x)), network(x))
    assert network[0] is next(iter(network))


def test_the_positions_are_right_whatever_the_default_dtype_is():
    expected = PositionalEncoding(8, 5000).encoding
    for dtype in (torch.bfloat16, torch.float16, torch.float64):
        with default_dtype(dtype):
            encoding = PositionalEncoding(8, 5000).encoding
        assert encoding.dtype == dtype
        rounding = max(torch.finfo(dtype).eps, 1e-3)  # of the positions, in single precision
        torch.testing.assert_close(encoding.float(), expected, atol=rounding, rtol=0)
