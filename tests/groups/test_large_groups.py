"""No group is too large to be counted, numbered, drawn from and told of in a text."""

import itertools
import math
import tracemalloc

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from invariant_nets import (
    OrbitLinear,
    Permutation,
    PermutationGroup,
    SymmetryModel,
    alternating_group,
    create_all_permutations,
    create_random_permutations,
    cyclic_group,
    dihedral_group,
    direct_product,
    mathieu_group,
    symmetric_group,
    trivial_group,
    wreath_product,
)
from invariant_nets.groups.finding import giants, schreier_sims
from invariant_nets.groups.products import young_subgroup


def halves(n):
    return symmetric_group(n // 2), alternating_group(n - n // 2)


def adjacent(n):
    return PermutationGroup([Permutation.from_cycles(n, (i, i + 1)) for i in range(n - 1)])


LARGE = {
    "S_n": symmetric_group,
    "A_n": alternating_group,
    "C_n": cyclic_group,
    "D_n": dihedral_group,
    "{e}": trivial_group,
    "by generators": lambda n: PermutationGroup(symmetric_group(n).generators),
    "even, by generators": lambda n: PermutationGroup(alternating_group(n).generators),
    "union": lambda n: direct_product(*halves(n)),
    "union with a cycle": lambda n: direct_product(symmetric_group(n // 2), cyclic_group(n // 2)),
    "grid": lambda n: direct_product(*halves(2 * math.isqrt(n)), on="grid"),
    "blocks": lambda n: young_subgroup([range(0, n, 2), range(1, n - 2, 2)], n),
    "sets of sets": lambda n: wreath_product(symmetric_group(n // 20), symmetric_group(20)),
    "many small sets": lambda n: wreath_product(symmetric_group(3), symmetric_group(n // 3)),
    "tuples": lambda n: symmetric_group(math.isqrt(n)).on_tuples(2),
}
large = pytest.mark.parametrize("make", LARGE.values(), ids=LARGE)


class Largest(TorchDispatchMode):
    """Remembers how many bytes the largest tensor holds that is made meanwhile."""

    bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self.bytes = max(self.bytes, leaf.untyped_storage().nbytes())
        return result


@pytest.fixture(scope="module")
def at_most():
    """Runs something, and fails if it takes so many bytes at once or makes so large a tensor."""

    def run(limit, function):
        with Largest() as largest:
            tracemalloc.start()
            try:
                result = function()
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
        assert largest.bytes <= limit
        assert peak <= limit
        return result

    with Largest():  # all that is imported at the first time
        OrbitLinear(adjacent(9), 1, 1).group.sample(1)
    return run


def spread(cycles, n, extra=0, seed=0):
    """The group of these cycles, each a list, on scrambled points, some of which stay."""
    places = torch.randperm(n + extra, generator=torch.Generator().manual_seed(seed)).tolist()
    return PermutationGroup(
        [
            Permutation.from_cycles(n + extra, *([places[i] for i in cycle] for cycle in generator))
            for generator in cycles
        ]
    )


EVERY, EVEN = 1, 2
GENERATORS = {
    "adjacent transpositions": (lambda n: [[(i, i + 1)] for i in range(n - 1)], EVERY),
    "a star of transpositions": (lambda n: [[(0, i)] for i in range(1, n)], EVERY),
    "a tree of transpositions": (lambda n: [[(i, (i - 1) // 2)] for i in range(1, n)], EVERY),
    "a cycle and a transposition": (lambda n: [[range(n)], [(0, 1)]], EVERY),
    "two long cycles": (lambda n: [[range(n)], [range(n - 1)]], EVERY),
    "a cycle and a 3-cycle": (lambda n: [[range(n)], [(0, 1, 2)]], None),
    "prefix reversals": (
        lambda n: [[(i, k - i) for i in range((k + 1) // 2)] for k in range(1, n)],
        EVERY,
    ),
    "all of them twice": (lambda n: [[(i, i + 1)] for i in range(n - 1)] * 2, EVERY),
    "a star of 3-cycles": (lambda n: [[(0, 1, i)] for i in range(2, n)], EVEN),
    "consecutive 3-cycles": (lambda n: [[(i, i + 1, i + 2)] for i in range(n - 2)], EVEN),
    "3-cycles that meet in a point": (
        lambda n: [[(i, i + 1, i + 2)] for i in range(0, n - 2, 2)] + [[(n - 3, n - 2, n - 1)]],
        EVEN,
    ),
    "pairs of transpositions": (
        lambda n: [[(0, 1), (i, i + 1)] for i in range(2, n - 1)] + [[(0, 2), (n - 2, n - 1)]],
        EVEN,
    ),
    "5-cycles": (lambda n: [[range(i, i + 5)] for i in range(n - 4)], EVEN),
    "transpositions and 3-cycles": (
        lambda n: [[(i, i + 1, i + 2)] for i in range(n - 2)] + [[(0, 1)]],
        EVERY,
    ),
}


@pytest.mark.parametrize("n", [8, 21, 200])
@pytest.mark.parametrize("name", GENERATORS)
@pytest.mark.parametrize("extra", [0, 3])
def test_giants_are_recognized_from_any_usual_generators(monkeypatch, name, n, extra):
    monkeypatch.setattr(giants, "_FEW_POINTS", 0)
    monkeypatch.setattr(schreier_sims, "searched_levels", None)
    make, kind = GENERATORS[name]
    group = spread(make(n), n, extra, seed=n)
    kind = kind or (EVERY if n % 2 == 0 else EVEN)
    assert group.order == math.factorial(n) // kind


@pytest.mark.parametrize("n", [20, 60, 200])
def test_two_random_permutations_are_recognized(monkeypatch, n):
    monkeypatch.setattr(schreier_sims, "searched_levels", None)
    for seed in range(5):
        source = torch.Generator().manual_seed(seed)
        group = PermutationGroup(create_random_permutations(n, 2, source))
        if len(group.orbits()) == 1:
            assert group.order in (math.factorial(n), math.factorial(n) // 2)


def test_factors_that_move_different_points_are_recognized_one_by_one(monkeypatch):
    monkeypatch.setattr(giants, "_LEAST_GIANT", 3)
    monkeypatch.setattr(schreier_sims, "searched_levels", None)
    product = direct_product(adjacent(60), alternating_group(50), trivial_group(2), adjacent(3))
    order = math.factorial(60) * math.factorial(50) // 2 * 6
    assert product.order == order
    for seed in range(3):
        assert spread([g.cycles() for g in product.generators], 115, seed=seed).order == order


@pytest.mark.parametrize(
    "group",
    [
        wreath_product(symmetric_group(4), symmetric_group(2)),
        wreath_product(symmetric_group(2), symmetric_group(5)),
        wreath_product(alternating_group(5), cyclic_group(3)),
        direct_product(symmetric_group(3), symmetric_group(4), on="grid"),
        mathieu_group(12),
        symmetric_group(5).on_tuples(2),
        cyclic_group(13),
        dihedral_group(11),
    ],
    ids=lambda group: group.name,
)
def test_no_other_group_is_taken_for_a_giant(group):
    generators = PermutationGroup(group.generators)
    assert generators.order == group.order
    assert generators == group


def test_the_simple_group_of_order_168_is_none_though_it_holds_a_seven_cycle():
    # PSL(2, 7) on the eight points of the projective line: x + 1, 2x and −1/x.
    shift = [*((i + 1) % 7 for i in range(7)), 7]
    double = [*(2 * i % 7 for i in range(7)), 7]
    invert = [7, *(-pow(i, -1, 7) % 7 for i in range(1, 7)), 0]
    assert PermutationGroup([shift, double, invert]).order == 168


@large
@pytest.mark.parametrize("n", [40, 300])
def test_numbers_elements_and_draws_of_large_groups_agree(make, n):
    group = make(n)
    for number in {0, group.order - 1, group.order // 3, group.order * 5 // 7}:
        element = group.unrank(number)
        assert element in group
        assert group.rank(element) == number
        assert next(group.elements(number, number + 1))[0].tolist() == [*element.index_tensor]
    drawn = [Permutation(row) for row in group.sample(3, torch.Generator().manual_seed(0))]
    assert all(p in group for p in drawn)
    assert drawn == [group.unrank(group.rank(p)) for p in drawn]
    first = list(itertools.islice(group, 3))
    assert first == [group.unrank(number) for number in range(min(3, group.order))]


def test_what_is_no_element_of_a_large_group_is_refused():
    swap = Permutation.from_cycles(1000, (3, 4))
    across = Permutation.from_cycles(1000, (499, 500))
    assert swap in symmetric_group(1000)
    assert swap not in alternating_group(1000)
    assert swap in direct_product(*halves(1000))
    assert across not in direct_product(*halves(1000))
    assert swap in LARGE["sets of sets"](1000)
    assert across not in LARGE["sets of sets"](1000)
    assert swap not in symmetric_group(10).on_tuples(3)


@large
def test_nothing_quadratic_is_made_to_count_to_number_and_to_draw(make, at_most):
    group, n = make(2000), 2000
    limit = 2 * n * n  # bytes: a quarter of a matrix of indices
    at_most(limit, lambda: group.order)
    element = at_most(limit, lambda: group.unrank(group.order // 3))
    assert at_most(limit, lambda: element in group)
    at_most(limit, lambda: group.rank(element))
    at_most(limit, lambda: group.sample(1))
    at_most(40_000_000, lambda: next(iter(group)))  # tables of a size that does not grow with n


@pytest.mark.parametrize(
    ("name", "weights"),
    {
        "S_n": 2,
        "A_n": 2,
        "by generators": 2,
        "union": 6,
        "grid": 4,
        "blocks": 11,
        "C_n": 3000,
        "D_n": 1501,
    }.items(),
)
def test_nothing_quadratic_is_made_to_hold_a_handful_of_weights(name, weights, at_most):
    n = 3000
    layer = at_most(n * n, lambda: OrbitLinear(LARGE[name](n), 1, 1))
    x = torch.randn(2, layer.group.degree, 1)
    assert len(layer.weight) == weights
    assert at_most(n * n, lambda: layer(x)).shape == x.shape


def test_the_permutations_of_many_points_are_listed_lazily(at_most):
    first = at_most(10**7, lambda: list(itertools.islice(create_all_permutations(5000), 2)))
    assert [p.cycles() for p in first] == [(), ((4998, 4999),)]


@pytest.mark.parametrize("n", [1600, 4000])
def test_a_large_order_is_told_with_the_advice_to_sample(n, at_most):
    advice = r"S_\d+ has \d\.\d\d·10\^\d+ elements, more than max_order=10,000,000: .*samples=k"
    with pytest.raises(ValueError, match=advice):
        at_most(n * n, lambda: SymmetryModel(torch.nn.Flatten(), symmetric_group(n)))


def test_a_large_order_has_a_text_wherever_it_is_told():
    group = symmetric_group(1600)
    assert str(group.order) == f"{group.order:,}" == "5.27·10^4433"
    assert group.order == math.factorial(1600)
    with pytest.raises(ValueError, match=r"below the order 5.27·10\^4433, got 5.27·10\^4433"):
        group.unrank(math.factorial(1600))
    with pytest.raises(ValueError, match=r"at most the order 5.27·10\^4433, got 5.27·10\^4434"):
        group.elements(0, 10 * group.order)
    with pytest.raises(ValueError, match=r"stop must be at least 5.27·10\^4434, got 5.27·10\^4433"):
        group.elements(10 * group.order)
    with pytest.raises(OverflowError, match=r"5.27·10\^4433"):
        len(group)
    with pytest.raises(ValueError, match=r"S_1602 .* more than max_order=5.27·10\^4433"):
        SymmetryModel(torch.nn.Flatten(), symmetric_group(1602), max_order=group.order)
    with pytest.raises(ValueError, match=r"number must be at least 0, got -5.27·10\^4433"):
        group.unrank(-group.order)
