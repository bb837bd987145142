"""The Statistical Reference Datasets of NIST, and digits of agreement with certified values."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

import thalweg as tw

DATA = Path(__file__).parent / "data"


class Set(NamedTuple):
    """A data set; ``names`` are those of ``params`` and ``std``, in their order."""

    name: str
    formula: str
    independent: list[str]
    x: tuple[np.ndarray, ...]
    y: np.ndarray
    names: list[str]
    starts: list[list[float]]
    params: np.ndarray
    std: np.ndarray
    rss: float

    def fit(self, start, **options):
        """Fit from one start; parameters and errors in certified order."""
        x = self.x if len(self.x) > 1 else self.x[0]
        p0 = dict(zip(self.names, start, strict=True))
        r = tw.fit(self.formula, x, self.y, p0, independent=self.independent, **options)
        order = [r.names.index(name) for name in self.names]
        return r, r.params[order], r.stderr[order]


def load(kind):
    """The sets of one kind, "linear" or "nonlinear"."""
    sets = json.loads((DATA / f"nist_strd_{kind}.json").read_text(encoding="utf-8"))["sets"]
    for s in sets:
        y = np.log(s["y"]) if s.get("response") == "log(y)" else np.array(s["y"])
        first = 0 if "b0" in s["formula"] else 1
        names = [f"b{first + j}" for j in range(len(s["params"]))]
        yield Set(
            s["name"],
            s["formula"],
            s["independent"],
            tuple(map(np.array, s["x"])),
            y,
            names,
            s.get("starts", [[0.0] * len(names)]),
            np.array(s["params"]),
            np.array(s["std"]),
            s["rss"],
        )


def digits(got, certified):
    """LRE, -log10 |got - certified| / |certified|, of the worst element; at most 16.

    Certified zeros count their absolute error.
    """
    got, certified = np.atleast_1d(got).astype(float), np.atleast_1d(certified)
    scale = np.where(certified == 0, 1.0, np.abs(certified))
    error = np.abs(got - certified) / scale
    if not np.isfinite(error).all():
        return -np.inf
    return float(-np.log10(max(error.max(), 1e-16)))
