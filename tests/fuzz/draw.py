"""Draw a case: a model, data, and everything that `thalweg.fit` takes."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fuzz.models import TEMPLATES, Template

# Sizes around those at which the engine changes its layout: 512 points, blocks and chunks of them.
POINTS = (
    *range(3, 20),
    31,
    32,
    33,
    64,
    100,
    127,
    128,
    129,
    500,
    511,
    512,
    513,
    514,
    1023,
    1025,
    3000,
)
BATCHES = ((), (1,), (2,), (3,), (7,), (8,), (9,), (17,), (2, 3), (1, 5))


@dataclass
class Case:
    """What `thalweg.fit` is called with, and what NumPy needs to check it.

    Attributes
    ----------
    template : Template
    form : str
        "function", "formula", "built-in" or "called".
    x : tuple of ndarray, each (N,) or (..., N)
    y : ndarray, shape (..., N)
    p0 : ndarray, shape (P,) or (..., P)
    options : dict
        The other arguments.
    """

    template: Template
    form: str
    x: tuple
    y: Any
    p0: Any
    options: dict = field(default_factory=dict)

    def __str__(self):
        told = {
            k: v if np.size(v) < 4 and not isinstance(v, tuple) else f"<{np.shape(v)}>"
            for k, v in self.options.items()
        }
        x = ", ".join(f"{v.shape}" for v in self.x)
        return f"{self.form} {self.template.formula!r} x {x} y {self.y.shape} {told}"

    @property
    def dtype(self):
        """The type of the arithmetic."""
        return np.dtype(self.options.get("dtype", np.float64))

    def model(self):
        """Return what `thalweg.fit` gets as its model, and its arguments for it."""
        template = self.template
        if self.form == "formula":
            names = ["x", "y"][: template.n_x]
            return template.formula, {"independent": names if template.n_x > 1 else "x"}
        if self.form == "built-in":
            return template.builtin, {}
        if self.form == "called":
            return _called(template), {}
        return template.function, {}


def _called(template):
    """The model, written so that it cannot be recorded."""
    names = ", ".join(template.names)

    def model(x, *theta):
        return x if theta[0] > np.inf else template.function(x, *theta)

    # *theta tells no names, and a function of one signature is what users write
    scope = {"model": model}
    exec(f"def called(x, {names}):\n    return model(x, {names})", scope)
    return scope["called"]


def draw(seed, number):
    """Return a case, the same for the same numbers."""
    rng = np.random.default_rng([seed, number])
    template = TEMPLATES[rng.integers(len(TEMPLATES))]
    forms = ["function", "function", "formula", "formula", "called"]
    forms += ["built-in"] * (template.builtin is not None)
    form = str(rng.choice(forms))
    dtype = np.dtype(rng.choice(["f8", "f8", "f8", "f4"]))
    batch = BATCHES[rng.integers(len(BATCHES))]
    N = int(rng.choice(POINTS))
    if form == "called":
        batch, N = batch[:1] if batch else (), min(N, 129)
    x = _draw_x(rng, template, batch, N)
    truth = _draw_truth(rng, template, batch)
    unit = _draw_unit(rng, dtype)
    for j, name in enumerate(template.names):
        if name in template.level:
            truth[..., j] *= unit
    clean = values(template, x, truth)
    noise = 10.0 ** rng.choice([-np.inf, -8, -3, -1.5, -0.5])
    y = clean + noise * unit * rng.normal(size=clean.shape)
    case = Case(template, form, x, y, _draw_start(rng, template, truth))
    case.options["dtype"] = dtype
    _draw_options(rng, case, truth, unit, noise)
    _draw_layout(rng, case)
    return case


def values(template, x, theta):
    """f(x; theta) for every row of theta, shape (..., N), by NumPy in float64."""
    parameters = [theta[..., j, None] for j in range(theta.shape[-1])]
    at = x[0] if template.n_x == 1 else x
    with np.errstate(all="ignore"):
        f = template.function(at, *parameters)
    return np.array(np.broadcast_to(f, (*theta.shape[:-1], x[0].shape[-1])))


def _draw_x(rng, template, batch, N):
    low, high = template.x
    own = bool(batch) and rng.random() < 0.25
    shape = (*batch, N) if own else (N,)
    if rng.random() < 0.5:
        return tuple(rng.uniform(low, high, shape) for _ in range(template.n_x))
    grid = np.linspace(low, high, N)
    return tuple(
        np.array(np.broadcast_to(grid if k == 0 else grid[::-1] ** 2 / high, shape))
        for k in range(template.n_x)
    )


def _draw_truth(rng, template, batch):
    truth = np.empty((*batch, len(template.names)))
    for j, (low, high, kind) in enumerate(template.ranges.values()):
        if kind == "lin":
            truth[..., j] = rng.uniform(low, high, batch)
        else:
            truth[..., j] = np.exp(rng.uniform(np.log(low), np.log(high), batch))
            if kind == "sign":
                truth[..., j] *= rng.choice([-1, 1], batch)
    return truth


def _draw_unit(rng, dtype):
    reach = 12 if dtype == np.float64 else 8
    return 10.0 ** rng.uniform(-reach, reach) if rng.random() < 0.3 else 1.0


def _draw_start(rng, template, truth):
    spread = rng.choice([0.05, 0.3, 1.0, 2.3])  # the last: a factor ten
    start = truth * np.exp(rng.normal(0, spread, truth.shape))
    return start.reshape(-1, truth.shape[-1])[0].copy() if rng.random() < 0.5 else start


def _draw_options(rng, case, truth, unit, noise):
    options, y, names = case.options, case.y, case.template.names
    batch, N = y.shape[:-1], y.shape[-1]
    options["threads"] = int(rng.integers(1, 3))
    if rng.random() < 0.4:
        shape = y.shape if rng.random() < 0.5 else (N,)
        level = unit * max(noise, 1e-3)
        options["sigma"] = level * np.exp(rng.normal(0, 0.5, shape))
        options["absolute_sigma"] = bool(rng.random() < 0.5)
        if rng.random() < 0.3:
            options["sigma"][..., rng.integers(N)] = np.inf
    if rng.random() < 0.3:
        options["mask"] = rng.random(y.shape if rng.random() < 0.5 else (N,)) < 0.15
    if rng.random() < 0.3:
        y[rng.random(y.shape) < 0.1] = np.nan
    if rng.random() < 0.3:
        _draw_bounds(rng, case, truth)
    if rng.random() < 0.25 and len(names) > 1:
        if rng.random() < 0.5:
            options["fixed"] = [str(rng.choice(names))]
        else:
            fixed = rng.random((*batch, len(names))) < 0.25
            fixed[..., 0] = False
            options["fixed"] = fixed


def _draw_bounds(rng, case, truth):
    """A box around each start, which the truth is in or not, from some sides."""
    p0 = case.p0
    size = np.abs(p0) + np.abs(truth.reshape(-1, truth.shape[-1]).mean(axis=0))
    low = p0 - size * rng.uniform(0, 1.5, p0.shape)
    high = p0 + size * rng.uniform(0, 1.5, p0.shape)
    low[rng.random(p0.shape) < 0.4] = -np.inf
    high[rng.random(p0.shape) < 0.4] = np.inf
    # rounding to float32 must not put the start outside
    as_used = p0.astype(case.dtype)
    case.options["bounds"] = np.minimum(low, as_used), np.maximum(high, as_used)


def _draw_layout(rng, case):
    """The memory layouts and types that arrays of users have."""
    kind = rng.integers(6)
    if kind == 0:
        case.y = np.asfortranarray(case.y)
    elif kind == 1:
        wide = np.zeros((*case.y.shape[:-1], 2 * case.y.shape[-1]))
        wide[..., ::2] = case.y
        case.y = wide[..., ::2]
    elif kind == 2:
        case.y = np.ma.array(np.nan_to_num(case.y, nan=-999.0), mask=np.isnan(case.y))
    elif kind == 3:
        case.y = case.y.astype(">f8")
    elif kind == 4:
        case.y.flags.writeable = False
        for v in case.x:
            v.flags.writeable = False
