"""T2 and T1 maps of a brain slice, about 22,000 voxels each, starts guessed from the data."""

from functools import partial

import numpy as np
import pytest
from mri import CHI2_EXCESS, MAPS, best_of_scipy, chi2, fit

SAMPLE = 400  # voxels that SciPy fits too; `compare_mri.py` does all of them
ROUNDS = 5
# Where noise has swallowed the decay, chi2 has its infimum at T -> 0 or infinity, or two minima;
# there one program or the other may stop short.
AT_LEAST_AS_GOOD = 0.98


@pytest.mark.parametrize("name", MAPS)
def test_map(name, benchmark, record):
    optimize = pytest.importorskip("scipy.optimize")
    kind = MAPS[name]
    if not kind.exists:
        pytest.skip("THALWEG_DATA does not name a folder with the images")
    t, y = kind.voxels()
    some = np.random.default_rng(0).choice(len(y), SAMPLE, replace=False)
    ours = chi2(kind.model, t, y[some], fit(kind, t, y).params[some])
    theirs = best_of_scipy(optimize, kind, t, y[some])
    assert np.mean(ours <= theirs * (1 + CHI2_EXCESS)) >= AT_LEAST_AS_GOOD

    benchmark.pedantic(partial(fit, kind, t, y), rounds=ROUNDS)
    record(f"{name} map, {len(y)} voxels", benchmark.stats.stats.min, "s", at_most=0.2)
