"""The mean squared error: its kernel, its derivatives, its shapes and its refusals."""

import _thread
import threading

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thalweg as tw
from thalweg import reference
from thalweg._core import loss as core
from thalweg.model.graph import Graph
from thalweg.model.tape import lower_terms
from thalweg.model.trace import RecordingError, record_outputs

EPS = np.finfo(float).eps
DTYPES = (np.float64, np.float32)
# Across the bounds of lane groups, of blocks (512 samples here) and of chunks (16 blocks), and more
# chunks than there may be.
SIZES = (1, 7, 8, 9, 511, 512, 513, 8191, 8193, 40_000)
MANY = 600_000


def rounding(size, n_samples, dtype=np.float64, depth=40):
    """How far sums of terms of this total size may be off: each term by its operations, in eps of
    its own size, and pairwise sums by no more than one eps for each level."""
    return (depth + np.log2(n_samples + 1)) * np.finfo(dtype).eps * size


# ---- the kernel ------------------------------------------------------------------------------


def staged(x, a, b):
    """Terms of every kind: scales, products of all stages, sums, and such as depend on one only."""
    u, v = np.tanh(a * x), np.exp(-b * x)
    return [
        u * v,
        -3.0 * a * u * v,
        u**2,
        b * u,
        x * v,
        -x * v,
        a * b * np.exp(x),
        x * x,
        -x,
        a + b,
        2.0,
        u + v,
        -(u * u),
        np.where(u > v, u, v),
    ]


def recorded(K):
    """Graph and outputs of `staged`."""
    graph, outputs, _ = record_outputs(staged, 1, 2, K, single=True, vector=False)
    return graph, outputs


THETA = (0.7, -0.4)


def data(K, seed=0):
    return np.random.default_rng(seed).uniform(-2, 2, K)


def run_sums(terms, columns, dtype, theta=THETA, threads=1):
    out = np.full(terms.n, np.nan)
    samples = core.Samples(columns, len(columns[0]))
    core.sums(terms, samples, dtype == np.float32, np.array(theta, dtype), out, threads)
    return out


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("K", SIZES)
def test_sums_equal_the_reference(isa, dtype, K):
    graph, outputs = recorded(K)
    x = data(K).astype(np.float32)  # the same numbers in both types
    terms = lower_terms(graph, outputs)
    each = reference.loss.values(graph, outputs, [x.astype(float)], THETA)
    wanted = reference.loss.sums(graph, outputs, [x.astype(float)], THETA)
    tolerance = rounding(np.abs(each).sum(axis=0), K, dtype)
    for column in (x, x.astype(float), np.repeat(x, 3)[::3], np.repeat(x.astype(float), 2)[::2]):
        got = run_sums(terms, [column], dtype)
        assert (np.abs(got - wanted) <= tolerance).all()
    got = run_sums(terms, [x[::-1]], dtype)
    assert (np.abs(got - wanted) <= tolerance).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("K", SIZES)
