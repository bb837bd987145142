r"""What each method does to a quadratic loss, eigenvector by eigenvector.

Near theta the loss is L + g'(t - theta) + 1/2 (t - theta)'H(t - theta), and its gradient at t is
g + H(t - theta).  In the basis of H's eigenvectors the components gamma_i of the gradient are
independent of each other, except through the numbers that some methods compute from all of them.
With sigma_i the eigenvalues, one iteration does

    gradient descent       gamma_i <- (1 - alpha sigma_i) gamma_i
    steepest descent       the same, alpha = sum gamma^2 / sum sigma gamma^2
    heavy ball             gamma_i <- gamma_i - alpha sigma_i gamma_i + beta (gamma_i - old gamma_i)
    Nesterov               t_i = (1 - alpha sigma_i) gamma_i, gamma_i <- t_i + beta (t_i - old t_i)
    conjugate gradient     its own recurrence, written in the same basis

and one sweep of coordinate descent over H = D + L + L' does g <- -L'(D + L)^-1 g (Gauss-Seidel).
The number of iterations until the test of `minimize` is met is found without running the method on
the loss.  Gradient descent is a power, and the methods with momentum are recurrences of two terms,

    gamma_(n+1) = T gamma_n - q gamma_(n-1),    gamma_n = gamma_1 S_n - q gamma_0 S_(n-1)

with S_n = sin(n phi) / sin(phi) r^(n-1), r^2 = q and cos(phi) = T / (2 r), or, where the roots are
real, their divided difference: gamma after any number of iterations has a closed form.  Coordinate
descent takes powers of its matrix, by repeated squaring.  Steepest descent and conjugate gradient
are run in this basis for up to `_SIMULATED` iterations, and then continued with the rate that they
have reached: steepest descent ends in a zigzag of constant rate [1]_.

References
----------
The files of ``thalweg.optimizers`` name the source of each method; all are in J. Nocedal,
S. Wright, Numerical Optimization, 2nd ed., chapters 3 and 5.

.. [1] H. Akaike, Ann. Inst. Statist. Math. 11 (1959) 1-16.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from math import inf, log, sqrt
from typing import NamedTuple

import numpy as np

from .._arguments.check import Array
from ..linalg.krylov import EPS
from ..optimizers import heavy_ball, nesterov
from ..optimizers.gradient_descent import best_step

Met = Callable[[Array], bool]

# The first three sizes are chosen, not measured.
_SIMULATED = 20_000  # the most iterations of steepest descent and conjugate gradient that are run
_WINDOW = 2_000  # the last of them, which give the rate; even, as a zigzag takes two iterations
_FIRST = 256  # so many iterations are tested one by one; larger numbers are found by bisection
_MOST = 2.0**53  # the largest number that is looked for: all integers up to it are floats

METHODS = (
    "GradientDescent",
    "SteepestDescent",
    "HeavyBall",
    "Nesterov",
    "ConjugateGradient",
    "CoordinateDescent",
    "Newton",
)


class Quadratic(NamedTuple):
    """A quadratic loss and a start, in the basis of the eigenvectors of its Hessian.

    Attributes
    ----------
    sigma : ndarray, shape (k,)
        The positive eigenvalues, ascending.
    gamma : ndarray, shape (k,)
        The components of the gradient at the start along their eigenvectors.
    """

    sigma: Array
    gamma: Array


def rates(low: float, high: float) -> dict[str, float]:
    """Return the factor by which the error shrinks per iteration in the long run, by method.

    The rates of gradient descent and of the two methods with momentum are exact.  Those of steepest
    descent and conjugate gradient are upper bounds; steepest descent nearly always attains its
    bound, conjugate gradient is usually faster.
    """
    root = sqrt(low / high)
    ahead = 2 / sqrt(3 * high / low + 1)
    return {
        "GradientDescent": (1 - root**2) / (1 + root**2),
        "SteepestDescent": (1 - root**2) / (1 + root**2),
        "HeavyBall": (1 - root) / (1 + root),
        "Nesterov": 1 - ahead,
        "ConjugateGradient": (1 - root) / (1 + root),
        "Newton": 0.0,
    }


def predict(quadratic: Quadratic, low: float, high: float, met: Met) -> dict[str, float]:
    """Return how many iterations each method takes until ``met`` holds for gamma.

    Step sizes and momentum are the best ones for eigenvalues from ``low`` to ``high``.
    """
    sigma, gamma = quadratic
    shrink = 1 - best_step(low, high) * sigma
    return {
        "GradientDescent": first(lambda n: met(power(shrink, n) * gamma)),
        "SteepestDescent": nonlinear_count(steepest_descent(quadratic), met, low / high),
        "HeavyBall": first(lambda n: met(momentum(quadratic, *heavy_ball.optimal(low, high), n))),
        "Nesterov": first(lambda n: met(lookahead(quadratic, *nesterov.optimal(low, high), n))),
        "ConjugateGradient": nonlinear_count(conjugate_gradient(quadratic), met, low / high),
        "Newton": 0.0 if met(gamma) else 1.0,
    }


def first(met: Callable[[int], bool]) -> float:
    """Return the first n that meets a condition; infinity where none up to 2^53 does.

    The first n are tested one by one.  Beyond them bisection takes the condition to hold for all n
    from some n on.  With momentum, whose gradient rises and falls, the result may be a few n off.
    """
    for n in range(_FIRST):
        if met(n):
            return float(n)
    high = _FIRST
    while not met(high):
        high *= 2
        if high > _MOST:
            return inf
    low = max(high // 2, _FIRST - 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if met(middle) else (middle, high)
    return float(high)


def power(base: Array, n: int) -> Array:
    """Return base^n, where an underflow gives 0 without a warning."""
    with np.errstate(under="ignore"):
        result: Array = np.power(base, float(n))
    return result


def momentum(quadratic: Quadratic, alpha: float, beta: float, n: int) -> Array:
    """Return gamma after n iterations of the heavy ball."""
    sigma, gamma = quadratic
    shrink = 1 - alpha * sigma
    return two_terms(shrink + beta, np.full_like(sigma, beta), gamma, shrink * gamma, n)


def lookahead(quadratic: Quadratic, alpha: float, beta: float, n: int) -> Array:
    """Return gamma after n iterations of Nesterov's method, for which old t is first the start."""
    sigma, gamma = quadratic
    shrink = 1 - alpha * sigma
    second = ((1 + beta) * shrink - beta) * gamma
    return two_terms((1 + beta) * shrink, beta * shrink, gamma, second, n)


