"""Options of each data set, in every form that `thalweg.fit` takes, wherever a batch is cut."""

import numpy as np
import pytest

import thalweg as tw

B, N = 4, 30
T = np.linspace(0, 5, N)
Y = np.outer([1.0, 2.0, 3.0, 4.0], np.exp(-T / 2)) + np.random.default_rng(0).normal(
    0, 0.01, (B, N)
)
LOW, HIGH = np.array([[0.1 * k, 0.0] for k in range(B)]), np.full((B, 2), [2.5, 9.0])
CALL = {"independent": "t", "model": "a*exp(-t/tau)", "x": T}


def sides(low, high):
    """As `scipy.optimize.Bounds` has them."""
    return type("Bounds", (), {"lb": low, "ub": high})()


FORMS = {
    "none": {"bounds": None},
    "numbers": {"bounds": (0, 2.5)},
    "None for a side": {"bounds": (0, None)},
    "a list": {"bounds": [0, 2.5]},
    "sides of parameters": {"bounds": ([0, 0], [2.5, 9])},
    "sides of each": {"bounds": (LOW, HIGH)},
    "a list of sides of each": {"bounds": [LOW, HIGH]},
    "an array": {"bounds": np.stack([LOW, HIGH])},
    "one side of each": {"bounds": (0, HIGH)},
    "by name": {"bounds": {"a": (0, 2.5)}},
    "by name, no bounds": {"bounds": {"a": None, "tau": (None, 9)}},
    "by name, of each": {"bounds": {"a": [0, HIGH[:, 0]]}},
    "SciPy's": {"bounds": sides(np.zeros(2), HIGH[0])},
    "SciPy's, one for all": {"bounds": sides(np.zeros(1), np.full(1, 9.0))},
    "SciPy's, of each": {"bounds": sides(LOW, HIGH)},
    "p0 of each": {"p0": np.tile([1.0, 2.0], (B, 1))},
    "p0 by name": {"p0": {"a": np.arange(1.0, 5.0), "tau": 1}},
    "fixed names": {"fixed": ["tau"]},
    "fixed values": {"fixed": {"tau": np.full(B, 2.0)}},
    "fixed of each": {"fixed": np.tile([False, True], (B, 1))},
    "f_scale of each": {"robust": "huber", "f_scale": np.linspace(0.01, 0.04, B)},
}


def in_memory(options):
    return tw.fit(y=Y, **CALL, **options).params


def ragged(options):
    flat = {**CALL, "x": np.tile(T, B)}
    return tw.fit(y=Y.ravel(), offsets=N * np.arange(B + 1), **flat, **options).params


def of_dask(options):
    da = pytest.importorskip("dask.array")
    from thalweg.scale.dask import fit

    return fit(y=da.from_array(Y, chunks=(3, N)), **CALL, **options).params.compute()


def stored(options, folder):
    pytest.importorskip("zarr", minversion="3")
    return np.asarray(tw.fit(y=Y, **CALL, **options, out=folder / "r.zarr", chunk=3).params)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_means_the_same_for_parts_of_a_batch(form, tmp_path):
    options = {"p0": [1.0, 1.0], **FORMS[form]}
    want = in_memory(options)
    assert np.isfinite(want).all()
    np.testing.assert_array_equal(ragged(options), want)
    np.testing.assert_array_equal(of_dask(options), want)
    np.testing.assert_array_equal(stored(options, tmp_path), want)


def test_lazy_sides_may_stand_in_a_list():
    da = pytest.importorskip("dask.array")
    want = in_memory({"p0": [1.0, 1.0], "bounds": (LOW, HIGH)})
    lazy = [da.from_array(side, chunks=2) for side in (LOW, HIGH)]
    for bounds in (lazy, tuple(lazy)):
        np.testing.assert_array_equal(of_dask({"p0": [1.0, 1.0], "bounds": bounds}), want)
