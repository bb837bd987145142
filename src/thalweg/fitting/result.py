"""What a fit returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from .._arguments.check import Array, Booleans, Floats, Integers, name_index, place_of
from ..status import Status, explain
from . import goodness, tied
from .batched import Batched
from .evaluation import as_returned, jacobian, predict
from .inference import Inference
from .packed import diagonal, unpacking
from .selection import select
from .shared import Groups
from .written import Written

if TYPE_CHECKING:
    from .problem import Problem


@dataclass(frozen=True, eq=False, repr=False)
class FitResult(Batched, Inference, Written):
    """Parameters, error bars and reasons of one fit or of many; B stands for the batch's shape.

    A batch has a length, and is iterated over, along its first axis, as results of its parts.
    ``np.asarray(r)`` is ``r.params``.

    Attributes
    ----------
    params : ndarray, shape (..., P)
        Parameters at the smallest chi2 found; NaN where a fit could not run.
    chi2 : ndarray, shape (...)
        sum_i ((y_i - f(x_i)) / sigma_i)^2 over the points used; without sigma it has the unit of y
        squared.  For counts it is the deviance, for a robust fit the sum of its losses.  The last
        step of a success is not tried, but predicted, right to 1e-6 chi2 / dof.
    n_iter : ndarray of int, shape (...)
        Trial steps taken.
    n_used : ndarray of int, shape (...)
        How many points were used: those that are not NaN or masked and whose sigma is finite.
    status : ndarray of int8, shape (...)
        A `Status` for each fit.
    names : tuple of str
        Names of the parameters, in the order of the last axis of ``params``.
    problem : Problem
        The model and the data that were fitted.
    covariance_rows : ndarray, shape (..., F (F + 1) / 2)
        Lower triangle, by rows, of the covariance of the F parameters that were free.
    detail : ndarray of int32, shape (...)
        Which parameter or input the status is about, or -1.
    attempts : ndarray of int8, shape (...)
        How many attempts each fit took, 1 to 3: see the guide on the engine.
    errors : ndarray or None, shape (..., F)
        Standard errors of the parameters that were free; kept only if the square of one of
        them leaves the range of numbers.
    groups : Groups or None
        With shared parameters: status, chi2, points and degrees of freedom of the group of each
        data set.
    agreement : ndarray of int or None, shape (...)
        With ``starts``: how many of them succeeded at this minimum, to 1e-6 of chi2.

    Examples
    --------
    >>> import numpy as np
    >>> import thalweg as tw
    >>> t = np.linspace(0, 5, 20)
    >>> y = np.exp(-t / np.array([[1.0], [2.0], [4.0]])) + 0.01 * np.cos(9 * t)
    >>> r = tw.fit("a*exp(-t/tau)", t, y, p0={"a": 1, "tau": 1}, independent="t")
    >>> r
    <FitResult: 3 fits, 3 succeeded
     of a, tau>
    >>> r["tau"].round(2), r.stderr[:, 1].round(3)
    (array([1., 2., 4.]), array([0.009, 0.015, 0.033]))
    >>> r[2].names, r[2].params.round(2), bool(r[2].success)
    (('a', 'tau'), array([1., 4.]), True)
    """

    params: Floats
    chi2: Floats
    n_iter: Integers
    n_used: Integers
    status: Integers
    names: tuple[str, ...]
    problem: Problem
    covariance_rows: Floats
    detail: Integers
    attempts: Integers
    errors: Floats | None = field(repr=False, default=None)
    groups: Groups | None = field(repr=False, default=None)
    agreement: Integers | None = field(repr=False, default=None)

    @overload
    def __getitem__(self, key: str) -> Floats: ...

    @overload
    def __getitem__(self, key: Any) -> FitResult: ...

    def __getitem__(self, key: Any) -> Any:
        """Return one parameter of every fit, shape (...), by its name; or the result of some fits.

        ``r["tau"]`` is a parameter.  ``r[17]``, ``r[:100]``, ``r[2, 5]`` and ``r[r.success]`` are
        the results of those fits, picked from the batch as NumPy picks from an array, as copies.

        Raises
        ------
        KeyError
            No parameter has that name.
        IndexError
            The index does not fit the batch.
        """
        if not isinstance(key, str):
            return select(self, key)
        try:
            return self.params[..., name_index(key, self.names, "the result")]
        except ValueError as error:
            raise KeyError(str(error)) from None

    @cached_property
    def success(self) -> Booleans:
        """Whether each fit met a tolerance: ``status > 0``, shape (...)."""
        return np.asarray(self.status > 0)

    @cached_property
    def dof(self) -> Integers:
        """Degrees of freedom, points used minus free parameters, shape (...).

        With shared parameters they are those of the group of each data set.
        """
        if self.groups is not None:
            return self.groups.dof
        return np.asarray(self.n_used - self.problem.count_free())

    @cached_property
    def cov(self) -> Floats:
        """Covariance of the parameters, shape (..., P, P).

        It is (J'WJ)^-1 at the solution, times chi2 / dof unless ``absolute_sigma`` (counts and
        robust fits: see the guide on noise).  Rows and columns of parameters fixed or at a bound
        are 0; others are infinite if the data do not determine the parameters or dof is 0.  Tied
        parameters follow to first order: with C the covariance of the free ones and T the
        derivatives by them, cov(tied, free) = T C and cov(tied, tied) = T C T'.  An element has the
        units of its two parameters multiplied.  If it leaves the range of numbers in these units,
        it is 0 or infinite here, but `stderr` still holds the root of a variance.
        """
        P = len(self.names)
        full, packed = unpacking(P, self.problem.free)
        cov = self.covariance_rows.take(packed, axis=-1)
        if len(full) < P * P:  # elements of fixed parameters are 0
            some, cov = cov, np.zeros((*self.chi2.shape, P * P), self.params.dtype)
            cov[..., full] = some
            cov = cov.reshape(*self.chi2.shape, P, P)
        if self.problem.fixed is not None:
            fixed = self._fixed_for_some()
            cov[fixed] = 0
            cov.swapaxes(-1, -2)[fixed] = 0
        if (ties := self.problem.ties) is not None:
            tied.covariance(cov, self._slopes(), ties, list(self.problem.free))
        return cov

    def _slopes(self) -> Array:
        """The derivatives of the tied parameters by the free ones, (..., T, F)."""
        assert self.problem.ties is not None
        return self.problem.ties.slopes(self.params, self.problem.free)

    @property
    def tied(self) -> dict[str, str]:
        """The names of the tied parameters, and what each is tied to."""
        return {} if self.problem.ties is None else self.problem.ties.texts

    @property
    def shared(self) -> tuple[str, ...]:
        """The names of the parameters that data sets share."""
        return () if self.problem.sharing is None else self.problem.sharing.names

    def _fixed_for_some(self) -> Array | None:
        """Which parameters are fixed for which fits, (..., P); None if all fits fix the same."""
        fixed = self.problem.fixed
        return None if fixed is None else (fixed != 0).reshape(self.params.shape)

    @cached_property
    def stderr(self) -> Floats:
        """Standard errors, the square root of the covariance's diagonal, shape (..., P)."""
        free = list(self.problem.free)
        stderr, errors = np.zeros_like(self.params), self.errors
        if errors is None:
            errors = np.sqrt(self.covariance_rows[..., diagonal(len(free))])
        stderr[..., free] = errors
        if (fixed := self._fixed_for_some()) is not None:
            stderr[fixed] = 0
        if (ties := self.problem.ties) is not None:
            tied.standard_errors(stderr, self.cov, self._slopes(), ties, free)
        return stderr

    def __repr__(self) -> str:
        names = ", ".join(self.names)
        if self.chi2.ndim:
            good = np.count_nonzero(self.success)
            shape = "" if self.chi2.ndim == 1 else f" {self.chi2.shape}"
            return f"<FitResult: {self.chi2.size} fits{shape}, {good} succeeded\n of {names}>"
        pairs = zip(self.names, self.params, self.stderr, strict=True)
        values = ", ".join(f"{name} = {value:.6g} +- {error:.2g}" for name, value, error in pairs)
        numbers = f"{goodness.in_words(self, 6)}, {self.n_iter} steps"
        return f"<FitResult: {Status(int(self.status)).name}\n {values}\n {numbers}>"

    @cached_property
    def at_bound(self) -> Booleans:
        """Whether each parameter ended at one of its bounds, shape (..., P)."""
        lower, upper = self.problem.bounds
        return np.asarray((self.params <= lower) | (self.params >= upper))

    def reason(self, *index: int | tuple[int, ...]) -> str:
        """Return in words why a fit stopped.

        The index picks the fit from a batch, as numbers or as a tuple: ``reason(0, 2)``.  Another
        number of them than the batch has axes raises IndexError.
        """
        at = index[0] if len(index) == 1 and isinstance(index[0], tuple) else index
        if len(at) != self.status.ndim:
            raise IndexError(
                f"results of shape {self.status.shape} need an index of {self.status.ndim} numbers "
                f"to pick a fit, got {len(at)}"
            )
        at = place_of(at, self.status.shape)
        agree = "" if self.agreement is None else f" (starts that agree: {self.agreement[at]})"
        return explain(int(self.status[at]), int(self.detail[at]), self.names) + agree

    def failed(self) -> Integers:
        """Return the indices of the fits that did not succeed, shape (n,) or (n, dimensions)."""
        where = np.argwhere(~self.success)
        return where[:, 0] if self.chi2.ndim == 1 else where

    def predict(self, x: Any = None) -> Floats:
        """Return f(x; params), (..., N) or (..., K, N); at the fitted points for x=None."""
        return as_returned(self.problem, predict(self.problem, self.params, x))

    @cached_property
    def fitted(self) -> Floats:
        """The model at the fitted points, f(x; params), shape (..., N)."""
        return self.predict()

    @cached_property
    def residual(self) -> Floats:
        """y - f(x; params), shape (..., N), in the unit of y; NaN where a point is left out."""
        return goodness.residual(self)

    @property
    def jacobian(self) -> Floats:
        """df(x_i; params) / dtheta_j at the fitted points, shape (..., N, P), not weighted.

        It has a column for every parameter, fixed ones too, and is computed at each access.  The
        derivatives go through the ties, so the columns of tied parameters are 0.
        """
        return as_returned(self.problem, jacobian(self.problem, self.params))

    @cached_property
    def redchi(self) -> Floats:
        """Reduced chi2, chi2 / dof, shape (...); NaN where dof is 0.

        With shared parameters both are those of the group of each data set.
        """
        return goodness.reduced_chi2(self)

    @cached_property
    def r2(self) -> Floats:
        """Coefficient of determination, 1 - chi2 / chi2 of the weighted mean of y, shape (...)."""
        return goodness.r_squared(self)

    @cached_property
    def aic(self) -> Floats:
        """Akaike's information criterion, -2 ln L + 2 k with k free parameters, shape (...).

        Among models of the same data the one with the least criterion is preferred; a constant that
        all share is left out.  -2 ln L is chi2 with ``absolute_sigma`` and of counts, else
        n ln(chi2 / n) of n points, which allows for a common factor on sigma.
        """
        return goodness.information(self, 2.0)

    @cached_property
    def bic(self) -> Floats:
        """Schwarz's (Bayesian) information criterion, -2 ln L + k ln n, shape (...); see `aic`."""
        with np.errstate(divide="ignore"):
            return goodness.information(self, np.log(self.n_used))

    @cached_property
    def correlation(self) -> Floats:
        """Correlation of the parameters, cov_ij / (stderr_i stderr_j), shape (..., P, P).

        It is NaN where one of the two is fixed, at a bound or not determined.
        """
        return goodness.correlation(self)
