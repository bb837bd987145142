"""Fit models to data by going downhill on a squared error, at compiled speed."""

from .fit import fit
from .model.library import Model, models
from .problem import SlowModelWarning
from .result import FitResult
from .status import Status

__version__ = "0.1.0"

__all__ = ["FitResult", "Model", "SlowModelWarning", "Status", "fit", "models"]
