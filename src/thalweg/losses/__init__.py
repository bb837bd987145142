"""Losses: what a method of descent minimises.

A loss gives its value, its gradient and as much of its curvature as it knows.

base             the interface of every loss
quadratic        (theta - theta*)' B (theta - theta*)
linear           linear least squares
function         a loss made of plain functions of theta
mse              the mean squared error of a model
mean_of_squares  value and derivatives of a mean squared error
samples          inputs, targets and weights;  left_out: which of them count
recorded         sums over samples of a recorded model;  callables: the same of the user's functions
coordinates      coordinate descent on a mean squared error
penalised        a smooth loss with an l1 term
curvature        extreme eigenvalues of the Hessian
checks           derivatives against differences, and the dot-product test
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
