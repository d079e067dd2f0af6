"""Parts of a group, or of draws from it, are parts of the whole."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from invariant_nets import Permutation, symmetric_group
from invariant_nets.averaging.sources import (
    check_source,
    group_chunks,
    kept_elements,
    stacked,
)

S_4 = symmetric_group(4)
ELEMENTS = torch.cat(list(S_4.elements()))


@given(a=st.integers(0, 24), b=st.integers(0, 24), size=st.integers(1, 30), kept=st.booleans())
def test_a_part_of_a_group_is_a_range_of_its_elements(a, b, size, kept):
    part = slice(min(a, b), max(a, b))
    chunks = list(group_chunks(S_4, ELEMENTS if kept else None, None, None, size, part))
    assert all(len(chunk) <= size for chunk in chunks)
    assert torch.equal(torch.cat([*chunks, ELEMENTS[:0]]), ELEMENTS[part])


@pytest.mark.parametrize("elements", [None, ELEMENTS])
def test_without_a_part_it_is_the_whole_group(elements):
    chunks = list(group_chunks(S_4, elements, None, None, 7, slice(None)))
    assert [len(chunk) for chunk in chunks] == [7, 7, 7, 3]
    assert torch.equal(torch.cat(chunks), ELEMENTS)


@pytest.mark.parametrize("part", [slice(None), slice(0, 3), slice(3, 8), slice(0, 0)])
def test_a_part_of_the_draws_leaves_the_generator_where_the_whole_does(part):
    one, other = (torch.Generator().manual_seed(1) for _ in range(2))
    chunks = list(group_chunks(S_4, None, 8, one, 2, part))
    assert torch.equal(torch.cat(chunks), S_4.sample(8, other)[part])
    assert torch.equal(one.get_state(), other.get_state())


def test_the_elements_of_small_groups_are_kept_and_no_draws():
    assert torch.equal(kept_elements(S_4, None), ELEMENTS)
    assert kept_elements(symmetric_group(9), None) is None
    assert kept_elements(S_4, 3) is None
    assert kept_elements(None, None) is None


def test_what_a_function_returned_comes_in_chunks():
    chunks = list(stacked(iter(S_4), 10))
    assert [len(chunk) for chunk in chunks] == [10, 10, 4]
    assert torch.equal(torch.cat(chunks), ELEMENTS)
    with pytest.raises(TypeError, match="perm_creator must give an iterable of Permutation"):
        next(stacked(Permutation([0, 1]), 1))


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ((None, [Permutation([1, 0])], None, None), TypeError, "group must be a PermutationGroup"),
        ((list, S_4, None, None), ValueError, "must not both be given"),
        ((None, None, None, None), TypeError, "perm_creator must be a function"),
        ((list, None, 3, None), ValueError, "samples must come with a group"),
        ((list, None, None, object()), ValueError, "process_group must come with a group"),
    ],
)
def test_contradictory_sources_are_refused(source, error, message):
    with pytest.raises(error, match=message):
        check_source(*source)


def test_a_function_or_a_group_alone_is_a_source():
    check_source(list, None, None, None)
    check_source(None, S_4, 3, object())
