import itertools
import math

import networkx
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from invariant_nets import (
    CanonicalModel,
    DirectionFrame,
    Permutation,
    PermutationGroup,
    SymmetryModel,
    alternating_group,
    canonical_form,
    canonical_order,
    cyclic_group,
    dihedral_group,
    direct_product,
    lexicographic_sort,
    mathieu_group,
    pocket_cube_group,
    rubiks_cube_group,
    symmetric_group,
    trivial_group,
    wreath_product,
)
from invariant_nets.canonicalization.any_group import hashing, ordering, plan, survivors
from invariant_nets.canonicalization.any_group.descent import descended
from invariant_nets.canonicalization.any_group.hashing import Hashes, mixed
from invariant_nets.canonicalization.any_group.ordering import GroupOrder
from invariant_nets.canonicalization.any_group.plan import plan_of
from invariant_nets.groups.products import young_subgroup

NAMED = [
    symmetric_group(6),
    alternating_group(6),
    cyclic_group(7),
    dihedral_group(6),
    trivial_group(4),
    symmetric_group(4).on_tuples(2),
    direct_product(symmetric_group(3), symmetric_group(4)),
    direct_product(symmetric_group(4), symmetric_group(3), on="grid"),
    direct_product(cyclic_group(3), dihedral_group(4), on="grid"),
    wreath_product(symmetric_group(2), symmetric_group(3)),
    wreath_product(cyclic_group(3), symmetric_group(2)),
    young_subgroup([[0, 4], [1, 2, 3]], 6),
]
LARGE = [
    rubiks_cube_group(),
    pocket_cube_group(),
    mathieu_group(12),
    mathieu_group(24),
    symmetric_group(10),
    symmetric_group(7).on_tuples(2),
    wreath_product(symmetric_group(3), symmetric_group(4)),
    direct_product(symmetric_group(10), symmetric_group(5), on="grid"),
]
SEEDS = st.integers(0, 2**32 - 1)


def source_of(seed):
    return torch.Generator().manual_seed(seed)


def a_group(seed, largest=200):
    """A random group of at most so many elements: some generators, some of them fixing points."""
    source = source_of(seed)
    while True:
        n = int(torch.randint(2, 9, (), generator=source))
        generators = []
        for _ in range(int(torch.randint(1, 4, (), generator=source))):
            images = torch.arange(n)
            some = torch.randperm(n, generator=source)[
                : int(torch.randint(2, n + 1, (), generator=source))
            ]
            images[some] = some.roll(1)
            generators.append(images.tolist())
        group = PermutationGroup(generators)
        if group.order <= largest:
            return group


def some_sets(kind, batch, n, source, d=1):
    if kind == "continuous":
        return torch.randn(batch, n, d, generator=source)
    if kind == "partly tied":
        x = torch.randn(batch, n, d, generator=source)
        i, j = torch.randint(n, (2, batch), generator=source)
        x[torch.arange(batch), i] = x[torch.arange(batch), j]
        return x
    return torch.randint(kind, (batch, n, d), generator=source).float()


def every_element(group):
    return torch.cat(list(group.elements()))


def moved_by_each(x, group):
    """Each set moved by an element of its own."""
    return x[torch.arange(len(x))[:, None], group.sample(len(x), source_of(len(x)))]


def assert_is_canonical(group, x):
    """Against all elements: one form in the orbit, from within the group, and the right classes."""
    elements = every_element(group)
    form, (order, classes) = canonical_form(x, group), canonical_order(x, group)
    assert torch.equal(form, x.gather(1, order[..., None].expand_as(x)))
    for one, its_form, its_order, its_classes in zip(x, form, order, classes, strict=True):
        orbit = one[elements]
        assert (elements == its_order).all(1).any()
        assert torch.equal(canonical_form(orbit, group), its_form.expand_as(orbit))
        # Permutations that leave x as it is move places to places of their class, and to all.
        fixing = elements[(orbit == one).flatten(1).all(1)]
        place = its_order.argsort()
        reached = place[fixing][:, its_order]
        assert (its_classes[reached] == its_classes).all()
        sizes = torch.tensor([len(set(column.tolist())) for column in reached.T])
        assert torch.equal(sizes, its_classes.bincount(minlength=len(one))[its_classes])


