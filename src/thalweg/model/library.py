r"""The built-in models: plain functions of NumPy, with names, a formula and start values.

A model is a function f(x, *params) that also runs on symbols, so the engine treats it like a
function of the user.  The library adds names of the parameters and start values from the data, for
a whole batch at once (`starts`, `peaks`).

Models of two variables take both as one first argument, ``xy = (x, y)``.  Below, "unit of y" is
the unit of the fitted data and "unit of x" that of the abscissa.
"""

# The functions run on numbers, arrays and symbols alike, so their arguments have no types; users
# see the class `Model` instead.
# mypy: disallow-untyped-defs=False

import re
from difflib import get_close_matches
from functools import partial

import numpy as np

from . import peaks, starts
from .functions import expit, voigt_profile
from .registry import MODELS, Model, built_in

__all__ = ["MODELS", "Model", "get_model", "polynomial"]

GAS_CONSTANT = starts.GAS_CONSTANT  # J / (mol K)
LOG2 = float(np.log(2))


@built_in(starts.line, "slope*x + intercept")
def line(x, slope, intercept):
    """Straight line.

    slope : unit of y per unit of x
    intercept : value at x = 0, unit of y
    """
    return slope * x + intercept


@built_in(starts.exponential, "amplitude*exp(-x/tau) + offset")
def exponential(x, amplitude, tau, offset):
    """Exponential decay to a constant.

    amplitude : height above the offset at x = 0, unit of y; negative for a rise
    tau : decay time, unit of x
    offset : value at late x, unit of y
    """
    return amplitude * np.exp(-x / tau) + offset


@built_in(starts.biexponential, "amplitude1*exp(-x/tau1) + amplitude2*exp(-x/tau2) + offset")
def biexponential(x, amplitude1, tau1, amplitude2, tau2, offset):
    """Sum of two exponential decays and a constant; the start values put the faster first.

    amplitude1, amplitude2 : heights at x = 0, unit of y
    tau1, tau2 : decay times, unit of x
    offset : value at late x, unit of y
    """
    return amplitude1 * np.exp(-x / tau1) + amplitude2 * np.exp(-x / tau2) + offset


@built_in(starts.stretched_exponential, "amplitude*exp(-x**beta/tau**beta) + offset")
def stretched_exponential(x, amplitude, tau, beta, offset):
    """Stretched exponential (Kohlrausch-Williams-Watts) decay, x >= 0.

    amplitude : height above the offset at x = 0, unit of y
    tau : x where the decay has fallen to 1/e, unit of x
    beta : stretching exponent, a number; below 1 it describes a spread of decay times
    offset : value at late x, unit of y
    """
    # not (x / tau)**beta, whose derivative by tau at x = 0 would be infinite times zero
    return amplitude * np.exp(-(x**beta) / tau**beta) + offset


@built_in(starts.power_law, "amplitude*x**exponent")
def power_law(x, amplitude, exponent):
    """Power law, x > 0.

    amplitude : value at x = 1, unit of y
    exponent : slope in log-log axes, a number
    """
    return amplitude * x**exponent


@built_in(peaks.gaussian, "amplitude*exp(-(x - x0)**2/(2*sigma**2)) + offset")
def gaussian(x, amplitude, x0, sigma, offset):
    """Gaussian peak on a constant.

    amplitude : height above the offset, unit of y; negative for a dip
    x0 : centre, unit of x
    sigma : standard deviation, unit of x; full width at half maximum 2.355 sigma
    offset : unit of y
    """
    return amplitude * np.exp(-((x - x0) ** 2) / (2 * sigma**2)) + offset


@built_in(peaks.lorentzian, "amplitude/(1 + ((x - x0)/gamma)**2) + offset")
def lorentzian(x, amplitude, x0, gamma, offset):
    """Lorentzian (Cauchy) peak on a constant.

    amplitude : height above the offset, unit of y; negative for a dip
    x0 : centre, unit of x
    gamma : half width at half maximum, unit of x
    offset : unit of y
    """
    return amplitude / (1 + ((x - x0) / gamma) ** 2) + offset


@built_in(
    peaks.pseudo_voigt,
    "amplitude*(eta/(1 + 4*((x - x0)/fwhm)**2)"
    " + (1 - eta)*exp(-4*log(2)*((x - x0)/fwhm)**2)) + offset",
)
def pseudo_voigt(x, amplitude, x0, fwhm, eta, offset):
    """Weighted sum of a Lorentzian and a Gaussian of the same width, on a constant.

    amplitude : height above the offset, unit of y; negative for a dip
    x0 : centre, unit of x
    fwhm : full width at half maximum of both parts, unit of x
    eta : share of the Lorentzian, a number; 0 is a Gaussian, 1 a Lorentzian
    offset : unit of y
    """
    z2 = ((x - x0) / fwhm) ** 2
    return amplitude * (eta / (1 + 4 * z2) + (1 - eta) * np.exp(-4 * LOG2 * z2)) + offset


