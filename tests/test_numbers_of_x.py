"""A model that reads its x as a whole gives the same bits alone, in a batch and in its pieces."""

import numpy as np
import pytest

import thalweg as tw
from thalweg.model.trace import RecordingError, record

N = 23
FIELDS = ("params", "chi2", "cov", "status", "n_iter", "n_used")


def from_the_first(t, a, tau):
    return a * np.exp(-(t - t[0]) / tau)


def about_the_mean(t, a, b):
    return 2.0 * a * t.mean() + b * (t - t.max()) * 0.5


def in_steady_state(t, a, tau, c):
    return a * np.exp(-t / tau) / (1 - np.exp(-(0.5 + t[-1]) / tau)) + c * t[1] ** 2


def of_a_period(t, a, b, c):
    return a * np.cos(b + t / np.ptp(t)) + c**2 * t.std()


def per_step(t, a, tau):
    return np.convolve(a * np.exp(-t / tau), [0.5, 0.3, 0.2])[: len(t)] * (t[1] - t[0])


def by_its_sign(t, a, b):
    return a + b * (t - np.median(t)) / np.std(t) + (0.1 if t[0] < 0 else 0.2) * a * t.sum()


MODELS = {
    from_the_first: (1.0, 2.0),
    about_the_mean: (1.0, 1.0),
    in_steady_state: (1.0, 2.0, 0.5),
    of_a_period: (1.0, 0.3, 1.0),
    per_step: (1.0, 2.0),
    by_its_sign: (1.0, 1.0),
}


def axes(n_fits, dtype):
    """An x for each data set: some start at 0, 1 or 2, which are constants of formulas, too."""
    rows = [np.linspace(k % 3, 4 + 0.37 * k, N) * (1 + 0.1 * (k % 2)) for k in range(n_fits)]
    return np.array(rows, dtype)


def data_of(model, x, seed=0):
    """Noisy values of a model on each x, in the type of x."""
    rng = np.random.default_rng(seed)
    theta = np.array(MODELS[model]) * rng.uniform(0.8, 1.2, (len(x), len(MODELS[model])))
    y = [model(t.astype(float), *p) for t, p in zip(x, theta, strict=True)]
    return (np.array(y) + rng.normal(0, 0.02, x.shape)).astype(x.dtype)


def assert_same_bits(result, k, other, j=()):
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(result, name)[k], getattr(other, name)[j], name)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_data_set_has_the_bits_in_a_batch_that_it_has_alone(model, dtype):
    x = axes(9, dtype)
    y = data_of(model, x)
    p0 = MODELS[model]
    batch = tw.fit(model, x, y, p0=p0)
    assert batch.success.all()
    piece = tw.fit(model, x[3:5], y[3:5], p0=p0)
    for k in range(len(x)):
        assert_same_bits(batch, k, tw.fit(model, x[k], y[k], p0=p0))
    assert_same_bits(batch, slice(3, 5), piece, slice(None))
    assert_same_bits(batch, 7, tw.fit(model, x[7:8], y[7:8], p0=p0), 0)
    assert_same_bits(batch, 7, tw.fit(model, x[7], y[[7, 7]], p0=p0), 1)  # x that all fits share


def test_data_sets_of_several_lengths_have_the_bits_they_have_alone():
    x = [row[: N - k % 3] for k, row in enumerate(axes(9, float))]
    y = [from_the_first(t, 1.0, 2.0) + 0.01 * np.sin(7 * t) for t in x]
    batch = tw.fit(from_the_first, x, y, p0=(1, 1))
    for k in range(len(x)):
        assert_same_bits(batch, k, tw.fit(from_the_first, x[k], y[k], p0=(1, 1)))


@pytest.mark.parametrize("missing", [0, 5, N - 1])
def test_points_without_x_do_not_change_what_is_read(missing):
    x = axes(3, float)
    y = data_of(from_the_first, x)
    x[1, missing] = np.nan
    batch = tw.fit(from_the_first, x, y, p0=(1, 1))
    assert_same_bits(batch, 1, tw.fit(from_the_first, x[1], y[1], p0=(1, 1)))


def constants_and_arrays(model, x):
    P = len(MODELS.get(model, (1.0, 1.0)))
    recording = record(model, 1, P, len(x), single=True, data=[x])
    constants = {node[1] for node in recording.graph.nodes if node[0] == "const"}
    return constants, [array[0] for array in recording.arrays]


def test_numbers_of_x_are_arrays_and_those_of_the_formula_constants():
    x = np.linspace(2.0, 5.0, N)  # its first value is the exponent and the factor of the formula

    def model(t, a, b):
        return 2.0 * a**2 * t[0] + b * (t - t.mean())

    constants, arrays = constants_and_arrays(model, x)
    assert 2.0 in constants
    assert arrays == [2.0, x.mean()]


@pytest.mark.parametrize(
    "read",
    [
        lambda t: t[0],
        lambda t: t[0] / t[-1],
        lambda t: t[1] - t[0],
        lambda t: (t[1] - t[0]) / (t[-1] - t[-2]),
        lambda t: np.median(t) / np.mean(t),
        lambda t: np.std(t) / np.ptp(t),
    ],
)
@pytest.mark.parametrize("x", [np.linspace(0, 1, N), np.geomspace(1, 9, N), 1e9 + np.arange(N)])
def test_no_common_ratio_of_values_of_x_is_taken_for_a_constant(read, x):
    def model(t, a, b):
        return a * read(t) + b * t

    assert constants_and_arrays(model, x)[1] == [read(x)]


@pytest.mark.parametrize("x", [np.zeros(5), np.full(5, 3.0), np.array([7.0]), np.full(5, np.nan)])
def test_an_x_of_one_value_is_moved_too(x):
    def model(t, a, b):
        return a * t[0] + b

    if np.isnan(x).all():  # nothing is known that could be read
        with pytest.raises(RecordingError, match="IndexError"):
            constants_and_arrays(model, x)
    else:
        assert constants_and_arrays(model, x)[1] == [x[0]]


def test_a_model_that_fails_on_another_x_is_recorded_on_its_own():
    x = np.linspace(0, 1, N)

    def model(t, a, b):
        if t[-1] > 1:
            raise ValueError("t is a phase")
        return a * t[-1] + b * t

    assert constants_and_arrays(model, x) == ({1.0}, [])


def test_a_model_that_takes_another_course_on_another_x_is_recorded_on_its_own():
    x = np.linspace(0, 1, N)

    def model(t, a, b):
        return a * t[-1] + b * t if t[-1] <= 1 else 2.0 * a + 3.0 * b

    assert constants_and_arrays(model, x) == ({1.0}, [])


def test_a_curve_longer_than_the_data_takes_numbers_of_x():
    def model(t, a, tau):
        return (np.convolve(a * np.exp(-t / tau), [0.5, 0.5]) * t[1])[: len(t)]

    x = np.linspace(0, 4, N)
    r = tw.fit(model, x, model(x, 2.0, 1.5), p0=(1, 1))
    np.testing.assert_allclose(r.params, [2.0, 1.5], rtol=1e-9)
