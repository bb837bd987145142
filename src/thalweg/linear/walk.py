r"""A path of penalties: one linear model, solved from the largest penalty to the smallest.

.. math:: F_\lambda(\theta) = \frac12 \sum_i w_i (b_i - a_i \theta - \theta_0)^2
          + \lambda \sum_j f_j \left(\rho |\theta_j| + \frac{1 - \rho}{2} \theta_j^2\right)

Each model starts from the one before: residual, products with the columns, working set and its Gram
matrix are kept.  At :math:`\lambda_{max}` every penalised coordinate is 0, and from one
:math:`\lambda` to the next the support changes little.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from .._arguments.callback import stops
from .._arguments.check import Array
from ..status import Status
from .columns import Look
from .descent import Descent
from .gram import Gram
from .problem import Problem
from .ranges import is_reached
from .rules import Rules
from .state import Certificate, State
from .whole import WholeGram, is_worth_it
from .working_set import WorkingSet


class Task(NamedTuple):
    """Which penalties the user asked for; the fields are arguments of `path`."""

    l1_ratio: float
    n: int
    smallest: float
    penalties: Array | None
    factors: Array | None

    @property
    def how_many(self) -> int:
        """The number of penalties asked for; where b is 0 the path has but one."""
        return self.n if self.penalties is None else len(self.penalties)


class Step(NamedTuple):
    """What a callback of `path` is told after each penalty.

    Attributes
    ----------
    number : int
        The number of the penalty in the path, from 0.
    penalty : float
        The penalty λ.
    theta : ndarray, shape (P,)
        A copy of the coefficients.
    gap : float
        The duality gap.

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg.linear import path
    >>> A = np.array([[1.0, 0], [0, 1], [1, 1]])
    >>> numbers = []
    >>> p = path(A, [1.0, 2.0, 3.0], n=3, callback=lambda step: numbers.append(step.number))
    >>> numbers
    [0, 1, 2]
    """

    number: int
    penalty: float
    theta: Array
    gap: float


@dataclass(frozen=True, eq=False, repr=False)
class LinearPath:
    """The models of a path; n is the number of penalties.

    Attributes
    ----------
    penalties : ndarray, shape (n,)
        λ, falling.
    theta : ndarray, shape (P, n)
        The coefficients at each λ; NaN where the path ended before.
    intercept : ndarray, shape (n,)
        θ₀ at each λ.
    objective, gap, wanted : ndarray, shape (n,)
        F, by how much F is above its minimum at most, and the gap that was asked for.
    n_iter : ndarray, shape (n,)
        The number of rounds at each λ.
    status : ndarray of int8, shape (n,)
        Why the solution at each λ ended, a `thalweg.Status`.

    Examples
    --------
    >>> import numpy as np
    >>> from thalweg.linear import path
    >>> A = np.array([[1.0, 0], [0, 1], [1, 1]])
    >>> p = path(A, [1.0, 2.0, 3.0], n=5)
    >>> p.theta.shape
    (2, 5)
    """

    penalties: Array
    theta: Array
    intercept: Array
    objective: Array
    gap: Array
    wanted: Array
    n_iter: Array
    status: Array

    @property
    def success(self) -> bool:
        """Whether every gap is as small as was asked for."""
        return bool((self.status > 0).all())

    @property
    def support(self) -> Array:
        """The number of coefficients that are not 0 at each λ, shape (n,)."""
        support: Array = np.count_nonzero(np.nan_to_num(self.theta), axis=0)
        return support

    def predict(self, A: Any) -> Array:
        """Return Aθ + θ₀ for each λ, shape (rows of A, n)."""
        prediction: Array = A @ self.theta + self.intercept
        return prediction

    def __repr__(self) -> str:
        n = len(self.penalties)
        if not n:
            return "<LinearPath: no penalty>"
        good = int(np.count_nonzero(self.status > 0))
        ends = f"{self.penalties[0]:.4g} to {self.penalties[-1]:.4g}"
        support = self.support
        return (
            f"<LinearPath: {n} penalties from {ends}, {good} converged\n"
            f" {support[0]} to {support[-1]} of {len(self.theta)} coefficients are not 0>"
        )


class Model(NamedTuple):
    """The outcome at one penalty."""

    found: Certificate
    wanted: float
    n_iter: int
    status: Status


class Walk:
    """A path under way."""

    def __init__(self, problem: Problem, task: Task, threads: int, rules: Rules) -> None:
        self.problem, self.task, self.threads, self.rules = problem, task, threads, rules
        self.factors = problem.l1 if task.factors is not None else np.ones(problem.shape[1])
        self.work: WorkingSet | None = None
        self.whole: WholeGram | None = None
        self._know(np.zeros(0) if task.penalties is None else task.penalties)

    def _know(self, penalties: Array) -> None:
        """Make room for the models at these penalties."""
        P, n = self.problem.shape[1], len(penalties)
        self.penalties = penalties
        self.theta = np.full((P, n), np.nan)
        self.figures = np.full((4, n), np.nan)  # intercept, objective, gap, wanted
        self.n_iter, self.status = np.zeros(n, np.intp), np.full(n, Status.NOT_RUN, np.int8)

    def begin(self) -> Array:
        """Read A once, and return the penalties, which may depend on A and b."""
        self.look = Look(self.problem, self.threads)
        self.gram = Gram(self.look)
        start = np.zeros(self.problem.shape[1])
        self.state = State(self.look, self.problem.b[:, 0], start, first=True)
        if self.task.penalties is None:
            self._know(self._falling())
        self._refuse_overflow()
        return self.penalties

    def _refuse_overflow(self) -> None:
        """Refuse penalties whose product with a factor is beyond the range of numbers."""
        with np.errstate(over="ignore", invalid="ignore"):
            most = np.max(self.penalties, initial=0.0) * np.max(self.factors, initial=0.0)
        if not np.isfinite(most):
            raise ValueError(
                "the largest penalty times the largest factor is beyond the range of numbers: "
                "factors must be of more like size"
            )

    def all(
        self, callback: Callable[[Step], Any] | None, tick: Callable[[], Any] | None = None
    ) -> LinearPath:
        """Solve for every penalty; an exception carries the finished part in its ``result``."""
        try:
            self.begin()
            if is_worth_it(self.look.matrix, len(self.penalties)):
                self.whole = WholeGram(self.state, Gram(self.look))
            for k, penalty in enumerate(self.penalties):
                self._solve(k, float(penalty))
                if tick is not None:
                    tick()
                if callback is not None and stops(callback, self._told(k)):
                    break
                if self.status[k] == Status.TIME:
                    break
        except BaseException as error:
            error.result = self.result()  # type: ignore[attr-defined]
            raise
        return self.result()

    def _falling(self) -> Array:
        """Return penalties in equal ratios, from the least at which all that is penalised is 0."""
        largest = largest_penalty(self.state, self.factors * self.task.l1_ratio, self._descend)
        if largest == 0:
            return np.zeros(1)
        shares: Array = np.geomspace(1.0, self.task.smallest, self.task.n)
        return largest * shares

    def _descend(self, problem: Problem) -> Status:
        """Minimise another problem with the same columns, starting from the present state."""
        self.state.problem = problem
        if self.work is None:
            self.work = WorkingSet(self.state)
        self.work.begin_again()
        self.state.update_products(self.work.which, self.work.candidates)
        self.descent = Descent(self.state, self.gram, self.rules, self.work)
        return self.descent.run(None)

    def _solve(self, k: int, penalty: float) -> None:
        rho = self.task.l1_ratio
        each = penalty * self.factors
        problem = self.problem._replace(l1=rho * each, l2=(1 - rho) * each)
        model = self._on_whole(problem) if self.whole else None
        model = model or self._alone(problem)
        theta = self.state.theta
        intercept = self.look.intercept(self.problem.b[:, 0], theta)
        found = model.found
        self.theta[:, k] = theta
        self.figures[:, k] = intercept, found.objective, found.gap, model.wanted
        self.n_iter[k], self.status[k] = model.n_iter, model.status

    def _alone(self, problem: Problem) -> Model:
        """Solve by rounds over a working set."""
        if self.whole:
            self.whole.renew()  # solutions on the Gram matrix leave the residual as it was
        status, d = self._descend(problem), self.descent
        if self.whole:
            self.whole.renew()
        return Model(d.found, d.wanted, len(d.history) - 1, status)

    def _on_whole(self, problem: Problem) -> Model | None:
        """Solve on the Gram matrix of all columns; return None if the gap is not reached."""
        assert self.whole is not None
        if not self.rules.max_iter or self.rules.out_of_time:
            return None
        found, wanted, rounds = self.whole.solve(problem, self.rules.tol)
        return Model(found, wanted, rounds, Status.GAP) if is_reached(found, wanted) else None

    def _told(self, k: int) -> Step:
        gap = float(self.figures[2, k])
        return Step(k, float(self.penalties[k]), self.theta[:, k].copy(), gap)

    def result(self) -> LinearPath:
        """Return the path as far as it has come."""
        intercept, objective, gap, wanted = self.figures
        return LinearPath(
            self.penalties, self.theta, intercept, objective, gap, wanted, self.n_iter, self.status
        )


def largest_penalty(state: State, factors: Array, descend: Callable[[Problem], Status]) -> float:
    """Return the least λ at which every coordinate with a factor is 0.

    λ = max_j |A_jᵗWr| / f_j, where r is the residual of a fit by the coordinates without penalty
    alone.  The maximum leaves out coordinates that a bound keeps at 0.
    """
    p = state.problem
    penalised = factors > 0
    if not penalised.all():
        zero = np.zeros(len(factors))
        lower, upper = np.where(penalised, 0.0, p.lower), np.where(penalised, 0.0, p.upper)
        descend(p._replace(l1=zero, l2=zero, lower=lower, upper=upper))
        state.renew(np.arange(len(factors)))
        state.problem = p
    q = state.q
    pulled = penalised & np.where(q > 0, p.upper > 0, p.lower < 0)
    with np.errstate(over="ignore"):  # `Walk` refuses penalties that overflow
        return float(np.max(np.abs(q[pulled]) / factors[pulled], initial=0.0))
