"""What a model that is called from Python gets and gives."""

import warnings

import numpy as np
import pandas as pd
import pytest
from called_cases import X, Y, params_by

import thalweg as tw
from thalweg import SlowModelWarning

# ---- what it gets and gives ----------------------------------------------------------------------

BUFFER = np.empty(8)


@pytest.fixture(params=["fit", "curve_fit"])
def fit(request):
    """Parameters of a fit, by either function."""
    return params_by(request.param)


def own_buffer(x, a, b):
    np.multiply(x, a, out=BUFFER)
    BUFFER[:] += b
    return BUFFER


LIST = [0.0] * 8


def one_buffer_of_a_list(x, a, b):
    LIST[:] = [a * v + b for v in x]
    return LIST


def writes_into_x(x, a, b):
    x *= a
    x += b
    x[0] = b
    return x


def returns_x(x, a, b):
    x[:] = a * x + b
    return x


def masked_values(x, a, b):
    return np.ma.array(a * np.asarray(x) + b, mask=False)


def column(x, a, b):
    return (a * np.asarray(x) + b)[:, None]


@pytest.mark.parametrize(
    "model",
    [own_buffer, one_buffer_of_a_list, writes_into_x, returns_x, masked_values, column],
    ids=lambda f: f.__name__,
)
def test_what_it_writes_and_keeps_is_its_own(fit, model):
    x, y = X.copy(), Y.copy()
    np.testing.assert_allclose(fit(model, x, y), [2, 1], rtol=1e-8)
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(y, Y)


def test_several_variables_and_tables_are_copies_too():
    def spoils(tu, a, b):
        t, u = np.asarray(tu[0]), np.asarray(tu[1])
        value = a * t + b * u
        t[:], u[:] = -1, -1
        return value

    def spoils_columns(d, a, b):
        value = a * np.asarray(d["t"]) + b * np.asarray(d["u"])
        d["t"] = d["u"]
        return value

    table = pd.DataFrame({"t": X, "u": np.sin(X)})
    known = table.copy()
    pair = (X.copy(), np.sin(X))
    y = 2 * X + np.sin(X)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SlowModelWarning)
        for model, x in (
            (spoils, pair),
            (spoils, np.array(pair)),
            (spoils_columns, table),
            (spoils_columns, dict(table)),
        ):
            np.testing.assert_allclose(tw.fit(model, x, y, (1.0, 1.0)).params, [2, 1], rtol=1e-8)
    np.testing.assert_array_equal(pair, (X, np.sin(X)))
    pd.testing.assert_frame_equal(table, known)


@pytest.mark.parametrize(
    ("model", "error", "sentence"),
    [
        (lambda x, a, b: np.asarray(x)[:7] * a, ValueError, r"shape \(8,\), got shape \(7,\)"),
        (lambda x, a, b: np.ones((2, 8)) * a, ValueError, r"got shape \(2, 8\)"),
        (lambda x, a, b: [float(a)] * 3, ValueError, r"got shape \(3,\)"),
        (lambda x, a, b: [], ValueError, r"got shape \(0,\)"),
        (lambda x, a, b: None, TypeError, "must return real numbers, got None"),
        (lambda x, a, b: "text", TypeError, "must return real numbers, got an array of <U4"),
        (lambda x, a, b: a * np.asarray(x) * 1j, TypeError, "got an array of complex128"),
        (lambda x, a, b: {}["key"], KeyError, "key"),
        (lambda x, a, b: 1 / 0, ZeroDivisionError, "division by zero"),
        (lambda x, a, b: np.linalg.inv(np.zeros((2, 2))), np.linalg.LinAlgError, "Singular"),
        (lambda x, a, b: undefined * a, NameError, "undefined"),  # noqa: F821
        (lambda x, a, b: x.no_such_attribute, AttributeError, "no_such_attribute"),
    ],
)
def test_its_errors_at_the_start_are_raised_as_they_are(fit, model, error, sentence):
    with pytest.raises(error, match=sentence):
        fit(model)


def test_its_own_sentence_comes_through_and_no_warning_before_it():
    def refuses(x, a):
        if a > 0:
            raise ValueError("the rate must be negative")
        return a * x

    for call in (tw.fit, tw.curve_fit):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            with pytest.raises(ValueError, match=r"^the rate must be negative$"):
                call(refuses, X, Y, [1.0])
        assert not caught


@pytest.mark.parametrize("error", [ValueError, ZeroDivisionError, OverflowError])
def test_later_it_may_refuse_parameters(fit, error):
    def model(x, a, b):
        if b > 1.5 or a < 0.9:
            raise error("not there")
        return float(a) * np.asarray(x) + b

    np.testing.assert_allclose(fit(model), [2, 1], rtol=1e-8)


def test_an_error_of_another_kind_is_an_error_wherever_it_comes(fit):
    def model(x, a, b):
        if a > 1.9:
            raise KeyError("a")
        return float(a) * np.asarray(x) + b

    with pytest.raises(KeyError):
        fit(model)


# ---- where it may stop ---------------------------------------------------------------------------


def called_line(x, a, c):
    return a * x + c if c < 1e30 else x


def called_decay(x, a, c):
    return a * np.exp(-x / 2) + c if c < 1e30 else x


@pytest.mark.filterwarnings("ignore::thalweg.SlowModelWarning")
@pytest.mark.parametrize("model", [called_line, called_decay])
@pytest.mark.parametrize("fixed", [[], ["a"]], ids=["both free", "one free"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_one_step_from_afar_to_the_minimum_is_no_reason_to_stop_beside_it(model, fixed, dtype):
    """The first step of a linear model ends at its minimum, as far as derivatives are right.

    They are not where a start is small beside what it is to become: the differences are too short.
    """
    x, share = np.linspace(0, 5, 16), 1e-9 if dtype is np.float64 else 1e-5
    for seed in range(100):
        rng = np.random.default_rng(seed)
        a, c = rng.uniform(-6, 6), rng.uniform(-3, 3)
        y = model(x, a, c) + rng.choice([0.01, 0.3, 3]) * rng.standard_normal(16)
        start = a * rng.uniform(0.5, 1.5), rng.choice([-1, 1]) * 10.0 ** rng.uniform(-6, 1)
        r = tw.fit(model, x, y, start, fixed=fixed, dtype=dtype)
        columns = np.stack([model(x, 1, 0), np.ones(16)], 1)[:, len(fixed) :]
        rest = y - (model(x, float(dtype(start[0])), 0) if fixed else 0)
        least = np.linalg.lstsq(columns, rest)[1][0]
        chi2 = ((y - model(x, *r.params.astype(float))) ** 2).sum()
        rounding = 0 if dtype is np.float64 else 1e-12 * np.abs(y).max() ** 2
        assert not r.success or chi2 <= least * (1 + share) + rounding, seed
        if r.success:
            wanted = np.linalg.inv(columns.T @ columns) * r.chi2 / r.dof
            got = r.cov[len(fixed) :, len(fixed) :]
            np.testing.assert_allclose(got, wanted, rtol=1e-2, err_msg=f"{seed}")
