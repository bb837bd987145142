"""Images by iterative coordinate descent: what is refused, how a run is watched, what it shows."""

import copy
import pickle
import warnings
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import scipy.sparse as sp
from icd_cases import case
from linear_cases import hole

import thalweg as tw
from thalweg.linear import QGGMRF, ConvergenceWarning, GaussianPrior, ProximalPrior, icd
from thalweg.status import IMAGES, Status

A = sp.csc_array(np.arange(24.0).reshape(4, 6) ** 1.5)
Y = np.arange(4.0)
PRIOR = GaussianPrior(1.0)


@pytest.mark.parametrize(
    ("a", "y", "how", "words"),
    [
        (sp.csc_array(hole(A.toarray(), 2, 1)), Y, {}, r"A must be finite, but A\[2, 1\] is nan"),
        (sp.csr_array(hole(A.toarray(), 3, 5, value=-np.inf)), Y, {}, r"A\[3, 5\] is -inf"),
        (sp.csc_array(hole(A.toarray(), 2, 1)), Y, dict(weights=[0, 1, 1, 1]), r"A\[2, 1\] is nan"),
        (A, hole(Y, 3), {}, r"y must be finite, but y\[3\] is nan"),
        (A, Y[:3], {}, r"y must have shape \(n=4,\).*, got \(3,\)"),
        (A, Y[:, None], {}, r"y must have shape \(n=4,\), got \(4, 1\)"),
        (A, Y, dict(weights=[1, -1, 1, 1]), r"weights\[1\] is -1.0"),
        (A, Y, dict(weights=[1, np.inf, 1, 1]), r"weights\[1\] is inf"),
        (A, Y, dict(weights=[1, 1]), r"weights must have shape \(n=4,\), got \(2,\)"),
        (A, Y, dict(shape=(2, 4)), r"shape \(2, 4\) has 8 pixels, but A has P=6 columns"),
        (A, Y, dict(shape=6), r"shape must be \(rows, columns\) or .*; a line of pixels is"),
        (A, Y, dict(shape=(6,)), r"shape must be \(rows, columns\) or"),
        (A, Y, dict(shape=(1, 1, 2, 3)), r"shape must be \(rows, columns\) or"),
        (A, Y, dict(shape=(2.5, 3)), "a size of shape must be a whole number"),
        (A, Y, dict(shape=(-2, -3)), "a size of shape must be a whole number"),
        (A, Y, dict(relaxation=0), "relaxation must be greater than 0 and less than 2, got 0"),
        (A, Y, dict(relaxation=2), "relaxation must be greater than 0 and less than 2, got 2"),
        (A, Y, dict(relaxation=np.nan), "relaxation must be a number"),
        (A, Y, dict(order="random"), "order must be 'nonhomogeneous', 'shuffled', 'cyclic', got"),
        (A, Y, dict(start=np.zeros(5)), r"start must have shape \(2, 3\) or \(P=6,\), got \(5,\)"),
        (A, Y, dict(start=hole(np.zeros(6), 2)), "start must be finite"),
        (A, Y, dict(tol=-1), "tol must be a number >= 0"),
        (A, Y, dict(max_iter=-1), "max_iter must be a whole number"),
        (A, Y, dict(threads=0), "threads must be a whole number"),
        (A * 1e200, Y, {}, "column 0 of A overflows"),
        (A, Y * 1e200, {}, "the cost of the start is beyond the range of float64"),
        (A, Y, dict(prior=GaussianPrior(1.0, neighbours=6)), "neighbours must be 4 or 8 on a grid"),
        (
            A,
            Y,
            dict(prior=QGGMRF(1.0, neighbours=8), shape=(1, 2, 3)),
            "neighbours must be 6 or 26",
        ),
        (A, Y, dict(prior=ProximalPrior(np.zeros(6), 1.0)), r"v must have the shape of the image"),
    ],
)
def test_what_makes_no_sense_is_refused(a, y, how, words):
    with pytest.raises(ValueError, match=words):
        icd(a, y, **dict(prior=PRIOR, shape=(2, 3)) | how)