def test_values_equal_the_reference(isa, dtype, K):
    graph, outputs = recorded(K)
    x = data(K)
    terms = lower_terms(graph, outputs)
    out = np.full((K, terms.n), np.nan)
    theta = np.array(THETA, dtype)
    core.values(terms, core.Samples([x], K), dtype == np.float32, theta, out, 2)
    wanted = reference.loss.values(graph, outputs, [x], THETA)
    # of float32 the inputs are rounded first: exp(x) of |x| <= 2 by 2 eps, and -3 a u v by more
    np.testing.assert_allclose(out, wanted, rtol=0, atol=60 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_rows", [1, 2, 7])
@pytest.mark.parametrize("K", SIZES)
def test_normal_equals_the_reference(isa, dtype, n_rows, K):
    graph, outputs = recorded(K)
    x = data(K).astype(np.float32).astype(float)
    terms = lower_terms(graph, outputs, products=False)
    m = len(outputs) // n_rows
    out = np.full(m * (m + 1) // 2, np.nan)
    theta = np.array(THETA, dtype)
    core.normal(terms, core.Samples([x], K), dtype == np.float32, theta, n_rows, out, 2)
    wanted = reference.loss.normal(graph, outputs, [x], THETA, n_rows)
    size = np.sqrt(np.outer(np.diag(wanted), np.diag(wanted)))
    # blocks of 512 samples are added one after the other in the element type
    tolerance = rounding(size, K, dtype, depth=60 + K / 512)
    lower = np.tril_indices(m)
    assert (np.abs(out - wanted[lower]) <= tolerance[lower]).all()


@given(
    K=st.integers(1, 3000),
    columns=st.integers(1, 4),
    seed=st.integers(0, 2**32 - 1),
    threads=st.integers(1, 3),
)
@settings(max_examples=40)
def test_columns_of_an_array(isa, K, columns, seed, threads):
    """Inputs are read where they are, whatever their step."""
    rng = np.random.default_rng(seed)
    table = rng.standard_normal((K, columns))
    graph = Graph(1, columns)
    outputs = [graph.add("mul", graph.theta(0), graph.x(i)) for i in range(columns)]
    outputs += [graph.add("mul", graph.x(0), graph.x(columns - 1))]
    theta = rng.standard_normal(1)
    got = run_sums(lower_terms(graph, outputs), list(table.T), np.float64, theta, threads)
    products = np.c_[table * theta, table[:, 0] * table[:, -1]]
    size = np.abs(products).sum(axis=0)
    assert (np.abs(got - products.sum(axis=0)) <= rounding(size, K)).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_same_bits_for_any_number_of_threads(isa, dtype):
    graph, outputs = recorded(MANY)
    x = data(MANY)
    theta = np.array(THETA, dtype)
    found = []
    for products in (True, False):
        terms = lower_terms(graph, outputs, products=products)
        found.append([run_sums(terms, [x], dtype, threads=n) for n in (1, 2, 3, 8)])
    triangle = np.empty((3, 14 * 15 // 2))
    samples = core.Samples([x], MANY)
    for out, n in zip(triangle, (1, 2, 5), strict=True):
        core.normal(terms, samples, dtype == np.float32, theta, 1, out, n)
    for sums in (*found, triangle):
        for other in sums[1:]:
            np.testing.assert_array_equal(sums[0], other)


def test_many_samples_are_summed_as_exactly_as_few(isa):
    """600,000 float32 products: their sums are float64 beyond a block."""
    graph, outputs = recorded(MANY)
    x = data(MANY)
    got = run_sums(lower_terms(graph, outputs), [x], np.float32, threads=2)
    each = reference.loss.values(graph, outputs, [x], THETA)
    # float32 rounds each term, and the additions within a block, of which 16 are in a chain
    tolerance = 60 * np.finfo(np.float32).eps * np.abs(each).sum(axis=0)
    wanted = reference.loss.sums(graph, outputs, [x], THETA)
    assert (np.abs(got - wanted) <= tolerance).all()


def test_scales_and_products_stay_out_of_the_tape():
    graph, outputs = recorded(5)
    with_products, without = (lower_terms(graph, outputs, products=p) for p in (True, False))
    assert with_products.tape.sizes["block_code"] < without.tape.sizes["block_code"]


def test_refusals_of_the_core():
    graph, outputs = recorded(5)
    terms = lower_terms(graph, outputs)
    out, theta = np.empty(terms.n), np.array(THETA)
    samples = core.Samples([np.ones(5)], 5)
    with pytest.raises(ValueError, match="reads 1 columns, got 2"):
        core.sums(terms, core.Samples([np.ones(5)] * 2, 5), False, theta, out)
    with pytest.raises(ValueError, match=r"column 0 must have shape \(5,\)"):
        core.Samples([np.ones(4)], 5)
    with pytest.raises(TypeError, match="column 0 must be float64 or float32"):
        core.Samples([np.ones(5, int)], 5)
    with pytest.raises(ValueError, match="14 terms cannot be 3 rows"):
        core.normal(terms, samples, False, theta, 3, out)
    with pytest.raises(ValueError, match="must be one slot"):
        core.normal(terms, samples, False, theta, 1, out)
    with pytest.raises(ValueError, match="term 0 uses a slot"):
        core.Terms(terms.tape, [(-1, 10**6, -1)])
    with pytest.raises(ValueError, match="an array of 14 elements"):
        core.sums(terms, samples, False, theta, np.empty(3))


# ---- models to try ---------------------------------------------------------------------------


def decay(t, a, tau, c):
    return a * np.exp(-t / tau) + c


def rational(x, b1, b2, b3, b4, b5, b6, b7):
    return (b1 + x * (b2 + x * (b3 + x * b4))) / (1 + x * (b5 + x * (b6 + x * b7)))


def spiral(y, a, b, c):
    """Two inputs, three outputs, one of them an input only, one linear in a parameter."""
    u, v = y
    return a * np.sin(b * u) * v, c * u + v, u * v


def network(y, theta):
    """1-3-2 with tanh."""
    h = np.tanh(theta[0:3] * y + theta[3:6])
    return theta[6:12].reshape(2, 3) @ h + theta[12:14]


def listed_network(y, theta):
    """The same network in plain Python."""
    h = [np.tanh(theta[i] * y + theta[3 + i]) for i in range(3)]
    return [sum(theta[6 + 3 * i + j] * h[j] for j in range(3)) + theta[12 + i] for i in range(2)]


class Case:
    """A loss, where to look at it, and its predictions in NumPy."""

    def __init__(self, model, inputs, n_outputs, theta, weighted=False, vector=False, seed=0):
        rng = np.random.default_rng(seed)
        inputs = np.asarray(inputs)
        self.K = len(inputs)
        self.theta = np.array(theta, float)
        self.P, self.vector, self.model = len(self.theta), vector, model
        self.shape = (self.K,) if n_outputs == 0 else (self.K, n_outputs)
        self.y = inputs
        self.x = rng.standard_normal(self.shape)
        self.w = rng.uniform(0, 2, self.K) if weighted else np.ones(self.K)
        self.loss = tw.MSELoss(
            model,
            inputs,
            self.x,
            self.w if weighted else None,
            n_params=self.P if vector else None,
        )
        self.rng = rng

    def predict(self, theta):
        """Return predictions, shape (K, Nx), sample by sample; theta of any type."""
        rows = []
        for y in self.y:
            f = self.model(y, theta) if self.vector else self.model(y, *theta)
            rows.append(np.atleast_1d(np.asarray(f)))
        return np.array(rows)

    def value(self, theta):
        e = self.x.reshape(self.K, -1) - self.predict(theta)
        return (self.w[:, None] * e * e).sum() / self.K


def uniform(K, *more, seed=3):
    return np.random.default_rng(seed).uniform(0.2, 2, (K, *more))


CASES = {
    "decay": lambda: Case(decay, uniform(50), 0, (2.0, 1.5, 0.3)),
    "decay, one column": lambda: Case(decay, uniform(50), 1, (2.0, 1.5, 0.3)),
    "decay, weighted": lambda: Case(decay, uniform(33), 0, (2.0, 1.5, 0.3), weighted=True),
    "rational": lambda: Case(rational, uniform(60), 0, (1, 2, -1, 0.5, 0.3, 0.8, 0.2)),
    "three outputs": lambda: Case(spiral, uniform(40, 2), 3, (1.0, 2.0, -0.5)),
    "three, weighted": lambda: Case(spiral, uniform(9, 2), 3, (1, 2, -0.5), weighted=True),
    "network": lambda: Case(network, uniform(30), 2, np.linspace(-1, 1, 14), vector=True),
    "one sample": lambda: Case(rational, uniform(1), 0, (1, 2, -1, 0.5, 0.3, 0.8, 0.2)),
}


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]()


def complex_gradient(case, theta, step=1e-30):
    """The gradient to rounding, by a complex step: Im L(theta + i h e_j) / h."""
    rows = []
    for j in range(case.P):
        moved = theta.astype(complex)
        moved[j] += 1j * step
        rows.append(case.value(moved).imag / step)
    return np.array(rows)


def scale(values):
    return np.abs(values).max() + EPS


# ---- values and derivatives ------------------------------------------------------------------


def test_value_and_residuals(isa, case):
    e = case.x.reshape(case.K, -1) - case.predict(case.theta)
    residuals = case.loss.residuals(case.theta)
    assert residuals.shape == case.shape
    np.testing.assert_allclose(residuals, e.reshape(case.shape), rtol=0, atol=100 * EPS * scale(e))
    assert case.loss.value(case.theta) == pytest.approx(case.value(case.theta), rel=1e-13)


def test_gradient_by_complex_step(isa, case):
    value, gradient = case.loss.value_and_gradient(case.theta)
    assert value == case.loss.value(case.theta)
    np.testing.assert_array_equal(gradient, case.loss.gradient(case.theta))
    wanted = complex_gradient(case, case.theta)
    np.testing.assert_allclose(gradient, wanted, rtol=0, atol=1e-13 * scale(wanted))


def test_hessian_by_differences_of_exact_gradients(case):
    """Central differences of complex-step gradients: h^2 from truncation, eps / h from rounding."""
    H, h = case.loss.hessian(case.theta), 1e-5
    wanted = [
        (complex_gradient(case, case.theta + h * v) - complex_gradient(case, case.theta - h * v))
        / (2 * h)
        for v in np.eye(case.P)
    ]
    np.testing.assert_allclose(H, wanted, rtol=0, atol=3e-9 * scale(H))
    np.testing.assert_array_equal(H, H.T)


def test_hessian_in_extended_precision():
    """All second derivatives of L of one sample of the decay by mpmath."""
    loss = tw.MSELoss(decay, [0.7], [0.4])

    def value(a, tau, c):
        return (mpmath.mpf("0.4") - a * mpmath.exp(-mpmath.mpf(0.7) / tau) - c) ** 2

    point = (2.0, 1.5, 0.3)
    H = loss.hessian(point)
    with mpmath.workdps(30):
        for i in range(3):
            for j in range(3):
                orders = tuple((i == k) + (j == k) for k in range(3))
                wanted = float(mpmath.diff(value, point, orders))
                assert H[i, j] == pytest.approx(wanted, rel=1e-12, abs=1e-14)


def test_products_with_the_jacobian(case):
    """<J v, e> = <v, J' e>, J v by differences, and both with what is built of them."""
    loss, theta, rng = case.loss, case.theta, case.rng
    v, e = rng.standard_normal(case.P), rng.standard_normal(case.shape)
    t, back = loss.jvp(theta, v), loss.vjp(theta, e)
    assert t.shape == case.shape and back.shape == (case.P,)
    left, right = np.vdot(t, e), np.vdot(v, back)
    size = np.abs(t * e).sum() + np.abs(v * back).sum()
    assert abs(left - right) <= 100 * EPS * size
    step = 1e-30
    moved = case.predict(theta + 1j * step * v).imag / step
    np.testing.assert_allclose(t.reshape(moved.shape), moved, rtol=0, atol=1e-13 * scale(moved))
    w = case.w.reshape(-1, *[1] * (len(case.shape) - 1))
    gradient = loss.vjp(theta, w * loss.residuals(theta)) * (-2 / case.K)
    assert np.abs(gradient - loss.gradient(theta)).max() <= 1e-13 * scale(gradient)


def test_second_order_products(case):
    loss, theta, rng = case.loss, case.theta, case.rng
    d = rng.standard_normal(case.P)
    H, G = loss.hessian(theta), loss.gauss_newton(theta)
    tolerance = 1e-12 * (scale(H) + scale(G)) * scale(d) * case.P
    assert np.abs(loss.hessian_vector(theta, d) - H @ d).max() <= tolerance
    assert abs(loss.curvature(theta, d) - d @ H @ d) <= tolerance * scale(d) * case.P
    J = np.array([loss.jvp(theta, v).reshape(case.K, -1) for v in np.eye(case.P)])
    wanted = 2 / case.K * np.einsum("ikn,k,jkn->ij", J, case.w, J)
    assert np.abs(G - wanted).max() <= 1e-13 * scale(G)
    np.testing.assert_array_equal(G, G.T)


def test_gauss_newton_is_the_hessian_where_nothing_is_left():
    """At a perfect fit the second derivatives of f have no weight."""
    t = uniform(40)
    theta = (2.0, 1.5, 0.3)
    loss = tw.MSELoss(decay, t, decay(t, *theta))
    assert loss.value(theta) <= 10 * EPS
    G = loss.gauss_newton(theta)
    np.testing.assert_allclose(loss.hessian(theta), G, rtol=0, atol=1e-13 * scale(G))


def test_coordinates(case):
    state = case.loss.coordinate_state(case.theta)
    G, gradient = case.loss.gauss_newton(case.theta), case.loss.gradient(case.theta)
    for j in range(case.P):
        slope, curvature = state.partial(j)
        assert slope == pytest.approx(gradient[j], rel=1e-12, abs=1e-13 * scale(gradient))
        assert curvature == pytest.approx(G[j, j], rel=1e-12, abs=1e-300)
    before = case.theta.copy()
    assert state.value() == case.loss.value(case.theta)
    state.move(0, 0.25)
    np.testing.assert_array_equal(case.theta, before)
    assert state.theta[0] == before[0] + 0.25
    assert state.value() == case.loss.value(state.theta)


# ---- identities ------------------------------------------------------------------------------


def test_weight_two_is_a_sample_twice():
    t, x = uniform(30), uniform(30, seed=4)
    theta = (2.0, 1.5, 0.3)
    weights = np.arange(30) % 3
    weighted = tw.MSELoss(decay, t, x, weights)
    repeated = tw.MSELoss(decay, np.repeat(t, weights), np.repeat(x, weights))
    factor = weights.sum() / 30  # the divisor is the number of samples
    value, gradient = weighted.value_and_gradient(theta)
    wanted, wanted_gradient = repeated.value_and_gradient(theta)
    assert value == pytest.approx(factor * wanted, rel=1e-13)
    np.testing.assert_allclose(gradient, factor * wanted_gradient, rtol=1e-12)
    G = repeated.gauss_newton(theta) * factor
    np.testing.assert_allclose(weighted.gauss_newton(theta), G, rtol=1e-12)


def test_the_same_network_written_otherwise():
    y, x = uniform(25), uniform(25, 2, seed=5)
    theta = np.linspace(-1, 1, 14)
    losses = [tw.MSELoss(f, y, x, n_params=14) for f in (network, listed_network)]
    values = [loss.value_and_gradient(theta) for loss in losses]
    assert values[0][0] == pytest.approx(values[1][0], rel=1e-14)
    np.testing.assert_allclose(values[0][1], values[1][1], rtol=1e-12)


def test_other_ways_to_name_model_and_data():
    t, x = uniform(20), uniform(20, seed=6)
    theta = (2.0, 1.5, 0.3)
    wanted = tw.MSELoss(decay, t, x).value(theta)
    formula = tw.MSELoss("a*exp(-t/tau) + c", t, x, independent="t")
    assert formula.names == ("a", "tau", "c") and formula.n_samples == 20
    assert formula.value(theta) == pytest.approx(wanted, rel=1e-14)
    lists = tw.MSELoss(decay, list(t), list(x))
    assert lists.value(theta) == wanted
    strided = tw.MSELoss(decay, np.repeat(t, 2)[::2], np.repeat(x, 3)[::3])
    assert strided.value(theta) == wanted
    swapped = tw.MSELoss(decay, t.astype(">f8"), x.astype(">f8"))
    assert swapped.value(theta) == wanted


def test_grids_of_a_built_in_model():
    yy, xx = np.mgrid[0:6, 0:5].astype(float)
    theta = np.array([3.0, 2.0, 2.5, 1.2, 0.5])
    model = tw.models.gaussian2d
    image = model.function((xx, yy), *theta)
    loss = tw.MSELoss("gaussian2d", (xx, yy), image)
    assert loss.n_params == len(theta) and loss.n_samples == 30
    assert loss.value(theta) <= 10 * EPS
    assert loss.residuals(theta).shape == (6, 5)


def test_arrays_of_the_closure_go_along():
    t, offset, x = uniform(20), uniform(20, seed=7), uniform(20, seed=8)
    loss = tw.MSELoss(lambda t, a: a * t + offset, t, x)
    assert loss.value([2.0]) == pytest.approx(np.mean((x - 2 * t - offset) ** 2), rel=1e-14)


def test_relu_networks_and_plain_arrays_of_symbols():
    """np.maximum, np.where and np.clip act on each element, and np.array takes symbols."""

    def relu(y, theta):
        W = np.array([[theta[0], theta[1]], [theta[2], theta[3]]], dtype=theta.dtype)
        h = np.maximum(W @ y + theta[4:6], 0)
        g = np.where(h > 0.5, h, 0.5 * h)
        return np.tanh(W) @ np.clip(g, 0, 2) + np.sum(np.exp(-h)) + y[0] * theta[4:6] / 2

    y, x = uniform(15, 2) - 1, uniform(15, 2)
    theta = np.array([0.5, -1.0, 2.0, 0.3, 0.1, 0.2])
    loss = tw.MSELoss(relu, y, x, n_params=6)
    wanted = np.mean(
        [np.sum((b - relu(a, theta).astype(float)) ** 2) for a, b in zip(y, x, strict=True)]
    )
    assert loss.value(theta) == pytest.approx(wanted, rel=1e-13)


def test_linear_models_have_a_line_minimum():
    t, x = uniform(30), uniform(30, seed=9)
    loss = tw.MSELoss(lambda t, a, b: a * np.exp(t) + b * t**2 + 1, t, x)
    assert loss.is_quadratic
    theta, d = np.array([0.3, -0.2]), np.array([1.0, 2.0])
    alpha = loss.line_minimum(theta, d)
    slope = loss.gradient(theta + alpha * d) @ d
    assert abs(slope) <= 1e-12 * abs(loss.gradient(theta) @ d)
    assert loss.line_minimum(theta, [0.0, 0.0]) is None
    curved = tw.MSELoss(decay, t, x)
    assert not curved.is_quadratic and curved.line_minimum([1.0, 1.0, 1.0], [1.0, 0, 0]) is None


def test_threads_and_element_types():
    K = 50_000
    t, x = uniform(K), uniform(K, seed=10)
    theta = (2.0, 1.5, 0.3)
    one, two = (tw.MSELoss(decay, t, x, threads=n) for n in (1, 2))
    value, gradient = one.value_and_gradient(theta)
    assert (value, *gradient) == (two.value(theta), *two.gradient(theta))
    single = tw.MSELoss(decay, t, x, dtype=np.float32)
    assert single.value(theta) == pytest.approx(value, rel=1e-5)
    np.testing.assert_allclose(single.gradient(theta), gradient, rtol=1e-4)
    halves = tw.MSELoss(decay, t.astype(np.float32), x.astype(np.float32))
    assert halves.value(theta) == pytest.approx(value, rel=1e-6)


def test_not_finite_predictions_give_nan_not_an_exception():
    loss = tw.MSELoss(decay, [1.0, 2.0], [1.0, 2.0])
    assert np.isnan(loss.value([1.0, np.nan, 0.0]))
    assert not np.isfinite(loss.value([1e300, 1.0, 0.0]))


# ---- functions -------------------------------------------------------------------------------


def functions_of(case, **left_out):
    """What `from_functions` takes, from the recorded loss."""
    loss, h = case.loss, 1e-5
    found = {
        "jacobian": lambda theta: np.stack([loss.jvp(theta, v) for v in np.eye(case.P)], axis=-1),
        "jvp": loss.jvp,
        "vjp": loss.vjp,
        "vjp_derivative": lambda theta, e, d: (
            (loss.vjp(theta + h * d, e) - loss.vjp(theta - h * d, e)) / (2 * h)
        ),
    }
    return {name: f for name, f in found.items() if name not in left_out}


@pytest.mark.parametrize("given", ["jacobian", "vjp", "vjp, jvp, vjp_derivative", "all"])
def test_functions_give_the_same(case, given):
    loss, theta = case.loss, case.theta
    known = functions_of(case)
    chosen = known if given == "all" else {name: known[name] for name in given.split(", ")}
    other = tw.MSELoss.from_functions(
        lambda theta: case.predict(theta).reshape(case.shape),
        case.x,
        case.P,
        weights=case.w,
        **chosen,
    )
    value, gradient = other.value_and_gradient(theta)
    wanted, wanted_gradient = loss.value_and_gradient(theta)
    assert value == pytest.approx(wanted, rel=1e-13) == other.value(theta)
    np.testing.assert_allclose(gradient, wanted_gradient, atol=1e-13 * scale(gradient), rtol=0)
    np.testing.assert_allclose(other.residuals(theta), loss.residuals(theta), atol=1e-13, rtol=0)
    if "jacobian" in chosen or "jvp" in chosen:
        G = loss.gauss_newton(theta)
        np.testing.assert_allclose(other.gauss_newton(theta), G, atol=1e-13 * scale(G), rtol=0)
        state = other.coordinate_state(theta)
        assert state.partial(0)[1] == pytest.approx(G[0, 0], rel=1e-12)
    else:
        with pytest.raises(ValueError, match="this loss has no jvp"):
            other.gauss_newton(theta)
    if "vjp_derivative" in chosen:
        H = loss.hessian(theta)
        np.testing.assert_allclose(other.hessian(theta), H, atol=1e-8 * scale(H), rtol=0)
    else:
        with pytest.raises(ValueError, match="this loss has no exact Hessian"):
            other.hessian(theta)
    assert not other.is_quadratic and other.line_minimum(theta, theta) is None


class Lent:
    """An array of another library, known by DLPack alone."""

    def __init__(self, array, fails=False):
        self.array, self.fails = array, fails

    def __dlpack__(self, **options):
        if self.fails:
            raise BufferError("on another device")
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()

    def __array__(self, dtype=None, copy=None):
        assert self.fails, "DLPack comes first"
        return self.array


@pytest.mark.parametrize("fails", [False, True])
def test_arrays_by_dlpack(fails):
    A = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]])
    loss = tw.MSELoss.from_functions(
        lambda theta: Lent(A @ theta, fails),
        Lent(np.array([1.0, 2.0, 4.0]), fails),
        2,
        jacobian=lambda theta: Lent(A, fails),
    )
    assert loss.value([1.0, 1.0]) == pytest.approx(1 / 3)
    recorded = tw.MSELoss(
        lambda t, a, b: a + b * t,
        Lent(np.arange(3.0), fails),
        Lent(np.array([1.0, 2.0, 4.0]), fails),
    )
    assert recorded.value([1.0, 1.0]) == pytest.approx(1 / 3)


