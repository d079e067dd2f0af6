"""`symmetry_report` with groups, grids and float64; its short names are held in test_assertions."""

import copy
import time

import pytest
import torch
from torch import nn

from invariant_nets import (
    Permutation,
    PermutationGroup,
    SymmetryModel,
    alternating_group,
    assert_equivariant,
    assert_invariant,
    create_permutations_from_generators,
    cyclic_group,
    dihedral_group,
    direct_product,
    intrinsic,
    mlp,
    rubiks_cube_group,
    symmetric_group,
    symmetry_report,
    test_equivariant,
    test_invariant,
    trivial_group,
)


def sets(batch=32, n=6, d=3, dtype=torch.float32):
    return torch.randn(batch, n, d, generator=torch.Generator().manual_seed(0), dtype=dtype)


def rows_tried(group, n):
    """The permutations that a report tries, read off the inputs that the function sees."""
    seen = []
    x = torch.arange(float(n))[None, :, None].expand(2, -1, -1)
    symmetry_report(lambda x: seen.append(x[0, :, 0].long()) or x.sum((1, 2)), x, group)
    return [Permutation(row) for row in seen[2:]]  # after two calls on the input itself


# Groups.


@pytest.mark.parametrize("group", [cyclic_group(6), dihedral_group(6), symmetric_group(6)])
def test_an_average_over_a_group_is_invariant_to_it(group):
    assert symmetry_report(SymmetryModel(mlp(6, 3), group), sets(), group)


@pytest.mark.parametrize(
    ("smaller", "larger"),
    [
        (trivial_group(6), PermutationGroup([[1, 0, 2, 3, 4, 5]])),
        (cyclic_group(6), dihedral_group(6)),
        (dihedral_group(6), symmetric_group(6)),
        (direct_product(symmetric_group(2), symmetric_group(4)), symmetric_group(6)),
    ],
)
@pytest.mark.parametrize("equivariant", [False, True])
def test_an_average_over_a_smaller_group_fails_for_a_larger_one(smaller, larger, equivariant):
    backbone = nn.Sequential(nn.Flatten(), nn.Linear(18, 18), nn.Tanh(), nn.Linear(18, 6))
    model = SymmetryModel(backbone, smaller, equivariant=equivariant)
    assert symmetry_report(model, sets(), smaller, equivariant=equivariant)
    assert not symmetry_report(model, sets(), larger, equivariant=equivariant)


@pytest.mark.parametrize("group", [cyclic_group(6), alternating_group(6), symmetric_group(6)])
def test_the_generators_and_random_elements_of_the_group_are_tried(group):
    tried = rows_tried(group, 6)
    assert tuple(tried[: len(group.generators)]) == group.generators
    assert all(element in group for element in tried)
    assert len(set(tried)) > len(group.generators) + 1


def test_a_group_is_never_listed():
    group = rubiks_cube_group()
    start = time.perf_counter()
    report = symmetry_report(lambda x: x.sum((1, 2)), sets(4, 48, 1), group)
    assert report
    assert report.num_permutations < 50
    assert not symmetry_report(lambda x: x[:, 0], sets(4, 48, 1), group)
    assert time.perf_counter() - start < 20


def test_a_list_of_generators_needs_no_stabilizer_chain():
    generators = [Permutation.from_cycles(200, (2 * i, 2 * i + 1)) for i in range(100)]
    start = time.perf_counter()
    assert symmetry_report(lambda x: x.sum(1), sets(4, 200, 1), generators)
    assert time.perf_counter() - start < 5


def test_a_group_and_the_list_of_its_generators_agree():
    model = SymmetryModel(mlp(6, 3), cyclic_group(6))
    for group in (cyclic_group(6), symmetric_group(6)):
        named = symmetry_report(model, sets(), group)
        listed = symmetry_report(model, sets(), list(group.generators))
        assert named.holds == listed.holds


