import math

import pytest
import torch

from invariant_nets.layers.initialization import semi_orthogonal


@pytest.mark.parametrize(("d", "out"), [(3, 8), (8, 8), (8, 3), (1, 1)])
@pytest.mark.parametrize("transposed", [False, True])
def test_its_rows_or_columns_are_orthogonal_and_set_the_scale(d, out, transposed):
    like = torch.empty(*((out, d) if transposed else (d, out)), dtype=torch.float64)
    matrix = semi_orthogonal(like, (d, out), gain=3.0, scale=0.5)
    assert matrix.shape == like.shape
    matrix = 0.5 * (matrix.T if transposed else matrix) / 3.0
    small = matrix @ matrix.T if d <= out else matrix.T @ matrix
    expected = max(1, out / d) * torch.eye(len(small), dtype=torch.float64)
    torch.testing.assert_close(small, expected)


def test_it_multiplies_the_mean_square_by_the_gain_squared():
    torch.manual_seed(0)
    x = torch.randn(1000, 4, dtype=torch.float64)
    y = x @ semi_orthogonal(torch.empty(4, 16, dtype=torch.float64), (4, 16), math.sqrt(2))
    ratio = (y.square().mean() / x.square().mean()).item()
    assert ratio == pytest.approx(2)


def test_half_precision_is_drawn_in_single():
    assert semi_orthogonal(torch.empty(3, 4).bfloat16(), (3, 4), 1.0).dtype == torch.float32
