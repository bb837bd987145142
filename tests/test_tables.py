"""One fit for each group, column or row of a table, of pandas and of polars."""

from datetime import date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from frame_cases import LIBRARIES, START, column, decay, frame, samples

import thalweg as tw
from thalweg.scale.tables import fit_table, fit_wide

both = pytest.mark.parametrize("library", LIBRARIES)


@both
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_groups", [1, 7, 8, 9, 16, 17])
def test_each_group_has_the_fit_of_its_rows_alone(library, n_groups, dtype, threads):
    data = samples(n_groups, dtype=dtype)
    table = frame(library, data)
    fits = fit_table(
        *(table, decay, "t", "signal"), by="sample", p0=START, dtype=dtype, threads=threads
    )
    keys = column(fits.table, "sample")
    assert keys.tolist() == sorted(set(data["sample"].tolist()))
    assert type(fits.table).__module__.startswith(library[:3].replace("laz", "pol"))
    for k, key in enumerate(keys):
        at = data["sample"] == key
        one = tw.fit(decay, data["t"][at], data["signal"][at], START, dtype=dtype)
        np.testing.assert_array_equal(fits.result.params[k], one.params)
        for j, name in enumerate(START):
            assert column(fits.table, name)[k] == one[name]
            assert column(fits.table, f"{name}_stderr")[k] == one.stderr[j]
        for name in ("chi2", "dof", "n_used", "status"):
            assert column(fits.table, name)[k] == getattr(one, name)
        assert column(fits.table, "reason")[k] == tw.Status(one.status).name.lower()
        np.testing.assert_array_equal(fits.result[k].fitted, one.fitted)
    unsorted = fit_table(table, decay, "t", "signal", by="sample", sort=False, p0=START)
    assert column(unsorted.table, "sample").tolist() == list(dict.fromkeys(data["sample"].tolist()))


@both
def test_several_keys_and_one_data_set(library):
    data = samples(6)
    data["channel"] = np.where(np.arange(len(data["t"])) % 2, "red", "blue")
    by = ["channel", "sample"]
    fits = fit_table(frame(library, data), decay, "t", "signal", by=by, p0=START)
    pairs = list(zip(*(column(fits.table, name).tolist() for name in by), strict=True))
    assert pairs == sorted(set(zip(data["channel"].tolist(), data["sample"].tolist(), strict=True)))
    at = (data["channel"] == "red") & (data["sample"] == pairs[-1][1])
    one = tw.fit(decay, data["t"][at], data["signal"][at], START)
    np.testing.assert_array_equal(fits.result.params[-1], one.params)
    alone = fit_table(frame(library, data), decay, "t", "signal", p0=START)
    assert len(alone.table) == 1
    assert column(alone.table, "tau")[0] == tw.fit(decay, data["t"], data["signal"], START)["tau"]


@both
def test_missing_keys(library):
    data = samples(3)
    keys = [None if k % 9 == 0 else str(s) for k, s in enumerate(data["sample"].tolist())]
    table = frame(library, {**data, "sample": keys})
    dropped = fit_table(table, decay, "t", "signal", by="sample", p0=START)
    kept = fit_table(table, decay, "t", "signal", by="sample", p0=START, dropna=False)
    assert len(dropped.table) == 3 and len(kept.table) == 4
    n_missing = keys.count(None)
    missing = [k is None or k != k for k in column(kept.table, "sample").tolist()]
    assert sum(missing) == 1 and kept.result.n_used[missing.index(True)] == n_missing
    assert dropped.result.n_used.sum() == len(keys) - n_missing
    floats = [np.nan if k is None else float(k) for k in keys]
    of_floats = fit_table(
        *(frame(library, {**data, "sample": floats}), decay, "t", "signal"), by="sample", p0=START
    )
    assert sorted(of_floats.result["tau"]) == sorted(dropped.result["tau"])
    disorder = fit_table(
        *(table, decay, "t", "signal"), by="sample", sort=False, dropna=False, p0=START
    )
    order = [None if k != k else k for k in column(disorder.table, "sample").tolist()]
    assert order == list(dict.fromkeys(keys))
    for k, key in enumerate(order):
        assert disorder.result.n_used[k] == keys.count(key)


