"""Derivatives of functions of `scipy.special`, by the identities of the field.

Each entry has the derivatives with respect to the operands in turn, written with NumPy and SciPy as
on paper; they are recorded like a user's model.  None stands for a difference of values, where no
identity is known, as with respect to the order of a Bessel function.  The derivatives of elliptic
integrals by m are integrals of Carlson's kind: those in E and K lose their digits near m = 0.

References: DLMF, https://dlmf.nist.gov: 5.2 and 5.12 (gamma, beta), 6.2 (exponential integrals),
7.2 (error functions), 8.7 to 8.9 and 8.17 (incomplete gamma and beta), 10.6 and 10.29 (Bessel),
13.3 (confluent hypergeometric), 19.25 (elliptic); Owen, Ann. Math. Statist. 27 (1956) 1075.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .graph import applied
from .special import special

Identity = Callable[..., Any]  # the operands as symbols -> the derivative as a symbol

_SQRT_PI = math.sqrt(math.pi)
gammaln, psi = special("gammaln"), special("psi")
beta, betaln, gamma, rgamma = map(special, ("beta", "betaln", "gamma", "rgamma"))
j0, j1, jv, y0, y1, yn, yv = map(special, ("j0", "j1", "jv", "y0", "y1", "yn", "yv"))
i0, i1, iv, i0e, i1e, ive = map(special, ("i0", "i1", "iv", "i0e", "i1e", "ive"))
k0, k1, kn, kv, k0e, k1e, kve = map(special, ("k0", "k1", "kn", "kv", "k0e", "k1e", "kve"))
expn, xlogy, xlog1py, poch = map(special, ("expn", "xlogy", "xlog1py", "poch"))
erf, elliprd = special("erf"), special("elliprd")
erfinv, erfcinv, ndtri, wrightomega = map(special, ("erfinv", "erfcinv", "ndtri", "wrightomega"))
hyp0f1, hyp1f1, hyperu, sindg, cosdg = map(
    special, ("hyp0f1", "hyp1f1", "hyperu", "sindg", "cosdg")
)


def _gamma_density(a: Any, x: Any) -> Any:
    """x^(a - 1) exp(-x) / gamma(a)."""
    return np.exp(xlogy(a - 1, x) - x - gammaln(a))


def _gamma_slope(a: Any, x: Any) -> Any:
    """The derivative of the incomplete gamma function P(a, x) by a: csrc/tape/incomplete.c."""
    inside = (x > 0) & (x < np.inf)
    return np.where(inside, _gamma_density(a, x) * applied("gammainc_slope", a, x), 0.0)


def _beta_density(a: Any, b: Any, x: Any) -> Any:
    """x^(a - 1) (1 - x)^(b - 1) / beta(a, b)."""
    return np.exp(xlogy(a - 1, x) + xlog1py(b - 1, -x) - betaln(a, b))


def _student_density(df: Any, t: Any) -> Any:
    """The density of Student's t with df degrees of freedom."""
    size = poch(df / 2, 0.5) / np.sqrt(df * math.pi)
    return size * np.exp(-(df + 1) / 2 * np.log1p(t * t / df))


def _over_m(phi: Any, m: Any, carlson: Identity) -> Any:
    """The integral of sin^2 / Delta or sin^2 / Delta^3 from 0 to phi; Delta^2 is 1 - m sin^2.

    Up to pi/2 it is sin^3 R / 3 with Carlson's R(cos^2, Delta^2), R_D with a 1 behind or before its
    last operand.  Each further half period adds twice the integral up to pi/2.
    """
    turns = np.rint(phi / math.pi)
    s, c = np.sin(phi - math.pi * turns), np.cos(phi - math.pi * turns)
    whole = carlson(0.0, np.where(turns == 0, 0.5, 1 - m))  # without turns: any number
    return (s**3 * carlson(c * c, 1 - m * s * s) + 2 * turns * whole) / 3


def _of_e(cos2: Any, delta2: Any) -> Any:
    """Carlson's R in the derivative of E by m."""
    return elliprd(cos2, delta2, 1.0)


def _of_k(cos2: Any, delta2: Any) -> Any:
    """Carlson's R in the derivative of K by m."""
    return elliprd(cos2, 1.0, delta2)


def _owens_slope(h: Any, a: Any) -> Any:
    """The derivative of Owen's T(h, a) by h."""
    root = math.sqrt(0.5) * h
    return -np.exp(-(root * root)) * erf(a * root) / math.sqrt(8 * math.pi)


def _pseudo_huber_slope(delta: Any, r: Any) -> Any:
    """The derivative of delta^2 (sqrt(1 + (r / delta)^2) - 1) by delta; |r| at delta = 0."""
    v = r / np.where(delta == 0, 1.0, delta)
    root = np.sqrt(1 + v * v)
    return np.where(delta == 0, np.abs(r), delta * (v * v / (1 + root)) ** 2 / root)


def _dilogarithm(z: Any) -> Any:
    """log(z) / (1 - z), -1 at 1."""
    return np.where(z == 1, -1.0, np.log(z) / np.where(z == 1, 1.0, 1 - z))


def _slope(lower: Any, v: Any, f: Any, x: Any) -> Any:
    """The derivative of a Bessel function J or I of order v, f at x, whose order v - 1 is lower.

    It is lower - v f / x, and lower / 2 at x = 0.  This is half of the difference of the functions
    of orders v - 1 and v + 1, or for I of their sum, with one call less, for f is known.
    """
    return np.where(x == 0, lower / 2, lower - v * f / np.where(x == 0, 1.0, x))


def _slope_of_k(lower: Any, v: Any, f: Any, x: Any) -> Any:
    """The same of K: -(lower + v f / x), which is infinite at x = 0."""
    return -(lower + v * f / x)


