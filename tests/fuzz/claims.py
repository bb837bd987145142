"""What must hold for every fit: each function yields sentences about what does not."""

import copy
import warnings

import numpy as np
from scipy.optimize import least_squares

import thalweg as tw
from fuzz.one_fit import Fit, parts_of
from thalweg.reference.state import LAST_STEP
from thalweg.status import Status

CHECKED = 2  # fits of a batch that are fitted alone and by SciPy
NEAR = 0.03  # a parameter that differs by less than this share is near a solution


def check(case):
    """Return sentences about what does not hold for a case."""
    arrays = [*case.x, case.y, case.p0, *_arrays(case.options)]
    before = copy.deepcopy(arrays)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", tw.SlowModelWarning)
        try:
            result = fit(case)
            other = fit(case, threads=3 - case.options["threads"])
            found = [*_unchanged(arrays, before), *_alone(case, result), *_neighbours(case, result)]
        except Exception as error:
            if _merges(case) and "does not fit into float32" in str(error):
                return []  # as it should
            return [f"{type(error).__name__}: {error}"]
        found += _same(result, other, "another number of threads")
        for index in _some(result):
            found += _numbers(Fit(case, result, index))
    return found


def fit(case, x=None, y=None, p0=None, **changed):
    """Fit a case with some arguments changed; None takes one away."""
    model, options = case.model()
    options = {**options, **case.options, **changed}
    if case.form == "built-in" and isinstance(options.get("fixed"), list):
        own = getattr(tw.models, model).names
        options["fixed"] = [own[case.template.names.index(n)] for n in options["fixed"]]
    x = case.x if x is None else x
    at = x[0] if len(x) == 1 else x
    y, p0 = (case.y if y is None else y), (case.p0 if p0 is None else p0)
    axis = -1
    return tw.fit(model, at, y, p0, axis=axis, **options)


def _arrays(options):
    for value in options.values():
        if isinstance(value, np.ndarray):
            yield value
        elif isinstance(value, tuple):
            yield from value


