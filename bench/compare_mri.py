"""Compare chi2 of every voxel with SciPy's best of four starts: under a minute a map.

python bench/compare_mri.py [T2] [T1]
"""

import sys

import numpy as np
import store
from mri import CHI2_EXCESS, MAPS, best_of_scipy, chi2, fit
from scipy import optimize

COMMAND = "python bench/compare_mri.py"


def compare(name):
    """Return how many voxels of a map are fitted as well as SciPy fits them, and print the rest."""
    kind = MAPS[name]
    t, y = kind.voxels()
    result = fit(kind, t, y)
    ours, theirs = chi2(kind.model, t, y, result.params), best_of_scipy(optimize, kind, t, y)
    good = ours <= theirs * (1 + CHI2_EXCESS)
    better = ours < theirs * (1 - CHI2_EXCESS)
    print(
        f"{name}: of {len(y)} voxels, chi2 is at most SciPy's in {good.sum()} "
        f"and smaller in {better.sum()}; {np.count_nonzero(result.success)} fits succeeded"
    )
    for k in np.flatnonzero(~good)[:10]:
        excess = ours[k] / theirs[k] - 1
        print(f"  voxel {k}: {excess:.2g} above SciPy's {theirs[k]:.6g}; {result.reason(k)}")
    return store.entry(
        f"{name} map, chi2 <= SciPy's best of four starts, of all {len(y)} voxels",
        100 * good.mean(),
        "%",
        COMMAND,
    )


def available():
    """Return the maps whose images are there."""
    return [name for name in MAPS if MAPS[name].exists]


def main():
    names = sys.argv[1:] or available()
    if not names:
        sys.exit("the images are not there: set THALWEG_DATA to the folder that holds mri/")
    results = [compare(name) for name in names]
    if names == list(MAPS):  # a part would replace the whole
        print(f"written to {store.update(results)}")


if __name__ == "__main__":
    main()
