r"""The exact limit of the running task: the best possible accuracy and loss.

For a set $x \in \mathbb R^{n \times d}$ of i.i.d. entries from $\mathcal N(0, v_1)$ (label 0) or
$\mathcal N(0, v_2)$ (label 1), $T = \sum_{ij} x_{ij}^2$ is sufficient and $T / v \sim \chi^2_{nd}$.
"""

from __future__ import annotations

import math

import numpy as np

from invariant_nets._arguments import positive_int, positive_variance


def bayes_accuracy(n: int, d: int, var1: float, var2: float) -> float:
    r"""Return the accuracy of the best classifier of sets from two Gaussians.

    With $v_1 > v_2$ the likelihoods cross at $t = nd \ln(v_1/v_2) / (1/v_2 - 1/v_1)$, and

    $$\mathrm{acc} = \tfrac12\bigl[F_{nd}(t / v_2) + 1 - F_{nd}(t / v_1)\bigr],$$

    $F_{nd}$ the distribution function of $\chi^2_{nd}$. The priors are equal.

    Args:
        n: the set size, at least 1.
        d: the number of features, at least 1.
        var1: the variance $v_1 > 0$ under label 0.
        var2: the variance $v_2 > 0$ under label 1.

    Raises:
        ValueError: if a number is out of its range.

    Example:
        >>> round(bayes_accuracy(10, 5, 1.0, 0.8), 4)
        0.7108
        >>> bayes_accuracy(10, 5, 1.0, 1.0)
        0.5

    Derived in chapter 2.
    """
    # SciPy is imported where it is needed: it would double the package's import time.
    from scipy.special import chdtr, chdtrc

    size, low, high = _problem(n, d, var1, var2)
    if low == high:
        return 0.5
    threshold = bayes_threshold(n, d, var1, var2)
    return float(chdtr(size, threshold / low) + chdtrc(size, threshold / high)) / 2


def bayes_threshold(n: int, d: int, var1: float, var2: float) -> float:
    r"""Return the $t$ at which the best classifier of $T = \sum_{ij} x_{ij}^2$ changes its mind.

    $$t = \frac{nd \ln(v_1/v_2)}{1/v_2 - 1/v_1},$$

    and its limit $nd\,v$ for equal variances. Above $t$ the larger variance is more likely.

    Args:
        n: the set size, at least 1.
        d: the number of features, at least 1.
        var1: the variance $v_1 > 0$ under label 0.
        var2: the variance $v_2 > 0$ under label 1.

    Raises:
        ValueError: if a number is out of its range.

    Example:
        >>> round(bayes_threshold(10, 5, 1.0, 0.8), 2)
        44.63

    Derived in chapter 2.
    """
    size, low, high = _problem(n, d, var1, var2)
    # ln(1 + r) / r · v_high with r = v_high/v_low − 1 keeps its digits for close variances.
    ratio = (high - low) / low
    return size * high * (math.log1p(ratio) / ratio if ratio else 1.0)


def bayes_loss(n: int, d: int, var1: float, var2: float) -> float:
    r"""Return the least possible expected binary cross-entropy, in nats.

    The posterior log-odds of label 1 are affine in $T = \sum_{ij} x_{ij}^2$,

    $$\ell(T) = \tfrac12 \Bigl(\frac1{v_1} - \frac1{v_2}\Bigr)(T - t),$$

    with $t$ from `bayes_threshold`, and the loss is
    $\tfrac12 \mathbb E_{v_1} \ln(1 + e^{\ell}) + \tfrac12 \mathbb E_{v_2} \ln(1 + e^{-\ell})$,
    an integral over $\chi^2_{nd}$.

    Args:
        n: the set size, at least 1.
        d: the number of features, at least 1.
        var1: the variance $v_1 > 0$ under label 0.
        var2: the variance $v_2 > 0$ under label 1.

    Raises:
        ValueError: if a number is out of its range.

    Example:
        >>> round(bayes_loss(10, 5, 1.0, 0.8), 4)
        0.5586

    Derived in chapter 2.
    """
    size, low, high = _problem(n, d, var1, var2)
    threshold = bayes_threshold(n, d, var1, var2)
    slope = (1 / low - 1 / high) / 2

    def expected_softplus(variance: float, sign: float) -> float:
        return _chi2_mean_softplus(size, sign * slope * variance, threshold / variance)

    # The larger variance is mistaken for the smaller one when T < t, and the other way round.
    return (expected_softplus(high, -1.0) + expected_softplus(low, 1.0)) / 2


def _chi2_mean_softplus(size: int, slope: float, centre: float) -> float:
    """Return E ln(1 + exp(slope · (Q − centre))) for Q ~ χ²(size)."""
    from scipy.integrate import quad
    from scipy.special import gammainccinv, gammaincinv, gammaln

    half = size / 2
    log_norm = half * math.log(2) + gammaln(half)

    def integrand(root: float) -> float:
        # Q = root²: the density of a χ variable is bounded at 0 also for size 1.
        q = root * root
        log_density = (size - 1) * math.log(root) - q / 2 + math.log(2) - log_norm
        return float(np.logaddexp(0.0, slope * (q - centre)) * math.exp(log_density))

    tail = 1e-18
    start = math.sqrt(2 * gammaincinv(half, tail))
    stop = math.sqrt(2 * gammainccinv(half, tail))
    kink = [math.sqrt(centre)] if start < math.sqrt(centre) < stop else None
    return float(quad(integrand, start, stop, points=kink, limit=200, epsabs=0, epsrel=1e-11)[0])


def _problem(n: int, d: int, var1: float, var2: float) -> tuple[int, float, float]:
    size = positive_int("n", n) * positive_int("d", d)
    low, high = sorted((positive_variance("var1", var1), positive_variance("var2", var2)))
    return size, low, high
