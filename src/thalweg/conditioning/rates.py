r"""What each method does to a quadratic loss, eigenvector by eigenvector.

Near theta the loss is L + g'(t - theta) + 1/2 (t - theta)'H(t - theta), and its gradient at t is
g + H(t - theta).  In the basis of H's eigenvectors its components gamma_i no longer see each other,
except through the numbers that some methods compute from all of them.  With sigma_i the eigenvalues

    gradient descent       gamma_i <- (1 - alpha sigma_i) gamma_i
    steepest descent       the same, alpha = sum gamma^2 / sum sigma gamma^2
    heavy ball             gamma_i <- gamma_i - alpha sigma_i gamma_i + beta (gamma_i - old gamma_i)
    Nesterov               t_i = (1 - alpha sigma_i) gamma_i, gamma_i <- t_i + beta (t_i - old t_i)
    conjugate gradient     its own recurrence, written in the same basis

and coordinate descent, one sweep over H = D + L + L', gives g <- -L'(D + L)^-1 g (Gauss-Seidel).
So the number of iterations until ||gradient|| has fallen by a factor is found without running the
method.  Where the recurrence is linear, s <- M s with a small M per eigenvalue, powers of M
reach any number of iterations by squaring; the others are run, and if they take long, continued
with the rate they have reached: steepest descent ends in a zigzag of constant rate [1]_.

References
----------
The methods' files name theirs; J. Nocedal, S. Wright, Numerical Optimization, 2nd ed., chapters 3
and 5.

.. [1] H. Akaike, Ann. Inst. Statist. Math. 11 (1959) 1-16.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from math import ceil, inf, log, sqrt
from typing import NamedTuple

import numpy as np

from .._check import Array
from ..optimizers import heavy_ball, nesterov

_SIMULATED = 20_000  # iterations of a nonlinear recurrence that are run
_WINDOW = 2_000  # of them the last, from which the rate is taken; even, as a zigzag takes two
_FIRST = 256  # iterations of a linear recurrence that are looked at one by one
_MOST = 2.0**53

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
    """A quadratic loss and a start, seen from the eigenvectors of its Hessian.

    Attributes
    ----------
    sigma : ndarray, shape (k,)
        Positive eigenvalues, ascending.
    gamma : ndarray, shape (k,)
        Components of the gradient at the start.
    """

    sigma: Array
    gamma: Array


def best_step(low: float, high: float) -> float:
    """Return 2 / (sigma_max + sigma_min), which shrinks both ends of the spectrum alike."""
    return 2 / (high + low)


def rates(low: float, high: float) -> dict[str, float]:
    """Return the factor by which the error shrinks per iteration in the long run, by method.

    It is exact for gradient descent and for the two methods with momentum; that of steepest descent
    and of conjugate gradient is a bound, which the first nearly always meets and the second beats.
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


def predict(quadratic: Quadratic, low: float, high: float, reduction: float) -> dict[str, float]:
    """Return how many iterations each method takes to ||gradient|| <= reduction * ||gamma||.

    Step sizes and momentum are those that are best for eigenvalues from ``low`` to ``high``.
    """
    norm = float(np.linalg.norm(quadratic.gamma))
    target = reduction * norm
    start = quadratic.gamma[:, None]
    descent = (1 - best_step(low, high) * quadratic.sigma)[:, None, None]
    heavy = momentum(quadratic.sigma, *heavy_ball.optimal(low, high))
    ahead = lookahead(quadratic.sigma, *nesterov.optimal(low, high))
    return {
        "GradientDescent": linear_count(descent, start, target),
        "SteepestDescent": nonlinear_count(steepest_descent(quadratic), target),
        "HeavyBall": linear_count(heavy, np.hstack([start, start]), target),
        "Nesterov": linear_count(ahead, np.hstack([start, start]), target),
        "ConjugateGradient": nonlinear_count(conjugate_gradient(quadratic), target),
        "Newton": 1.0 if norm > 0 else 0.0,
    }


def momentum(sigma: Array, alpha: float, beta: float) -> Array:
    """Return M of the heavy ball, (gamma, old gamma) <- M (gamma, old gamma), shape (k, 2, 2)."""
    M = np.zeros((sigma.size, 2, 2))
    M[:, 0] = np.stack([1 - alpha * sigma + beta, np.full_like(sigma, -beta)], axis=1)
    M[:, 1, 0] = 1
    return M