@pytest.mark.parametrize(
    ("a", "y", "how", "words"),
    [
        (A.toarray(), Y, {}, "A must be a sparse matrix, got ndarray"),
        (A.astype(int), Y, {}, "A must be float64 or float32, got int64"),
        (A, np.ma.array(Y, mask=[1, 0, 0, 0]), {}, "y must not be masked; give rows"),
        (A, Y.astype(complex), {}, "y must be real"),
        (A, Y, dict(prior="q-GGMRF"), "prior must be a GaussianPrior, QGGMRF or ProximalPrior"),
        (A, Y, dict(callback=1), "callback must be callable, got int"),
        (A, Y, dict(maxiter=1), "has no argument 'maxiter'; did you mean max_iter"),
    ],
)
def test_what_is_of_the_wrong_kind_is_refused(a, y, how, words):
    with pytest.raises(TypeError, match=words):
        icd(a, y, **dict(prior=PRIOR, shape=(2, 3)) | how)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: GaussianPrior(0), ValueError, "sigma must be a number > 0, got 0"),
        (lambda: GaussianPrior(np.nan), ValueError, "sigma must be a number > 0, got nan"),
        (lambda: GaussianPrior("a"), TypeError, "sigma must be a number > 0, got 'a'"),
        (lambda: GaussianPrior(1e-200), ValueError, "sigma=1e-200 has a square at the end of"),
        (lambda: QGGMRF(-1.0), ValueError, "sigma must be a number > 0, got -1.0"),
        (lambda: QGGMRF(1.0, p=0.9), ValueError, "p must be a number from 1 to 2, got 0.9"),
        (lambda: QGGMRF(1.0, p=2.1), ValueError, "p must be a number from 1 to 2, got 2.1"),
        (lambda: QGGMRF(1.0, p=np.nan), ValueError, "p must be a number from 1 to 2, got nan"),
        (lambda: QGGMRF(1.0, p=None), TypeError, "p must be a number from 1 to 2, got None"),
        (lambda: QGGMRF(1.0, T=0.0), ValueError, "T must be a number > 0, got 0.0"),
        (lambda: QGGMRF(1e-120, T=1e-120), ValueError, "make a curvature beyond the range"),
        (lambda: QGGMRF(1.0, q=1.5), TypeError, "QGGMRF.* has no argument 'q'"),
        (lambda: ProximalPrior([[0.0, np.inf]], 1), ValueError, r"v\[0, 1\] is inf"),
        (lambda: ProximalPrior([[0.0]], 0), ValueError, "sigma must be a number > 0"),
    ],
)
def test_priors_say_what_is_wrong(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_priors_are_frozen_and_keep_nothing_of_the_caller():
    with pytest.raises(FrozenInstanceError):
        PRIOR.sigma = 2.0
    v = np.zeros((2, 3))
    prior = ProximalPrior(v, 1.0)
    v[:] = 7
    assert not prior.v.any()
    for one in (PRIOR, QGGMRF(0.1, T=2.0), prior):
        assert repr(copy.deepcopy(one)) == repr(pickle.loads(pickle.dumps(one))) == repr(one)
    assert QGGMRF(1, p=2) == QGGMRF(1.0, p=2.0)


def test_nothing_of_the_caller_is_changed_or_kept():
    c = case((3, 4))
    start = np.full((3, 4), -1.0)
    given = c.A.data, c.A.indices, c.A.indptr, c.y, c.weights, start
    before = [array.copy() for array in given]
    r = icd(c.A, c.y, c.weights, prior=PRIOR, shape=(3, 4), start=start)
    for array, copied in zip(given, before, strict=True):
        np.testing.assert_array_equal(array, copied)
    x = r.x.copy()
    for array in given:
        array[:] = 1
    np.testing.assert_array_equal(r.x, x)


@pytest.mark.parametrize("P", [0, 1])
@pytest.mark.parametrize("n", [0, 1])
def test_what_is_empty_is_solved(n, P):
    r = icd(sp.csc_array((n, P)), np.ones(n), prior=PRIOR, shape=(1, P))
    assert r.success and r.x.shape == (1, P) and r.cost == n / 2


def test_a_start_below_zero_is_clipped():
    starts = []
    c = case((3, 4))
    how = dict(prior=PRIOR, shape=(3, 4), start=np.full(12, -3.0), max_iter=0)
    for positive in (True, False):
        with pytest.warns(ConvergenceWarning):
            starts.append(icd(c.A, c.y, positive=positive, **how).x)
    assert (starts[0] == 0).all() and (starts[1] == -3).all()


# ---- how a run is watched ------------------------------------------------------------------------


def test_a_callback_sees_each_sweep_and_may_end_the_run():
    c = case((5, 6))
    seen = []
    r = icd(c.A, c.y, prior=PRIOR, shape=(5, 6), callback=seen.append)
    assert [i.n_iter for i in seen] == list(range(1, r.n_iter + 1))
    np.testing.assert_array_equal([i.cost for i in seen], r.history.cost[1:])
    np.testing.assert_array_equal([i.change for i in seen], r.history.change[1:])
    assert np.isnan(r.history.change[0])
    np.testing.assert_array_equal(seen[-1].x, r.x)
    seen[0].x[:] = 7  # a copy: it is the caller's

    def end(i):
        if i.n_iter == 3:
            raise StopIteration

    for callback in (lambda i: np.bool_(i.n_iter == 3), end):
        r = icd(c.A, c.y, prior=PRIOR, shape=(5, 6), callback=callback, tol=0)
        assert r.status is Status.CALLBACK and r.n_iter == 3 and not r.success
        assert r.reason().startswith("the callback returned True; the largest distance is ")


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError("no more")])
def test_an_exception_brings_the_image_after_the_last_whole_sweep(error):
    c = case((5, 6))
    kept = []

    def broken(i):
        kept.append(i)
        if i.n_iter == 4:
            raise error

    with pytest.raises(type(error) if isinstance(error, Exception) else error) as caught:
        icd(c.A, c.y, prior=QGGMRF(0.1), shape=(5, 6), callback=broken, tol=0)
    r = caught.value.result
    assert r.status is Status.INTERRUPTED and r.n_iter == 4 and np.isnan(r.kkt)
    np.testing.assert_array_equal(r.x, kept[-1].x)
    assert r.cost == kept[-1].cost and r.reason() == IMAGES[Status.INTERRUPTED]


