"""Losses: what a method of descent minimises.

A loss gives its value, its gradient and as much of its curvature as it knows.

base         what every loss offers
quadratic    (theta - theta*)' B (theta - theta*);  operators what B may be
linear       linear least squares
function     plain functions of theta
mse          the mean squared error of a model;  samples its data, recorded its sums,
             callables the same for functions of the caller, coordinates its coordinate_state
curvature    extreme eigenvalues;  krylov the same from products alone
checks       derivatives against differences, and the dot-product test
"""

from .base import CoordinateState, LeastSquares, Loss
from .checks import AdjointReport, GradientReport, check_adjoint, check_gradient
from .function import FunctionLoss
from .linear import LinearLeastSquares
from .mse import MSELoss
from .quadratic import QuadraticLoss

__all__ = [
    "AdjointReport",
    "CoordinateState",
    "FunctionLoss",
    "GradientReport",
    "LeastSquares",
    "LinearLeastSquares",
    "Loss",
    "MSELoss",
    "QuadraticLoss",
    "check_adjoint",
    "check_gradient",
]
