r"""Sharding: which part of the work a rank does.

A rank is one of the $K$ processes that run a program together. A batch of sets and a group of
permutations are both sequences, and rank $r$ takes a range of it.
"""

from __future__ import annotations

from invariant_nets._validation import int_at_least, positive_int


def shard(length: int, rank: int, ranks: int) -> range:
    r"""Return the part of a sequence that one of several ranks works on.

    $$\Bigl\{ \bigl\lfloor \tfrac{r L}{K} \bigr\rfloor, \dots,
    \bigl\lfloor \tfrac{(r+1) L}{K} \bigr\rfloor - 1 \Bigr\}$$

    The $K$ parts follow each other, cover the sequence, and differ in length by at most one; where
    there are more ranks than items, some are empty.

    Args:
        length: the length $L$ of the sequence, at least 0.
        rank: the number $r$ of the rank, from 0.
        ranks: how many ranks $K$ there are, at least 1.

    Raises:
        ValueError: if a number is out of its range.

    Example:
        >>> [shard(10, rank, 3) for rank in range(3)]
        [range(0, 3), range(3, 6), range(6, 10)]

    Derived in chapter 14.
    """
    length, ranks = int_at_least("length", length, 0), positive_int("ranks", ranks)
    rank = int_at_least("rank", rank, 0)
    if rank >= ranks:
        raise ValueError(f"rank must be below ranks={ranks}, got {rank}")
    return range(length * rank // ranks, length * (rank + 1) // ranks)
