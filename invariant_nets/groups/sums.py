r"""Direct sums of actions of one group: one element moves the points of each.

$$\mathbb R^{X \sqcup Y} = \mathbb R^X \oplus \mathbb R^Y, \qquad g(x) \in X, \; g(y) \in Y.$$
"""

from __future__ import annotations

import itertools

import torch

from invariant_nets.groups.group import NAME_LENGTH, PermutationGroup


def direct_sum(*actions: PermutationGroup) -> PermutationGroup:
    r"""Return one group as it acts on the disjoint union of the points of several of its actions.

    Generator $i$ of the sum moves the points of each action by generator $i$ of that action, where
    `direct_product` would move them apart. Features of a graph's nodes and of its pairs of nodes
    are one vector of $n + n^2$ entries, on which $S_n$ acts by the sum of its actions on points and
    on pairs; `OrbitLinear` then is every equivariant map between them, in four blocks:

    $$\dim \operatorname{Hom}_G(\mathbb R^X \oplus \mathbb R^Y, \mathbb R^Z)
      = \dim \operatorname{Hom}_G(\mathbb R^X, \mathbb R^Z)
      + \dim \operatorname{Hom}_G(\mathbb R^Y, \mathbb R^Z).$$

    Args:
        actions: at least one, all of one group: their generators correspond, in order. That they
            are generators of one group is not checked: the sum is what they generate together.

    Raises:
        ValueError: if there is no action, or their numbers of generators differ.
        TypeError: if one is no `PermutationGroup`.

    Example:
        >>> from invariant_nets import symmetric_group
        >>> nodes = symmetric_group(4)
        >>> both = direct_sum(nodes, nodes.on_tuples(2))
        >>> both.degree, both.order, len(both.orbits())
        (20, 24, 3)
        >>> int(both.orbitals().max()) + 1  # 2 + 5 + 5 + 15, by the patterns of indices
        27

    References:
        Finzi, Welling & Wilson (2021), *A Practical Method for Constructing Equivariant Multilayer
        Perceptrons for Arbitrary Matrix Groups*.
    """
    if not actions:
        raise ValueError("actions must hold at least one group, got none")
    for action in actions:
        if not isinstance(action, PermutationGroup):
            raise TypeError(f"actions must be PermutationGroup objects, got {action!r}")
    counts = [len(action._images) for action in actions]
    if len(set(counts)) > 1:
        raise ValueError(
            "actions must be of the same group, generator by generator: got "
            f"{', '.join(map(str, counts))} generators"
        )
    before = itertools.accumulate((action.degree for action in actions), initial=0)
    images = [action._images + offset for action, offset in zip(actions, before, strict=False)]
    name = " + ".join(action.name for action in actions)
    return PermutationGroup._known(
        torch.cat(images, 1),
        name if len(name) <= NAME_LENGTH else f"a sum of {len(actions)} actions",
    )
