"""Fit models to data by going downhill on a squared error, at compiled speed."""

from importlib import import_module
from typing import TYPE_CHECKING

from .fitting.curve_fit import CovarianceWarning, curve_fit
from .fitting.fit import fit
from .fitting.problem import SlowModelWarning
from .fitting.result import FitResult
from .machine import get_num_threads, info, set_num_threads
from .model.catalogue import models
from .model.registry import Model
from .status import Status

if TYPE_CHECKING:
    from . import kernels, linear, plot, reference, scale
    from ._files.table import Table, read_table
    from .conditioning import (
        Definiteness,
        Diagnosis,
        condition_number,
        definiteness,
        diagnose,
        eigen,
        is_symmetric,
        svd,
    )
    from .descent.minimize import minimize
    from .descent.result import DescentResult
    from .fitting.comparison import Comparison
    from .fitting.profile import Limit, Profile
    from .fitting.resampling import Resamples
    from .fitting.saved import load
    from .linear import ConvergenceWarning, LinearHistory, LinearResult, coordinate_descent
    from .losses import (
        FunctionLoss,
        LeastSquares,
        LinearLeastSquares,
        Loss,
        MSELoss,
        QuadraticLoss,
        check_adjoint,
        check_gradient,
    )
    from .model.composition import ComposedModel
    from .model.convolution import convolve
    from .model.function import Function, function
    from .optimizers import (
        LBFGS,
        Block,
        ConjugateGradient,
        CoordinateDescent,
        Diagonal,
        GaussNewton,
        Given,
        GradientDescent,
        HeavyBall,
        IncompleteCholesky,
        LevenbergMarquardt,
        Nesterov,
        Newton,
        ProximalGradient,
        SteepestDescent,
        StrongWolfe,
    )

__version__ = "0.1.0"

__all__ = [
    "LBFGS",
    "Block",
    "Comparison",
    "ComposedModel",
    "ConjugateGradient",
    "ConvergenceWarning",
    "CoordinateDescent",
    "CovarianceWarning",
    "Definiteness",
    "DescentResult",
    "Diagnosis",
    "Diagonal",
    "FitResult",
    "Function",
    "FunctionLoss",
    "GaussNewton",
    "Given",
    "GradientDescent",
    "HeavyBall",
    "IncompleteCholesky",
    "LeastSquares",
    "LevenbergMarquardt",
    "Limit",
    "LinearHistory",
    "LinearLeastSquares",
    "LinearResult",
    "Loss",
    "MSELoss",
    "Model",
    "Nesterov",
    "Newton",
    "Profile",
    "ProximalGradient",
    "QuadraticLoss",
    "Resamples",
    "SlowModelWarning",
    "Status",
    "SteepestDescent",
    "StrongWolfe",
    "Table",
    "check_adjoint",
    "check_gradient",
    "condition_number",
    "convolve",
    "coordinate_descent",
    "curve_fit",
    "definiteness",
    "diagnose",
    "eigen",
    "fit",
    "function",
    "get_num_threads",
    "info",
    "is_symmetric",
    "kernels",
    "linear",
    "load",
    "minimize",
    "models",
    "plot",
    "read_table",
    "reference",
    "scale",
    "set_num_threads",
    "svd",
]


def __dir__() -> list[str]:
    return sorted(__all__)


# The public names that are imported when first asked for, by the module that has them: whoever
# only fits does not wait for the rest, which is half of the time of the import.
_LATER = {
    "_files.table": "Table read_table",
    "conditioning": """Definiteness Diagnosis condition_number definiteness diagnose eigen
        is_symmetric svd""",
    "descent.minimize": "minimize",
    "descent.result": "DescentResult",
    "fitting.comparison": "Comparison",
    "fitting.profile": "Limit Profile",
    "fitting.resampling": "Resamples",
    "fitting.saved": "load",
    "linear": "ConvergenceWarning LinearHistory LinearResult coordinate_descent",
    "losses": """FunctionLoss LeastSquares LinearLeastSquares Loss MSELoss QuadraticLoss
        check_adjoint check_gradient""",
    "model.composition": "ComposedModel",
    "model.convolution": "convolve",
    "model.function": "Function function",
    "optimizers": """LBFGS Block ConjugateGradient CoordinateDescent Diagonal GaussNewton Given
        GradientDescent HeavyBall IncompleteCholesky LevenbergMarquardt Nesterov Newton
        ProximalGradient SteepestDescent StrongWolfe""",
}
_MODULES = ("kernels", "linear", "plot", "reference", "scale")

if not TYPE_CHECKING:  # type checkers would take every name for one that exists

    def __getattr__(name):
        if name in _MODULES:
            return import_module(f".{name}", __name__)
        for module, names in _LATER.items():
            if name in names.split():
                value = getattr(import_module(f".{module}", __name__), name)
                globals()[name] = value
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
