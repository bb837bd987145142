"""Whatever ends a fit, and wherever: what had finished comes along, and nothing is half written."""

import sys
from pathlib import Path

import numpy as np
import pytest
from problems import decay

import thalweg as tw
from thalweg.status import Status

X = np.linspace(0, 4, 25)
Y = decay(X, 3, 1.2, 0.5) + 0.01 * np.cos(31 * X)
P0 = (2.0, 1.0, 0.0)


def many(n):
    return np.tile(Y, (n, 1)) + 0.001 * np.arange(n)[:, None]


def called(x, a, tau, c):
    """The same model, written so that it cannot be recorded."""
    return decay(x, a, tau, c) if a < 1e9 else x


def same_where_finished(result, whole):
    done = result.status != Status.NOT_RUN
    np.testing.assert_array_equal(result.params[done], whole.params[done])
    assert np.isnan(result.params[~done]).all() and np.isnan(result.chi2[~done]).all()
    assert (result.n_iter[~done] == 0).all() and (result.n_used[~done] == 0).all()
    return int(done.sum())


# ---- first attempts of which later ones were to follow -----------------------------------------

FAR = (2.0, 1.0, 1.0, 5.0, 0.0)  # from here fits of one decay by two need more attempts


def two_decays(x, a, tau, b, s, c):
    return a * np.exp(-x / tau) + b * np.exp(-x / s) + c


def hard(n):
    tau = np.random.default_rng(0).uniform(0.5, 3, n)[:, None]
    return decay(X, 3, tau, 0.3) + np.random.default_rng(1).normal(0, 0.05, (n, len(X)))


@pytest.mark.parametrize("unit", [1.0, 1e-12])
@pytest.mark.parametrize("threads", [1, 2])
def test_the_result_of_a_first_attempt_is_none(threads, unit):
    """Residuals far beyond f_scale make hard problems of easy ones."""
    y, start = unit * hard(38), np.multiply(P0, [unit, 1, unit])
    sigma = unit * np.random.default_rng(2).uniform(0.5, 2, y.shape)
    options = {"sigma": sigma, "robust": "huber", "f_scale": 1e-13, "threads": threads}
    whole = tw.fit(decay, X, y, start, **options)
    assert np.count_nonzero(whole.attempts > 1) > 9
    for last in (0, 20, 38):

        def stop(done, total, last=last):
            return done >= last

        same_where_finished(tw.fit(decay, X, y, start, callback=stop, **options), whole)


@pytest.mark.filterwarnings("ignore::thalweg.SlowModelWarning")
def test_nor_is_that_of_a_called_model_that_raises_in_a_later_one():
    y, calls, most, partly = hard(2), 0, [1 << 60], 0

    def raising(x, a, tau, b, s, c):
        nonlocal calls
        calls += 1
        if calls > most[0]:
            raise RuntimeError
        return two_decays(x, float(a), tau, b, s, c)

    whole = tw.fit(raising, X, y, FAR)
    assert (whole.attempts > 1).all()
    for most[0] in np.linspace(1, calls - 1, 12).astype(int):
        calls = 0
        with pytest.raises(RuntimeError) as caught:
            tw.fit(raising, X, y, FAR)
        if hasattr(caught.value, "result"):
            partly += same_where_finished(caught.value.result, whole)
    assert partly


# ---- exceptions of callbacks and models ------------------------------------------------------


class Refusing(Exception):
    """An exception that takes no attribute of that name."""

    result = property(lambda self: None)


