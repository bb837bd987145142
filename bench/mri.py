"""Brain images whose every voxel is one fit: T2 from spin echoes, T1 from inversion recovery.

The images (256 x 192 voxels, 6 echoes each) are not part of this project; the environment variable
THALWEG_DATA names the folder that holds ``mri/t1dataset.npy`` and ``mri/t2dataset.npy``.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import thalweg as tw

FOLDER = Path(
    os.environ.get("THALWEG_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")
)
BACKGROUND = 0.1  # voxels whose signal is below this share of the largest are outside the head
CHI2_EXCESS = 1e-6  # a fit is as good as SciPy's if its chi2 is at most this much larger


@dataclass(frozen=True)
class Map:
    """One kind of image: its file, the times of its echoes in ms, its model and SciPy's side."""

    file: str
    times: tuple[float, ...]
    model: tw.Model
    starts: tuple[tuple[float, ...], ...]  # for SciPy, in units of the voxel's largest signal

    @property
    def exists(self):
        """Whether the file is there."""
        return (FOLDER / "mri" / self.file).exists()

    def voxels(self):
        """Return t (6,) in ms and the signal of every voxel inside the head, (B, 6), float64."""
        image = np.load(FOLDER / "mri" / self.file).astype(float)
        peak = image.max(-1)
        return np.array(self.times), np.ascontiguousarray(image[peak > BACKGROUND * peak.max()])


MAPS = {
    "T2": Map(
        "t2dataset.npy",
        (10, 25, 50, 90, 150, 250),
        tw.models.spin_echo,
        ((1.2, 30.0), (1.1, 80.0), (1.0, 300.0)),
    ),
    "T1": Map(
        "t1dataset.npy",
        (50, 100, 200, 500, 2000, 4000),
        tw.models.inversion_recovery,
        ((1.0, -2.0, 300.0), (1.0, -2.0, 1000.0), (1.5, -2.5, 3000.0)),
    ),
}


def chi2(model, t, y, params):
    """Return sum (y - f)^2, in NumPy, of every row of params (B, P), shape (B,)."""
    return ((y - model.function(t, *params.T[:, :, None])) ** 2).sum(-1)


def jacobian(model):
    """Return theta, t -> derivatives (P, N) of one of the two models, analytic, for SciPy."""

    def of_echo(theta, t):
        e = np.exp(-t / theta[1])
        return np.stack([e, theta[0] * e * t / theta[1] ** 2])

    def of_recovery(theta, t):
        e = np.exp(-t / theta[2])
        return np.stack([np.ones_like(t), e, theta[1] * e * t / theta[2] ** 2])

    return {"spin_echo": of_echo, "inversion_recovery": of_recovery}[model.name]


def best_of_scipy(optimize, kind, t, y):
    """Return the least chi2 that SciPy finds for every voxel from several starts, shape (B,).

    The starts are those of the built-in model and three fixed ones.  `leastsq` is what curve_fit
    runs; a start that ends in an overflow simply is not the best.
    """
    model, derivatives = kind.model, jacobian(kind.model)
    guess = np.asarray(model.guess(t, y)).reshape(len(y), -1)
    best = np.full(len(y), np.inf)
    unit = np.ones(guess.shape[1])
    with np.errstate(all="ignore"):
        for k, (signal, own) in enumerate(zip(y, guess, strict=True)):
            unit[:-1] = np.abs(signal).max()

            def residual(theta, signal=signal):
                return model.function(t, *theta) - signal

            for start in (own, *(unit * s for s in kind.starts)):
                theta = optimize.leastsq(
                    residual,
                    start,
                    Dfun=lambda theta: derivatives(theta, t),
                    col_deriv=True,
                    full_output=True,
                )[0]
                best[k] = np.fmin(best[k], (residual(theta) ** 2).sum())
    return best


def fit(kind, t, y, **options):
    """Return the map: every voxel with the starts that the built-in model guesses."""
    return tw.fit(kind.model, t, y, **options)
