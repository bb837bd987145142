"""The specification of the quadratic loss and of its minimum along a line.

    L(theta) = (theta - theta*)' B (theta - theta*),     g = (B + B')(theta - theta*),     B square.

Along theta + alpha d it is a parabola, L + alpha g'd + alpha^2 d'Bd, with its minimum at
alpha* = -g'd / (2 d'Bd).  Where a triangle is named, or B is packed, B is the symmetric matrix that
has that triangle.

Reference: Nocedal and Wright, "Numerical Optimization", 2nd ed., section 3.3.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def quadratic_form(
    B: Any,
    theta: Any,
    theta_star: Any = None,
    *,
    gradient: bool = False,
    triangle: str | None = None,
    symmetrise: bool = False,
    out: Any = None,
    threads: int | None = None,
) -> Any:
    """Return (theta - theta*)' B (theta - theta*) and, if asked for, (B + B')(theta - theta*).

    Examples
    --------
    >>> from thalweg import reference
    >>> value, g = reference.quadratic_form([[10.0, 2.0], [2.0, 1.0]], [1.0, 1.0], gradient=True)
    >>> float(value), g
    (15.0, array([24.,  6.]))
    """
    B = full_matrix(B, triangle, symmetrise)
    x = np.asarray(theta, float) - (0.0 if theta_star is None else np.asarray(theta_star, float))
    Btx = x @ B
    value = (Btx * x).sum(-1)
    if not gradient:
        return value
    if out is None:
        out = np.empty_like(Btx)
    out[...] = Btx + x @ B.T
    return value, out


def line_minimum(
    B: Any,
    theta: Any,
    d: Any,
    theta_star: Any = None,
    *,
    triangle: str | None = None,
    symmetrise: bool = False,
    threads: int | None = None,
) -> Any:
    """Return alpha* = -g'd / (2 d'Bd), or NaN unless d'Bd > 0.

    Examples
    --------
    >>> from thalweg import reference
    >>> reference.line_minimum([[1.0, 0.0], [0.0, 2.0]], [1.0, 0.0], [-1.0, 0.0])
    array(1.)
    """
    B = full_matrix(B, triangle, symmetrise)
    _, g = quadratic_form(B, theta, theta_star, gradient=True)
    d = np.asarray(d, float)
    slope, curvature = (g * d).sum(-1), ((d @ B) * d).sum(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(curvature > 0, -slope / (2 * curvature), np.nan)


def full_matrix(B: Any, triangle: str | None = None, symmetrise: bool = False) -> Any:
    """Return the full B (P, P) of one that is full, one triangle packed by rows, or sparse."""
    B = np.asarray(B.toarray() if hasattr(B, "toarray") else B, float)
    if B.ndim == 1:
        P = round((np.sqrt(8 * B.size + 1) - 1) / 2)
        packed, B = B, np.zeros((P, P))
        rows = np.tril_indices(P) if triangle != "upper" else np.triu_indices(P)
        B[rows] = packed
        triangle = triangle or "lower"
    if symmetrise:
        return (B + B.T) / 2
    if triangle == "lower":
        return np.tril(B) + np.tril(B, -1).T
    if triangle == "upper":
        return np.triu(B) + np.triu(B, 1).T
    return B
