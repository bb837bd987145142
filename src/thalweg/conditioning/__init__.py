"""The curvature of a loss, and what follows from it for every descent method.

rates       what a method does to each component of the gradient, and how many iterations it takes
target      where the predicted iterations end: the tests of `minimize`
diagnosis   all of this for a loss at a point
advice      the diagnosis in words

Symmetry, definiteness, eigenvalues and the condition number of a matrix are in ``linalg.matrix``.
"""

from ..linalg.matrix import (
    Definiteness,
    Eigen,
    Singular,
    condition_number,
    definiteness,
    eigen,
    is_symmetric,
    svd,
)
from .diagnosis import Diagnosis, Direction, diagnose

__all__ = [
    "Definiteness",
    "Diagnosis",
    "Direction",
    "Eigen",
    "Singular",
    "condition_number",
    "definiteness",
    "diagnose",
    "eigen",
    "is_symmetric",
    "svd",
]
