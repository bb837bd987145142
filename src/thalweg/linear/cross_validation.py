"""Penalties chosen by cross-validation: `LassoCV` and `ElasticNetCV`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import check_cv
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import column_or_1d

from .._arguments.check import Array, tolerance
from .._arguments.spelling import spelled
from .._arguments.warning import warn_user
from ..machine import get_num_threads
from .alphas import grid_of
from .estimator_base import Linear, threads_of
from .paths import walk_of
from .problem import total_weight
from .sparse_estimators import ElasticNet
from .walk import Walk

# The gaps on the paths of the folds are at most this share of `tol`.  With more columns than rows
# the errors of neighbouring alphas differ by less than `tol` allows, so that rounding would decide
# between them.  Of 30 such data sets, each given once with integer weights and once with repeated
# rows, 11 got two different alphas at `tol`, 2 at a hundredth of it and none at a thousandth, which
# took no longer.
_FOLD_TOL = 1e-3


class Fold(NamedTuple):
    """One fold: how often each row is fitted, and which rows the fit is judged by."""

    taken: Array
    test: Array


class Data(NamedTuple):
    """The data that all folds share."""

    X: Any
    y: Array
    weights: Array | None


@spelled
class ElasticNetCV(Linear):
    r"""The elastic net whose penalty cross-validation chooses.

    The parameters are those of ``sklearn.linear_model.ElasticNetCV``, and

    Parameters
    ----------
    rule : {"min", "1se"}
        Which alpha is chosen: "min" is the one of the least mean squared error, "1se" the largest
        one whose error is within one standard error (over the folds) of the least: a sparser model
        that is not significantly worse (Breiman, Friedman, Olshen and Stone 1984, section 3.4.3).
    penalty_factors, bounds
        As those of `ElasticNet`.

    Attributes
    ----------
    alpha_, l1_ratio_, alphas_, coef_, intercept_, n_iter_, dual_gap_
        As scikit-learn's.
    mse_path_ : ndarray, shape (l1_ratios, alphas, folds), or (alphas, folds) for one ratio

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg.linear import ElasticNetCV
    >>> X = np.array([[1.0, 0], [0, 1], [1, 1], [2, 1]])
    >>> y = X @ [2.0, -1.0]
    >>> ElasticNetCV(cv=2).fit(X, y).coef_.shape
    (2,)
    """

    def __init__(
        self,
        *,
        l1_ratio: Any = 0.5,
        eps: float = 1e-3,
        alphas: Any = 100,
        fit_intercept: bool = True,
        precompute: Any = "auto",
        max_iter: int = 1000,
        tol: float = 1e-4,
        cv: Any = None,
        copy_X: bool = True,
        verbose: Any = 0,
        n_jobs: int | None = None,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
        rule: str = "min",
        penalty_factors: Any = None,
        bounds: Any = None,
    ) -> None:
        self.l1_ratio, self.eps, self.alphas = l1_ratio, eps, alphas
        self.fit_intercept, self.precompute, self.max_iter = fit_intercept, precompute, max_iter
        self.tol, self.cv, self.copy_X, self.verbose = tol, cv, copy_X, verbose
        self.n_jobs, self.positive, self.random_state = n_jobs, positive, random_state
        self.selection, self.rule = selection, rule
        self.penalty_factors, self.bounds = penalty_factors, bounds

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> ElasticNetCV:
        """Choose alpha, and fit to all rows of X, (n, P), and y, (n,)."""
        if self.rule not in ("min", "1se"):
            raise ValueError(f"rule must be 'min' or '1se', got {self.rule!r}")
        X, y, weights = self._checked(X, y, sample_weight)
        if y.ndim == 2 and y.shape[1] > 1:
            raise ValueError("for several targets, choose alpha of each by itself")
        y = column_or_1d(y, warn=True)
        data = Data(X, y, weights)
        ratios = np.atleast_1d(np.asarray(self.l1_ratio, np.float64))
        grids = [self._grid(data, ratio) for ratio in ratios]
        folds = [_fold(train, test, len(y)) for train, test in check_cv(self.cv).split(X, y)]
        errors = self._errors(data, ratios, grids, folds)
        best, k = self._choose(errors)
        self.l1_ratio_, self.alpha_ = float(ratios[best]), float(grids[best][k])
        one = len(ratios) == 1 or grid_of(self.alphas)[1] is not None
        self.alphas_ = grids[0] if one else np.array(grids)
        self.mse_path_ = errors[0] if len(ratios) == 1 else errors
        self._refit(data)
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = False
        return tags

    def _grid(self, data: Data, ratio: float) -> Array:
        """Return the alphas of this ratio, falling; the largest makes every coefficient 0."""
        given = grid_of(self.alphas)[1]
        if given is not None:
            return given
        walk = self._walk(data, ratio, data.weights, None, threads_of(self.n_jobs))
        return walk.begin() / total_weight(len(data.y), data.weights)

    def _walk(
        self, data: Data, ratio: float, weights: Array | None, penalties: Any, threads: int | None
    ) -> Walk:
        return walk_of(
            data.X,
            data.y,
            l1_ratio=ratio,
            n=grid_of(self.alphas)[0],
            smallest=self.eps,
            penalties=penalties,
            factors=self.penalty_factors,
            bounds=self._limits(data.X.shape[1]),
            weights=weights,
            intercept=self.fit_intercept,
            tol=2 * _FOLD_TOL * tolerance(self.tol, "tol", 1e-4),
            max_iter=self.max_iter,
            threads=threads,
            time_limit=None,
        )

    def _errors(self, data: Data, ratios: Array, grids: list[Array], folds: list[Fold]) -> Array:
        """Return the mean squared errors, (ratios, alphas, folds)."""
        tasks = [(r, f) for r in range(len(ratios)) for f in range(len(folds))]

        def error(task: tuple[int, int]) -> tuple[Array, bool]:
            r, f = task
            return self._error(data, float(ratios[r]), grids[r], folds[f])

        with ThreadPoolExecutor(threads_of(self.n_jobs) or get_num_threads()) as pool:
            found = list(pool.map(error, tasks))
        short = sum(not good for _, good in found)
        if short:
            warn_user(
                f"{type(self).__name__}: on {short} of {len(tasks)} paths the duality gap was not "
                "reached; a larger max_iter or tol helps",
                ConvergenceWarning,
            )
        rows = np.array([errors for errors, _ in found])
        return rows.reshape(len(ratios), len(folds), -1).swapaxes(1, 2).copy()

    def _error(self, data: Data, ratio: float, alphas: Array, fold: Fold) -> tuple[Array, bool]:
        """Return the errors of a path of one fold, (alphas,), and whether every gap was reached."""
        weights = fold.taken if data.weights is None else fold.taken * data.weights
        p = self._walk(data, ratio, weights, alphas * weights.sum(), 1).all(None)
        seen = safe_sparse_dot(data.X[fold.test], p.theta, dense_output=True) + p.intercept
        squares = (data.y[fold.test, None] - seen) ** 2
        w = None if data.weights is None else data.weights[fold.test]
        return np.average(squares, axis=0, weights=w), p.success

    def _choose(self, errors: Array) -> tuple[int, int]:
        """Return the indices of the ratio and of the alpha; every fold has the same weight."""
        means = errors.mean(axis=-1)
        best, k = np.unravel_index(int(np.argmin(means)), means.shape)
        folds = errors.shape[-1]
        if self.rule == "1se" and folds > 1:
            spread = errors[best, k].std(ddof=1) / np.sqrt(folds)
            k = np.argmax(means[best] <= means[best, k] + spread)  # the first is the largest alpha
        return int(best), int(k)

    def _refit(self, data: Data) -> None:
        net = ElasticNet(
            self.alpha_,
            l1_ratio=self.l1_ratio_,
            fit_intercept=self.fit_intercept,
            max_iter=self.max_iter,
            tol=self.tol,
            positive=self.positive,
            random_state=self.random_state,
            selection=self.selection,
            penalty_factors=self.penalty_factors,
            bounds=self.bounds,
        ).fit(data.X, data.y, data.weights)
        self.coef_, self.intercept_ = net.coef_, net.intercept_
        self.n_iter_, self.dual_gap_ = net.n_iter_, net.dual_gap_


def _fold(train: Array, test: Array, n: int) -> Fold:
    """Return the fold of two sets of rows, each given as indices or as a boolean mask."""
    taken = np.zeros(n)
    np.add.at(taken, np.arange(n)[train], 1)
    return Fold(taken, np.arange(n)[test])


@spelled
class LassoCV(ElasticNetCV):
    """The lasso whose penalty cross-validation chooses: `ElasticNetCV` with an l1_ratio of 1.

    The parameters are those of ``sklearn.linear_model.LassoCV``, and ``rule``, ``penalty_factors``
    and ``bounds`` as those of `ElasticNetCV`.

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg.linear import LassoCV
    >>> X = np.array([[1.0, 0], [0, 1], [1, 1], [2, 1]])
    >>> y = X @ [2.0, -1.0]
    >>> LassoCV(cv=2).fit(X, y).coef_.shape
    (2,)
    """

    def __init__(
        self,
        *,
        eps: float = 1e-3,
        alphas: Any = 100,
        fit_intercept: bool = True,
        precompute: Any = "auto",
        max_iter: int = 1000,
        tol: float = 1e-4,
        copy_X: bool = True,
        cv: Any = None,
        verbose: Any = False,
        n_jobs: int | None = None,
        positive: bool = False,
        random_state: Any = None,
        selection: str = "cyclic",
        rule: str = "min",
        penalty_factors: Any = None,
        bounds: Any = None,
    ) -> None:
        super().__init__(
            l1_ratio=1.0,
            eps=eps,
            alphas=alphas,
            fit_intercept=fit_intercept,
            precompute=precompute,
            max_iter=max_iter,
            tol=tol,
            cv=cv,
            copy_X=copy_X,
            verbose=verbose,
            n_jobs=n_jobs,
            positive=positive,
            random_state=random_state,
            selection=selection,
            rule=rule,
            penalty_factors=penalty_factors,
            bounds=bounds,
        )
