"""Fit models to data by going downhill on a squared error, at compiled speed."""

from . import kernels, linear, plot, reference
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
from .fitting.curve_fit import CovarianceWarning, curve_fit
from .fitting.fit import fit
from .fitting.problem import SlowModelWarning
from .fitting.result import FitResult
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
from .machine import get_num_threads, info, set_num_threads
from .model.library import Model, models
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
from .status import Status

__version__ = "0.1.0"

__all__ = [
    "LBFGS",
    "Block",
    "ConjugateGradient",
    "ConvergenceWarning",
    "CoordinateDescent",
    "CovarianceWarning",
    "Definiteness",
    "DescentResult",
    "Diagnosis",
    "Diagonal",
    "FitResult",
    "FunctionLoss",
    "GaussNewton",
    "Given",
    "GradientDescent",
    "HeavyBall",
    "IncompleteCholesky",
    "LeastSquares",
    "LevenbergMarquardt",
    "LinearHistory",
    "LinearLeastSquares",
    "LinearResult",
    "Loss",
    "MSELoss",
    "Model",
    "Nesterov",
    "Newton",
    "ProximalGradient",
    "QuadraticLoss",
    "SlowModelWarning",
    "Status",
    "SteepestDescent",
    "StrongWolfe",
    "check_adjoint",
    "check_gradient",
    "condition_number",
    "coordinate_descent",
    "curve_fit",
    "definiteness",
    "diagnose",
    "eigen",
    "fit",
    "get_num_threads",
    "info",
    "is_symmetric",
    "kernels",
    "linear",
    "load",
    "minimize",
    "models",
    "plot",
    "reference",
    "set_num_threads",
    "svd",
]


def __dir__() -> list[str]:
    return sorted(__all__)
