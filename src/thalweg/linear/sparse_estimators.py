"""The estimators whose penalty makes coefficients 0; `.estimators` derives what they minimise."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._arguments.check import tolerance
from .._arguments.spelling import spelled
from .estimator_base import Linear, is_penalty, seed_of
from .problem import total_weight


@spelled
class ElasticNet(Linear):
    r"""The elastic net, of the parameters of ``sklearn.linear_model.ElasticNet``.

    Parameters
    ----------
    alpha : float, default 1
    l1_ratio : float in [0, 1], default 0.5
        ρ: 1 is the lasso.
    fit_intercept : bool, default True
    precompute, copy_X, random_state
        These have no effect: a Gram matrix is used where it is estimated to save time.
    max_iter : int, default 1000
        The largest number of rounds over the working set; some tens are usual.
    tol : float, default 1e-4
        The duality gap, of the objective times Σ w, is at most tol · yᵗWy.
    warm_start : bool
        Whether to start from the coefficients of the last fit.
    positive : bool
        Whether coefficients must be ≥ 0.
    selection : {"cyclic", "random"}
        The order of sweeps; "random" sweeps with the residual.
    penalty_factors : array_like, shape (P,), optional
        f ≥ 0; a coefficient with 0 is not penalised.
    bounds : pair, optional
        (lower, upper), as of `coordinate_descent`.

    Attributes
    ----------
    coef_, intercept_, n_iter_, n_features_in_, feature_names_in_
    dual_gap_ : float or ndarray, shape (targets,)
        The duality gap, in the unit of the objective above.
    sparse_coef_ : scipy.sparse matrix

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg.linear import ElasticNet
    >>> X = np.array([[1.0, 0], [0, 1], [1, 1], [2, 1]])
    >>> y = X @ [2.0, -1.0]
    >>> ElasticNet(alpha=0.01).fit(X, y).coef_.shape
    (2,)
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.5,
        fit_intercept: bool = True,
        precompute: Any = False,
        max_iter: int = 1000,
        copy_X: bool = True,
        tol: float = 1e-4,
        warm_start: bool = False,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
        penalty_factors: Any = None,
        bounds: Any = None,
    ) -> None:
        self.alpha, self.l1_ratio, self.fit_intercept = alpha, l1_ratio, fit_intercept
        self.precompute, self.max_iter, self.copy_X = precompute, max_iter, copy_X
        self.tol, self.warm_start, self.positive = tol, warm_start, positive
        self.random_state, self.selection = random_state, selection
        self.penalty_factors, self.bounds = penalty_factors, bounds

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> ElasticNet:
        """Fit to X, (n, P), and y, (n,) or (n, targets)."""
        previous = getattr(self, "coef_", None) if self.warm_start else None
        X, y, weights = self._checked(X, y, sample_weight)
        if not (is_penalty(self.alpha) and is_penalty(self.l1_ratio) and self.l1_ratio <= 1):
            raise ValueError(
                "alpha must not be negative and l1_ratio in [0, 1], got "
                f"{self.alpha} and {self.l1_ratio}"
            )
        if self.selection not in ("cyclic", "random"):
            raise ValueError(f"selection must be 'cyclic' or 'random', got {self.selection!r}")
        total = total_weight(len(y), weights)
        result = self._descend(
            X,
            y,
            weights,
            total * self.alpha * self.l1_ratio,
            total * self.alpha * (1 - self.l1_ratio),
            2 * tolerance(self.tol, "tol", 1e-4),
            max_iter=self.max_iter,
            start=None if previous is None else np.asarray(previous).T,
            order=self.selection,
            seed=seed_of(self.random_state),
        )
        self.n_iter_ = result.n_iter
        gap = np.asarray(result.gap) / total
        if y.ndim == 2 and y.shape[1] == 1:  # as scikit-learn: one target has a row of coefficients
            self.coef_, gap = self.coef_[0], gap[0]
        self.dual_gap_ = gap if gap.ndim else float(gap)
        return self

    @property
    def sparse_coef_(self) -> Any:
        """The coefficients as a sparse matrix of SciPy."""
        from scipy.sparse import csr_matrix

        return csr_matrix(self.coef_)


@spelled
class Lasso(ElasticNet):
    """The lasso, of the parameters of ``sklearn.linear_model.Lasso``: `ElasticNet`, l1_ratio 1.

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg.linear import Lasso
    >>> X = np.array([[1.0, 0], [0, 1], [1, 1], [2, 1]])
    >>> y = X @ [2.0, -1.0]
    >>> Lasso(alpha=0.01).fit(X, y).coef_.round(1)
    array([ 2. , -0.9])
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        precompute: Any = False,
        copy_X: bool = True,
        max_iter: int = 1000,
        tol: float = 1e-4,
        warm_start: bool = False,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
        penalty_factors: Any = None,
        bounds: Any = None,
    ) -> None:
        super().__init__(
            alpha,
            l1_ratio=1.0,
            fit_intercept=fit_intercept,
            precompute=precompute,
            max_iter=max_iter,
            copy_X=copy_X,
            tol=tol,
            warm_start=warm_start,
            positive=positive,
            random_state=random_state,
            selection=selection,
            penalty_factors=penalty_factors,
            bounds=bounds,
        )
