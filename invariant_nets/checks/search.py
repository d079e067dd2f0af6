r"""A search for the permutations of its rows to which a function is invariant or equivariant.

The permutations under which $f$ is invariant form a group. Those of its elements that are
transpositions partition the rows into blocks, because $(i\ k) = (i\ j)(j\ k)(i\ j)$: inside a block
every order gives the same output, and one row of each block stands for all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Shaped
from torch import Tensor

from invariant_nets._arguments import warn
from invariant_nets.checks.probe import Probe, probing, set_like
from invariant_nets.groups.group import PermutationGroup
from invariant_nets.groups.named import cyclic_group, dihedral_group
from invariant_nets.groups.products import young_subgroup


def find_symmetry(
    model: Callable[..., Any],
    input: Shaped[Tensor, "batch n *rest"],
    *,
    mask: Bool[Tensor, "batch n"] | None = None,
    equivariant: bool = False,
    double: bool | None = None,
    rtol: float | None = None,
    atol: float = 0.0,
) -> PermutationGroup:
    r"""Find the permutations of rows under which a function is invariant, or equivariant.

    It tries the transpositions $(i\ j)$, the cyclic shifts $i \mapsto i + k$ and the reversals
    $i \mapsto c - i$ modulo $n$, and returns the group that those which pass generate.

    The search finds no other permutations. The group that it returns holds on the given sets, up to
    the tolerance (rows that are equal in all sets cannot be distinguished), but it may be too
    small. The search misses elements that are not products of transpositions, shifts and reversals
    that pass, such as a cycle through the rows in another order, or the exchange of two blocks.
    Test such a guess with `symmetry_report`.

    Args:
        model: the function of a batch of sets.
        input: the sets, in general position; a few are enough.
        mask: for sets padded to one size, true where a row is a member, as in `symmetry_report`.
        equivariant: whether to look for equivariance; otherwise for invariance.
        double: whether outputs are compared in float64; by default if the function accepts it.
        rtol: the error, relative to the spread of an output entry, that counts as rounding; by
            default the square root of the outputs' machine epsilon.
        atol: an absolute error that is tolerated in addition.

    Shape:
        input: $(\mathrm{batch}, n, d)$; the output $(\mathrm{batch}, *)$, if equivariant
        $(\mathrm{batch}, n, *)$.

    Returns:
        The group, with its name, such as `S_3 × S_7`, `C_10` or `trivial`.

    Raises:
        ValueError: if the function is random from call to call or its outputs are not finite, so
            that no symmetry can be found; or if its output or the input has the wrong shape.
        TypeError: if the model returns no tensor.

    Warns:
        UserWarning: if two rows are equal in all sets, so that they cannot be distinguished.

    Example:
        >>> x = torch.randn(32, 10, 2)
        >>> find_symmetry(lambda x: x[:, :3].amax(1) + x[:, 3:].sum(1), x)
        PermutationGroup(S_3 × S_7, degree=10)
        >>> find_symmetry(lambda x: (x * x.roll(1, 1)[..., [1, 0]]).sum((1, 2)), x).name
        'D_10'

    Derived in chapter 3.
    """
    set_like(input, mask)
    _warn_equal_rows(input)
    source = torch.Generator().manual_seed(0)
    with probing(
        model,
        input,
        mask=mask,
        axes=1,
        equivariant=equivariant,
        double=double,
        rtol=rtol,
        atol=atol,
        source=source,
    ) as probe:
        if probe.is_random:
            raise ValueError(
                "model must be deterministic for its symmetry to be found; two calls on the same "
                f"input differ by {probe.call_to_call:.3g}"
            )
        if not all(leaf.reference.isfinite().all() for leaf in probe.leaves):
            raise ValueError("model must have finite outputs for its symmetry to be found")
        n = input.shape[1]
        blocks = _blocks(probe, n)
        return _joined(young_subgroup(blocks, n), _turns(probe, n))


def _warn_equal_rows(x: Shaped[Tensor, "batch n *rest"]) -> None:
    _, kinds = torch.unique(x.transpose(0, 1).flatten(1), dim=0, return_inverse=True)
    first: dict[int, int] = {}
    for row, kind in enumerate(kinds.tolist()):
        if kind in first:
            warn(
                f"rows {first[kind]} and {row} are equal in all sets of the input: whether the "
                "function distinguishes them was not tested; take sets whose rows differ",
            )
            return
        first[kind] = row


def _blocks(probe: Probe, n: int) -> list[list[int]]:
    """The classes of rows that may be exchanged, one representative of each against the rest."""
    rest, blocks = list(range(n)), []
    while rest:
        first, others = rest[0], torch.tensor(rest[1:], dtype=torch.int64, device="cpu")
        swaps = torch.arange(n, device="cpu").repeat(len(others), 1)
        swaps[:, first] = others
        swaps[torch.arange(len(others), device="cpu"), others] = first
        together = probe.holds(swaps)
        blocks.append([first, *others[together].tolist()])
        rest = others[~together].tolist()
    return blocks


def _turns(probe: Probe, n: int) -> PermutationGroup | None:
    """The group of the shifts and reversals that pass, or None if none does."""
    rows = torch.arange(n, device="cpu")
    divisors = [k for k in range(1, n) if n % k == 0]
    steps = torch.tensor(divisors, dtype=torch.int64, device="cpu")
    shifts = (rows + steps[:, None]) % n
    # The plain reversal i ↦ n − 1 − i first.
    ends = torch.arange(n - 1, -1, -1, device="cpu")
    reversals = (ends[:, None] - rows) % n
    images, words = [], []
    # The steps that pass are the multiples of the smallest, and two reversals differ by a shift.
    for k in steps[probe.holds(shifts)][:1].tolist():
        images.append((rows + k) % n)
        words.append(f"i ↦ i + {k}")
    for c in ends[probe.holds(reversals)][:1].tolist():
        images.append((c - rows) % n)
        words.append(f"i ↦ {c} − i")
    if not images:
        return None
    if words[0] == "i ↦ i + 1":
        return cyclic_group(n) if len(words) == 1 else dihedral_group(n)
    return PermutationGroup(images, f"⟨{', '.join(words)} mod {n}⟩")


def _joined(young: PermutationGroup, turns: PermutationGroup | None) -> PermutationGroup:
    if turns is None or turns.is_subgroup(young):
        return young
    trivial = young.name == "trivial"
    # A shift or reversal that is a transposition needs n ≤ 4, and up to 3 rows D_n is S_n.
    if trivial or (young.degree == 4 and young.is_subgroup(turns)):
        return turns
    name = f"⟨{young.name}, {turns.name.strip('⟨⟩')}⟩"
    return PermutationGroup([*young.generators, *turns.generators], name)
