import math

import pytest
import torch
from torch import nn

from invariant_nets import perceptron
from invariant_nets._arguments import checked_widths
from invariant_nets.layers.initialization import orthogonal_


def test_it_is_its_formula():
    network = perceptron(3, 4, 5, 2)
    x = torch.randn(6, 3)
    first, second, last = (m for m in network if isinstance(m, nn.Linear))
    hidden = (x @ first.weight.T + first.bias).clamp(min=0)
    hidden = (hidden @ second.weight.T + second.bias).clamp(min=0)
    torch.testing.assert_close(network(x), hidden @ last.weight.T + last.bias)


def test_two_widths_are_one_linear_layer():
    assert [type(m) for m in perceptron(3, 2)] == [nn.Linear]


@pytest.mark.parametrize(("width_in", "width_out"), [(6, 6), (3, 8), (1, 5)])
def test_a_matrix_that_does_not_narrow_multiplies_the_mean_square_exactly(width_in, width_out):
    layer = nn.Linear(width_in, width_out, dtype=torch.float64)
    orthogonal_(layer, math.sqrt(2))
    x = torch.randn(10, width_in, dtype=torch.float64)
    torch.testing.assert_close(layer(x).square().mean(1), 2 * x.square().mean(1))


def test_it_keeps_the_scale_of_a_signal_at_depth():
    torch.manual_seed(0)
    x = torch.randn(256, 64)
    ratio = perceptron(*[64] * 12)(x).square().mean() / x.square().mean()
    assert 0.3 < ratio < 3
    plain = nn.Sequential(*[part for _ in range(11) for part in (nn.Linear(64, 64), nn.ReLU())])
    assert plain(x).var(0).mean() < 1e-4


def test_it_starts_in_low_precision_and_without_a_bias():
    layer = nn.Linear(4, 4, bias=False, dtype=torch.bfloat16)
    orthogonal_(layer, 1.0)
    gram = (layer.weight @ layer.weight.T).float()
    torch.testing.assert_close(gram, torch.eye(4), atol=0.05, rtol=0)


def test_bad_widths_are_refused():
    with pytest.raises(ValueError, match=r"widths must hold at least two, got \(3,\)"):
        perceptron(3)
    with pytest.raises(ValueError, match=r"widths\[1\] must be at least 1, got 0"):
        perceptron(3, 0, 1)
    with pytest.raises(TypeError, match=r"hidden\[0\] must be an integer, got 2.5"):
        checked_widths("hidden", [2.5])
