"""What is wrong with shared parameters is told in one sentence."""

import numpy as np
import pytest
from shared_cases import decay

import thalweg as tw

T = np.linspace(0, 5, 20)
Y = decay(T, np.array([[1.0], [2.0], [3.0]]), 1.5, 0.2)
FOR_ONE = np.array([[0, 1, 0], [0, 0, 0], [0, 0, 0]], bool)
P0 = {"a": 1.0, "tau": 1.0, "c": 0.0}


def refuses(message, error=ValueError, y=Y, model=decay, p0=P0, **options):
    with pytest.raises(error, match=message):
        tw.fit(model, T, y, p0, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shared": "tua"}, "shared names 'tua'"),
        ({"shared": ["tau", "b"]}, "shared names 'b'"),
        ({"shared": []}, "shared names no parameter"),
        ({"shared": ["tau", "tau"]}, "shared names 'tau' twice"),
        ({"shared": "tau", "fixed": ["tau"]}, "shared names 'tau', which is fixed"),
        ({"shared": "tau", "fixed": FOR_ONE}, "shared names 'tau', which is fixed"),
        ({"shared": "tau", "tied": {"tau": "2*a"}}, "shared names 'tau', which is tied to '2.a'"),
        ({"groups": [0, 0, 1]}, "say which ones by shared"),
        ({"shared": "tau", "groups": [0, 1]}, r"groups must have a label for each data set, shape"),
        ({"shared": "tau", "groups": 3}, r"groups must have a label for each data set"),
        ({"shared": "tau", "groups": "abc"}, r"groups must have a label for each data set"),
        (
            {"shared": "tau", "groups": np.ma.array([0, 1, 1], mask=[0, 1, 0])},
            "data set 1: it is masked",
        ),
        ({"shared": "tau", "groups": [0, 1, None]}, "groups has no label for data set 2: None"),
        ({"shared": "tau", "groups": [0, 1, np.nan]}, "groups has no label for data set 2: nan"),
    ],
)
def test_wrong_arguments_are_refused(options, message):
    refuses(message, **options)


def test_wrong_types_are_refused():
    refuses("shared must hold names of parameters, got 1", TypeError, shared=[1])
    refuses(
        "groups must hold labels that can be compared", TypeError, shared="tau", groups=[{}, 1, 2]
    )


def test_one_data_set_has_nothing_to_share():
    refuses("shared needs an axis of data sets in y", y=Y[0], shared="tau")


@pytest.mark.filterwarnings("ignore::thalweg.SlowModelWarning")
def test_a_model_that_python_evaluates_is_refused():
    def model(t, a, tau, c):
        return np.array([decay(float(s), float(a), float(tau), float(c)) for s in t])

    refuses("shared parameters need a model that can be recorded", model=model, shared="tau")


def test_what_is_refused_changes_nothing_of_the_users():
    start, labels = np.tile([1.0, 1.0, 0.0], (3, 1)), np.array(["a", "b", "a"])
    copies = start.copy(), labels.copy(), Y.copy()
    tw.fit(decay, T, Y, start, shared="tau", groups=labels)
    for now, before in zip((start, labels, Y), copies, strict=True):
        np.testing.assert_array_equal(now, before)


@pytest.mark.parametrize(
    "labels",
    [
        ["x", "y", "x"],
        (1, 2, 1),
        np.array([1.5, 2.5, 1.5]),
        [("a", 1), ("b", 1), ("a", 1)],
        np.array([True, False, True]),
        np.array(["2020-01-01", "2020-01-02", "2020-01-01"], "datetime64[D]"),
        ["x", 1, "x"],
    ],
)
def test_labels_may_be_of_any_kind(labels):
    r = tw.fit(decay, T, Y, P0, shared="tau", groups=labels)
    np.testing.assert_array_equal(r.groups.number, [0, 1, 0])
    assert r.success.all()


def test_an_empty_batch_has_no_groups():
    r = tw.fit(decay, T, np.empty((0, 20)), P0, shared="tau")
    assert r.params.shape == (0, 3)
    r = tw.fit(decay, T, np.empty((4, 0, 20)), P0, shared="tau")
    assert r.params.shape == (4, 0, 3)
