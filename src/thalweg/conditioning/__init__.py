"""How a quadratic bends, and what follows for every descent method.

matrix      symmetric?, definiteness, eigenvalues, singular values, condition number
rates       what a method does to each eigenvector, and so how many iterations it takes
diagnosis   all of it for a loss at a point, with advice in words
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
