"""A keyword that a function does not have is one sentence, with the name that was meant."""

import inspect
import pickle
import re
import warnings
from functools import partial

import numpy as np
import pytest

import thalweg as tw

A, b = np.array([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]]), np.array([1.0, 2.0, 4.0])
x = np.arange(5.0)
BOWL = tw.QuadraticLoss([[2, 0], [0, 1]], [1, 2])

fit = partial(tw.fit, lambda x, a: a * x, x, 2 * x)
curve_fit = partial(tw.curve_fit, lambda x, a: a * x, x, 2 * x)
minimize = partial(tw.minimize, BOWL, [0, 0])
path = partial(tw.linear.path, A, b)
sweep = partial(tw.kernels.coordinate_sweep, A, np.zeros(2), b.copy())

MEANT = [
    (minimize, "maxiter", "minimize() has no argument 'maxiter'; did you mean max_iter?"),
    (minimize, "MaxIter", "did you mean max_iter?"),
    (minimize, "tol", "did you mean gtol, xtol or ftol?"),
    (minimize, "step_tol", "did you mean xtol?"),
    (minimize, "loss_tol", "did you mean ftol?"),
    (minimize, "calback", "did you mean callback?"),
    (minimize, "verbose", "did you mean progress?"),
    (partial(tw.minimize, BOWL), "x0", "did you mean theta0?"),
    (minimize, "lr", "a step size belongs to the method, such as GradientDescent(step_size=0.1)"),
    (minimize, "learning_rate", "a step size belongs to the method"),
    (minimize, "step_size", "a step size belongs to the method"),
    (minimize, "alpha", "a step size belongs to the method"),
    (minimize, "beta", "momentum belongs to the method, such as HeavyBall(momentum=0.9)"),
    (minimize, "n_jobs", "did you mean threads?"),
    (tw.QuadraticLoss, "n_jobs", "thalweg.set_num_threads(n) sets the number for all calls"),
    (minimize, "jac", "derivatives belong to the loss, such as FunctionLoss(value, gradient)"),
    (fit, "maxiter", "fit() has no argument 'maxiter'; did you mean max_iter?"),
    (fit, "max_nfev", "did you mean max_iter?"),
    (fit, "tol", "did you mean gtol, xtol or ftol?"),
    (fit, "nthreads", "did you mean threads?"),
    (fit, "n_jobs", "did you mean threads?"),
    (fit, "sigmas", "did you mean sigma?"),
    (fit, "x0", "did you mean p0?"),
    (fit, "bound", "did you mean bounds?"),
    (fit, "yerr", "did you mean sigma?"),
    (partial(tw.coordinate_descent, A, b), "theta0", "did you mean start?"),
    (partial(tw.coordinate_descent, A, b), "positive", "did you mean bounds?"),
    (fit, "weights", "weights are given as sigma = 1 / sqrt(weights)"),
    (fit, "loss", "did you mean robust?"),
    (fit, "full_output", "thalweg.curve_fit has the arguments of SciPy's"),
    (curve_fit, "maxiter", "curve_fit() has no argument 'maxiter'; did you mean max_iter?"),
    (curve_fit, "max_nfevs", "did you mean max_nfev?"),
    (curve_fit, "abs_sigma", "did you mean absolute_sigma?"),
    (tw.GradientDescent, "lr", "GradientDescent() has no argument 'lr'; did you mean step_size?"),
    (tw.GradientDescent, "learning_rate", "did you mean step_size?"),
    (tw.GradientDescent, "alpha", "did you mean step_size?"),
    (tw.GradientDescent, "stepsize", "did you mean step_size?"),
    (tw.GradientDescent, "precondition", "did you mean preconditioner?"),
    (tw.HeavyBall, "beta", "did you mean momentum?"),
    (tw.Nesterov, "momentun", "did you mean momentum?"),
    (tw.LevenbergMarquardt, "lam", "did you mean damping?"),
    (tw.Newton, "mu", "did you mean damping?"),
    (tw.LBFGS, "history_size", "did you mean memory?"),
    (path, "lambdas", "path() has no argument 'lambdas'; did you mean penalties?"),
    (path, "n_alphas", "did you mean n?"),
    (path, "alpha", "did you mean penalties?"),
    (partial(tw.linear.enet_path, A, b), "alpha", "did you mean alphas?"),
    (partial(tw.linear.enet_path, A, b), "n_alphas", "did you mean alphas?"),
    (tw.ProximalGradient, "alpha", "did you mean l1?"),
    (tw.CoordinateDescent, "random_state", "did you mean seed?"),
    (tw.CoordinateDescent, "rng", "did you mean seed?"),
    (tw.SteepestDescent, "linesearch", "did you mean line_search?"),
    (tw.ConjugateGradient, "M", "it takes line_search, preconditioner"),
    (tw.GaussNewton, "search", "did you mean line_search?"),
    (tw.StrongWolfe, "C1", "did you mean c1?"),
    (tw.Block, "block", "did you mean blocks?"),
    (tw.Given, "m", "did you mean M?"),
    (tw.MSELoss, "nthreads", "did you mean threads?"),
    (tw.MSELoss, "weight", "did you mean weights?"),
    (tw.MSELoss.from_functions, "jac", "MSELoss.from_functions() has no argument 'jac'; did you "
     "mean jacobian?"),
    (tw.LinearLeastSquares, "sample_weight", "did you mean weights?"),
    (tw.QuadraticLoss, "thetastar", "did you mean theta_star?"),
    (tw.FunctionLoss, "jac", "did you mean gradient?"),
    (tw.FunctionLoss, "hess", "did you mean hessian?"),
    (tw.FunctionLoss, "hessp", "did you mean hessian_vector?"),
    (tw.diagnose, "tol", "it takes loss, theta"),
    (tw.check_adjoint, "random_state", "did you mean seed?"),
    (tw.kernels.adjoint_sum, "n_jobs", "did you mean threads?"),
    (tw.kernels.jvp, "nthreads", "did you mean threads?"),
    (tw.kernels.vjp, "weight", "did you mean weights?"),
    (tw.kernels.normal_equations, "num_threads", "did you mean threads?"),
    (tw.kernels.quadratic_form, "n_threads", "did you mean threads?"),
    (sweep, "alpha", "did you mean l1?"),
    (sweep, "max_iter", "did you mean sweeps?"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("call", "name", "sentence"), MEANT, ids=[f"{m[2][:12]}-{m[1]}" for m in MEANT]
)
def test_the_name_that_was_meant(call, name, sentence):
    with pytest.raises(TypeError, match=re.escape(sentence)) as caught:
        call(**{name: 1})
    assert f"has no argument {name!r}; " in str(caught.value)


def test_nothing_close_tells_what_there_is():
    with pytest.raises(TypeError, match=r"no argument 'zzz'; it takes order, updates, seed$"):
        tw.CoordinateDescent(zzz=1)


PUBLIC = [
    tw.fit, tw.curve_fit, tw.minimize, tw.diagnose, tw.GradientDescent, tw.HeavyBall, tw.MSELoss,
    tw.QuadraticLoss, tw.kernels.coordinate_sweep, tw.kernels.quadratic_form,
]  # fmt: skip


@pytest.mark.parametrize("thing", PUBLIC, ids=lambda thing: thing.__name__)
def test_signatures_are_there_to_read(thing):
    kinds = [p.kind for p in inspect.signature(thing).parameters.values()]
    assert kinds and inspect.Parameter.VAR_KEYWORD not in kinds
    assert thing.__doc__ and pickle.loads(pickle.dumps(thing)) is thing


def test_python_tells_the_rest_itself():
    with pytest.raises(TypeError, match=r"missing 1 required positional argument: 'theta0'"):
        tw.minimize(BOWL)
    with pytest.raises(TypeError, match="multiple values"):
        tw.minimize(BOWL, [0, 0], loss=BOWL)


def test_warnings_point_at_the_call():
    def slow(x, a):
        return a * x if a > 0 else -a * x

    for call in (tw.fit, tw.curve_fit):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call(slow, x, 2 * x, p0=[1.0])
        assert [w.filename for w in caught if w.category is tw.SlowModelWarning] == [__file__]


# Results and rows of them, which Thalweg makes, and calls without settings.
UNSPELLED = {
    "Comparison",
    "Definiteness",
    "ImageHistory",
    "ImageResult",
    "LinearPath",
    "Step",
    "DescentResult",
    "Diagnosis",
    "FitResult",
    "LeastSquares",
    "Loss",
}
UNSPELLED |= {"LinearHistory", "LinearResult", "Model", "Status", "NormalEquations", "Pivoted"}
UNSPELLED |= {
    "Function",
    "Limit",
    "Profile",
    "Resamples",
    "Sweep",
    "Table",
    "get_num_threads",
    "info",
    "set_num_threads",
}

PUBLIC = [
    getattr(place, name)
    for place in (tw, tw.kernels, tw.linear, tw.plot)
    for name in place.__all__
    if name not in UNSPELLED and callable(getattr(place, name)) and not name.endswith("Warning")
]


@pytest.mark.parametrize("thing", PUBLIC, ids=lambda thing: thing.__qualname__)
def test_every_public_function_says_which_argument_it_lacks(thing):
    with pytest.raises(TypeError, match=r"\(\) has no argument 'no_such'"):
        thing(no_such=1)
