"""Pictures; matplotlib is imported when one is drawn, not before.

fits          fit, map, overview: data, model, residuals, maps of parameters
surfaces      steps, contours, step_sizes, valleys, staircase, sphered: losses and the ways down
curves        convergence, spectrum, diagnosis: how fast, and why
_propagation  propagation: what runs forwards and backwards through a recorded model
"""

from ._propagation import propagation
from .curves import convergence, diagnosis, spectrum
from .fits import fit, map, overview
from .surfaces import contours, sphered, staircase, step_sizes, steps, valleys

__all__ = [
    "contours",
    "convergence",
    "diagnosis",
    "fit",
    "map",
    "overview",
    "propagation",
    "spectrum",
    "sphered",
    "staircase",
    "step_sizes",
    "steps",
    "valleys",
]