@pytest.mark.parametrize("kind", ["continuous", "partly tied", 1, 2, 3])
@pytest.mark.parametrize("group", NAMED, ids=lambda group: group.name)
def test_the_form_is_that_of_the_whole_orbit_by_enumeration(group, kind):
    assert_is_canonical(group, some_sets(kind, 3, group.degree, source_of(0)))


@given(
    seed=SEEDS, kind=st.sampled_from(["continuous", "partly tied", 1, 2, 3]), d=st.integers(1, 2)
)
def test_so_it_is_for_random_groups(seed, kind, d):
    group = a_group(seed)
    assert_is_canonical(group, some_sets(kind, 4, group.degree, source_of(seed), d))


@pytest.mark.parametrize("kind", ["continuous", "partly tied", 2, 3, 1])
@pytest.mark.parametrize("group", LARGE, ids=lambda group: group.name)
def test_large_groups_give_the_same_bits_for_the_whole_orbit(group, kind):
    batch = 40 if kind in ("continuous", "partly tied") else 8
    x = some_sets(kind, batch, group.degree, source_of(1))
    form, (order, _) = canonical_form(x, group), canonical_order(x, group)
    assert torch.equal(canonical_form(moved_by_each(x, group), group), form)
    assert all(Permutation(row) in group for row in order)


@pytest.mark.slow
def test_a_million_draws_give_no_other_form():
    draws = 0
    for seed in range(100):
        group, source = a_group(seed, largest=5000), source_of(seed)
        for kind in ("continuous", 2, 3):
            x = some_sets(kind, 3400, group.degree, source)
            moved = x[torch.arange(len(x))[:, None], group.sample(len(x), source)]
            assert torch.equal(canonical_form(moved, group), canonical_form(x, group))
            draws += len(x)
    assert draws >= 1_000_000


@pytest.mark.parametrize("group", [g for g in NAMED if g.degree <= 8], ids=lambda g: g.name)
def test_there_are_as_many_forms_as_orbits(group):
    n = group.degree
    x = torch.tensor(list(itertools.product((0.0, 1.0), repeat=n)))[..., None]
    forms = {tuple(form) for form in canonical_form(x, group)[..., 0].tolist()}
    # Burnside: on average an element leaves as many sets as they are as there are orbits.
    fixed = sum(int((x[:, g] == x).all(1).sum()) for g in every_element(group))
    assert len(forms) == fixed // group.order


def test_one_form_is_written_out():
    # A change of the hashes or of the base would change forms that someone may have stored.
    group = direct_product(symmetric_group(3), symmetric_group(3), on="grid")
    x = torch.tensor([[[0.0, 1.0, 0.0], [1.0, 1.0, 2.0], [0.0, 2.0, 2.0]]])
    assert canonical_form(x, group).tolist() == [[[0, 0, 1], [2, 0, 2], [2, 1, 1]]]


def graphs_of_seven():
    atlas = [g for g in networkx.graph_atlas_g() if len(g) == 7]
    return torch.stack([torch.tensor(networkx.to_numpy_array(g)) for g in atlas])


def test_graphs_have_one_form_each():
    group, x = symmetric_group(7).on_tuples(2), graphs_of_seven()
    forms = canonical_form(x, group)
    assert len(forms) == len(forms.flatten(1).unique(dim=0)) == 1044
    order = torch.randperm(7, generator=source_of(0))
    assert torch.equal(canonical_form(x[:, order][:, :, order], group), forms)


