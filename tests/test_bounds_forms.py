"""Every form in which bounds are written means the same; what could mean two things is refused."""

import numpy as np
import pytest
import scipy.optimize

import thalweg as tw
from thalweg._arguments.bounds import bounds_of_one

NAMES = ("a", "b")
LOWER, UPPER = [0.0, -np.inf], [np.inf, 5.0]

ONE_MEANING = {
    "lists": ([0, -np.inf], [np.inf, 5]),
    "None in lists": ([0, None], [None, 5]),
    "None in tuples": (np.array([0, None], object), np.array([None, 5], object)),
    "arrays": (np.array(LOWER), np.array(UPPER)),
    "float32": (np.array(LOWER, np.float32), np.array(UPPER, np.float32)),
    "a list of arrays": [np.array(LOWER), np.array(UPPER)],
    "names": {"a": (0, None), "b": (None, 5)},
    "infinite": {"a": (0, np.inf), "b": (-np.inf, 5)},
    "an array of a name": {"a": np.array([0, np.inf]), "b": [None, 5]},
    "Bounds": scipy.optimize.Bounds([0, -np.inf], [np.inf, 5]),
    "unmasked": (np.ma.array(LOWER), np.ma.array(UPPER, mask=[False, False])),
}


@pytest.mark.parametrize("bounds", ONE_MEANING.values(), ids=ONE_MEANING.keys())
def test_all_forms_say_the_same(bounds):
    lower, upper = bounds_of_one(bounds, 2, NAMES)
    np.testing.assert_array_equal(lower, LOWER)
    np.testing.assert_array_equal(upper, UPPER)


@pytest.mark.parametrize(
    ("bounds", "lower", "upper"),
    [
        (None, [-np.inf] * 2, [np.inf] * 2),
        ((None, None), [-np.inf] * 2, [np.inf] * 2),
        ((0, None), [0, 0], [np.inf] * 2),
        ((None, 1), [-np.inf] * 2, [1, 1]),
        ((0, [1, None]), [0, 0], [1, np.inf]),
        ({"a": None}, [-np.inf] * 2, [np.inf] * 2),
        ({}, [-np.inf] * 2, [np.inf] * 2),
        (scipy.optimize.Bounds(0, 1), [0, 0], [1, 1]),
        (scipy.optimize.Bounds(), [-np.inf] * 2, [np.inf] * 2),
        # no pairs: their first would be empty, or be one number that nobody bounds
        ([(0, 0), (10, 5)], [0, 0], [10, 5]),
        ([(1, 0), (2, 3)], [1, 0], [2, 3]),
        (((0, 0), (5, 10)), [0, 0], [5, 10]),
    ],
)
def test_what_is_not_there_is_no_bound(bounds, lower, upper):
    got = bounds_of_one(bounds, 2, NAMES)
    np.testing.assert_array_equal(got, (lower, upper))


PAIRS = [
    [(0, 1), (0, 5)],
    ((0, 1), (0, 5)),
    [[0, 1], [0, 5]],
    [[0, 1], (0, 5)],
    [(0, 1), (0, 1)],
    [(0, None), (0, 5)],
    np.array([[0, 1], [0, 5]]),
    [(0, 5), (0, 1)],
]


@pytest.mark.parametrize("bounds", PAIRS, ids=str)
def test_two_pairs_for_two_parameters_are_refused_with_both_readings(bounds):
    with pytest.raises(ValueError, match=r"may mean 0 <= a <= .* and 0 <= b <= .*, or 0 <= a") as e:
        bounds_of_one(bounds, 2, NAMES)
    assert str(e.value).count("bounds=([") == 2
    x = np.arange(5.0)
    with pytest.raises(ValueError, match="bounds may mean"):
        tw.fit(lambda x, a, b: a * x + b, x, x, p0=[0.0, 0.5], bounds=bounds)


def test_each_reading_that_is_written_out_is_taken():
    with pytest.raises(ValueError) as caught:
        bounds_of_one([(0, 1), (2, 5)], 2, NAMES)
    written = [part.split(")")[0] for part in str(caught.value).split("bounds=(")[1:]]
    assert written == ["[0.0, 2.0], [1.0, 5.0]", "[0.0, 1.0], [2.0, 5.0]"]
    np.testing.assert_array_equal(bounds_of_one(([0, 2], [1, 5]), 2), ([0, 2], [1, 5]))
    np.testing.assert_array_equal(bounds_of_one(([0, 1], [2, 5]), 2), ([0, 1], [2, 5]))


