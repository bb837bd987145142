"""The solution of one right-hand side: rounds of growing, solving and certifying.

A round adds coordinates that violate their optimality conditions to the working set W, minimises
over W alone, and computes the duality gap of all candidates again.  W is minimised over by Newton
steps on its Gram matrix, or by sweeps with the residual: by whichever is estimated to take less
time, from the costs of both and from how far the first sweeps came.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, log, nan
from typing import NamedTuple

import numpy as np

from .._arguments.check import Array
from .._core.linear import LARGEST_SQUARE
from ..status import Status
from .costs import costs_of, sweeps_to
from .gram import MOST_COLUMNS, Gram
from .ranges import is_reached
from .rules import Rules
from .state import State, wanted_of
from .sweeps import Sweeps
from .words import Ran
from .working_set import FEW, NEAR, WorkingSet

# The constants without another reason were chosen by run time on the 120 lasso problems of
# bench/test_linear.py; other values of each one were not measured separately.  A "rough" Gram
# matrix is one in single precision.

# A round ends when the gap of W is at most
_LEVEL = 0.3  # this share of the gap of W at its start, if its l1 is larger than asked for;
_ON_THE_WAY = 0.02  # this share of the gap of all candidates, while W grows;
PART_IN_W = 0.3  # this share of the gap that is wanted, when W grows no more;
_OF_ALL = 0.9  # this share of the gap that is wanted, in sweeps over a W that is all candidates.
# Plain least squares make one more round, to this share of the gap that they have reached.  The gap
# of a coordinate without penalty and bounds is proportional to its slope instead of the slope's
# square, and a Gram matrix squares the condition number of A.  One more round, from a residual
# computed anew, gives the Wampler sets of NIST 10 digits instead of 5 (Björck 1996, section 2.9:
# corrected semi-normal equations).
AGAIN = 1e-3

# When the descent of a right-hand side, or one round of it, ends
_PATIENCE = 4  # rounds in a row without a gain end the descent
_GAIN = 0.5  # a round gains if its gap is at most this share of the smallest gap before it
_ALL_SWEEPS = 20_000  # the largest number of sweeps in one round
_MANY_SWEEPS = 100  # a round of more sweeps than this computes the residual anew, against rounding
_FAR = 10.0  # so does a round whose first residual is more than this many times as large as b

# How sweeps go on
_SWEEPS_AT_ONCE = 256  # the largest number of sweeps without computing the gap of W
# The largest number of sweeps over a part of W before what it leaves out is looked at again.  With
# 2 instead, 1000 rows and columns at l1 / 100 took 1.0 to 1.4 times as long.
_PART_SWEEPS = 6
_BEFORE_A_LOOK = 0.7  # this share of the predicted sweeps is made before the gap is computed again
_AT_FIRST = 0.7  # factor on the sweeps predicted from the first two: later sweeps gain more
_LATER = 1.5  # factor on the sweeps predicted from later ones: the slowest coordinates remain
_FEWER = 0.85  # sweeps leave coordinates out if at most this share of those swept is needed
_NEARER = 0.9  # a zero of W is needed in sweeps if |q_j| is at least this share of l1_j

# When a rough Gram matrix is worth it
_ROUGH_RANK = 0.8  # only for fewer columns than this share of the rows: more are nearly dependent
_ROUGH_ROUND = 7e-7  # one round from θ = 0 leaves 1e-7 to 3e-7 of the gap (measured): at most this
_WORTH = 1e-4  # seconds that it has to save

# Costs in seconds, see `costs`
_LOOK = 50e-9  # computing the gap of W, for each coordinate, besides its product with the residual
_ROUND = 3e-4  # one round, besides its passes over A


class Iteration(NamedTuple):
    """What a callback is told after each round.

    Attributes
    ----------
    n_iter : int
        Number of rounds made.
    theta : ndarray, shape (P,)
        A copy of the coefficients.
    objective, gap, kkt : float
        As those of `LinearResult`.
    working : int
        Number of coordinates in the working set.
    """

    n_iter: int
    theta: Array
    objective: float
    gap: float
    kkt: float
    working: int


class Descent:
    """The solution of one right-hand side under way.

    Attributes
    ----------
    wanted : float
        The gap at which the descent ends: tol · ½ ‖b‖²_W; where b is 0, tol times the objective at
        the start.
    found : Certificate
        The certificate after the last whole round.
    certified : ndarray, shape (P,)
        The θ that ``found`` certifies; ``state.theta`` may be in the middle of a round.
    drift : float
        How far sweeps have led the last residual from b − Aθ; NaN until `run` has ended.
    tried : int
        Size of the working set over which sweeps were given up last; sets of that size or smaller
        are solved on their Gram matrix without another try.
    reasons : dict
        For each strategy that ran, why it ran first.
    """

    def __init__(
        self, state: State, gram: Gram, rules: Rules, work: WorkingSet | None = None
    ) -> None:
        self.state, self.gram, self.rules = state, gram, rules
        self.costs = costs_of(state.look.matrix)
        self.work = WorkingSet(state) if work is None else work
        self.sweeps = self.gram_sweeps = self.steps = 0
        self.reasons: dict[str, str] = {}
        self.found = state.certify()
        if not self.found.objective <= LARGEST_SQUARE:
            raise ValueError(
                "the objective of the start is beyond the range of numbers: measure theta, and "
                "with it b, in other units"
            )
        self.wanted = wanted_of(state, self.found, rules.tol)
        self.history: list[tuple[float, float, float, int]] = []
        self.tried, self.drift = 0, nan
        self._keep()

    def run(self, callback: Callable[[Iteration], bool] | None) -> Status:
        """Make rounds until one of the rules ends the descent; return which."""
        status = self._make_rounds(callback)
        self.drift = self.state.drift() if self.sweeps else 0.0
        return status

    def _make_rounds(self, callback: Callable[[Iteration], bool] | None) -> Status:
        idle, last = 0, inf
        while True:
            status = self._verdict(idle)
            if status is not None and not (status == Status.GAP and self._goes_again()):
                return status
            grew = self._round()
            self.found = self.state.certify(self.work.candidates)
            self._keep()
            gains = grew or self.found.gap <= _GAIN * last
            if not gains and self.gram.is_rough:  # in double precision the round may gain
                self.gram.may_be_rough, gains = False, True
            idle = 0 if gains else idle + 1
            last = min(last, self.found.gap)
            if callback is not None and callback(self.told()):
                return self._verdict(0) or Status.CALLBACK

    def told(self) -> Iteration:
        """Return the state after the last whole round, for a callback."""
        found, n_iter = self.found, len(self.history) - 1
        working = len(self.work.which)
        return Iteration(
            n_iter, self.state.theta.copy(), found.objective, found.gap, found.kkt, working
        )

    @property
    def ran(self) -> Ran:
        """What has been done so far, and why."""
        return Ran(self.sweeps, self.gram_sweeps, self.steps, self.reasons)

    def _verdict(self, idle: int) -> Status | None:
        if is_reached(self.found, self.wanted):
            return Status.GAP
        if idle >= _PATIENCE:
            return Status.NO_PROGRESS
        if len(self.history) - 1 >= self.rules.max_iter:
            return Status.MAX_ITER
        return Status.TIME if self.rules.out_of_time else None

    def _goes_again(self) -> bool:
        """Whether plain least squares make one more round; see `AGAIN`."""
        first = len(self.history) == 2
        on_gram = self.gram_sweeps > 0 and self.sweeps == 0
        may = self.rules.max_iter > 1 and not self.rules.out_of_time
        return first and on_gram and may and self.found.unheld == len(self.work.which)

    def _keep(self) -> None:
        found = self.found
        self.certified = self.state.theta.copy()
        self.history.append((found.objective, found.gap, found.kkt, len(self.work.which)))

    # ---- one round -------------------------------------------------------------------------

    def _round(self) -> bool:
        """Grow W and minimise over it; return whether W grew."""
        work, state = self.work, self.state
        work.screen(self.found)
        if work.is_wide() or self._are_few_needed():
            work.prune()
        growth = work.grow(self.rules.strategy == "residual")
        if self._on_gram(len(growth.waiting)):
            self._solve_on_gram(self._target(len(growth.added)), growth.ratio)
            if len(work.candidates) <= FEW:  # chunks of so few columns stay in a cache
                state.remake(work.candidates)
            else:
                state.refresh()
        else:
            work.add(growth.waiting)
            work.add(work.rest())
            is_far = state.rr > _FAR**2 * state.size  # eps times such a residual is no longer small
            if self._sweep(self._target_of_sweeps(len(growth.added))) > _MANY_SWEEPS or is_far:
                state.refresh()
        state.update_products(work.which, work.candidates)
        return bool(len(growth.added))

    def _are_few_needed(self) -> bool:
        """Whether the Gram matrix of what W needs costs less than a pass over all candidates."""
        size = int(np.count_nonzero(self.work.needed(NEAR)))
        cheap = self.costs.gram(0, size) < self.costs.products(len(self.work.candidates))
        return cheap and self._known() < len(self.work.which)

    def _target(self, added: int) -> float:
        """Return the gap of W at which this round ends, after ``added`` coordinates came to W."""
        if self.found.gap <= self.wanted:
            return AGAIN * self.found.gap
        if not added or len(self.work.which) == len(self.work.candidates):
            return PART_IN_W * self.wanted
        return max(_ON_THE_WAY * self.found.gap, PART_IN_W * self.wanted)

    def _target_of_sweeps(self, added: int) -> float:
        """Return `_target` for sweeps: once W holds all candidates, its gap is the gap of all."""
        is_all = len(self.work.which) == len(self.work.candidates)
        return _OF_ALL * self.wanted if is_all else self._target(added)

    def _on_gram(self, waiting: int) -> bool:
        """Whether this round works on the Gram matrix of W; keep the reason of the choice.

        ``waiting`` is the number of violators outside W.
        """
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
        """Whether W is expected to need so many sweeps that its Gram matrix costs less.

        With d_j = q_j / ‖A_j‖², the ratio ρ = ‖Ad‖² / qᵗd is 1 for orthogonal columns and at most
        the largest eigenvalue of their correlation matrix.  In experiments one sweep left about
        exp(−2 / ρ) of the gap.
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
        """Return the cost of a sweep over ``size`` coordinates, and of half a look at all of W.

        W has ``all_of`` coordinates; its gap is computed after every second sweep.
        """
        return self.costs.sweep(size) + (self.costs.products(all_of) + all_of * _LOOK) / 2

    def _known(self) -> int:
        """Return how many columns of W the Gram matrix holds already."""
        return self.gram.known(self.work.which)

    def _may_be_rough(self, size: int) -> bool:
        """Whether a Gram matrix of ``size`` columns in single precision saves time.

        A small wanted gap takes one more round with it than in double precision.
        """
        costs, many = self.costs, len(self.work.candidates)
        if not self.gram.may_be_rough or self.found.unheld or size > _ROUGH_RANK * costs.n:
            return False
        more = costs.products(many) + _WORTH
        if self.wanted < _ROUGH_ROUND * self.found.gap:
            more += costs.products(size) + _ROUND
        return costs.gram(0, size) - costs.gram(0, size, True) > more

    # ---- on the Gram matrix ----------------------------------------------------------------

    def _solve_on_gram(self, target: float, ratio: float) -> None:
        """Minimise over W, with ``ratio`` times the l1."""
        state, w = self.state, self.work.which
        if ratio > 1:
            target = _LEVEL * state.certify(w, ratio).gap
        sweeps, steps = self.gram.solve(state, w, target, ratio, self._may_be_rough(len(w)))
        self.gram_sweeps += sweeps
        self.steps += steps

    # ---- with the residual -----------------------------------------------------------------

    def _sweep(self, target: float) -> int:
        """Sweep over W until its gap is at most ``target``, or a Gram matrix would cost less.

        Sweeps leave out zeros of W that are far from leaving 0 until the gap of all of W is
        computed again.  Returns the number of sweeps.
        """
        state, w, rules = self.state, self.work.which, self.rules
        swept, before = np.ones(len(w), bool), len(w)
        sweeps = Sweeps(state, w, rules.order, rules.rng)
        free_to_choose = rules.strategy == "auto" and rules.order == "cyclic"
        last, at_once, done, trust = state.certify(w).gap, 2, 0, _AT_FIRST
        while done < _ALL_SWEEPS and not rules.out_of_time:
            sweeps.run(at_once)
            done, self.sweeps = done + at_once, self.sweeps + at_once
            gap = state.certify(w).gap
            if gap <= target:
                break
            need = sweeps_to(gap, target, (gap / last) ** (1 / at_once))
            # with more columns than rows the first two sweeps say too little about the later ones
            known = done > 2 or len(w) <= self.costs.n
            needed = self.work.needed(_NEARER)
            size, now = int(needed.sum()), int(swept.sum())
            cost = self._cost_of_sweep(now, len(w))
            ahead = free_to_choose and known and trust * need * cost > self._cost_of_gram(size)
            if ahead and self._cost_of_gram(before) - self._cost_of_gram(size) < at_once * cost:
                self.tried = len(w)
                self.work.prune(_NEARER)
                break
            if rules.order == "cyclic" and (size < _FEWER * now or (needed & ~swept).any()):
                swept = needed
                sweeps.keep_to(swept)
            more = min(max(2, _BEFORE_A_LOOK * need), _SWEEPS_AT_ONCE)
            sure = done > 2 and not ahead
            at_once = int(more if swept.all() else min(more, _PART_SWEEPS)) if sure else 2
            last, before, trust = gap, size, _LATER
        return done

    def _cost_of_gram(self, size: int) -> float:
        """Return the cost of the Gram matrix of ``size`` coordinates of W and of solving on it."""
        if size > MOST_COLUMNS:
            return inf
        gram = self.costs.gram(min(self._known(), size), size, self._may_be_rough(size))
        return gram + self.costs.steps(size)