@pytest.mark.parametrize("kind", [ZeroDivisionError, KeyError, SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("n", [1, 50, 20_000])
@pytest.mark.parametrize("progress", [False, True])
def test_an_exception_in_the_last_call_of_a_callback_loses_nothing(kind, n, progress):
    def at_the_end(done, total):
        if done == total:
            raise kind

    y = many(n)
    with pytest.raises(kind) as caught:
        tw.fit(decay, X, y, P0, callback=at_the_end, progress=progress)
    assert same_where_finished(caught.value.result, tw.fit(decay, X, y, P0)) == n


def test_an_exception_in_a_short_job_and_of_a_class_that_takes_no_result():
    def always(done, total):
        raise Refusing("mine")

    with pytest.raises(Refusing, match="mine"):
        tw.fit(decay, X, many(5), P0, callback=always)


@pytest.mark.filterwarnings("ignore::thalweg.SlowModelWarning")
@pytest.mark.parametrize("kind", [RuntimeError, KeyError, SystemExit, KeyboardInterrupt])
def test_an_exception_of_a_called_model_loses_nothing(kind):
    y, calls = many(20), []

    def model(x, a, tau, c):
        if a < 1e9:  # a comparison that cannot be recorded
            calls.append(a)
        if len(calls) > limit:
            raise kind
        return decay(x, a, tau, c)

    limit = sys.maxsize
    whole = tw.fit(model, X, y, P0)
    limit = len(calls) // 2
    calls.clear()
    with pytest.raises(kind) as caught:
        tw.fit(model, X, y, P0)
    assert 5 <= same_where_finished(caught.value.result, whole) < 20


@pytest.mark.filterwarnings("ignore::thalweg.SlowModelWarning")
@pytest.mark.parametrize("kind", [ZeroDivisionError, SystemExit])
def test_an_exception_of_a_callback_between_called_fits(kind):
    def third(done, total):
        if done == 3:
            raise kind

    with pytest.raises(kind) as caught:
        tw.fit(called, X, many(6), P0, callback=third)
    assert same_where_finished(caught.value.result, tw.fit(called, X, many(6), P0)) == 3


@pytest.mark.filterwarnings("ignore::thalweg.SlowModelWarning")
@pytest.mark.parametrize("model", [decay, called])
@pytest.mark.parametrize("true", [True, np.True_, 1, np.array(True)])
def test_any_true_value_of_a_callback_ends_the_job(model, true):
    n = 200_000 if model is decay else 20
    r = tw.fit(model, X, many(n), P0, callback=lambda done, total: true)
    assert (r.status == Status.NOT_RUN).any()


@pytest.mark.filterwarnings("ignore::thalweg.SlowModelWarning")
@pytest.mark.parametrize("model", [decay, called])
@pytest.mark.parametrize("false", [False, np.False_, None, 0])
def test_a_false_value_of_a_callback_does_not(model, false):
    r = tw.fit(model, X, many(20), P0, callback=lambda done, total: false)
    assert r.success.all()


def test_a_callback_whose_value_is_neither_is_an_exception_that_brings_the_result():
    with pytest.raises(ValueError, match="ambiguous") as caught:
        tw.fit(decay, X, many(200_000), P0, callback=lambda done, total: np.array([1, 2]))
    assert caught.value.result.status.size == 200_000


# ---- Ctrl-C at every line --------------------------------------------------------------------

FILES = {
    str(Path(tw.__file__).parent / "fitting" / name)
    for name in ("fit.py", "by_calls.py", "result.py", "storage.py", "rescale.py")
}


class CtrlC:
    """Raises KeyboardInterrupt at the given line events of the modules that run a fit."""

    def __init__(self, *places):
        self.places, self.lines = places, 0

    def __enter__(self):
        self.before = sys.gettrace()  # that of a count of lines, if there is one
        sys.settrace(self.call)
        return self

    def __exit__(self, *_):
        sys.settrace(self.before)

    def call(self, frame, event, argument):
        return self.line if frame.f_code.co_filename in FILES else None

    def line(self, frame, event, argument):
        if event == "line":
            self.lines += 1
            if self.lines in self.places:
                raise KeyboardInterrupt
        return self.line


@pytest.fixture
def arrays(monkeypatch):
    """The arrays of results of the last fit, as soon as there are any."""
    found = []
    module = sys.modules["thalweg.fitting.fit"]

    def recorded(problem):
        found.append(results_for(problem))
        return found[-1]

    results_for = module.results_for
    monkeypatch.setattr(module, "results_for", recorded)
    return found


def fit_all(model, n, unit):
    """A batch whose squares leave the range in some units: those fits are run again."""
    p0 = np.array([2.0 * unit, 1.0, 0.0])
    return tw.fit(model, X, unit * many(n), p0, callback=lambda done, total: None)


def interrupted_fit(model, n, unit, places, arrays):
    """Whether Ctrl-C came, after checking that what had finished came with it."""
    arrays.clear()
    ctrl_c = CtrlC(*places)
    try:
        with ctrl_c:
            fit_all(model, n, unit)
    except KeyboardInterrupt as error:
        status = arrays[0]["status"] if arrays else np.zeros(1)
        if unit == 1:
            finished = np.count_nonzero(status)
        else:  # a fit that was refused for its unit is run again
            finished = np.count_nonzero(status > 0)
        if finished:
            assert np.count_nonzero(error.result.status) == finished
            same_where_finished(error.result, whole_result(model, n, unit))
        return True
    return False


WHOLE = {}


def whole_result(model, n, unit):
    if (model, n, unit) not in WHOLE:
        WHOLE[model, n, unit] = fit_all(model, n, unit)
    return WHOLE[model, n, unit]


@pytest.mark.filterwarnings("ignore::thalweg.SlowModelWarning")
@pytest.mark.parametrize(
    ("model", "n", "unit"),
    [(decay, 40, 1.0), (called, 2, 1.0), (decay, 9, 1e-170), (called, 2, 1e170)],
)
def test_ctrl_c_at_any_line_loses_no_fit(model, n, unit, arrays):
    whole_result(model, n, unit)
    place = 1
    while interrupted_fit(model, n, unit, [place], arrays):
        place += 1 if model is decay else 13  # a called model takes many lines
    assert place > 50  # the whole of a fit was walked through


@pytest.mark.filterwarnings("ignore::thalweg.SlowModelWarning")
@pytest.mark.parametrize(
    ("model", "n", "unit"),
    [(decay, 40, 1.0), (called, 2, 1.0), (decay, 9, 1e-170), (called, 2, 1e170)],
)
def test_nor_does_a_second_ctrl_c_meanwhile(model, n, unit, arrays):
    whole_result(model, n, unit)
    with CtrlC() as counted:
        fit_all(model, n, unit)
    first = counted.lines - 8  # near the end, when fits have finished
    for second in range(first + 1, first + 40):
        assert interrupted_fit(model, n, unit, [first, second], arrays)


# ---- numbers that are none -------------------------------------------------------------------

HUGE = 10**400


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"y": [1.0, 2, HUGE]}, "y must be numbers, got an integer that no float holds"),
        ({"p0": [HUGE]}, "p0 must be numbers, got an integer that no float holds"),
        ({"p0": {"a": HUGE}}, r"p0\['a'\] must be numbers, got an integer that no float holds"),
        ({"sigma": [1, 1, -HUGE]}, "sigma must be numbers, got an integer that no float holds"),
        ({"bounds": (0, HUGE)}, "bounds must be numbers, got an integer that no float holds"),
        ({"xtol": HUGE}, "xtol must be a number >= 0"),
        ({"max_iter": HUGE}, "max_iter must be a whole number from 0 to"),
        ({"threads": HUGE}, "threads must be a whole number from 1 to"),
    ],
)
def test_an_integer_beyond_all_floats_is_refused_in_a_sentence(arguments, sentence):
    given = {"y": [1.0, 2, 3], "p0": [1.0], **arguments}
    with pytest.raises((TypeError, ValueError), match=sentence):
        tw.fit("a*x", [1.0, 2, 3], **given)
