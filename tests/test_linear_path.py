"""Paths of penalties: where they begin, what each model promises, and what is refused."""

import numpy as np
import pytest

from thalweg.linear import LinearPath, coordinate_descent, enet_path, lasso_path, path
from thalweg.status import Status

N, P = 60, 25


def data(seed=0, n=N, p=P):
    """Return A with columns of unlike size and b with an offset."""
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(n, p)) @ np.diag(np.geomspace(0.1, 10, p))
    theta = np.where(np.arange(p) % 4 == 0, rng.normal(size=p), 0)
    return A, A @ theta + 5 + rng.normal(size=n)


FACTORS = np.where(np.arange(P) == 3, 0.0, np.where(np.arange(P) == 5, np.inf, 1.0 + np.arange(P)))
OPTIONS = {
    "plain": {},
    "intercept": dict(intercept=True),
    "weights": dict(intercept=True, weights=np.arange(N) % 3),
    "positive": dict(bounds=(0, None)),
    "factors": dict(factors=FACTORS, intercept=True),
    "elastic net": dict(l1_ratio=0.4, intercept=True),
    "all": dict(
        l1_ratio=0.7, factors=FACTORS, bounds=(-1, 2), intercept=True, weights=np.arange(N) % 3
    ),
}


def single(A, b, penalty, l1_ratio=1.0, factors=None, **options):
    """Return the model of one penalty, solved by itself."""
    f = np.ones(A.shape[1]) if factors is None else factors
    with np.errstate(invalid="ignore"):
        l2 = np.where(np.isinf(f), 0, penalty * (1 - l1_ratio) * f)
        l1 = np.where(np.isinf(f), np.inf, penalty * l1_ratio * f)
    return coordinate_descent(A, b, l1=l1, l2=l2, tol=1e-10, **options)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_each_model_is_as_near_to_its_minimum_as_was_asked(options):
    A, b = data()
    p = path(A, b, n=12, **options)
    assert p.success and (p.gap <= p.wanted).all()
    for k, penalty in enumerate(p.penalties):
        best = single(A, b, penalty, **options)
        assert best.success
        # each objective is above the minimum by no more than its gap
        assert abs(p.objective[k] - best.objective) <= p.gap[k] + best.gap + 1e-13 * best.objective


@pytest.mark.parametrize("name", ["plain", "intercept", "positive", "elastic net"])
def test_so_are_those_of_many_columns(name):
    """More columns than rows are solved by working sets, which a path keeps."""
    A, b = data(6, 40, 500)
    p = path(A, b, n=12, **OPTIONS[name])
    assert p.success
    for k, penalty in enumerate(p.penalties):
        best = single(A, b, penalty, **OPTIONS[name])
        assert abs(p.objective[k] - best.objective) <= p.gap[k] + best.gap + 1e-13 * best.objective


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_the_first_penalty_is_the_least_that_keeps_all_at_0(options, sign):
    A, b = data(1)
    b = sign * b
    p = path(A, b, n=2, smallest=0.999, **options)
    penalised = np.ones(P, bool) if "factors" not in options else FACTORS > 0
    assert not p.theta[penalised, 0].any()
    below = single(A, b, 0.999 * p.penalties[0], **options)
    assert below.theta[penalised].any()


def test_a_sparse_matrix_has_the_path_of_the_dense_one():
    sparse = pytest.importorskip("scipy.sparse")
    A, b = data(2)
    A[np.abs(A) < 1] = 0
    dense = path(A, b, n=8, intercept=True, tol=1e-12)
    thin = path(sparse.csr_matrix(A), b, n=8, intercept=True, tol=1e-12)
    np.testing.assert_allclose(thin.penalties, dense.penalties, rtol=1e-12)
    # gaps of 1e-12 of b'b/2 leave its root, 1e-6, of the predictions
    np.testing.assert_allclose(A @ thin.theta, A @ dense.theta, atol=1e-5 * np.linalg.norm(b))


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_number_of_threads_changes_no_bit(threads):
    A, b = data(3, 3000, 40)
    one, more = (path(A, b, n=6, threads=t) for t in (1, threads))
    np.testing.assert_array_equal(one.theta, more.theta)


def test_penalties_may_be_given_in_any_order():
    A, b = data()
    p = path(A, b, penalties=[1.0, 300.0, 20.0])
    np.testing.assert_array_equal(p.penalties, [300.0, 20.0, 1.0])
    assert (np.diff(p.objective) < 0).all()


def test_where_b_is_0_there_is_one_model():
    p = path(np.eye(4), np.zeros(4))
    assert p.penalties.tolist() == [0.0] and not p.theta.any() and p.success


def test_a_callback_ends_the_path_and_what_is_missing_is_said():
    A, b = data()
    seen = []
    p = path(A, b, n=9, callback=lambda step: seen.append(step.penalty) or len(seen) == 4)
    np.testing.assert_array_equal(seen, p.penalties[:4])
    assert not p.success
    assert np.isfinite(p.theta[:, :4]).all() and np.isnan(p.theta[:, 4:]).all()
    assert (p.status[4:] == Status.NOT_RUN).all()
    assert p.support.shape == (9,) and "4 converged" in repr(p)


