"""What a type checker sees of Thalweg: ``mypy --strict`` on a user's script.

A line that must be an error says so in a `type: ignore` with the name of that error; where the
error is not there, the comment itself is one.
"""

from typing import assert_type

import numpy as np
from numpy.typing import NDArray

import thalweg as tw


def decay(t: NDArray[np.float64], a: float, tau: float) -> NDArray[np.float64]:
    """A user's own model."""
    return a * np.exp(-t / tau)


t = np.linspace(0.0, 5.0, 20)
r = tw.fit(decay, t, decay(t, 3.0, 1.5), p0={"a": 1.0, "tau": 1.0}, bounds={"tau": (0.0, None)})
heights: NDArray[np.floating] = r["a"]
first: tw.FitResult = r[0]
lifetimes: NDArray[np.str_] = r.params  # type: ignore[assignment]
assert_type(r.names, tuple[str, ...])
assert_type(tw.models.gaussian, tw.Model)

tw.fit(decay, t, t, bound=(0, 1))  # type: ignore[call-arg]
tw.fit(decay, t, t, max_iter="many")  # type: ignore[arg-type]
_ = tw.models.gausian  # type: ignore[attr-defined]
_ = r.parms  # type: ignore[attr-defined]

loss = tw.QuadraticLoss(np.eye(2), [1.0, 2.0])
d = tw.minimize(loss, [0.0, 0.0], tw.GradientDescent(step_size=0.1), max_iter=50)
best: float = d.theta  # type: ignore[assignment]
tw.minimize(loss, [0.0, 0.0], tw.GradientDescent(step=0.1))  # type: ignore[call-arg]
