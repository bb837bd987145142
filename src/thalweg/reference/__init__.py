"""Every kernel in plain NumPy: the specification that the compiled code is tested against.

Functions have the names and arguments of the kernels.  They are made to be read; the package never
falls back to them.
"""

from . import differences, foreign, images, incomplete, linear, loss, rows
from .adjoint import adjoint_sum, jvp, normal_equations, vjp
from .damped import Outcome, add_block, levenberg_marquardt, merge_rows
from .pivot import block_pivoting
from .quadratic import line_minimum, quadratic_form
from .sweep import coordinate_sweep

__all__ = [
    "Outcome",
    "add_block",
    "adjoint_sum",
    "block_pivoting",
    "coordinate_sweep",
    "differences",
    "foreign",
    "images",
    "incomplete",
    "jvp",
    "levenberg_marquardt",
    "line_minimum",
    "linear",
    "loss",
    "merge_rows",
    "normal_equations",
    "quadratic_form",
    "rows",
    "vjp",
]
