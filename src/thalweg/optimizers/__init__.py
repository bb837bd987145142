"""Methods of descent, one file each: frozen settings for `thalweg.minimize`."""

from .base import Method, Point, Problem
from .conjugate_gradient import ConjugateGradient
from .coordinate_descent import CoordinateDescent
from .gauss_newton import GaussNewton
from .gradient_descent import GradientDescent
from .heavy_ball import HeavyBall
from .lbfgs import LBFGS
from .levenberg_marquardt import LevenbergMarquardt
from .line_search import StrongWolfe
from .nesterov import Nesterov
from .newton import Newton
from .precondition import Block, Diagonal, Given, IncompleteCholesky, Preconditioner
from .proximal_gradient import ProximalGradient
from .steepest_descent import SteepestDescent

__all__ = [
    "LBFGS",
    "Block",
    "ConjugateGradient",
    "CoordinateDescent",
    "Diagonal",
    "GaussNewton",
    "Given",
    "GradientDescent",
    "HeavyBall",
    "IncompleteCholesky",
    "LevenbergMarquardt",
    "Method",
    "Nesterov",
    "Newton",
    "Point",
    "Preconditioner",
    "Problem",
    "ProximalGradient",
    "SteepestDescent",
    "StrongWolfe",
]
