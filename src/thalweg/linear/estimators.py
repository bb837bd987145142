r"""Linear models as estimators of scikit-learn: the same parameters, attributes and scale.

An estimator minimises, over coefficients θ and an intercept,

.. math:: \frac{1}{2 \sum_i w_i} \sum_i w_i (y_i - x_i \theta - \theta_0)^2
          + \alpha \sum_j f_j \left(\rho |\theta_j| + \frac{1 - \rho}{2} \theta_j^2\right)

(`Ridge`: :math:`\sum_i w_i r_i^2 + \alpha \sum_j f_j \theta_j^2`) by `coordinate_descent`, whose
objective is this one times Σ w.  Beyond scikit-learn's parameters there are ``penalty_factors`` f
and ``bounds``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._arguments.bounds import bounds_of_one
from .._arguments.check import Array
from .._arguments.spelling import spelled
from .estimator_base import Linear, is_penalty, threads_of
from .problem import total_weight
from .shortest import Plain, of_wide, plain


@spelled
class LinearRegression(Linear):
    """Least squares; the parameters are those of ``sklearn.linear_model.LinearRegression``.

    Parameters
    ----------
    fit_intercept : bool, default True
    copy_X : bool
        This has no effect: X is never changed.
    tol : float, default 1e-12
        The largest duality gap, over ½ ‖y‖².  Without a penalty the gap is proportional to the
        gradient instead of to its square, so that a gap this small is both reached and needed for
        most digits of the coefficients.
    n_jobs : int, optional
        The number of threads; default all.
    positive : bool
        Whether coefficients must be ≥ 0.
    bounds : pair, optional
        (lower, upper), as of `coordinate_descent`.
    max_iter : int
        The largest number of rounds.

    Attributes
    ----------
    coef_ : ndarray, shape (P,) or (targets, P)
        Where columns depend on each other, the shortest of all that fit as well, as of
        ``numpy.linalg.lstsq``.  (A sparse X with more rows than columns is examined for that if it
        has at most 2^24 elements, zeros included.)
    intercept_ : float or ndarray, shape (targets,)
    n_iter_ : int or ndarray, shape (targets,)
        The number of rounds.  The first is the solution of the normal equations, or of columns that
        nearly depend on each other by singular values; descent follows where its gap is too large.
    n_features_in_, feature_names_in_

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg.linear import LinearRegression
    >>> X = np.array([[1.0, 0], [0, 1], [1, 1], [2, 1]])
    >>> y = X @ [2.0, -1.0]
    >>> LinearRegression().fit(X, y).coef_.round(6)
    array([ 2., -1.])
    """

    def __init__(
        self,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        tol: float = 1e-12,
        n_jobs: int | None = None,
        positive: bool = False,
        bounds: Any = None,
        max_iter: int = 1000,
    ) -> None:
        self.fit_intercept, self.copy_X, self.tol = fit_intercept, copy_X, tol
        self.n_jobs, self.positive, self.bounds = n_jobs, positive, bounds
        self.max_iter = max_iter

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LinearRegression:
        """Fit to X, (n, P), and y, (n,) or (n, targets)."""
        X, y, weights = self._checked(X, y, sample_weight)
        n, P = X.shape
        is_free = np.isinf(self._limits(P)).all() and total_weight(n, weights) > 0
        begin = self._from_normal_equations(X, y, weights) if is_free and P <= n else None
        if begin is not None and begin.is_shortest:
            self.n_iter_: Any = np.ones(y.shape[1:], np.intp)[()]
            return self
        result = self._descend(
            X, y, weights, 0, 0, self.tol, max_iter=self.max_iter, threads=threads_of(self.n_jobs),
            start=None if begin is None else begin.theta,
        )  # fmt: skip
        self.n_iter_ = result.n_iter + (begin is not None)
        if is_free and P > n:
            mean = self._means(X, weights)
            shortest = of_wide(X, weights, mean, self.coef_)
            if self.fit_intercept:
                self.intercept_ = self.intercept_ + (self.coef_ - shortest) @ mean
            self.coef_ = shortest
        return self

    def _from_normal_equations(self, X: Any, y: Array, weights: Array | None) -> Plain | None:
        """Solve without descent, if X is not too large; keep the solution if it is the shortest."""
        mean, middle = self._means(X, weights), self._means(y, weights)
        found = plain(X, y - middle, weights, mean)
        if found is not None and found.is_shortest:
            self.coef_ = np.ascontiguousarray(found.theta.T)
            self.intercept_ = middle - self.coef_ @ mean if self.fit_intercept else 0.0
        return found

    def _means(self, values: Any, weights: Array | None) -> Any:
        """Return the weighted mean of each column, or 0 where there is no intercept."""
        if not self.fit_intercept:
            return np.zeros(values.shape[1:])
        w = np.ones(values.shape[0]) if weights is None else weights
        with np.errstate(over="ignore", invalid="ignore"):  # what overflows is refused elsewhere
            return (w @ values) / w.sum()


@spelled
class NonNegative(LinearRegression):
    """Non-negative least squares: `LinearRegression` with coefficients ≥ 0 and no intercept.

    Parameters
    ----------
    fit_intercept : bool, default False
    upper : float or array_like, shape (P,), optional
        The upper bounds of the coefficients.
    tol, max_iter, n_jobs
        As those of `LinearRegression`.

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg.linear import NonNegative
    >>> X = np.array([[1.0, 0], [0, 1], [1, 1], [2, 1]])
    >>> y = X @ [2.0, -1.0]
    >>> NonNegative().fit(X, y).coef_.round(6)
    array([1.5, 0. ])
    """

    def __init__(
        self,
        *,
        fit_intercept: bool = False,
        upper: Any = None,
        tol: float = 1e-12,
        max_iter: int = 1000,
        n_jobs: int | None = None,
    ) -> None:
        self.fit_intercept, self.upper = fit_intercept, upper
        self.tol, self.max_iter, self.n_jobs = tol, max_iter, n_jobs

    def _limits(self, P: int) -> tuple[Array, Array]:
        return bounds_of_one((0.0, self.upper), P)


@spelled
class Ridge(Linear):
    r"""Least squares with a squared penalty, of the parameters of ``sklearn.linear_model.Ridge``.

    .. math:: \sum_i w_i (y_i - x_i \theta - \theta_0)^2 + \alpha \sum_j f_j \theta_j^2

    Parameters
    ----------
    alpha : float or array_like, shape (targets,)
    fit_intercept : bool, default True
    copy_X, solver, random_state
        These have no effect.
    max_iter : int, optional
        The largest number of rounds; default 1000.
    tol : float
        The largest duality gap, over ½ ‖y‖².
    positive : bool
        Whether coefficients must be ≥ 0.
    penalty_factors : array_like, shape (P,), optional
        f ≥ 0; a coefficient with 0 is not penalised.
    bounds : pair, optional
        (lower, upper), as of `coordinate_descent`.

    Attributes
    ----------
    coef_, intercept_, n_iter_, n_features_in_, feature_names_in_, solver_

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg.linear import Ridge
    >>> X = np.array([[0.0, 1], [1, 1], [2, 0]])
    >>> model = Ridge(alpha=1).fit(X, [1.0, 2, 4])
    >>> model.coef_.round(3)
    array([ 0.833, -0.5  ])
    """

    def __init__(
        self,
        alpha: Any = 1.0,
        *,
        fit_intercept: bool = True,
        copy_X: bool = True,
        max_iter: int | None = None,
        tol: float = 1e-6,
        solver: str = "auto",
        positive: bool = False,
        random_state: Any = None,
        penalty_factors: Any = None,
        bounds: Any = None,
    ) -> None:
        self.alpha, self.fit_intercept, self.copy_X = alpha, fit_intercept, copy_X
        self.max_iter, self.tol, self.solver = max_iter, tol, solver
        self.positive, self.random_state = positive, random_state
        self.penalty_factors, self.bounds = penalty_factors, bounds

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Ridge:
        """Fit to X, (n, P), and y, (n,) or (n, targets)."""
        X, y, weights = self._checked(X, y, sample_weight)
        options = {"max_iter": 1000 if self.max_iter is None else self.max_iter}
        alpha = np.asarray(self.alpha, np.float64)
        if not all(map(is_penalty, alpha.flat)):
            raise ValueError(f"alpha must not be negative, got {self.alpha}")
        if alpha.ndim == 0:
            result = self._descend(X, y, weights, 0, float(alpha), self.tol, **options)
            self.n_iter_ = result.n_iter
        else:
            self._each_target(X, y, weights, alpha, options)
        self.solver_ = "coordinate_descent"
        return self

    def _each_target(
        self, X: Any, y: Array, weights: Array | None, alpha: Array, options: dict[str, Any]
    ) -> None:
        """Fit every target with an alpha of its own."""
        targets = y.reshape(len(y), -1).T
        if alpha.shape != (len(targets),):
            raise ValueError(
                f"alpha must be a number or one per target, ({len(targets)},), got {alpha.shape}"
            )
        fits = []
        for target, penalty in zip(targets, alpha, strict=True):
            result = self._descend(X, target, weights, 0, float(penalty), self.tol, **options)
            fits.append((self.coef_, self.intercept_, result.n_iter))
        coefs, intercepts, rounds = (np.array(values) for values in zip(*fits, strict=True))
        several = y.ndim > 1
        self.coef_ = coefs if several else coefs[0]
        self.intercept_ = intercepts if several else intercepts[0]
        self.n_iter_ = rounds if several else rounds[0]
