"""A cast to float32 that merges what is distinct is refused; one that keeps it apart is not."""

import numpy as np
import pytest
from problems import line

import thalweg as tw
from thalweg._arguments.casts import SHORTEST

CURE = "subtract a start, or use dtype=float64"
N = 40


def fit32(x, y, **options):
    return tw.fit(line, x, y, p0=(0.0, 1.0), dtype=np.float32, **options)


FAR = {
    "seconds since 1970": 1.6e9 + np.arange(N),
    "the same as integers": 1_600_000_000 + np.arange(N),
    "Julian dates": 2460000.5 + 0.02 * np.arange(N),
    "wavelengths on a fine grid": 5000 + 0.01 * np.arange(N),
    "negative": -1e7 - 0.5 * np.arange(N),
    "one pair merges": np.r_[1e8 + 1000 * np.arange(N - 1), 1e8 + 1],
    "in no order": 1e9 + np.random.default_rng(0).permutation(N),
    "one value at 0": np.r_[0, 1.6e9 + np.arange(N - 1)],
}
NEAR = {
    "shifted": np.arange(N),
    "large steps far away": 1e9 + 1e5 * np.arange(N),
    "years": 1960 + np.arange(N),
    "over decades": np.geomspace(1e-9, 1e9, N),
    "many on [0, 1]": np.linspace(0, 1, 200_000),
    "at random": np.random.default_rng(1).uniform(0, 5, 2000),
    "equal but for rounding": 100 * np.r_[0.3, 0.1 + 0.2, np.arange(1, N - 1)],
    "constant": np.full(N, 1.6e9),
    "small": 1e-30 * np.arange(N),
}


@pytest.mark.parametrize("x", FAR.values(), ids=FAR.keys())
def test_abscissae_that_float32_merges_are_refused_with_the_cure(x):
    y = np.cos(np.arange(N))
    with pytest.raises(ValueError, match=f"x near .* does not fit into float32.*{CURE}"):
        fit32(x, y)
    with pytest.raises(ValueError, match=CURE):
        fit32(np.stack([x, x]), np.stack([y, y]))
    with pytest.raises(ValueError, match=r"x\[1\] near"):
        tw.fit(lambda x, a, b: a * x[0] + b * x[1], (y, x), y, p0=(1, 1), dtype=np.float32)
    shifted = fit32(x - x[1], y)  # what the cure says
    assert shifted.status > -5, shifted.reason()
    assert tw.fit(line, x - x[1], y, p0=(0.0, 1.0)).success


@pytest.mark.parametrize("x", NEAR.values(), ids=NEAR.keys())
def test_abscissae_that_float32_tells_apart_are_taken(x):
    y = np.cos(np.arange(len(x)))
    fit32(x, y)
    fit32(np.stack([x, x]), np.stack([y, y]))


@pytest.mark.parametrize("start", [2.0**20, 3.3e9, 1e-3])
def test_steps_of_64_units_in_the_last_place_are_the_least(start):
    unit = float(np.spacing(np.float32(start)))
    k = np.arange(N)
    fit32(start + 1.01 * SHORTEST * unit * k, np.cos(k))
    with pytest.raises(ValueError, match=CURE):
        fit32(start + 0.99 * SHORTEST * unit * k, np.cos(k))


def test_what_is_float32_already_is_nobodys_loss():
    x = (1.6e9 + 128 * np.arange(N)).astype(np.float32)
    fit32(x, np.cos(np.arange(N)))
    fit32(np.arange(N, dtype=np.int16), np.cos(np.arange(N)).astype(np.float32))


def test_a_signal_that_vanishes_on_its_floor_is_refused():
    x = np.linspace(0, 1, N)
    with pytest.raises(ValueError, match=f"y near .* does not fit into float32.*{CURE}"):
        fit32(x, 1e8 + np.sin(x))
    fit32(x, 1e4 + np.sin(x))
    fit32(x, np.full(N, 1e8))  # a constant is what it is
    batch = 1 + np.sin(x) * np.ones((5, 1))
    batch[2] += 1e8
    assert fit32(x, batch).success.sum() >= 4  # one bad pixel does not end the image


def test_starts_that_merge_are_refused():
    x = np.linspace(0, 1, N)
    y = np.ones((3, N))
    p0 = np.array([[1.6e9, 1.0], [1.6e9 + 20, 1.0], [1.6e9 + 40, 1.0]])
    with pytest.raises(ValueError, match=f"p0 of a near .*{CURE}"):
        tw.fit(line, x, y, p0=p0, dtype=np.float32)
    tw.fit(line, x, y, p0=p0 - [1.6e9, 0], dtype=np.float32)
    tw.fit(line, x, y, p0=[[5.0, 1], [5 + 1e-12, 1], [5 - 1e-12, 1]], dtype=np.float32)


def test_bounds_that_merge_are_refused():
    x = np.linspace(0, 1, N)
    options = dict(p0=(1.6e9, 1.0), dtype=np.float32)
    with pytest.raises(ValueError, match=f"bounds of a near .*{CURE}"):
        tw.fit(line, x, np.ones(N), bounds={"a": (1.6e9, 1.6e9 + 9)}, **options)
    tw.fit(line, x, np.ones(N), bounds={"a": (1.6e9, 1.6e9)}, **options)


def test_points_that_are_left_out_do_not_count():
    k = np.arange(N)
    x, out = np.where(k == 3, 1e9, k), k == 3
    for arguments in (
        dict(x=1e9 + np.where(out, 1, 1e5 * k), y=k * 1.0, mask=out),
        dict(x=np.ma.array(1e9 + np.where(out, 1, 1e5 * k), mask=out), y=k * 1.0),
        dict(x=k * 1.0, y=np.where(out, 1e12, k), mask=out),
        dict(x=x, y=k * 1.0, mask=out),
    ):
        assert fit32(**arguments).n_used == N - 1


@pytest.mark.parametrize("size", [1e40, 1e-50])
def test_what_is_beyond_the_range_of_float32_is_refused_with_another_cure(size):
    k = np.arange(1.0, N)
    with pytest.raises(ValueError, match=r"x near .* which holds .*measure it in another unit"):
        fit32(size * k, k)
    with pytest.raises(ValueError, match=r"y near .* which holds .*measure it in another unit"):
        fit32(k, size * k)
