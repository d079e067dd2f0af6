r"""Permutation groups of any size, from their generators.

A group is a set of permutations that is closed under products. A few generators determine it. A
chain of stabilizers then counts its elements, decides membership, lists the elements from any
number on, and draws them uniformly, without a search through the elements.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, partial
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from invariant_nets._arguments import int_at_least, long_int, positive_int
from invariant_nets.groups.chain import Draw, Level, StabilizerChain
from invariant_nets.groups.finding.schreier_sims import holds_giants, levels_of
from invariant_nets.groups.finding.stabilizers import stabilizing
from invariant_nets.groups.known_chains import on_tuples, tuple_levels, tuple_stabilizer
from invariant_nets.groups.orbits import apart_or_not, first_points, pair_orbits, point_orbits
from invariant_nets.groups.permutation import Permutation, lazy_block, stack_permutations

_CHUNK_ENTRIES = 1 << 20
NAME_LENGTH = 60
_Levels = Callable[[], list[Level]]


class PermutationGroup:
    r"""The group that some permutations generate, acting on the points $0, \dots, n-1$.

    $$G = \langle g_1, \dots, g_m \rangle \le S_n, \qquad (\sigma \cdot x)_i = x_{\sigma(i)}.$$

    Everything but the generators is computed exactly at its first use: the order by a chain of
    stabilizers, the orbits as connected components. Groups are equal if they have equal elements.

    Args:
        generators: at least one permutation, all of one size: `Permutation` objects, or what
            `Permutation` accepts. For the group with one element see `trivial_group`.
        name: the name of the group in texts.

    Raises:
        ValueError: if there is no generator, one is no permutation, or their sizes differ.

    Example:
        >>> klein = PermutationGroup([[1, 0, 3, 2], [2, 3, 0, 1]])
        >>> klein.order, klein.degree
        (4, 4)
        >>> Permutation([3, 2, 1, 0]) in klein, Permutation([1, 0, 2, 3]) in klein
        (True, False)
        >>> [str(g) for g in klein]
        ['()', '(0 1)(2 3)', '(0 2)(1 3)', '(0 3)(1 2)']

    References:
        Sims (1970), *Computational Methods in the Study of Permutation Groups*; Seress (2003),
        *Permutation Group Algorithms*, chapter 4.

    Derived in appendix A and chapter 12; chapter 1 introduces groups.
    """

    # What may be known of a group by a formula: chain, orbitals, stabilizers, how to draw.
    _levels: _Levels | None = None
    _orbitals: Callable[..., Int[Tensor, "rows n"]] | None = None
    _stabilizer: Callable[[int], PermutationGroup] | None = None
    _draw: Draw | None = None

    def __init__(
        self, generators: Iterable[Permutation | Sequence[int]], name: str | None = None
    ) -> None:
        one = isinstance(generators, Permutation | PermutationGroup)
        if one or not isinstance(generators, Iterable):
            raise TypeError(f"generators must be an iterable of permutations, got {generators!r}")
        rows = [g if isinstance(g, Permutation) else Permutation(g) for g in generators]
        self._images, self._name = stack_permutations(rows, name="generators"), name
        self.shape: tuple[int, ...] = (self.degree,)
        self.axes = self.shape

    @classmethod
    def _known(
        cls, images: Tensor, name: str | None, levels: _Levels | None = None, **known: Any
    ) -> PermutationGroup:
        # A group from rows that are permutations by construction, with what else is known of it.
        group = cls.__new__(cls)
        group._images, group._name, group._levels = images, name, levels
        group.shape = known.pop("shape", None) or (group.degree,)
        group.axes = known.pop("axes", None) or group.shape
        group.__dict__.update({f"_{fact}": value for fact, value in known.items()})
        return group

    @property
    def degree(self) -> int:
        """The number of points that the group permutes."""
        return self._images.shape[1]

    @property
    def generators(self) -> tuple[Permutation, ...]:
        """The permutations that the group was made from, in order."""
        return tuple(map(Permutation._trusted, self._images.unbind()))

    @property
    def name(self) -> str:
        """The name of the group, such as $S_n$; by default its generators."""
        if self._name is not None:
            return self._name
        shown = ", ".join(map(str, self.generators))
        return f"⟨{shown if len(shown) <= NAME_LENGTH else f'{len(self._images)} generators'}⟩"

    @cached_property
    def _chain(self) -> StabilizerChain:
        levels = self._levels() if self._levels else levels_of(self._images)
        return StabilizerChain(self.degree, levels)

    def __getstate__(self) -> dict[str, Any]:
        # The chain holds functions of functions, and is made again when it is asked for.
        return {name: value for name, value in self.__dict__.items() if name != "_chain"}

    @property
    def order(self) -> int:
        """The number of elements, exactly."""
        return self._chain.order

    def __len__(self) -> int:
        if self.order > sys.maxsize:
            raise OverflowError(f"len() cannot tell {self.order}; ask for `order`")
        return self.order

    def __bool__(self) -> bool:
        return True

    def __contains__(self, permutation: object) -> bool:
        return self._chain.digits(permutation) is not None

    def is_subgroup(self, of: PermutationGroup) -> bool:
        """Return whether every element of this group is an element of the other."""
        if not isinstance(of, PermutationGroup):
            raise TypeError(f"of must be a PermutationGroup, got {of!r}")
        return self.degree == of.degree and all(g in of for g in self.generators)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PermutationGroup):
            return NotImplemented
        return self.is_subgroup(other) and self.order == other.order

    def __hash__(self) -> int:
        return hash((self.degree, self.order))

    def orbits(self) -> tuple[tuple[int, ...], ...]:
        """Return the orbits of the points, each sorted, in the order of their first points.

        Example:
            >>> PermutationGroup([[1, 0, 2, 4, 3]]).orbits()
            ((0, 1), (2,), (3, 4))
        """
        orbits: list[list[int]] = []
        for point, number in enumerate(point_orbits(self._images).tolist()):
            if number == len(orbits):
                orbits.append([])
            orbits[number].append(point)
        return tuple(map(tuple, orbits))

    def orbit_numbers(self) -> Int[Tensor, " n"]:
        """Return the number of each point's orbit, from 0, as they first appear."""
        return point_orbits(self._images)

    def orbitals(
        self, other: PermutationGroup | None = None, *, every: bool = True
    ) -> Int[Tensor, "n m"]:
        r"""Return the number of the orbit of every pair of points, from 0, as they first appear.

        Their number is the dimension of the equivariant linear maps from the second points to the
        first. Those of $S_n$, $A_n$, $C_n$, $D_n$, $\{e\}$ and of direct products of any groups are
        written down without a search (see the module `orbits`).

        Args:
            other: another action of the same group, generator by generator; by default this one.
            every: whether for all first points, or for one per orbit, which meets all orbitals.

        Raises:
            ValueError: if the two have different numbers of generators.

        Example:
            >>> PermutationGroup([[1, 2, 0], [1, 0, 2]]).orbitals().tolist()
            [[0, 1, 1], [1, 0, 1], [1, 1, 0]]
        """
        if other is None and self._orbitals is not None:
            return self._orbitals(every=every)
        if other is None and not every and holds_giants(self._images):
            return apart_or_not(self.orbit_numbers())  # nothing of size n²
        other = self if other is None else other
        if len(other._images) != len(self._images):
            raise ValueError(
                "other must be an action of the same group, generator by generator: got "
                f"{len(other._images)} generators for {len(self._images)}"
            )
        numbers = pair_orbits(self._images, other._images)
        return numbers if every else numbers[first_points(self.orbit_numbers())]

    def stabilizer(self, point: int) -> PermutationGroup:
        """Return the subgroup of the elements that leave a point where it is, exactly.

        Raises:
            ValueError: if `point` is none of the group's points.
        """
        point = int_at_least("point", point, 0)
        if point >= self.degree:
            raise ValueError(f"point must be below the degree {self.degree}, got {point}")
        if (self._images[:, point] == point).all():
            return self
        if self._stabilizer is not None:
            return self._stabilizer(point)
        images, levels = stabilizing(self._images, point, lambda: self._chain.levels)
        return self._known(images, None, levels, shape=self.shape, axes=self.axes)

    def elements(
        self, start: int = 0, stop: int | None = None, chunk_size: int | None = None
    ) -> Iterator[Int[Tensor, "k n"]]:
        r"""Yield the elements number `start`, …, `stop − 1` as index rows, one chunk at a time.

        The identity is number 0, and for $S_n$ the order is lexicographic. Memory stays constant,
        so ranges of a large group can be processed separately.

        Args:
            start: the first number, from 0.
            stop: the number after the last; $|G|$ by default.
            chunk_size: how many elements each tensor holds; by default about a million entries.

        Raises:
            ValueError: if the range is not within $0, \dots, |G|$, or `chunk_size` is below 1.

        Example:
            >>> [chunk.tolist() for chunk in PermutationGroup([[1, 2, 0]]).elements(1, 3)]
            [[[1, 2, 0], [2, 0, 1]]]
        """
        start = int_at_least("start", start, 0)
        stop = int_at_least("stop", self.order if stop is None else stop, start)
        if stop > self.order:
            raise ValueError(f"stop must be at most the order {self.order}, got {long_int(stop)}")
        if chunk_size is None:
            chunk_size = max(1, _CHUNK_ENTRIES // self.degree)
        return self._chain.runs(start, stop, positive_int("chunk_size", chunk_size))

    def __iter__(self) -> Iterator[Permutation]:
        for chunk in self.elements(chunk_size=lazy_block(self.degree)):
            yield from map(Permutation._trusted, chunk.unbind())

    def sample(self, k: int, generator: torch.Generator | None = None) -> Int[Tensor, "k n"]:
        """Draw `k` elements, independent and exactly uniform, as index rows.

        Args:
            k: the number of draws, at least 1.
            generator: the source of randomness; torch's global one by default.

        Raises:
            ValueError: if `k` is below 1.
        """
        return (self._draw or self._chain.sample)(positive_int("k", k), generator)

    def rank(self, permutation: Permutation) -> int:
        """Return the number of an element in the order of `elements`.

        Raises:
            ValueError: if the permutation is not in the group.
        """
        digits = self._chain.digits(permutation)
        if digits is None:
            raise ValueError(f"permutation must be in {self.name}, got {permutation}")
        return self._chain.rank(digits)

    def unrank(self, number: int) -> Permutation:
        """Return the element with a number from 0 to $|G| − 1$.

        Raises:
            ValueError: if there is no such element.
        """
        number = long_int(int_at_least("number", number, 0))
        if number >= self.order:
            raise ValueError(f"number must be below the order {self.order}, got {number}")
        return Permutation._trusted(self._chain.element(number))

    def on_tuples(self, k: int) -> PermutationGroup:
        r"""Return the same group as it acts on the $n^k$ tuples of $k$ points, numbered row by row.

        On pairs ($k = 2$) it permutes rows and columns of an $n \times n$ matrix together, as when
        the nodes of a graph are renamed.

        Example:
            >>> pairs = PermutationGroup([[1, 2, 3, 0], [1, 0, 2, 3]]).on_tuples(2)
            >>> pairs.degree, pairs.order, int(pairs.orbitals().max()) + 1
            (16, 24, 15)
        """
        images, name = on_tuples(self._images, positive_int("k", k)), f"{self.name} on {k}-tuples"
        levels, fixing = partial(tuple_levels, self, k), partial(tuple_stabilizer, self, k)
        known = {"shape": (self.degree,) * k, "axes": self.axes * k, "stabilizer": fixing}
        return self._known(images, name, levels, **known)

    def __repr__(self) -> str:
        return f"PermutationGroup({self.name}, degree={self.degree})"