def two_terms(T: Array, q: Array, g0: Array, g1: Array, n: int) -> Array:
    """Return g_n of g_(n+1) = T g_n - q g_(n-1), each of shape (k,)."""
    return g0 if n == 0 else g1 * _divided(T, q, n) - q * g0 * _divided(T, q, n - 1)


def _divided(T: Array, q: Array, n: int) -> Array:
    """Return S_n = (u^n - v^n) / (u - v), where u and v are the roots of x^2 - T x + q."""
    if n == 0:
        return np.zeros_like(T)
    square = T * T / 4 - q
    square[np.abs(square) <= 4 * EPS * (T * T / 4 + np.abs(q))] = 0.0  # a double root
    real = square > 0
    size = np.sqrt(np.abs(square))
    root = np.where(real, size, 0.0)
    with np.errstate(under="ignore", invalid="ignore", divide="ignore"):
        u, v = T / 2 + root, T / 2 - root
        apart = (power(u, n) - power(v, n)) / (2 * root)
        r = np.sqrt(np.where(real, 1.0, q))
        phi = np.arctan2(size, T / 2)
        turned = power(r, n - 1) * np.where(phi > 0, np.sin(n * phi) / np.sin(phi), float(n))
    double = size == 0  # both roots are T / 2
    return np.where(double, n * power(T / 2, n - 1), np.where(real, apart, turned))