def test_strongly_regular_graphs_with_the_same_numbers_are_told_apart():
    cells = list(itertools.product(range(4), repeat=2))

    def rook(a, b):
        return a != b and (a[0] == b[0] or a[1] == b[1])

    def shrikhande(a, b):
        step = ((a[0] - b[0]) % 4, (a[1] - b[1]) % 4)
        return step in ((0, 1), (0, 3), (1, 0), (3, 0), (1, 1), (3, 3))

    x = torch.tensor([[[float(f(a, b)) for a in cells] for b in cells] for f in (rook, shrikhande)])
    group = symmetric_group(16).on_tuples(2)
    forms, (_, classes) = canonical_form(x, group), canonical_order(x, group)
    assert not torch.equal(*forms)
    order = torch.randperm(16, generator=source_of(0))
    assert torch.equal(canonical_form(x[:, order][:, :, order], group), forms)
    # Both are transitive on nodes and on edges; only the rook's is on pairs without an edge.
    counts = [len(one.unique()) for one in classes]
    assert counts == [3, 4]


def test_relations_keep_few_candidates_of_regular_graphs():
    # All nodes of a cubic graph have three neighbors: only what these are joined to differs.
    n, graphs = 20, [networkx.random_regular_graph(3, 20, seed=seed) for seed in range(4)]
    x = torch.stack([torch.tensor(networkx.to_numpy_array(graph)) for graph in graphs])
    group, order = symmetric_group(n).on_tuples(2), torch.randperm(n, generator=source_of(0))
    forms = canonical_form(x, group, limit=20)
    assert torch.equal(canonical_form(x[:, order][:, :, order], group, limit=20), forms)
    assert len(forms.flatten(1).unique(dim=0)) == 4


@pytest.mark.parametrize("group", NAMED, ids=lambda group: group.name)
def test_hashes_of_cosets_do_not_depend_on_the_element(group):
    chain = plan_of(group)
    step, hashes = chain.steps[0] if chain.steps else None, Hashes(group.degree, group.degree + 1)
    if step is None or not chain.relation.size:
        return
    elements = every_element(group).numpy()
    fixing = elements[elements[:, step.points[0]] == step.points[0]]
    y = torch.randint(3, (group.degree,), generator=source_of(0)).numpy()
    found = hashes.related(y[fixing], step.labels, chain.relation)
    assert len(np.unique(found)) == len(np.unique(hashes(y[fixing], step.labels))) == 1
    others = y[elements]
    assert len(np.unique(hashes.related(others, step.labels, chain.relation))) > 1


def test_doubly_transitive_groups_have_no_relations_worth_keeping():
    three = direct_product(mathieu_group(11), alternating_group(4))
    for group in (mathieu_group(12), alternating_group(5), three):
        assert plan_of(group).relation.size == 0
    for group in (cyclic_group(5), rubiks_cube_group(), symmetric_group(4).on_tuples(2)):
        assert plan_of(group).relation.shape == (group.degree, group.degree)


def test_vectors_are_compared_row_by_row_and_zero_has_one_sign():
    group = cyclic_group(3)
    x = torch.tensor([[[1.0, -0.0], [0.0, 5.0], [0.0, 4.0]], [[1.0, 0.0], [0.0, 5.0], [0.0, 4.0]]])
    form = canonical_form(x, group)
    assert form[0].tolist() == [[0.0, 4.0], [1.0, 0.0], [0.0, 5.0]]
    assert torch.equal(form[0], form[1])
    assert not torch.signbit(form).any()


@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.float16])
def test_other_types_stay_what_they_are(dtype):
    x = torch.tensor([[[1.0], [0.0], [1.0], [1.0]]]).to(dtype)
    form = canonical_form(x, cyclic_group(4))
    assert form.dtype == dtype
    assert form.flatten().tolist() == [0, 1, 1, 1]


def test_nan_counts_as_largest():
    x = torch.tensor([[[math.nan], [1.0], [2.0]]])
    assert canonical_form(x, cyclic_group(3))[0, :, 0].tolist()[0] == 1.0


def test_all_permutations_sort():
    x = some_sets(3, 5, 6, source_of(0), d=2)
    assert torch.equal(canonical_form(x, symmetric_group(6)), lexicographic_sort(x))


# The plan.


