"""Digits of the certified results of NIST that Thalweg and SciPy reach, each with its defaults.

    python bench/accuracy.py

The log relative error LRE = -log10(|estimate - certified| / |certified|) counts correct digits
(B. D. McCullough, "Assessing the reliability of statistical software: part I", The American
Statistician 52, 1998); of several parameters the least counts.  NIST certifies 11 digits, so LRE is
cut at 11.

Lanczos1 was made without noise.  Its certified residual sum of squares, 1.4e-25, is less than
rounding of the data leaves, so that a sum below 1e-20 counts as right, and the standard errors,
which are in proportion to its root, are not judged.
"""

import json
import sys
import warnings
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import store

import thalweg as tw
from thalweg.model.formula import parse

try:
    from scipy import optimize
except ModuleNotFoundError:
    optimize = None

COMMAND = "python bench/accuracy.py"
FILE = Path(__file__).resolve().parents[1] / "tests" / "data" / "nist_strd_nonlinear.json"
MOST_DIGITS = 11
# Parameters and the sum of squares must have so many digits; standard errors are only printed.
ENOUGH_DIGITS = 6
ZERO_RSS = 1e-20  # a smaller sum of squares counts as right for Lanczos1, see above
REPEATS = 100  # fits of each set in one batch
JITTER = 0.01  # half width of the random factors on NIST's starts


@dataclass(frozen=True)
class Set:
    """One of NIST's sets: a formula, x as Thalweg takes it, y as fitted, and what is certified."""

    name: str
    formula: str
    independent: tuple[str, ...]
    x: object
    y: np.ndarray
    starts: np.ndarray
    params: np.ndarray
    std: np.ndarray
    rss: float

    def function(self, x, *params):
        """Return the formula's value; parameters in NIST's order, which is not ENSO's formula's."""
        return self._parsed(x, *(params[int(name[1:]) - 1] for name in self._parsed.names))

    @cached_property
    def _parsed(self):
        return parse(self.formula, self.independent)


@dataclass(frozen=True)
class Row:
    """The result of one program for one set from one start; digits are LRE."""

    set: str
    start: int
    program: str
    params: float
    std: float | None
    rss: float
    steps: int
    status: str

    @property
    def met(self):
        """Whether the certified result was found."""
        return min(self.params, self.rss) >= ENOUGH_DIGITS


def load():
    """Return the 19 sets."""
    sets = []
    for s in json.loads(FILE.read_text())["sets"]:
        x = np.array(s["x"], float)
        arrays = {key: np.array(s[key], float) for key in ("y", "starts", "params", "std")}
        if s["response"] == "log(y)":
            arrays["y"] = np.log(arrays["y"])
        x = x[0] if len(x) == 1 else tuple(x)
        names = tuple(s["independent"])
        sets.append(Set(s["name"], s["formula"], names, x, **arrays, rss=s["rss"]))
    return sets


def digits(estimate, certified):
    """Return the least LRE, from 0 to 11."""
    with np.errstate(all="ignore"):
        lre = -np.log10(np.abs(estimate - certified) / np.abs(certified))
    return float(np.clip(np.nan_to_num(lre, nan=0.0), 0, MOST_DIGITS).min())


def rss_digits(rss, certified):
    """Return the LRE of a residual sum of squares, 11 where both are zero but for rounding."""
    if certified < ZERO_RSS:
        return float(MOST_DIGITS) if rss < ZERO_RSS else 0.0
    return digits(rss, certified)


def row(s, start, program, params, std, steps, status):
    """Return the row of an estimate; its sum of squares is computed here, by NumPy."""
    with np.errstate(all="ignore"):
        rss = float(((s.y - s.function(s.x, *params)) ** 2).sum())
    judged = s.rss >= ZERO_RSS
    return Row(
        s.name,
        start,
        program,
        round(digits(params, s.params), 1),
        round(digits(std, s.std), 1) if judged else None,
        round(rss_digits(rss, s.rss), 1),
        int(steps),
        status,
    )


def by_fit(s, start):
    """Fit by `thalweg.fit`."""
    r = tw.fit(s.function, s.x, s.y, s.starts[start])
    status = tw.Status(int(r.status)).name
    return row(s, start + 1, "tw.fit", r.params, r.stderr, r.n_iter, status)


def by_curve_fit(s, start, solve, program):
    """Fit by `thalweg.curve_fit` or SciPy's, without a Jacobian."""
    x = np.stack(s.x) if isinstance(s.x, tuple) else s.x
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            params, cov, info, _, code = solve(
                s.function, x, s.y, s.starts[start], full_output=True
            )
        except RuntimeError:
            nothing = np.full(len(s.params), np.nan)
            return row(s, start + 1, program, nothing, nothing, 0, "refused")
        std = np.sqrt(np.diag(cov))
    return row(s, start + 1, program, params, std, info["nfev"], f"ier {code}")


def rows_of(s):
    """Return the rows of a set: both starts, every program."""
    for start in range(len(s.starts)):
        yield by_fit(s, start)
        yield by_curve_fit(s, start, tw.curve_fit, "tw.curve_fit")
        if optimize is not None:
            yield by_curve_fit(s, start, optimize.curve_fit, "scipy curve_fit")


def batch_met(s, start):
    """Fit a set 100 times in one batch, from starts moved at random; return how many are right."""
    rng = np.random.default_rng(0)
    factors = 1 + JITTER * rng.uniform(-1, 1, (REPEATS, len(s.params)))
    r = tw.fit(s.function, s.x, np.tile(s.y, (REPEATS, 1)), s.starts[start] * factors)
    lre = np.array([digits(params, s.params) for params in r.params])
    right = r.success & (lre >= ENOUGH_DIGITS)
    for k in np.flatnonzero(~right):
        print(f"{s.name}, start {start + 1}, moved: {lre[k]:.1f} digits; {r.reason(k)}")
    return int(np.count_nonzero(right))


def measure():
    """Return the rows of all sets and the summary as results."""
    sets = load()
    rows = [r for s in sets for r in rows_of(s)]
    results = []
    for program in dict.fromkeys(r.program for r in rows):
        own = [r for r in rows if r.program == program]
        target = {} if program.startswith("scipy") else {"at_least": len(own)}
        name = f"NIST, {program}, defaults: {ENOUGH_DIGITS} digits, of {len(own)} fits"
        met = sum(r.met for r in own)
        results.append(store.entry(name, met, "fits", COMMAND, **target))
    total = sum(batch_met(s, k) for s in sets for k in range(len(s.starts)))
    size = REPEATS * sum(len(s.starts) for s in sets)
    name = f"NIST, batches of moved starts: {ENOUGH_DIGITS} digits, of {size} fits"
    results.append(store.entry(name, total, "fits", COMMAND, at_least=size))
    return rows, results


def print_rows(rows):
    """Print the table of digits."""
    line = "{:<10} {:>5}  {:<16} {:>6} {:>5} {:>5} {:>6}  {}".format
    print(line("set", "start", "program", "params", "std", "RSS", "steps", "status"))
    for r in rows:
        cells = ["" if v is None else v for v in asdict(r).values()]
        print(line(*cells), "" if r.met else "MISSED")


def missed(rows):
    """Return how many of Thalweg's own fits did not find the certified result."""
    return sum(not r.met for r in rows if r.program.startswith("tw."))


def main():
    rows, results = measure()
    print_rows(rows)
    print(store.table(results))
    print(f"written to {store.update(results, [asdict(r) for r in rows])}")
    if missed(rows):
        sys.exit("a certified result was missed")


if __name__ == "__main__":
    main()
