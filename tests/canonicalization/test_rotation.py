import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from invariant_nets import least_rotation
from invariant_nets.canonicalization.rotation import least_rotation_ordering, rotation_ranks
from tests import oracles

shapes = st.tuples(st.integers(0, 3), st.integers(1, 12), st.integers(1, 2))


def batches(elements):
    arrays = hnp.arrays("float64", shapes, elements=st.sampled_from(elements))
    return arrays.map(torch.from_numpy)


@given(batches([0.0, 1.0]))
def test_it_is_the_first_of_all_rotations(x):
    expected = [oracles.least_rotation(rows) for rows in x.tolist()]
    assert least_rotation(x).tolist() == expected


@given(batches([-math.inf, -1.0, -0.0, 0.0, 2.0, math.nan]), st.integers(-12, 12))
def test_every_rotation_has_the_same_canonical_form(x, shift):
    first, second = least_rotation(x), least_rotation(x.roll(shift, 1))
    torch.testing.assert_close(first, second, rtol=0, atol=0, equal_nan=True)


@given(batches([0.0, 1.0]))
def test_ranks_are_those_of_the_sorted_rotations(x):
    for rows, ranks in zip(x.tolist(), rotation_ranks(x).tolist(), strict=True):
        rotations = [rows[i:] + rows[:i] for i in range(len(rows))]
        different = []
        for rotation in sorted(rotations):
            if rotation not in different:
                different.append(rotation)
        assert ranks == [different.index(rotation) for rotation in rotations]


@pytest.mark.parametrize(("word", "times"), [("ab", 3), ("aab", 2), ("a", 5), ("abcd", 1)])
def test_places_a_period_apart_are_one_class(word, times):
    x = torch.tensor([ord(letter) for letter in word * times]).reshape(1, -1, 1).roll(1, 1)
    classes = least_rotation_ordering(x).classes[0].tolist()
    assert classes == list(range(len(word))) * times


@pytest.mark.parametrize("kind", ["distinct", "constant", "one differs", "periodic"])
def test_long_sequences_of_every_kind(kind):
    n = 300
    x = {
        "distinct": torch.randperm(n),
        "constant": torch.zeros(n, dtype=torch.int64),
        "one differs": torch.arange(n) // (n - 1),
        "periodic": torch.arange(n) % 3,
    }[kind].reshape(1, n, 1)
    assert least_rotation(x.roll(77, 1)).tolist() == [oracles.least_rotation(x[0].tolist())]


def test_each_sequence_of_a_batch_is_rotated_on_its_own():
    x = torch.randint(0, 2, (10, 7, 1)).float()
    assert torch.equal(
        least_rotation(x), torch.cat([least_rotation(x[k : k + 1]) for k in range(10)])
    )


def test_another_order_of_the_rows_has_another_form():
    x = torch.tensor([[[0.0], [1.0], [2.0], [3.0]]])
    assert not torch.equal(least_rotation(x), least_rotation(x.flip(1)))


def test_gradients_go_back_to_the_rows_that_they_came_from():
    x = torch.tensor([[[2.0], [3.0], [1.0]]], requires_grad=True)
    (least_rotation(x) * torch.tensor([[[1.0], [10.0], [100.0]]])).sum().backward()
    assert x.grad.flatten().tolist() == [10.0, 100.0, 1.0]


@pytest.mark.parametrize("shape", [(3, 2), (2, 0, 3), (2, 3, 0), (1, 2, 3, 4)])
def test_what_is_no_batch_of_sequences_is_refused(shape):
    with pytest.raises(ValueError, match="x must"):
        least_rotation(torch.zeros(shape))