@pytest.mark.parametrize("group", NAMED + LARGE, ids=lambda group: group.name)
def test_a_plan_is_a_chain_of_stabilizers(group):
    chain, fixed = plan_of(group), []
    assert math.prod(len(step.points) for step in chain.steps) == group.order
    for step in chain.steps:
        base = step.points[0]
        assert (step.rows[0] == np.arange(group.degree)).all()
        assert (step.rows[:, base] == step.points).all()
        assert (step.rows[:, fixed] == fixed).all()
        fixed.append(base)
        assert all(Permutation(row) in group for row in step.rows[:5])
    orbits = [chain.orbits, *(step.labels for step in chain.steps)]
    assert (orbits[0] == group.orbit_numbers().numpy()).all()
    if group.order <= 5000:
        elements = every_element(group).numpy()
        for j in range(len(chain.steps) + 1):
            some = elements[(elements[:, fixed[:j]] == fixed[:j]).all(1)]
            assert PermutationGroup(some.tolist()).orbit_numbers().tolist() == orbits[j].tolist()


def test_blocks_of_any_size_sort():
    # Their chains would have 2·200 levels; each block is put in order by itself.
    group = direct_product(symmetric_group(200), symmetric_group(200))
    x = some_sets(3, 2, 400, source_of(0), d=2)
    sides = [lexicographic_sort(side) for side in x.split(200, 1)]
    assert torch.equal(canonical_form(x, group), torch.cat(sides, 1))


def test_the_plan_of_a_group_is_made_once(monkeypatch):
    group, x = mathieu_group(11), some_sets("continuous", 2, 11, source_of(0))
    first = canonical_form(x, group)
    monkeypatch.setattr(ordering, "plan_of", None)
    assert torch.equal(canonical_form(x, mathieu_group(11)), first)


def test_columns_are_fixed_before_rows():
    grid = direct_product(symmetric_group(10), symmetric_group(5), on="grid")
    assert [len(s.points) for s in plan_of(grid).steps] == [50, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]


def test_too_large_a_chain_is_refused(monkeypatch):
    monkeypatch.setattr(plan, "_TABLE_ENTRIES", 100)
    with pytest.raises(ValueError, match=r"table entries, got C_11 of degree 11"):
        canonical_order(torch.zeros(1, 11, 1), cyclic_group(11))


# Parts that only cost time, or only show when something is rare.


def test_sets_that_are_too_many_to_go_on_together_are_divided(monkeypatch):
    group = LARGE[-1]
    x = some_sets(2, 12, group.degree, source_of(3))
    expected = canonical_order(x, group)
    monkeypatch.setattr(survivors, "_ENTRIES", 500)
    for found, right in zip(canonical_order(x, group), expected, strict=True):
        assert torch.equal(found, right)


@pytest.mark.parametrize("group", NAMED, ids=lambda group: group.name)
def test_hashes_that_all_collide_cost_time_and_no_correctness(group, monkeypatch):
    for name in ("__call__", "related"):
        monkeypatch.setattr(Hashes, name, lambda self, y, *others: np.zeros(len(y), np.int64))
    assert_is_canonical(group, some_sets(2, 2, group.degree, source_of(0)))


@pytest.mark.parametrize("name", ["_MANY", "_APPLIED"])
def test_other_ways_to_merge_give_the_same(name, monkeypatch):
    monkeypatch.setattr(survivors, name, 0)
    for group in NAMED:
        assert_is_canonical(group, some_sets(2, 2, group.degree, source_of(0)))


def test_the_numbers_of_hashes_differ():
    numbers = np.concatenate([mixed(np.arange(5000), kind) for kind in (0, 1)])
    assert len(np.unique(numbers)) == 10_000
    assert hashing.mixed(np.arange(1), 0)[0] == -2152535657050944081


def test_more_candidates_than_the_limit_is_an_error():
    group = direct_product(symmetric_group(4), symmetric_group(4), on="grid")
    x = torch.eye(4).repeat(3, 1, 1)
    x[0] = torch.arange(16.0).view(4, 4)
    with pytest.raises(ValueError, match=r"set 1 has more than limit=3 equally good candidates"):
        canonical_order(x, group, limit=3)
    canonical_order(x, group, limit=16)


