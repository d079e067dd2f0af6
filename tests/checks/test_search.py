import itertools
import time

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from invariant_nets import (
    CanonicalModel,
    LinearEquivariant,
    Permutation,
    PermutationGroup,
    SymmetryModel,
    alternating_group,
    cyclic_group,
    dihedral_group,
    direct_product,
    find_symmetry,
    intrinsic,
    mathieu_group,
    mlp,
    symmetric_group,
    symmetry_report,
    trivial_group,
)


def sets(batch=16, n=10, d=2, dtype=torch.float64):
    return torch.randn(batch, n, d, generator=torch.Generator().manual_seed(1), dtype=dtype)


def blockwise(*blocks):
    """A function that tells the blocks apart and nothing inside them."""

    def function(x):
        norms = [x[:, list(block)].square().sum((1, 2)).sqrt() for block in blocks]
        return sum((k + 1) * norm for k, norm in enumerate(norms))

    return function


def by_hand(function, x):
    """All permutations under which a function is invariant, one by one."""
    n = x.shape[1]
    rows = itertools.permutations(range(n))
    return {
        Permutation(row)
        for row in rows
        if torch.allclose(function(x[:, list(row)]), function(x), rtol=0, atol=1e-9)
    }


@pytest.mark.parametrize(
    ("blocks", "name"),
    [
        ([range(10)], "S_10"),
        ([range(3), range(3, 10)], "S_3 × S_7"),
        ([range(2), range(2, 5), range(5, 10)], "S_2 × S_3 × S_5"),
        ([[0], range(1, 10)], "S_9 on {1, 2, …, 9}"),
        (
            [[0, 2, 4], [1, 3], range(5, 10)],
            "S_3 on {0, 2, 4} × S_2 on {1, 3} × S_5 on {5, 6, 7, 8, 9}",
        ),
        ([[0], [1], [2, 5], [3], [4], [6], [7], [8], [9]], "S_2 on {2, 5}"),
        ([[i] for i in range(10)], "trivial"),
    ],
)
def test_blocks_are_found(blocks, name):
    group = find_symmetry(blockwise(*blocks), sets())
    assert group.name == name
    swaps = [
        Permutation.from_cycles(10, (block[0], other)) for block in blocks for other in block[1:]
    ]
    assert group == (PermutationGroup(swaps) if swaps else trivial_group(10))
    assert len(group.generators) <= max(1, 2 * len(blocks))


@pytest.mark.parametrize(
    "group",
    [
        cyclic_group(10),
        dihedral_group(10),
        symmetric_group(10),
        direct_product(symmetric_group(4), symmetric_group(6)),
        cyclic_group(5),
        dihedral_group(5),
        dihedral_group(4),
        symmetric_group(3),
        symmetric_group(2),
        symmetric_group(1),
    ],
    ids=lambda group: group.name,
)
def test_an_average_over_a_group_has_that_symmetry(group):
    n = group.degree
    # The largest has too many elements for an average.
    model = intrinsic(n, 2) if group.order > 1e6 else SymmetryModel(mlp(n, 2), group)
    found = find_symmetry(model.double(), sets(n=n))
    assert found == group
    assert found.name == (group.name if n > 1 else "trivial")


@pytest.mark.parametrize(
    ("generators", "name"),
    [
        ([lambda i: i + 2], "⟨i ↦ i + 2 mod 10⟩"),
        ([lambda i: i + 5], "⟨i ↦ i + 5 mod 10⟩"),
        ([lambda i: 9 - i], "⟨i ↦ 9 − i mod 10⟩"),
        ([lambda i: 4 - i], "⟨i ↦ 4 − i mod 10⟩"),
        ([lambda i: i + 2, lambda i: 9 - i], "⟨i ↦ i + 2, i ↦ 9 − i mod 10⟩"),
        ([lambda i: i + 5, lambda i: -i], "⟨i ↦ i + 5, i ↦ 5 − i mod 10⟩"),
    ],
)
def test_shifts_by_more_and_reversals_are_found(generators, name):
    group = PermutationGroup([[g(i) % 10 for i in range(10)] for g in generators])
    found = find_symmetry(SymmetryModel(mlp(10, 2), group).double(), sets())
    assert found == group
    assert found.name == name


def test_blocks_and_shifts_together():
    # Rows i and i + 3 may be exchanged, and the three pairs shifted.
    group = PermutationGroup([Permutation.from_cycles(6, (0, 3)), cyclic_group(6).generators[0]])
    found = find_symmetry(SymmetryModel(mlp(6, 2), group).double(), sets(n=6))
    assert found == group
    assert found.order == 24
    assert found.name == "⟨S_2 on {0, 3} × S_2 on {1, 4} × S_2 on {2, 5}, C_6⟩"


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6))
def test_any_blocks_are_found_as_by_hand(labels):
    weights = torch.tensor([1.0, 2.0, 4.0, 8.0], dtype=torch.float64)[labels]

    def function(x):
        return (weights[:, None] * x.square()).sum((1, 2))

    x = sets(4, len(labels))
    assert set(find_symmetry(function, x)) == by_hand(function, x)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (LinearEquivariant(2, 3).double(), "S_10"),
        (lambda x: x.sum(1, keepdim=True) - x, "S_10"),
        (lambda x: x.roll(1, 1), "C_10"),
        (lambda x: x.roll(1, 1) + x.roll(-1, 1), "D_10"),
        (lambda x: x.flip(1), "⟨S_2 on {0, 9}"),
        (lambda x: torch.cat((x[:, :3] - x[:, :3].mean(1, True), x[:, 3:].relu()), 1), "S_3 × S_7"),
        (lambda x: x.cumsum(1), "trivial"),
    ],
    ids=["layer", "others", "shift", "neighbors", "flip", "two layers", "cumsum"],
)
def test_equivariance_is_found(function, name):
    found = find_symmetry(function, sets(), equivariant=True)
    assert found.name.startswith(name) or name.startswith("⟨")
    assert symmetry_report(function, sets(), found, equivariant=True)


