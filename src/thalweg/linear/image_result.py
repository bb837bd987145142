"""What `icd` returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .._arguments.check import Array
from .._showing import as_html, brief
from ..status import Status


class ImageHistory(NamedTuple):
    """The course of a reconstruction, one entry per sweep; the start is the first.

    Attributes
    ----------
    cost : ndarray, shape (n_iter + 1,)
        F(x) after each sweep.
    change : ndarray, shape (n_iter + 1,)
        The largest distance of a pixel from its minimum when the sweep came to it, in the unit of
        x; NaN for the start.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> import thalweg as tw
    >>> A = sp.csc_array(np.eye(9) + 0.1)
    >>> r = tw.linear.icd(A, A @ np.arange(9.0), shape=(3, 3), prior=tw.linear.QGGMRF(1.0))
    >>> len(r.history.cost) == r.n_iter + 1
    True
    """

    cost: Array
    change: Array

    @property
    def largest_rise(self) -> float:
        """The largest rise of F from one sweep to the next, relative to F.

        In exact arithmetic this is 0.  Rounding makes it about 1e-15, and more where F has become a
        small part of ½ Σ w y².
        """
        rise = np.diff(self.cost) / np.maximum(np.abs(self.cost[1:]), np.finfo(float).tiny)
        return float(np.max(rise, initial=0.0))

    def __repr__(self) -> str:
        return (
            f"<ImageHistory: {len(self.cost)} points, cost {self.cost[0]:.9g} to "
            f"{self.cost[-1]:.9g}>"
        )

    def _repr_html_(self) -> str:
        return as_html(self)


@dataclass(frozen=True, eq=False, repr=False)
class ImageResult:
    r"""An image, its cost, and how near the image is to the minimum of the cost.

    Attributes
    ----------
    x : ndarray
        The image, of the shape of the grid.
    cost : float
        F(x) = ½ Σ w e² + prior(x), e = y − A x.
    misfit, penalty : float
        The two terms of the cost.
    kkt : float
        The largest distance of a pixel from its minimum, the others fixed, in the unit of x; 0 in
        the minimum of F.  NaN where the run was interrupted, since it takes a pass over all of A.
    wanted : float
        The distance that was asked for, tol · max |x|.
    status : Status
        Why the reconstruction ended.
    n_iter : int
        The number of sweeps; each makes about as many updates as there are pixels.
    history : ImageHistory
        The cost after each sweep.
    message : str
        Why the reconstruction ended, with the numbers of this case.

    Examples
    --------
    >>> import numpy as np
    >>> import scipy.sparse as sp
    >>> import thalweg as tw
    >>> A = sp.csc_array(np.eye(9) + 0.1)
    >>> r = tw.linear.icd(A, A @ np.arange(9.0), shape=(3, 3), prior=tw.linear.QGGMRF(1.0))
    >>> r.x.shape, r.success
    ((3, 3), True)
    """

    x: Array
    cost: float
    misfit: float
    penalty: float
    kkt: float
    wanted: float
    status: Status
    n_iter: int
    history: ImageHistory
    message: str

    @property
    def success(self) -> bool:
        """Whether every pixel is as near to its minimum as was asked for."""
        return self.status.success

    def reason(self) -> str:
        """Return in words why the reconstruction ended."""
        return self.message

    def __repr__(self) -> str:
        lines = [
            f"{self.n_iter} sweeps, {self.status.name}",
            f"cost = {self.cost:.9g} = {self.misfit:.6g} (misfit) + {self.penalty:.6g} (prior)",
            f"pixels are within {self.kkt:.3g} of their minima",
            f"x = {brief(self.x)}",
        ]
        return "<ImageResult: " + "\n ".join(lines) + ">"

    def _repr_html_(self) -> str:
        return as_html(self)
