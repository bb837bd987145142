"""Edits of the solver of linear models, and the tests that must notice them."""

_KERNELS, _UNITS = "test_linear_kernels.py", "test_linear_units.py"

EDITS = {
    ("src/thalweg/_core/linear.pyx", _KERNELS): [
        ("runs before the array", "0 <= start[k] <= stored", "start[k] <= stored"),
        ("runs behind the array", "<= min(stored - start[k], room - at)", "<= room - at"),
        ("an end that is not filled", "if at != room:", "if at > room:"),
        ("runs from the beginning", "data + start[k] * size", "data"),
    ],
    ("src/thalweg/linear/descent.py", "test_linear_difficult.py"): [
        (
            "a conditional gap is enough, too",
            "may and self.found.unheld == len(self.work.which)",
            "False",
        ),
    ],
    ("src/thalweg/linear/gram.py", "test_linear_small.py"): [
        ("rounding has one there too", "self.array[empty], self.array[:, empty] = 0, 0", "pass"),
    ],
    ("src/thalweg/linear/small.py", "test_linear_small.py"): [
        ("any number of columns", "and 0 < problem.shape[1] <= FEW", ""),
        ("each right-hand side has its Gram matrix", "problem.b.shape[1] == 1 or ", "True or "),
        (
            "what falls short is a success",
            "if status or not is_reached(found, wanted):",
            "if status:",
        ),
        ("what falls short is plain", "if status or not is_reached(ended, wanted):", "if status:"),
        (
            "what is wrong with A is not seen",
            "if status or not is_reached(found, wanted):",
            "if not is_reached(found, wanted):",
        ),
    ],
    ("src/thalweg/linear/ranges.py", _UNITS): [
        ("lost squares are zeros", "0 < norm < sqrt(SMALLEST_SQUARE)", "False"),
        ("zeros are too small", "if square != 0 or 0 < norm <", "if square != 0 or norm <"),
        ("many b of any size", "np.flatnonzero(odd & b.any(0))", "np.flatnonzero(0 * odd)"),
        ("plain columns of any size", "if not odd.any():\n        return True", "return True"),
    ],
    ("src/thalweg/linear/state.py", _UNITS): [
        ("b of any size", "refuse_square(self.size, b, self", "(lambda *_: 0)(self.size, b, self"),
        ("a start of any size", "if not self.size:  #", "if False:  #"),
    ],
    ("src/thalweg/linear/descent.py", _UNITS): [
        ("a start of any F", "if not self.found.objective <= LARGEST_SQUARE:", "if False:"),
    ],
    ("src/thalweg/linear/descent.py", "test_linear.py"): [
        ("correlations make no sweep slower", "state.norm(moved) ** 2 / slope / 2", "0.5"),
        ("no sweeps would do", "state.norm(moved) ** 2 / slope / 2", "50.0"),
    ],
    ("src/thalweg/linear/side_by_side.py", "test_linear_side_by_side.py"): [
        ("columns keep their mean", "A = A - look.mean", "A = A + 0.0"),
        ("intercept of b alone", "means - look.mean @ fits.theta", "means"),
        ("what falls short is a success", "= (fits.gap <= wanted)", "= (wanted >= 0)"),
        ("constant columns are solved for", "A = np.where(empty, 0.0, A)", "A = A + 0.0"),
        ("l1 does not count", "if p.l1.any():", "if False:"),
        ("l2 does not count", "l2=p.l2, threads", "l2=0 * p.l2, threads"),
    ],
    ("src/thalweg/_core/small.pyx", "test_linear_plain.py"): [
        ("b may have a step", "if n > 1 and view.strides[0] != sizeof(double):", "if False:"),
        (
            "a weight of 0 is plain",
            "if not 0 < p.columns.weights[i]",
            "if not 0 <= p.columns.weights[i]",
        ),
        ("penalties below 0", "if not 0 <= values[j] <= DBL_MAX:", "if not values[j] <= DBL_MAX:"),
        ("infinite penalties", "if not 0 <= values[j] <= DBL_MAX:", "if not 0 <= values[j]:"),
        ("l2 is not looked at", "are_penalties(to, 2 * P)", "are_penalties(to, P)"),
        ("bounds may cross", "(lower[j] <= upper[j] and", "(lower[j] == lower[j] and"),
        ("no upper bound", "put_numbers(upper, INFINITY", "put_numbers(None, INFINITY"),
        ("large problems", "and limits.allow(n, view.shape[1])", "and n > 0 and view.shape[1] > 0"),
        ("any number of threads", "1 <= threads <= c.TW_MAX_THREADS", "1 <= threads"),
        ("any tolerance", "if not 0 <= p.tol <= DBL_MAX or", "if"),
        ("the intercept is forgotten", "*run(&p, kernel, intercept)", "*run(&p, kernel, False)"),
    ],
    ("src/thalweg/linear/small.py", "test_linear_plain.py"): [
        (
            "A is not finite and plain",
            "if status or not is_reached(ended, wanted):",
            "if not is_reached(ended, wanted):",
        ),
        ("any order", 'order != "cyclic" or ', ""),
    ],
    ("src/thalweg/linear/words.py", "test_linear_side_by_side.py"): [
        ("the first is the worst", "np.argmax(status[ran] <= 0)", "0"),
    ],
    ("src/thalweg/linear/outcome.py", "test_linear_side_by_side.py"): [
        ("nothing is put in", "fields[name][..., which] = getattr(part, name)", "pass"),
    ],
    ("src/thalweg/linear/working_set.py", "test_linear.py"): [
        ("screens without a radius", "radius = sqrt(2 * found.gap)", "radius = 0.0"),
        (
            "screens coordinates that moved",
            "(s.theta[c] == 0) & (p.lower[c] <= 0)",
            "(p.lower[c] <= 0)",
        ),
    ],
    ("src/thalweg/linear/walk.py", "test_linear_path.py"): [
        (
            "bounds do not keep at 0",
            "penalised & np.where(q > 0, p.upper > 0, p.lower < 0)",
            "penalised",
        ),
        ("factors do not count", "np.abs(q[pulled]) / factors[pulled]", "np.abs(q[pulled])"),
        ("the working set is that of other bounds", "        self.work.begin_again()\n", ""),
    ],
    ("src/thalweg/linear/whole.py", "test_linear_path.py"): [
        ("r'r does not follow", "self.rr - float(", "self.rr - 0 * float("),
    ],
    ("src/thalweg/linear/cross_validation.py", "test_linear_estimators.py"): [
        ("fitted to the rows that judge", "np.add.at(taken, np.arange(n)[train], 1)", "taken += 1"),
        (
            "the smallest within one error",
            "k = np.argmax(",
            "k = len(means[best]) - 1 - np.argmax(",
        ),
    ],
    ("src/thalweg/linear/sparse_estimators.py", "test_linear_estimators.py"): [
        ("penalty not times the weight", "total * self.alpha * self.l1_ratio,", "self.alpha,"),
    ],
    ("src/thalweg/linear/estimators.py", "test_linear_estimators.py"): [
        ("not the shortest", "            self.coef_ = shortest\n", "            pass\n"),
    ],
    ("src/thalweg/linear/shortest.py", "test_linear_estimators.py"): [
        ("dependence not seen", "len(varies) == P and _has", "True or _has"),
        ("part along null vectors kept", "theta - along @", "theta - 0 * along @"),
        ("float32 as float64", "np.finfo(X.dtype).eps)", "np.finfo(float).eps)"),
        ("lengths of null vectors", "(V[~kept] / length)", "(V[~kept] / 1)"),
        ("weights of dependent columns", "(rows.T * np.sqrt(weights)).T", "rows"),
    ],
    ("src/thalweg/linear/blocks.py", "test_linear_side_by_side.py"): [
        ("start outside the bounds", "np.clip(0.0, p.lower, p.upper)", "np.zeros(len(G))"),
        ("gap of the start", "    r = b - A @ theta.T\n    rr, found", "    rr, found"),
        ("last block lost", "range(0, M, width)", "range(0, M - width, width)"),
        ("blocks solved to a loose gap", "PART_IN_W * tol * 0.5", "1e3 * tol * 0.5"),
    ],
    ("src/thalweg/linear/state.py", "test_linear.py"): [
        ("bound without the way", "* (1 + _SLACK)", "* 0"),
        (
            "residual not made anew",
            "residual: Array = self.target.copy()",
            "residual: Array = self.residual.copy()",
        ),
        ("no drift", "self.norm(self.residual - self._made_anew())", "0.0"),
    ],
    ("src/thalweg/_arguments/values.py", "test_linear_refusals.py test_sweep_refusals.py"): [
        (
            "masked weights count",
            "array = np.where(masked, 0.0, array)\n    if array.shape",
            "array = array + 0\n    if array.shape",
        ),
        (
            "a NaN is not negative",
            "wrong = ~((array >= 0) & (array < np.inf))",
            "wrong = array < 0",
        ),
        (
            "bounds may exclude 0",
            "    if wrong.any():\n        j = int",
            "    if False:\n        j = int",
        ),
    ],
    ("src/thalweg/kernels/_sweep_options.py", "test_sweep_refusals.py"): [
        ("any start", "    _refuse_start(start, l1)\n", ""),
    ],
    ("src/thalweg/linear/problem.py", "test_linear_refusals.py"): [
        (
            "b of rows left out",
            "array = np.where(weights[:, None] == 0, 0.0, array)",
            "array = array + 0",
        ),
    ],
}
