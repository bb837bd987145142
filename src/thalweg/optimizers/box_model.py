r"""The quadratic model of L-BFGS within a box, and its minimum.

    q(d) = gradient . d + 1/2 d'B d,    lower - theta <= d <= upper - theta

B is the inverse of the matrix K of the two loops, in the compact form of Byrd, Nocedal and
Schnabel: with the pairs as columns of S and Y, B_0 = M / gamma, C the lower triangle of S'Y without
its diagonal, E the diagonal,

    B = B_0 - [B_0 S  Y] [S'B_0 S  C; C'  -E]^-1 [B_0 S  Y]',

so that a product with it costs 4 m P operations.  Conjugate gradients within the bounds find the
minimum; B_0 = 1 / gamma plus a matrix of rank 2 m has few eigenvalues, and a few products do.

References: Byrd, Nocedal and Schnabel, Math. Program. 63 (1994) 129, theorem 2.3; Schmidt, van den
Berg, Friedlander and Murphy, AISTATS 2009, for the model in a box.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._arguments.check import Array
from ..losses.base import Loss
from .base import Problem
from .conjugate_gradient import ConjugateGradient

_FLATTER = 1e-3  # the minimum is found until the model's gradient is this share of that at d = 0
_STEPS = 10  # the most steps of conjugate gradients are two for each pair and so many more

_STEPPER = ConjugateGradient()


class Model(Loss):
    """q(d) of the gradient g, pairs (s, y) and the diagonal B_0, shape (P,)."""

    is_quadratic = True

    def __init__(self, g: Array, pairs: Sequence[Any], B0: Array) -> None:
        self.n_params = g.size
        self.g, self.B0 = g, B0
        S = np.array([pair.s for pair in pairs]).reshape(-1, g.size)
        Y = np.array([pair.y for pair in pairs]).reshape(-1, g.size)
        SY, BS = S @ Y.T, B0 * S
        C, E = np.tril(SY, -1), np.diag(np.diagonal(SY))
        self.V = np.concatenate([BS, Y])
        self.middle = np.linalg.pinv(np.block([[S @ BS.T, C], [C.T, -E]]))

    def value_and_gradient(self, theta: Any) -> tuple[float, Array]:
        """Return q and its gradient g + B d, shape (P,)."""
        Bd = self.hessian_vector(None, theta)
        return float(self.g.dot(theta) + 0.5 * Bd.dot(theta)), self.g + Bd

    def hessian_vector(self, theta: Any, d: Any) -> Array:
        """Return B d, shape (P,)."""
        product: Array = self.B0 * d - self.V.T @ (self.middle @ (self.V @ d))
        return product


def lowest_inside(problem: Problem, theta: Array, g: Array, pairs: Any, B0: Array) -> Array:
    """Return the d within the bounds of theta + d that minimises the model, shape (P,)."""
    box = Problem(Model(g, pairs, B0), problem.lower - theta, problem.upper - theta)
    point = box.at(np.zeros_like(theta))
    state = _STEPPER.prepare(box, point)
    wanted = _FLATTER * _norm(box.free_gradient(point))
    for _ in range(2 * len(pairs) + _STEPS):
        point = _STEPPER.step(box, point, state)
        if _norm(box.free_gradient(point)) <= wanted:
            break
    return point.theta


def _norm(v: Array) -> float:
    return float(np.sqrt(v.dot(v)))
