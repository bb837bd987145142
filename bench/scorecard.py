"""The score card of the engine: does it find the minimum, in how many trials, and claim no other?

    python bench/scorecard.py [--quick] [--label before] [PART ...]

Parts: nist, maps, starts, plateaus, mgh, coverage, easy; all without one.  `--label` sets apart the
numbers of another version in the results file; `--quick` draws a tenth of the starts and writes
nothing.

A fit is right if its chi2 is the best known but for 1e-6 of it; the best known is the least chi2 of
these starts and of 400 more within a factor of 1.5.  A claim is a success that is not right, and it
is false if the exact second derivatives say that it is no minimum (`curves.Curve.no_minimum`).
"""

import argparse
import json
import os
import sys
import warnings
from pathlib import Path

import accuracy
import numpy as np
import store
from mri import MAPS, chi2, fit

import thalweg as tw

TESTS = Path(__file__).resolve().parents[1] / "tests"
sys.path.append(str(TESTS))
SHARED = TESTS.parents[1] / "shared" / "data"
if SHARED.exists():
    os.environ.setdefault("THALWEG_DATA", str(SHARED))

import curves  # noqa: E402  the tests' models
import mgh  # noqa: E402

RIGHT = 1 + 1e-6
PLATEAU = 1e12  # a lifetime beyond this is longer than any data can tell
LOST = 1e-7  # a parameter with |J_j| below this share of |y| has no effect
NORMAL_95 = 1.959964


class Card:
    """The results measured so far."""

    def __init__(self, quick, label):
        self.quick, self.label, self.results, self.part = quick, label, [], ""

    def __call__(self, name, value, unit, **target):
        """Keep a number and print it."""
        label = f" --label {self.label}" if self.label else ""
        name = f"score card{', ' + self.label if self.label else ''}: {name}"
        command = f"python bench/scorecard.py{label} {self.part}"
        target = {} if self.label else target  # another version has none
        self.results.append(store.entry(name, value, unit, command, **target))
        print(store.table(self.results[-1:]), flush=True)

    def number(self, starts):
        """How many starts to draw."""
        return starts // 10 if self.quick else starts


def nist(card):
    """The certified sets from both starts."""
    rows = [accuracy.by_fit(s, k) for s in accuracy.load() for k in range(len(s.starts))]
    params = np.array([r.params for r in rows])
    std = np.array([11.0 if r.std is None else r.std for r in rows])
    met = (params >= 6) & (std >= 5)
    for r, good in zip(rows, met, strict=True):
        if not good:
            print(f"  {r}")
    card("NIST, 6 digits of parameters and 5 of errors", met.sum(), "fits", at_least=len(rows))
    card("NIST, mean digits of parameters", params.mean(), "digits", at_least=10)
    card("NIST, trials in all", sum(r.steps for r in rows), "trials")
    return rows


def lost_voxels(kind, t, r):
    """Which voxels have a column of J that is lost, or a lifetime beyond any data."""
    lifetime = r.params[:, -1]
    with np.errstate(all="ignore"):
        e = np.exp(-t / lifetime[:, None])
        column = r.params[:, -2:-1] * e * t / lifetime[:, None] ** 2
        size = np.sqrt((column**2).sum(-1)) * np.abs(lifetime)
    level = np.sqrt((kind.model.function(t, *r.params.T[:, :, None]) ** 2).sum(-1))
    return (np.abs(lifetime) > PLATEAU) | ~(size > LOST * level)


def maps(card):
    """Brain images: every voxel is one fit."""
    for name, kind in MAPS.items():
        if not kind.exists:
            print(f"  {name} is not there: set THALWEG_DATA")
            continue
        t, y = kind.voxels()
        if card.quick:
            y = y[::10]
        r = fit(kind, t, y)
        ours = chi2(kind.model, t, y, r.params)
        peak = np.abs(y).max(-1)
        best = ours.copy()
        for start in kind.starts:
            p0 = np.tile(start, (len(y), 1))
            p0[:, :-1] *= peak[:, None]
            other = fit(kind, t, y, p0=p0)
            best = np.fmin(best, chi2(kind.model, t, y, other.params))
        card(f"{name} map, successes", 100 * r.success.mean(), "%", at_least=99.95)
        claims = r.success & lost_voxels(kind, t, r)
        card(f"{name} map, claims on a plateau", claims.sum(), "fits", at_most=0)
        above = ~(ours <= best * RIGHT)
        card(f"{name} map, voxels above the least chi2 seen", above.sum(), "fits", at_most=0)
        card(f"{name} map, mean trials", r.n_iter.mean(), "trials")


