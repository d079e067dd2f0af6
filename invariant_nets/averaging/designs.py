r"""Designs: random permutations whose mean often has less variance than that of independent draws.

For a subgroup $H$ of the group $G$ that is averaged over, the elements of a coset
$\sigma H \tau$ are drawn together. With $\sigma$ and $\tau$ uniform on $G$ each of them is uniform
on $G$, so the mean over the coset is an unbiased estimate,

$$\mathbb E_{\sigma, \tau}\, \frac1{|H|} \sum_{h \in H} f(\sigma h \tau) =
\frac1{|G|} \sum_{g \in G} f(g).$$

**Theorem.** Let $f = \sum_\rho f_\rho$ be the parts of $f$ in the irreducible representations of
$G$, with characters $\chi_\rho$. Then

$$\operatorname{Var}_{\sigma, \tau} \Bigl( \frac1{|H|} \sum_{h \in H} f(\sigma h \tau) \Bigr) =
\frac1{|H|} \sum_{\rho \ne 1} r_\rho\, \|f_\rho\|^2, \qquad
r_\rho = \sum_{h \in H} \frac{\chi_\rho(h)}{\chi_\rho(1)},$$

where $\|f_\rho\|^2$ is the mean of $|f_\rho|^2$ over $G$. The same holds for $|H|$ independent
draws with $r_\rho = 1$, so $r_\rho$ is the ratio of the variances. It depends on $H$ alone and lies
between 0 and $|H|$. Its mean over all $\rho \ne 1$ with weights $\chi_\rho(1)^2$ is
$(|G| - |H|)/(|G| - 1)$, nearly 1 if $H$ is small: a smaller variance for some functions means a
larger one for others. If $G = S_n$ and $H$ is $t$-transitive, then $r_\rho = 0$ for all functions
of degree $t$, the sums of functions of $t$ of the images $\sigma(1), \dots, \sigma(n)$: each coset
gives their average over $S_n$ exactly.

| | (n−1, 1) | (n−2, 2) | (n−2, 1, 1) | sign |
|---|---|---|---|---|
| degree | 1 | 2 | 2 | n−1 |
| $C_{10}$ | 0 | 1.14 | 1.11 | 0 |
| $C_{11}$ | 0 | 1 | 1.22 | 11 |
| $\mathrm{AGL}(1, 11)$, $\mathrm{PGL}(2, 9)$ | 0 | 0 | 0 | 0 |

Without $\tau$ the ratio can be $|H|$ at any degree: if a network is $H$-invariant, all its outputs
on one coset of $H$ are equal.

Independent draws are the default. Their ratio is 1 for every network, where that of $C_n$ is
slightly larger for functions without a part of degree 1. They have a standard error from two draws
on, where a design needs two whole cosets.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch

from invariant_nets._arguments import positive_int
from invariant_nets.groups.group import PermutationGroup
from invariant_nets.groups.named import (
    cyclic_group,
    mathieu_group,
    symmetric_group,
    trivial_group,
)
from invariant_nets.groups.permutation import are_odd
from invariant_nets.groups.transitive.lines import affine_group, prime_power, projective_group


def coset_subgroup(n: int, samples: int) -> PermutationGroup:
    r"""Return a subgroup of $S_n$ for a design of at most `samples` permutations.

    Among the following groups with at most `samples` elements it is the most transitive one, and
    the smallest if there are several:

    | subgroup | transitivity | order | condition |
    |---|---|---|---|
    | $S_n$ | $n$ | $n!$ | every $n$; the average is exact |
    | $M_{12}$, $M_{11}$ | 5, 4 | 95,040; 7,920 | $n = 12$, $n = 11$ |
    | $\mathrm{PGL}(2, n - 1)$ | 3 | $n(n-1)(n-2)$ | $n - 1$ a prime power |
    | $\mathrm{PSL}(2, n - 1)$ | 2 | $n(n-1)(n-2)/2$ | $n - 1$ an odd prime power |
    | $\mathrm{AGL}(1, n)$ | 2 | $n(n-1)$ | $n$ a prime power |
    | $C_n$ | 1 | $n$ | every $n$ |
    | $\{e\}$ | 0 | 1 | every $n$; the draws are independent |

    Args:
        n: the number of points, at least 1.
        samples: the number of permutations, at least 1.

    Raises:
        ValueError: if `n` or `samples` is below 1.

    Example:
        >>> [coset_subgroup(10, k).name for k in (5, 100, 500, 1000)]
        ['{e}', 'C_10', 'PSL(2, 9)', 'PGL(2, 9)']
        >>> coset_subgroup(11, 1000).name, coset_subgroup(6, 1000).name
        ('AGL(1, 11)', 'S_6')

    References:
        Dixon & Mortimer (1996), *Permutation Groups*, chapter 7 and appendix A.

    Chapter 8 compares its cosets with independent draws.
    """
    n, samples = positive_int("n", n), positive_int("samples", samples)
    if math.factorial(n) <= samples:
        return symmetric_group(n)
    # (transitivity, −order, constructor): the greatest is chosen.
    known: list[tuple[int, int, Callable[[], PermutationGroup]]] = [
        (0, -1, partial(trivial_group, n)),
        (1, -n, partial(cyclic_group, n)),
    ]
    if prime_power(n):
        known.append((2, -n * (n - 1), partial(affine_group, n)))
    if found := prime_power(n - 1):
        order = n * (n - 1) * (n - 2)
        known.append((3, -order, partial(projective_group, n - 1)))
        if found[0] > 2:
            known.append((2, -order // 2, partial(projective_group, n - 1, special=True)))
    if n in _MATHIEU:
        known.append((*_MATHIEU[n], partial(mathieu_group, n)))
    return max((one for one in known if -one[1] <= samples), key=lambda one: one[:2])[2]()


_MATHIEU = {11: (4, -7920), 12: (5, -95040)}


def variance_ratios(subgroup: PermutationGroup) -> dict[str, float]:
    r"""Return $r_\rho$ of a subgroup of $S_n$, for the lowest degrees and for the sign.

    $$r_\rho = \sum_{h \in H} \frac{\chi_\rho(h)}{\chi_\rho(1)}$$

    is the variance of a mean over a random coset $\sigma H \tau$, divided by that over $|H|$
    independent draws, for functions in this representation.

    Args:
        subgroup: $H$; all of its elements are listed.

    Returns:
        The ratio for each partition: $(n-1, 1)$ is degree 1; $(n-2, 2)$ and $(n-2, 1, 1)$ are what
        degree 2 adds; the sign is $(1, \dots, 1)$.

    Raises:
        TypeError: if `subgroup` is not a group.
        ValueError: if `subgroup` permutes fewer than 4 points.

    Example:
        >>> from invariant_nets import cyclic_group
        >>> {part: round(r, 2) for part, r in variance_ratios(cyclic_group(11)).items()}
        {'(n-1, 1)': 0.0, '(n-2, 2)': 1.0, '(n-2, 1, 1)': 1.22, 'sign': 11.0}

    References:
        Diaconis (1988), *Group Representations in Probability and Statistics*, chapter 7.

    Derived in chapter 8.
    """
    if not isinstance(subgroup, PermutationGroup):
        raise TypeError(f"subgroup must be a PermutationGroup, got {subgroup!r}")
    if (n := subgroup.degree) < 4:
        raise ValueError(f"subgroup must permute at least 4 points, got {n}")
    points = torch.arange(n, device="cpu")
    sums = [0, 0, 0, 0]
    for chunk in subgroup.elements():
        fixed = (chunk == points).sum(1)
        swaps = ((chunk.gather(1, chunk) == points).sum(1) - fixed) // 2
        characters = (
            fixed - 1,
            fixed * (fixed - 3) // 2 + swaps,
            (fixed - 1) * (fixed - 2) // 2 - swaps,
            1 - 2 * are_odd(chunk).long(),
        )
        sums = [s + int(c.sum()) for s, c in zip(sums, characters, strict=True)]
    dimensions = n - 1, n * (n - 3) // 2, (n - 1) * (n - 2) // 2, 1
    return {part: s / dim for part, s, dim in zip(_PARTS, sums, dimensions, strict=True)}


_PARTS = "(n-1, 1)", "(n-2, 2)", "(n-2, 1, 1)", "sign"
