import pytest
import torch

from invariant_nets.groups.chain import StabilizerChain
from invariant_nets.groups.known_chains import on_tuples, symmetric_levels


@pytest.mark.parametrize("even", [False, True])
def test_levels_on_some_of_the_points_leave_the_others(even):
    points = torch.tensor([1, 3, 4, 6])
    chain = StabilizerChain(8, symmetric_levels(points, 8, even))
    (elements,) = chain.runs(0, chain.order, chain.order)
    assert len(elements.unique(dim=0)) == chain.order == (12 if even else 24)
    others = torch.tensor([0, 2, 5, 7])
    assert torch.equal(elements[:, others], others.expand(chain.order, -1))
    assert torch.equal(elements[:, points].sort(-1).values, points.expand(chain.order, -1))


def test_digit_zero_is_the_identity():
    for level in symmetric_levels(torch.arange(5), 5, even=True):
        assert level.rows(torch.tensor([0])).tolist() == [[0, 1, 2, 3, 4]]


def test_tuples_are_numbered_row_by_row():
    images = torch.tensor([[2, 0, 1]])
    moved = on_tuples(images, 3)[0]
    for i in range(3):
        for j in range(3):
            for k in range(3):
                g = images[0].tolist()
                assert moved[9 * i + 3 * j + k] == 9 * g[i] + 3 * g[j] + g[k]
