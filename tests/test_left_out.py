"""What is masked or missing is left out, wherever it is masked, and nobody looks at it."""

import warnings

import numpy as np
import pandas as pd
import pytest
from problems import line

import thalweg as tw
from thalweg import SlowModelWarning
from thalweg.status import Status

X = np.arange(9.0)
OUT = np.array([0, 0, 1, 0, 0, 1, 0, 0, 0], bool)
Y = 1 + 2 * X + 0.1 * np.cos(7 * X)
SIGMA = 1 + 0.1 * X


def masked(values, junk):
    """Values with ``junk`` under the mask."""
    return np.ma.array(np.where(OUT, junk, values), mask=OUT)


def called(x, a, b):
    """A line that cannot be recorded."""
    return float(a) + np.asarray(x) * b


WAYS = {
    "y masked": lambda junk: dict(y=masked(Y, junk)),
    "y NaN": lambda junk: dict(y=np.where(OUT, np.nan, Y)),
    "x masked": lambda junk: dict(x=masked(X, junk)),
    "x NaN": lambda junk: dict(x=np.where(OUT, np.nan, X)),
    "sigma masked": lambda junk: dict(sigma=masked(SIGMA, junk)),
    "sigma infinite": lambda junk: dict(sigma=np.where(OUT, np.inf, SIGMA)),
    "mask": lambda junk: dict(mask=OUT, y=np.where(OUT, junk, Y)),
    "mask, and junk everywhere": lambda junk: dict(
        mask=OUT,
        x=np.where(OUT, junk, X),
        y=np.where(OUT, junk, Y),
        sigma=np.where(OUT, junk, SIGMA),
    ),
    "a masked mask": lambda junk: dict(mask=np.ma.array(OUT, mask=OUT)),
    "y missing, and sigma wrong": lambda junk: dict(
        y=np.where(OUT, np.nan, Y), sigma=np.where(OUT, -1.0, SIGMA)
    ),
    "x missing, and sigma wrong": lambda junk: dict(
        x=np.where(OUT, np.nan, X), sigma=np.where(OUT, 0.0, SIGMA)
    ),
    "one each": lambda junk: dict(
        x=np.ma.array(np.where(X == 2, junk, X), mask=X == 2),
        sigma=np.ma.array(np.where(X == 5, junk, SIGMA), mask=X == 5),
    ),
}
JUNK = [-999.0, 0.0, np.nan, np.inf, -np.inf, 1e300]


def expected():
    return tw.fit(line, X[~OUT], Y[~OUT], (1.0, 1.0), sigma=SIGMA[~OUT])


def per_fit(arguments):
    """Every array once for each of three fits."""
    return {
        name: np.ma.stack([a] * 3) if isinstance(a, np.ma.MaskedArray) else np.stack([a] * 3)
        for name, a in arguments.items()
    }


@pytest.mark.parametrize("junk", JUNK)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
@pytest.mark.parametrize("batch", ["one fit", "shared", "per fit"])
@pytest.mark.parametrize("model", [line, called], ids=["recorded", "called"])
def test_every_way_to_leave_a_point_out_gives_the_fit_without_it(way, junk, batch, model):
    arguments = dict(x=X, y=Y, sigma=SIGMA) | way(junk)
    if batch == "shared":
        arguments |= per_fit(dict(y=arguments["y"]))
    elif batch == "per fit":
        arguments = per_fit(arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SlowModelWarning)
        r = tw.fit(model, p0=(1.0, 1.0), **arguments)
    want = expected()
    assert r.success.all(), r.reason()
    # rounding of a dozen sums; of differences, whose step is eps^(1/3), more of it
    tolerance = 1e-11 if model is line else 1e-8
    np.testing.assert_array_equal(r.n_used, want.n_used)
    np.testing.assert_allclose(r.params, np.broadcast_to(want.params, r.params.shape), tolerance)
    np.testing.assert_allclose(r.cov, np.broadcast_to(want.cov, r.cov.shape), rtol=1e3 * tolerance)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_guess_never_sees_what_is_left_out(dtype):
    x = np.linspace(0, 10, 41)
    y = tw.models.gaussian(x, 3.0, 4.0, 0.8, 1.0) + 0.01 * np.cos(9 * x)
    out = np.abs(x - 8) < 0.6
    want = tw.fit("gaussian", x[~out], y[~out], dtype=dtype)
    for arguments in (
        dict(x=np.ma.array(np.where(out, -999, x), mask=out), y=y),
        dict(x=x, y=np.ma.array(np.where(out, 1e6, y), mask=out)),
        dict(x=x, y=np.where(out, 1e6, y), sigma=np.ma.array(np.where(out, 0, 1.0), mask=out)),
        dict(x=np.where(out, 1e30, x), y=np.where(out, -1e6, y), mask=out),
    ):
        r = tw.fit("gaussian", dtype=dtype, **arguments)
        assert r.success and r.n_used == want.n_used
        np.testing.assert_allclose(r.params, want.params, 1e-7 if dtype == np.float64 else 1e-3)


def test_a_wrong_sigma_of_a_point_that_some_fit_uses_is_refused_if_shared():
    y = np.stack([np.where(OUT, np.nan, Y), Y])
    sigma = np.where(OUT, 0.0, SIGMA)
    with pytest.raises(ValueError, match=r"sigma must be positive, got 0\.0 at point 2"):
        tw.fit(line, X, y, (1.0, 1.0), sigma=sigma)
    r = tw.fit(line, X, y, (1.0, 1.0), sigma=np.stack([sigma, sigma]))
    assert r.status.tolist()[1] == Status.BAD_SIGMA and r.success.tolist() == [True, False]


