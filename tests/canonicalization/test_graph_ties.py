"""Graphs that tie in more ways than the limit allows go to igraph, and keep one form an orbit."""

import itertools
import sys

import networkx
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from invariant_nets import (
    CanonicalModel,
    Permutation,
    PermutationGroup,
    alternating_group,
    canonical_form,
    canonical_order,
    cyclic_group,
    direct_product,
    symmetric_group,
)
from invariant_nets.canonicalization.any_group import descent, survivors
from invariant_nets.canonicalization.any_group.graphs import automorphisms, labelled, nodes_of

igraph = pytest.importorskip("igraph", reason="graphs need igraph: the extra graphs")


def on_pairs(n):
    return symmetric_group(n).on_tuples(2)


def matrix(graph):
    return torch.from_numpy(networkx.to_numpy_array(graph))


def relabeled(x, seed=0):
    """Each graph of a batch with its nodes in an order of its own."""
    source = torch.Generator().manual_seed(seed)
    orders = [torch.randperm(x.shape[1], generator=source) for _ in x]
    return torch.stack([one[order][:, order] for one, order in zip(x, orders, strict=True)])


def square_graphs():
    """The 4 × 4 rook's graph and the Shrikhande graph, strongly regular with the same numbers."""
    cells = list(itertools.product(range(4), repeat=2))
    steps = ((0, 1), (0, 3), (1, 0), (3, 0), (1, 1), (3, 3))

    def rook(a, b):
        return a != b and (a[0] == b[0] or a[1] == b[1])

    def shrikhande(a, b):
        return ((a[0] - b[0]) % 4, (a[1] - b[1]) % 4) in steps

    return torch.tensor(
        [[[float(joined(a, b)) for a in cells] for b in cells] for joined in (rook, shrikhande)]
    )


def matrices(n, kind, source, batch=6):
    x = torch.randint(kind, (batch, n, n), generator=source).double()
    x[::2] = x[::2].triu() + x[::2].triu(1).mT  # half of them are symmetric
    return x


@pytest.mark.parametrize("limit", [1, 4096])
def test_the_atlas_has_as_many_forms_as_graphs(limit):
    atlas = networkx.graph_atlas_g()
    forms = [()]  # the graph of no nodes, which no tensor holds
    for n in range(1, 8):
        x = torch.stack([matrix(graph) for graph in atlas if len(graph) == n])
        found = canonical_form(x, on_pairs(n), limit=limit)
        assert torch.equal(canonical_form(relabeled(x, n), on_pairs(n), limit=limit), found)
        forms += [tuple(form) for form in found.flatten(1).tolist()]
    # The atlas lists no two isomorphic graphs, and igraph tells them apart as well.
    others = set()
    for graph in atlas:
        one = igraph.Graph(len(graph), list(graph.edges()))
        one = one.permute_vertices(one.canonical_permutation()) if len(graph) else one
        others.add((len(graph), *sorted(map(tuple, map(sorted, one.get_edgelist())))))
    assert len(set(forms)) == len(others) == len(atlas) == 1253


@pytest.mark.parametrize("limit", [1, 10, 4096])
@pytest.mark.parametrize(
    "x",
    [
        square_graphs(),
        matrix(networkx.petersen_graph())[None],
        torch.stack([torch.zeros(9, 9), torch.ones(9, 9), 1 - torch.eye(9), torch.eye(9)]),
        torch.stack([matrix(networkx.random_regular_graph(3, 14, seed=k)) for k in range(5)]),
        matrix(networkx.cycle_graph(9, create_using=networkx.DiGraph))[None],
    ],
    ids=["strongly regular", "Petersen", "empty and complete", "cubic", "directed"],
)
def test_regular_graphs_have_the_same_bits_in_every_order(x, limit):
    group = on_pairs(x.shape[1])
    form, (order, classes) = canonical_form(x, group, limit=limit), canonical_order(x, group)
    assert all(Permutation(row) in group for row in order)
    for seed in range(5):
        moved = relabeled(x, seed)
        assert torch.equal(canonical_form(moved, group, limit=limit), form)
        # There are as many orbits of pairs whoever finds the automorphisms.
        _, others = canonical_order(moved, group, limit=limit)
        counts = [[len(one.unique()) for one in every] for every in (classes, others)]
        assert counts[0] == counts[1]
    assert len(form.flatten(1).unique(dim=0)) == len(x)


