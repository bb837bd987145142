"""What mean squared errors offer to other libraries, and what they refuse."""

import _thread
import threading

import numpy as np
import pytest
from mse_cases import CASES, data, decay, scale, spiral

import thalweg as tw
from thalweg._core import loss as core
from thalweg.model.tape import lower_terms
from thalweg.model.trace import RecordingError, record_outputs

# ---- functions -------------------------------------------------------------------------------


@pytest.fixture(params=CASES)
def case(request):
    """Each of the losses to try."""
    return CASES[request.param]()


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


def interrupted(depth, K):
    """Return the values (K, 1) of a pass that Ctrl-C has ended, NaN where it did not come."""

    def deep(x, a):
        for _ in range(depth):
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
    return out


def test_ctrl_c_ends_a_pass():
    """Not only between passes: what one pass writes is left unfinished."""
    assert np.isnan(interrupted(200, 2_000_000)[-1, 0])


def test_ctrl_c_ends_a_pass_within_its_first_chunk():
    """Chunks are many blocks: a look at the clock between two of them would come too late."""
    K, chunks = 2_000_000, 64
    assert np.isnan(interrupted(16_000, K)[int(0.9 * K / chunks), 0])
