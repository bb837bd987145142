"""The kernel of iterative coordinate descent: equal to its specification, at every size."""

import numpy as np
import pytest
from icd_cases import EPS, case, matrix
from sizes import around, constant

from thalweg._core import linear as core
from thalweg.linear import QGGMRF, GaussianPrior, ProximalPrior
from thalweg.reference import images as spec

SHORT, LINE = (constant("sweep/csc.h", name) for name in ("SHORT", "LINE"))
SHAPES = [(1, 1), (1, 9), (8, 1), (2, 2), (3, 3), (5, 7), (1, 1, 1), (3, 3, 3), (2, 4, 3)]


class Job:
    """A case as kernels take it, and as the specification does."""

    def __init__(self, c, prior):
        self.c, self.shape = c, c.shape
        A = c.A
        self.columns = core.Columns((A.shape, A.indptr, A.indices, A.data), c.weights, 1)
        self.curvature, product = np.zeros((2, A.shape[1]))
        assert self.columns.moments(np.zeros(A.shape[0]), None, self.curvature, product)[0] == 0
        self.terms = prior.terms(self.shape)
        t, axes = self.terms, len(self.shape)
        target = None if t.target is None else t.target.reshape(self.shape)
        self.prior = spec.Prior(
            t.offset[:, 3 - axes :], t.weight, t.width, t.height, t.power, target, t.pull
        )
        self.dense = A.toarray().astype(float)

    def sweep(self, lower, omega, order, x, e):
        x, e, way = x.reshape(-1).copy(), e.copy(), np.zeros(x.size)
        core.image_sweep(self.columns, self.curvature, self.terms, lower, omega, order, x, e, way)
        return x.reshape(self.shape), e, way

    def wanted(self, lower, omega, order, x, e):
        order = range(x.size) if order is None else order
        return spec.image_sweep(self.dense, self.c.w, self.prior, lower, omega, order, x, e)

    def cost(self, x, e):
        return core.image_cost(self.columns, self.terms, x.reshape(-1), e)


def priors(shape):
    v = np.random.default_rng(9).uniform(-1, 2, shape)
    few, many = {2: (4, 8), 3: (6, 26)}[len(shape)]
    return [
        GaussianPrior(0.7, neighbours=few),
        GaussianPrior(0.7),
        QGGMRF(0.2, p=1.0, T=0.5),
        QGGMRF(0.5, p=1.3, neighbours=few),
        QGGMRF(0.5, p=1.99, T=2.0, neighbours=many),
        ProximalPrior(v, 0.4),
    ]


def rounding(n):
    """Rounding of a sweep: sums of n terms of size 1 to 10, of which pixels pass each other on."""
    return 64 * n * EPS


KINDS = [(np.float64, np.int32), (np.float64, np.int64), (np.float32, np.int32)]


@pytest.mark.parametrize(
    "dtype, index, weights",
    [
        (np.float64, np.int32, "some"),
        (np.float64, np.int64, None),
        (np.float32, np.int32, None),
        (np.float32, np.int64, "some"),
    ],
)
@pytest.mark.parametrize("shape", SHAPES)
def test_sweeps_are_what_the_specification_says(isa, shape, dtype, index, weights):
    c = case(shape, n=60, weights=weights, dtype=dtype, index=index)
    rng = np.random.default_rng(1)
    P = c.A.shape[1]
    orders = [None, rng.permutation(P), rng.integers(0, P, 2 * P), np.arange(0)]
    for prior in priors(shape):
        job = Job(c, prior)
        steps = [(0.0, 1.0), (-np.inf, 1.0), (0.0, 1.7), (-np.inf, 0.3), (0.0, 0.0)]
        for k, (lower, omega) in enumerate(steps):
            for order in orders[k % 2 :: 2]:  # each with two orders, and each order with two steps
                x = np.maximum(rng.uniform(-1, 3, shape), lower)
                e = c.y - job.dense @ x.ravel()
                got, want = (f(lower, omega, order, x, e) for f in (job.sweep, job.wanted))
                for name, one, other in zip(("x", "e", "way"), got, want, strict=True):
                    np.testing.assert_allclose(
                        one, other, rtol=0, atol=rounding(60), err_msg=f"{name}, {prior}"
                    )
                assert (got[0] >= lower).all()
                if omega == 0:
                    np.testing.assert_array_equal(got[0], x)
                    np.testing.assert_array_equal(got[1], e)
                np.testing.assert_allclose(
                    job.cost(got[0], got[1]),
                    spec.image_cost(c.w, job.prior, got[0], got[1]),
                    rtol=rounding(1),
                )


