r"""Start values of peaks and spots, from moments of the part above a level.

A peak may point up or down.  Since a peak is compact and its floor is spread out, the direction
whose part above the level is more compact is taken.  In one dimension the width is the length over
which the data exceed one half of their range, and the centre is the centroid of that part.  In two
dimensions let g = exp(-s) with s = r^2 / (2 sigma^2) be the spot, and (g - h)+ the weights of
points above a level h.  With L = log(1/h) they have

    variance per axis = sigma^2 <s>,   <s> = (1 - (1 + L) h - h L^2 / 2) / (1 - h - h L),

so that a level above the noise costs no bias.  By affine invariance the whole covariance matrix
shrinks by <s>, and so gives the axes of a rotated ellipse too.  Height and offset follow by linear
least squares once the shape is known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .guess import Array, Scaled, ratio, regress

X = Sequence[Scaled]
Columns = tuple[Array, ...]

FWHM_OF_SIGMA = 2 * np.sqrt(2 * np.log(2))
# The level h of spots, as a share of the range of the data: above the noise, and so low that a spot
# of one pixel's width keeps neighbours.
SPOT_LEVEL = 0.3


def _peak(t: Array, v: Array, shape: Callable[[Array], Array]) -> Columns:
    """Return factor, centre, full width at half maximum and offset of a peak or a dip.

    ``shape`` is a function of ((t - centre) / fwhm)^2.
    """
    gap = np.diff(t, axis=-1)
    edge = np.zeros((len(t), 1))
    length = 0.5 * (np.concatenate((gap, edge), -1) + np.concatenate((edge, gap), -1))
    length = np.maximum(length, 1e-9)  # repeated points keep a weight
    up = _compact_part(t, v, length)
    down = _compact_part(t, 1 - v, length)
    is_up = up[2] <= down[2]
    centre = np.where(is_up, up[0], down[0])
    fwhm = np.where(is_up, up[1], down[1])
    basis = shape(np.square((t - centre[:, None]) / fwhm[:, None]))
    factor, offset = regress(v, basis)
    return factor, centre, fwhm, offset


def _compact_part(t: Array, v: Array, length: Array) -> Columns:
    """Return centroid, length and variance of the part where v exceeds one half."""
    excess = np.maximum(v - 0.5, 0.0) * length
    total = excess.sum(-1)
    centre = ratio(np.vecdot(excess, t), total)
    spread = np.vecdot(excess, np.square(t - centre[:, None]))
    inside = np.vecdot(np.where(v > 0.5, length, 0.0), np.ones_like(t))
    return centre, np.where(inside > 0, inside, 1.0), ratio(spread, total)


def gaussian(x: X, y: Scaled) -> Columns:
    """Amplitude, centre, sigma and offset."""
    factor, centre, fwhm, offset = _peak_in_units(x[0], y, _gaussian_shape)
    return factor, centre, fwhm / FWHM_OF_SIGMA, offset


def lorentzian(x: X, y: Scaled) -> Columns:
    """Amplitude, centre, half width at half maximum and offset."""
    factor, centre, fwhm, offset = _peak_in_units(x[0], y, _lorentzian_shape)
    return factor, centre, fwhm / 2, offset


def pseudo_voigt(x: X, y: Scaled) -> Columns:
    """Amplitude, centre, full width at half maximum, mixing (one half) and offset."""
    factor, centre, fwhm, offset = _peak_in_units(x[0], y, _mixed_shape)
    return factor, centre, fwhm, np.full_like(fwhm, 0.5), offset


def voigt(x: X, y: Scaled) -> Columns:
    """Area, centre, sigma, gamma and offset; both parts get the same full width at half maximum.

    With widths f_L and f_G of the parts, that of the profile is
    0.5346 f_L + sqrt(0.2166 f_L^2 + f_G^2) (Olivero & Longbothum 1977).
    """
    factor, centre, fwhm, offset = _peak_in_units(x[0], y, _mixed_shape)
    area = factor * fwhm * (np.pi / 4 + np.sqrt(np.pi / np.log(2)) / 4)
    part = fwhm / (0.5346 + np.sqrt(1.2166))
    return area, centre, part / FWHM_OF_SIGMA, part / 2, offset


PEAKS = (gaussian, lorentzian, pseudo_voigt, voigt)  # the peaks of one variable


def _gaussian_shape(z2: Array) -> Array:
    height: Array = np.exp(-4 * np.log(2) * z2)
    return height


def _lorentzian_shape(z2: Array) -> Array:
    return 1 / (1 + 4 * z2)


def _mixed_shape(z2: Array) -> Array:
    return 0.5 * (_gaussian_shape(z2) + _lorentzian_shape(z2))


def _peak_in_units(x: Scaled, y: Scaled, shape: Callable[[Array], Array]) -> Columns:
    factor, centre, fwhm, offset = _peak(x.unit, y.unit, shape)
    return y.span * factor, x.low + x.span * centre, x.span * fwhm, y.low + y.span * offset


def gaussian2d(x: X, y: Scaled) -> Columns:
    """Amplitude, centre x and y, sigma and offset of a round spot."""
    cx, cy, xx, yy, _ = _spot(x, y)
    variance = 0.5 * (xx + yy)
    amplitude, offset = _spot_height(x, y, (cx, cy), (1 / variance, 1 / variance, 0 * variance))
    return amplitude, *_place(x, cx, cy), _unit(x) * np.sqrt(variance), offset


def gaussian2d_elliptic(x: X, y: Scaled) -> Columns:
    """Amplitude, centre x and y, sigma along x and y, and offset."""
    cx, cy, xx, yy, _ = _spot(x, y)
    amplitude, offset = _spot_height(x, y, (cx, cy), (1 / xx, 1 / yy, 0 * xx))
    unit = _unit(x)
    return amplitude, *_place(x, cx, cy), unit * np.sqrt(xx), unit * np.sqrt(yy), offset


def gaussian2d_rotated(x: X, y: Scaled) -> Columns:
    """Amplitude, centre, sigma along the long and the short axis, offset, angle of the long one."""
    cx, cy, xx, yy, xy = _spot(x, y)
    limit = 0.95 * np.sqrt(xx * yy)  # so that the covariance has an inverse
    xy = np.clip(xy, -limit, limit)
    mean, half = 0.5 * (xx + yy), np.hypot(0.5 * (xx - yy), xy)
    determinant = xx * yy - xy * xy
    inverse = yy / determinant, xx / determinant, -xy / determinant
    amplitude, offset = _spot_height(x, y, (cx, cy), inverse)
    long, short = np.sqrt(mean + half), np.sqrt(determinant / (mean + half))
    long, short = _unit(x) * long, _unit(x) * short
    theta = 0.5 * np.arctan2(2 * xy, xx - yy)
    return amplitude, *_place(x, cx, cy), long, short, offset, theta


def _spot(x: X, y: Scaled) -> Columns:
    """Return the centre, in [0, 1] along each axis, and the covariance xx, yy, xy in `_unit`^2."""
    up = _moments(x[0].unit, x[1].unit, y.unit)
    down = _moments(x[0].unit, x[1].unit, 1 - y.unit)
    is_up = up[2] + up[3] <= down[2] + down[3]
    cx, cy, xx, yy, xy = (np.where(is_up, a, b) for a, b in zip(up, down, strict=True))
    h, log_h = SPOT_LEVEL, np.log(1 / SPOT_LEVEL)
    share = (1 - (1 + log_h) * h - h * log_h**2 / 2) / (1 - h - h * log_h)
    # the share of a pixel in the unit square bounds variances: a spot inside one pixel has none
    pixel2 = 1 / y.unit.shape[-1]
    xx, yy = (np.maximum(a / share, pixel2 / 9) for a in (xx, yy))
    sx, sy = x[0].span / _unit(x), x[1].span / _unit(x)
    return cx, cy, sx**2 * xx, sy**2 * yy, sx * sy * xy / share


def _moments(tx: Array, ty: Array, v: Array) -> Columns:
    """Return the centroid and the central second moments xx, yy, xy of v above SPOT_LEVEL."""
    excess = np.maximum(v - SPOT_LEVEL, 0.0)
    total = np.vecdot(excess, np.ones_like(tx))
    cx, cy = (ratio(np.vecdot(excess, t), total) for t in (tx, ty))
    xx, yy, xy = (ratio(np.vecdot(excess, a), total) for a in (tx * tx, ty * ty, tx * ty))
    return cx, cy, xx - cx * cx, yy - cy * cy, xy - cx * cy


def _spot_height(x: X, y: Scaled, centre: Columns, inverse: Columns) -> Columns:
    """Return amplitude and offset of a spot of the given inverse covariance xx, yy, xy."""
    spans = ((c.span / _unit(x))[:, None] for c in x)
    dx, dy = (s * (c.unit - c0[:, None]) for s, c, c0 in zip(spans, x, centre, strict=True))
    xx, yy, xy = (a[:, None] for a in inverse)
    factor, offset = regress(y.unit, np.exp(-0.5 * (xx * dx * dx + yy * dy * dy) - xy * dx * dy))
    return y.span * factor, y.low + y.span * offset


def _unit(x: X) -> Array:
    """Return a power of two near the spans; squares of lengths in this unit do not overflow."""
    unit: Array = np.ldexp(1.0, np.frexp(np.maximum(x[0].span, x[1].span))[1] - 1)
    return unit


def _place(x: X, cx: Array, cy: Array) -> Columns:
    return x[0].low + x[0].span * cx, x[1].low + x[1].span * cy
