import oracles
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from invariant_nets.orbits import pair_orbits, point_orbits


@st.composite
def two_actions(draw):
    m, n = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    count = draw(st.integers(1, 3))
    return (
        [draw(st.permutations(range(m))) for _ in range(count)],
        [draw(st.permutations(range(n))) for _ in range(count)],
    )


def numbered(orbits_of, keys):
    """Numbers orbits as they first appear."""
    seen = []
    numbers = []
    for key in keys:
        orbit = orbits_of(key)
        if orbit not in seen:
            seen.append(orbit)
        numbers.append(seen.index(orbit))
    return numbers


@given(two_actions())
@settings(max_examples=80)
def test_orbits_are_those_of_the_closure(actions):
    rows, columns = actions
    m = len(rows[0])
    joint = oracles.closure(
        [tuple(a) + tuple(m + j for j in b) for a, b in zip(rows, columns, strict=True)]
    )
    assert point_orbits(torch.tensor(rows)).tolist() == numbered(
        lambda i: {g[i] for g in joint}, range(m)
    )
    pairs = [(i, m + j) for i in range(m) for j in range(len(columns[0]))]
    expected = numbered(lambda p: {(g[p[0]], g[p[1]]) for g in joint}, pairs)
    assert pair_orbits(torch.tensor(rows), torch.tensor(columns)).flatten().tolist() == expected