def test_a_form_by_the_least_value_alone_is_none():
    # Without going on with all candidates the form depends on the order in which they come.
    group, x = cyclic_group(6), torch.tensor([[0.0, 1, 0, 2, 1, 1]])[..., None]
    shifted = torch.stack([x[0].roll(k, 0) for k in range(6)])
    first = shifted.argmin(1)[..., 0]
    greedy = torch.stack([one.roll(-int(k), 0) for one, k in zip(shifted, first, strict=True)])
    assert len(greedy.unique(dim=0)) > 1
    assert len(canonical_form(shifted, group).unique(dim=0)) == 1


# The model.


def network(n, d=1, outputs=2):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Flatten(), nn.Linear(n * d, 8), nn.Tanh(), nn.Linear(8, outputs))


@pytest.mark.parametrize("group", NAMED + LARGE, ids=lambda group: group.name)
def test_a_model_gives_the_same_bits(group):
    model = CanonicalModel(network(group.degree), group=group)
    for kind in ("continuous", "partly tied", 3):
        x = some_sets(kind, 4, group.degree, source_of(2))
        assert torch.equal(model(moved_by_each(x, group)), model(x))


@pytest.mark.parametrize("kind", ["continuous", "partly tied", 1, 2])
@pytest.mark.parametrize("group", NAMED, ids=lambda group: group.name)
def test_an_equivariant_model_is_the_mean_over_all_ways_to_the_form(group, kind):
    n = group.degree
    inner = network(n, outputs=n).double()
    model = CanonicalModel(inner, group=group, equivariant=True)
    x = some_sets(kind, 3, n, source_of(4)).double()
    form, elements = canonical_form(x, group), every_element(group)
    y = inner(form)
    for one, its_form, its_y, found in zip(x, form, y, model(x), strict=True):
        ways = elements[(one[elements] == its_form).flatten(1).all(1)]
        mean = torch.stack([its_y[way.argsort()] for way in ways]).mean(0)
        torch.testing.assert_close(found, mean, rtol=1e-12, atol=1e-12)
    sigma = group.sample(1, source_of(5))[0]
    torch.testing.assert_close(model(x[:, sigma]), model(x)[:, sigma], rtol=1e-12, atol=1e-12)


def test_matrices_whose_rows_and_columns_tie():
    group = direct_product(symmetric_group(4), symmetric_group(4), on="grid")
    x = torch.tensor([[1.0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1], [1, 0, 0, 1]])[None]
    x = torch.cat((x, torch.eye(4)[None]))
    model = CanonicalModel(lambda x: x, group=group, equivariant=True)
    rows, columns = (torch.randperm(4, generator=source_of(k)) for k in (1, 2))
    assert torch.equal(canonical_form(x[:, rows][:, :, columns], group), canonical_form(x, group))
    torch.testing.assert_close(model(x), x)
    features = torch.randn(2, 4, 4, 3, generator=source_of(0))
    moved = features[:, rows][:, :, columns]
    assert torch.equal(canonical_form(moved, group), canonical_form(features, group))
    flat = CanonicalModel(lambda x: x.flatten(1), group=group)
    assert torch.equal(flat(moved), flat(features))
    assert torch.equal(flat(features), flat(features.flatten(1, 2)))


def test_a_mask_moves_with_the_members():
    seen = []

    def inner(x, mask):
        seen.append((x, mask))
        return x

    group = cyclic_group(4)
    x = torch.tensor([[[3.0], [math.nan], [1.0], [2.0]]])
    mask = torch.tensor([[True, False, True, True]])
    model = CanonicalModel(inner, group=group, equivariant=True)
    assert model(x, mask=mask).flatten().tolist() == [3, 0, 1, 2]
    ((form, present),) = seen
    assert form.flatten().tolist() == [1, 2, 3, 0]
    assert present.tolist() == [[True, True, True, False]]
    assert canonical_form(x, group, mask).flatten().tolist() == [1, 2, 3, 0]


