r"""The Voigt profile and its derivatives, accurate also for tiny widths and widths of 0.

With :math:`X = x + i \gamma`, :math:`z = X / (\sqrt 2 \sigma)` and the Faddeeva function w,

.. math:: W_k = \frac{d^k}{dX^k} \frac{w(z)}{\sqrt{2 \pi} \sigma},

the profile is Re W_0, and

.. math:: \partial_x W_k = W_{k+1}, \quad \partial_\gamma W_k = i W_{k+1}, \quad
          \partial_\sigma W_k = \sigma W_{k+2}.

For |z|^2 < FAR every W_k follows from W_0, by w' = 2 i / sqrt(pi) - 2 z w:

.. math:: W_1 = (i / \pi - X W_0) / \sigma^2, \quad
          W_k = -(X W_{k-1} + (k - 1) W_{k-2}) / \sigma^2,

This recurrence loses a factor |z|^2k of accuracy.  So farther away an asymptotic series in
sigma / X is used, in which nothing is divided by sigma (csrc/vecmath/voigt.h; Abramowitz and Stegun
7.1.23).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .special import special

FAR = 100.0  # the |z|^2 from which the series is used: VOIGT_FAR of csrc/vecmath/voigt.h
HIGHEST = 4  # W_1 to W_4 have operations; second derivatives of the profile need no more
_TERMS = 13  # the number of terms of the series

_wofz = special("wofz")
Node = int
Pair = tuple[Node, Node]  # real and imaginary part


def _is_far(x: Any, sigma: Any, gamma: Any) -> Any:
    far = (x * x + gamma * gamma >= 2 * FAR * sigma * sigma) & (sigma >= 0) & (gamma >= 0)
    return far & (np.abs(x) < np.inf) & (gamma < np.inf)


def _series(k: int, x: Any, sigma: Any, gamma: Any) -> Any:
    """Return W_k by the series, for |z|^2 >= FAR."""
    X = x + 1j * np.asarray(gamma, float)
    q = 2 * np.square(sigma) / np.square(X)
    total = 1.0
    for m in range(_TERMS - 1, -1, -1):
        total = 1 + q * ((2 * m + k + 1) * (2 * m + k + 2) / (4 * (m + 1))) * total
    return (-1) ** k * math.factorial(k) * 1j / (np.pi * X ** (k + 1)) * total


def _value(x: Any, sigma: Any, gamma: Any) -> Any:
    """Return W_0, or NaN for negative widths."""
    x, sigma, gamma = (np.asarray(a, float) for a in (x, sigma, gamma))
    with np.errstate(all="ignore"):
        s = math.sqrt(0.5) / sigma
        near = _wofz(x * s + 1j * gamma * s) * s / math.sqrt(math.pi)
        value = np.where(_is_far(x, sigma, gamma), _series(0, x, sigma, gamma), near)
        sharp = np.exp(-np.square(x * s)) * s / math.sqrt(math.pi) + 1j * value.imag
        value = np.where((gamma == 0) & (sigma > 0), sharp, value)
        value = np.where((x == 0) & (sigma == 0) & (gamma == 0), np.inf, value)
        value = np.where(np.isinf(x) | np.isinf(sigma) | np.isinf(gamma), 0, value)
        return np.where((sigma >= 0) & (gamma >= 0) & (x == x), value, np.nan * (1 + 1j))


def _far(k: int, part: str) -> Callable[..., Any]:
    def call(x: Any, sigma: Any, gamma: Any) -> Any:
        with np.errstate(all="ignore"):
            value = getattr(_series(k, x, sigma, gamma), part)
            return np.where(_is_far(x, sigma, gamma), value, 0.0)

    return call


# The operations of a tape, in the order of csrc/tape/operations.h.
NUMPY: dict[str, Callable[..., Any]] = {
    "voigt": lambda x, s, g: _value(x, s, g).real,
    "voigt_wing": lambda x, s, g: _value(x, s, g).imag,
    **{
        f"voigt_far_{k}_{part[:2]}": _far(k, part)
        for k in range(1, HIGHEST + 1)
        for part in ("real", "imag")
    },
}


# ---- derivatives, as nodes of a graph ------------------------------------------------------------


def derivative(g: Any, k: int, x: Node, sigma: Node, gamma: Node) -> Pair:
    """Return the nodes of Re W_k and Im W_k."""
    if k > HIGHEST:
        raise ValueError("voigt_profile has no derivatives beyond the second")
    operands = (x, sigma, gamma)
    value = g.add("voigt", *operands), g.add("voigt_wing", *operands)
    if k == 0:
        return value
    variance = g.add("square", sigma)
    size = g.add("add", g.add("square", x), g.add("square", gamma))
    far = g.add("less_equal", g.add("mul", g.const(2 * FAR), variance), size)
    before, here = value, _first(g, value, x, gamma, variance)
    for j in range(2, k + 1):
        before, here = here, _next(g, j, before, here, x, gamma, variance)
    re, im = (
        g.add("where", far, g.add(f"voigt_far_{k}_{part}", *operands), near)
        for part, near in zip(("re", "im"), here, strict=True)
    )
    return re, im


def _times_X(g: Any, x: Node, gamma: Node, w: Pair) -> Pair:
    re, im = w
    return (
        g.add("sub", g.add("mul", x, re), g.add("mul", gamma, im)),
        g.add("add", g.add("mul", x, im), g.add("mul", gamma, re)),
    )


def _first(g: Any, value: Pair, x: Node, gamma: Node, variance: Node) -> Pair:
    re, im = _times_X(g, x, gamma, value)
    return (
        g.add("div", g.add("neg", re), variance),
        g.add("div", g.add("sub", g.const(1 / math.pi), im), variance),
    )


def _next(g: Any, k: int, before: Pair, here: Pair, x: Node, gamma: Node, variance: Node) -> Pair:
    re, im = (
        g.add("div", g.add("neg", g.add("add", a, g.add("mul", g.const(k - 1.0), b))), variance)
        for a, b in zip(_times_X(g, x, gamma, here), before, strict=True)
    )
    return re, im


def partials(op: str) -> tuple[Callable[..., tuple[Node, ...]], ...]:
    """Return the local derivatives of an operation, with respect to x, sigma and gamma."""
    order = int(op.split("_")[2]) if op.startswith("voigt_far") else 0
    is_real = op == "voigt" or op.endswith("_re")

    def by_x(g: Any, v: Node, x: Node, sigma: Node, gamma: Node) -> tuple[Node, ...]:
        re, im = derivative(g, order + 1, x, sigma, gamma)
        return (re if is_real else im,)

    def by_gamma(g: Any, v: Node, x: Node, sigma: Node, gamma: Node) -> tuple[Node, ...]:
        re, im = derivative(g, order + 1, x, sigma, gamma)
        return (g.const(-1.0), im) if is_real else (re,)

    def by_sigma(g: Any, v: Node, x: Node, sigma: Node, gamma: Node) -> tuple[Node, ...]:
        re, im = derivative(g, order + 2, x, sigma, gamma)
        return sigma, re if is_real else im

    return by_x, by_sigma, by_gamma
