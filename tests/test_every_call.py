"""Promises of every public function: how many threads it may use, and what Ctrl-C leaves."""

import inspect
from enum import Enum

import numpy as np
import pytest

import thalweg as tw
from thalweg import kernels, linear, plot

sparse = pytest.importorskip("scipy.sparse")

X, P0 = np.arange(5.0), [1.0]
A, B = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]), np.array([1.0, 2.0, 4.0])
BOWL, SQUARES = tw.QuadraticLoss([[2, 0], [0, 1]], [1, 2]), tw.LinearLeastSquares(A, B)
POINTS = np.linspace(0, 4, 12)


def line(x, a):
    return a * x


# Classes whose objects are results, members of an enumeration or warnings.
NOT_MADE_BY_USERS = (tw.FitResult, tw.DescentResult, tw.Diagnosis, tw.Table, Enum, Warning)

# A call of every public function that takes ``threads``.
CALLS = {
    tw.fit: lambda **how: tw.fit(line, X, 2 * X, p0=P0, **how),
    tw.curve_fit: lambda **how: tw.curve_fit(line, X, 2 * X, **how),
    tw.minimize: lambda **how: tw.minimize(BOWL, [0, 0], tw.GradientDescent(), **how),
    tw.diagnose: lambda **how: tw.diagnose(BOWL, [0, 0], **how),
    tw.check_gradient: lambda **how: tw.check_gradient(BOWL, [0, 0], **how),
    tw.check_adjoint: lambda **how: tw.check_adjoint(SQUARES, [0, 0], **how),
    tw.MSELoss: lambda **how: tw.MSELoss(line, X, 2 * X, **how),
    tw.coordinate_descent: lambda **how: tw.coordinate_descent(A, B, l1=0.1, **how),
    linear.path: lambda **how: linear.path(A, B, n=3, **how),
    linear.enet_path: lambda **how: linear.enet_path(A, B, alphas=3, **how),
    linear.lasso_path: lambda **how: linear.lasso_path(A, B, alphas=3, **how),
    linear.icd: lambda **how: linear.icd(
        sparse.csc_array(A), B, prior=linear.GaussianPrior(1.0), shape=(1, 2), **how
    ),
    kernels.adjoint_sum: lambda **how: kernels.adjoint_sum(A, B, **how),
    kernels.vjp: lambda **how: kernels.vjp(A, B, **how),
    kernels.jvp: lambda **how: kernels.jvp(A, [1.0, 2.0], **how),
    kernels.normal_equations: lambda **how: kernels.normal_equations(A, B, **how),
    kernels.quadratic_form: lambda **how: kernels.quadratic_form(np.eye(2), [1.0, 2.0], **how),
    kernels.line_minimum: lambda **how: kernels.line_minimum(np.eye(2), [1, 2], [1, 0], **how),
    kernels.Symmetric: lambda **how: kernels.Symmetric(np.eye(2), **how),
    kernels.block_pivoting: lambda **how: kernels.block_pivoting(A.T @ A, B @ A, **how),
    kernels.coordinate_sweep: lambda **how: kernels.coordinate_sweep(
        A, np.zeros(2), B.copy(), **how
    ),
}

NUMPYS = {tw.condition_number, tw.definiteness, tw.eigen, tw.svd}
# Public functions without ``threads``, and why.
UNTHREADED = {
    "NumPy's LAPACK does the work, and its own setting of threads rules": NUMPYS,
    "a few products of NumPy, of one thread": {tw.is_symmetric, tw.convolve},
    "a file": {tw.load, tw.read_table},
    "the address of a function": {tw.function},
    "the setting itself": {tw.get_num_threads, tw.set_num_threads, tw.info},
    "pictures, of a few hundred points": {getattr(plot, name) for name in plot.__all__},
}


def public():
    """Yield every public function, and every public class whose making may run a kernel."""
    for place in (tw, kernels, linear, plot):
        for name in place.__all__:
            thing = getattr(place, name)
            if inspect.isfunction(thing) or (inspect.isclass(thing) and thing in CALLS):
                yield thing