@pytest.mark.parametrize("dtype, index", KINDS)
def test_columns_of_every_length(isa, dtype, index):
    """Lengths at which a walk along a column changes, scattered and as one run of rows."""
    lengths = [*around(SHORT, LINE, 4, least=0), 0, 1, 2, 100]
    rng = np.random.default_rng(2)
    c = case((2, len(lengths)), n=250, weights="some", dtype=dtype, index=index)
    A = np.zeros(c.A.shape)
    for k, length in enumerate(lengths):
        A[rng.choice(250, length, replace=False), k] = rng.uniform(0.1, 1, length)
        A[100 : 100 + length, len(lengths) + k] = rng.uniform(0.1, 1, length)
    c = c._replace(A=type(c.A)(A.astype(dtype)))
    c.A.indices, c.A.indptr = c.A.indices.astype(index), c.A.indptr.astype(index)
    job = Job(c, QGGMRF(0.3))
    x, e = rng.random(c.shape), c.y.copy()
    for order in (None, rng.permutation(x.size)):
        got, want = (f(0.0, 1.2, order, x, e) for f in (job.sweep, job.wanted))
        for one, other in zip(got, want, strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=rounding(250))


@pytest.mark.parametrize("p", [1.0, 1.001, 1.2, 1.5, 1.9, 1.999, 2.0])
def test_the_potential_of_any_difference(isa, p):
    """Against extended precision: two pixels, and differences over the range of float64."""
    A = matrix(np.random.default_rng(0), 3, 2)
    c = case((1, 2), n=3)._replace(A=A)
    job = Job(c, QGGMRF(1.0, p=p, T=1.0))
    b = np.longdouble(job.terms.weight[3])
    for exponent in [*range(-12, 13), -400, -60, 60, 400]:
        for mantissa in np.linspace(1, 2, 41):
            d = float(mantissa) * 2.0**exponent
            penalty = job.cost(np.array([d, 0.0]), np.zeros(3))[1]
            u = np.longdouble(d)
            want = b * u**2 / np.longdouble(p) / (1 + u ** np.longdouble(2 - p))
            # u^(2-p) has an error of some eps times 1 + its logarithm; at most 2.2 were seen
            assert abs(penalty / want - 1) <= 3 * EPS * (1 + (2 - p) * abs(np.log2(d))), d
    assert job.cost(np.array([5.0, 5.0]), np.zeros(3))[1] == 0


def test_parabolas_lie_above_the_potential():
    """What makes the cost fall: the parabola at one difference is above ρ at every other."""
    for p in (1.0, 1.2, 1.8, 2.0):
        t = QGGMRF(0.5, p=p, T=0.8).terms((3, 3))
        prior = spec.Prior(t.offset, t.weight, t.width, t.height, t.power, None, 0.0)
        z = np.concatenate([[0.0], np.logspace(-6, 4, 400)])
        rho = spec.potential(prior, z)
        for k, at in enumerate(z):
            parabola = rho[k] + spec.bend(prior, at) * (z**2 - at**2) / 2
            size = rho[k] + spec.bend(prior, at) * (z**2 + at**2) / 2
            assert (parabola >= rho - 8 * EPS * size).all(), (p, at)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (dict(size=(1, 2, 4)), ValueError),
        (dict(size=(1, 1, 3)), ValueError),
        (dict(weight=np.ones(27), offset=np.zeros((27, 3), np.intp)), ValueError),
        (dict(offset=np.zeros((7, 3), np.intp)), (ValueError, TypeError)),
        (dict(offset=np.zeros((8, 3))), (ValueError, TypeError)),
        (dict(target=np.zeros(5)), (ValueError, TypeError)),
    ],
)
def test_memory_is_safe_from_grids_that_make_no_sense(change, error):
    job = Job(case((2, 3)), GaussianPrior(1.0))
    job.terms = job.terms._replace(**change)
    with pytest.raises(error):
        job.cost(np.zeros(6), np.zeros(60))
    with pytest.raises(error):
        job.sweep(0.0, 1.0, None, np.zeros((2, 3)), np.zeros(60))


def test_memory_is_safe_from_orders_and_lengths():
    job = Job(case((2, 3)), GaussianPrior(1.0))
    x, e = np.zeros((2, 3)), np.zeros(60)
    for order in ([6], [-1], [0, 1, 99]):
        with pytest.raises(IndexError, match="there is no column"):
            job.sweep(0.0, 1.0, np.array(order, np.intp), x, e)
    with pytest.raises((ValueError, TypeError)):
        job.sweep(0.0, 1.0, None, np.zeros((2, 4)), e)
    with pytest.raises((ValueError, TypeError)):
        job.sweep(0.0, 1.0, None, x, np.zeros(59))
    dense = core.Columns(np.ones((60, 6)), None, 1)
    with pytest.raises(ValueError, match="sparse columns"):
        core.image_cost(dense, job.terms, np.zeros(6), e)
