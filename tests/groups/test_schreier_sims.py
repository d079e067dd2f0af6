import pytest
import torch

from invariant_nets import (
    Permutation,
    PermutationGroup,
    alternating_group,
    cyclic_group,
    mathieu_group,
    symmetric_group,
)
from invariant_nets.groups.finding import giants
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


def test_two_orbitals_are_looked_for_before_random_words(monkeypatch):
    rows = imprimitive(10)
    monkeypatch.setattr(giants, "random_words", None)
    assert not is_giant(rows, moved(rows))
    monkeypatch.setattr(giants, "_ORBITAL_EDGES", 0)
    rows = images(cyclic_group(20).on_tuples(1))
    with pytest.raises(TypeError, match="not callable"):
        is_giant(rows, moved(rows))
    rows = images(mathieu_group(12))
    assert not is_giant(rows, moved(rows))


def test_a_cycle_of_prime_length_counts_where_no_other_length_is_a_multiple():
    words = [
        Permutation.from_cycles(20, range(5), range(5, 9)),  # 5 and 4
        Permutation.from_cycles(20, range(5), range(5, 15)),  # 5 and 10
        Permutation.from_cycles(20, range(5), range(5, 10)),  # twice 5
        Permutation.from_cycles(20, range(4), range(4, 10)),  # no prime
        Permutation.from_cycles(20, range(19)),  # 19 > 20 - 3
        Permutation.from_cycles(20, range(17)),
    ]
    found = giants._prime_cycles([word.index_tensor.tolist() for word in words], 20)
    assert list(found) == [tuple(range(5)), tuple(range(17))]
