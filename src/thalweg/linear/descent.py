"""The solution of one right-hand side: rounds of growing, solving and certifying.

A round takes violators into the working set W, solves the problem of W alone, and looks at all
candidates again.  W is solved on its Gram matrix, or by sweeps with the residual: whichever the
costs and the first sweeps' progress promise to be cheaper.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, log
from typing import NamedTuple

import numpy as np

from .._arguments.check import Array
from ..status import Status
from .costs import costs_of, sweeps_to
from .gram import MOST_COLUMNS, Gram
from .rules import Rules
from .state import State, wanted_of
from .sweeps import Sweeps
from .working_set import FEW, NEAR, WorkingSet

_LEVEL = 0.3  # of the gap at a larger l1, which is only on the way
_ON_THE_WAY = 0.02  # of the gap, for W while it grows
PART_IN_W = 0.3  # of the tolerance: no need to be nearer in W
# Where nothing holds a coordinate its gap is in proportion to its slope, not to the slope's square,
# and a Gram matrix loses twice the digits that the condition of A costs.  So plain least squares
# make one more round to this part of the gap, from a residual that is made anew: it gives the
# Wampler sets of NIST 10 digits instead of 5 (Björck 1996, section 2.9: corrected semi-normal
# equations).
AGAIN = 1e-3
_OF_ALL = 0.9  # of the tolerance, where W is all there is
_PATIENCE = 4  # rounds in a row that gain nothing
_GAIN = 0.5  # of the gap has to go in a round that gains
_SWEEPS_AT_ONCE = 256
_LOOK = 50e-9  # seconds of a coordinate in a look at W, besides its product
_MANY_SWEEPS = 100  # after which the residual is made anew
_NEARER = 0.9  # |q_j| / l1_j of a zero that stays when sweeps are given up
_BEFORE_A_LOOK = 0.7  # of the sweeps that are thought to be needed
_AT_FIRST = 0.7  # of those that the first two sweeps let expect, for later ones are quicker
_LATER = 1.5  # of those that later sweeps let expect: what is last to settle is slow
_ROUGH_RANK = 0.8  # of the rows: more columns want a Gram matrix in double precision
# What one round on a rough Gram matrix was seen to leave of a gap, where θ begins at 0: 1 to 3e-7.
_ROUGH_ROUND = 7e-7
_ROUND = 3e-4  # seconds of a round, besides its passes
_WORTH = 1e-4  # seconds that a rough Gram matrix has to save, at least
_FEWER = 0.85  # of the coordinates in a sweep: if no more are needed, the others are left out
_ALL_SWEEPS = 20_000  # of one round that may not do otherwise


class Iteration(NamedTuple):
    """What a callback is told after each round.

    Attributes
    ----------
    n_iter : int
        Rounds made.
    theta : ndarray, shape (P,)
        A copy.
    objective, gap, kkt : float
        See `LinearResult`.
    working : int
        Coordinates in the working set.
    """

    n_iter: int
    theta: Array
    objective: float
    gap: float
    kkt: float
    working: int


class Counts(NamedTuple):
    """What has been done for one right-hand side."""

    sweeps: int  # with the residual
    gram_sweeps: int
    steps: int  # of Newton's method


class Descent:
    """One right-hand side on its way.

    Attributes
    ----------
    wanted : float
        The gap at which it ends: tol · ½ ‖b‖²_W; where b is 0, of the objective at the start.
    found : Certificate
        That of the last round,
    certified : ndarray, shape (P,)
        and the θ that it is about; the state may be in the middle of a round.
    """

    def __init__(
        self, state: State, gram: Gram, rules: Rules, work: WorkingSet | None = None
    ) -> None:
        self.state, self.gram, self.rules = state, gram, rules
        self.costs = costs_of(state.look.matrix)
        self.work = WorkingSet(state) if work is None else work
        self.sweeps = self.gram_sweeps = self.steps = 0
        self.reasons: dict[str, str] = {}  # strategy -> why it ran first
        self.found = state.certify()
        self.wanted = wanted_of(state, self.found, rules.tol)
        self.history: list[tuple[float, float, float, int]] = []
        self.tried = 0  # columns over which sweeps have been given up
        self._keep()

    def run(self, callback: Callable[[Iteration], bool] | None) -> Status:
        """Go on until a rule says stop."""
        idle, last = 0, inf
        while True:
            status = self._verdict(idle)
            if status is not None and not (status == Status.GAP and self._goes_again()):
                return status
            grew = self._round()
            self.found = self.state.certify(self.work.candidates)
            self._keep()
            gains = grew or self.found.gap <= _GAIN * last
            if not gains and self.gram.is_rough:  # an exact one may gain what that did not
                self.gram.may_be_rough, gains = False, True
            idle = 0 if gains else idle + 1
            last = min(last, self.found.gap)
            if callback is not None and callback(self.told()):
                return self._verdict(0) or Status.CALLBACK

    def told(self) -> Iteration:
        """Return where it stands."""
        found, n_iter = self.found, len(self.history) - 1
        working = len(self.work.which)
        return Iteration(
            n_iter, self.state.theta.copy(), found.objective, found.gap, found.kkt, working
        )

    @property
    def counts(self) -> Counts:
        """What has been done."""
        return Counts(self.sweeps, self.gram_sweeps, self.steps)

    def _verdict(self, idle: int) -> Status | None:
        if self.found.gap <= self.wanted:
            return Status.GAP
        if idle >= _PATIENCE:
            return Status.NO_PROGRESS
        if len(self.history) - 1 >= self.rules.max_iter:
            return Status.MAX_ITER
        return Status.TIME if self.rules.out_of_time else None

    def _goes_again(self) -> bool:
        """Whether one more round follows, although the gap is small enough."""
        first = len(self.history) == 2
        on_gram = self.gram_sweeps > 0 and self.sweeps == 0
        may = self.rules.max_iter > 1 and not self.rules.out_of_time
        return first and on_gram and may and self.found.conditional == len(self.work.which)

    def _keep(self) -> None:
        found = self.found
        self.certified = self.state.theta.copy()
        self.history.append((found.objective, found.gap, found.kkt, len(self.work.which)))

    # ---- one round -------------------------------------------------------------------------

    def _round(self) -> bool:
        """Grow W and solve it; return whether it grew."""
        work, state = self.work, self.state
        work.screen(self.found)
        if work.is_wide() or self._are_few_needed():
            work.prune()
        growth = work.grow(self.rules.strategy == "residual")
        if self._on_gram(len(growth.waiting)):
            self._solve_on_gram(self._target(len(growth.added)), growth.ratio)
            if len(work.candidates) <= FEW:  # their chunks stay in a cache
                state.remake(work.candidates)
            else:
                state.refresh()
        else:
            work.add(growth.waiting)
            work.add(work.rest())
            if self._sweep(self._target_of_sweeps(len(growth.added))) > _MANY_SWEEPS:
                state.refresh()
        state.update_products(work.which, work.candidates)
        return bool(len(growth.added))

    def _are_few_needed(self) -> bool:
        """Whether the Gram matrix of what W needs costs less than a pass over all candidates."""
        size = int(np.count_nonzero(self.work.needed(NEAR)))
        cheap = self.costs.gram(0, size) < self.costs.products(len(self.work.candidates))
        return cheap and self._known() < len(self.work.which)

    def _target(self, added: int) -> float:
        """Return the gap at which W is solved well enough."""
        if self.found.gap <= self.wanted:
            return AGAIN * self.found.gap
        if not added or len(self.work.which) == len(self.work.candidates):
            return PART_IN_W * self.wanted
        return max(_ON_THE_WAY * self.found.gap, PART_IN_W * self.wanted)

    def _target_of_sweeps(self, added: int) -> float:
        """The same with the residual, whose gap over all candidates is no other than that of W."""
        is_all = len(self.work.which) == len(self.work.candidates)
        return _OF_ALL * self.wanted if is_all else self._target(added)

    def _on_gram(self, waiting: int) -> bool:
        """Whether to work on the Gram matrix; the reason is kept."""
        size = len(self.work.which)
        coming, known = size + waiting, self._known()
        if self.rules.strategy == "residual" or self.rules.order != "cyclic":
            why = "as asked" if self.rules.strategy == "residual" else "for the order"
            self.reasons.setdefault("residual", why)
            return False
        if coming > MOST_COLUMNS and known < size:
            gib = 8 * coming**2 / 2**30
            self.reasons.setdefault(
                "residual", f"the Gram matrix of {coming} columns would take {gib:.3g} GiB"
            )
            return False
        if self.rules.strategy == "gram":
            self.reasons.setdefault("gram", "as asked")
            return True
        if self.costs.prefers_gram(
            known, size, coming, len(self.work.candidates), self._may_be_rough(size)
        ):
            self.reasons.setdefault("gram", "it costs a few sweeps")
            return True
        if size <= self.tried or (coming <= min(FEW, self.costs.n) and self._sweeps_take_longer()):
            self.reasons.setdefault("gram", "sweeps would take longer")
            return True
        self.reasons.setdefault(
            "residual", "a Gram matrix would cost more sweeps than may be needed"
        )
        return False

    def _sweeps_take_longer(self) -> bool:
        """Whether so many sweeps over W are to be expected that its Gram matrix costs less.

        With d = q_j / ‖A_j‖², ‖Ad‖² / qᵗd is 1 where columns are orthogonal, and else somewhere
        below the largest eigenvalue of their correlations: the slope points along what is
        correlated.  A sweep was seen to leave about exp(−2 / that) of a gap.
        """
        state, w = self.state, self.work.which
        step = state.q[w] / state.look.square[w]
        moved = np.zeros(len(state.residual))
        state.look.columns.move(w, step, moved)
        slope = float(step @ state.q[w])
        if not slope > 0:
            return False
        need = log(max(self.found.gap / self.wanted, 1.0)) * state.norm(moved) ** 2 / slope / 2
        size = len(w)
        return need * self._cost_of_sweep(size, size) > self.costs.gram(
            self._known(), size, self._may_be_rough(size)
        )

    def _cost_of_sweep(self, size: int, all_of: int) -> float:
        """Of one, and its part of a look at W, of which there is one in two sweeps."""
        return self.costs.sweep(size) + (self.costs.products(all_of) + all_of * _LOOK) / 2

    def _known(self) -> int:
        return self.gram.known(self.work.which)

    def _may_be_rough(self, size: int) -> bool:
        """Whether a Gram matrix of so many columns in single precision saves time.

        Where the gap that is wanted is small, it costs one more round.  Columns that are nearly as
        many as rows are too nearly dependent.
        """
        costs, many = self.costs, len(self.work.candidates)
        if not self.gram.may_be_rough or self.found.conditional or size > _ROUGH_RANK * costs.n:
            return False
        more = costs.products(many) + _WORTH
        if self.wanted < _ROUGH_ROUND * self.found.gap:
            more += costs.products(size) + _ROUND
        return costs.gram(0, size) - costs.gram(0, size, True) > more

    # ---- on the Gram matrix ----------------------------------------------------------------

    def _solve_on_gram(self, target: float, ratio: float) -> None:
        """Minimise over W, with an l1 that is ``ratio`` times as large."""
        state, w = self.state, self.work.which
        if ratio > 1:
            target = _LEVEL * state.certify(w, ratio).gap
        sweeps, steps = self.gram.solve(state, w, target, ratio, self._may_be_rough(len(w)))
        self.gram_sweeps += sweeps
        self.steps += steps

    # ---- with the residual -----------------------------------------------------------------

    def _sweep(self, target: float) -> int:
        """Sweep over W until its gap is small enough, or a Gram matrix would be cheaper.

        Coordinates of W that are not needed for now are left out until the next look at all of W.
        Returns how many sweeps were made.
        """
        state, w, rules = self.state, self.work.which, self.rules
        now, before = w, len(w)
        sweeps = Sweeps(state, now, rules.order, rules.rng)
        free_to_choose = rules.strategy == "auto" and rules.order == "cyclic"
        last, at_once, done, trust = state.certify(w).gap, 2, 0, _AT_FIRST
        while done < _ALL_SWEEPS and not rules.out_of_time:
            sweeps.run(at_once)
            done, self.sweeps = done + at_once, self.sweeps + at_once
            state.renew(w)
            gap = state.certify(w).gap
            if gap <= target:
                break
            need = sweeps_to(gap, target, (gap / last) ** (1 / at_once))
            known = done > 2 or len(w) <= self.costs.n  # a valley takes two looks to be seen
            needed = self.work.needed(_NEARER)
            size, cost = int(needed.sum()), self._cost_of_sweep(len(now), len(w))
            ahead = free_to_choose and known and trust * need * cost > self._cost_of_gram(size)
            if ahead and self._cost_of_gram(before) - self._cost_of_gram(size) < at_once * cost:
                self.tried = len(w)
                self.work.prune(_NEARER)
                break
            if rules.order == "cyclic" and not _FEWER <= size / len(now) <= 1:
                now = w[needed]
                sweeps = Sweeps(state, now, rules.order, rules.rng)
            more = min(max(2, _BEFORE_A_LOOK * need), _SWEEPS_AT_ONCE)
            at_once = int(more) if done > 2 and not ahead and len(now) == len(w) else 2
            last, before, trust = gap, size, _LATER
        return done

    def _cost_of_gram(self, size: int) -> float:
        """Of the Gram matrix of so many coordinates of W, and of Newton steps on it."""
        if size > MOST_COLUMNS:
            return inf
        gram = self.costs.gram(min(self._known(), size), size, self._may_be_rough(size))
        return gram + self.costs.steps(size)