def linear_count(M: Array, state: Array, met: Met) -> float:
    """Return the first n for which ``met`` holds for M^n state.

    Parameters
    ----------
    M : ndarray, shape (m, m)
    state : ndarray, shape (m,)
    met : callable
        A function of a state that says whether the iterations end there.

    Notes
    -----
    The first n are tested one by one.  Then M, M^2, M^4, ... are taken up to a power at which
    ``met`` holds, and bisection over these powers finds the last n at which it does not.
    """
    for n in range(_FIRST):
        if met(state):
            return float(n)
        state = M @ state
    if met(state):
        return float(_FIRST)
    powers = [M]
    with np.errstate(under="ignore"):
        while not met(powers[-1] @ state):
            if not 2.0 ** len(powers) < _MOST:
                return inf
            powers.append(powers[-1] @ powers[-1])
        n = _FIRST
        for exponent, M in reversed(list(enumerate(powers))):
            ahead = M @ state
            if not met(ahead):
                state, n = ahead, n + 2**exponent
    return n + 1.0


def nonlinear_count(gammas: Iterator[Array], met: Met, ratio: float) -> float:
    """Return the first n for which ``met`` holds, extrapolated at the last rate if n is large.

    ``ratio`` is sigma_min / sigma_max; it gives the rate where the last iterations are rounding.
    """
    sizes, gamma = [], np.zeros(0)
    for n, gamma in enumerate(islice(gammas, _SIMULATED + 1)):
        if met(gamma):
            return float(n)
        if n >= _SIMULATED - _WINDOW:
            sizes.append(float(np.linalg.norm(gamma)))
    if len(sizes) < _WINDOW or not sizes[-1] > 0:
        return inf
    rate = max(log(sizes[0] / sizes[-1]) / _WINDOW, 0.0)
    rate = rate if rate > _WINDOW * EPS else 2 * ratio
    with np.errstate(under="ignore"):
        return _SIMULATED + first(lambda n: met(gamma * np.exp(-rate * n)))


def steepest_descent(quadratic: Quadratic) -> Iterator[Array]:
    """Yield gamma of each iteration of gradient descent with exact line search."""
    sigma, gamma = quadratic
    while True:
        yield gamma
        bent = float(gamma @ (sigma * gamma))
        if not bent > 0:
            return
        gamma = gamma - float(gamma @ gamma) / bent * sigma * gamma


def conjugate_gradient(quadratic: Quadratic) -> Iterator[Array]:
    """Yield gamma of each iteration of conjugate gradient."""
    sigma, gamma = quadratic
    d, square = -gamma, float(gamma @ gamma)
    while True:
        yield gamma
        bent = sigma * d
        curvature = float(d @ bent)
        if not curvature > 0:
            return
        gamma = gamma + square / curvature * bent
        old, square = square, float(gamma @ gamma)
        d = square / old * d - gamma


def coordinate_descent(H: Array, gradient: Array, met: Met) -> tuple[float, float]:
    """Return the rate per sweep of cyclic coordinate descent, and how many sweeps it takes.

    A sweep multiplies the gradient by T = -L'(D + L)^-1; in the long run the gradient shrinks by
    the largest |eigenvalue| of T.  Each flat direction of H adds an eigenvalue 1 to T, in whose
    eigenvector a gradient has no component.

    Parameters
    ----------
    H : ndarray, shape (P, P)
        The Hessian, non-negative definite.
    gradient : ndarray, shape (P,)
        The gradient at the start, in the range of H.
    met : callable
        A function of a gradient, shape (P,), that says whether the sweeps end there.
    """
    used = np.diagonal(H) > 0
    whole = np.zeros(len(H))
    inner = H[np.ix_(used, used)]
    T = -np.linalg.solve(np.tril(inner).T, np.triu(inner, 1).T).T
    unit = 1 / np.sqrt(np.diagonal(inner))
    flat = len(inner) - int(np.linalg.matrix_rank(unit[:, None] * inner * unit, hermitian=True))
    moduli = np.sort(np.abs(np.linalg.eigvals(T)))[: len(inner) - flat]

    def small(g: Array) -> bool:
        whole[used] = g
        return met(whole)

    return float(moduli[-1]), linear_count(T, gradient[used], small)
