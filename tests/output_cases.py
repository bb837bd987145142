"""Models of several outputs and complex models, their data, and the fits of SciPy beside them."""

import numpy as np
from scipy.optimize import least_squares

import thalweg as tw


def impedance(omega, R, C, L):
    """A coil in series with a resistor and a capacitor side by side."""
    return 1j * omega * L + 1 / (1 / R + 1j * omega * C)


def constant_phase(omega, R0, R, tau, alpha):
    """A resistor, and one beside a constant phase element."""
    return R0 + R / (1 + (1j * omega * tau) ** alpha)


def resonator(f, f0, kappa, a, phi, q):
    """The transmission past a resonator."""
    return a * np.exp(1j * phi) * (1 - q / (1 + 2j * (f - f0) / kappa))


def decays(t, a, b, tau):
    """Two decays of one lifetime."""
    return a * np.exp(-t / tau), b * np.exp(-t / tau)


OMEGA = np.logspace(-1, 1.5, 41)
F = np.linspace(-1, 1, 50)
T = np.linspace(0, 4, 30)
CIRCUIT, PHASE = (2.0, 0.7, 0.3), (1.0, 2.0, 1.0, 0.8)
RESONANCE, LIFE = (0.05, 0.2, 1.0, 0.3, 0.6), (2.0, 0.7, 1.5)

# model, x, true parameters, start
MODELS = {
    "impedance": (impedance, OMEGA, CIRCUIT, (1.0, 1.0, 0.5)),
    "constant phase": (constant_phase, OMEGA, PHASE, (0.8, 1.5, 0.8, 0.9)),
    "resonator": (resonator, F, RESONANCE, (0.0, 0.3, 0.9, 0.2, 0.5)),
    "decays": (decays, T, LIFE, (1.0, 1.0, 1.0)),
}


def value(model, x, theta):
    """The model as an array: complex, or with an axis of outputs."""
    f = model(x, *theta)
    return np.stack(f) if isinstance(f, tuple) else f


def noise(shape, seed, size, is_complex=True):
    rng = np.random.default_rng(seed)
    e = rng.normal(0, size, shape)
    return e + 1j * rng.normal(0, size, shape) if is_complex else e


def data(name, batch=(), seed=1, size=0.02):
    """Data of a model with noise, of this batch."""
    model, x, true, _ = MODELS[name]
    f = value(model, x, true)
    return f + noise((*batch, *f.shape), seed, size, np.iscomplexobj(f))


def flat(values):
    """Complex numbers as pairs of real ones, all in one row."""
    values = np.asarray(values)
    return values.view(float).reshape(-1) if np.iscomplexobj(values) else values.reshape(-1)


def by_scipy(model, x, y, p0, sigma=1.0, keep=None):
    """SciPy's parameters, chi2, and (J'J)^-1, of the stacked problem."""

    def residuals(theta):
        e = value(model, x, theta) - y
        if np.iscomplexobj(e):
            of_part = np.asarray(sigma)
            re, im = (of_part.real, of_part.imag) if np.iscomplexobj(of_part) else (of_part,) * 2
            e = e.real / re + 1j * (e.imag / im)
        else:
            e = e / sigma
        return flat(np.ascontiguousarray(e if keep is None else e[keep]))

    s = least_squares(residuals, p0, xtol=1e-15, ftol=1e-15, gtol=1e-15, x_scale="jac")
    J = differences(residuals, s.x)
    return s.x, 2 * s.cost, np.linalg.inv(J.T @ J)


def differences(function, theta, h=1e-5):
    """The derivatives of a function by central differences, (n, P)."""
    steps = np.eye(len(theta)) * h * np.maximum(np.abs(theta), 1e-3)
    columns = [(function(theta + d) - function(theta - d)) / (2 * d.sum()) for d in steps]
    return np.stack(columns, axis=-1)


def fitted(name, y=None, **options):
    """The fit of a model to its data."""
    model, x, _, p0 = MODELS[name]
    return tw.fit(model, x, data(name) if y is None else y, p0=p0, **options)
