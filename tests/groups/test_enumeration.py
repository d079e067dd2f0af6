import itertools
import math
from collections import Counter

import pytest
import torch
from scipy.stats import chisquare

from invariant_nets import (
    Permutation,
    create_all_permutations,
    create_permutations_from_generators,
    create_random_permutations,
)
from tests import oracles


def indices(permutations):
    return [tuple(permutation.index_tensor.tolist()) for permutation in permutations]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 7])
def test_all_permutations_are_those_of_itertools(n):
    assert indices(create_all_permutations(n)) == list(itertools.permutations(range(n)))


def test_all_permutations_cross_the_blocks_that_they_are_made_in():
    # 8! is more than one block.
    assert len(set(create_all_permutations(8))) == math.factorial(8)


def test_the_first_of_fifty_factorial_come_at_once():
    first = list(itertools.islice(create_all_permutations(50), 3))
    assert first[0] == Permutation.identity(50)
    assert indices(first) == list(itertools.islice(itertools.permutations(range(50)), 3))


@pytest.mark.parametrize("n", [0, -3])
def test_permutations_of_no_points_are_refused_before_the_first_is_asked_for(n):
    with pytest.raises(ValueError, match=f"n must be at least 1, got {n}"):
        create_all_permutations(n)


GENERATORS = {
    "trivial": [[0]],
    "identity only": [[0, 1, 2]],
    "C_5": [[1, 2, 3, 4, 0]],
    "D_5": [[1, 2, 3, 4, 0], [4, 3, 2, 1, 0]],
    "S_4": [[1, 0, 2, 3], [1, 2, 3, 0]],
    "A_4": [[1, 2, 0, 3], [0, 2, 3, 1]],
    "two blocks": [[1, 0, 2, 3, 4], [0, 1, 3, 4, 2]],
    "the same twice": [[1, 2, 0], [1, 2, 0]],
    "with the identity": [[0, 1, 2], [1, 0, 2]],
    "quaternions": [[1, 2, 3, 0, 5, 6, 7, 4], [4, 7, 6, 5, 2, 1, 0, 3]],
}


@pytest.mark.parametrize("generators", GENERATORS.values(), ids=GENERATORS.keys())
def test_the_generated_group_is_the_brute_force_closure(generators):
    group = indices(create_permutations_from_generators(map(Permutation, generators)))
    assert len(group) == len(set(group))
    assert set(group) == oracles.closure(generators)


@pytest.mark.parametrize("generators", GENERATORS.values(), ids=GENERATORS.keys())
def test_the_identity_comes_first(generators):
    group = create_permutations_from_generators([Permutation(g) for g in generators])
    assert group[0] == Permutation.identity(len(generators[0]))


def test_elements_come_by_the_length_of_their_words():
    swap, cycle = Permutation([1, 0, 2, 3]), Permutation([1, 2, 3, 0])
    group = create_permutations_from_generators([swap, cycle])
    length, frontier, depth = {group[0]: 0}, [group[0]], 0
    while frontier:
        depth += 1
        products = dict.fromkeys(g @ p for p in frontier for g in (swap, cycle))
        frontier = [product for product in products if product not in length]
        length |= dict.fromkeys(frontier, depth)
    lengths = [length[p] for p in group]
    assert lengths == sorted(lengths)


def test_the_order_of_the_elements_is_the_same_every_time():
    generators = [Permutation([1, 0, 2, 3]), Permutation([1, 2, 3, 0])]
    first = create_permutations_from_generators(generators)
    assert create_permutations_from_generators(generators) == first
    assert first[1:3] == generators


def test_a_shift_generates_its_powers_in_order():
    shift = Permutation([1, 2, 3, 4, 0])
    group = create_permutations_from_generators([shift])
    assert all(group[k + 1] == group[k] @ shift for k in range(4))


def test_no_generators_are_refused():
    with pytest.raises(ValueError, match="generators must hold at least one permutation, got none"):
        create_permutations_from_generators([])


def test_generators_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match=r"generators must be.*one size.*\[2, 3\]"):
        create_permutations_from_generators([Permutation([1, 0]), Permutation([1, 0, 2])])


@pytest.mark.parametrize("generators", [Permutation([1, 0]), 3, None])
def test_generators_that_are_no_iterable_are_refused(generators):
    with pytest.raises(TypeError, match="generators must be an iterable of Permutation"):
        create_permutations_from_generators(generators)


def test_generators_that_are_no_permutations_are_refused():
    with pytest.raises(TypeError, match=r"generators must hold Permutation.*\[1, 0\]"):
        create_permutations_from_generators([Permutation([1, 0]), [1, 0]])


def test_random_permutations_are_uniform():
    generator = torch.Generator().manual_seed(0)
    counts = Counter(create_random_permutations(4, 24_000, generator))
    assert len(counts) == 24
    assert chisquare(list(counts.values())).pvalue > 1e-3


def test_the_uniformity_test_can_fail():
    # The naive shuffle swaps every point with any other, which is not uniform.
    generator = torch.Generator().manual_seed(0)
    counts = Counter()
    for _ in range(24_000):
        index = [0, 1, 2]
        for i, j in enumerate(torch.randint(3, (3,), generator=generator).tolist()):
            index[i], index[j] = index[j], index[i]
        counts[tuple(index)] += 1
    assert chisquare(list(counts.values())).pvalue < 1e-3


def test_random_permutations_are_independent_of_each_other():
    # Pairs (p, q) that are drawn together must be uniform on S_3 × S_3.
    generator = torch.Generator().manual_seed(0)
    draws = create_random_permutations(3, 36_000, generator)
    counts = Counter(zip(draws[::2], draws[1::2], strict=True))
    assert len(counts) == 36
    assert chisquare(list(counts.values())).pvalue > 1e-3


def test_the_generator_decides_what_is_drawn():
    draws = [
        create_random_permutations(9, 4, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)
    ]
    assert draws[0] == draws[1] != draws[2]


def test_without_a_generator_torchs_global_one_decides():
    draws = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        draws.append(create_random_permutations(9, 4))
    assert draws[0] == draws[1] != draws[2]


def test_a_generator_of_ones_own_leaves_the_global_one_alone():
    before = torch.get_rng_state()
    create_random_permutations(9, 4, torch.Generator().manual_seed(0))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("n", "k", "name"), [(0, 1, "n"), (3, 0, "k"), (-1, 1, "n")])
def test_no_points_or_no_draws_are_refused(n, k, name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1"):
        create_random_permutations(n, k)