@pytest.mark.parametrize("n_params", [1, 3, 4])
def test_pairs_for_other_numbers_of_parameters_are_refused_with_the_form_to_write(n_params):
    with pytest.raises(ValueError, match=r"one pair per parameter; write bounds=\(\[0.0"):
        bounds_of_one([(0, 1)] * n_params, n_params)


@pytest.mark.parametrize(
    ("bounds", "sentence"),
    [
        (([0, np.nan], 1), "the lower bound of b is NaN; for no bound give None or -inf"),
        ((0, [1, np.nan]), "the upper bound of b is NaN; for no bound give None or inf"),
        ({"a": (np.nan, 1)}, "the lower bound of a is NaN"),
        (scipy.optimize.Bounds([0, np.nan], [1, 1]), "the lower bound of b is NaN"),
        (([0, 2], [1, 1]), "the lower bound of b exceeds the upper one: 2.0 > 1.0"),
        ((np.inf, np.inf), r"the bounds of a hold no number: \[inf, inf\]"),
        (3.0, "bounds must be a pair"),
        ((1, 2, 3), "bounds must be a pair"),
        ("ab", "bounds must be numbers|lower bounds must be numbers"),
        (([0, 0, 0], 1), r"lower bounds must have shape \(\) or \(P=2,\), got \(3,\)"),
        ({"c": (0, 1)}, "bounds names 'c'"),
        ({"a": 3.0}, r"bounds\['a'\] must be a pair"),
        ((np.ma.array([0, 0.0], mask=[0, 1]), 1), "lower bounds must not be masked"),
        ((0, np.ma.array([1, 1.0], mask=[0, 1])), "upper bounds must not be masked"),
    ],
)
def test_what_is_no_interval_is_refused_by_fit_and_curve_fit_alike(bounds, sentence):
    x = np.arange(5.0)
    calls = (
        lambda: bounds_of_one(bounds, 2, NAMES),
        lambda: tw.curve_fit(lambda x, a, b: a * x + b, x, x, [0.5, 0.5], bounds=bounds),
        lambda: tw.fit(lambda x, a, b: a * x + b, x, x, [0.5, 0.5], bounds=bounds),
    )
    for call in calls:
        with pytest.raises((ValueError, TypeError), match=sentence.replace(r"\(\) or ", ".*")):
            call()


def test_parameters_without_names_take_no_dict():
    with pytest.raises(ValueError, match="have no names"):
        bounds_of_one({"a": (0, 1)}, 2)
    with pytest.raises(ValueError, match="the lower bound of parameter 1 exceeds"):
        bounds_of_one(([0, 2], 1), 2)


def test_curve_fit_reads_two_pairs_as_scipy_does_where_that_leaves_every_parameter_a_value():
    x = np.arange(6.0)

    def line(x, a, b):
        return a * x + b

    bounds = [(0, -1), (5, 10)]
    got = tw.curve_fit(line, x, 2 * x + 1, bounds=bounds)[0]
    np.testing.assert_allclose(got, scipy.optimize.curve_fit(line, x, 2 * x + 1, bounds=bounds)[0])
    np.testing.assert_array_equal(
        bounds_of_one([(0, 1), (5, 10)], 2, as_scipy=True), ([0, 1], [5, 10])
    )
    with pytest.raises(ValueError, match="bounds may mean"):  # as SciPy does: lower < upper
        tw.curve_fit(line, x, x, bounds=[(0, 1), (0, 5)])


def test_a_nan_among_the_bounds_of_one_fit_is_its_status():
    x = np.arange(6.0)
    lower = np.zeros((2, 2))
    lower[1, 0] = np.nan
    r = tw.fit("a*x + b", x, [x, x], p0={"a": 1, "b": 1}, bounds=(lower, 9.0))
    assert r.success.tolist() == [True, False]
    assert r.status[1] == tw.Status.BAD_BOUNDS
