"""Pictures; matplotlib is imported when the first one is drawn.

fits          fit, overview: data, model and residuals of one fit, and of the first fits of a batch
maps          map, residuals: one number of every fit over a batch, and the residuals of all fits
surfaces      steps, contours, staircase: losses and paths of descent
lessons       step_sizes, valleys, sphered: what the step size, the condition and Newton's step do
curves        convergence, spectrum, diagnosis: how fast a descent is, and why
_propagation  propagation: forward and backward propagation through a recorded model
"""

from ._propagation import propagation
from .curves import convergence, diagnosis, spectrum
from .fits import fit, overview
from .lessons import sphered, step_sizes, valleys
from .maps import map, residuals
from .surfaces import contours, staircase, steps

__all__ = [
    "contours",
    "convergence",
    "diagnosis",
    "fit",
    "map",
    "overview",
    "propagation",
    "residuals",
    "spectrum",
    "sphered",
    "staircase",
    "step_sizes",
    "steps",
    "valleys",
]
