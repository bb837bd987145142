"""Pictures; matplotlib is imported when one is drawn, not before.

fits          fit, overview: data, model, residuals of one fit and of the first of many
maps          map, residuals: a number of every fit over a batch, the residuals of all fits
surfaces      steps, contours, step_sizes, valleys, staircase, sphered: losses and the ways down
curves        convergence, spectrum, diagnosis: how fast, and why
_propagation  propagation: what runs forwards and backwards through a recorded model
"""

from ._propagation import propagation
from .curves import convergence, diagnosis, spectrum
from .fits import fit, overview
from .maps import map, residuals
from .surfaces import contours, sphered, staircase, step_sizes, steps, valleys

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