def test_every_function_that_computes_takes_threads_or_says_why_not():
    excused = set().union(*UNTHREADED.values())
    for thing in public():
        takes = "threads" in inspect.signature(thing).parameters
        assert takes == (thing not in excused), thing.__qualname__
        assert takes == (thing in CALLS), thing.__qualname__
    for thing in NUMPYS:
        said = " ".join(thing.__doc__.split())
        assert "whose number of threads is set outside of Thalweg" in said, thing.__qualname__


@pytest.mark.parametrize("thing", CALLS, ids=lambda thing: thing.__qualname__)
def test_threads_are_from_1_to_256(thing):
    for threads in (None, 1, 2, 256):
        CALLS[thing](threads=threads)
    for wrong in (0, -1, 257, 1.5, "many"):
        with pytest.raises(ValueError, match=r"^threads must be a whole number"):
            CALLS[thing](threads=wrong)


# Optional arguments that may be given by place: data, the start, and what is done with them.
BY_PLACE = {"p0", "weights", "theta_star", "gradient", "hessian", "method", "model", "results"}
BY_PLACE |= {"diagnosis", "step_sizes", "titles", "mode"}


def test_settings_after_the_first_are_given_by_name():
    for place in (tw, kernels, linear, plot):
        for thing in (getattr(place, name) for name in place.__all__):
            made = inspect.isclass(thing) and issubclass(thing, NOT_MADE_BY_USERS)
            if not callable(thing) or made or thing is tw.curve_fit:
                continue  # curve_fit has SciPy's order
            optional = [
                p.name
                for p in inspect.signature(thing).parameters.values()
                if p.kind is p.POSITIONAL_OR_KEYWORD and p.default is not p.empty
            ]
            first = next(iter(inspect.signature(thing).parameters), None)
            assert set(optional) - {first} <= BY_PLACE, thing.__qualname__


def interrupt(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "thing",
    [thing for thing in CALLS if "callback" in inspect.signature(thing).parameters],
    ids=lambda thing: thing.__qualname__,
)
def test_an_interrupt_brings_what_the_call_would_have_returned(thing):
    with pytest.raises(KeyboardInterrupt) as caught:
        CALLS[thing](callback=interrupt)
    assert isinstance(caught.value.result, type(CALLS[thing]()))


def decay(x, a, b):
    return a * np.exp(-b * x)


@pytest.mark.filterwarnings("ignore::thalweg.SlowModelWarning")
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"sigma": 0.01 * np.eye(12)},
        {"jac": lambda x, a, b: np.stack([np.exp(-b * x), -a * x * np.exp(-b * x)], 1)},
    ],
    ids=["plain", "covariance", "jacobian"],
)
def test_an_interrupt_of_curve_fit_brings_the_fit(how):
    calls = iter(range(4))

    def model(x, a, b):
        if next(calls, None) is None:
            raise KeyboardInterrupt
        return decay(x, a, b) if a > -1e300 else 0 * x

    with pytest.raises(KeyboardInterrupt) as caught:
        tw.curve_fit(model, POINTS, decay(POINTS, 2.5, 1.3) + 0.01 * np.cos(9 * POINTS), **how)
    assert isinstance(caught.value.result, tw.FitResult)


def test_an_interrupt_of_a_path_for_scikit_learn_brings_its_part(monkeypatch):
    solve, calls = linear.walk.Walk._solve, iter(range(2))

    def interrupted(walk, k, penalty):
        if next(calls, None) is None:
            raise KeyboardInterrupt
        solve(walk, k, penalty)

    whole = linear.enet_path(A, B, alphas=4, return_n_iter=True)
    monkeypatch.setattr(linear.walk.Walk, "_solve", interrupted)
    with pytest.raises(KeyboardInterrupt) as caught:
        linear.enet_path(A, B, alphas=4, return_n_iter=True)
    for part, every in zip(caught.value.result, whole, strict=True):
        np.testing.assert_array_equal(part[..., :2], every[..., :2])
    assert np.isnan(caught.value.result[1][:, 2:]).all()
