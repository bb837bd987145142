"""Paths as scikit-learn calls them: `lasso_path` and `enet_path`."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._arguments.check import Array, count, tolerance
from .._arguments.spelling import spelled
from .._arguments.values import row_weights
from .paths import falling, walk_of
from .problem import total_weight
from .walk import LinearPath


def grid_of(alphas: Any) -> tuple[int, Array | None]:
    """Return the number of alphas and, if the user gave them, the alphas from the largest."""
    if np.ndim(alphas) == 0:
        return count(alphas, "alphas", 1, 2**31), None
    given = falling(alphas, "alphas")
    return len(given), given


@spelled
def lasso_path(
    X: Any,
    y: Any,
    *,
    eps: float = 1e-3,
    alphas: Any = 100,
    positive: bool = False,
    return_n_iter: bool = False,
    tol: float = 1e-4,
    max_iter: int = 1000,
    sample_weight: Any = None,
    threads: int | None = None,
) -> tuple[Array, ...]:
    """Return ``enet_path(X, y, l1_ratio=1, ...)``: the other arguments and results are its own.

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg.linear import lasso_path
    >>> A = np.array([[1.0, 0], [0, 1], [1, 1]])
    >>> alphas, coefs, gaps = lasso_path(A, np.array([1.0, 2.0, 3.0]), alphas=[1.0, 0.1])
    >>> coefs.shape
    (2, 2)
    """
    return enet_path(
        X, y, l1_ratio=1.0, eps=eps, alphas=alphas, positive=positive,
        return_n_iter=return_n_iter, tol=tol, max_iter=max_iter, sample_weight=sample_weight,
        threads=threads,
    )  # fmt: skip


@spelled
def enet_path(
    X: Any,
    y: Any,
    *,
    l1_ratio: float = 0.5,
    eps: float = 1e-3,
    alphas: Any = 100,
    positive: bool = False,
    return_n_iter: bool = False,
    tol: float = 1e-4,
    max_iter: int = 1000,
    sample_weight: Any = None,
    threads: int | None = None,
) -> tuple[Array, ...]:
    r"""Solve elastic nets for falling penalties: scikit-learn's arguments, scale and results.

    .. math:: \frac{1}{2 \sum_i w_i} \sum_i w_i (y_i - x_i \theta)^2
              + \alpha\rho \|\theta\|_1 + \frac{\alpha (1 - \rho)}{2} \|\theta\|^2

    Parameters
    ----------
    X : array_like or SciPy sparse matrix, shape (n, P)
    y : array_like, shape (n,)
    l1_ratio : float
        ρ in (0, 1]; 0 is allowed where ``alphas`` are given.
    eps : float
        The ratio of the smallest alpha to the largest.
    alphas : int or array_like
        The number of alphas, or the alphas themselves.
    positive : bool
        Whether coefficients must be ≥ 0.
    return_n_iter : bool
        Whether to return the number of rounds for each alpha as well.
    tol : float
        The duality gap, of the objective times Σ w, is at most tol · yᵗWy.
    max_iter : int
        The largest number of rounds for each alpha.
    sample_weight : array_like, shape (n,), optional
        w ≥ 0; default 1.
    threads : int, optional
        The largest number of threads; default `get_num_threads`.

    Returns
    -------
    alphas : ndarray, shape (n_alphas,)
    coefs : ndarray, shape (P, n_alphas)
    dual_gaps : ndarray, shape (n_alphas,)
        In the unit of the objective.
    n_iters : ndarray, shape (n_alphas,)
        The number of rounds for each alpha, returned only with ``return_n_iter``.

    Raises
    ------
    ValueError, TypeError
        The arguments are refused as by `path`, and no row of a weight above 0 at all.
    KeyboardInterrupt
        Ctrl-C was pressed; the attribute ``result`` holds the finished part in the same form.

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg.linear import enet_path
    >>> alphas, coefs, gaps = enet_path(np.eye(3), [3.0, 2.0, 1.0], l1_ratio=1.0, alphas=[0.5])
    >>> coefs[:, 0].round(6)
    array([1.5, 0.5, 0. ])
    """
    n, given = grid_of(alphas)
    rows = len(np.atleast_1d(y))
    given_weights = None if sample_weight is None else row_weights(sample_weight, rows)
    weight = total_weight(rows, given_weights)
    walk = walk_of(
        X, y, l1_ratio=l1_ratio, n=n, smallest=eps,
        penalties=None if given is None else given * weight, factors=None,
        bounds=(0, None) if positive else None, weights=sample_weight, intercept=False,
        tol=2 * tolerance(tol, "tol", 1e-4), max_iter=max_iter, threads=threads, time_limit=None,
    )  # fmt: skip
    if not weight > 0:
        raise ValueError("alpha is a penalty over the sum of the weights, which is 0 here")

    def of(p: LinearPath) -> tuple[Array, ...]:
        found = p.penalties / weight, p.theta, p.gap / weight
        return (*found, p.n_iter) if return_n_iter else found

    try:
        return of(walk.all(None))
    except BaseException as error:
        if hasattr(error, "result"):
            error.result = of(error.result)
        raise
