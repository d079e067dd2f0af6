import pytest
import torch

from invariant_nets import PermutationGroup, alternating_group, mathieu_group, symmetric_group
from invariant_nets.groups.finding.giants import is_giant


def images(group):
    return torch.stack([g.index_tensor for g in group.generators])


def moved(rows):
    return (rows != torch.arange(rows.shape[1])).any(0).nonzero().flatten()


@pytest.mark.parametrize("n", [8, 9, 20, 101])
@pytest.mark.parametrize("named", [symmetric_group, alternating_group])
def test_giants_are_told_by_their_certificate(named, n):
    rows = images(named(n))
    assert is_giant(rows, moved(rows))


def imprimitive(n):
    """Permutes n pairs: transitive, and far from the giants."""
    swap = list(range(2 * n))
    swap[0], swap[1] = 1, 0
    cycle = [*range(2, 2 * n), 0, 1]
    exchange = [2, 3, 0, 1, *range(4, 2 * n)]
    return torch.tensor([swap, cycle, exchange])


@pytest.mark.parametrize(
    "rows", [images(mathieu_group(11)), images(mathieu_group(24)), imprimitive(6)]
)
def test_no_certificate_is_found_where_there_is_none(rows):
    assert not is_giant(rows, moved(rows))


def test_two_orbits_are_no_giant():
    rows = images(symmetric_group(9))
    doubled = torch.cat((rows, rows + 9), dim=1)
    assert not is_giant(doubled, moved(doubled))
    assert PermutationGroup(list(doubled)).order == symmetric_group(9).order


def test_the_order_of_an_imprimitive_group():
    assert PermutationGroup(list(imprimitive(6))).order == 2**6 * 720


def test_a_giant_on_some_of_the_points():
    rows = torch.arange(20).repeat(2, 1)
    some = torch.tensor([1, 2, 4, 5, 8, 9, 11, 15, 17, 19])
    rows[:, some] = some[images(symmetric_group(10))]
    group = PermutationGroup(list(rows))
    assert group.order == symmetric_group(10).order
    assert [g for g in group.generators if g not in group] == []