def test_jax():
    jax = pytest.importorskip("jax")
    with jax.enable_x64(True):
        case = CASES["network"]()

        def model(y, theta):
            h = jax.numpy.tanh(y[:, None] * theta[0:3] + theta[3:6])
            return h @ theta[6:12].reshape(2, 3).T + theta[12:14]

        check_peer(case, tw.MSELoss.from_jax(model, case.y, case.x, 14))


@pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")  # PyTorch warns of itself
def test_torch():
    torch = pytest.importorskip("torch")
    case = CASES["network"]()

    def model(y, theta):
        h = torch.tanh(y[:, None] * theta[0:3] + theta[3:6])
        return h @ theta[6:12].reshape(2, 3).T + theta[12:14]

    other = tw.MSELoss.from_torch(model, torch.as_tensor(case.y), case.x, 14)
    check_peer(case, other)
    assert tw.check_gradient(other, case.theta).passed
    assert tw.check_adjoint(other, case.theta).passed


@pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")
def test_torch_fits_what_a_recorded_model_does():
    torch = pytest.importorskip("torch")
    y = np.linspace(0, 3, 40)
    x = 2 * np.exp(-0.7 * y) + 0.01 * np.cos(9 * y)
    ours = tw.MSELoss(lambda y, a, b: a * np.exp(-b * y), y, x)
    for dtype, digits in ((torch.float64, 1e-9), (torch.float32, 1e-4)):
        theirs = tw.MSELoss.from_torch(
            lambda y, theta: theta[0] * torch.exp(-theta[1] * y),
            torch.as_tensor(y, dtype=dtype),
            torch.as_tensor(x),
            2,
        )
        want, got = (
            tw.minimize(loss, [1, 1], tw.LevenbergMarquardt(), gtol=1e-6) for loss in (ours, theirs)
        )
        assert got.success, got.reason()
        np.testing.assert_allclose(got.theta, want.theta, rtol=digits)