def test_the_report_names_the_group_by_its_name():
    product = direct_product(symmetric_group(2), symmetric_group(4))
    assert symmetry_report(lambda x: x.sum(1), sets(), product).group == "S_2 × S_4"
    assert str(test_invariant(lambda x: x.sum(1), sets(), cyclic_group(6))).startswith(
        "invariant to C_6: yes\n"
    )


def test_the_largest_error_is_that_of_an_element_of_the_group():
    report = symmetry_report(lambda x: x[:, 0], sets(), cyclic_group(6))
    moved = report.permutation(sets())[:, 0]
    assert report.permutation in cyclic_group(6)
    assert report.max_error == (moved - sets()[:, 0]).abs().max()


# Grids.

GRID = direct_product(symmetric_group(6), symmetric_group(3), on="grid")


def test_a_grid_permutes_the_entries():
    assert symmetry_report(lambda x: x.sum((1, 2)), sets(), GRID)
    # Invariant to the order of the rows, not to that of the columns.
    rows_only = symmetry_report(lambda x: x.sum(1), sets(), GRID)
    assert not rows_only
    assert rows_only.relative_error > 0.1
    assert test_invariant(lambda x: x.sum(1), sets())


def test_equivariance_on_a_grid():
    def center(x):
        return x - x.mean(1, keepdim=True) - x.mean(2, keepdim=True) + x.mean((1, 2), keepdim=True)

    assert symmetry_report(center, sets(), GRID, equivariant=True)
    assert not symmetry_report(lambda x: x.cumsum(2), sets(), GRID, equivariant=True)
    assert not symmetry_report(lambda x: x.cumsum(1), sets(), GRID, equivariant=True)


def test_a_grid_agrees_with_the_average_over_it():
    group = direct_product(symmetric_group(3), cyclic_group(2), on="grid")
    backbone = nn.Sequential(nn.Flatten(), nn.Linear(6, 6), nn.Tanh(), nn.Unflatten(1, (3, 2)))
    x = sets(16, 3, 2)
    model = SymmetryModel(backbone, group, equivariant=True)
    assert symmetry_report(model, x, group, equivariant=True)
    assert not symmetry_report(backbone, x, group, equivariant=True)


def test_a_graph_moves_its_rows_and_columns_together():
    graphs, pairs = sets(16, 4, 4), symmetric_group(4).on_tuples(2)
    assert symmetry_report(
        lambda a: torch.linalg.matrix_power(a, 2), graphs, pairs, equivariant=True
    )
    assert symmetry_report(lambda a: a.diagonal(dim1=1, dim2=2).sum(1), graphs, pairs)
    assert not symmetry_report(lambda a: a[:, 0].sum(1), graphs, pairs)
    assert not symmetry_report(lambda a: a.triu(), graphs, pairs, equivariant=True)


def test_equivariance_on_a_grid_needs_an_output_of_its_shape():
    with pytest.raises(ValueError, match=r"one row per member, \(batch, 6, 3, …\), got \(32, 6\)"):
        symmetry_report(lambda x: x.sum(-1), sets(), GRID, equivariant=True)


@pytest.mark.parametrize(
    ("group", "words"),
    [
        (symmetric_group(5), r"input must be sets that S_5 permutes, \(batch, 5, d\), got \(32, 6"),
        (symmetric_group(18), r"S_18 permutes, \(batch, 18, d\), got"),
        (
            direct_product(symmetric_group(3), symmetric_group(6), on="grid"),
            r"\(batch, 18, d\) or matrices \(batch, 3, 6\), got \(32, 6, 3\)",
        ),
    ],
)
@pytest.mark.parametrize("check", [symmetry_report, test_invariant, assert_equivariant])
def test_a_group_of_another_size_is_refused(group, words, check):
    calls = []
    with pytest.raises(ValueError, match=words):
        check(calls.append, sets(), group)
    assert not calls


# Float64.


