"""Fit models to data by going downhill on a squared error, at compiled speed."""

from . import plot
from .curve_fit import CovarianceWarning, curve_fit
from .fit import fit
from .model.library import Model, models
from .problem import SlowModelWarning
from .result import FitResult
from .status import Status

__version__ = "0.1.0"

__all__ = [
    "CovarianceWarning",
    "FitResult",
    "Model",
    "SlowModelWarning",
    "Status",
    "curve_fit",
    "fit",
    "models",
    "plot",
]
