"""A curve as a regressor of scikit-learn: `CurveRegressor`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._arguments.check import Array
from .._arguments.spelling import spelled
from .._arguments.warning import warn_user
from .._optional import optional
from ..fitting.evaluation import values_and_slopes
from ..fitting.fit import fit
from ..fitting.result import FitResult
from ..model import as_model
from ._formulas import with_independent

optional("sklearn", "CurveRegressor needs")

from scipy.linalg import qr  # noqa: E402 - scikit-learn needs SciPy
from sklearn.base import BaseEstimator, RegressorMixin  # noqa: E402
from sklearn.exceptions import ConvergenceWarning  # noqa: E402
from sklearn.utils.validation import (  # noqa: E402
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)

__all__ = ["CurveRegressor"]


@spelled
class CurveRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    r"""A model fitted by least squares, as a regressor of scikit-learn.

    Minimised is :math:`\sum_i w_i (y_i - f(x_i; \theta))^2` with the weights of the samples w,
    which are 1 / sigma^2 of y; a weight of 0 leaves its sample out.

    Parameters
    ----------
    model : callable, str or Model, optional
        As in `thalweg.fit`.  Its independent variables are the columns of X, in order: a model of
        one variable gets it as x, one of several a tuple.  A formula may call them by the names of
        the columns.  Without a model it is a plane, ``intercept + slope0*x0 + slope1*x1 + ...``;
        slopes of columns that depend on others are held at 0.
    p0, bounds, fixed, tied, noise, robust, f_scale, linear, independent, starts, max_iter
        As in `thalweg.fit`.
    absolute_sigma : bool
        Whether 1 / sqrt(w) are the standard deviations of y, not only relative to each other.
    n_jobs : int, optional
        The number of threads; by default, and for -1, as many as there are.

    Attributes
    ----------
    params_ : dict name -> float
        The parameters.
    stderr_ : dict name -> float
        Their standard errors.
    cov_ : ndarray, shape (P, P)
        Their covariance.
    result_ : FitResult
        The result with all it tells; it holds the training data.
    n_iter_ : int
        Trial steps taken.
    n_features_in_, feature_names_in_

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg.scale.sklearn import CurveRegressor
    >>> X = np.arange(6.0)[:, None]
    >>> y = 3 * np.exp(-X[:, 0] / 2)
    >>> curve = CurveRegressor("a*exp(-x/tau)", p0={"a": 1, "tau": 1}).fit(X, y)
    >>> curve.predict([[2.0]]).round(4), round(curve.params_["tau"], 6)
    (array([1.1036]), 2.0)
    """

    def __init__(
        self,
        model: Any = None,
        *,
        p0: Any = None,
        bounds: Any = None,
        fixed: Any = None,
        tied: Any = None,
        noise: str = "normal",
        robust: str | None = None,
        f_scale: Any = None,
        linear: str | None = None,
        independent: str | Sequence[str] | None = None,
        starts: int | None = None,
        max_iter: int | None = None,
        absolute_sigma: bool = False,
        n_jobs: int | None = None,
    ) -> None:
        self.model, self.p0, self.bounds, self.fixed, self.tied = model, p0, bounds, fixed, tied
        self.noise, self.robust, self.f_scale, self.linear = noise, robust, f_scale, linear
        self.independent, self.starts, self.max_iter = independent, starts, max_iter
        self.absolute_sigma, self.n_jobs = absolute_sigma, n_jobs

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> CurveRegressor:
        """Fit to X, (n, d), and y, (n,), with weights (n,).

        Raises
        ------
        ValueError
            The fit could not run: too few samples, a wrong start, a model of other variables.

        Warns
        -----
        ConvergenceWarning
            The fit ended without success; the best parameters that it saw are kept.
        """
        X, y = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        options = self._options()
        if sample_weight is not None:
            w = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
            options |= self._of_weights(w)
        else:
            w = np.ones(len(y))
        model, options = self._model(X, w, options)
        result = fit(model, self._variables(X), np.asarray(y, np.float64), **options)
        if np.isnan(result.params).any():
            raise ValueError(f"no fit of n_samples = {len(y)}: {result.reason()}")
        if not result.success:
            warn_user(f"CurveRegressor: {result.reason()}", ConvergenceWarning)
        self.result_: FitResult = result
        self.params_ = dict(zip(result.names, result.params.tolist(), strict=True))
        self.stderr_ = dict(zip(result.names, result.stderr.tolist(), strict=True))
        self.cov_, self.n_iter_ = result.cov, int(result.n_iter)
        return self

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Return f(x; theta) at X, (n, d), and on demand its standard error, (n,) each.

        The standard error is that of the curve, from the covariance of the parameters C and the
        derivatives g of f by them: sqrt(g' C g).
        """
        check_is_fitted(self)
        X = validate_data(self, X, dtype=np.float64, reset=False)
        at, result = self._variables(X), self.result_
        f = result.predict(at)
        if not return_std:
            return f
        free = result.problem.free
        J = values_and_slopes(result.problem, result.params[None], at, free)[1][0]
        with np.errstate(invalid="ignore"):
            variance = np.einsum("nj,jk,nk->n", J, result.cov[np.ix_(free, free)], J)
        return f, np.sqrt(np.maximum(variance, 0))

    def _options(self) -> dict[str, Any]:
        names = "p0 bounds fixed tied noise robust f_scale linear starts max_iter absolute_sigma"
        options = {name: getattr(self, name) for name in names.split()}
        return options | {"threads": self.n_jobs if self.n_jobs and self.n_jobs > 0 else None}

    def _of_weights(self, w: Array) -> dict[str, Any]:
        """Weights as sigma; of counts a weight can only leave a sample out."""
        if self.noise == "poisson":
            if not np.isin(w, (0, 1)).all():
                raise ValueError("noise='poisson' takes no sample_weight other than 0 and 1")
            return {"mask": w == 0}
        with np.errstate(divide="ignore"):
            return {"sigma": 1 / np.sqrt(w)}

    def _model(self, X: Array, w: Array, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The model, and the options with the names of its variables."""
        d = X.shape[1]
        if self.model is None:
            names = [f"x{k}" for k in range(d)]
            options |= {"independent": names, "p0": np.zeros(d + 1) if self.p0 is None else self.p0}
            if self.fixed is None:
                options["fixed"] = [f"slope{k}" for k in _dependent(X, w)]
            return _plane(names), options
        names = list(getattr(self, "feature_names_in_", ()))
        options = with_independent(self.model, names, options | {"independent": self.independent})
        n_x = as_model(self.model, options["independent"]).n_x
        if n_x is not None and n_x != d:
            raise ValueError(
                f"the model takes {n_x} independent variable{'s' * (n_x != 1)}, X has {d} features"
            )
        return self.model, options

    def _variables(self, X: Array) -> Any:
        """The columns of X, as the model takes them."""
        columns = tuple(np.ascontiguousarray(X.T))
        return columns[0] if len(columns) == 1 else columns


def _dependent(X: Array, w: Array) -> list[int]:
    """The columns of X that depend on others where the weights are not 0.

    Columns less their means are orthogonalised in the order of their lengths; those of which
    nothing but rounding is left depend on the ones before.
    """
    mean = w @ X / w.sum() if w.any() else 0.0
    A = np.sqrt(w)[:, None] * (X - mean)
    R, order = qr(A, mode="r", pivoting=True)
    left = np.abs(np.diag(R))
    rounding = max(A.shape) * np.finfo(float).eps * max(left.max(initial=0), np.abs(A).max())
    return sorted(int(k) for k in order[np.count_nonzero(left > rounding) :])


def _plane(names: Sequence[str]) -> str:
    """The formula of a plane over these variables."""
    return "intercept" + "".join(f" + slope{k}*{name}" for k, name in enumerate(names))