class Summing(nn.Module):
    """Invariant but for rounding, plus a real defect of a chosen size."""

    def __init__(self, defect=0.0):
        super().__init__()
        self.weight = nn.Parameter(torch.linspace(0.1, 0.3, 3))
        self.defect = defect

    def forward(self, x):
        total = torch.zeros((), dtype=x.dtype)
        for row in (x @ self.weight).unbind(1):
            total = total + row
        return total + self.defect * x[:, 0, 0]


def test_float64_tells_rounding_from_a_small_defect():
    rounding, real = Summing(), Summing(1e-6)
    # In float32 both pass; their errors are of one size.
    assert symmetry_report(rounding, sets(), double=False)
    assert symmetry_report(real, sets(), double=False)
    precise = symmetry_report(rounding, sets())
    assert precise
    assert 0 < precise.max_error < 1e-14
    found = symmetry_report(real, sets())
    assert not found
    assert 1e-7 < found.relative_error < 1e-4


def test_float64_leaves_the_model_as_it_was():
    model = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(18), nn.Linear(18, 1)).train()
    before = copy.deepcopy(model.state_dict())
    parameters = list(model.parameters())
    report = symmetry_report(model, sets())
    assert report.dtype == torch.float64
    assert model.training
    assert all(a is b for a, b in zip(model.parameters(), parameters, strict=True))
    for name, value in model.state_dict().items():
        assert value.dtype == before[name].dtype
        assert torch.equal(value, before[name])
    assert symmetry_report(model, sets(), double=False).dtype == torch.float32


def test_float64_leaves_a_models_own_generator_alone():
    generator = torch.Generator().manual_seed(5)
    model = SymmetryModel(mlp(6, 3), symmetric_group(6), samples=2, generator=generator)
    state = generator.get_state()
    assert symmetry_report(model, sets(), double=True).is_random
    assert torch.equal(generator.get_state(), state)


def test_float64_holds_for_functions_and_integers():
    seen = []
    assert symmetry_report(lambda x: seen.append(x.dtype) or x.sum(1), sets(), double=True)
    assert set(seen) == {torch.float64}
    assert symmetry_report(lambda x: x.sum(1), torch.randint(9, (8, 4, 2)), double=True)


def test_the_text_says_in_which_precision():
    assert "in float64" in str(symmetry_report(lambda x: x.sum(1), sets()))
    assert "in float32" in str(symmetry_report(lambda x: x.sum(1), sets(), double=False))


# One entry, and short names.


@pytest.mark.parametrize(
    ("check", "equivariant"), [(test_invariant, False), (test_equivariant, True)]
)
def test_the_short_names_give_the_same_report(check, equivariant):
    options = {"double": True, "rtol": 1e-5, "atol": 1e-7, "seed": 3}
    short = check(lambda x: x.cumsum(1), sets(), cyclic_group(6), **options)
    full = symmetry_report(
        lambda x: x.cumsum(1), sets(), cyclic_group(6), equivariant=equivariant, **options
    )
    assert short == full


def test_the_assertions_take_groups_and_float64():
    assert_invariant(intrinsic(6, 3), sets(), symmetric_group(6), double=True)
    with pytest.raises(AssertionError, match="equivariant to C_6: NO"):
        assert_equivariant(lambda x: x.cumsum(1), sets(), cyclic_group(6), double=True)


def test_generators_are_enough_in_exact_arithmetic():
    # f(gx) = f(x) for two generators of S_4, on integers: then for all 24 elements.
    x = torch.randint(-5, 5, (64, 4, 2), generator=torch.Generator().manual_seed(0))

    def power_sums(x):
        return torch.cat((x.sum(1), (x**2).sum(1), (x[..., 0] * x[..., 1]).sum(1, True)), dim=1)

    generators = symmetric_group(4).generators
    assert all(torch.equal(power_sums(g(x)), power_sums(x)) for g in generators)
    elements = create_permutations_from_generators(generators)
    assert len(elements) == 24
    assert all(torch.equal(power_sums(g(x)), power_sums(x)) for g in elements)
