"""Random fits against NumPy and SciPy: ``python tests/fuzz --seconds 600 --seed 1``.

A case is drawn from (seed, number): a model, its data and everything that `thalweg.fit` takes.  It
is fitted, and each claim of `claims` is checked; what does not hold is a finding, named by its
seed and number, and ``--case SEED:NUMBER`` draws it again.
"""