@settings(deadline=None, max_examples=25)
@given(st.integers(2, 5), st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_so_it_is_for_directed_and_weighted_graphs_with_loops(n, kind, limit, seed):
    source = torch.Generator().manual_seed(seed)
    x, group = matrices(n, kind, source), on_pairs(n)
    elements = torch.cat(list(group.elements()))
    form, (order, classes) = (
        canonical_form(x, group, limit=limit),
        canonical_order(x, group, limit=limit),
    )
    for one, its_form, its_order, its_classes in zip(
        x.flatten(1), form.flatten(1), order, classes, strict=True
    ):
        assert torch.equal(one[its_order], its_form)
        assert (elements == its_order).all(1).any()
        orbit = one[elements]
        every = canonical_form(orbit[..., None], group, limit=limit)[..., 0]
        assert torch.equal(every, its_form.expand_as(orbit))
        # Permutations that leave x as it is move places to places of their class, and to all.
        fixing = elements[(orbit == one).all(1)]
        reached = its_order.argsort()[fixing][:, its_order]
        assert (its_classes[reached] == its_classes).all()
        sizes = torch.tensor([len(set(column.tolist())) for column in reached.T])
        assert torch.equal(sizes, its_classes.bincount(minlength=n * n)[its_classes])


def test_different_matrices_keep_different_forms():
    # All 3 × 3 matrices of two colors: as many forms as Burnside counts, 104.
    group = on_pairs(3)
    x = torch.tensor(list(itertools.product((0.0, 1.0), repeat=9))).view(-1, 3, 3)
    elements = torch.cat(list(group.elements()))
    orbits = sum(int((x.flatten(1)[:, g] == x.flatten(1)).all(1).sum()) for g in elements) // 6
    for limit in (1, 2, 4096):
        assert len(canonical_form(x, group, limit=limit).unique(dim=0)) == orbits == 104


def test_a_graph_within_the_limit_has_the_form_that_it_has_without_igraph(monkeypatch):
    x, group = matrices(6, 2, torch.Generator().manual_seed(0), batch=100), on_pairs(6)
    form, (_, classes) = canonical_form(x, group), canonical_order(x, group)
    monkeypatch.setattr(survivors, "automorphisms", None)  # nothing goes beyond the limit
    assert torch.equal(canonical_form(x, group), form)
    monkeypatch.setitem(sys.modules, "igraph", None)
    monkeypatch.setattr(descent, "labelled", None)
    assert torch.equal(canonical_form(relabeled(x), group), form)
    assert torch.equal(canonical_order(x, group).classes, classes)


def test_who_puts_a_graph_in_order_depends_on_its_orbit_alone(monkeypatch):
    # How many candidates are merged depends on the order of the nodes, with this limit too.
    x, group = matrices(6, 2, torch.Generator().manual_seed(1), batch=150), on_pairs(6)
    passed = []
    for seed in range(3):
        numbers = []
        monkeypatch.setattr(
            survivors,
            "automorphisms",
            lambda ranks, n, to=numbers: to.append(ranks.tobytes()) or automorphisms(ranks, n),
        )
        canonical_form(relabeled(x, seed), group, limit=3)
        passed.append(sorted(numbers))
    assert 0 < len(passed[0]) < len(x)
    assert passed[0] == passed[1] == passed[2]


def test_without_igraph_whether_a_graph_passes_depends_on_its_order(monkeypatch):
    # Which is why igraph puts all graphs with ties in order before the candidates are counted.
    x, group = matrices(6, 2, torch.Generator().manual_seed(1), batch=150)[108], on_pairs(6)
    monkeypatch.setitem(sys.modules, "igraph", None)

    def passes(graph):
        try:
            canonical_form(graph[None], group, limit=3)
        except ValueError:
            return True
        return False

    assert len({passes(one) for one in relabeled(x.expand(30, 6, 6))}) == 2


def test_without_igraph_the_error_names_the_extra(monkeypatch):
    x = torch.stack([matrix(networkx.random_regular_graph(3, 20, seed=k)) for k in range(2)])
    group = on_pairs(20)
    assert not torch.equal(*canonical_form(x, group, limit=1))
    monkeypatch.setitem(sys.modules, "igraph", None)
    words = (
        "more than limit=1 .* of S_20 on 2-tuples: raise limit, break the ties by a further "
        r"feature, or install igraph.*: pip install 'invariant_nets\[graphs\]'$"
    )
    with pytest.raises(ValueError, match=words):
        canonical_form(x, group, limit=1)


def test_other_groups_are_refused_as_before_and_igraph_is_not_named():
    group = alternating_group(5).on_tuples(2)
    with pytest.raises(
        ValueError,
        match=r"of A_5 on 2-tuples: raise limit or break the ties by a further feature$",
    ):
        canonical_form(torch.zeros(1, 5, 5), group, limit=1)


def test_the_group_is_known_by_what_it_does():
    pairs = on_pairs(4)
    assert nodes_of(pairs) == nodes_of(PermutationGroup(pairs.generators)) == 4
    renamed = pairs.generators[0].index_tensor.argsort()
    others = [
        cyclic_group(4).on_tuples(2),
        alternating_group(4).on_tuples(2),
        direct_product(symmetric_group(4), symmetric_group(4), on="grid"),
        symmetric_group(16),
        symmetric_group(5),
        # S_4 on pairs, the pairs in another order.
        PermutationGroup(
            [
                renamed.roll(1)[g.index_tensor][renamed.roll(1).argsort()].tolist()
                for g in pairs.generators
            ]
        ),
    ]
    assert [nodes_of(group) for group in others] == [0] * len(others)


def test_an_equivariant_model_is_equivariant_beyond_the_limit():
    n = 6
    x = torch.stack([matrix(networkx.cycle_graph(n)), matrix(networkx.star_graph(n - 1))]).double()
    weight = torch.randn(n * n, n * n, generator=torch.Generator().manual_seed(0)).double()
    group = on_pairs(n)
    model = CanonicalModel(
        lambda x: (x.flatten(1) @ weight).view(-1, n, n), group=group, equivariant=True, limit=1
    )
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    torch.testing.assert_close(model(x[:, order][:, :, order]), model(x)[:, order][:, :, order])
    ring = model(x)[0]  # all nodes of a ring are alike, and all its edges
    assert ring.diagonal().std() < 1e-12 < ring.std()
    assert ring[x[0] == 1].std() < 1e-12


def test_masked_pairs_go_to_igraph_too():
    x, group = matrices(5, 2, torch.Generator().manual_seed(0), batch=20), on_pairs(5)
    mask = torch.rand(20, 25, generator=torch.Generator().manual_seed(1)) < 0.7
    moved = group.sample(20, torch.Generator().manual_seed(2))
    sets = x.flatten(1)[..., None]
    rows = torch.arange(20)[:, None]
    for limit in (1, 4096):
        form = canonical_form(sets, group, mask, limit=limit)
        assert torch.equal(
            canonical_form(sets[rows, moved], group, mask[rows, moved], limit=limit), form
        )


def test_labels_of_random_matrices_agree():
    source = torch.Generator().manual_seed(3)
    x = torch.cat([matrices(7, kind, source) for kind in (1, 2, 3, 20)]).long()
    first, second = (every.flatten(1).numpy() for every in (x, relabeled(x)))
    forms = [np.take_along_axis(ranks, labelled(ranks, 7), 1) for ranks in (first, second)]
    assert (forms[0] == forms[1]).all()