def lookahead(sigma: Array, alpha: float, beta: float) -> Array:
    """Return M of Nesterov's method, (gamma, old t) <- M (gamma, old t), shape (k, 2, 2)."""
    M = np.zeros((sigma.size, 2, 2))
    shrink = 1 - alpha * sigma
    M[:, 0] = np.stack([(1 + beta) * shrink, np.full_like(sigma, -beta)], axis=1)
    M[:, 1, 0] = shrink
    return M


def linear_count(M: Array, state: Array, target: float, *, seen: int = 1) -> float:
    """Return the first n with ||M^n state|| <= target, of the first ``seen`` components of each.

    Parameters
    ----------
    M : ndarray, shape (k, m, m)
    state : ndarray, shape (k, m)
    target : float
        In the unit of the state.
    seen : int
        From 1 to m: what counts as gradient; the rest is what the method remembers.

    Notes
    -----
    One by one for the first iterations; then by M, M^2, M^4, ... up to a power that is small
    enough, and back down to the last n that is not.  A norm that goes up and down, as with
    momentum, has a few n more or less.
    """

    def small(state: Array) -> bool:
        return bool(np.linalg.norm(state[:, :seen]) <= target)

    for n in range(_FIRST):
        if small(state):
            return float(n)
        state = _advance(M, state)
    if small(state):
        return float(_FIRST)
    powers = [M]
    while not small(_advance(powers[-1], state)):
        if not 2.0 ** len(powers) < _MOST:
            return inf
        powers.append(powers[-1] @ powers[-1])
    n = _FIRST
    for exponent, power in reversed(list(enumerate(powers))):
        ahead = _advance(power, state)
        if not small(ahead):
            state, n = ahead, n + 2**exponent
    return n + 1.0


def _advance(M: Array, state: Array) -> Array:
    after: Array = np.matmul(M, state[:, :, None])[:, :, 0]
    return after


def nonlinear_count(norms: Iterator[float], target: float) -> float:
    """Return the first n whose norm is at most the target; beyond what is run, at its last rate."""
    window = [inf]
    for n, norm in enumerate(islice(norms, _SIMULATED + 1)):
        if norm <= target:
            return float(n)
        if n >= _SIMULATED - _WINDOW:
            window.append(norm)
    decay = log(window[1] / window[-1]) / _WINDOW
    return _SIMULATED + ceil(log(window[-1] / target) / decay) if decay > 0 else inf


def steepest_descent(quadratic: Quadratic) -> Iterator[float]:
    """Yield ||gradient|| of each iteration of gradient descent with exact line search."""
    sigma, gamma = quadratic
    while True:
        square = float(gamma @ gamma)
        yield sqrt(square)
        if not square > 0:
            return
        gamma = gamma - square / float(gamma @ (sigma * gamma)) * sigma * gamma


def conjugate_gradient(quadratic: Quadratic) -> Iterator[float]:
    """Yield ||gradient|| of each iteration of conjugate gradient."""
    sigma, gamma = quadratic
    d, square = -gamma, float(gamma @ gamma)
    while True:
        yield sqrt(square)
        if not square > 0:
            return
        bent = sigma * d
        gamma = gamma + square / float(d @ bent) * bent
        old, square = square, float(gamma @ gamma)
        d = square / old * d - gamma


def coordinate_descent(H: Array, gradient: Array, reduction: float) -> tuple[float, float]:
    """Return the rate per sweep of cyclic coordinate descent, and how many sweeps it takes.

    A sweep makes gradient <- T gradient with T = -L'(D + L)^-1; in the long run it shrinks by the
    largest |eigenvalue| of T.  Each direction in which H is flat adds an eigenvalue 1, which no
    gradient has a part in.

    Parameters
    ----------
    H : ndarray, shape (P, P)
        Non-negative definite.
    gradient : ndarray, shape (P,)
        In the range of H.
    reduction : float
    """
    used = np.diagonal(H) > 0
    H, gradient = H[np.ix_(used, used)], gradient[used]
    T = -np.linalg.solve(np.tril(H).T, np.triu(H, 1).T).T
    flat = len(H) - int(np.linalg.matrix_rank(H, hermitian=True))
    moduli = np.sort(np.abs(np.linalg.eigvals(T)))[: len(H) - flat]
    target = reduction * float(np.linalg.norm(gradient))
    return float(moduli[-1]), linear_count(T[None], gradient[None], target, seen=len(H))
