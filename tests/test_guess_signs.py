"""Start values for either sign of every parameter of every built-in model."""

import numpy as np
import pytest

import thalweg as tw
from thalweg.model.library import MODELS

FITS = 60
NOISE = 0.01  # the noise, as a share of the range of y
NO_WORSE = 1e-4  # chi2 may exceed that of the fit from the truth by this share: tolerances
ENOUGH = 0.95  # the share of fits that must be as good

X = np.linspace(-1, 9, 60)
POSITIVE = np.linspace(0.2, 10, 60)
PIXELS = tuple(np.mgrid[-5:6, -5:6].reshape(2, -1).astype(float))

# x, and the range of the size of each parameter; "place" is one of either sign anyway
CASES = {
    "line": (X, dict(slope=(0.1, 3), intercept=(0.1, 5))),
    "exponential": (X, dict(amplitude=(0.1, 50), tau=(1.5, 6), offset=(0.1, 5))),
    "biexponential": (
        np.linspace(0, 10, 100),
        dict(
            amplitude1=(0.5, 2),
            tau1=(0.4, 0.8),
            amplitude2=(0.5, 2),
            tau2=(4, 6),
            offset=(0.1, 1),
        ),
    ),
    "stretched_exponential": (
        POSITIVE,
        dict(amplitude=(0.5, 50), tau=(1, 4), beta=(0.6, 1.8), offset=(0.1, 1)),
    ),
    "power_law": (POSITIVE, dict(amplitude=(0.1, 10), exponent=(0.3, 3))),
    "gaussian": (X, dict(amplitude=(0.5, 50), x0=(0.1, 0.5), sigma=(0.5, 1.5), offset=(0.1, 5))),
    "lorentzian": (X, dict(amplitude=(0.5, 50), x0=(0.1, 0.5), gamma=(0.4, 1), offset=(0.1, 5))),
    "pseudo_voigt": (
        X,
        dict(amplitude=(0.5, 50), x0=(0.1, 0.5), fwhm=(1, 2.5), eta=(0.1, 0.6), offset=(0.1, 5)),
    ),
    "voigt": (
        X,
        dict(area=(0.5, 50), x0=(0.1, 0.5), sigma=(0.3, 0.8), gamma=(0.3, 0.8), offset=(0.1, 5)),
    ),
    "gaussian2d": (
        PIXELS,
        dict(amplitude=(0.5, 50), x0=(0.3, 2), y0=(0.3, 2), sigma=(1, 2), offset=(0.1, 5)),
    ),
    "gaussian2d_elliptic": (
        PIXELS,
        dict(
            amplitude=(0.5, 50),
            x0=(0.3, 2),
            y0=(0.3, 2),
            sigma_x=(1, 1.4),
            sigma_y=(1.5, 2),
            offset=(0.1, 5),
        ),
    ),
    "gaussian2d_rotated": (
        PIXELS,
        dict(
            amplitude=(0.5, 50),
            x0=(0.3, 2),
            y0=(0.3, 2),
            sigma_x=(1.6, 2.2),
            sigma_y=(1, 1.3),
            offset=(0.1, 5),
            theta=(0.1, 1.4),
        ),
    ),
    "logistic": (X, dict(amplitude=(0.5, 50), x0=(0.1, 0.8), width=(0.2, 1), offset=(0.1, 5))),
    "hill": (
        np.r_[0.0, np.geomspace(1e-3, 1e3, 40)],
        dict(bottom=(0.1, 1), top=(2, 5), ec50=(0.05, 20), slope=(0.6, 2)),
    ),
    "michaelis_menten": (POSITIVE, dict(vmax=(0.5, 50), km=(0.5, 8))),
    "sine": (X, dict(amplitude=(0.5, 50), frequency=(0.2, 1.5), phase=(0.1, 3), offset=(0.1, 5))),
    "damped_sine": (
        np.linspace(-1, 9, 100),
        dict(amplitude=(0.5, 50), tau=(2, 10), frequency=(0.4, 2), phase=(0.1, 3), offset=(0.1, 5)),
    ),
    "arrhenius": (np.linspace(280, 400, 50), dict(prefactor=(1e6, 1e12), energy=(2e4, 9e4))),
    "inversion_recovery": (
        np.geomspace(50, 4000, 12),
        dict(A=(1, 100), B=(2, 150), T1=(150, 1500)),
    ),
    "spin_echo": (np.geomspace(10, 250, 12), dict(S0=(1, 1000), T2=(20, 200))),
    "polynomial2": (X, dict(c0=(0.1, 3), c1=(0.1, 3), c2=(0.1, 3))),
    "polynomial3": (X, dict(c0=(0.1, 3), c1=(0.1, 3), c2=(0.1, 3), c3=(0.1, 3))),
}

# What has one sign: relaxation times, doses and scales in a power, where the model is not defined
# otherwise or nature knows it so.
ONE_SIGN = {
    "stretched_exponential": {"tau", "beta"},
    "hill": {"ec50"},
    "michaelis_menten": {"km"},
    "inversion_recovery": {"T1"},
    "spin_echo": {"T2"},
}


def truths(name, flipped):
    """Parameters (FITS, P), those of ``flipped`` negative and the others positive."""
    x, ranges = CASES[name]
    rng = np.random.default_rng([list(MODELS).index(name), len(flipped)])
    columns = [
        np.exp(rng.uniform(np.log(low), np.log(high), FITS)) * (-1 if key in flipped else 1)
        for key, (low, high) in ranges.items()
    ]
    theta = dict(zip(ranges, columns, strict=True))
    for amplitude, tau in (("amplitude1", "tau1"), ("amplitude2", "tau2")):
        if tau in flipped:  # a growth has its amplitude at the far end, or it hides all else
            theta[amplitude] *= np.exp(x.max() / theta[tau])
    return x, np.stack(list(theta.values()), axis=-1), rng


FLIPS = [
    (name, flipped)
    for name, (_, ranges) in CASES.items()
    for flipped in [
        (),
        *((key,) for key in ranges if key not in ONE_SIGN.get(name, ())),
        tuple(key for key in ranges if key not in ONE_SIGN.get(name, ())),
    ]
]


def test_every_model_and_parameter_has_a_case():
    assert set(CASES) == set(MODELS)
    for name, (_, ranges) in CASES.items():
        assert tuple(ranges) == MODELS[name].names


@pytest.mark.parametrize(
    ("name", "flipped"), FLIPS, ids=lambda v: v if isinstance(v, str) else "-".join(v) or "none"
)
def test_fits_from_the_guess_end_where_those_from_the_truth_end(name, flipped):
    x, theta, rng = truths(name, flipped)
    at = tuple(c[None] for c in x) if isinstance(x, tuple) else x[None]
    with np.errstate(divide="ignore"):  # a dose of 0 to a negative power
        y = MODELS[name](at, *(column[:, None] for column in theta.T))
    y = y + NOISE * np.ptp(y, axis=1, keepdims=True) * rng.standard_normal(y.shape)
    from_guess, from_truth = tw.fit(name, x, y), tw.fit(name, x, y, p0=theta)
    good = from_guess.success & (from_guess.chi2 <= (1 + NO_WORSE) * from_truth.chi2)
    good |= ~from_truth.success  # nothing to reach
    assert from_truth.success.mean() > 0.9
    bad = np.flatnonzero(~good)
    assert good.mean() >= ENOUGH, (
        f"{len(bad)} of {FITS}; first: truth {theta[bad[0]]}, end {from_guess.params[bad[0]]}, "
        f"{from_guess.reason(int(bad[0]))}"
    )