@both
def test_missing_values_masks_and_sigma_leave_rows_out(library):
    data = samples(2)
    n = len(data["t"])
    t, y = data["t"].tolist(), data["signal"].tolist()
    sigma, mask = [0.05] * n, [False] * n
    t[3], y[5], y[6], sigma[7], mask[8], mask[9] = None, None, np.nan, None, True, None
    left = np.isin(np.arange(n), [3, 5, 6, 7, 8, 9])
    table = frame(library, {**data, "t": t, "signal": y, "sigma": sigma, "bad": mask})
    fits = fit_table(
        *(table, decay, "t", "signal"), by="sample", sigma="sigma", mask="bad", p0=START
    )
    for k, key in enumerate(column(fits.table, "sample")):
        at = (data["sample"] == key) & ~left
        one = tw.fit(decay, data["t"][at], data["signal"][at], START, sigma=np.full(at.sum(), 0.05))
        assert fits.result.n_used[k] == at.sum()
        np.testing.assert_allclose(fits.result.params[k], one.params, rtol=1e-8)


@both
def test_numbers_of_every_type(library):
    data = {"t": [0, 1, 2, 3, 4, 5], "signal": [1, 3, 5, 7, 9, 12]}
    one = tw.fit("b*x + d", np.arange(6.0), np.array(data["signal"], float), [1, 0])
    kinds = [
        data,
        {**data, "t": np.arange(6, dtype=np.uint8)},
        {**data, "signal": [Decimal(v) for v in data["signal"]]},
        {**data, "signal": np.array(data["signal"], np.float32)},
    ]
    if library == "pandas":
        kinds += [
            {**data, "t": pd.array(data["t"], dtype="Int64")},
            {**data, "signal": pd.array(data["signal"], dtype="Float64")},
            {**data, "t": pd.Categorical(data["t"])},
            {**data, "signal": pd.Series(data["signal"], dtype=object)},
        ]
    for kind in kinds:
        fits = fit_table(frame(library, kind), "b*x + d", "t", "signal", p0=[1, 0])
        np.testing.assert_array_equal(fits.result.params[0], one.params)
    holes = {"t": data["t"], "signal": [Decimal(1), None, *map(Decimal, (5, 7, 9, 12))]}
    assert fit_table(frame(library, holes), "b*x + d", "t", "signal", p0=[1, 0]).result.n_used == 5


DAY = 86_400.0


@both
@pytest.mark.parametrize("kind", ["datetime", "zone", "date", "duration"])
def test_dates_count_seconds_from_the_earliest(library, kind):
    days = [3, 0, 1, 2, 5]
    if kind == "date":
        x = [date(2024, 2, 27) + timedelta(days=d) for d in days]
    elif kind == "duration":
        x = [timedelta(days=d) for d in days]
    else:
        x = [datetime(2024, 2, 27, 12) + timedelta(days=d) for d in days]
        x = pd.Series(x).dt.tz_localize("Europe/Berlin") if kind == "zone" else x
        x = x if library == "pandas" else [v.to_pydatetime() for v in pd.Series(x)]
    table = frame(library, {"when": x, "signal": [3.0 * d + 1 for d in days]})
    fits = fit_table(table, "b*x + d", "when", "signal", p0=[1, 0])
    np.testing.assert_allclose(fits.result.params[0], [3 / DAY, 1], rtol=1e-9)
    if kind == "duration":
        assert fits.first is None
    else:
        assert str(fits.first).startswith("2024-02-27")
        with pytest.raises(TypeError, match="the column 'when' holds dates; only x may"):
            fit_table(table, "b*x + d", "signal", "when", p0=[1, 0])
    if library == "pandas" and kind == "date":  # a period counts from where it begins
        table["when"] = pd.PeriodIndex(x, freq="D")
        of_periods = fit_table(table, "b*x + d", "when", "signal", p0=[1, 0])
        np.testing.assert_array_equal(of_periods.result.params, fits.result.params)
    gap = frame(library, {"when": [*x[:2], None, *x[3:]], "signal": [10.0, 1, 4, 7, 16]})
    assert fit_table(gap, "b*x + d", "when", "signal", p0=[1, 0]).result.n_used == 4


