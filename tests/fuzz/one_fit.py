"""One fit of a case as NumPy sees it: its residual, its derivatives, its rounding."""

import copy
from dataclasses import replace
from functools import cached_property, partial

import numpy as np

from fuzz.draw import values
from thalweg.status import Status

ENOUGH = 1e-6  # a relative error of a derivative that needs no better one


def _row(case, index, array, letter="N"):
    """The part of an array that is about one fit."""
    return array[index] if np.ndim(array) > 1 else array


def parts_of(case, index):
    """Arguments of one fit of a case."""
    changed = {
        name: _row(case, index, case.options[name])
        for name in ("sigma", "mask", "fixed")
        if isinstance(case.options.get(name), np.ndarray)
    }
    if "bounds" in case.options:
        changed["bounds"] = tuple(_row(case, index, b) for b in case.options["bounds"])
    x = tuple(_row(case, index, v) for v in case.x)
    return {"x": x, "y": case.y[index], "p0": _row(case, index, case.p0), **changed}


class Fit:
    """One fit of a case as NumPy sees it: the points used, in float64, weighted."""

    def __init__(self, case, result, index):
        self.case, self.result, self.index = case, result, index
        parts, eps = parts_of(case, index), np.finfo(case.dtype).eps
        y = np.ma.array(parts["y"], dtype=float).filled(np.nan)
        sigma = np.broadcast_to(parts.get("sigma", case.options.get("sigma", 1.0)), y.shape)
        mask = np.broadcast_to(parts.get("mask", case.options.get("mask", False)), y.shape)
        used = ~mask & ~np.isnan(y) & (sigma < np.inf)
        as_used = case.dtype.type  # what the engine computes with
        self.x = tuple(v[used].astype(as_used).astype(float) for v in parts["x"])
        self.y = y[used].astype(as_used).astype(float)
        self.sigma = sigma[used].astype(as_used).astype(float)
        self.theta = result.params[index].astype(float)
        self.chi2 = float(result.chi2[index])
        self.status = Status(int(result.status[index]))
        self.free = self._free(case, parts)
        self.magnitude = float(((self.y / self.sigma) ** 2).sum())
        self.eps = float(eps)
        self.template = case.template

    def _free(self, case, parts):
        names, fixed = case.template.names, case.options.get("fixed")
        if fixed is None:
            return np.arange(len(names))
        if isinstance(fixed, list):
            return np.array([j for j, name in enumerate(names) if name not in fixed])
        return np.flatnonzero(~parts["fixed"])

    def bounds(self):
        P = len(self.theta)
        if "bounds" not in self.case.options:
            return np.full(P, -np.inf), np.full(P, np.inf)
        parts = parts_of(self.case, self.index)
        return tuple(b.astype(self.case.dtype).astype(float) for b in parts["bounds"])

    def residual(self, theta):
        """(y - f) / sigma at some or all parameters."""
        whole = self.theta.copy()
        whole[self.free] = theta
        f = values(self.template, self.x, whole)
        return (self.y - f) / self.sigma

    def between_kinks(self):
        """Return this fit of the smooth model that its own is between two kinks; itself at a kink.

        A minimum of that model is one of its own: chi2 may well fall behind the next kink.
        """
        side = self.template.side and self.template.side(self.x[0], *self.theta)
        if side is None or not side.all():
            return self
        smooth = copy.copy(self)
        piece = partial(self.template.piece, side)
        smooth.template = replace(self.template, function=piece)
        return smooth

    @cached_property
    def jacobian(self):
        """The Jacobian of f / sigma by central differences, and the relative error of each column.

        f(theta + h) - f(theta - h) errs by rounding, the more the shorter h is, and by the bend of
        f, which half the step tells.  A model may oscillate a thousand times faster in theta_j than
        theta_j does by its own size, so the best of several steps is taken.
        """
        theta = self.theta[self.free]
        J, error = np.empty((self.y.size, theta.size)), np.full(theta.size, np.inf)
        size = np.linalg.norm(self.y / self.sigma - self.residual(theta))  # the size of f / sigma
        rounding = np.finfo(float).eps * size
        for k, value in enumerate(theta):
            for share in (6e-6, 1e-7, 2e-9, 1e-11, 2e-13):  # eps^(1/3) and less
                if error[k] < ENOUGH:
                    break
                h = share * (abs(value) or 1.0)
                column, half = self._quotient(theta, k, h), self._quotient(theta, k, h / 2)
                with np.errstate(over="ignore"):  # a step too long may be far out of range
                    length = np.linalg.norm(half) or np.inf
                    bend = np.linalg.norm(column - half)
                e = (2 * rounding / h + bend) / length
                if share == 6e-6 or e < error[k]:  # h may lead out of where f is defined
                    J[:, k], error[k] = half, e if e < np.inf else np.inf
        return J, error

    def _quotient(self, theta, k, h):
        above, below = theta.copy(), theta.copy()
        above[k] += h
        below[k] -= h
        return (self.residual(below) - self.residual(above)) / (above[k] - below[k])

    @cached_property
    def noise(self):
        """How far rounding moves chi2: of f by some eps of its size, and of each parameter."""
        J, _ = self.jacobian
        if not np.isfinite(J).all():
            return np.inf  # at the edge of where the model is defined, differences tell nothing
        size = np.sqrt(self.magnitude) + np.linalg.norm(J * self.theta[self.free], axis=0).sum()
        error = 8 * self.eps * size
        return 2 * np.sqrt(max(self.chi2, 0)) * error + error**2
