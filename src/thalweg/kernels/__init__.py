"""The compiled kernels, for callers who bring their own Jacobians and matrices."""

from ._sweep_options import Sweep
from ._symmetry import Symmetric
from .adjoint import NormalEquations, adjoint_sum, jvp, normal_equations, vjp
from .pivot import Pivoted, block_pivoting
from .quadratic import line_minimum, quadratic_form
from .sweep import coordinate_sweep

__all__ = [
    "NormalEquations",
    "Pivoted",
    "Sweep",
    "Symmetric",
    "adjoint_sum",
    "block_pivoting",
    "coordinate_sweep",
    "jvp",
    "line_minimum",
    "normal_equations",
    "quadratic_form",
    "vjp",
]