@built_in(
    peaks.voigt,
    "area*voigt(x - x0, abs(sigma), abs(gamma)) + offset",
)
def voigt(x, area, x0, sigma, gamma, offset):
    """Voigt peak, the convolution of a Gaussian with a Lorentzian, on a constant.

    area : integral above the offset, unit of y times unit of x; negative for a dip
    x0 : centre, unit of x
    sigma : standard deviation of the Gaussian, unit of x
    gamma : half width at half maximum of the Lorentzian, unit of x
    offset : unit of y

    Only the sizes of sigma and gamma count.  In much noise one of them is often best at 0, where
    bounds={"sigma": (0, None), "gamma": (0, None)} let a fit end.
    """
    # not abs(), whose derivative at 0 is 0: a fit must be able to widen a peak of width 0
    widths = [np.where(width < 0, -width, width) for width in (sigma, gamma)]
    return area * voigt_profile(x - x0, *widths) + offset


@built_in(
    peaks.gaussian2d,
    "amplitude*exp(-((x - x0)**2 + (y - y0)**2)/(2*sigma**2)) + offset",
)
def gaussian2d(xy, amplitude, x0, y0, sigma, offset):
    """Round Gaussian spot on a constant.

    amplitude : height above the offset, unit of the data; negative for a hole
    x0, y0 : centre, unit of x and y
    sigma : standard deviation along any direction, unit of x and y
    offset : unit of the data
    """
    x, y = xy
    return amplitude * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * sigma**2)) + offset


@built_in(
    peaks.gaussian2d_elliptic,
    "amplitude*exp(-(x - x0)**2/(2*sigma_x**2) - (y - y0)**2/(2*sigma_y**2)) + offset",
)
def gaussian2d_elliptic(xy, amplitude, x0, y0, sigma_x, sigma_y, offset):
    """Elliptic Gaussian spot along the axes, on a constant.

    amplitude : height above the offset, unit of the data; negative for a hole
    x0, y0 : centre, unit of x and of y
    sigma_x, sigma_y : standard deviations along x and y, unit of x and of y
    offset : unit of the data
    """
    x, y = xy
    u, v = (x - x0) / sigma_x, (y - y0) / sigma_y
    return amplitude * np.exp(-(u**2) / 2 - v**2 / 2) + offset


@built_in(
    peaks.gaussian2d_rotated,
    "amplitude*exp(-((x - x0)*cos(theta) + (y - y0)*sin(theta))**2/(2*sigma_x**2)"
    " - ((y - y0)*cos(theta) - (x - x0)*sin(theta))**2/(2*sigma_y**2)) + offset",
)
def gaussian2d_rotated(xy, amplitude, x0, y0, sigma_x, sigma_y, offset, theta):
    """Elliptic Gaussian spot along axes turned by theta, on a constant.

    amplitude : height above the offset, unit of the data; negative for a hole
    x0, y0 : centre, unit of x and y
    sigma_x, sigma_y : standard deviations along the turned axes, unit of x and y
    offset : unit of the data
    theta : angle from the x axis to the axis of sigma_x, counterclockwise, radian
    """
    x, y = xy
    c, s = np.cos(theta), np.sin(theta)
    u = ((x - x0) * c + (y - y0) * s) / sigma_x
    v = ((y - y0) * c - (x - x0) * s) / sigma_y
    return amplitude * np.exp(-(u**2) / 2 - v**2 / 2) + offset


@built_in(starts.logistic, "amplitude*expit((x - x0)/width) + offset")
def logistic(x, amplitude, x0, width, offset):
    """Logistic step, with expit(z) = 1/(1 + exp(-z)).

    amplitude : height of the step, unit of y; negative for a step down
    x0 : midpoint, unit of x
    width : length scale, unit of x; from 10 to 90 per cent in 4.394 width
    offset : level before the step, unit of y
    """
    return amplitude * expit((x - x0) / width) + offset


@built_in(starts.hill, "top + (bottom - top)/(1 + x**slope/ec50**slope)")
def hill(x, bottom, top, ec50, slope):
    """Dose response with four parameters (Hill, 4PL), x >= 0.

    bottom : response without a dose, unit of y
    top : response to a large dose, unit of y
    ec50 : dose of half the effect, unit of x
    slope : Hill slope, a number; start values take it positive
    """
    return top + (bottom - top) / (1 + x**slope / ec50**slope)  # see stretched_exponential


