"""What the estimators share, on scikit-learn's base classes."""

from __future__ import annotations

import warnings
from math import inf
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, MultiOutputMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.extmath import safe_sparse_dot
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from .._arguments.check import Array, count, tolerance
from .descent import Rules
from .problem import Problem, problem_of
from .result import LinearResult
from .several import Run


class Linear(MultiOutputMixin, RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """What the estimators share: arguments checked, coefficients kept, predictions."""

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

    def _limits(self) -> Any:
        """Return the bounds, with 0 below where coefficients are to be positive."""
        bounds = getattr(self, "bounds", None)
        if not getattr(self, "positive", False):
            return bounds
        lower, upper = (None, None) if bounds is None else bounds
        return np.maximum(0.0, -np.inf if lower is None else lower), upper

    def _descend(
        self, X: Any, y: Array, weights: Array | None, l1: Any, l2: Any, tol: float, **options: Any
    ) -> LinearResult:
        """Solve, and keep what the solution is known by."""
        l1, l2 = penalties_of(l1, l2, getattr(self, "penalty_factors", None))
        problem = problem_of(X, y, l1, l2, self._limits(), weights, self.fit_intercept)
        result = solved(problem, tol=tol, **options)
        if not result.success:
            warnings.warn(
                f"{type(self).__name__}: {result.message}", ConvergenceWarning, stacklevel=3
            )
        self.coef_ = np.ascontiguousarray(result.theta.T)
        self.intercept_ = result.intercept if self.fit_intercept else 0.0
        return result


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
    """Solve a checked problem, from ``start`` (P,) or (P, targets); tell nothing."""
    rules = Rules(
        "auto",
        order,
        tolerance(tol, "tol", 1e-6),
        count(max_iter, "max_iter", 0, 2**63 - 1),
        inf,
        np.random.default_rng(seed),
    )
    begin = np.zeros((problem.shape[1], 1)) if start is None else start.reshape(len(start), -1)
    return Run(problem, threads or 0, rules, begin).all(None)


def penalties_of(l1: float, l2: float, factors: Any) -> tuple[Any, Any]:
    """Return l1 f and l2 f; an infinite f is an infinite l1, which keeps a coefficient at 0."""
    if factors is None:
        return l1, l2
    factors = np.asarray(factors, np.float64)
    kept = np.isinf(factors)
    finite = np.where(kept, 0.0, factors)
    return np.where(kept, np.inf, l1 * finite), l2 * finite


def total_weight(X: Any, sample_weight: Array | None) -> float:
    """Return Σ w."""
    return float(X.shape[0] if sample_weight is None else sample_weight.sum())


def seed_of(random_state: Any) -> Any:
    """Return a seed for NumPy's new generators of what scikit-learn takes."""
    if isinstance(random_state, np.random.RandomState):
        return random_state.randint(2**31)
    return random_state


def threads_of(n_jobs: int | None) -> int | None:
    """Return how many threads: scikit-learn's -1 is all, as None is here."""
    return n_jobs if n_jobs is not None and n_jobs > 0 else None
