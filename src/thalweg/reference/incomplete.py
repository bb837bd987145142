"""The specification of the derivative of the incomplete gamma function: csrc/tape/incomplete.c.

With p = x^(a-1) exp(-x) / Gamma(a), the derivative of P(a, x) with respect to x, the one with
respect to a is R p, and this is R,

    R = (x/a) ((ln x - psi(a+1)) S - T)           x <= a + 1,  S = sum_n t_n,  T = sum_n t_n H_n
    R = -x ((ln x - psi(a)) C + dC/da)            x > a + 1,   p x C = 1 - P
    R = -(1 + 1/(6a)) (x/a) ln(x/a) / (x/a - 1)   a >= 10^5

with t_n = x^n / ((a+1) ... (a+n)) and H_n = 1/(a+1) + ... + 1/(a+n).
"""

import math

_LARGE = 1e5
_ENOUGH = 2.0**-52
_BERNOULLI = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12)  # B_2k / 2k


def gammainc_slope(a: float, x: float) -> float:
    """Return R at a and x; 0 at x = 0, and NaN unless a > 0 and x >= 0, both finite."""
    if not (0 < a < math.inf and 0 <= x < math.inf):
        return math.nan
    if x == 0:
        return 0.0
    if a >= _LARGE:
        return _by_expansion(a, x)
    return _by_series(a, x) if x <= a + 1 else _by_fraction(a, x)


def _by_series(a: float, x: float) -> float:
    k, term, harmonic, total, weighted = a, 1.0, 0.0, 1.0, 0.0
    while True:
        k += 1
        term, harmonic = term * x / k, harmonic + 1 / k
        total, weighted = total + term, weighted + term * harmonic
        if x < k and term * harmonic <= _ENOUGH * weighted * (1 - x / k):
            return x / a * ((math.log(x) - _digamma(a + 1)) * total - weighted)


def _by_fraction(a: float, x: float) -> float:
    n, b, d = 0, x + 1 - a, 1 / (x + 1 - a)
    slope_of_d = d * d
    step, slope_of_step, fraction, slope = d, slope_of_d, d, slope_of_d
    while abs(step) > _ENOUGH * fraction or abs(slope_of_step) > _ENOUGH * abs(slope):
        n, b = n + 1, b + 2
        c = n * (a - n)
        after = 1 / (b + c * d)
        slope_of_d, d = after * after * (1 - n * d - c * slope_of_d), after
        slope_of_step = (b * slope_of_d - d) * step + (b * d - 1) * slope_of_step
        step *= b * d - 1
        fraction, slope = fraction + step, slope + slope_of_step
    return -x * ((math.log(x) - _digamma(a)) * fraction + slope)


def _by_expansion(a: float, x: float) -> float:
    ratio, more = x / a, (x - a) / a
    if ratio == 0:
        return 0.0
    logarithm = math.log(ratio) if more < -0.5 else math.log1p(more)
    return -(1 + 1 / (6 * a)) * ratio * (1 if more == 0 else logarithm / more)


def _digamma(a: float) -> float:
    before = 0.0
    while a < 10:
        before, a = before + 1 / a, a + 1
    tail = sum(c / a ** (2 * k) for k, c in enumerate(_BERNOULLI, 1))
    return math.log(a) - 0.5 / a - tail - before
