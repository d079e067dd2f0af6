r"""The exact limit of the running task: the best possible accuracy and loss.

For a set $x \in \mathbb R^{n \times d}$ of i.i.d. entries from $\mathcal N(0, v_1)$ (label 0) or
$\mathcal N(0, v_2)$ (label 1), $T = \sum_{ij} x_{ij}^2$ is sufficient and $T / v \sim \chi^2_{nd}$.
"""

from __future__ import annotations

import math

from invariant_nets._arguments import positive_int, positive_variance


def bayes_accuracy(n: int, d: int, var1: float, var2: float) -> float:
    r"""Return the accuracy of the best classifier of sets from two Gaussians.

    With $v_1 > v_2$ the likelihoods cross at $t = nd \ln(v_1/v_2) / (1/v_2 - 1/v_1)$, and

    $$\mathrm{acc} = \tfrac12\bigl[F_{nd}(t / v_2) + 1 - F_{nd}(t / v_1)\bigr],$$

    where $F_{nd}$ is the distribution function of $\chi^2_{nd}$. The priors are equal.

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

    size, _, log_ratio = _problem(n, d, var1, var2)
    if not log_ratio:
        return 0.5
    # t / v for both variances, which only their ratio decides.
    below = size * (log_ratio / -math.expm1(-log_ratio))
    above = below * math.exp(-log_ratio)
    return max(0.5, float(chdtr(size, below) + chdtrc(size, above)) / 2)


def bayes_threshold(n: int, d: int, var1: float, var2: float) -> float:
    r"""Return the threshold $t$ of the best classifier, which depends on $T = \sum_{ij} x_{ij}^2$.

    $$t = \frac{nd \ln(v_1/v_2)}{1/v_2 - 1/v_1},$$

    or its limit $nd\,v$ for equal variances. If $T > t$, the larger variance is more likely.

    Args:
        n: the set size, at least 1.
        d: the number of features, at least 1.
        var1: the variance $v_1 > 0$ under label 0.
        var2: the variance $v_2 > 0$ under label 1.

    Raises:
        ValueError: if a number is out of its range, or $t$ is above the largest float.

    Example:
        >>> round(bayes_threshold(10, 5, 1.0, 0.8), 2)
        44.63

    Derived in chapter 2.
    """
    size, low, log_ratio = _problem(n, d, var1, var2)
    threshold = size * low * (log_ratio / -math.expm1(-log_ratio) if log_ratio else 1.0)
    if math.isinf(threshold):
        raise ValueError(
            f"var1 and var2 must leave the threshold a finite number, got {var1} and {var2} for "
            f"n·d = {size}: scale the sets down"
        )
    return threshold


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
    size, _, log_ratio = _problem(n, d, var1, var2)
    return min(math.log(2), _loss(size, log_ratio)) if log_ratio else math.log(2)


def _loss(size: int, log_ratio: float) -> float:
    """Return ½ ∫ p (softplus(ℓ) + exp(ℓ) softplus(−ℓ)), p the density of T under the smaller v.

    ℓ are the log-odds of the larger variance, so that exp(ℓ) p is the other density. The variable
    is w = ln(T / (nd v)): the integrand has a single peak, wherever both sets of mistakes are.
    """
    from scipy.integrate import quad
    from scipy.optimize import brentq

    half, slope = size / 2, -math.expm1(-log_ratio)
    constant = _log_density_at_one(half)

    def log_odds(w: float) -> float:
        return half * (slope * math.expm1(w) - _exp_minus_line(-log_ratio))

    def log_integrand(w: float) -> float:
        return constant - half * _exp_minus_line(w) + _log_mistakes(log_odds(w))[0]

    def climbs(w: float) -> float:
        return slope * _log_mistakes(log_odds(w))[1] * math.exp(w) - math.expm1(w)

    width = 1 / math.sqrt(half)
    peak = brentq(climbs, 0.0, max(math.log(2), math.log(log_ratio / slope)), xtol=1e-300)
    top = log_integrand(peak)

    def end(direction: float) -> float:
        step = width
        while log_integrand(peak + direction * step) > top - 45:
            step *= 1.5
        return peak + direction * step

    def relative(w: float) -> float:
        return math.exp(log_integrand(w) - top)

    pieces = ((end(-1.0), peak), (peak, end(1.0)))
    area = sum(quad(relative, *ends, limit=200, epsabs=0, epsrel=1e-12)[0] for ends in pieces)
    return math.exp(top) * area / 2


def _log_mistakes(odds: float) -> tuple[float, float]:
    """Return ln(softplus(ℓ) + exp(ℓ) softplus(−ℓ)) and its derivative, for any ℓ."""
    small = math.exp(-abs(odds))
    softplus = math.log1p(small)
    one = softplus / small if small else 1.0
    if odds > 0:
        total = odds + softplus + one
        return math.log(total), one / total
    total = one + softplus - odds
    return odds + math.log(total), (softplus - odds) / total


def _exp_minus_line(w: float) -> float:
    """Return exp(w) − 1 − w, with all its digits for small w too."""
    if abs(w) > 0.1:
        return math.expm1(w) - w
    total = 1.0
    for k in range(12, 2, -1):
        total = 1 + total * w / k
    return total * w * w / 2


def _log_density_at_one(half: float) -> float:
    """Return the logarithm of the density of ln(Q / size) at 0, for Q ~ χ²(size), size = 2 half."""
    if half < 20:
        return half * math.log(half) - half - math.lgamma(half)
    # Stirling's series: the terms that cancel would leave few digits.
    series = (1 / 12 - (1 / 360 - (1 / 1260 - 1 / (1680 * half**2)) / half**2) / half**2) / half
    return math.log(half / (2 * math.pi)) / 2 - series


def _problem(n: int, d: int, var1: float, var2: float) -> tuple[int, float, float]:
    """Return n·d, the smaller variance, and the logarithm of how many times it the larger is."""
    size = positive_int("n", n) * positive_int("d", d)
    low, high = sorted((positive_variance("var1", var1), positive_variance("var2", var2)))
    ratio = (high - low) / low
    # For close variances log1p keeps the digits; for those far apart the ratio is no float.
    return size, low, math.log1p(ratio) if ratio < 1 else math.log(high) - math.log(low)
