r"""Hands of poker, all 2,598,960 of them: a task whose labels are exact, and its symmetry known."""

from __future__ import annotations

import functools

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from invariant_nets._arguments import int_at_least, positive_int
from invariant_nets.data.labeled_sets import LabeledSets

HANDS = 2_598_960
CATEGORIES = (
    *("nothing", "pair", "two pairs", "three", "straight", "flush"),
    *("full house", "four", "straight flush", "royal flush"),
)
_CARDS, _RANKS, _SUITS = 52, 13, 4


def poker_hands(count: int, seed: int = 0, *, balanced: bool = False) -> LabeledSets:
    r"""Draw different hands of five cards, each with the category that the rules give it.

    A card is a row: a one in one of 13 columns for its rank, ace first and king last, and a one in
    one of 4 for its suit. The cards of a hand are sorted from king to ace; shuffle them if the
    network should not use the order. The label is a function of the set of cards, and depends on
    the suits only by which of them are equal:

    $$y\bigl((\sigma, \pi) \cdot x\bigr) = y(x), \qquad (\sigma, \pi) \in S_5 \times S_4,$$

    where $\sigma$ permutes the rows and $\pi$ the last four columns. Ranks have an order, which
    straights need, and no such symmetry.

    | label | category | hands | | label | category | hands |
    |---|---|---|---|---|---|---|
    | 0 | nothing | 1,302,540 | | 5 | flush | 5,108 |
    | 1 | pair | 1,098,240 | | 6 | full house | 3,744 |
    | 2 | two pairs | 123,552 | | 7 | four | 624 |
    | 3 | three | 54,912 | | 8 | straight flush | 36 |
    | 4 | straight | 10,200 | | 9 | royal flush | 4 |

    Of hands drawn uniformly, 92 % are nothing or a pair, and a rule that ignores suits is right on
    99.8 %. The accuracy says little, so look at each category. `balanced` takes as many hands of
    each category as of any other, or all hands of a category that has fewer. No hand appears twice,
    and the hand determines the label, so the best possible loss is 0. Test on a `split` of one
    draw, since two draws share hands.

    Args:
        count: the number of hands, from 1 to 2,598,960.
        seed: the same seed gives the same hands; if not balanced, a larger count begins with the
            hands of a smaller one.
        balanced: whether the categories are balanced as far as there are hands.

    Returns:
        Sets of shape (count, 5, 17) in random order, with classes as labels, whose names are in
        `class_names`. A hand takes 340 bytes, all hands 0.9 GB.

    Raises:
        TypeError: if an argument is of another kind.
        ValueError: if a number is out of its range.

    Example:
        >>> hands = poker_hands(1000, balanced=True)
        >>> hands.x.shape, hands.counts
        (torch.Size([1000, 5, 17]), (120, 120, 120, 120, 120, 120, 120, 120, 36, 4))
        >>> sum(hands.class_names[hands[number][1]] == "flush" for number in range(1000))
        120

    References:
        R. Cattral, F. Oppacher and D. Deugo (2002), *Evolutionary Data Mining with Automatic Rule
        Generalization*, whose ten categories these are.

    Used in chapter 14.
    """
    if positive_int("count", count) > HANDS:
        raise ValueError(f"count must be at most {HANDS}, the number of hands, got {count}")
    source = torch.Generator("cpu").manual_seed(int_at_least("seed", seed, 0))
    if balanced not in (True, False):
        raise TypeError(f"balanced must be True or False, got {balanced!r}")
    order = torch.randperm(HANDS, generator=source, device="cpu")
    if balanced:
        order = order[_balanced(_categories()[order], count)]
    cards = cards_of(order[:count])
    x = torch.zeros(count, 5, _RANKS + _SUITS, dtype=torch.uint8, device="cpu")
    columns = torch.stack([cards // _SUITS, _RANKS + cards % _SUITS], dim=2)
    x.scatter_(2, columns, 1)
    return LabeledSets(x, category(cards), labels="classes", class_names=CATEGORIES)


def cards_of(numbers: Int[Tensor, " hands"]) -> Int[Tensor, "hands 5"]:
    r"""Return the hands of some numbers: $4 r + s$ for each card of rank $r$ and suit $s$.

    Each number has one expansion $\binom{c_5}{5} + \dots + \binom{c_1}{1}$ with
    $c_5 > \dots > c_1 \ge 0$, and these are the cards.
    """
    rest, cards = numbers.clone(), []
    binomials = torch.ones(_CARDS + 1, dtype=torch.int64, device="cpu")
    columns = [binomials]
    for _ in range(5):  # C(c, k) is the sum of C(b, k - 1) over all b < c
        binomials = torch.cat([binomials.new_zeros(1), binomials.cumsum(0)[:-1]])
        columns.append(binomials)
    for size in range(5, 0, -1):
        card = torch.searchsorted(columns[size], rest, right=True) - 1
        rest -= columns[size][card]
        cards.append(card)
    return torch.stack(cards, dim=1)


def category(cards: Int[Tensor, "hands 5"]) -> Int[Tensor, " hands"]:
    """Return the category of hands: how many of the ten pairs of cards have one rank tells most."""
    ranks, suits = (cards // _SUITS).sort(1).values, cards % _SUITS
    first, second = torch.triu_indices(5, 5, 1, device="cpu")
    equal = (ranks[:, first] == ranks[:, second]).sum(1)
    # 0, 1, 2, 3, 4 or 6 pairs of equal ranks; 5 cannot be.
    label = torch.tensor([0, 1, 2, 3, 6, 0, 7], device="cpu")[equal]
    flush = (suits == suits[:, :1]).all(1)
    highest = (ranks == torch.tensor([0, 9, 10, 11, 12], device="cpu")).all(1)
    straight = ((equal == 0) & (ranks[:, 4] - ranks[:, 0] == 4)) | highest
    for mask, name in (
        (straight, "straight"),
        (flush, "flush"),
        (straight & flush, "straight flush"),
        (highest & flush, "royal flush"),
    ):
        label[mask] = CATEGORIES.index(name)
    return label


@functools.cache
def _categories() -> Int[Tensor, " hands"]:
    """Return the category of every hand by its number, in one byte each."""
    parts = torch.split(torch.arange(HANDS, device="cpu"), 2**18)
    return torch.cat([category(cards_of(part)).to(torch.uint8) for part in parts])


def _balanced(labels: Int[Tensor, " hands"], count: int) -> Bool[Tensor, " hands"]:
    """Return which hands to take: of every category the first ones, as many as of any other."""
    sizes = torch.bincount(labels, minlength=len(CATEGORIES)).tolist()
    wanted, left = [0] * len(sizes), count
    for done, label in enumerate(sorted(range(len(sizes)), key=sizes.__getitem__)):
        # From the rarest on, an equal part of what is left; the commonest take the remainder.
        wanted[label] = min(sizes[label], left // (len(sizes) - done))
        left -= wanted[label]
    taken = torch.zeros(len(labels), dtype=torch.bool, device="cpu")
    for label, number in enumerate(wanted):
        taken[(labels == label).nonzero()[:number, 0]] = True
    return taken
