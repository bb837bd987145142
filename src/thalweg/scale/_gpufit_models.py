"""The models of Gpufit, f(x, *parameters), with the parameters in Gpufit's order.

Their definitions are those of its documentation, written anew.
"""

# The functions run on symbols, numbers and arrays alike, so their arguments have no types.
# mypy: disallow-untyped-defs=False

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class ModelID:
    """The numbers of the models.

    Examples
    --------
    >>> from thalweg.scale import gpufit
    >>> int(gpufit.ModelID.GAUSS_2D)
    1
    """

    GAUSS_1D = 0
    GAUSS_2D = 1
    GAUSS_2D_ELLIPTIC = 2
    GAUSS_2D_ROTATED = 3
    CAUCHY_2D_ELLIPTIC = 4
    LINEAR_1D = 5
    FLETCHER_POWELL = FLETCHER_POWELL_HELIX = 6
    BROWN_DENNIS = 7
    SPLINE_1D = 8
    SPLINE_2D = 9
    SPLINE_3D = 10
    SPLINE_3D_MULTICHANNEL = 11
    SPLINE_3D_PHASE_MULTICHANNEL = 12


def _gauss_1d(x, amplitude, center, width, offset):
    return amplitude * np.exp(-((x - center) ** 2) / (2 * width**2)) + offset


def _gauss_2d(xy, amplitude, center_x, center_y, width, offset):
    r2 = (xy[0] - center_x) ** 2 + (xy[1] - center_y) ** 2
    return amplitude * np.exp(-r2 / (2 * width**2)) + offset


def _gauss_2d_elliptic(xy, amplitude, center_x, center_y, width_x, width_y, offset):
    u, v = (xy[0] - center_x) / width_x, (xy[1] - center_y) / width_y
    return amplitude * np.exp(-(u**2 + v**2) / 2) + offset


def _gauss_2d_rotated(xy, amplitude, center_x, center_y, width_x, width_y, offset, angle):
    x, y = xy[0] - center_x, xy[1] - center_y
    u = (x * np.cos(angle) - y * np.sin(angle)) / width_x
    v = (x * np.sin(angle) + y * np.cos(angle)) / width_y
    return amplitude * np.exp(-(u**2 + v**2) / 2) + offset


def _cauchy_2d_elliptic(xy, amplitude, center_x, center_y, width_x, width_y, offset):
    u, v = (xy[0] - center_x) / width_x, (xy[1] - center_y) / width_y
    return amplitude / (1 + u**2) / (1 + v**2) + offset


def _linear_1d(x, offset, slope):
    return offset + slope * x


def _helix(i, a, b, c):
    """The helical valley of Fletcher and Powell: three residuals, of the points i = 0, 1, 2."""
    turns = (np.arctan2(-a, b) + np.pi / 2) / (2 * np.pi)  # from -1/4 to 3/4, 0 along a > 0
    first, second = 10 * (c - 10 * turns), 10 * (np.sqrt(a**2 + b**2) - 1)
    return np.where(i == 0, first, np.where(i == 1, second, c))


def _brown_dennis(i, a, b, c, d):
    t = i / 5
    return (a + b * t - np.exp(t)) ** 2 + (c + d * np.sin(t) - np.cos(t)) ** 2


class GpufitModel(NamedTuple):
    """A model, how many parameters it has, and whether its points are pixels of a square image."""

    function: Callable[..., Any]
    n_params: int
    is_image: bool = False
    takes_x: bool = False  # from user_info


MODELS = {
    ModelID.GAUSS_1D: GpufitModel(_gauss_1d, 4, takes_x=True),
    ModelID.GAUSS_2D: GpufitModel(_gauss_2d, 5, is_image=True),
    ModelID.GAUSS_2D_ELLIPTIC: GpufitModel(_gauss_2d_elliptic, 6, is_image=True),
    ModelID.GAUSS_2D_ROTATED: GpufitModel(_gauss_2d_rotated, 7, is_image=True),
    ModelID.CAUCHY_2D_ELLIPTIC: GpufitModel(_cauchy_2d_elliptic, 6, is_image=True),
    ModelID.LINEAR_1D: GpufitModel(_linear_1d, 2, takes_x=True),
    ModelID.FLETCHER_POWELL: GpufitModel(_helix, 3),
    ModelID.BROWN_DENNIS: GpufitModel(_brown_dennis, 4),
}
