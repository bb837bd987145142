"""The base class of the estimators, on scikit-learn's base classes."""

from __future__ import annotations

from math import inf
from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from .._arguments.bounds import bounds_of_one
from .._arguments.check import Array, numbers
from .._arguments.warning import warn_user
from .problem import Problem, problem_of
from .result import LinearResult
from .rules import rules_of
from .several import Run
from .small import solve_plain


class Linear(MultiOutputMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """The base class of the estimators: it checks arguments, keeps coefficients and predicts."""

    coef_: Array
    intercept_: Any

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def predict(self, X: Any) -> Array:
        """Return Xθ + θ₀, shape (n,) or (n, targets)."""
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse=["csr", "csc"], reset=False)
        prediction: Array = safe_sparse_dot(X, self.coef_.T, dense_output=True) + self.intercept_
        return prediction

    def _checked(self, X: Any, y: Any, sample_weight: Any) -> tuple[Any, Array, Array | None]:
        X, y = validate_data(
            self,
            X,
            y,
            accept_sparse="csc",
            dtype=[np.float64, np.float32],
            multi_output=True,
            y_numeric=True,
        )
        if sample_weight is not None:
            sample_weight = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
        return X, np.asarray(y, np.float64), sample_weight

    def _limits(self, P: int) -> tuple[Array, Array]:
        """Return the bounds, (P,) each, with 0 below where coefficients are to be positive."""
        lower, upper = bounds_of_one(self.bounds, P)
        return (np.maximum(0.0, lower) if self.positive else lower), upper

    def _descend(
        self, X: Any, y: Array, weights: Array | None, l1: Any, l2: Any, tol: float, **options: Any
    ) -> LinearResult:
        """Solve the problem, and keep its coefficients and its intercept."""
        l1, l2 = penalties_of(l1, l2, getattr(self, "penalty_factors", None))
        of = X, y, l1, l2, self._limits(X.shape[1]), weights, self.fit_intercept
        result = _solved_plainly(*of, tol, **options)
        if result is None:
            result = solved(problem_of(*of), tol=tol, **options)
        if not result.success:
            warn_user(f"{type(self).__name__}: {result.message}", ConvergenceWarning)
        self.coef_ = np.ascontiguousarray(result.theta.T)
        self.intercept_ = result.intercept if self.fit_intercept else 0.0
        return result


def _solved_plainly(
    *of_and_tol: Any,
    max_iter: int,
    start: Array | None = None,
    order: str = "cyclic",
    seed: Any = None,
    threads: int | None = None,
) -> LinearResult | None:
    """Solve a problem by `solve_plain`, with the options of `solved`, if they allow that."""
    if start is not None or seed is not None:
        return None
    arguments: Any = (*of_and_tol, max_iter, threads, order, "auto")
    return solve_plain(*arguments)


def solved(
    problem: Problem,
    *,
    tol: float,
    max_iter: int,
    start: Array | None = None,
    order: str = "cyclic",
    seed: Any = None,
    threads: int | None = None,
) -> LinearResult:
    """Solve a checked problem from ``start``, (P,) or (P, targets), without a warning."""
    rules = rules_of(tol, max_iter, order=order, seed=seed)
    begin = np.zeros((problem.shape[1], 1)) if start is None else start.reshape(len(start), -1)
    return Run(problem, threads or 0, rules, begin).all(None)


def penalties_of(l1: float, l2: float, factors: Any) -> tuple[Any, Any]:
    """Return l1 f and l2 f; an infinite f makes l1 infinite, which keeps a coefficient at 0."""
    if factors is None:
        return l1, l2
    factors = numbers(factors, "penalty_factors", np.float64)
    if not (factors >= 0).all():  # NaN too
        raise ValueError(f"penalty_factors must not be negative, got {factors.min()}")
    kept = np.isinf(factors)
    finite = np.where(kept, 0.0, factors)
    return np.where(kept, np.inf, l1 * finite), l2 * finite


def is_penalty(value: Any) -> bool:
    """Whether a value is a finite number that is not negative."""
    return isinstance(value, Real) and 0 <= float(value) < inf


def seed_of(random_state: Any) -> Any:
    """Return a seed of `numpy.random.default_rng` for scikit-learn's ``random_state``."""
    if isinstance(random_state, np.random.RandomState):
        return random_state.randint(2**31)
    return random_state


def threads_of(n_jobs: int | None) -> int | None:
    """Return ``threads`` for scikit-learn's ``n_jobs``, whose -1 means all, as None does here."""
    return n_jobs if n_jobs is not None and n_jobs > 0 else None
