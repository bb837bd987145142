"""Unknown names of arguments: one sentence, with the name that was probably meant.

Python's own TypeError tells that ``maxiter`` is unexpected, but not that it is ``max_iter`` here.
`spelled` looks at the names only after Python has refused a call, so that other calls cost next to
nothing more; signatures are unchanged, also for `inspect` and for type checkers.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable
from difflib import get_close_matches
from functools import wraps
from typing import Any, Final, TypeVar

Decorated = TypeVar("Decorated", bound=Callable[..., Any])

_STEP: Final = "a step size belongs to the method, such as GradientDescent(step_size=0.1)"
_MOMENTUM: Final = "momentum belongs to the method, such as HeavyBall(momentum=0.9)"
_THREADS: Final = "thalweg.set_num_threads(n) sets the number for all calls"
_DERIVATIVES: Final = "derivatives belong to the loss, such as FunctionLoss(value, gradient)"
_ERRORS_IN_X: Final = (
    "least squares takes x as exact: add the effect of errors in x to sigma, "
    "np.hypot(sigma, slope * x_sigma) with the slope of a first fit, see the guide on noise"
)
_OF_SCIPY: Final = "thalweg.curve_fit has the arguments of SciPy's"
_WEIGHTS: Final = "weights are given as sigma = 1 / sqrt(weights)"

# Names that other libraries use, and the names here, of which a function has one or the other.
_ELSEWHERE: Final = {
    ("maxiter", "maxfev", "maxnfev", "maxfun", "niter", "nsteps", "iterations", "epochs"): (
        "max_iter",
        "sweeps",
    ),
    ("tol", "eps", "tolerance"): ("gtol", "xtol", "ftol"),
    ("steptol",): ("xtol",),
    ("losstol",): ("ftol",),
    ("lr", "learningrate", "stepsize", "eta", "rate"): ("step_size",),
    ("alpha",): ("step_size", "l1", "alphas", "penalties"),
    ("lambdas", "alphas"): ("penalties", "alphas"),
    ("nlambda", "nlambdas", "nalphas"): ("n", "alphas"),
    ("beta",): ("momentum",),
    ("mu", "lambda", "lam"): ("damping", "l1"),
    ("nthreads", "njobs", "numthreads", "workers", "ncores"): ("threads",),
    ("randomstate", "rng", "randomseed"): ("seed",),
    ("x0", "theta0", "start", "guess", "init", "initial"): ("theta0", "p0", "theta", "start"),
    ("positive", "nonneg", "nonnegative"): ("bounds",),
    ("fun", "func", "f", "function", "criterion"): ("loss", "value", "model", "predict"),
    ("optimizer", "solver", "algorithm"): ("method",),
    ("jac", "grad"): ("gradient", "jacobian"),
    ("hess",): ("hessian",),
    ("hessp",): ("hessian_vector",),
    ("xdata",): ("x", "inputs"),
    ("ydata",): ("y", "targets"),
    ("yerr", "yerror", "ysigma", "sigmay", "sy", "dy", "err", "error", "errors"): ("sigma",),
    ("loss",): ("robust",),
    ("verbose", "disp", "iprint"): ("progress",),
    ("lb", "ub", "lower", "upper"): ("bounds",),
    ("sampleweight",): ("weights",),
    ("history",): ("record",),
    ("historysize", "m", "maxcor"): ("memory",),
    ("xsigma", "sigmax", "xerr", "xerror", "sx", "dx"): ("x_sigma",),
}
_MEANT: Final = {name: here for names, here in _ELSEWHERE.items() for name in names}

# If a function has none of the names that are meant: where such a thing is set instead.
_OWNERS: Final = {
    "step_size": _STEP,
    "momentum": _MOMENTUM,
    "threads": _THREADS,
    "gradient": _DERIVATIVES,
    "hessian": _DERIVATIVES,
    "hessian_vector": _DERIVATIVES,
    "tied": "parameters are tied by thalweg.fit",
    "x_sigma": _ERRORS_IN_X,
    "check_finite": _OF_SCIPY,
    "full_output": _OF_SCIPY,
    "nan_policy": _OF_SCIPY,
}


def spelled(thing: Decorated) -> Decorated:
    """Decorate a function or a class, so that an unknown keyword is refused with a suggestion.

    The TypeError says, for example, "minimize() has no argument 'maxiter'; did you mean
    max_iter?".
    """
    if isinstance(thing, type):
        thing.__init__ = _checked(thing.__init__, thing.__qualname__)  # type: ignore[misc]
        return thing
    checked: Any = _checked(thing, thing.__qualname__)
    return checked  # type: ignore[no-any-return]


def _checked(function: Callable[..., Any], label: str) -> Callable[..., Any]:
    parameters = list(inspect.signature(function).parameters)
    names = [name for name in parameters if name not in ("self", "cls")]
    known = frozenset(names)

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except TypeError:
            if kwargs.keys() <= known:
                raise
        refuse_unknown(label, kwargs, names)

    return call


def refuse_unknown(label: str, given: Iterable[str], known: Collection[str]) -> None:
    """Raise TypeError for the first name that is not known.

    Parameters
    ----------
    label : str
        The name of the function or class, without parentheses.
    given : iterable of str
        The names that were given.
    known : collection of str
        The names that it takes, in order.
    """
    for name in given:
        if name not in known:
            raise TypeError(f"{label}() has no argument {name!r}{_hint(name, known)}")


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the end of a sentence that names the known name most like this one, if one is."""
    near = get_close_matches(name, list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _hint(name: str, known: Collection[str]) -> str:
    """The end of the sentence: what was meant, or where that is set, or else all known names."""
    bare = _bare(name)
    same = [other for other in known if _bare(other) == bare]
    meant = _MEANT.get(bare, ())
    near = same or [other for other in meant if other in known]
    if bare in ("weights", "weight", "w") and "sigma" in known:
        return f"; {_WEIGHTS}"
    if not near:
        owned = [_OWNERS[other] for other in (name, *meant) if other in _OWNERS]
        if owned:
            return f"; {owned[0]}"
        near = get_close_matches(name.lower(), known, n=1)
    if near:
        *others, last = near
        return f"; did you mean {', '.join(others)}{' or ' * bool(others)}{last}?"
    return f"; it takes {', '.join(known)}"


def _bare(name: str) -> str:
    return name.replace("_", "").lower()