@both
def test_several_variables_and_formulas_of_columns(library):
    data = samples(3)
    data["dose"] = np.random.default_rng(2).uniform(1, 2, len(data["t"]))
    table = frame(library, data)

    def scaled(x, a, tau):
        return a * x[1] * np.exp(-x[0] / tau)

    p0 = {"a": 1, "tau": 2}
    one = fit_table(table, scaled, ["t", "dose"], "signal", by="sample", p0=p0)
    two = fit_table(*(table, "a*dose*exp(-t/tau)", ["t", "dose"], "signal"), by="sample", p0=p0)
    np.testing.assert_allclose(one.result.params, two.result.params, rtol=1e-9)
    plain = fit_table(table, "a*exp(-x/tau)", "t", "signal", by="sample", p0=p0)
    named = fit_table(table, "a*exp(-t/tau)", "t", "signal", by="sample", p0=p0)
    np.testing.assert_array_equal(plain.result.params, named.result.params)
    built_in = fit_table(table, "exponential", "t", "signal", by="sample")
    assert built_in.result.success.all()


@both
def test_values_for_each_group_are_in_the_order_of_the_groups(library):
    data = samples(5)
    p0 = np.array(list(START.values())) * np.linspace(0.9, 1.1, 5)[:, None]
    fits = fit_table(frame(library, data), decay, "t", "signal", by="sample", p0=p0)
    for k, key in enumerate(column(fits.table, "sample")):
        at = data["sample"] == key
        one = tw.fit(decay, data["t"][at], data["signal"][at], p0[k])
        np.testing.assert_array_equal(fits.result.params[k], one.params)


@both
def test_empty_tables_and_groups_of_few_points(library):
    data = {"key": [1, 1, 1, 1, 2], "t": [0.0, 1, 2, 3, 4], "signal": [3.0, 2, 1.5, 1.4, 1]}
    fits = fit_table(frame(library, data), decay, "t", "signal", by="key", p0=START)
    assert fits.result.status[1] == tw.Status.TOO_FEW_POINTS
    assert column(fits.table, "reason")[1] == "too_few_points"
    nothing = {name: np.array(values)[:0] for name, values in data.items()}
    empty = fit_table(frame(library, nothing), decay, "t", "signal", by="key", p0=START)
    assert len(empty.table) == 0 and empty.result.params.shape == (0, 3)
    assert "tau" in empty.table.columns


@both
def test_wide_tables(library):
    x = np.array([0.0, 1, 2, 4])
    wide = frame(library, {"t": x, "one": 2 * x + 1, "two": 3 - x, "note": list("abcd")})
    fits = fit_wide(wide, "b*t + d", "t", p0=[1, 0])
    np.testing.assert_allclose(column(fits.table, "b"), [2, -1], rtol=1e-9)
    assert fits.result.fitted.shape == (2, 4)
    picked = fit_wide(wide, "b*t + d", "t", y=["two"], p0=[1, 0])
    np.testing.assert_array_equal(picked.result.params[0], fits.result.params[1])
    rows = frame(library, {"0": [1.0, 3], "1": [3.0, 2], "2": [5.0, None], "who": ["u", "v"]})
    of_rows = fit_wide(rows, "b*x + d", rows=True, by="who", p0=[1, 0])
    assert column(of_rows.table, "who").tolist() == ["u", "v"]
    np.testing.assert_allclose(column(of_rows.table, "b"), [2, -1], rtol=1e-9)
    assert of_rows.result.n_used.tolist() == [3, 2]
    at = fit_wide(rows, "b*x + d", [0.0, 2, 4], rows=True, p0=[1, 0])
    np.testing.assert_allclose(column(at.table, "b"), [1, -0.5], rtol=1e-9)
    if library == "pandas":
        indexed = fit_wide(wide.set_index("t"), "b*t + d", p0=[1, 0])
        np.testing.assert_array_equal(indexed.result.params, fits.result.params)
        assert indexed.table.index.tolist() == ["one", "two"]
    else:
        with pytest.raises(ValueError, match="polars has no index"):
            fit_wide(wide, "b*t + d", p0=[1, 0])


