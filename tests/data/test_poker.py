import itertools
import math
import random
from collections import Counter

import pytest
import torch

from invariant_nets import poker_hands
from invariant_nets.data.poker import CATEGORIES, HANDS, _categories, cards_of, category
from tests.defaults import other_default

# How many hands of each category there are, counted by hand.
COUNTS = {
    "pair": 13 * math.comb(4, 2) * math.comb(12, 3) * 4**3,
    "two pairs": math.comb(13, 2) * math.comb(4, 2) ** 2 * 44,
    "three": 13 * math.comb(4, 3) * math.comb(12, 2) * 4**2,
    "straight": 10 * (4**5 - 4),
    "flush": 4 * (math.comb(13, 5) - 10),
    "full house": 13 * math.comb(4, 3) * 12 * math.comb(4, 2),
    "four": 13 * 48,
    "straight flush": 9 * 4,
    "royal flush": 4,
}
COUNTS["nothing"] = (math.comb(13, 5) - 10) * (4**5 - 4)


def by_the_rules(hand):
    """The category of a hand of (rank, suit), ranks from 1, the ace, to 13, the king."""
    ranks = sorted(rank for rank, _ in hand)
    times = sorted(Counter(ranks).values())
    flush = len({suit for _, suit in hand}) == 1
    royal = ranks == [1, 10, 11, 12, 13]
    straight = royal or ranks == list(range(ranks[0], ranks[0] + 5))
    if flush and royal:
        return "royal flush"
    if flush and straight:
        return "straight flush"
    if times == [1, 4]:
        return "four"
    if times == [2, 3]:
        return "full house"
    if flush:
        return "flush"
    if straight:
        return "straight"
    if times == [1, 1, 3]:
        return "three"
    if times == [1, 2, 2]:
        return "two pairs"
    return "pair" if times == [1, 1, 1, 2] else "nothing"


def hands_of(x):
    """Every hand as (rank, suit) of its cards."""
    assert ((x == 0) | (x == 1)).all()
    assert (x[..., :13].sum(2) == 1).all()
    assert (x[..., 13:].sum(2) == 1).all()
    ranks, suits = x[..., :13].argmax(2) + 1, x[..., 13:].argmax(2)
    return [
        list(zip(r, s, strict=True)) for r, s in zip(ranks.tolist(), suits.tolist(), strict=True)
    ]


@pytest.mark.slow
def test_every_category_has_as_many_hands_as_combinatorics_counts():
    assert sum(COUNTS.values()) == HANDS == math.comb(52, 5)
    counts = torch.bincount(_categories()).tolist()
    assert dict(zip(CATEGORIES, counts, strict=True)) == COUNTS


def test_every_number_is_another_hand():
    first = list(itertools.combinations(range(9), 5))  # the hands of the nine first cards
    some = cards_of(torch.arange(len(first)))
    assert sorted(tuple(sorted(hand)) for hand in some.tolist()) == sorted(first)
    last = cards_of(torch.tensor([HANDS - 1])).tolist()
    assert last == [[51, 50, 49, 48, 47]]
    source = torch.Generator().manual_seed(0)
    numbers = torch.randint(HANDS, (2000,), generator=source)
    cards = cards_of(numbers).tolist()
    assert [
        sum(math.comb(card, 5 - k) for k, card in enumerate(hand)) for hand in cards
    ] == numbers.tolist()
    assert all(hand == sorted(set(hand), reverse=True) for hand in cards)


@pytest.mark.parametrize("balanced", [False, True])
def test_labels_are_those_of_the_rules(balanced):
    sets = poker_hands(5000, balanced=balanced)
    found = [by_the_rules(hand) for hand in hands_of(sets.x)]
    assert found == [sets.class_names[label] for label in sets.y.tolist()]


@pytest.mark.parametrize("balanced", [False, True])
def test_no_hand_comes_twice(balanced):
    sets = poker_hands(8000, seed=3, balanced=balanced)
    hands = [frozenset(hand) for hand in hands_of(sets.x)]
    assert len(set(hands)) == len(sets) == 8000  # drawn with repetition, a dozen would come again
    assert all(len(hand) == 5 for hand in hands)


@pytest.mark.slow
def test_labels_are_invariant_to_orders_of_cards_and_of_suits_and_not_of_ranks():
    draw = random.Random(0)
    moved = 0
    hands = hands_of(poker_hands(3000, balanced=True).x)
    for hand in hands:
        suits, ranks = draw.sample(range(4), 4), draw.sample(range(1, 14), 13)
        renamed = [(rank, suits[suit]) for rank, suit in draw.sample(hand, 5)]
        cards = torch.tensor([[4 * (rank - 1) + suit for rank, suit in hand]] * 2)
        cards[1] = torch.tensor([4 * (rank - 1) + suit for rank, suit in renamed])
        first, second = category(cards).tolist()
        assert first == second
        moved += by_the_rules(hand) != by_the_rules([(ranks[r - 1], suit) for r, suit in hand])
    assert moved > 300


def test_who_never_looks_at_suits_is_nearly_always_right():
    wrong = COUNTS["flush"] + COUNTS["straight flush"] + COUNTS["royal flush"]
    assert round(1 - wrong / HANDS, 3) == 0.998
    assert round((COUNTS["nothing"] + COUNTS["pair"]) / HANDS, 2) == 0.92


@pytest.mark.parametrize("count", [1, 9, 10, 41, 400, 12_345])
def test_balanced_hands_are_as_many_of_every_category_as_there_are(count):
    counts = poker_hands(count, balanced=True).counts
    assert sum(counts) == count
    fullest = max(counts)
    for name, own in zip(CATEGORIES, counts, strict=True):
        assert own == COUNTS[name] or own >= fullest - 1


def test_uniform_hands_come_as_often_as_they_should():
    counts = poker_hands(50_000, seed=1).counts
    for name, own in zip(CATEGORIES, counts, strict=True):
        mean = 50_000 * COUNTS[name] / HANDS
        assert abs(own - mean) < 5 * math.sqrt(mean) + 1


@pytest.mark.slow
def test_a_seed_gives_the_same_hands_and_more_of_them_begin_with_those():
    first = poker_hands(50, seed=7)
    assert torch.equal(first.x, poker_hands(50, seed=7).x)
    assert torch.equal(first.x, poker_hands(80, seed=7).x[:50])
    assert not torch.equal(first.x, poker_hands(50, seed=8).x)
    for default in ("dtype", "device"):
        with other_default(default):
            assert torch.equal(first.x, poker_hands(50, seed=7).x)
            again = poker_hands(50, balanced=True).y
        assert torch.equal(again, poker_hands(50, balanced=True).y)


def test_nothing_global_is_seeded():
    before = torch.get_rng_state()
    poker_hands(5, balanced=True)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.slow
def test_all_hands_can_be_drawn():
    assert poker_hands(HANDS, balanced=True).counts == tuple(COUNTS[name] for name in CATEGORIES)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"count": 0}, ValueError, "count must be at least 1, got 0"),
        ({"count": HANDS + 1}, ValueError, "count must be at most 2598960, the number of hands"),
        ({"count": 2.5}, TypeError, "count must be an integer"),
        ({"count": 5, "seed": -1}, ValueError, "seed must be at least 0"),
        ({"count": 5, "balanced": "yes"}, TypeError, "balanced must be True or False, got 'yes'"),
    ],
)
def test_what_are_no_hands_is_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        poker_hands(**arguments)