IDENTITIES: dict[str, tuple[Identity | None, ...]] = {
    # gamma and beta functions
    "gamma": (lambda x: gamma(x) * psi(x),),
    "rgamma": (lambda x: -rgamma(x) * psi(x),),
    "gammaln": (psi,),
    "loggamma": (psi,),
    "beta": (
        lambda a, b: beta(a, b) * (psi(a) - psi(a + b)),
        lambda a, b: beta(a, b) * (psi(b) - psi(a + b)),
    ),
    "betaln": (lambda a, b: psi(a) - psi(a + b), lambda a, b: psi(b) - psi(a + b)),
    "poch": (
        lambda z, m: poch(z, m) * (psi(z + m) - psi(z)),
        lambda z, m: poch(z, m) * psi(z + m),
    ),
    "gammainc": (_gamma_slope, _gamma_density),
    "gammaincc": (lambda a, x: -_gamma_slope(a, x), lambda a, x: -_gamma_density(a, x)),
    "betainc": (None, None, _beta_density),
    "betaincc": (None, None, lambda a, b, x: -_beta_density(a, b, x)),
    "stdtr": (None, _student_density),
    # Bessel functions
    "j0": (lambda x: -j1(x),),
    "j1": (lambda x: _slope(j0(x), 1, j1(x), x),),
    "jv": (None, lambda v, x: _slope(jv(v - 1, x), v, jv(v, x), x)),
    "y0": (lambda x: -y1(x),),
    "y1": (lambda x: y0(x) - y1(x) / x,),
    "yn": (None, lambda n, x: yn(n - 1, x) - n * yn(n, x) / x),
    "yv": (None, lambda v, x: yv(v - 1, x) - v * yv(v, x) / x),
    "i0": (i1,),
    "i1": (lambda x: _slope(i0(x), 1, i1(x), x),),
    "iv": (None, lambda v, x: _slope(iv(v - 1, x), v, iv(v, x), x)),
    "i0e": (lambda x: i1e(x) - np.sign(x) * i0e(x),),
    "i1e": (lambda x: _slope(i0e(x), 1, i1e(x), x) - np.sign(x) * i1e(x),),
    "ive": (None, lambda v, x: _slope(ive(v - 1, x), v, ive(v, x), x) - np.sign(x) * ive(v, x)),
    "k0": (lambda x: -k1(x),),
    "k1": (lambda x: _slope_of_k(k0(x), 1, k1(x), x),),
    "kn": (None, lambda n, x: _slope_of_k(kn(abs(n - 1), x), n, kn(n, x), x)),
    "kv": (None, lambda v, x: _slope_of_k(kv(v - 1, x), v, kv(v, x), x)),
    "k0e": (lambda x: k0e(x) - k1e(x),),
    "k1e": (lambda x: k1e(x) + _slope_of_k(k0e(x), 1, k1e(x), x),),
    "kve": (None, lambda v, x: kve(v, x) + _slope_of_k(kve(v - 1, x), v, kve(v, x), x)),
    # exponential integrals, error functions and their inverses
    "expi": (lambda x: np.exp(x) / x,),
    "expn": (None, lambda n, x: -expn(n - 1, x)),
    "erfi": (lambda x: 2 / _SQRT_PI * np.exp(x * x),),
    "erfinv": (lambda y: _SQRT_PI / 2 * np.exp(erfinv(y) ** 2),),
    "erfcinv": (lambda y: -_SQRT_PI / 2 * np.exp(erfcinv(y) ** 2),),
    "ndtri": (lambda p: math.sqrt(2 * math.pi) * np.exp(ndtri(p) ** 2 / 2),),
    "owens_t": (
        _owens_slope,
        lambda h, a: np.exp(-(h**2) * (1 + a**2) / 2) / (2 * math.pi * (1 + a**2)),
    ),
    # the rest
    "cosdg": (lambda x: -math.pi / 180 * sindg(x),),
    "cosm1": (lambda x: -np.sin(x),),
    "ellipe": (lambda m: -_of_e(0.0, 1 - m) / 6,),
    "ellipeinc": (
        lambda phi, m: np.sqrt(1 - m * np.sin(phi) ** 2),
        lambda phi, m: -_over_m(phi, m, _of_e) / 2,
    ),
    "ellipk": (lambda m: _of_k(0.0, 1 - m) / 6,),
    "ellipkinc": (
        lambda phi, m: 1 / np.sqrt(1 - m * np.sin(phi) ** 2),
        lambda phi, m: _over_m(phi, m, _of_k) / 2,
    ),
    "ellipkm1": (lambda p: -_of_k(0.0, p) / 6,),
    "entr": (lambda x: -np.log(x) - 1,),
    "hyp0f1": (None, lambda b, x: hyp0f1(b + 1, x) / b),
    "hyp1f1": (None, None, lambda a, b, x: a / b * hyp1f1(a + 1, b + 1, x)),
    "hyperu": (None, None, lambda a, b, x: -a * hyperu(a + 1, b + 1, x)),
    "kl_div": (lambda x, y: np.log(x / y), lambda x, y: 1 - x / y),
    "pseudo_huber": (
        _pseudo_huber_slope,
        lambda delta, r: np.where(r == 0, 0.0, r / np.sqrt(1 + (r / delta) ** 2)),
    ),
    "rel_entr": (lambda x, y: np.log(x / y) + 1, lambda x, y: -x / y),
    "sindg": (lambda x: math.pi / 180 * cosdg(x),),
    "spence": (_dilogarithm,),
    "wrightomega": (lambda x: wrightomega(x) / (1 + wrightomega(x)),),
}
