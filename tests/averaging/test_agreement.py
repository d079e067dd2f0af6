"""Ranks that were given different things find it out, all of them, down to a bit."""

import subprocess
import sys

import pytest
import torch
import torch.distributed as dist
from hypothesis import given
from hypothesis import strategies as st

from invariant_nets.averaging.sharded import _digest as digest
from invariant_nets.averaging.sharded import agree, process_group_of
from tests.ranks import on_ranks, outcome

CPU = torch.device("cpu")
DTYPES = [
    torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.int64, torch.uint8,
    torch.complex64, torch.complex128,
]  # fmt: skip


def some(dtype, *shape, seed=0):
    return (torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 50).to(dtype)


@given(
    dtype=st.sampled_from(DTYPES),
    size=st.integers(1, 40),
    place=st.integers(0, 10**6),
    bit=st.integers(0, 7),
)
def test_every_bit_tells(dtype, size, place, bit):
    x = some(dtype, size)
    y = x.clone()
    y.view(torch.uint8)[place % y.view(torch.uint8).numel()] ^= 1 << bit
    assert digest(x) == digest(x.clone())
    assert digest(x) != digest(y)


@given(size=st.integers(2, 40), places=st.tuples(st.integers(0, 39), st.integers(0, 39)))
def test_places_tell(size, places):
    i, j = (place % size for place in places)
    x = torch.arange(size)
    y = x.clone()
    y[[i, j]] = y[[j, i]]
    assert (digest(x) == digest(y)) == (i == j)


def test_shape_type_and_layout():
    x = some(torch.float32, 4, 6)
    others = x.view(6, 4), x.view(24), x.view(torch.int32), x.double(), x.t()
    assert len({digest(other) for other in (x, *others)}) == 6
    assert digest(x.t()) == digest(x.t().contiguous())
    assert digest(torch.zeros(3)) != digest(torch.zeros(2))
    assert digest(torch.zeros(0, 3)) != digest(torch.zeros(3, 0))
    assert digest(torch.zeros(3)) != digest(-torch.zeros(3))
    assert digest(torch.tensor([True, False])) != digest(torch.tensor([False, True]))
    assert digest(some(torch.complex64, 3)) == digest(some(torch.complex64, 3).conj().conj())


def test_lists_of_tensors_tell_their_order_and_their_number():
    a, b = some(torch.float64, 3), some(torch.float64, 2, 2, seed=1)
    lists = [a, b], [b, a], [a], [a, b, b], [], [a + 1, b]
    assert len({digest(value) for value in lists}) == 6
    assert digest([a, b]) == digest([a.clone(), b.clone()])


@pytest.mark.slow
def test_another_process_has_the_same_digests():
    code = (
        "import torch; from invariant_nets.averaging.sharded import _digest;"
        "print([_digest(v) for v in (torch.arange(5.0), 'word', None, [torch.ones(2)])])"
    )
    values = torch.arange(5.0), "word", None, [torch.ones(2)]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str([digest(value) for value in values])


def test_ranks_that_agree_go_on():
    def same():
        values = {"x": some(torch.float64, 3), "list": [torch.ones(2)], "word": "one", "no": None}
        return agree(dist.group.WORLD, CPU, values)

    assert on_ranks(3, same) == [None] * 3


@pytest.mark.parametrize(
    ("own", "different"),
    [
        (lambda rank: torch.full((2,), float(rank > 0)), "ranks 1, 2"),
        (lambda rank: torch.full((2,), float(rank == 2)), "rank 2"),
        (lambda rank: torch.zeros(2 + (rank == 1)), "rank 1"),
        (lambda rank: [torch.zeros(2), torch.full((), rank // 2)], "rank 2"),
        (lambda rank: None if rank else torch.zeros(2), "ranks 1, 2"),
        (lambda rank: ("one", rank > 1), "rank 2"),
    ],
)
def test_all_ranks_hear_which_differ_and_in_what(own, different):
    def differ():
        rank = dist.get_rank()
        values = {"same": torch.ones(3), "y": own(rank), "z": own(rank)}
        return outcome(lambda: agree(dist.group.WORLD, CPU, values))

    for error in on_ranks(3, differ):
        assert isinstance(error, ValueError)
        assert str(error).startswith("y must be the same, bit for bit, on all ranks")
        assert f"it is not on {different} what it is on rank 0" in str(error)


def test_every_rank_describes_its_own():
    def differ():
        x = torch.zeros(2, 3 + dist.get_rank())
        return str(outcome(lambda: agree(dist.group.WORLD, CPU, {"x": x})))

    for rank, message in enumerate(on_ranks(2, differ)):
        assert message.endswith(f"here it is of shape (2, {3 + rank}), torch.float32")


def test_only_the_ranks_of_the_group_need_agree():
    def by_pairs():
        mesh = dist.device_mesh.init_device_mesh("cpu", (2, 2), mesh_dim_names=("a", "b"))
        x = torch.tensor(dist.get_rank() // 2)
        groups = mesh.get_group("a"), mesh.get_group("b")
        return [outcome(lambda group=group: agree(group, CPU, {"x": x})) for group in groups]

    for along_a, along_b in on_ranks(4, by_pairs):
        assert isinstance(along_a, ValueError)
        assert along_b is None


def test_a_process_group_is_what_it_must_be():
    def kinds():
        groups = dist.group.WORLD, dist.new_group([0]), 3, None
        return [outcome(lambda g=g: process_group_of(g) is g) for g in groups]

    for rank, (world, first, number, none) in enumerate(on_ranks(2, kinds)):
        assert world is True
        assert first is True if rank == 0 else "must have this rank, 1" in str(first)
        for error in (number, none):
            assert isinstance(error, TypeError)
            assert "process_group must be a torch.distributed.ProcessGroup" in str(error)


def test_a_torch_without_ranks_says_so(monkeypatch):
    monkeypatch.setattr(dist, "is_available", lambda: False)
    with pytest.raises(ValueError, match="this torch comes without torch"):
        process_group_of(object())
