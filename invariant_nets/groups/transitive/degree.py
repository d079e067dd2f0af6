r"""The degree of transitivity: to how many points at once a group gives any images."""

from __future__ import annotations

from invariant_nets.groups.chain import Level
from invariant_nets.groups.finding.schreier_sims import levels_of
from invariant_nets.groups.group import PermutationGroup


def transitivity(group: PermutationGroup) -> int:
    r"""Return the largest $t$ such that the group is $t$-transitive.

    $$(g(i_1), \dots, g(i_t)) = (j_1, \dots, j_t)$$

    has a solution $g \in G$ for any $t$ different points $i$ and any $t$ different points $j$. For
    functions of degree $t$, which are sums of functions of $t$ of the images
    $\sigma(1), \dots, \sigma(n)$, the averages over $G$ and $S_n$ are then equal:

    $$\frac1{|G|} \sum_{g \in G} f(g) = \frac1{n!} \sum_{\sigma \in S_n} f(\sigma).$$

    $G$ is $t$-transitive if and only if the orbits of the first $t$ base points of its chain of
    stabilizers have $n, n-1, \dots, n-t+1$ points.

    Args:
        group: any permutation group.

    Returns:
        0 for a group with several orbits, $n$ for $S_n$, $n - 2$ for $A_n$.

    Raises:
        TypeError: if `group` is not a group.

    Example:
        >>> from invariant_nets import alternating_group, cyclic_group, mathieu_group
        >>> [transitivity(group) for group in (cyclic_group(5), alternating_group(5))]
        [1, 3]
        >>> transitivity(mathieu_group(12))
        5

    References:
        Dixon & Mortimer (1996), *Permutation Groups*, chapter 7.

    Chapter 8 proves the equality.
    """
    if not isinstance(group, PermutationGroup):
        raise TypeError(f"group must be a PermutationGroup, got {group!r}")
    n = group.degree
    if int(group.orbit_numbers().max()) > 0:
        return 0
    levels: list[Level] = group._chain.levels
    if n > 1 and levels[0].size < n:
        # The chain of a grid goes axis by axis.
        if int(group.orbitals(every=False).max()) > 1:
            return 1
        levels = [level for level in levels_of(group._images) if level.size > 1]
    t = 0
    while t < len(levels) and levels[t].size == n - t:
        t += 1
    return n if t == n - 1 else t  # the last point has one image left