@both
@pytest.mark.parametrize(
    "arguments, error, words",
    [
        (("t", "signl"), ValueError, "has no column 'signl'.*did you mean 'signal'"),
        (("time", "signal"), ValueError, "the table has no column 'time'"),
        (("t", "signal", "grp"), ValueError, "no column 'grp'"),
        (("t", "note"), TypeError, "the column 'note' must hold numbers"),
        (("note", "signal"), TypeError, "the column 'note' must hold numbers"),
        (("t", "signal", "tau"), ValueError, "'tau' is the name of a key and of a number"),
    ],
)
def test_refusals(library, arguments, error, words):
    data = {**samples(2), "note": ["a"] * len(samples(2)["t"])}
    data["tau"] = data["sample"]
    with pytest.raises(error, match=words):
        fit_table(frame(library, data), decay, *arguments, p0=START)


def test_levels_of_an_index_are_columns():
    table = frame("pandas", samples(3))
    expected = fit_table(table, decay, "t", "signal", "sample", p0=START)
    for levels in (["sample"], ["t"], ["sample", "t"], ["t", "sample"]):
        fits = fit_table(table.set_index(levels), decay, "t", "signal", "sample", p0=START)
        assert fits.table.equals(expected.table)


@both
@pytest.mark.parametrize("x", [np.arange(3.0), ["t", "signal"]])
def test_the_x_of_wide_columns_is_a_name(library, x):
    table = frame(library, {"t": [0.0, 1, 2], "signal": [1.0, 2, 3]})
    with pytest.raises(TypeError, match="x must name a column of the table, or with rows=True"):
        fit_wide(table, "b*t + d", x, p0=[1, 0])


@both
def test_further_refusals(library):
    data = {"t": [0.0, 1, 2], "signal": [1.0, 2, 3], "bad": [0, 2, 1]}
    table = frame(library, data)
    with pytest.raises(TypeError, match="'bad' is to be a mask, but does not hold booleans"):
        fit_table(table, "b*t + d", "t", "signal", mask="bad", p0=[1, 0])
    with pytest.raises(TypeError, match="has no argument 'maxiter'; did you mean max_iter"):
        fit_table(table, "b*t + d", "t", "signal", p0=[1, 0], maxiter=3)
    with pytest.raises(ValueError, match="give rows=True"):
        fit_wide(table, "b*t + d", "t", by="bad", p0=[1, 0])
    with pytest.raises(ValueError, match="labels that are no numbers"):
        fit_wide(table, "b*x + d", rows=True, p0=[1, 0])
    with pytest.raises(ValueError, match="no columns of numbers"):
        fit_wide(frame(library, {"t": [0.0, 1]}), "b*t + d", "t", p0=[1, 0])
    with pytest.raises(TypeError, match="must be a DataFrame of pandas or polars, got dict"):
        fit_table(data, "b*t + d", "t", "signal", p0=[1, 0])


def test_columns_of_one_name_are_refused():
    table = pd.DataFrame([[0.0, 1, 2]] * 4, columns=["t", "y", "y"])
    with pytest.raises(ValueError, match="the table has 2 columns 'y': rename one"):
        fit_table(table, "b*t + d", "t", "y", p0=[1, 0])


def test_keys_that_are_categories():
    data = samples(3)
    kinds = pd.Categorical([f"s{k}" for k in data["sample"]], categories=["s14", "s0", "s7", "no"])
    table = pd.DataFrame({**data, "sample": kinds})
    fits = fit_table(table, decay, "t", "signal", by="sample", p0=START)
    assert fits.table.index.tolist() == ["s14", "s0", "s7"] and fits.result.success.all()


@both
def test_a_result_is_shown_and_the_table_is_left_alone(library):
    data = samples(2)
    table = frame(library, data)
    before = table.copy() if library == "pandas" else table.clone()
    fits = fit_table(table, decay, "t", "signal", by="sample", p0=START)
    assert repr(fits) == repr(fits.table) and "<table" in fits._repr_html_()
    if library == "pandas":
        pd.testing.assert_frame_equal(before, table)
    elif library == "polars":
        assert before.equals(table)
