r"""Two models of the same data: F test, likelihood ratio, and the criteria of information.

Let the larger model have k2 free parameters and the smaller one k1 < k2, and n points.

- Where the scale of sigma is unknown, F = ((chi2_1 - chi2_2) / (k2 - k1)) / (chi2_2 / (n - k2)),
  which has Fisher's distribution with k2 - k1 and n - k2 degrees of freedom if the smaller model,
  a special case of the larger one, is true.
- Where sigma is absolute, chi2_1 - chi2_2 has then the chi-squared distribution with k2 - k1.
- AICc = AIC + 2 K (K + 1) / (n - K - 1), where K counts an unknown scale as a parameter.

References: G. A. F. Seber, C. J. Wild, "Nonlinear regression", 1989, section 5.9; K. P. Burnham,
D. R. Anderson, "Model selection and multimodel inference", 2002, section 2.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .._arguments.check import Array, Floats, Integers, PerFit
from .distributions import chi2_tail, f_tail
from .goodness import totals
from .likelihood import noise_of
from .shared import in_the_same_groups

if TYPE_CHECKING:
    from .data import Data
    from .result import FitResult


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two fits of the same data side by side, from `FitResult.compare`; (...) is the batch's shape.

    Attributes
    ----------
    labels : tuple of str
        What the two models are called.
    n_free : ndarray of int, shape (..., 2)
        Free parameters of the two.
    chi2, aic, aicc, bic : ndarray, shape (..., 2)
        The criteria of the two; the smaller value is preferred.
    test : {"F", "chi2"}
        The test: F where the scale of sigma is unknown, else the difference of chi2.
    statistic : ndarray, shape (...)
        F, or the difference of chi2; NaN where both have as many free parameters, where a fit
        failed, or where the larger model has the larger chi2, so that it does not contain the
        smaller one or is not at its minimum.
    p_value : ndarray, shape (...)
        The probability of a statistic at least as large if the smaller model is true.

    Examples
    --------
    >>> import numpy as np
    >>> import thalweg as tw
    >>> t = np.linspace(0, 5, 20)
    >>> y = 3 * np.exp(-t / 2) + 0.01 * np.cos(9 * t)
    >>> r = tw.fit("a*exp(-t/tau)", t, y, p0={"a": 1, "tau": 1}, independent="t")
    >>> more = tw.fit("a*exp(-t/tau) + c", t, y, p0={"a": 1, "tau": 1, "c": 0}, independent="t")
    >>> r.compare(more).test
    'F'
    """

    labels: tuple[str, str]
    n_free: Integers
    chi2: Floats
    aic: Floats
    aicc: Floats
    bic: Floats
    test: str
    statistic: Floats
    p_value: Floats

    def __repr__(self) -> str:
        if self.statistic.ndim:
            small = np.count_nonzero(self.p_value < 0.05)
            return f"<Comparison of {self.statistic.size} fits: p < 0.05 for {small}>"
        head = f"{'':>12} {self.labels[0][:24]:>24} {self.labels[1][:24]:>24}"
        rows = [
            f"{name:>12} {a:>24.8g} {b:>24.8g}"
            for name, (a, b) in (
                ("parameters", self.n_free),
                ("chi2", self.chi2),
                ("AIC", self.aic),
                ("AICc", self.aicc),
                ("BIC", self.bic),
            )
        ]
        return "\n".join(
            [head, *rows, f"{self.test} = {self.statistic:.6g}, p = {self.p_value:.3g}"]
        )


def corrected(result: FitResult) -> Array:
    """Return AICc, infinite where n <= K + 1."""
    _, n, free = totals(result)
    k = free + (not result.problem.absolute_sigma)
    rest = np.asarray(n - k - 1, np.float64)
    with np.errstate(all="ignore"):
        return np.where(rest > 0, result.aic + 2 * k * (k + 1) / rest, np.inf)