@built_in(starts.michaelis_menten, "vmax*x/(km + x)")
def michaelis_menten(x, vmax, km):
    """Michaelis-Menten saturation, x >= 0.

    vmax : rate at large x, unit of y
    km : x of half that rate, unit of x
    """
    return vmax * x / (km + x)


@built_in(starts.sine, "amplitude*sin(2*pi*frequency*x + phase) + offset")
def sine(x, amplitude, frequency, phase, offset):
    """Sine wave about a constant.

    amplitude : unit of y
    frequency : periods per unit of x
    phase : at x = 0, radian
    offset : unit of y
    """
    return amplitude * np.sin(2 * np.pi * frequency * x + phase) + offset


@built_in(starts.damped_sine, "amplitude*exp(-x/tau)*sin(2*pi*frequency*x + phase) + offset")
def damped_sine(x, amplitude, tau, frequency, phase, offset):
    """Exponentially damped sine wave about a constant.

    amplitude : of the envelope at x = 0, unit of y
    tau : decay time of the envelope, unit of x
    frequency : periods per unit of x
    phase : at x = 0, radian
    offset : unit of y
    """
    return amplitude * np.exp(-x / tau) * np.sin(2 * np.pi * frequency * x + phase) + offset


@built_in(starts.arrhenius, f"prefactor*exp(-energy/({GAS_CONSTANT!r}*T))")
def arrhenius(T, prefactor, energy):
    """Arrhenius law of a rate constant.

    T : absolute temperature, kelvin
    prefactor : rate at infinite temperature, unit of y
    energy : molar activation energy, J/mol; the number is the gas constant, J/(mol K)
    """
    return prefactor * np.exp(-energy / (GAS_CONSTANT * T))


@built_in(starts.inversion_recovery, "A + B*exp(-TI/T1)")
def inversion_recovery(TI, A, B, T1):
    """Inversion recovery of the longitudinal magnetisation, real part.

    A : signal of full recovery, unit of y
    B : signal at TI = 0 less A, unit of y; -2 A for a perfect inversion
    T1 : longitudinal relaxation time, unit of TI
    """
    return A + B * np.exp(-TI / T1)


@built_in(starts.spin_echo, "S0*exp(-TE/T2)")
def spin_echo(TE, S0, T2):
    """Spin-echo decay of the transverse magnetisation, to zero.

    S0 : signal at TE = 0, unit of y
    T2 : transverse relaxation time, unit of TE
    """
    return S0 * np.exp(-TE / T2)


def _horner(x, *coefficients):
    """Polynomial, from its coefficients of rising power.

    c0, c1, ... : coefficient of x**0, x**1, ..., unit of y per unit of x to that power
    """
    value = coefficients[-1]
    for c in coefficients[-2::-1]:
        value = value * x + c
    return value


def polynomial(degree: int) -> Model:
    """Return the model c0 + c1*x + ... + cn*x**n of degree n >= 0.

    Raises
    ------
    ValueError
        The degree is negative.
    TypeError
        The degree is not a whole number.
    """
    if not isinstance(degree, int | np.integer):
        raise TypeError(f"degree must be a whole number, got {degree!r}")
    degree = int(degree)
    if degree < 0:
        raise ValueError(f"degree must not be negative, got {degree}")
    names = tuple(f"c{k}" for k in range(degree + 1))
    powers = ("", "*x", *(f"*x**{k}" for k in range(2, degree + 1)))
    formula = " + ".join(c + p for c, p in zip(names, powers, strict=False))
    estimate = partial(starts.polynomial, degree=degree)
    summary = f"Polynomial of degree {degree}."
    return Model(f"polynomial{degree}", _horner, names, ("x",), formula, summary, estimate)


MODELS |= {f"polynomial{degree}": polynomial(degree) for degree in (2, 3)}


def get_model(name: str) -> Model:
    """Return the built-in model of that name; ``"polynomial3"`` is ``polynomial(3)``.

    Raises
    ------
    ValueError
        There is no such model; the message names the nearest one.
    """
    if name in MODELS:
        return MODELS[name]
    if match := re.fullmatch(r"polynomial(\d+)", name):
        return polynomial(int(match[1]))
    near = get_close_matches(name, MODELS, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(MODELS)}"
    raise ValueError(f"no built-in model is called {name!r}; {hint}")