def test_an_interruption_before_the_first_sweep_brings_the_start(monkeypatch):
    def interrupted(problem, threads):
        raise KeyboardInterrupt

    monkeypatch.setattr(tw.linear.image_descent, "Look", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        icd(A, Y, prior=PRIOR, shape=(2, 3), start=np.full(6, 2.0))
    r = caught.value.result
    assert (r.x == 2).all() and r.n_iter == 0 and np.isnan(r.cost) and not r.success
    assert repr(r).startswith("<ImageResult: 0 sweeps, INTERRUPTED")


def test_an_interrupted_sweep_leaves_no_half_of_itself(monkeypatch):
    """As Ctrl-C within the fifth sweep would: some pixels have moved."""
    c = case((5, 6))
    kept = []
    plain = tw.linear.image_descent._core.image_sweep

    def interrupted(columns, curvature, terms, lower, omega, order, x, e, way):
        plain(columns, curvature, terms, lower, omega, order[:7], x, e, way)
        raise KeyboardInterrupt

    def count(i):
        kept.append(i)
        if i.n_iter == 4:
            monkeypatch.setattr(tw.linear.image_descent._core, "image_sweep", interrupted)

    with pytest.raises(KeyboardInterrupt) as caught:
        icd(c.A, c.y, prior=PRIOR, shape=(5, 6), callback=count, tol=0)
    np.testing.assert_array_equal(caught.value.result.x, kept[-1].x)
    assert caught.value.result.n_iter == 4


def test_a_run_that_falls_short_says_so():
    c = case((9, 8), seed=3)
    with pytest.warns(ConvergenceWarning, match="max_iter sweeps .* wanted; a larger max_iter"):
        r = icd(c.A, c.y, prior=QGGMRF(0.05), shape=(9, 8), max_iter=2)
    assert r.status is Status.MAX_ITER and r.kkt > r.wanted == 1e-4 * np.abs(r.x).max()
    with pytest.warns(ConvergenceWarning, match="no nearer to their minima.* a larger tol helps"):
        # among so many pixels, some are moved by the last digit of e for ever
        large = case((20, 30), n=300)
        r = icd(large.A, large.y, prior=GaussianPrior(0.3), shape=(20, 30), tol=1e-18)
    assert r.status is Status.NO_PROGRESS and 0 < r.kkt < 1e-12
    # what the last sweep has reached is a success, though there was none to follow
    whole = icd(c.A, c.y, prior=QGGMRF(0.05), shape=(9, 8), seed=0)
    exactly = icd(c.A, c.y, prior=QGGMRF(0.05), shape=(9, 8), seed=0, max_iter=whole.n_iter)
    assert exactly.success and exactly.n_iter == whole.n_iter


@pytest.mark.parametrize("relaxation", [0.3, 1.0, 1.95])
@pytest.mark.parametrize("order", ["cyclic", "shuffled", "nonhomogeneous"])
def test_a_run_goes_on_while_the_cost_falls(order, relaxation):
    """Weights over eight decades: the ways to minima are short and long in turns."""
    for seed in range(4):
        c = case((6, 7), seed=seed)
        w = c.w * 10 ** np.random.default_rng(seed).uniform(-4, 4, len(c.y))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            r = icd(
                c.A, c.y, w, prior=GaussianPrior(1.0), shape=(6, 7), order=order, seed=seed,
                relaxation=relaxation, max_iter=200, tol=1e-8,
            )  # fmt: skip
        assert r.status is Status.MAX_ITER
        assert (np.diff(r.history.cost[-30:]) < 0).any()


def test_success_is_known_of_all_pixels_at_once():
    c = case((9, 8), seed=3)
    r = icd(c.A, c.y, c.weights, prior=GaussianPrior(0.5), shape=(9, 8), tol=1e-3)
    assert r.success and r.kkt <= r.wanted == 1e-3 * np.abs(r.x).max()
    assert r.reason().startswith("converged: the distance of every pixel from its minimum")
    how = dict(prior=GaussianPrior(0.5), shape=(9, 8), start=r.x, max_iter=0, tol=0)
    with pytest.warns(ConvergenceWarning):
        again = icd(c.A, c.y, c.weights, **how)
    np.testing.assert_allclose(again.kkt, r.kkt, rtol=1e-9)


def test_progress_counts_sweeps(capsys):
    pytest.importorskip("tqdm")
    c = case((5, 6))
    r = icd(c.A, c.y, prior=PRIOR, shape=(5, 6), progress=True)
    assert f"{r.n_iter:.1f}/1.00k" in capsys.readouterr().err


def test_results_show_and_keep_what_they_are():
    c = case((5, 6))
    r = icd(c.A, c.y, prior=PRIOR, shape=(5, 6))
    text = repr(r)
    assert text.startswith(f"<ImageResult: {r.n_iter} sweeps, XTOL\n cost = {r.cost:.9g} = ")
    assert "x = <array of shape (5, 6)>" in text and "<b>ImageResult</b>" in r._repr_html_()
    assert repr(r.history).startswith(f"<ImageHistory: {r.n_iter + 1} points, cost ")
    assert "ImageHistory" in r.history._repr_html_()
    for other in (copy.deepcopy(r), pickle.loads(pickle.dumps(r))):
        np.testing.assert_array_equal(other.x, r.x)
        assert repr(other) == text
    assert r.cost == r.misfit + r.penalty