def compare(one: FitResult, other: FitResult) -> Comparison:
    """Compare two results; see `FitResult.compare`."""
    if not isinstance(other, type(one)):
        raise TypeError(
            f"compare takes the result of another fit, as thalweg.fit returns it, got "
            f"{type(other).__name__}"
        )
    _refuse_other_data(one, other)
    both = one, other = in_the_same_groups(one, other)
    k = np.stack([totals(r).n_free for r in both], axis=-1)
    chi2 = np.stack([totals(r).chi2 for r in both], axis=-1)
    absolute = one.problem.absolute_sigma
    statistic, p_value = _test(k, chi2, np.stack([r.dof for r in both], axis=-1), absolute)
    failed = ~(one.success & other.success)
    if one.groups is not None:  # the data sets of a group are compared together
        number = one.groups.number
        failed = np.bincount(number.ravel(), failed.ravel())[number] > 0
    statistic[failed] = p_value[failed] = np.nan
    return Comparison(
        (one.problem.model.label, other.problem.model.label),
        k,
        chi2,
        np.stack([r.aic for r in both], axis=-1),
        np.stack([corrected(r) for r in both], axis=-1),
        np.stack([r.bic for r in both], axis=-1),
        "chi2" if absolute else "F",
        statistic,
        p_value,
    )


def _test(k: Array, chi2: Array, dof: Array, absolute: bool) -> tuple[Array, Array]:
    """The statistic of the test for nested models, and its probability."""
    larger = np.argmax(k, axis=-1)[..., None]
    more = np.abs(np.diff(k, axis=-1))[..., 0]
    chi2_2, n = (np.take_along_axis(a, larger, -1)[..., 0] for a in (chi2, dof))
    gain = np.take_along_axis(chi2, 1 - larger, -1)[..., 0] - chi2_2
    with np.errstate(all="ignore"):
        statistic = gain if absolute else (gain / more) / (chi2_2 / n)
        wrong = (more == 0) | ~(gain >= 0) | ((n <= 0) & (not absolute))
    statistic = np.where(wrong, np.nan, statistic)
    p_value = np.full(statistic.shape, np.nan)
    for at in np.ndindex(statistic.shape):
        if not wrong[at] and statistic[at] == statistic[at]:
            s, m = float(statistic[at]), int(more[at])
            p_value[at] = chi2_tail(s, m) if absolute else f_tail(s, m, float(n[at]))
    return statistic, p_value


def _refuse_other_data(one: FitResult, other: FitResult) -> None:
    """Raise ValueError unless both results are fits of the same data, point by point."""
    a, b = one.problem, other.problem
    first, second = a.data.needed("comparison"), b.data.needed("comparison")
    if first.batch != second.batch or first.points != second.points:
        raise ValueError(
            f"only fits of the same data can be compared: y has the shape "
            f"{(*first.batch, *first.points)} here and {(*second.batch, *second.points)} there"
        )
    if a.absolute_sigma != b.absolute_sigma:
        raise ValueError("one of the fits has absolute_sigma and the other has not: fit both alike")
    if not np.array_equal(first.weights() > 0, second.weights() > 0):
        raise ValueError("only fits of the same data can be compared: they use different points")
    if noise_of(a) != noise_of(b) or noise_of(a) not in ("normal", "poisson"):
        raise ValueError(
            "only fits of one likelihood can be compared, normal or poisson: got "
            f"{noise_of(a)} here and {noise_of(b)} there"
        )
    used = first.weights() > 0
    if not np.array_equal(first.y[used], second.y[used]):
        raise ValueError("only fits of the same data can be compared: y differs")
    if not np.array_equal(first.weights(), second.weights()):
        raise ValueError("only fits of the same data can be compared: sigma differs")
    if not _same_x(first, second):
        raise ValueError("only fits of the same data can be compared: x differs")


def _same_x(first: Data, second: Data) -> bool:
    """Whether x is the same where both have as many variables; columns may be read in part."""
    if first.form == "columns" or len(first.x) != len(second.x):
        return True
    used = first.weights() > 0

    def values(row: PerFit) -> Array:
        return np.broadcast_to(row.array, used.shape)[used]

    pairs = zip(first.x, second.x, strict=True)
    return all(np.array_equal(values(p), values(q), equal_nan=True) for p, q in pairs)
