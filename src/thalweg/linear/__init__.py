"""Linear models with penalties and bounds, by coordinate descent."""

from .result import ConvergenceWarning, LinearHistory, LinearResult
from .solver import coordinate_descent

__all__ = ["ConvergenceWarning", "LinearHistory", "LinearResult", "coordinate_descent"]
