"""What a result says of its uncertainty beyond standard errors: the methods of `FitResult` for it.

Each method stands here with its words, and its work in a file of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from .._arguments.check import Floats
from . import comparison, goodness, intervals

if TYPE_CHECKING:
    from .comparison import Comparison
    from .profile import Profile
    from .resampling import Resamples
    from .result import FitResult


class Inference:
    """Intervals, profiles, bands, resampling and comparison of models."""

    @property
    def deviance(self) -> Floats:
        """-2 ln L of the fit over that of a model that meets every y, shape (...).

        It is `FitResult.chi2` of counts, and of normal errors with ``absolute_sigma``; others have
        none.
        """
        return goodness.deviance(cast("FitResult", self))

    def interval(self, level: float = 0.95) -> Floats:
        r"""Return confidence intervals of all parameters, :math:`\theta_j \pm q\,s_j`.

        :math:`s_j` is the standard error.  q is the quantile (1 + level) / 2 of Student's t with
        dof degrees of freedom where the scale of sigma is unknown, and of the normal distribution
        with ``absolute_sigma``.  The interval is exact for models linear in their parameters.

        Parameters
        ----------
        level : float
            The level of confidence, between 0 and 1: 0.6827 gives one standard error of many
            points.

        Returns
        -------
        ndarray, shape (..., P, 2)
            Lower and upper ends.  Both are the value itself for a fixed parameter; infinite for one
            that the data do not determine; NaN for one at a bound or tied to such a one, whose
            error is not symmetric (see `profile`), and for all of a failed fit.  Ends may lie
            beyond bounds.

        Raises
        ------
        ValueError
            The level is not between 0 and 1.

        Examples
        --------
        >>> import numpy as np
        >>> import thalweg as tw
        >>> y = [1.1, 1.9, 3.2, 3.9]
        >>> r = tw.fit("a*x + b", [1.0, 2.0, 3.0, 4.0], y, p0={"a": 1, "b": 0})
        >>> r.interval(0.95).round(3)
        array([[ 0.628,  1.312],
               [-0.835,  1.035]])
        """
        return intervals.interval(cast("FitResult", self), level)

    def band(
        self, x: Any = None, level: float = 0.95, prediction: bool = False, sigma: Any = None
    ) -> Floats:
        r"""Return a confidence band of the model, :math:`f(x) \pm q \sqrt{g^T C g}`.

        g are the derivatives of f(x) by the parameters, C their covariance, and q is the quantile
        of `interval`.  The band holds at each x by itself with the level's probability, not at all
        x at once.  The band of a new observation has :math:`s^2 \sigma(x)^2` more under the root,
        with :math:`s^2` = 1 for ``absolute_sigma`` and else chi2 / dof.

        Parameters
        ----------
        x : array_like, optional
            Where; by default the fitted points.
        level : float
            The level of confidence, between 0 and 1.
        prediction : bool
            Whether it is the band of a new observation instead of the model.
        sigma : array_like, optional
            The sigma of new observations at x; needed where the fit had sigma and x is given.

        Returns
        -------
        ndarray, shape (..., N, 2)
            Lower and upper edges, in the unit of y; NaN for failed fits.  Parameters at bounds
            count as known.  For K outputs (..., K, N, 2), for a complex model (..., 2, N, 2) with
            the bands of real and imaginary part.

        Raises
        ------
        ValueError
            The level is not between 0 and 1, or sigma is missing.

        Examples
        --------
        >>> import thalweg as tw
        >>> y = [1.1, 1.9, 3.2, 3.9]
        >>> r = tw.fit("a*x + b", [1.0, 2.0, 3.0, 4.0], y, p0={"a": 1, "b": 0})
        >>> r.band([2.5, 10.0]).round(2)
        array([[ 2.14,  2.91],
               [ 7.21, 12.39]])
        """
        return intervals.band(cast("FitResult", self), x, level, prediction, sigma)

    def profile(
        self, name: str, level: float = 0.95, *, points: int = 21, threads: int | None = None
    ) -> Profile:
        r"""Return the profile likelihood of a parameter, and its limits, for every fit.

        The parameter is held at a value v while the others are fitted.  The limits are where
        :math:`\chi^2(v) = \chi^2_{min} + s^2 q^2`, with :math:`s^2` = 1 for ``absolute_sigma``
        and else chi2 / dof, and q the quantile of `interval`.  They need not be symmetric, keep to
        bounds, and follow a change of the parameter's scale, such as from tau to 1 / tau.

        Parameters
        ----------
        name : str
            A parameter that is neither fixed nor tied.
        level : float
            The level of confidence, between 0 and 1.
        points : int
            At how many values between the limits the profile is computed, for pictures; 0 for none.
        threads : int, optional
            The most threads.

        Returns
        -------
        Profile
            Limits, what each of them is, and the profile.  A limit is right to about 1e-5 of the
            distance from the estimate (float32: 3e-3).

        Raises
        ------
        ValueError
            The name, the level or ``points`` is wrong, the parameter is fixed or tied, or the
            result shares parameters or holds no data.

        Examples
        --------
        >>> import numpy as np
        >>> import thalweg as tw
        >>> x = np.arange(1.0, 9.0)
        >>> y = [0.62, 0.41, 0.21, 0.16, 0.06, 0.06, 0.01, 0.03]
        >>> r = tw.fit("a*exp(-x/tau)", x, y, p0={"a": 1, "tau": 2})
        >>> p = r.profile("tau")
        >>> p.interval.round(3), r.interval()[1].round(3)
        (array([1.731, 2.308]), array([1.707, 2.291]))
        """
        from .profile import profile  # which itself makes results

        return profile(cast("FitResult", self), name, level, points, threads)

    def bootstrap(
        self, n: int = 1000, seed: int = 0, kind: str = "residual", *, threads: int | None = None
    ) -> Resamples:
        """Return the parameters of n data sets drawn anew, for every fit.

        Parameters
        ----------
        n : int
            Samples of each fit, at least 2.
        seed : int
            Decides the random numbers, together with the place of a fit in the batch.
        kind : {"residual", "wild", "parametric"}
            The model plus residuals drawn with replacement; plus each residual with a sign drawn,
            for noise that differs from point to point; or plus normal noise of the size of sigma.
        threads : int, optional
            The most threads.

        Returns
        -------
        Resamples
            Samples, standard errors, intervals, and how many samples failed.

        Raises
        ------
        ValueError
            An argument is wrong, no residual is left, or the result shares parameters or holds no
            data.

        Examples
        --------
        >>> import numpy as np
        >>> import thalweg as tw
        >>> x = np.arange(1.0, 9.0)
        >>> y = [0.62, 0.41, 0.21, 0.16, 0.06, 0.06, 0.01, 0.03]
        >>> b = tw.fit("a*exp(-x/tau)", x, y, p0={"a": 1, "tau": 2}).bootstrap(500)
        >>> b
        <Resamples: residual, 500 samples, 0 failed>
        >>> b.interval(0.95).shape
        (2, 2)
        """
        from .resampling import bootstrap  # which itself makes results

        return bootstrap(cast("FitResult", self), n, seed, kind, threads)

    def jackknife(self, *, threads: int | None = None) -> Resamples:
        """Return the parameters of the fits with one point left out each, for every fit.

        Returns
        -------
        Resamples
            ``samples`` has the shape (..., N, P): point i is left out of sample i, of K outputs
            (..., K N, P).  ``stderr`` is
            sqrt((n - 1) / n sum_i (theta_i - mean)^2) of n points.

        Raises
        ------
        ValueError
            The result shares parameters or holds no data.
        """
        from .resampling import jackknife  # which itself makes results

        return jackknife(cast("FitResult", self), threads)

    @property
    def aicc(self) -> Floats:
        """Akaike's criterion for few points, aic + 2 K (K + 1) / (n - K - 1), shape (...).

        K is the number of free parameters, and one more where the scale of sigma is unknown; it is
        infinite where n <= K + 1.
        """
        return comparison.corrected(cast("FitResult", self))

    def compare(self, other: FitResult) -> Comparison:
        """Compare with the fit of another model to the same data.

        Where the model with fewer parameters is a special case of the other one, the test tells
        whether the further parameters are needed: the F test where the scale of sigma is unknown,
        else the difference of chi2.  The criteria need no such relation.

        Parameters
        ----------
        other : FitResult

        Returns
        -------
        Comparison
            chi2, AIC, AICc and BIC of both, the statistic and its probability.

        Raises
        ------
        ValueError
            The data differ, in y, x, sigma or the points used.

        Examples
        --------
        >>> import numpy as np
        >>> import thalweg as tw
        >>> x, y = np.arange(6.0), [0.1, 0.9, 4.2, 8.9, 16.1, 24.9]
        >>> line = tw.fit("a*x + b", x, y, p0={"a": 1, "b": 0})
        >>> parabola = tw.fit("a*x + b + c*x**2", x, y, p0={"a": 1, "b": 0, "c": 0})
        >>> line.compare(parabola).p_value < 1e-4
        np.True_
        """
        return comparison.compare(cast("FitResult", self), other)
