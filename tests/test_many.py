"""Bounded least squares of many right-hand sides: peers, certificates, what is looked at again."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pivot_cases import EPS, matrix
from scipy.optimize import lsq_linear, nnls

from thalweg import Status
from thalweg.linear import many
from thalweg.linear.many import bounded_least_squares

FREE = {"lower": np.full(6, -np.inf), "upper": np.full(6, np.inf)}


def exact(A, B, theta, w, l2):
    """Residuals and the gradient downhill in extended precision."""
    A, B, theta, w, l2 = (np.asarray(x, np.longdouble) for x in (A, B, theta, w, l2))
    r = B - A @ theta
    return r, A.T @ (r * w[:, None]) - l2[:, None] * theta


@st.composite
def cases(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, P, M = draw(st.integers(1, 40)), draw(st.integers(1, 8)), draw(st.integers(0, 10))
    kind = draw(st.sampled_from(["plain", "positive", "copies", "zeros", "decays"]))
    A = matrix(rng, n, P, kind) * draw(st.sampled_from([1.0, 1e-20, 1e20]))
    B = rng.standard_normal((n, M)) * draw(st.sampled_from([1.0, 1e-20, 1e20]))
    if draw(st.booleans()):  # a fit that is exact, at θ ≥ 0
        B = A @ np.abs(rng.standard_normal((P, M)))
    side = draw(st.sampled_from([0.0, -np.inf]))
    options = {"lower": np.full(P, side), "upper": np.full(P, np.inf)}
    if draw(st.booleans()):
        options["weights"] = rng.choice([0.0, 0.5, 2.0], n)
    if draw(st.booleans()):
        options["l2"] = (A**2).sum(axis=0) * rng.random(P)
    return A, B, options


@given(cases())
def test_certificates_hold(case):
    A, B, options = case
    r = bounded_least_squares(A, B, **options)
    n, P = A.shape
    w, l2 = options.get("weights", np.ones(n)), np.broadcast_to(options.get("l2", 0.0), P)
    lower, upper = options["lower"][:, None], options["upper"][:, None]
    assert ((r.theta >= lower) & (r.theta <= upper)).all()
    residual, y = exact(A, B, r.theta, w, l2)
    left = (w[:, None] * residual**2).sum(0)
    norm, length = np.sqrt((w[:, None] * B**2).sum(0)), np.sqrt(w @ A**2 + l2)
    reach = length @ np.abs(r.theta)
    inward = np.where(y > 0, r.theta < upper, r.theta > lower)
    per_length = np.abs(y) / np.where(length > 0, length, 1)[:, None]
    assert (np.max(per_length, axis=0, where=inward, initial=0) <= r.kkt).all()
    # a square of the residual has 8 digits, or is rounding of each residual
    assert (
        np.abs(r.residual_norm**2 - left) <= 1e-7 * left + (n * P * EPS * (norm + reach)) ** 2
    ).all()
    assert (r.kkt <= 100 * (n + P) * EPS * (norm + reach) * (r.status > 0) + 1e3 * norm).all()


@pytest.mark.parametrize("kappa", [1e2, 1e4, 1e6, 1e8, 1e10])
@pytest.mark.parametrize("noise", [0.0, 1e-3, 1.0])
def test_the_gap_is_no_less_than_what_is_lost(kappa, noise):
    """Against an orthogonal factorisation, which loses κ of the digits and not κ²."""
    rng = np.random.default_rng(0)
    U, V = (np.linalg.qr(rng.standard_normal((k, 6)))[0] for k in (60, 6))
    A = U * np.logspace(0, -np.log10(kappa), 6) @ V.T
    B = A @ rng.standard_normal((6, 50)) + noise * rng.standard_normal((60, 50))
    r = bounded_least_squares(A, B, **FREE)
    least = np.linalg.lstsq(A, B, rcond=None)[0]
    (lost, _), (want, _) = (exact(A, B, t, np.ones(60), np.zeros(6)) for t in (r.theta, least))
    excess = 0.5 * ((lost**2).sum(0) - (want**2).sum(0))
    norm = (B**2).sum(0)
    assert (excess <= r.gap + 1e-15 * norm).all()
    if kappa <= 1e4:
        assert (r.gap <= 1e-12 * norm).all() and (r.status == Status.ROUNDING).all()
    if kappa <= 1e6:
        assert (excess <= 1e-13 * norm).all()
    if kappa == 1e10 and noise:
        assert (r.gap > 1e-6 * norm).all()  # and no less is claimed


def test_corrections_find_what_the_gram_matrix_has_lost(monkeypatch):
    rng = np.random.default_rng(1)
    U, V = (np.linalg.qr(rng.standard_normal((k, 6)))[0] for k in (60, 6))
    A = U * np.logspace(0, -8, 6) @ V.T
    B = A @ rng.standard_normal((6, 20)) + 1e-3 * rng.standard_normal((60, 20))
    corrected = bounded_least_squares(A, B, **FREE)
    assert (corrected.corrections > 0).any()
    monkeypatch.setattr(many, "_CORRECTIONS", 0)
    plain = bounded_least_squares(A, B, **FREE)
    assert not plain.corrections.any()
    better = plain.objective - corrected.objective
    least = corrected.objective.min()  # 54 rows of noise
    assert better.max() > 1e-8 * least and better.min() >= -1e-13 * least


def test_a_correction_may_go_down_from_where_it_starts():
    """θ ≥ 0 allows steps below 0; to allow none would leave what the Gram matrix has lost."""
    rng = np.random.default_rng(1)
    U, V = (np.linalg.qr(rng.standard_normal((k, 6)))[0] for k in (60, 6))
    A = U * np.logspace(0, -7.5, 6) @ V.T
    B = A @ rng.uniform(5, 6, (6, 20)) + 1e-9 * rng.standard_normal((60, 20))
    r = bounded_least_squares(A, B, lower=np.zeros(6), upper=np.full(6, np.inf))
    least = np.linalg.lstsq(A, B, rcond=None)[0]
    rest, _ = exact(A, B, least, np.ones(60), np.zeros(6))
    assert (least > 0).all() and r.corrections.all()
    assert (r.objective <= 1.001 * 0.5 * (rest**2).sum(0)).all()


def test_the_slope_of_an_exact_fit_is_that_of_its_penalty():
    """Σ w r² is too small to be known from the Gram matrix; Aᵗr is no slope, but Aᵗr − l2 θ is."""
    rng = np.random.default_rng(5)
    A = rng.standard_normal((40, 6))
    B = A @ rng.standard_normal((6, 12))
    r = bounded_least_squares(A, B, l2=1e-7 * (A**2).sum(0), **FREE)
    assert (r.kkt <= 1e-12 * r.target_norm).all() and (r.gap <= 1e-22 * r.target_norm**2).all()


def test_is_scipys_nnls():
    rng = np.random.default_rng(2)
    A, B = np.abs(rng.standard_normal((28, 5))), rng.standard_normal((28, 100))
    r = bounded_least_squares(A, B, lower=np.zeros(5), upper=np.full(5, np.inf))
    for m in range(100):
        theta, norm = nnls(A, B[:, m])
        np.testing.assert_allclose(r.theta[:, m], theta, rtol=0, atol=1e-13)
        np.testing.assert_allclose(r.residual_norm[m], norm, rtol=1e-12)
    assert (r.gap <= 1e-20).all()


def test_weights_and_l2_are_rows_of_a_larger_problem():
    rng = np.random.default_rng(3)
    A, B = rng.standard_normal((20, 4)), rng.standard_normal((20, 30))
    w, l2 = rng.uniform(0.5, 2, 20), rng.random(4)
    lower, upper = np.full(4, -0.1), np.full(4, 0.2)
    r = bounded_least_squares(A, B, weights=w, l2=l2, lower=lower, upper=upper)
    root = np.sqrt(w)[:, None]
    whole = np.concatenate([A * root, np.diag(np.sqrt(l2))])
    for m in range(30):
        b = np.concatenate([B[:, m] * root[:, 0], np.zeros(4)])
        want = lsq_linear(whole, b, (lower, upper), method="bvls", tol=1e-14)
        np.testing.assert_allclose(r.theta[:, m], want.x, rtol=0, atol=1e-12)
        np.testing.assert_allclose(r.objective[m], want.cost, rtol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_data_may_be_float32(dtype):
    """Its numbers are taken as they are; all sums are float64."""
    rng = np.random.default_rng(4)
    A, B = rng.standard_normal((50, 4)).astype(dtype), rng.standard_normal((50, 30)).astype(dtype)
    box = {"lower": np.zeros(4), "upper": np.full(4, np.inf)}
    r = bounded_least_squares(A, B, **box)
    want = bounded_least_squares(A.astype(float), B.astype(float), **box)
    for one, two in zip(r, want, strict=True):
        np.testing.assert_array_equal(one, two)


def test_nothing_to_fit():
    box = {"lower": np.zeros(2), "upper": np.full(2, np.inf)}
    r = bounded_least_squares(np.ones((4, 2)), np.zeros((4, 3)), **box)
    assert not r.theta.any() and not r.kkt.any() and not r.gap.any() and r.theta.shape == (2, 3)
    r = bounded_least_squares(np.zeros((4, 2)), np.ones((4, 3)), **box)
    assert not r.theta.any() and (r.gap < 1e-28).all() and (r.residual_norm == 2).all()
    empty = {"lower": np.zeros(0), "upper": np.zeros(0)}
    r = bounded_least_squares(np.zeros((4, 0)), np.ones((4, 3)), **empty)
    assert r.theta.shape == (0, 3) and (r.objective == 2).all()
