"""The arrow-shaped normal equations of data sets that share parameters (csrc/fit/arrow.h)."""

from __future__ import annotations

from typing import Any

import numpy as np

from .state import EPS

Array = np.ndarray[Any, np.dtype[np.float64]]

WEAK_PIVOT = 64 * EPS  # a pivot of a damped matrix up to this share of its diagonal is rounding
LOST_PIVOT = 2.0**-40  # and of an undamped one


def eliminate(
    sums: Array, shared: list[int], local: list[int], held: Any, step: Array, D2: Array, lam: float
) -> tuple[Array, Array, Array, Array, Array]:
    """Eliminate the local steps: the arrow-shaped equations, solved by their Schur complement.

    ``sums`` holds [J|e]'[J|e] of the members, (M, P + 1, P + 1); the steps of held parameters are
    given; M_m = A_ll + lam D_l^2.

    Returned are C (S, S) and r (S,) of  C d = r  for the shared step d, damping not included;
    M^-1 A_ls (M, L, S) and M^-1 g_l (M, L); and g_l' M^-1 g_l (M,).
    """
    s, loc = shared, local
    A, given = sums[:, :-1, :-1], np.where(held, step, 0.0)
    b = sums[:, -1, :-1] - np.einsum("mij,mj->mi", A, given)
    W, z = np.zeros((len(A), len(loc), len(s))), np.zeros((len(A), len(loc)))
    scale = np.where(D2 > 0, D2, 1.0)
    for m in range(len(A)):
        free = [i for i, j in enumerate(loc) if not held[m, j]]
        at = [loc[i] for i in free]
        damped = A[m][np.ix_(at, at)] + lam * np.diag(scale[m, at])
        least = WEAK_PIVOT if lam > 0 else LOST_PIVOT
        right = np.column_stack([A[m][np.ix_(at, s)] * ~held[m, s], b[m, at]])
        solved = solve_strong(damped, right, least)
        W[m, free], z[m, free] = solved[:, :-1], solved[:, -1]
    C = (A[:, s][:, :, s] - np.einsum("mls,mlt->mst", A[:, loc][:, :, s], W)).sum(axis=0)
    r = (b[:, s] - np.einsum("mls,ml->ms", A[:, loc][:, :, s], z)).sum(axis=0)
    return C, r, W, z, np.einsum("ml,ml->m", np.where(held[:, loc], 0, b[:, loc]), z)


def solve_strong(A: Array, right: Array, least: float) -> Array:
    """Solve A w = right by A = U D U'; where D_j is up to ``least`` A_jj, 1 / D_j counts as 0."""
    n = len(A)
    U, inverse = np.eye(n), np.zeros(n)
    for j in range(n):
        d = A[j, j] - (U[j, :j] ** 2 * np.where(inverse[:j] > 0, 1, 0) @ _reciprocal(inverse[:j]))
        inverse[j] = 1 / d if d > least * A[j, j] else 0.0
        for i in range(j + 1, n):
            U[i, j] = (A[i, j] - U[i, :j] * U[j, :j] @ _reciprocal(inverse[:j])) * inverse[j]
    y = np.linalg.solve(U, right)
    return np.asarray(np.linalg.solve(U.T, y * inverse[:, None]))


def _reciprocal(inverse: Array) -> Array:
    """D of 1 / D, 0 for 0"""
    return np.where(inverse > 0, 1 / np.where(inverse > 0, inverse, 1), 0.0)


def pivot(A: Array, k: int) -> float:
    """What is left of diagonal element k beside the rows before it."""
    if not k:
        return float(A[0, 0])
    return float(A[k, k] - A[k, :k] @ np.linalg.lstsq(A[:k, :k], A[:k, k], rcond=None)[0])
