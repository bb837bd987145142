"""A controller of FitBenchmarking for Thalweg.

FitBenchmarking compares fitting software on common problems.  Copied into its folder
``fitbenchmarking/controllers`` as ``thalweg_controller.py``, this file lets an option file say
``software: thalweg``.  Bounds are kept; derivatives are exact, so a Jacobian is not asked for.
"""

from typing import ClassVar

import numpy as np
from fitbenchmarking.controllers.base_controller import Controller

import thalweg as tw

_ERROR, _NOT_CONVERGED, _OUT_OF_STEPS = 3, 2, 1  # FitBenchmarking's flags; 0 is success
_OURS = ("all", "ls", "trust_region", "levenberg-marquardt")  # kinds of algorithms
_OTHERS = (
    *("deriv_free", "general", "simplex", "gauss_newton", "bfgs", "conjugate_gradient"),
    *("steepest_descent", "global_optimization", "MCMC"),
)


class ThalwegController(Controller):
    """Runs `thalweg.fit` on a problem of FitBenchmarking."""

    algorithm_check: ClassVar = {kind: ["lm"] for kind in _OURS} | {kind: [] for kind in _OTHERS}
    jacobian_enabled_solvers: ClassVar = []
    support_for_bounds = True

    def setup(self):
        """Prepare what `thalweg.fit` is given."""
        self.options = {}
        if self.value_ranges is not None:
            self.options["bounds"] = tuple(np.transpose(self.value_ranges))
        if type(self.cost_func).__name__ == "WeightedNLLSCostFunc":
            self.options["sigma"] = self.data_e

    def fit(self):
        """Fit; this is what is timed."""
        self.result = tw.fit(
            self.problem.function, self.data_x, self.data_y, self.initial_params, **self.options
        )

    def cleanup(self):
        """Keep the parameters, the number of trial steps, and how the fit ended."""
        status = self.result.status
        self.final_params = self.result.params
        self.iteration_count = int(self.result.n_iter)
        if self.result.success:
            self.flag = 0
        elif np.isnan(self.final_params).any():
            self.flag = _ERROR
        else:
            self.flag = _OUT_OF_STEPS if status == tw.Status.MAX_ITER else _NOT_CONVERGED