def test_a_flip_commutes_with_what_keeps_its_pairs():
    # (i 9−i) commutes with the flip, and so does the flip itself; no other transposition does.
    found = find_symmetry(lambda x: x.flip(1), sets(), equivariant=True)
    assert found.order % 2**5 == 0
    assert all(Permutation.from_cycles(10, (i, 9 - i)) in found for i in range(5))
    assert Permutation.from_cycles(10, (0, 1)) not in found


@pytest.mark.parametrize("group", [alternating_group(6), mathieu_group(11)])
def test_what_the_search_cannot_see_it_does_not_claim(group):
    model = SymmetryModel(mlp(group.degree, 2), group).double()
    x = sets(4, group.degree)
    assert symmetry_report(model, x, group)
    found = find_symmetry(model, x)
    assert found.is_subgroup(group)
    assert found.order < group.order


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_float32_is_enough_for_a_network(dtype):
    model = SymmetryModel(mlp(10, 2), cyclic_group(10)).to(dtype)
    assert find_symmetry(model, sets(dtype=dtype)).name == "C_10"
    assert find_symmetry(CanonicalModel(mlp(10, 2)).to(dtype), sets(dtype=dtype)).name == "S_10"
    assert find_symmetry(mlp(10, 2).to(dtype), sets(dtype=dtype)).name == "trivial"


def test_float64_finds_a_small_defect():
    def almost(x):
        return x.mean((1, 2)) + 1e-6 * x[:, 0, 0]

    x = sets(dtype=torch.float32)
    assert find_symmetry(almost, x, double=False).name == "S_10"
    assert find_symmetry(almost, x).name == "S_9 on {1, 2, …, 9}"
    assert find_symmetry(almost, x, double=True, rtol=1e-3).name == "S_10"
    assert find_symmetry(almost, x, double=True, atol=1e-3).name == "S_10"


def test_the_model_is_left_as_it_was():
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(20, 1)).train()
    state = torch.get_rng_state()
    assert find_symmetry(model, sets(dtype=torch.float32), double=True).name == "trivial"
    assert model.training
    assert model[2].weight.dtype == torch.float32
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert torch.equal(torch.get_rng_state(), state)


def test_no_graph_is_built():
    grad_enabled = []
    find_symmetry(lambda x: grad_enabled.append(torch.is_grad_enabled()) or x.sum(1), sets())
    assert not any(grad_enabled)


def test_few_calls_are_made():
    calls = []
    find_symmetry(lambda x: calls.append(len(x)) or x.sum((1, 2)), sets(16, 100, 1))
    # 99 swaps, 8 shifts and 100 reversals of 16 sets, in super-batches.
    assert len(calls) < 12
    assert sum(calls) < 100 * 16 * 2.5 + 100


@pytest.mark.parametrize(
    ("function", "name"),
    [(lambda x: x.square().sum((1, 2)), "S_300"), (lambda x: x.cumsum(1)[:, ::7].sum((1, 2)), "")],
    ids=["one block", "many blocks"],
)
def test_large_sets_take_seconds(function, name):
    start = time.perf_counter()
    found = find_symmetry(function, sets(8, 300, 1))
    assert time.perf_counter() - start < 10
    assert found.name.startswith(name)
    assert symmetry_report(function, sets(8, 300, 1), found)


def test_many_blocks_have_a_short_name():
    found = find_symmetry(lambda x: x.cumsum(1)[:, ::7].sum((1, 2)), sets(8, 100, 1))
    assert found.name == "a product of 14 symmetric groups"


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_a_constant_function_has_every_symmetry(value):
    assert find_symmetry(lambda x: torch.full((len(x),), value), sets(n=4)).name == "S_4"


def test_one_set_and_one_row_are_enough():
    assert find_symmetry(mlp(1, 2).double(), sets(n=1)).order == 1
    assert find_symmetry(blockwise(range(3), range(3, 10)), sets(1)).name == "S_3 × S_7"


def test_equal_rows_cannot_be_told_apart():
    x = sets()
    x[:, 1] = x[:, 0]
    with pytest.warns(UserWarning, match="rows 0 and 1 are equal in all sets"):
        found = find_symmetry(blockwise(*([i] for i in range(10))), x)
    assert found.name == "S_2 on {0, 1}"


# Bad input.


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.sum((1, 2)) + torch.randn(len(x)),
        SymmetryModel(mlp(10, 2), symmetric_group(10), samples=3).double(),
    ],
    ids=["noise", "sampled average"],
)
def test_a_random_function_is_refused(function):
    with pytest.raises(ValueError, match=r"model must be deterministic .* two calls .* differ by"):
        find_symmetry(function, sets())


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_outputs_that_are_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match="model must have finite outputs"):
        find_symmetry(lambda x: x.sum((1, 2)) + bad, sets())


@pytest.mark.parametrize("x", [torch.zeros(4, 2), torch.zeros(0, 3, 2), torch.zeros(3, 0, 2)])
def test_input_that_is_no_batch_of_sets_is_refused(x):
    with pytest.raises(ValueError, match="input must"):
        find_symmetry(lambda x: x.sum((1, 2)), x)


def test_outputs_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="model must return one row per member"):
        find_symmetry(lambda x: x.sum(1), sets(), equivariant=True)
    with pytest.raises(TypeError, match="model must return a tensor, got NoneType"):
        find_symmetry(lambda x: None, sets())
