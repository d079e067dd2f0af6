r"""The groups of the affine and of the projective line over a finite field.

For every prime power $q = p^e$ there is one field of $q$ elements. Its nonzero elements are the
powers of one of them, $1, g, g^2, \dots, g^{q-2}$. The maps $x \mapsto x + 1$, $x \mapsto gx$ and
$x \mapsto -1/x$ generate the groups.

| group | points | order | transitivity |
|---|---|---|---|
| $\mathrm{AGL}(1, q)$ | $q$ | $q(q-1)$ | 2, sharply |
| $\mathrm{PGL}(2, q)$ | $q + 1$ | $(q+1)q(q-1)$ | 3, sharply |
| $\mathrm{PSL}(2, q)$, $q$ odd | $q + 1$ | $(q+1)q(q-1)/2$ | 2 |
"""

from __future__ import annotations

import itertools
from functools import partial

import numpy as np
import torch

from invariant_nets._arguments import positive_int
from invariant_nets.groups.group import PermutationGroup
from invariant_nets.groups.orbits import equal_or_not


def affine_group(q: int) -> PermutationGroup:
    r"""Return $\mathrm{AGL}(1, q)$: the maps $x \mapsto ax + b$ of the field of $q$ elements.

    $$|\mathrm{AGL}(1, q)| = q(q-1),$$

    and for any two points and any two images exactly one element maps the points to the images: the
    group is sharply 2-transitive.

    Args:
        q: a prime power, at least 2. The point $\sum_i c_i p^i$ with digits $c_i < p$ stands for
            the element $\sum_i c_i g^i$ of the field; for a prime $q$, for a number modulo $q$.

    Raises:
        ValueError: if `q` is not a prime power.

    Example:
        >>> group = affine_group(5)
        >>> group.order, [str(g) for g in group.generators]
        (20, ['(0 1 2 3 4)', '(1 2 4 3)'])
        >>> affine_group(9).order
        72

    References:
        Dixon & Mortimer (1996), *Permutation Groups*, section 2.8.

    Chapter 8 builds it for a prime.
    """
    p, e = _prime_and_exponent(q)
    powers = _powers(p, e)
    images = np.stack((_plus_one(p, q), _times(powers, 1)))
    return _two_transitive(images, f"AGL(1, {q})")


def projective_group(q: int, special: bool = False) -> PermutationGroup:
    r"""Return $\mathrm{PGL}(2, q)$: the maps $x \mapsto (ax + b)/(cx + d)$ of the projective line.

    $$|\mathrm{PGL}(2, q)| = (q+1)\,q\,(q-1), \qquad ad - bc \ne 0,$$

    and for any three points and any three images exactly one element maps the points to the images:
    the group is sharply 3-transitive. The maps for which $ad - bc$ is a square form the group
    $\mathrm{PSL}(2, q)$, which is 2-transitive; for odd $q$ they are half of all.

    Args:
        q: a prime power, at least 2. The points are those of `affine_group`, and $\infty$ as the
            last one.
        special: whether $ad - bc$ must be a square.

    Raises:
        ValueError: if `q` is not a prime power.

    Example:
        >>> group = projective_group(9)
        >>> group.degree, group.order, projective_group(9, special=True).order
        (10, 720, 360)

    References:
        Dixon & Mortimer (1996), *Permutation Groups*, section 2.8.

    Chapter 8 averages over its cosets.
    """
    p, e = _prime_and_exponent(q)
    powers = _powers(p, e)
    # −1 = g^{(q − 1)/2}, or 1 where p = 2; x ↦ gx has the determinant g, and x ↦ −1/x has 1.
    minus = (q - 1) // 2 if p > 2 else 0
    images = np.tile(np.arange(q + 1), (3, 1))
    images[0, :q] = _plus_one(p, q)
    images[1, :q] = _times(powers, 2 if special else 1)
    images[2, powers] = powers[(minus - np.arange(q - 1)) % (q - 1)]
    images[2, [0, q]] = q, 0
    return _two_transitive(images, f"P{'S' if special else 'G'}L(2, {q})")


def prime_power(q: int) -> tuple[int, int] | None:
    """Return the prime and the exponent of a prime power, or None.

    Example:
        >>> prime_power(8), prime_power(12), prime_power(1)
        ((2, 3), None, None)
    """
    p = next((p for p in range(2, int(q**0.5) + 1) if q % p == 0), q)
    e = 0
    while q > 1 and q % p == 0:
        q, e = q // p, e + 1
    return (p, e) if q == 1 and e else None


def _prime_and_exponent(q: int) -> tuple[int, int]:
    found = prime_power(positive_int("q", q))
    if found is None:
        raise ValueError(f"q must be a prime power, got {q}")
    return found


def _two_transitive(images: np.ndarray, name: str) -> PermutationGroup:
    orbitals = partial(equal_or_not, images.shape[1])
    return PermutationGroup._known(torch.from_numpy(images), name, orbitals=orbitals)


def _plus_one(p: int, q: int) -> np.ndarray:
    points = np.arange(q)
    images: np.ndarray = points - points % p + (points + 1) % p
    return images


def _times(powers: np.ndarray, exponent: int) -> np.ndarray:
    images = np.zeros(len(powers) + 1, dtype=np.int64)
    images[powers] = np.roll(powers, -exponent)
    return images


def _powers(p: int, e: int) -> np.ndarray:
    r"""Return the numbers of $1, g, g^2, \dots$, every nonzero element of the field once."""
    count = p**e - 1
    # Polynomials modulo xᵉ = Σ cᵢ xⁱ. If x has pᵉ − 1 different powers, they are all elements but
    # 0, which then have inverses: a field with g = x.
    for coefficients in itertools.product(range(1, p), *[range(p)] * (e - 1)):
        powers = _powers_modulo(coefficients, p)
        if len(powers) == count:
            return np.array(powers)
    raise AssertionError("every finite field has a primitive element")


def _powers_modulo(coefficients: tuple[int, ...], p: int) -> list[int]:
    # c₀ ≠ 0, so x is invertible and one of its powers is 1.
    power = one = (1, *[0] * (len(coefficients) - 1))
    powers: list[int] = []
    while not powers or power != one:
        powers.append(sum(digit * p**i for i, digit in enumerate(power)))
        last, shifted = power[-1], (0, *power[:-1])
        power = tuple((s + last * c) % p for s, c in zip(shifted, coefficients, strict=True))
    return powers
