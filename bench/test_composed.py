"""Composed models, formulas that call models, and tied parameters: what hand-written ones cost."""

from functools import partial

import numpy as np
import pytest
from timing import ratio

import thalweg as tw

G, L = tw.models.gaussian, tw.models.line
X = np.linspace(0, 10, 40)
FITS = 20_000
ROUNDS = 7
TRUTH = np.array([3, 3, 0.8, 6, 7, 0.8, 0.2, 1])
OPEN = [0, 1, 2, 4, 6, 7]  # the parameters that are not tied
TIES = {"s2": "s1", "a2": "2*a1"}


def by_hand(x, a1, x1, s1, a2, x2, s2, m, c):
    first = a1 * np.exp(-((x - x1) ** 2) / (2 * s1**2))
    return first + a2 * np.exp(-((x - x2) ** 2) / (2 * s2**2)) + (m * x + c)


def tied_by_hand(x, a1, x1, s1, x2, m, c):
    return by_hand(x, a1, x1, s1, 2 * a1, x2, s1, m, c)


FORMULA = "gaussian(x, a1, x1, s1) + gaussian(x, a2, x2, s2) + line(x, m, c)"
WAYS = {
    "composed model": ({"model": G + G + L}, by_hand, range(8)),
    "formula that calls models": ({"model": FORMULA}, by_hand, range(8)),
    "tied parameters": ({"model": FORMULA, "tied": TIES}, tied_by_hand, OPEN),
}


@pytest.mark.parametrize("way", WAYS)
def test_composed_models_cost_what_hand_written_ones_do(way, record):
    options, hand, places = WAYS[way]
    y = by_hand(X, *TRUTH) + np.random.default_rng(0).normal(0, 0.1, (FITS, len(X)))
    start = TRUTH[list(places)] * 1.02
    ours = partial(tw.fit, x=X, y=y, p0=start, threads=1, **options)
    theirs = partial(tw.fit, hand, X, y, start, threads=1)
    one, other = ours(), theirs()
    assert one.success.all() and other.success.all()
    np.testing.assert_allclose(one.params[:, list(places)], other.params, rtol=1e-6)
    np.testing.assert_allclose(one.chi2, other.chi2, rtol=1e-9)
    if "tied" in options:
        assert np.array_equal(one["s2"], one["s1"]) and np.array_equal(one["a2"], 2 * one["a1"])
    slower = ratio(theirs, ours, ROUNDS)
    record(f"{way}: time over that of the model by hand", slower, "times", at_most=1.1)