def best_known(curve, *results):
    """The least chi2 of these results and of fits from starts near the truth."""
    near = curve.fit(curve.starts(400, 1.5, seed=99))
    return min(np.nanmin(r.chi2) for r in (near, *results))


def judge(curve, r, best):
    """Which fits are right, and which successes are false."""
    right = r.chi2 <= best * RIGHT
    claims = np.flatnonzero(r.success & ~right)
    false = np.zeros(len(right), bool)
    if len(claims):
        false[claims] = curve.no_minimum(r.params[claims])
    return right, false


def starts(card):
    """Twelve curve models from 400 starts within a factor of 10, and of 100."""
    known = curves.all_curves()
    targets = {10: 88, 100: 80}
    total = {factor: np.zeros((0, 4)) for factor in targets}
    for curve in known:
        draws = {f: curve.starts(card.number(400), f, seed=f) for f in targets}
        results = {f: curve.fit(draw) for f, draw in draws.items()}
        best = best_known(curve, *results.values())
        for factor, r in results.items():
            right, false = judge(curve, r, best)
            rows = np.column_stack([right, r.success & ~right, false, r.n_iter])
            total[factor] = np.vstack([total[factor], rows])
            name = f"{curve.name}, starts within {factor} times"
            card(f"{name}, right", 100 * right.mean(), "%")
            card(f"{name}, mean trials", r.n_iter.mean(), "trials")
            if false.any():
                print(f"  {false.sum()} false, e.g. {r.params[false][0]} {r.chi2[false][0] / best}")
    for factor, rows in total.items():
        name = f"12 curves, starts within {factor} times"
        card(f"{name}, right", 100 * rows[:, 0].mean(), "%", at_least=targets[factor])
        card(f"{name}, successes elsewhere", rows[:, 1].sum(), "fits")
        card(f"{name}, claims that are no minimum", rows[:, 2].sum(), "fits", at_most=0)
        card(f"{name}, mean trials", rows[:, 3].mean(), "trials")


def plateaus(card):
    """Two growth curves of two parameters from 40,000 starts within a factor of 100."""
    boxbod = curves.published("BoxBOD", curves.growth)
    for curve in (boxbod, curves.cubed_growth_curve()):
        n = card.number(40_000)
        r = curve.fit(curve.starts(n, 100))
        right, false = judge(curve, r, best_known(curve, r))
        card(f"{curve.name}, {n} starts, right", 100 * right.mean(), "%")
        card(
            f"{curve.name}, {n} starts, claims that are no minimum", false.sum(), "fits", at_most=0
        )
        card(f"{curve.name}, {n} starts, mean trials", r.n_iter.mean(), "trials")


def slopes(problem, theta):
    """The Jacobian of the residuals by complex steps, exact to rounding."""
    steps = 1e-40j * np.eye(len(theta))
    return np.column_stack([np.imag(problem.residuals(theta + h)) / 1e-40 for h in steps])


def known(problem, loss):
    """Whether a loss is one of the known minima."""
    return any(loss <= 1e-10 if m == 0 else abs(loss - m) <= 1e-5 * m for m in problem.minima)


def is_minimum(problem, loss, theta):
    """Whether a known minimum is reached, or the gradient vanishes beside residuals and columns."""
    if known(problem, loss):
        return True
    e, J = problem.residuals(theta), slopes(problem, theta)
    scale = np.linalg.norm(J, axis=0) * np.linalg.norm(e)
    return bool((np.abs(J.T @ e) <= 1e-5 * scale).all() and (scale > 0).all())


