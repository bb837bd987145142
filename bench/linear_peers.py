"""Solvers of the lasso that are installed, and the tolerances at which they reach a duality gap.

A peer is a function of its own tolerance.  The peers have different stopping rules, so each gets
the loosest tolerance at which the duality gap of its result, computed here, is small enough.
"""

import ctypes
import importlib
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from time import perf_counter
from typing import NamedTuple

import numpy as np

LONGEST = 4.0  # seconds that a peer may take at one tolerance
# Tolerances of scikit-learn and celer, as shares of the gap that is wanted; of skglm, as shares of
# l1 that it leaves of a slope; of adelie and glmnet, as changes of the objective in a sweep.
PARTS = [1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-6, 1e-8]
SLOPES = [1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8]
CHANGES = [10.0**-k for k in range(6, 20, 2)]


class Peer(NamedTuple):
    """A solver, as a function of its tolerance, and its tolerances, the loosest first."""

    name: str
    solve: Callable[[float], np.ndarray]
    tolerances: list


def gap(A, b, theta, l1):
    """Return the duality gap of a lasso, with the scaled residual as dual point."""
    r = b - A @ theta
    q = A.T @ r
    s = min(1.0, l1 / np.abs(q).max())
    terms = l1 * np.abs(theta) - s * q * theta
    return 0.5 * (1 - s) ** 2 * (r @ r) + terms.sum()


def peers(A, b, l1, wanted) -> Iterator[Peer]:
    """Yield the peers for a relative gap that is wanted."""
    most = max(20, int(LONGEST / (A.size * 0.4e-9)))
    for make in (_scikit_learn, _celer, _skglm, _adelie, _glmnet):
        try:
            yield from make(A, b, l1, wanted, most)
        except ImportError:
            pass


def reaching(peer, A, b, l1, wanted):
    """Return the peer's call at its first tolerance that reaches the gap, or None."""
    size = 0.5 * b @ b
    for tolerance in peer.tolerances:
        call = partial(peer.solve, tolerance)
        start = perf_counter()
        with warnings.catch_warnings(action="ignore"):  # a peer warns that it has not converged
            if gap(A, b, call(), l1) <= 1.05 * wanted * size:
                return call
        if perf_counter() - start > LONGEST / 2:
            break  # a tighter tolerance would take longer still
    return None


def _scikit_learn(A, b, l1, wanted, most):
    from sklearn.linear_model import Lasso

    n, P = A.shape
    tolerances = [wanted * 0.5 * part for part in PARTS[:3]]
    plain = partial(Lasso, l1 / n, fit_intercept=False, copy_X=False, max_iter=most)
    yield Peer(
        "scikit-learn", lambda t: plain(tol=t).fit(A, b, check_input=False).coef_, tolerances
    )
    if P <= 1200:
        on_gram = partial(plain, precompute=True, max_iter=int(LONGEST / (P * P * 0.4e-9)))
        yield Peer(
            "scikit-learn, Gram",
            lambda t: on_gram(tol=t).fit(A, b, check_input=False).coef_,
            tolerances,
        )


def _celer(A, b, l1, wanted, most):
    from celer import Lasso

    lasso = partial(
        Lasso, l1 / len(A), fit_intercept=False, max_iter=50, max_epochs=max(most // 6, 200)
    )
    tolerances = [wanted * 0.5 * part for part in PARTS[:3]]
    yield Peer("celer", lambda t: lasso(tol=t).fit(A, b).coef_, tolerances)


def _skglm(A, b, l1, wanted, most):
    skglm = importlib.import_module("skglm")
    from skglm.datafits import Quadratic
    from skglm.penalties import L1
    from skglm.solvers import AndersonCD

    def solve(tolerance):
        solver = AndersonCD(
            max_iter=40,
            max_epochs=max(most // 4, 100),
            tol=tolerance * l1 / len(A),
            fit_intercept=False,
        )
        model = skglm.GeneralizedLinearEstimator(Quadratic(), L1(l1 / len(A)), solver)
        return model.fit(A, b).coef_

    yield Peer("skglm", solve, SLOPES)


def _adelie(A, b, l1, wanted, most):
    adelie = importlib.import_module("adelie")

    def solve(tolerance):
        state = adelie.grpnet(
            A, adelie.glm.gaussian(b), lmda_path=np.array([l1 / len(A)]), intercept=False,
            tol=tolerance, early_exit=False, progress_bar=False, n_threads=1,
            max_iters=10 * most, adev_tol=1.0, ddev_tol=0,
        )  # fmt: skip
        return state.betas.toarray()[0]

    yield Peer("adelie", solve, CHANGES)


def _glmnet(A, b, l1, wanted, most):
    fit = importlib.import_module("glmnetpp")._binding._load_core().elnet_gaussian_fit
    n, P = A.shape
    low, high, factors = np.full(P, -np.inf), np.full(P, np.inf), np.ones(P)

    def at(array):
        return array.ctypes.data_as(ctypes.POINTER(ctypes.c_double))

    def solve(tolerance):
        theta, constant, count = np.zeros(P), ctypes.c_double(), ctypes.c_int()
        fit(
            n, P, at(A), at(b), l1 / n, 1.0, at(low), at(high), at(factors), 0, 0, tolerance,
            3 * most, ctypes.byref(constant), at(theta), ctypes.byref(count),
        )  # fmt: skip
        return theta

    yield Peer("glmnet", solve, CHANGES)
