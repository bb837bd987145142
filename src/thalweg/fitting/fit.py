"""Fit a model to one data set or to millions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import numpy as np

from .._arguments.callback import refuse_callback
from .._arguments.check import Array, thread_limit
from .._arguments.spelling import spelled
from .._progress import open_bar
from ..model import as_model
from ..model.tape import compile_curved
from . import by_calls as slow
from .f_scale import with_assumed
from .groups import Means, run_groups
from .guessed import with_guess
from .jobs import compiled_job, one_job
from .multistart import ONE_START, Strategy, from_starts, strategy_of
from .noise import read_noise
from .options import Options, element_type, options_for
from .outputs import arranged
from .problem import Problem, prepare
from .ragged import fit_ragged
from .ragged_input import is_ragged
from .rescale import run_again, take_back
from .result import FitResult
from .shared import share
from .storage import attach_result, result_of, results_for, take_back_unsettled


@spelled
def fit(
    model: Any,
    x: Any,
    y: Any,
    p0: Any = None,
    *,
    sigma: Any = None,
    absolute_sigma: bool = False,
    noise: str = "normal",
    robust: str | None = None,
    f_scale: Any = None,
    mask: Any = None,
    offsets: Any = None,
    bounds: Any = None,
    fixed: Any = None,
    tied: Any = None,
    shared: str | Sequence[str] | None = None,
    groups: Any = None,
    linear: str | None = None,
    independent: str | Sequence[str] | None = None,
    axis: int | str | Sequence[int | str] | None = None,
    dtype: Any = None,
    xtol: float | None = None,
    ftol: float | None = None,
    gtol: float | None = None,
    max_iter: int | None = None,
    attempts: int | None = None,
    starts: int | None = None,
    retry: int | None = None,
    guess: Callable[[Any, Any], Any] | None = None,
    threads: int | None = None,
    progress: bool = False,
    callback: Callable[[int, int], Any] | None = None,
    out: Any = None,
    chunk: int | Sequence[int] | None = None,
) -> FitResult:
    r"""Minimise :math:`\sum_i ((y_i - f(x_i; \theta)) / \sigma_i)^2`, chi2, for every data set.

    The model is recorded once and differentiated exactly; fits run eight side by side, in compiled
    code, each with its own damping and its own stopping.  A fit's result is the same to the last
    bit alone, anywhere in any batch, and with any number of threads.

    Parameters
    ----------
    model : callable, str or Model
        ``f(x, a, b, ...)`` written with operators and NumPy functions, a formula such as
        ``"a*exp(-x/tau) + c"``, or a built-in model of `thalweg.models` or its name, alone or
        combined with others by ``+ - * /``.  It may return a complex value, or a tuple of K.
    x : array_like, shape (N,), a tuple of them, a dict or a table
        The independent variable; several are given as a tuple ``(xx, yy)`` or by the names of
        columns.  An x of the shape of y has a row for each fit.
    y : array_like, shape (..., N)
        One data set or a batch of any shape.  A value that is NaN or masked in y or x, or masked in
        sigma, leaves its point out, and nothing else at that point is checked.  With several
        variables of two or more dimensions, such as pixel grids, as many last axes of y hold the
        points.  Data of a model of K outputs have an axis of K before the points, (..., K, N), or
        are a tuple of K arrays; those of a complex model are complex, and chi2 is the sum over
        real and imaginary parts.  Data sets of different lengths are a list of arrays (N_k,), and
        so are x, sigma and mask; of several variables x is a tuple of such lists, or a dict.
    p0 : array_like, shape (P,) or (..., P), or dict name -> value or values, optional
        Start, for all fits or for each.  Built-in models guess it from the data.  With
        "neighbours" it is guessed, and fits are made again from the result of the best fit beside
        them in the batch, until none gets better.
    sigma : array_like, shape (N,) or (..., N), optional
        Standard deviations of y, in its unit; an infinite one leaves its point out.  Complex ones
        have those of the two parts of y as their parts.  For K outputs (K, 1) or (K, N), too.
    absolute_sigma : bool
        Whether sigma is in absolute units.  If not, the covariance is scaled by chi2 / dof.
    noise : {"normal", "poisson"}
        What the errors of y are.  With ``"poisson"`` y holds counts of mean f, and what is
        minimised is the deviance :math:`2 \sum_i (f_i - y_i + y_i \ln(y_i / f_i))`, which gives the
        most likely parameters; `FitResult.chi2` is the deviance.  Counts need not be whole numbers.
        The model must be positive at the start; see the guide on noise.
    robust : {"huber", "soft_l1", "cauchy"}, optional
        A loss that outliers do not carry away, :math:`s^2 \sum_i \rho((e_i / (\sigma_i s))^2)`
        with :math:`e = y - f`, as in `scipy.optimize.least_squares`.
    f_scale : float, array_like (...), or "estimate", optional
        The scale s of the robust loss in units of sigma: about the size beyond which a residual is
        an outlier; 1 by default.  ``"estimate"`` takes it from the median of the residuals.
    mask : array_like of bool, shape (N,) or (..., N), optional
        True leaves a point out, as in `numpy.ma`.  A mask, or a sigma, with one element along an
        axis of y is the same for all of that axis: shape (rows, columns, 1) leaves out pixels.
    offsets : array_like of int, shape (B + 1,), optional
        For data sets of different lengths that lie end to end in y (M,), and so in x, sigma and
        mask: set k has the points from offsets[k] up to offsets[k + 1], without that.
    bounds : pair of array_like, dict name -> pair, or scipy.optimize.Bounds, optional
        Lower and upper bounds, each (), (P,) or (..., P); None is no bound.
    fixed : sequence of names, dict name -> value, or array of bool (P,) or (..., P), optional
        The parameters that keep their start values.
    tied : dict name -> str or callable, optional
        Parameters that follow from others: ``{"s2": "s1", "a2": "2*a1"}``, by a formula of
        parameters or a function whose arguments are named like parameters.  They need no start, and
        what p0 says of them does not count; bounds and fixed are for the others.
    shared : str or sequence of str, optional
        The parameters of which all data sets along the last axis of the batch, a group, have one
        value together: a global fit.  The others each data set has for itself.  A shared parameter
        starts at the median of the starts of its group.
    groups : array_like of the batch's shape, optional
        A label for each data set, such as a number or a text: those of one label are a group.
    linear : {"auto"}, optional
        With "auto", the parameters in which the model is linear together, such as amplitudes and
        backgrounds, are found, and put at their best for the start of the others before the first
        step.  A dict p0 need not give them.
    independent : str or sequence of str, optional
        The independent variables of a formula.
    axis : int, str or sequence of them, optional
        The axes of y that hold the points, by number or, of a DataArray or DataFrame, by name; by
        default the last, or as many as the grids of x have.
    dtype : float64 or float32, optional
        The type of the arithmetic.  float32 is faster and gives about four digits.
    xtol : float, optional
        Stop when every :math:`|\delta_j| \le` xtol :math:`(|\theta_j| + \sqrt{\chi^2} / D_j)`, with
        :math:`D_j` the largest norm of column j of the weighted Jacobian so far; 1e-9 (float32:
        1e-4).  Every tolerance that is met is confirmed by the undamped step.
    ftol : float, optional
        Stop when the actual and the predicted reduction of chi2 are both at most ftol chi2; 1e-15
        (5e-7), and 1e-12 for a model that Python evaluates in float64.
    gtol : float, optional
        Stop when the cosine between the residual and the tangent plane of the model is at most
        gtol; 1e-9 (3e-4).
    attempts : int, optional
        The most attempts of a fit, 1 to 3, by default 3, which share ``max_iter``.  A fit that
        fails, or stops where a lower chi2 is proved to exist, is tried again, from other values of
        the parameters in which the model is not linear, and then from the lowest point found.
    starts : int, optional
        How many starts every fit gets: the first one, and others between finite bounds or, without
        these, within a factor of 10 of the first; see the guide.  The best result is kept, and
        `FitResult.agreement` tells how many starts led to it.
    retry : int, optional
        How many such starts more those fits get that fail.
    guess : callable, optional
        ``guess(x, y)``, called for each data set, returns its start, in order or by name; y is NaN
        where a point is left out.
    max_iter : int, optional
        The most trial steps of a fit; by default 200 (P + 1).
    threads : int, optional
        The most threads; by default the number of processors that this process may use.
    progress : bool
        Whether to show a progress bar (needs the extra ``cli``).
    callback : callable, optional
        ``callback(done, total)``, called a few times a second from the calling thread.  If it
        returns a true value the job ends, and fits that have not finished get status NOT_RUN.
    out : path or thalweg.scale.Store, optional
        A folder of Zarr, such as ``"result.zarr"``, into which results are written piece by piece,
        so that neither they nor the data need to fit into memory: y and the like may be mapped
        files, datasets of h5py or arrays of zarr.  Ended at any moment, the same call goes on where
        it stopped; see the guide on data larger than memory.
    chunk : int or tuple of int, optional
        With ``out``: how many data sets are fitted at a time, or their number along each axis of
        the batch; by default what is about 64 MB of data, along the chunks of y.

    Returns
    -------
    FitResult
        Parameters, errors, chi2 and a status for every fit.  A fit that fails says why by its
        status; the others are not affected.  With ``out``: a `thalweg.scale.StoredResult`.

    Raises
    ------
    ValueError
        Shapes or names do not fit; a start, bounds or sigma that all fits share is wrong; or
        float32 would merge distinct values.
    TypeError
        An argument does not hold real numbers, or ``model`` is no model.
    KeyboardInterrupt
        Ctrl-C; the fits that had finished are in its attribute ``result``.  The same holds for
        every other exception once fits run: of ``callback``, or of a model that is called from
        Python.

    Warns
    -----
    SlowModelWarning
        The model cannot be recorded and is called from Python.

    References
    ----------
    .. [1] J. J. Moré, "The Levenberg-Marquardt algorithm: implementation and theory", Lecture Notes
       in Mathematics 630, 1978.
    .. [2] H. B. Nielsen, "Damping parameter in Marquardt's method", IMM-REP-1999-05, 1999.

    Examples
    --------
    >>> import numpy as np
    >>> import thalweg as tw
    >>> def decay(t, a, tau):
    ...     return a * np.exp(-t / tau)
    >>> t = np.linspace(0, 5, 30)
    >>> y = np.array([decay(t, 2.0, 1.5), decay(t, 3.0, 0.5)])
    >>> r = tw.fit(decay, t, y, p0={"a": 1, "tau": 1})
    >>> r["tau"].round(6)
    array([1.5, 0.5])

    Two decays, the second one twice as slow:

    >>> y = decay(t, 2.0, 1.5) + decay(t, 1.0, 3.0)
    >>> two = "a1*exp(-t/tau1) + a2*exp(-t/tau2)"
    >>> r = tw.fit(two, t, y, [2, 1, 1], tied={"tau2": "2*tau1"}, independent="t")
    >>> r["tau2"].round(6), r.tied
    (np.float64(3.0), {'tau2': '2*tau1'})
    """
    if out is not None or chunk is not None:
        return _into_store(locals())
    dtype, info = element_type(dtype), as_model(model, independent)
    if offsets is not None or is_ragged(info, x, y):
        return fit_ragged(fit, locals())
    data = arranged(info, (p0, fixed, tied), x, y, sigma, mask, axis, dtype)
    info, p0, neighbours = with_guess(info, guess, p0, data, tied or ())
    assumed = read_noise(noise, robust, f_scale, data)
    problem = prepare(info, data, p0, bounds, fixed, dtype, bool(absolute_sigma), tied, linear)
    problem = share(problem, shared, groups)
    options = _options(problem, xtol, ftol, gtol, max_iter, attempts)
    n_threads, strategy = thread_limit(threads), strategy_of(starts, retry, neighbours, problem)
    problem = with_assumed(problem, assumed, partial(run, options=options, threads=n_threads))
    return run(problem, options, n_threads, callback, progress, strategy)


def _options(
    problem: Problem, xtol: Any, ftol: Any, gtol: Any, max_iter: Any, attempts: Any
) -> Options:
    """The tolerances and numbers of trials that are given, else those of this problem."""
    dtype, P, by_calls = problem.data.y.dtype, len(problem.names), problem.recording is None
    return options_for(dtype, P, by_calls, xtol, ftol, gtol, max_iter=max_iter, attempts=attempts)


def _into_store(given: dict[str, Any]) -> FitResult:
    """Fit data larger than memory: the door upwards to `thalweg.scale`.

    What it returns has the names of a result, but reads the numbers when they are asked for.
    """
    from ..scale import storing

    if given["out"] is None:
        raise ValueError("chunk is for results in a store: give out, too")
    return cast(FitResult, storing.store_fit(given))


def run(
    problem: Problem,
    options: Options,
    threads: int = 0,
    callback: Callable[[int, int], Any] | None = None,
    progress: bool = False,
    strategy: Strategy = ONE_START,
) -> FitResult:
    """Run a prepared problem; any exception carries the finished fits in its ``result``.

    A progress bar is drawn and a callback is called, as far as these are wanted.
    """
    refuse_callback(callback)
    if strategy is ONE_START and callback is None and not progress:  # a small fit takes no longer
        return _run_and_report(options, threads, problem, None)
    total = problem.data.n_fits * strategy.starts
    run_once = partial(_run_and_report, options, threads)
    if not progress:
        report = None if callback is None else (lambda done: callback(done, total))
        return from_starts(problem, strategy, run_once, report)
    with open_bar(total, "fit") as bar:

        def update(done: int) -> Any:
            bar.update(done - bar.n)
            return callback(done, total) if callback else None

        return from_starts(problem, strategy, run_once, update)


def _run_and_report(
    options: Options, threads: int, problem: Problem, report: Callable[[int], Any] | None
) -> FitResult:
    """Run a prepared problem; ``report`` is called with the number of fits that are done."""
    out, decided = results_for(problem), False
    try:
        _run_all(options, threads, problem, out, report)
        if problem.sharing is None:
            run_again(problem, out, partial(_run_all, options, threads), report)
        decided = True
        if report is not None:
            report(int(np.count_nonzero(out["status"])))
        return result_of(problem, out, finished=report is None)
    except BaseException as error:
        as_it_is = decided or problem.sharing is not None
        attach_result(error, problem, out, None if as_it_is else take_back)
        raise


def _run_all(
    options: Options,
    threads: int,
    problem: Problem,
    out: dict[str, Array],
    report: Callable[[int], Any] | None,
) -> None:
    """Fit all data sets, in the engine or by calling the model; what interrupts it is raised."""
    try:
        if problem.sharing is not None:
            fit_each = partial(_run_compiled, threads=threads)
            run_groups(problem, out, Means(fit_each, compiled_job, options, threads), report)
        elif problem.recording is None:
            _run_slowly(problem, options, out, report)
        else:
            _run_compiled(problem, out, options, report, threads)
    except BaseException:
        take_back_unsettled(out)
        raise


def _run_compiled(
    problem: Problem,
    out: dict[str, Array],
    options: Options,
    report: Callable[[int], Any] | None,
    threads: int,
) -> None:
    """Fit all data sets in the engine; what interrupts it is raised.

    First attempts are made side by side.  Later attempts of the fits that need them use second
    derivatives as well, which are made only then.
    """
    assert problem.recording is not None
    job = compiled_job(problem, out, options)
    watch = job.run(threads, report)
    if job.unsettled and watch.error is None and not watch.stopped:
        graph, output, _ = problem.recording
        curved, done = compile_curved(graph, output, problem.free), problem.data.n_fits
        which = np.flatnonzero(out["next"])
        watch = job.again(which, curved, threads, report and (lambda _: report(done)))
    if watch.stopped:
        take_back_unsettled(out)
    if watch.error is not None:
        raise watch.error


def _run_slowly(
    problem: Problem, options: Options, out: dict[str, Array], report: Callable[[int], Any] | None
) -> None:
    """Fit one data set after the other by calling the model."""
    data, P = problem.data, len(problem.names)
    for k in range(data.n_fits):
        evaluate = problem.differences(k)
        slow.run(one_job(problem, data, options, out, k), evaluate, P, data.y.dtype)
        if report is not None and report(k + 1):
            return