def _some(result):
    every = list(np.ndindex(result.chi2.shape))
    return every[:: max(1, len(every) // CHECKED)][:CHECKED]


def _unchanged(arrays, before):
    for now, old in zip(arrays, before, strict=True):
        if np.ma.getmaskarray(now).tobytes() != np.ma.getmaskarray(old).tobytes():
            yield "a caller's mask was changed"
        if np.ma.getdata(now).tobytes() != np.ma.getdata(old).tobytes():
            yield "a caller's array was changed"


# ---- the same bits -----------------------------------------------------------------------------

FIELDS = ("params", "chi2", "n_iter", "n_used", "status", "cov", "stderr")


def _same(result, other, what, index=()):
    for name in FIELDS:
        one, two = getattr(result, name)[index], getattr(other, name)
        two = two.reshape(one.shape)  # a batch of one
        if not np.array_equal(one, two, equal_nan=one.dtype.kind == "f"):
            where = np.argwhere(~((one == two) | ((one != one) & (two != two))))[0]
            place = tuple(where)
            yield f"{name}{place} differs by {what}: {one[place]!r} and {two[place]!r}"


def _alone(case, result):
    for index in _some(result) if result.chi2.ndim else ():
        parts = parts_of(case, index)
        parts["y"] = _cast(case, parts["y"])[None]
        if "fixed" in parts:  # fixed for this fit; a row for all would be another model
            parts["fixed"] = parts["fixed"][None]
        yield from _same(result, fit(case, **parts), "fitting it alone", index)


def _merges(case):
    """Whether float32 moves in steps that are not small beside the distance of some values of y."""
    if case.dtype != np.float32:
        return False
    rows = np.sort(
        np.ma.filled(np.ma.array(case.y, dtype=float), np.nan).reshape(-1, case.y.shape[-1])
    )
    gaps = np.diff(rows)
    steps = np.spacing(np.abs(rows[:, 1:]).astype(np.float32))
    return bool(((gaps > 0) & (gaps < 64 * steps)).any())


def _cast(case, y):
    """y in the type of the arithmetic: a batch is refused if a cast merges values in most of it."""
    return y.astype(case.dtype)


def _neighbours(case, result):
    """What stands beside a fit does it no harm: others become NaN or infinite."""
    if case.y.ndim < 2 or case.y.shape[0] < 2:
        return
    y = np.ma.array(case.y, dtype=float, copy=True).filled(np.nan)
    y[0] = np.nan
    if len(y) > 2:
        y[1] = np.inf
    other = fit(case, y=_cast(case, y))
    kept = slice(2 if len(y) > 2 else 1, None)
    for name in FIELDS:
        one, two = getattr(result, name)[kept], getattr(other, name)[kept]
        if not np.array_equal(one, two, equal_nan=one.dtype.kind == "f"):
            yield f"{name} changes with what its neighbours hold"


# ---- against NumPy and SciPy -------------------------------------------------------------------


def _numbers(f):
    held = np.setdiff1d(np.arange(f.theta.size), f.free)
    if f.status not in (Status.NOT_RUN, Status.NOT_FINITE) and f.result.cov[f.index][held].any():
        yield f"{f.index}: the covariance of a fixed parameter is {f.result.cov[f.index][held]}"
    if not f.status.success:
        return
    low, high = f.bounds()
    if not ((low <= f.theta) & (f.theta <= high)).all():
        yield f"{f.index}: parameters {f.theta} outside their bounds {low} {high}"
    start = parts_of(f.case, f.index)["p0"].astype(f.case.dtype)
    if not np.array_equal(f.theta[held], start[held]):
        yield f"{f.index}: a fixed parameter has moved"
    if int(f.result.n_used[f.index]) != f.y.size:
        yield f"{f.index}: n_used {f.result.n_used[f.index]}, wanted {f.y.size}"
    here = float((f.residual(f.theta[f.free]) ** 2).sum())
    # the last step is taken without another evaluation, and chi2 is what it promises to leave
    promised = LAST_STEP / max(f.y.size - f.free.size, 1)
    if f.case.dtype == np.float32:  # whose steps are not solved for more exactly than that
        promised = 1e-4
    if not abs(here - f.chi2) <= 2 * f.noise + promised * here:
        yield f"{f.index}: chi2 {f.chi2}, NumPy's is {here}"
    yield from minimum(f, here, low, high)
    yield from _covariance(f, low, high)


def minimum(f, here, low, high):
    """A success is a local minimum: no descent by SciPy leads lower from it.

    SciPy's first steps are long and may land in another valley, which refutes nothing.  So where
    it reaches less, the success is no minimum if chi2 falls, by more than tolerance and noise,
    before it climbs, by more than its noise, on the straight way there or along one parameter
    alone; or if SciPy, kept near the solution, still gets lower.  From a plateau, a slope or a
    saddle one of these ways leads down.
    """
    if not f.free.size or not np.isfinite(here):
        return
    if not (low[f.free] < high[f.free]).all():
        return  # SciPy refuses such a box
    f = f.between_kinks()
    relative = 1e-6 if f.case.dtype == np.float64 else 3e-3
    allowed = relative * here + 4 * f.noise
    theta, box = f.theta[f.free], np.stack([low[f.free], high[f.free]])
    there, other = _restarted(f, theta, box)
    if not here - there > allowed:
        return
    ends = [other, *_ends(theta, other, box)]
    if not any(_falls(f, theta, end, here, allowed) for end in ends):
        size = np.linalg.norm(f.y / f.sigma - f.residual(theta))  # a step that moves f by so much
        slope = np.linalg.norm(f.jacobian[0], axis=0)  # is no small one, whatever theta's size
        reach = np.maximum(np.abs(theta), 1e-3 * np.abs(other - theta))
        reach = NEAR * np.minimum(reach, size / np.maximum(slope, 1e-300))
        near = np.clip(np.stack([theta - reach, theta + reach]), *box)
        there, other = _restarted(f, theta, near)
        if not here - there > allowed:
            return
    yield (
        f"{f.index}: success {f.status.name} at chi2 {here:.9g}, theta {theta}, SciPy reaches "
        f"{there:.9g} at {other} (noise {f.noise:.2g})"
    )


def _ends(theta, other, box):
    """Where one parameter alone may go: by ten times its size or way, or to a bound."""
    for k, far in enumerate(10 * np.maximum(np.abs(theta), np.abs(other - theta))):
        for side in (-far, far):
            end = theta.copy()
            end[k] = np.clip(theta[k] + side, *box[:, k])
            yield end


def _falls(f, theta, end, here, allowed):
    """Whether chi2 falls on the straight way to the end before it climbs."""
    ways = theta + np.geomspace(1e-9, 1, 1000)[:, None] * (end - theta)
    with np.errstate(all="ignore"):
        heights = np.array([(f.residual(way) ** 2).sum() for way in ways])
    lower, higher = heights < here - allowed, ~(heights <= (1 + 1e-6) * here + 4 * f.noise)
    return lower.any() and not higher[: np.argmax(lower)].any()


def _restarted(f, theta, box):
    """The least chi2 that SciPy finds from theta in a box, and where; inf where it cannot."""
    unit = np.sqrt(f.magnitude) or 1.0  # SciPy's tolerances are relative to 1
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            other = least_squares(
                lambda p: f.residual(p) / unit, np.clip(theta, *box), bounds=tuple(box),
                jac="3-point", x_scale="jac", xtol=1e-12, ftol=1e-12, gtol=1e-14, max_nfev=200,
            )  # fmt: skip
    except ValueError:  # SciPy found the residual not finite
        return np.inf, theta
    return 2 * other.cost * unit**2, other.x


def _covariance(f, low, high):
    """The covariance is inv(J'WJ), times chi2 / dof unless sigma is absolute."""
    inside = ((low < f.theta) & (f.theta < high))[f.free].all()
    dof = f.y.size - f.free.size
    if not inside or dof <= 0 or not f.free.size or "if x" in f.case.template.formula:
        return
    size = np.linalg.norm(f.jacobian[0], axis=0)
    if not np.isfinite(size).all() or not (size > 0).all():
        return
    R = np.linalg.qr(f.jacobian[0] / size, mode="r")
    condition = np.linalg.cond(R)
    own = 1e-5 if f.case.dtype == np.float64 else 5e-3
    own = max(own, 1e-3) if f.case.form == "called" else own  # by differences there, too
    tolerance = (own + f.jacobian[1].max()) * condition
    if not tolerance <= 0.05:
        return
    wanted = _inverse(f.jacobian[0])
    got = f.result.cov[f.index].astype(float)[np.ix_(f.free, f.free)]
    if not f.case.options.get("absolute_sigma", False):
        if f.chi2 < 100 * f.noise:
            return  # chi2 itself is rounding
        wanted, got = wanted, got * dof / f.chi2
    scale = np.outer(*2 * [np.sqrt(np.diag(wanted))])
    variances = scale * (f.chi2 / dof if not f.case.options.get("absolute_sigma", False) else 1)
    if np.log10(variances).max() > np.log10(np.finfo(f.case.dtype).max) - 1:
        return  # a variance that is no number of this type
    off = np.abs(got - wanted) / scale
    if (off <= tolerance).all():
        return
    tolerance += _change_of_last_step(f, wanted, scale)
    if tolerance <= 0.05 and not (off <= tolerance).all():
        yield f"{f.index}: covariance {got.tolist()}, wanted {wanted.tolist()}, off by {off.max()}"


def _inverse(J):
    """inv(J'J) by a factorisation."""
    size = np.linalg.norm(J, axis=0)
    inverse = np.linalg.inv(np.linalg.qr(J / size, mode="r")) / size[:, None]
    return inverse @ inverse.T


def _change_of_last_step(f, wanted, scale):
    """How much the covariance changes within the last step, after which J is not evaluated again.

    The step promises at most a share of chi2 (`early_ftol` of csrc/fit/damped.h), or the noise, so
    that parameter j moves by the root of this promise times the root of inv(J'J)_jj at most.
    """
    early = 1e-13 if f.case.dtype == np.float64 else 1e-5
    promise = early * f.chi2 + f.noise
    theta, change = f.theta[f.free], 0.0
    for k, reach in enumerate(np.sqrt(promise * np.diag(wanted))):
        for moved in (theta[k] - reach, theta[k] + reach):
            other = copy.copy(f)
            other.__dict__.pop("jacobian", None)
            other.theta = f.theta.copy()
            other.theta[f.free[k]] = moved
            J = other.jacobian[0]
            change += (np.abs(_inverse(J) - wanted) / scale).max() if J.any(axis=0).all() else 1
    return change
