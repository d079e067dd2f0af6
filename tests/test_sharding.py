"""The parts of the ranks cover the sequence, once."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from invariant_nets import shard


@given(st.integers(0, 10**20), st.integers(1, 50))
def test_the_parts_follow_each_other_and_are_alike(length, ranks):
    parts = [shard(length, rank, ranks) for rank in range(ranks)]
    assert parts[0].start == 0
    assert parts[-1].stop == length
    assert all(a.stop == b.start for a, b in itertools.pairwise(parts))
    lengths = {part.stop - part.start for part in parts}
    assert max(lengths) - min(lengths) <= 1


@pytest.mark.parametrize(
    ("arguments", "named"),
    [((-1, 0, 1), "length"), ((4, -1, 2), "rank"), ((4, 2, 2), "rank"), ((4, 0, 0), "ranks")],
)
def test_numbers_out_of_range_are_refused(arguments, named):
    with pytest.raises(ValueError, match=named):
        shard(*arguments)
