"""The kernels of linear models: equal to their specification, at every size where they change."""

import numpy as np
import pytest
import scipy.sparse as sp
from sizes import around, constant

from thalweg._core import linear as core
from thalweg.reference import linear as spec

EPS = np.finfo(float).eps
PASS_ROWS, MOVE_ROWS = (constant("linear/passes.h", k) for k in ("PASS_ROWS", "MOVE_ROWS"))
PACK_ROWS, FOUR = (constant("linear/passes.h", k) for k in ("PACK_ROWS", "FOUR"))
POLL_COLUMNS = constant("linear/passes.h", "POLL_COLUMNS")
TWICE_ROWS, TWICE_SIZE = (constant("linear/passes.h", k) for k in ("TWICE_ROWS", "TWICE_SIZE"))
SPARSE_COLUMNS = constant("linear/csc.h", "SPARSE_COLUMNS")
BLOCK_ROWS, AT_ONCE_SIZE, SIDE, MIRRORED = (
    constant("linear/dense_gram.h", k) for k in ("BLOCK_ROWS", "AT_ONCE_SIZE", "SIDE", "MIRRORED")
)
STRIPS = [SIDE * lanes for lanes in (2, 4, 8)]  # columns of a strip, of each instruction set
ROUGH_STRIPS = [2 * strip for strip in STRIPS]  # a strip of floats is twice as long
SHAPES = [
    *((n, 5) for n in around(PACK_ROWS, MOVE_ROWS, PASS_ROWS)),
    *((30, P) for P in around(FOUR, POLL_COLUMNS)),
    *((n, TWICE_SIZE // PACK_ROWS + 1) for n in around(TWICE_ROWS)),
    *((n, TWICE_SIZE // (2 * PACK_ROWS)) for n in around(2 * PACK_ROWS)),
    (0, 3), (3, 0), (1, 1),
]  # fmt: skip


class Matrix:
    """A matrix in one of its kinds, weights, and what the specification is told."""

    def __init__(self, n, P, kind, dtype, has_weights, rng, threads=1):
        A = rng.standard_normal((n, P)) + rng.uniform(-30, 30, P)
        if kind in ("csc", "csc64"):
            A *= rng.random((n, P)) < 0.3
        self.A = A.astype(dtype)
        self.w = rng.random(n) + 0.1 if has_weights else None
        self.columns = core.Columns(self.raw(kind), self.w, threads)
        self.weights = np.ones(n) if self.w is None else self.w
        self.exact = self.A.astype(float)

    def raw(self, kind):
        if kind == "F":
            return np.asfortranarray(self.A)
        if kind == "C":
            return np.ascontiguousarray(self.A)
        if kind == "strided":
            wide = np.full((2 * self.A.shape[0], 3 * self.A.shape[1]), np.nan, self.A.dtype)
            wide[::2, ::3] = self.A
            return wide[::2, ::3]
        if kind == "reversed":
            return np.ascontiguousarray(self.A[::-1, ::-1])[::-1, ::-1]
        m, index = sp.csc_array(self.A), np.int64 if kind == "csc64" else np.int32
        return self.A.shape, m.indptr.astype(index), m.indices.astype(index), m.data

    def look(self, u, centred):
        P = self.A.shape[1]
        mean, square, product = np.zeros(P), np.zeros(P), np.zeros(P)
        assert self.columns.moments(u, mean if centred else None, square, product) == (0, -1)
        return mean, square, product


def level(n, *sizes):
    """Rounding of a sum of n products of such a size, each of n roundings in parts of the sum."""
    return 2 * EPS * (n + 50) * np.sqrt(n + 1) * np.prod(sizes)


KINDS = ["F", "C", "strided", "reversed", "csc", "csc64"]


@pytest.mark.parametrize("centred", [False, True])
@pytest.mark.parametrize("has_weights", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_passes_are_what_the_specification_says(isa, dtype, kind, has_weights, centred):
    rng = np.random.default_rng(1)
    for n, P in SHAPES:
        m = Matrix(n, P, kind, dtype, has_weights, rng)
        u = rng.standard_normal(n)
        u = m.weights * (u - (m.weights @ u / m.weights.sum() if n else 0))
        got, want = m.look(u, centred), spec.moments(m.exact, u, m.weights, centred and n > 0)
        for name, a, b in zip(("mean", "square", "product"), got, want, strict=True):
            size = {"mean": 30, "square": 900, "product": 30}[name]
            np.testing.assert_allclose(a, b, rtol=0, atol=level(n, size), err_msg=f"{n}, {P}")
        mean = want[0]
        which = rng.permutation(P)[: max(P - 1, 0)].astype(np.intp)
        out = np.empty(len(which))
        m.columns.products(which, u, out)
        np.testing.assert_allclose(
            out, spec.products(m.exact, mean, which, u), rtol=0, atol=level(n, 30)
        )
        step, r = rng.standard_normal(len(which)), rng.standard_normal(n)
        moved = r.copy()
        m.columns.move(which, step, moved)
        np.testing.assert_allclose(
            moved, spec.move(m.exact, mean, which, step, r), rtol=0, atol=level(P, 60)
        )
        left, other = r.copy(), which[::-2].copy()
        out = np.empty(len(other))
        m.columns.residual(which, step, other, left, out)
        want = spec.residual(m.exact, mean, which, step, other, m.weights, r)
        np.testing.assert_allclose(left, want[0], rtol=0, atol=level(P, 60))
        np.testing.assert_allclose(out, want[1], rtol=0, atol=level(n, 30, 60 * np.sqrt(P)))
        check_gram(m, mean, which)


def check_gram(m, mean, which, rough=False):
    """What is known stays, what is beyond is not touched, and both halves are the same."""
    n, k = len(m.A), len(which)
    want = spec.gram(m.exact, mean, which, m.weights, rough)
    length = np.sqrt(np.diag(want))
    # floats have BLOCK_ROWS roundings of a sum, of which most cancel each other
    off = 8e-7 * np.outer(length, length) + 1e-12 if rough else level(n, 900)
    for known in {0, k // 2, k}:
        room = np.full((k + 2, k + 3), 7.0)
        room[:known, :known] = want[:known, :known]
        m.columns.gram(which, known, room, rough)
        assert (np.abs(room[:k, :k] - want) <= off).all()
        np.testing.assert_array_equal(room[known:k, :k], room[:k, known:k].T)
        np.testing.assert_array_equal(room[:known, :known], want[:known, :known])
        assert (room[k:] == 7).all() and (room[:, k:] == 7).all()


@pytest.mark.parametrize(
    "far", ["one row has nearly all weight", "two have", "means are far from 0"]
)
@pytest.mark.parametrize("kind", ["F", "csc", "csc64"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_gram_matrix_whose_means_are_nearly_all_of_it(isa, dtype, kind, far):
    """Sums about 0 would lose half of the digits, or all.

    About an element of the column the relative error is some eps times a mean over a spread.
    """
    rng, n, P = np.random.default_rng(4), 40, 9
    m = Matrix(n, P, kind, dtype, True, rng)
    if far == "means are far from 0":
        m.A[:] = 1e4 + rng.standard_normal((n, P))
    else:
        m.A[[3, 17]] = rng.standard_normal(P)
        m.w[[3, 17]] = (1e12, 1.0) if far.startswith("one") else 1e12
    m.exact = m.A.astype(float)
    m.columns = core.Columns(m.raw(kind), m.w, 1)
    m.look(np.zeros(n), True)
    A, w = m.exact.astype(np.longdouble), m.w.astype(np.longdouble)
    A -= w @ A / w.sum()
    want, out = (A.T * w) @ A, np.zeros((P, P))
    length = np.sqrt(np.diag(want))
    for known in (0, P // 2):
        m.columns.gram(np.arange(P), known, out)
        assert (np.abs(out - want) <= 1e5 * EPS * np.outer(length, length)).all()


@pytest.mark.parametrize("has_weights", [False, True])
@pytest.mark.parametrize("kind", ["F", "C", "csc"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_gram_matrix_at_the_sizes_of_its_tiles(isa, dtype, kind, has_weights):
    rng = np.random.default_rng(11)
    shapes = [(9, P) for P in around(*STRIPS, MIRRORED, 2 * MIRRORED)]
    shapes += [(n, 5) for n in around(BLOCK_ROWS)] + [(n, 2 * STRIPS[-1] + 1) for n in (1, 300)]
    for n, P in shapes:
        m = Matrix(n, P, kind, dtype, has_weights, rng)
        mean = m.look(np.zeros(n), True)[0]
        check_gram(m, mean, rng.permutation(P).astype(np.intp))


@pytest.mark.parametrize("has_weights", [False, True])
@pytest.mark.parametrize("kind", ["F", "C"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_rough_gram_matrix_at_the_sizes_of_its_tiles(isa, dtype, kind, has_weights):
    rng = np.random.default_rng(13)
    shapes = [(9, P) for P in around(*STRIPS[:1], *ROUGH_STRIPS, MIRRORED, 2 * MIRRORED)]
    shapes += [(n, 5) for n in around(BLOCK_ROWS)] + [(n, 2 * STRIPS[-1] + 1) for n in (1, 300)]
    for n, P in shapes:
        m = Matrix(n, P, kind, dtype, has_weights, rng)
        mean = m.look(np.zeros(n), True)[0]
        check_gram(m, mean, rng.permutation(P).astype(np.intp), True)


@pytest.mark.parametrize("rough", [False, True])
def test_a_gram_matrix_of_more_rows_than_are_copied_at_once(isa, rough):
    rng = np.random.default_rng(12)
    P, strips = STRIPS[-1] + 1, ROUGH_STRIPS if rough else STRIPS
    blocks = {AT_ONCE_SIZE // (-(-P // s) * s) // BLOCK_ROWS for s in strips}
    for n in [k * BLOCK_ROWS + off for k in blocks for off in (0, 1)]:
        m = Matrix(n, P, "F", float, True, rng)
        check_gram(m, m.look(np.zeros(n), True)[0], np.arange(P), rough)


@pytest.mark.parametrize("kind", ["F", "C", "csc"])
def test_threads_change_no_bit_of_a_pass(kind):
    rng = np.random.default_rng(2)
    n = 2 * PASS_ROWS + 3 if kind != "csc" else 40
    P = 2 * STRIPS[-1] + 3 if kind != "csc" else 2 * SPARSE_COLUMNS + 3
    u = rng.standard_normal(n)
    results = []
    for threads in (1, 2, 3):
        m = Matrix(n, P, kind, float, True, np.random.default_rng(3), threads)
        found = m.look(u, True)
        out, moved = np.empty(P), u.copy()
        m.columns.products(None, u, out)
        m.columns.move(None, np.arange(P) + 1.0, moved)
        gram, rough = np.zeros((2, P, P))
        m.columns.gram(None, 0, gram)
        m.columns.gram(None, 0, rough, True)
        left, again = u.copy(), np.empty(P)
        m.columns.residual(None, np.arange(P) + 1.0, None, left, again)
        results.append((*found, out, moved, gram, rough, left, again))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_column_far_from_zero_keeps_its_digits():
    """The pivot is one of its values, or where that is an outlier, a second look is taken."""
    rng = np.random.default_rng(4)
    A = np.asfortranarray(1e8 + rng.standard_normal((500, 3)))
    A[0, 1] = -1e9  # the row of the pivots
    A[:, 2] = 0.1
    m = core.Columns(A, None, 1)
    mean, square, product = np.zeros(3), np.zeros(3), np.zeros(3)
    u = rng.standard_normal(500)
    m.moments(u - u.mean(), mean, square, product)
    exact = A.astype(np.longdouble)
    want = ((exact - exact.mean(0)) ** 2).sum(0)
    np.testing.assert_allclose(square[:2], want[:2].astype(float), rtol=1e-7)
    assert square[2] == 0 and product[2] == 0


# ---- the certificate ---------------------------------------------------------------------------


def coordinates(rng, m):
    """Penalties and bounds of every kind, and a theta within them."""
    l1, l2 = rng.choice([0.0, 0.5, 2.0], m), rng.choice([0.0, 0.3], m)
    lower = rng.choice([-np.inf, -1.0, 0.0, 0.25], m)
    upper = rng.choice([np.inf, 1.0, 0.5], m)
    theta = np.clip(rng.choice([0.0, -0.4, 0.7], m), lower, upper)
    return (l1, l2, lower, upper), theta


def test_a_certificate_is_what_the_specification_says(isa):
    rng = np.random.default_rng(5)
    for m in [0, 1, 2, 3, 10, 40] * 30:
        each, theta = coordinates(rng, m)
        q = rng.standard_normal(m) * rng.choice([0.1, 1, 4])
        reach, square = rng.random(m), rng.random(m) * (rng.random(m) < 0.9)
        for error in (0.0, 0.1, 1.0):
            got = core.certificate(each, reach, square, theta, q, 2.5, error)
            want = spec.certificate(each, reach, square, theta, q, 2.5, error)
            np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-14)
            some = rng.permutation(m)[: m // 2]
            got = core.certificate(each, reach, square, theta, q, 2.5, error, which=some)
            want = spec.certificate(each, reach, square, theta, q, 2.5, error, which=some)
            np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-14)


def test_a_certificate_of_products_that_may_be_wrong_holds_for_the_right_ones(isa):
    rng = np.random.default_rng(21)
    for m in (1, 3, 10) * 20:
        each, theta = coordinates(rng, m)
        each = (each[0] + 0.25, *each[1:])  # so that the gap assumes nothing
        A, b = rng.standard_normal((12, m)), rng.standard_normal(12)
        r, square, reach = b - A @ theta, (A**2).sum(0), np.zeros(m)
        best = spec.solve(A.T @ A, each, reach, 12, r @ r, 1e-13, 200, theta, A.T @ r)[0]
        least = value(A, b, each, best)
        for error in (1e-3, 0.1, 1.0):
            q = A.T @ r + error * np.sqrt(square) * rng.uniform(-1, 1, m)
            found = core.certificate(each, reach, square, theta, q, r @ r, error)
            assert value(A, b, each, theta) - least <= found[2] + 1e-12


def value(A, b, each, theta):
    return 0.5 * ((b - A @ theta) ** 2).sum() + each[0] @ np.abs(theta) + 0.5 * each[1] @ theta**2


@pytest.mark.parametrize("M", [0, 1, 5])
def test_certificates_are_those_of_each_row(M):
    rng = np.random.default_rng(6)
    each, _ = coordinates(rng, 7)
    theta = np.clip(rng.choice([0.0, -0.4, 0.7], (M, 7)), *each[2:])
    q, reach = rng.standard_normal((M, 7)), rng.random((M, 7))
    square, rr = rng.random(7), rng.random(M)
    got = np.empty((M, 5))
    core.certificates(each, reach, square, theta, q, rr, got)
    for k in range(M):
        want = core.certificate(each, reach[k], square, theta[k], q[k], rr[k])
        np.testing.assert_array_equal(got[k], want[:5])


def test_a_tiny_l2_that_overflows_proves_nothing():
    each = tuple(np.array([x]) for x in (0.0, 1e-320, -np.inf, np.inf))
    one = np.ones(1)
    assert core.certificate(each, one, one, 0 * one, one, 1.0)[2] == np.inf


@pytest.mark.parametrize("kind", [np.int32, np.int64, np.float32, np.float64])
def test_runs_are_copied_one_behind_the_other(kind):
    rng = np.random.default_rng(21)
    source = rng.integers(0, 1000, 50).astype(kind)
    starts = np.array([50, 3, 40, 0, 0, 20], np.intp)
    lengths = np.array([0, 4, 10, 50, 0, 1], np.intp)
    out = np.full(65, 7, kind)
    core.copy_runs(source, starts, lengths, out)
    want = [source[a : a + m] for a, m in zip(starts, lengths, strict=True)]
    np.testing.assert_array_equal(out, np.concatenate(want))


@pytest.mark.parametrize(
    ("starts", "lengths", "room", "words"),
    [
        ([0, -1], [1, 1], 2, "run 1 is outside"),
        ([51], [0], 0, "run 0 is outside"),
        ([0], [-1], 0, "run 0 is outside"),
        ([49], [2], 2, "run 0 is outside"),
        ([0, 9], [3, 3], 5, "run 1 is outside"),
        ([0, 9], [3, 3], 7, "7 elements, and the runs 6"),
    ],
)
def test_runs_outside_the_arrays_are_refused(starts, lengths, room, words):
    places = np.array(starts, np.intp), np.array(lengths, np.intp)
    with pytest.raises((IndexError, ValueError), match=words):
        core.copy_runs(np.zeros(50), *places, np.zeros(room))
    with pytest.raises(TypeError):
        core.copy_runs(np.zeros(50), *places, np.zeros(room, np.float32))