def test_several_variables_and_tables_leave_out_what_any_of_them_masks():
    u = np.ma.array(np.where(OUT, -999, np.sin(X)), mask=OUT)
    t = np.where(X == 7, np.nan, X)
    y = 2 * X + 3 * np.sin(X)
    for x in ((t, u), [t, u], np.ma.stack([t, u])):
        r = tw.fit(lambda tu, a, b: a * tu[0] + b * tu[1], x, y, (1.0, 1.0))
        np.testing.assert_allclose(r.params, [2, 3], rtol=1e-12)
        assert r.n_used == 6
    table = pd.DataFrame({"t": t, "u": u.filled(np.nan), "note": np.nan, "name": list("abcdefghi")})
    for x in (table, {"t": t, "u": u, "note": [np.nan] * 9}):
        for model in (
            lambda d, a, b: a * d["t"] + b * d["u"],
            lambda d, a, b: np.asarray(d["t"]) * float(a) + b * np.asarray(d["u"]),
        ):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SlowModelWarning)
                r = tw.fit(model, x, y, (1.0, 1.0))
            np.testing.assert_allclose(r.params, [2, 3], rtol=1e-7)
            assert r.n_used == 6  # a column that the model does not read leaves nothing out


@pytest.mark.parametrize("name", ["x", "y", "sigma"])
def test_curve_fit_leaves_out_what_is_masked(name):
    data = dict(x=X, y=Y, sigma=SIGMA)
    data[name] = masked(data[name], -999.0)
    want = expected()
    p, cov = tw.curve_fit(line, data["x"], data["y"], sigma=data["sigma"])
    np.testing.assert_allclose(p, want.params, rtol=1e-11)
    np.testing.assert_allclose(cov, want.cov, rtol=1e-8)
    _, _, info, _, _ = tw.curve_fit(
        line, data["x"], data["y"], sigma=data["sigma"], full_output=True
    )
    assert info["fvec"].shape == (7,)


def test_curve_fit_with_a_covariance_matrix_of_what_is_left():
    C = np.diag(SIGMA**2) + 0.1
    kept = np.ix_(~OUT, ~OUT)
    want = tw.curve_fit(line, X[~OUT], Y[~OUT], sigma=C[kept])
    table = pd.DataFrame({"x": X})
    for got in (
        tw.curve_fit(line, X, masked(Y, -999.0), sigma=C),
        tw.curve_fit(lambda d, a, b: line(d["x"], a, b), table, masked(Y, -999.0), sigma=C),
    ):
        np.testing.assert_allclose(got[0], want[0], rtol=1e-10)
        np.testing.assert_allclose(got[1], want[1], rtol=1e-8)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (dict(p0=np.ma.array([1.0, 2.0], mask=[0, 1])), "p0 must not be masked"),
        (dict(bounds=(np.ma.array([1.0, 2.0], mask=[0, 1]), 9)), "lower bounds must not be masked"),
        (dict(fixed={"a": np.ma.array([1.0], mask=[1])}), r"fixed\['a'\] must not be masked"),
    ],
)
def test_where_nothing_can_be_left_out_a_mask_is_refused(arguments, sentence):
    with pytest.raises(TypeError, match=sentence):
        tw.fit(line, X, Y, **(dict(p0=(1.0, 1.0)) | arguments))


def test_curve_fit_refuses_a_mask_that_belongs_to_no_point():
    sigma = np.ma.array(np.eye(9), mask=np.eye(9) > 0)
    with pytest.raises(TypeError, match="sigma must not be masked unless"):
        tw.curve_fit(line, X, Y, sigma=sigma)
    with pytest.raises(TypeError, match="xdata must not be masked unless"):
        tw.curve_fit(lambda x, a, b: a + b * X, np.ma.array([1.0, 2.0], mask=[0, 1]), Y)


def test_a_mask_without_anything_masked_changes_nothing():
    r = tw.fit(line, np.ma.array(X), np.ma.array(Y), np.ma.array([1.0, 1.0]))
    np.testing.assert_array_equal(r.params, tw.fit(line, X, Y, [1.0, 1.0]).params)


@pytest.mark.parametrize("axis", [-1, 0])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_one_element_along_an_axis_counts_for_all_of_it(axis, dtype):
    x = np.linspace(0, 4, 12)
    y = np.random.default_rng(2).uniform(1, 3, (3, 4, 1)) * np.exp(-x) + 0.1
    mask, sigma = np.zeros((3, 4, 1), bool), np.linspace(1, 2, 3)[:, None, None] * np.ones(12)
    mask[1, 2] = True
    whole_mask, whole_sigma = np.repeat(mask, 12, -1), np.broadcast_to(sigma, y.shape)

    def fitted(*arrays):
        y, mask, sigma = (np.moveaxis(a, -1, axis) for a in arrays)
        start = {"a": 1.0, "c": 0.0}
        return tw.fit("a*exp(-x) + c", x, y, start, mask=mask, sigma=sigma, axis=axis, dtype=dtype)

    some, all_of_it = fitted(y, mask, sigma), fitted(y, whole_mask, whole_sigma)
    assert (some.n_used == np.where(mask[..., 0], 0, 12)).all()
    for name in ("params", "chi2", "stderr", "status"):
        np.testing.assert_array_equal(getattr(some, name), getattr(all_of_it, name))
    with pytest.raises(ValueError, match="mask must have shape"):
        fitted(y, mask[:, :3], sigma)
