"""The page of the built-in models, written from the registry: formula, parameters and a picture.

A model is drawn with noisy data, the start that it guesses from them, and the fit.
"""

import inspect
import re
from pathlib import Path

import numpy as np

from thalweg import fit
from thalweg.model.registry import MODELS

# For each model the range of x and the parameters of its picture.
SHOWN = {
    "line": ((0, 10), (0.8, 1)),
    "polynomial2": ((-2, 3), (1, -1, 0.8)),
    "polynomial3": ((-2, 3), (1, -2, -0.5, 0.6)),
    "exponential": ((0, 10), (3, 2, 0.5)),
    "biexponential": ((0, 10), (3, 0.5, 2, 3, 0.3)),
    "stretched_exponential": ((0, 10), (3, 1.5, 0.6, 0.3)),
    "power_law": ((0.5, 10), (2, -1.2)),
    "gaussian": ((0, 10), (3, 4.5, 0.9, 0.5)),
    "lorentzian": ((0, 10), (3, 4.5, 0.9, 0.5)),
    "pseudo_voigt": ((0, 10), (3, 4.5, 2, 0.5, 0.5)),
    "voigt": ((0, 10), (8, 4.5, 0.6, 0.6, 0.5)),
    "logistic": ((0, 10), (3, 5, 0.7, 0.5)),
    "hill": ((0, 10), (0.5, 3, 3, 2.5)),
    "michaelis_menten": ((0, 10), (3, 2)),
    "sine": ((0, 10), (2, 0.35, 0.5, 1)),
    "damped_sine": ((0, 10), (3, 4, 0.5, 0.5, 1)),
    "arrhenius": ((280, 360), (1e6, 40_000)),
    "inversion_recovery": ((0, 4), (3, -6, 0.8)),
    "spin_echo": ((0, 4), (3, 0.9)),
    "gaussian2d": ((0, 10), (3, 4.5, 5.5, 1.2, 0.5)),
    "gaussian2d_elliptic": ((0, 10), (3, 4.5, 5.5, 2, 1, 0.5)),
    "gaussian2d_rotated": ((0, 10), (3, 4.5, 5.5, 2.2, 1, 0.5, 0.6)),
}
NOISE = 0.04  # of the range of the curve
HEAD = """# Built-in models

A built-in model has names for its parameters, and guesses its start from the data, for each data
set by itself. Use it as `tw.models.gaussian`, by its name, `tw.fit("gaussian", x, y)`, or within a
function of your own, `tw.models.gaussian(x, height, centre, width, 0) + slope*x`. Sums, products
and formulas of built-in models have a page of their own, {doc}`/composing`. In the pictures the
dashed line is the guess, the solid one the fit.

`tw.models.polynomial(n)` is the polynomial of degree n, `c0 + c1*x + ...`. What is said here is
also printed by `help(tw.models.gaussian)` and `thalweg models gaussian`.

"""


def entry(model, picture):
    """Return the section of a model, in Markdown."""
    notes = (inspect.getdoc(model.function) or "").partition("\n\n")[2]
    rows = re.findall(r"^(\w+(?:, [\w.]+)*) : (.*)$", notes, re.MULTILINE)
    rest = notes.partition("\n\n")[2]
    lines = [f"## {model.name}", "", model.summary, "", "```text", model.formula, "```", ""]
    lines += [
        "| parameter | what it is |",
        "|---|---|",
        *(f"| {name} | {text} |" for name, text in rows),
        "",
    ]
    lines += [rest, "", f"![{model.name}: data, guess and fit]({picture})", ""]
    return "\n".join(lines)


def draw(model, file):
    """Draw noisy data, the guess and the fit of a model, side by side if they are images."""
    import matplotlib.pyplot as plt

    (low, high), params = SHOWN[model.name]
    plane = len(model.independent) == 2
    side = np.linspace(low, high, 25 if plane else 60)
    x = tuple(np.meshgrid(side, side)) if plane else side
    curve = model(x, *params)
    noise = np.random.default_rng(0).normal(0, NOISE * np.ptp(curve), curve.shape)
    y = curve + noise
    flat = tuple(axis.ravel() for axis in x) if plane else x
    guess = model(x, *model.guess(flat, y.ravel()))
    best = model(x, *fit(model, x, y).params)
    if plane:
        fig, axes = plt.subplots(1, 3, figsize=(6.4, 2.3), layout="constrained")
        for ax, image, title in zip(axes, (y, guess, best), ("data", "guess", "fit"), strict=True):
            ax.imshow(image, origin="lower", vmin=y.min(), vmax=y.max())
            ax.set(title=title, xticks=[], yticks=[])
    else:
        fig, ax = plt.subplots(figsize=(4.6, 2.6), layout="constrained")
        ax.plot(x, y, ".", color="0.5", ms=4)
        ax.plot(x, guess, "--", color="C0", lw=1)
        ax.plot(x, best, color="C3", lw=1.5)
        ax.set(xlabel=model.independent[0], ylabel="y")
    fig.savefig(file, dpi=110)
    plt.close(fig)


def write_page(app):
    """Write the page and its pictures into the folder of the sources."""
    import matplotlib as mpl

    mpl.use("agg")
    folder = Path(app.srcdir) / "built_in"
    folder.mkdir(exist_ok=True)
    sections = []
    for name, model in MODELS.items():
        draw(model, folder / f"{name}.png")
        sections.append(entry(model, f"{name}.png"))
    text = HEAD + "\n".join(sections)
    page = folder / "models.md"
    if not page.exists() or page.read_text(encoding="utf-8") != text:
        page.write_text(text, encoding="utf-8")


def setup(app):
    app.connect("builder-inited", write_page)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