def test_an_exception_carries_what_is_finished():
    A, b = data()

    def fail(step):
        if step.number == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as caught:
        path(A, b, n=9, callback=fail)
    assert isinstance(caught.value.result, LinearPath)
    assert np.isfinite(caught.value.result.theta[:, :4]).all()


def test_ctrl_c_before_anything_is_known_has_an_empty_result(monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    A, b = data()
    monkeypatch.setattr("thalweg.linear.walk.Look", interrupt)
    with pytest.raises(KeyboardInterrupt) as caught:
        path(A, b)
    assert "no penalty" in repr(caught.value.result)
    with pytest.raises(KeyboardInterrupt) as caught:
        path(A, b, penalties=[2.0, 1.0])
    assert (caught.value.result.status == Status.NOT_RUN).all()


@pytest.mark.parametrize("shape", [(600, 20), (60, 300)], ids=["whole", "working sets"])
def test_no_time_is_no_success(shape):
    A, b = data(0, *shape)
    p = path(A, b, n=5, time_limit=0)
    assert not p.success
    reached = Status.TIME == p.status
    assert reached.any() and np.isfinite(p.theta[:, reached]).all()


@pytest.mark.parametrize("n", [63, 64, 65, 130])
def test_on_one_gram_matrix_of_all_columns_nothing_adds_up(n):
    """A and b are read again every 64 models; each has the objective that A and b give."""
    A, b = data(4, 2000, 20)
    p = path(A, b, n=n, l1_ratio=0.8, tol=1e-12)
    assert p.success
    r = b[:, None] - A @ p.theta
    l1, l2 = 0.8 * p.penalties, 0.2 * p.penalties
    exact = 0.5 * (r**2).sum(0) + l1 * np.abs(p.theta).sum(0) + 0.5 * l2 * (p.theta**2).sum(0)
    # rounding of 64 updates of r'r, each of some eps b'b
    np.testing.assert_allclose(p.objective, exact, atol=64 * 1e-15 * (b @ b))


def test_a_gap_that_one_gram_matrix_does_not_reach_is_tried_by_itself():
    A, b = data(5, 2000, 20)
    p = path(A, b, n=4, tol=0)
    # rounding decides whether a gap is exactly 0: the objective tells
    for k, penalty in enumerate(p.penalties):
        best = single(A, b, penalty)
        assert abs(p.objective[k] - best.objective) <= p.gap[k] + best.gap + 1e-13 * best.objective


@pytest.mark.parametrize(
    "change, words",
    [
        (dict(l1_ratio=0), "with l1_ratio=0 no penalty is large enough"),
        (dict(l1_ratio=1.5), "l1_ratio must be in"),
        (dict(smallest=1), "smallest must be in"),
        (dict(n=0), "n must"),
        (dict(penalties=[1, -1]), "penalties must be finite, not negative"),
        (dict(penalties=[[1.0]]), "penalties must be finite, not negative, and of shape"),
        (dict(factors=[1.0]), "must have shape"),
        (dict(callback=3), "callback must be callable"),
    ],
)
def test_what_is_wrong_is_named(change, words):
    A, b = data()
    with pytest.raises((ValueError, TypeError), match=words):
        path(A, b, **change)


def test_several_right_hand_sides_are_refused():
    with pytest.raises(ValueError, match=r"b must have shape \(n=60,\), got \(60, 2\)"):
        path(data()[0], np.ones((N, 2)))


# ---- as scikit-learn calls them ------------------------------------------------------------------


def test_paths_are_those_of_scikit_learn():
    linear_model = pytest.importorskip("sklearn.linear_model")
    A, b = data()
    for ratio in (1.0, 0.5):
        alphas, coefs, gaps = enet_path(A, b, l1_ratio=ratio, alphas=20, tol=1e-12)
        theirs = linear_model.enet_path(A, b, l1_ratio=ratio, alphas=20, tol=1e-14, max_iter=10**6)
        np.testing.assert_allclose(alphas, theirs[0], rtol=1e-12)
        np.testing.assert_allclose(A @ coefs, A @ theirs[1], atol=2e-6 * np.linalg.norm(b))
        assert (gaps <= 1e-12 * b @ b).all()


def test_a_lasso_path_is_an_elastic_net_of_ratio_1():
    A, b = data()
    lasso = lasso_path(A, b, alphas=[0.5, 2.0], positive=True, return_n_iter=True)
    net = enet_path(A, b, l1_ratio=1.0, alphas=[2.0, 0.5], positive=True, return_n_iter=True)
    assert len(lasso) == 4 and (lasso[1] >= 0).all()
    for mine, other in zip(lasso, net, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_weights_are_repetitions():
    A, b = data()
    w = np.arange(N) % 3
    weighted = enet_path(A, b, alphas=[0.3], sample_weight=w, tol=1e-12)
    repeated = enet_path(np.repeat(A, w, axis=0), np.repeat(b, w), alphas=[0.3], tol=1e-12)
    np.testing.assert_allclose(weighted[1], repeated[1], atol=1e-5)