def test_padding_counts_as_larger_than_every_member():
    group = cyclic_group(3)
    x, mask = torch.tensor([[[5.0], [7.0], [9.0]]]), torch.tensor([[False, True, True]])
    assert canonical_form(x, group, mask).flatten().tolist() == [7, 9, 0]


def test_averaging_over_the_group_changes_nothing():
    group = dihedral_group(5)
    model = CanonicalModel(network(5).double(), group=group)
    x = some_sets("continuous", 3, 5, source_of(0)).double()
    torch.testing.assert_close(SymmetryModel(model, group)(x), model(x))


def test_gradients_follow_the_entries():
    group = rubiks_cube_group()
    model = CanonicalModel(network(48).double(), group=group)
    x = torch.randn(2, 48, 1, generator=source_of(0), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(model, x, fast_mode=True)


def test_it_shows_its_group():
    model = CanonicalModel(network(5), group=cyclic_group(5), equivariant=True)
    assert "group=C_5, equivariant=True" in repr(model)


def test_outputs_at_padding_are_zero_whatever_the_model_puts_there():
    x, mask = torch.randn(3, 4, 2), torch.tensor([[1, 1, 0, 1], [0, 1, 1, 1], [1, 0, 0, 0]]).bool()
    model = CanonicalModel(lambda x, mask: x + 1, group=cyclic_group(4), equivariant=True)
    torch.testing.assert_close(model(x, mask=mask), torch.where(mask[..., None], x + 1, 0))


def test_an_output_per_set_cannot_be_moved_back():
    model = CanonicalModel(lambda x: x[:, 0], group=cyclic_group(4), equivariant=True)
    with pytest.raises(ValueError, match=r"one output a member .*\(batch, 4, …\), got \(2, 3\)"):
        model(torch.randn(2, 4, 3))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"canonicalization": lexicographic_sort}, "canonicalization and group must not both"),
        ({"frame": DirectionFrame(1, 2)}, "frame and group must not both be given"),
        ({"limit": 0}, "limit must be at least 1, got 0"),
    ],
)
def test_what_does_not_go_with_a_group_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        CanonicalModel(network(5), group=cyclic_group(5), **options)


def test_what_is_no_group_or_does_not_fit_is_refused():
    with pytest.raises(TypeError, match="group must be a PermutationGroup, got 5"):
        CanonicalModel(network(5), group=5)
    model = CanonicalModel(network(5), group=cyclic_group(5))
    with pytest.raises(ValueError, match=r"x must be sets that C_5 permutes, \(batch, 5, d\)"):
        model(torch.zeros(1, 4, 1))
    with pytest.raises(TypeError, match="got torch"):
        canonical_form(torch.zeros(1, 5, 1, dtype=torch.complex64), cyclic_group(5))
    grid = direct_product(symmetric_group(3), symmetric_group(2), on="grid")
    with pytest.raises(ValueError, match="mask must be None for tensors whose axes S_3 × S_2"):
        canonical_form(torch.zeros(1, 3, 2), grid, torch.ones(1, 3, dtype=torch.bool))


def test_an_export_to_onnx_is_refused_unless_the_group_sorts(monkeypatch):
    monkeypatch.setattr(ordering, "is_in_onnx_export", lambda: True)
    with pytest.raises(ValueError, match="under C_5 follows the entries of each set, which cannot"):
        canonical_form(torch.zeros(1, 5, 1), cyclic_group(5))
    canonical_form(torch.zeros(1, 5, 1), symmetric_group(5))


def test_what_the_order_keeps_is_enough_in_another_process():
    order = GroupOrder(mathieu_group(11))
    x = torch.randint(3, (20, 11), generator=source_of(0))
    found = torch.ops.invariant_nets.canonical_order(x, *order._tables, 4096, "M_11")
    for one, other in zip(found, descended(x.numpy(), plan_of(order.group), 4096, ""), strict=True):
        assert (one.numpy() == other).all()