def by_minpack(problem, start):
    """The loss that MINPACK reaches with an exact Jacobian and its defaults."""
    from scipy import optimize

    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theta = optimize.leastsq(
            problem.residuals, start, Dfun=lambda theta: slopes(problem, theta), full_output=True
        )[0]
        return float((problem.residuals(theta) ** 2).sum())


def by_thalweg(problem, start):
    """Fit residuals to zeros, recorded where each is a curve's point, else by calls of Python."""

    def model(x, *theta):
        numbers = all(isinstance(t, float | np.floating) for t in theta)
        return problem.residuals(np.array(theta, None if numbers else object))

    n_points = len(problem.residuals(start))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return tw.fit(model, np.arange(float(n_points)), np.zeros(n_points), start)


def mgh_problems(card):
    """The problems of Moré, Garbow and Hillstrom from 1, 10 and 100 times their starts."""
    problems = list(mgh.load())
    if not problems:
        print("  mgh_problems.json is not there: set THALWEG_DATA")
        return
    for factor in (1, 10, 100):
        ours, theirs, claims, false, trials = 0, 0, 0, 0, 0
        for p in problems:
            start = factor * p.start
            r = by_thalweg(p, start)
            theirs_loss = by_minpack(p, start)
            ours += known(p, r.chi2)
            theirs += known(p, theirs_loss)
            claims += bool(r.success) and known(p, r.chi2)
            wrong = bool(r.success) and not is_minimum(p, float(r.chi2), r.params)
            false += wrong
            trials += int(r.n_iter)
            if wrong or (known(p, theirs_loss) and not known(p, r.chi2)):
                print(f"  x{factor} {p.name}: {r.reason()}; {r.chi2}, MINPACK {theirs_loss}")
        name = f"MGH x{factor}"
        card(f"{name}, minima reached, MINPACK {theirs}", ours, "fits", at_least=theirs)
        card(f"{name}, minima claimed", claims, "fits")
        card(f"{name}, claims that are no minimum", false, "fits", at_most=0)
        card(f"{name}, trials", trials, "trials")


def coverage(card):
    """How often intervals of one and 1.96 standard errors hold the truth; sigma is known."""
    x, truth, sigma = np.linspace(0, 10, 50), np.array([3.0, 2.0, 0.5]), 0.02
    n = card.number(100_000)
    noise = sigma * np.random.default_rng(0).standard_normal((n, len(x)))
    y = curves.decay(x, *truth) + noise
    r = tw.fit(curves.decay, x, y, truth * 1.1, sigma=np.full(len(x), sigma), absolute_sigma=True)
    pull = np.abs(r.params - truth) / r.stderr
    for share, limit in ((68.27, 1), (95, NORMAL_95)):
        off = np.abs(100 * (pull <= limit).mean(0) - share).max()
        card(f"coverage of {share} %, largest deviation", off, "points", at_most=0.6)


def easy(card):
    """Batches whose starts are 10 % off: not a trial more than needed."""
    for case in curves.easy_sets():
        y, p0 = curves.easy(case.model, case.x, case.truth, case.noise, card.number(2000))
        r = tw.fit(case.model, case.x, y, p0)
        card(f"{case.name}, mean trials", r.n_iter.mean(), "trials")
        card(f"{case.name}, mean chi2", r.chi2.mean(), "")
        card(f"{case.name}, failures", np.count_nonzero(~r.success), "fits", at_most=0)


PARTS = {
    "nist": nist,
    "maps": maps,
    "starts": starts,
    "plateaus": plateaus,
    "mgh": mgh_problems,
    "coverage": coverage,
    "easy": easy,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], default=[])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--label", default="")
    parser.add_argument("--json", help="write the numbers to this file instead")
    options = parser.parse_args()
    card = Card(options.quick, options.label)
    for name in options.parts or PARTS:
        card.part = name
        PARTS[name](card)
    if options.json:
        Path(options.json).write_text(json.dumps(card.results, indent=1))
    elif not options.quick:
        print(f"written to {store.update(card.results, timed=False)}")


if __name__ == "__main__":
    main()
