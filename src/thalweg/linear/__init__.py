"""Linear models with penalties and bounds, by coordinate descent.

`coordinate_descent`, `path` and, for images, `icd` need NumPy alone.  The estimators, such as
`Lasso`, are those of scikit-learn by name and parameters; they are imported when first asked for,
and need it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .._optional import optional
from .alphas import enet_path, lasso_path
from .image_result import ImageHistory, ImageResult
from .images import icd
from .paths import path
from .priors import QGGMRF, GaussianPrior, ProximalPrior
from .result import ConvergenceWarning, LinearHistory, LinearResult
from .solver import coordinate_descent
from .walk import LinearPath, Step

if TYPE_CHECKING:
    from .cross_validation import ElasticNetCV, LassoCV
    from .estimators import LinearRegression, NonNegative, Ridge
    from .sparse_estimators import ElasticNet, Lasso

__all__ = [
    "QGGMRF",
    "ConvergenceWarning",
    "ElasticNet",
    "ElasticNetCV",
    "GaussianPrior",
    "ImageHistory",
    "ImageResult",
    "Lasso",
    "LassoCV",
    "LinearHistory",
    "LinearPath",
    "LinearRegression",
    "LinearResult",
    "NonNegative",
    "ProximalPrior",
    "Ridge",
    "Step",
    "coordinate_descent",
    "enet_path",
    "icd",
    "lasso_path",
    "path",
]

_ESTIMATORS = {
    "ElasticNet": "sparse_estimators",
    "ElasticNetCV": "cross_validation",
    "Lasso": "sparse_estimators",
    "LassoCV": "cross_validation",
    "LinearRegression": "estimators",
    "NonNegative": "estimators",
    "Ridge": "estimators",
}


def __getattr__(name: str) -> Any:
    """Import an estimator, and with it scikit-learn, when it is first asked for."""
    if name not in _ESTIMATORS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    optional("sklearn", f"coordinate_descent and path do without scikit-learn, {name} needs")
    return getattr(import_module(f".{_ESTIMATORS[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
