r"""What a fit takes the errors of y for: normal, counts (Poisson), or normal with outliers.

The loss that is minimised, with e_i = y_i - f_i (csrc/fit/noise.h):

- normal: sum (e_i / sigma_i)^2, chi2;
- counts: the deviance 2 sum (f_i - y_i + y_i ln(y_i / f_i)), twice the logarithm of how much less
  likely the counts are by the model than by the best one, f = y.  The least deviance is the maximum
  of the likelihood;
- robust: s^2 sum rho((e_i / (sigma_i s))^2) with the scale s = ``f_scale``, as in
  `scipy.optimize.least_squares`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .._arguments.check import Array, PerFit, numbers, one_of

if TYPE_CHECKING:
    from .data import Data
    from .problem import Problem

NOISES = ("normal", "poisson")
ROBUST = ("huber", "soft_l1", "cauchy")
CODES = {name: code for code, name in enumerate((*NOISES, *ROBUST))}  # tw_noise in contract.h


class Noise(NamedTuple):
    """What is taken for the errors of y, other than normal.

    Attributes
    ----------
    kind : str
        ``"poisson"`` or the name of a robust loss.
    f_scale : PerFit or None
        The scale s of a robust loss, (1,) or (B,); None while it is to be estimated.
    """

    kind: str
    f_scale: PerFit | None = None

    @property
    def code(self) -> int:
        """The number of the kind in the engine."""
        return CODES[self.kind]

    @property
    def counts(self) -> bool:
        """Whether y holds counts."""
        return self.kind == "poisson"

    def picked(self, places: Array) -> Noise:
        """Return the noise of the fits at these places."""
        return self if self.f_scale is None else self._replace(f_scale=self.f_scale.picked(places))


def read_noise(noise: Any, robust: Any, f_scale: Any, data: Data) -> Noise | None:
    """Return what ``fit`` is told of the noise; None for normal noise.

    Raises
    ------
    ValueError
        A name is unknown, two of the arguments exclude one another, or counts are negative.
    """
    kind = one_of(noise, "noise", NOISES)
    if robust is None:
        if f_scale is not None:
            raise ValueError("f_scale is the scale of a robust loss: give robust, too")
        if kind == "normal":
            return None
        _refuse_no_counts(data)
        return Noise(kind)
    if kind != "normal":
        raise ValueError(
            "robust is for normal noise with outliers: counts have a likelihood of their own, so "
            "give either noise='poisson' or robust"
        )
    name = one_of(robust, "robust", ROBUST)
    if isinstance(f_scale, str):
        one_of(f_scale, "f_scale", ("estimate",))
        return Noise(name)
    return Noise(name, _scale(1.0 if f_scale is None else f_scale, data))


def _scale(f_scale: Any, data: Data) -> PerFit:
    dtype, batch = data.y.dtype, data.batch
    values = numbers(f_scale, "f_scale", np.dtype(float))
    if values.shape not in ((), batch):
        raise ValueError(f"f_scale must be a number or have the batch's shape, got {values.shape}")
    values = values.astype(dtype)
    if not ((values > 0) & (values < np.inf)).all():
        raise ValueError("f_scale must be positive and finite")
    return PerFit(np.ascontiguousarray(values.reshape(-1)), int(values.ndim > 0))


def _refuse_no_counts(data: Data) -> None:
    """Refuse sigma, and counts below 0 that are used."""
    if data.several is not None and data.several.complex:
        raise ValueError("noise='poisson' needs counts, but y is complex")
    if data.sigma is not None:
        raise ValueError(
            "noise='poisson' takes no sigma: the variance of a count is its mean, which the model "
            "gives; a mask leaves points out"
        )
    with np.errstate(invalid="ignore"):
        negative = data.y < 0
    if negative.any() and data.use is not None:
        negative &= data.use.array != 0
    if negative.any():
        fit, point = np.unravel_index(int(np.argmax(negative)), negative.shape)
        place = (
            *np.unravel_index(fit, data.batch or (1,))[: len(data.batch)],
            *np.unravel_index(point, data.points),
        )
        raise ValueError(
            "noise='poisson' needs counts, but "
            f"y[{', '.join(str(int(k)) for k in place)}] is {data.y[fit, point]:g}; "
            "mask=y < 0 leaves such points out"
        )


def with_noise(problem: Problem, noise: Noise) -> Problem:
    """Return the problem with this noise, or refuse what cannot be combined with it."""
    what = "noise='poisson'" if noise.counts else f"robust={noise.kind!r}"
    if problem.recording is None:
        raise ValueError(
            f"{what} needs a model that can be recorded: written with operators and NumPy "
            "functions, not called from Python"
        )
    if problem.sharing is not None:
        raise ValueError(f"{what} cannot be combined with shared parameters")
    if problem.eliminate:
        raise ValueError(f"linear is for least squares, not for {what}; leave it out")
    return problem._replace(noise=noise, absolute_sigma=noise.counts)


def with_loss(problem: Problem, loss: str, f_scale: Any, whitened: bool) -> Problem:
    """Return the problem with a loss by its name in `scipy.optimize.least_squares`."""
    if loss == "linear":
        return problem
    if loss == "arctan":
        raise ValueError("loss 'arctan' has no robust fit here; 'cauchy' forgets outliers as well")
    one_of(loss, "loss", ("linear", *ROBUST))
    if whitened:
        raise ValueError(
            f"loss={loss!r} needs errors of y that are independent: sigma must not be a matrix"
        )
    return with_noise(problem, Noise(loss, _scale(f_scale, problem.data)))
