r"""Bootstrap and jackknife: the spread of the parameters over data drawn or thinned anew.

With f the fitted model, e = y - f, n points used, k free parameters and s^2 of
`thalweg.fitting.likelihood`, a bootstrap sample is a fit of

    residual:     f_i + sigma_i u,  u drawn from the u_i = e_i / sigma_i - mean, times sqrt(n / dof)
    wild:         f_i + e_i v_i sqrt(n / dof),      v_i = -1 or 1 with equal chances
    parametric:   f_i + s sigma_i z_i,              z_i standard normal

The factor sqrt(n / dof) makes up for residuals being smaller than errors.  The jackknife leaves out
one point after the other; its variance is (n - 1) / n sum_i (theta_(i) - mean)^2.

Several outputs draw from their own residuals, at a point from those of the same other point if all
use the same points, so that what correlates outputs is kept.  The jackknife leaves out a point of
one output, or a complex number as a whole.

Each fit has random numbers of its own, which depend on the seed and its place in the batch, so that
a part of the batch may be drawn at a time.

References: B. Efron, R. J. Tibshirani, "An introduction to the bootstrap", 1993, sections 9.5, 11.5
and 14.3; C. F. J. Wu, "Jackknife, bootstrap and other resampling methods in regression analysis",
Annals of Statistics 14, 1986.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from .._arguments.check import Array, Floats, Integers, PerFit, count, one_of, thread_limit
from .data import Data
from .evaluation import predict
from .likelihood import for_refits, level_of, variance_factor
from .refits import AT_ONCE, keeping, parts, repeated, run_again

if TYPE_CHECKING:
    from .result import FitResult

KINDS = ("residual", "wild", "parametric")


@dataclass(frozen=True, eq=False)
class Resamples:
    """Parameters of resampled data, from `FitResult.bootstrap` or `FitResult.jackknife`.

    Attributes
    ----------
    kind : {"residual", "wild", "parametric", "jackknife"}
    names : tuple of str
        Names of the parameters.
    estimate : ndarray, shape (..., P)
        The parameters of the result.
    samples : ndarray, shape (..., n, P)
        The parameters of each sample; NaN where its fit failed or, for the jackknife, where the
        point was left out before.
    n_failed : ndarray of int, shape (...)
        How many samples failed; these do not count in what follows.

    Examples
    --------
    >>> import numpy as np
    >>> import thalweg as tw
    >>> t = np.linspace(0, 5, 20)
    >>> y = 3 * np.exp(-t / 2) + 0.01 * np.cos(9 * t)
    >>> r = tw.fit("a*exp(-t/tau)", t, y, p0={"a": 1, "tau": 1}, independent="t")
    >>> b = r.bootstrap(200, seed=1)
    >>> b.samples.shape
    (200, 2)
    """

    kind: str
    names: tuple[str, ...]
    estimate: Floats
    samples: Floats
    n_failed: Integers
    source: FitResult = field(repr=False)

    def __getitem__(self, name: str) -> Floats:
        """Return the samples of one parameter, shape (..., n)."""
        if name not in self.names:
            raise KeyError(f"the parameters are {', '.join(self.names)}, not {name!r}")
        return self.samples[..., self.names.index(name)]

    @property
    def n_used(self) -> Integers:
        """How many samples count, shape (...)."""
        return np.asarray(np.count_nonzero(~np.isnan(self.samples[..., 0]), axis=-1))

    @property
    def cov(self) -> Floats:
        """Covariance of the samples, shape (..., P, P): sum_i d_i d_i' / (n - 1).

        d_i is the distance from the mean; for the jackknife the sum times (n - 1) / n.
        """
        d = self.samples - _mean(self.samples, -2)[..., None, :]
        d = np.where(np.isnan(d), 0, d)
        n = self.n_used[..., None, None]
        with np.errstate(all="ignore"):
            factor = (n - 1) / n if self.kind == "jackknife" else 1 / (n - 1)
            cov = (d.swapaxes(-1, -2) @ d) * factor
        return np.asarray(np.where(n > 1, cov, np.nan))

    @property
    def stderr(self) -> Floats:
        """Standard errors, shape (..., P)."""
        return np.asarray(np.sqrt(np.diagonal(self.cov, axis1=-2, axis2=-1)))

    @property
    def bias(self) -> Floats:
        """Mean of the samples minus the estimate, shape (..., P); for the jackknife n - 1 times."""
        factor = self.n_used[..., None] - 1 if self.kind == "jackknife" else 1
        return np.asarray(factor * (_mean(self.samples, -2) - self.estimate))

    def interval(self, level: float = 0.95, method: str = "percentile") -> Floats:
        r"""Return intervals of all parameters, shape (..., P, 2), from the samples' quantiles.

        Parameters
        ----------
        level : float
            The level of confidence, between 0 and 1.
        method : {"percentile", "basic", "bca"}
            With :math:`q_p` the quantile p of the samples: from :math:`q_{(1-l)/2}` to
            :math:`q_{(1+l)/2}`; or these mirrored at the estimate,
            :math:`2 \hat\theta - q_{(1 \pm l)/2}`; or quantiles corrected for bias and skewness
            (BCa), which need the jackknife of the result and run it.

        Raises
        ------
        ValueError
            The level or method is none of these, or these are samples of a jackknife.

        References
        ----------
        B. Efron, "Better bootstrap confidence intervals", JASA 82, 1987.
        """
        level = level_of(level)
        one_of(method, "method", ("percentile", "basic", "bca"))
        if self.kind == "jackknife":
            raise ValueError(
                "samples of a jackknife have no quantiles that mean something; use its stderr, or "
                "a bootstrap"
            )
        tails = np.broadcast_to([(1 - level) / 2, (1 + level) / 2], (*self.estimate.shape, 2))
        if method == "bca":
            tails = self._corrected(tails)
        both = _quantiles(self.samples, tails)
        if method == "basic":
            both = 2 * self.estimate[..., None] - both[..., ::-1]
        return np.asarray(both, self.samples.dtype)

    def _corrected(self, tails: Array) -> Array:
        """The levels of the quantiles of BCa, (..., P, 2)."""
        normal = NormalDist()
        below = (self.samples < self.estimate[..., None, :]).sum(-2)
        equal = (self.samples == self.estimate[..., None, :]).sum(-2)
        n = self.n_used[..., None]
        with np.errstate(all="ignore"):
            share = np.clip((below + equal / 2) / n, 1 / (n + 1), n / (n + 1))
        inverse = np.vectorize(lambda p: normal.inv_cdf(p) if 0 < p < 1 else np.nan, otypes=[float])
        cdf = np.vectorize(normal.cdf, otypes=[float])
        points = self.source.jackknife().samples
        d = _mean(points, -2)[..., None, :] - points
        d = np.where(np.isnan(d), 0, d)
        with np.errstate(all="ignore"):
            a = (d**3).sum(-2) / (6 * np.square(d).sum(-2) ** 1.5)
        a = np.where(np.isfinite(a), a, 0)[..., None]
        z0 = inverse(share)[..., None]
        z = z0 + inverse(tails)
        with np.errstate(all="ignore"):
            return np.asarray(cdf(z0 + z / (1 - a * z)))

    def __repr__(self) -> str:
        fits = "" if self.estimate.ndim == 1 else f" of {self.n_failed.size} fits"
        failed = int(self.n_failed.sum())
        return f"<Resamples: {self.kind}, {self.samples.shape[-2]} samples{fits}, {failed} failed>"


def _mean(samples: Array, axis: int) -> Array:
    """The mean of the samples that are not NaN; NaN where there is none."""
    known = ~np.isnan(samples)
    n = known.sum(axis)
    with np.errstate(all="ignore"):
        return np.asarray(np.where(known, samples, 0).sum(axis) / np.where(n > 0, n, np.nan))


def _quantiles(samples: Array, levels: Array) -> Array:
    """Quantiles (..., P, 2) of samples (..., n, P) at levels (..., P, 2), by linear interpolation.

    Samples that are NaN do not count.
    """
    ordered = np.sort(samples.swapaxes(-1, -2), axis=-1)  # NaN come last
    n = np.count_nonzero(~np.isnan(ordered), axis=-1)[..., None]
    place = levels * np.maximum(n - 1, 0)
    known = np.isfinite(place) & (n > 0)
    low = np.where(known, np.floor(place), 0).astype(np.intp)
    high = np.minimum(low + 1, np.maximum(n - 1, 0))
    share = place - low
    a, b = (np.take_along_axis(ordered, k, axis=-1) for k in (low, high))
    return np.where(known, a + share * (b - a), np.nan)


# ---- drawing ---------------------------------------------------------------------------------


def bootstrap(result: FitResult, n: Any, seed: Any, kind: Any, threads: Any) -> Resamples:
    """Return n samples of every fit; see `FitResult.bootstrap`."""
    for_refits(result, "bootstrap")
    kind, n = one_of(kind, "kind", KINDS), count(n, "n", 2, 10**9)
    seed, n_threads = count(seed, "seed", 0, 2**63 - 1), thread_limit(threads)
    _refuse_no_freedom(result, kind)
    N, P, n_fits = result.problem.data.n_points, len(result.names), result.chi2.size
    samples = np.full((n_fits, n, P), np.nan, result.params.dtype)
    with keeping(lambda: _resamples(result, kind, samples, np.full(n_fits, n))):
        for places, drawn, y in _drawn(result, n, seed, kind):
            problem = repeated(result, np.repeat(places, y.shape[1]))
            data = problem.data._replace(y=y.reshape(-1, N))
            r = run_again(problem._replace(data=data), n_threads)
            samples[places, drawn] = _kept(r).reshape(len(places), y.shape[1], P)
    return _resamples(result, kind, samples, np.full(n_fits, n))


def _refuse_no_freedom(result: FitResult, kind: str) -> None:
    """Raise ValueError where the size of the noise would have to come from dof = 0."""
    drawn_from_sigma = kind == "parametric" and result.problem.absolute_sigma
    if not drawn_from_sigma and result.chi2.size and not (result.dof > 0).any():
        raise ValueError(
            f"a bootstrap of kind {kind!r} draws from the residuals, and there are none: the fit "
            "has as many parameters as points"
        )


def _kept(r: FitResult) -> Array:
    """The parameters of the fits that succeeded, NaN of the others."""
    return np.where(r.success[:, None], r.params, np.nan)


def _resamples(result: FitResult, kind: str, samples: Array, wanted: Array) -> Resamples:
    batch, P = result.chi2.shape, len(result.names)
    known = np.count_nonzero(~np.isnan(samples[..., 0]), axis=-1)
    return Resamples(
        kind,
        result.names,
        result.params.copy(),
        samples.reshape(*batch, samples.shape[1], P),
        (wanted - known).reshape(batch),
        result,
    )


def _drawn(result: FitResult, n: int, seed: int, kind: str) -> Iterator[tuple[Array, slice, Array]]:
    """Yield places (F,), which samples, and y (F, m, N) of these, a part at a time."""
    N = result.problem.data.n_points
    at_once = max(1, AT_ONCE // max(1, N))
    for places in parts(result.chi2.size, N * min(n, at_once)):
        noises = _noises(result, places, seed, kind)
        for begin in range(0, n, at_once):
            m = min(at_once, n - begin)
            y = np.stack([noise.draw(m) for noise in noises])
            yield places, slice(begin, begin + m), y


def _noises(result: FitResult, places: Array, seed: int, kind: str) -> list[_Noise]:
    """The noise of the fits at these places."""
    problem = result.problem.picked(places)
    y, weights = problem.data.y, problem.data.weights().astype(np.float64)
    f = predict(problem, result.params.reshape(-1, len(result.names))[places])
    dof, factor = (a.reshape(-1)[places] for a in (result.dof, variance_factor(result)))
    R = 1 if problem.data.several is None else problem.data.several.n_real
    return [
        _Noise(y[i], f[i].reshape(-1), weights[i], dof[i], factor[i], (seed, int(k)), kind, R)
        for i, k in enumerate(places)
    ]


class _Noise:
    """The data of one fit and the random numbers that they are drawn anew by."""

    def __init__(
        self,
        y: Array,
        f: Array,
        weight: Array,
        dof: int,
        factor: float,
        seed: tuple[int, int],
        kind: str,
        n_outputs: int,
    ) -> None:
        self.y, self.used = y, weight > 0
        self.f = f[self.used].astype(np.float64)
        self.sigma = 1 / weight[self.used]
        of_dof = np.sqrt(self.f.size / dof) if dof > 0 else np.nan
        self.u = (y[self.used] - self.f) / self.sigma * of_dof
        self.s = float(np.sqrt(factor))
        self.random, self.kind = np.random.default_rng(seed), kind
        self._know_outputs(n_outputs)

    def _know_outputs(self, n_outputs: int) -> None:
        """Note, for each point used, the first point of its output, how many, and their mean."""
        used = self.used.reshape(n_outputs, self.used.size // n_outputs)
        n = np.count_nonzero(used, axis=1)
        ends = np.cumsum(n)
        self.number, self.first = np.repeat(n, n), np.repeat(ends - n, n)
        self.alike = n_outputs if (used == used[:1]).all() else 1
        mean = [u.mean() if u.size else 0.0 for u in np.split(self.u, ends[:-1])]
        self.mean = np.repeat(mean, n)

    def _draws(self, m: int) -> Array:
        """Return numbers from 0 to 1, (m, n): the same at a point for all outputs that have it."""
        return np.tile(self.random.random((m, self.f.size // self.alike)), (1, self.alike))

    def draw(self, m: int) -> Array:
        """Return m new data sets (m, N); points that are left out stay as they are."""
        shape = (m, self.f.size)
        if self.kind == "parametric":
            u = self.s * self.random.standard_normal(shape)
        elif self.kind == "wild":
            u = np.where(self._draws(m) < 0.5, -1, 1) * self.u
        else:
            places = (self._draws(m) * self.number).astype(np.intp)
            u = (self.u - self.mean)[self.first + places]
        y = np.tile(self.y, (m, 1))
        y[:, self.used] = self.f + self.sigma * u
        return y


def jackknife(result: FitResult, threads: Any) -> Resamples:
    """Return the fits without one point each; see `FitResult.jackknife`."""
    for_refits(result, "jackknife")
    n_threads = thread_limit(threads)
    data, P, n_fits = result.problem.data, len(result.names), result.chi2.size
    used = data.weights() > 0
    number = _numbers_of_points(data)
    N = int(number.max(initial=-1)) + 1
    samples = np.full((n_fits, N, P), np.nan, result.params.dtype)
    wanted = np.zeros((n_fits, N), bool)
    fit, point = np.nonzero(used)
    wanted[fit, number[point]] = True
    with keeping(lambda: _resamples(result, "jackknife", samples, wanted.sum(1))):
        for places in parts(n_fits, N * data.n_points):
            fit, left_out = np.nonzero(wanted[places])
            problem = repeated(result, places[fit])
            use = used[places][fit] & (number != left_out[:, None])
            of_part = problem.data._replace(use=PerFit(use.view(np.uint8), 1))
            r = run_again(problem._replace(data=of_part), n_threads)
            samples[places[fit], left_out] = _kept(r)
    return _resamples(result, "jackknife", samples, wanted.sum(1))


def _numbers_of_points(data: Data) -> Array:
    """The number of each point, (N,); real and imaginary part of a complex number have the same."""
    if data.several is None or not data.several.complex:
        return np.arange(data.n_points)
    R = data.several.n_real
    return np.arange(data.n_points // 2).reshape(R // 2, 1, -1).repeat(2, axis=1).reshape(-1)