def check_peer(case, other):
    """The derivatives of another library agree with ours."""
    loss, theta, d = case.loss, case.theta, np.linspace(1, 2, case.P)
    assert other.value(theta) == pytest.approx(loss.value(theta), rel=1e-12)
    for name, arguments in (("gradient", ()), ("hessian_vector", (d,)), ("jvp", (d,))):
        wanted = getattr(loss, name)(theta, *arguments)
        got = getattr(other, name)(theta, *arguments)
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-12 * scale(wanted))


# ---- refusals --------------------------------------------------------------------------------

T, X = np.arange(1.0, 6.0), np.ones(5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: tw.MSELoss(decay, T, X[:4]), r"targets must have shape \(K=5,\) or \(K=5, Nx\)"),
        (
            lambda: tw.MSELoss(decay, T[None, None], X),
            r"inputs must have shape \(K,\) or \(K, Ny\)",
        ),
        (
            lambda: tw.MSELoss(decay, (T, T[:3]), X),
            r"all inputs must have one shape, got \(5,\), \(3,\)",
        ),
        (lambda: tw.MSELoss(decay, (), X), "all inputs must have one shape, got none"),
        (lambda: tw.MSELoss(decay, [], []), "there must be a sample and a target"),
        (
            lambda: tw.MSELoss(decay, [1, np.nan], [1, 1]),
            "inputs must be finite, got nan at sample 1",
        ),
        (
            lambda: tw.MSELoss(decay, [1, 1], [1, np.inf]),
            "targets must be finite, got inf at sample 1",
        ),
        (lambda: tw.MSELoss(decay, T, X, X[:3]), r"weights must have shape \(K=5,\), got \(3,\)"),
        (lambda: tw.MSELoss(decay, T, X, -X), "weights must not be negative, got -1.0 at sample 0"),
        (
            lambda: tw.MSELoss(decay, T, X, X * np.nan),
            "weights must be finite, got nan at sample 0",
        ),
        (
            lambda: tw.MSELoss(decay, T, np.c_[X, X]),
            "returns 1 value per sample, but targets have Nx=2",
        ),
        (
            lambda: tw.MSELoss(spiral, np.c_[T, T], X),
            "returns 3 values per sample, but targets have Nx=1",
        ),
        (lambda: tw.MSELoss(lambda t, *p: p[0] * t, T, X), "does not name its parameters"),
        (
            lambda: tw.MSELoss(lambda t, p: p[0] * t, T, X, n_params=0),
            "n_params must be a whole number",
        ),
        (lambda: tw.MSELoss("a*x + y", T, X), "takes 2 independent variables, inputs have 1"),
        (lambda: tw.MSELoss(decay, T, X, threads=0), "threads must be a whole number"),
        (lambda: tw.MSELoss.from_functions(abs, X, 1), "give vjp or jacobian"),
    ],
)
def test_wrong_arguments(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_wrong_types():
    with pytest.raises(TypeError, match="dtype must be float64 or float32"):
        tw.MSELoss(decay, T, X, dtype=np.float16)
    with pytest.raises(TypeError, match="targets must be real, got complex numbers"):
        tw.MSELoss(decay, T, X + 1j)
    with pytest.raises(TypeError, match="model must be a function"):
        tw.MSELoss(3, T, X)


def test_wrong_vectors():
    loss = tw.MSELoss(decay, T, X)
    theta = np.ones(3)
    for call in (loss.value, loss.gradient, loss.hessian, loss.residuals, loss.coordinate_state):
        with pytest.raises(ValueError, match=r"theta must have shape \(P=3,\), got \(2,\)"):
            call(np.ones(2))
    with pytest.raises(ValueError, match=r"v must have shape \(P=3,\), got \(4,\)"):
        loss.jvp(theta, np.ones(4))
    with pytest.raises(
        ValueError, match=r"e must have the shape of the targets, \(5,\), got \(4,\)"
    ):
        loss.vjp(theta, np.ones(4))


def test_models_that_cannot_be_recorded():
    with pytest.raises(RecordingError, match=r"float\(\)"):
        tw.MSELoss(lambda t, a: float(a) * t, T, X)
    with pytest.raises(RecordingError, match="out of bounds"):
        tw.MSELoss(lambda t, theta: theta[7] * t, T, X, n_params=3)
    with pytest.raises(RecordingError, match=r"bool\(\)"):
        tw.MSELoss(lambda t, theta: theta.max() * t, T, X, n_params=3)


def test_functions_whose_shape_changes():
    shapes = iter([5, 4])
    loss = tw.MSELoss.from_functions(
        lambda theta: np.ones(next(shapes)), X, 2, jacobian=lambda theta: np.ones((5, 3))
    )
    loss.value([1, 2])
    with pytest.raises(
        ValueError, match=r"predict must return an array of shape \(5,\), got \(4,\)"
    ):
        loss.value([1, 2])
    with pytest.raises(
        ValueError, match=r"jacobian must return an array of shape \(5, 2\), got \(5, 3\)"
    ):
        loss.jvp([1, 2], [1, 2])


def test_ctrl_c_ends_a_pass():
    """Not only between passes: what one pass writes is left unfinished."""
    K = 2_000_000

    def deep(x, a):
        for _ in range(200):
            x = np.sin(a + x)
        return x

    graph, outputs, _ = record_outputs(deep, 1, 1, K, single=True, vector=False)
    terms, samples = lower_terms(graph, outputs), core.Samples([data(K)], K)
    out = np.full((K, 1), np.nan)
    timer = threading.Timer(0.02, _thread.interrupt_main)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        core.values(terms, samples, False, np.ones(1), out, 1)
    timer.join()
    assert np.isnan(out[-1, 0])
