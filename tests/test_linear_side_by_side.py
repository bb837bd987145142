"""Many right-hand sides: side by side as each alone, each with a gap that holds."""

from contextlib import nullcontext

import numpy as np
import pytest
from linear_cases import model, proof

import thalweg as tw
from thalweg._core import pivot as core
from thalweg.linear import Lasso, NonNegative, blocks, many, side_by_side
from thalweg.linear.working_set import FEW
from thalweg.status import Status

EPS = np.finfo(float).eps
LEAST = side_by_side._LEAST


def spectra(n=40, P=6, M=12, seed=0):
    """Mixed spectra far from 0, a column constant but for rounding, one of zeros, and noise."""
    rng = np.random.default_rng(seed)
    A = np.abs(rng.standard_normal((n, P))) + 1
    A[:, 3], A[:, 4] = 1 + EPS * (np.arange(n) % 2), 0
    return A, A @ np.maximum(rng.standard_normal((P, M)), 0) + 0.3 * rng.standard_normal((n, M))


KINDS = {
    "plain": {},
    "non-negative": {"bounds": (0, None)},
    "boxed": {"bounds": (0.1, 0.5)},
    "ridge": {"l2": [0.5, 0, 2, 0.1, 1, 3], "bounds": (-0.2, None)},
    "lasso": {"l1": 2.0},
    "net": {"l1": [0.5, 1, 0, 0.1, 0.1, np.inf], "l2": 0.5, "bounds": (None, 1)},
    "far from 0": {"l1": 0.5, "bounds": (0.2, 0.6)},
    "left out": {"l1": [0, np.inf, 0, 0, 0, 0], "bounds": (None, 1)},
}


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("has_weights", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_side_by_side_is_as_each_alone(kind, has_weights, intercept, dtype):
    A, B = spectra()
    A = A.astype(dtype)
    w = np.random.default_rng(1).integers(0, 3, len(A)).astype(float) if has_weights else None
    told = KINDS[kind] | {"weights": w, "intercept": intercept, "tol": 1e-10}
    r = tw.coordinate_descent(A, B, **told)
    assert r.success and "side by side" in r.strategy and r.history == ()
    assert r.theta.shape == (6, 12) and r.reason().startswith("12 of 12 converged")
    assert not r.conditional.any() and (r.status == Status.GAP).all()
    for m in range(B.shape[1]):
        alone = tw.coordinate_descent(A, B[:, m], **told)
        np.testing.assert_allclose(r.theta[:, m], alone.theta, atol=2e-4)
        assert r.wanted[m] == pytest.approx(alone.wanted, rel=1e-9)
        assert r.intercept[m] == pytest.approx(alone.intercept, abs=1e-3)
        one = model(A, B[:, m], KINDS[kind].get("l1", 0), KINDS[kind].get("l2", 0),
                    KINDS[kind].get("bounds", (None, None)), w, intercept)  # fmt: skip
        p, best = proof(one, r.theta[:, m]), proof(one, alone.theta)
        assert p.feasible and r.objective[m] == pytest.approx(p.objective, rel=1e-9)
        # what is above the better of both minima is within the gap, or rounding
        assert p.objective - best.objective <= r.gap[m] + 1e3 * EPS * p.size


@pytest.mark.parametrize(("M", "P"), [(LEAST - 1, 6), (LEAST, 6), (LEAST, FEW), (LEAST, FEW + 1)])
def test_few_right_hand_sides_or_many_columns_go_one_by_one(M, P):
    rng = np.random.default_rng(2)
    A, B = rng.standard_normal((150, P)), rng.standard_normal((150, M))
    r = tw.coordinate_descent(A, B, bounds=(0, None))
    together = M >= LEAST and P <= FEW
    assert r.success and ("side by side" in r.strategy) == together
    assert len(r.history) == (0 if together else M)


@pytest.mark.parametrize(
    "how", [{"strategy": "residual"}, {"start": np.ones(6)}, {"max_iter": 0},
            {"callback": lambda iteration: False}, {"order": "shuffled"}],
)  # fmt: skip
def test_what_asks_for_more_goes_one_by_one(how):
    A, B = spectra()
    falls_short = how == {"max_iter": 0}
    with pytest.warns(tw.ConvergenceWarning) if falls_short else nullcontext():
        r = tw.coordinate_descent(A, B, l2=1.0, **how)
    assert "side by side" not in r.strategy and len(r.history) == 12


@pytest.mark.parametrize("l1", [0, 0.5])
@pytest.mark.parametrize("size", [11, 12, 13])
def test_blocks_are_as_all_at_once(size, l1, monkeypatch):
    A, B = spectra(M=25)
    whole = tw.coordinate_descent(A, B, l1=l1, bounds=(0, None), intercept=True, tol=1e-10)
    monkeypatch.setattr(many, "_AT_ONCE", size * len(A))
    monkeypatch.setattr(blocks, "_AT_ONCE", size * len(A))
    monkeypatch.setattr(blocks, "_FEWEST", 1)
    r = tw.coordinate_descent(A, B, l1=l1, bounds=(0, None), intercept=True, tol=1e-10)
    np.testing.assert_allclose(r.theta, whole.theta, atol=1e-10)
    for field in ("intercept", "objective", "wanted", "n_iter", "status"):
        np.testing.assert_allclose(getattr(r, field), getattr(whole, field), rtol=1e-9)


@pytest.mark.parametrize("l1", [0, 0.5])
def test_threads_change_no_bit(l1):
    A, B = spectra(M=200)
    one, two = (tw.coordinate_descent(A, B, l1=l1, bounds=(0, None), threads=t) for t in (1, 2))
    np.testing.assert_array_equal(one.theta, two.theta)
    np.testing.assert_array_equal(one.gap, two.gap)


def test_more_columns_than_rows_with_l1():
    rng = np.random.default_rng(4)
    A, B = rng.standard_normal((20, 60)), rng.standard_normal((20, 30))
    B[:, 3] = 0
    r = tw.coordinate_descent(A, B, l1=1.0, tol=1e-8)
    assert r.success and "Newton steps for 30 right-hand sides side by side" in r.strategy
    for m in range(30):
        p = proof(model(A, B[:, m], 1.0, 0, (None, None), None, False), r.theta[:, m])
        assert p.gap <= 1e-8 * p.size + 1e3 * EPS * p.size
        assert p.gap == pytest.approx(r.gap[m], rel=1e-3, abs=1e3 * EPS * p.size)


@pytest.fixture
def doubtful(monkeypatch):
    """Right-hand sides 2 and 5 of twelve cannot be certified, as where G has too few digits."""
    plain = many.bounded_least_squares

    def fits_of(*args, **options):
        fits = plain(*args, **options)
        gap = fits.gap.copy()
        gap[[2, 5]] = np.nan, np.inf
        return fits._replace(gap=gap)

    monkeypatch.setattr(side_by_side, "bounded_least_squares", fits_of)
    return monkeypatch


@pytest.mark.usefixtures("doubtful")
def test_what_falls_short_goes_the_general_way():
    A, B = spectra()
    r = tw.coordinate_descent(A, B, bounds=(0, None))
    assert r.success and np.isfinite(r.gap).all() and r.reason().startswith("12 of 12")
    assert "side by side" in r.strategy and "the problem is small" in r.strategy


def test_what_falls_short_there_too_is_told(doubtful):
    doubtful.setattr("thalweg.linear.several.is_one_call", lambda problem, rules: False)
    doubtful.setattr("thalweg.linear.descent.Descent.run", lambda self, heard: Status.MAX_ITER)
    A, B = spectra()
    with pytest.warns(tw.ConvergenceWarning, match="10 of 12 converged; right-hand side 2: .*max"):
        r = tw.coordinate_descent(A, B, bounds=(0, None))
    assert np.flatnonzero(r.status == Status.MAX_ITER).tolist() == [2, 5] and not r.success


def test_ctrl_c_meanwhile_leaves_what_is_done(doubtful):
    def interrupted(self, heard):
        raise KeyboardInterrupt

    doubtful.setattr("thalweg.linear.several.is_one_call", lambda problem, rules: False)
    doubtful.setattr("thalweg.linear.descent.Descent.run", interrupted)
    A, B = spectra()
    with pytest.raises(KeyboardInterrupt) as caught:
        tw.coordinate_descent(A, B, bounds=(0, None))
    status = caught.value.result.status
    assert status[2] == Status.INTERRUPTED and status[5] == Status.NOT_RUN
    assert np.count_nonzero(status == Status.GAP) == 10
    assert np.isnan(caught.value.result.theta).any(0).nonzero()[0].tolist() == [5]


def test_ctrl_c_leaves_a_result_of_nothing(monkeypatch):
    def interrupted(*args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(core, "block_pivoting", interrupted)
    A, B = spectra()
    with pytest.raises(KeyboardInterrupt) as caught:
        tw.coordinate_descent(A, B, bounds=(0, None))
    result = caught.value.result
    assert np.isnan(result.theta).all() and result.theta.shape == (6, 12)
    assert (result.status == Status.NOT_RUN).all()


def test_what_is_wrong_with_a_is_said_as_ever():
    A, B = spectra()
    A[3, 2] = np.nan
    with pytest.raises(ValueError, match=r"A\[3, 2\] is nan"):
        tw.coordinate_descent(A, B, bounds=(0, None))
    w = np.ones(len(A))
    w[3] = 0
    assert tw.coordinate_descent(A, B, bounds=(0, None), weights=w).success


def test_an_estimator_of_many_targets_goes_side_by_side():
    pytest.importorskip("sklearn")
    A, B = spectra()
    fitted = NonNegative().fit(A, B)
    assert fitted.coef_.shape == (12, 6) and (fitted.coef_ >= 0).all()
    one, of_many = Lasso(0.1, tol=1e-8).fit(A, B[:, 3]), Lasso(0.1, tol=1e-8).fit(A, B)
    np.testing.assert_allclose(of_many.coef_[3], one.coef_, atol=1e-4)
    alone = NonNegative().fit(A, B[:, 3])
    np.testing.assert_allclose(fitted.predict(A)[:, 3], alone.predict(A), rtol=1e-6)
