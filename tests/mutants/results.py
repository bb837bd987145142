"""Edits of what a result tells, of its files, of pieces and pictures; the tests that notice."""

EDITS = {
    ("src/thalweg/fitting/goodness.py", "test_lookups.py"): [
        ("goodness: no mean of y", "(weight * (y - mean)) ** 2", "(weight * y) ** 2"),
        (
            "goodness: weights not squared",
            "(weight**2 * y).sum(-1, keepdims=True)",
            "(weight * y).sum(-1, keepdims=True)",
        ),
        ("goodness: sigma always relative", "chi2 if result.problem.absolute_sigma else", ""),
        ("goodness: fixed ones count", "result.problem.count_free()", "len(result.names)"),
        (
            "goodness: left out has residuals",
            "np.where(data.weights() > 0, data.y, np.nan)",
            "data.y",
        ),
        ("goodness: correlation of one side", "(ratio + ratio.swapaxes(-1, -2)) / 2", "ratio"),
    ],
    ("src/thalweg/fitting/selection.py", "test_lookups.py test_saved_results.py"): [
        ("picked: labels of all", "labels=labels.picked(index, batch)", "labels=labels"),
        ("picked: errors of none", "None if result.errors is None else of(result.errors)", "None"),
    ],
    ("src/thalweg/fitting/labels.py", "test_lookups.py"): [
        ("labels: turned axes", "if lists and others[-1] - others[0] >= len(others):", "if False:"),
        (
            "labels: sigma as it comes",
            "if set(map(str, dims)) == set(labels.dims) and",
            "if False and",
        ),
        ("labels: of the points, too", "if set(d) <= set(dims)", "if True"),
    ],
    ("src/thalweg/fitting/saved.py", "test_saved_results.py"): [
        (
            "saved: sigma forgotten",
            'absolute_sigma=bool(header["absolute_sigma"])',
            "absolute_sigma=False",
        ),
        ("saved: shapes unseen", "    if not is_whole:\n", "    if False:\n"),
        ("saved: any version", "if version > _FORMAT_WITH_OUTPUTS:", "if False:"),
    ],
    ("src/thalweg/fitting/evaluation.py", "test_lookups.py"): [
        ("Jacobian: one-sided", "    differences(theta)  # one", "    # one"),
    ],
    ("src/thalweg/_archives.py", "test_saved_results.py"): [
        (
            "archives: cut off unsaid",
            "            found = {n: _member(archive, members[n])",
            "            found = {n: np.zeros(1)",
        ),
    ],
    ("src/thalweg/_arguments/pieces.py", "test_pieces.py"): [
        (
            "pieces: rows twice",
            "range(0, shape[0], PIECE // row)",
            "range(0, shape[0], max(1, PIECE // row - 1))",
        ),
        ("pieces: place in a piece", "            inner[0] += last.start\n", "            pass\n"),
        ("pieces: not aligned", " and array.flags.aligned", ""),
    ],
    ("src/thalweg/model/trace.py", "test_reductions.py"): [
        ("own x: another course", "if other.graph.key(tuple(places)) != key or", "if False and"),
        ("own x: picked fits have all rows", "row.picked(places).array for", "row.array for"),
    ],
    ("src/thalweg/fitting/scaled.py", "test_reductions.py"): [
        ("own x: arrays in no unit", "_divided(row, exponents).array for", "row.array for"),
    ],
    ("src/thalweg/_core/leading.pyx", "test_called_leading.py"): [
        ("called: J is changed again", "if self.changed or not", "if not"),
    ],
    ("src/thalweg/_core/leading.pyx", "test_called_differences.py"): [
        ("called: rejected trials lead", "not (renews or chi2 < self.chi2)", "False"),
        ("called: J is never changed", "(far and not self.ends)", "False"),
        ("called: what ends is one-sided", "self.ends |= renews", "pass"),
        (
            "called: a linear model is differenced anew",
            "or missed <= d.near * d.near * moved",
            "",
        ),
        ("called: a change has units", "square * s\n", "s\n"),
    ],
    ("src/thalweg/_core/differences.pyx", "test_called_differences.py"): [
        (
            "called: terms do not round",
            "fmax(fmax(spread[0], size), self.terms)",
            "fmax(spread[0], size)",
        ),
        ("called: never at right angles", "if not central and self.is_at_right_angles():", "if 0:"),
        ("called: steps leave the box", "if lower <= to[i] <= upper or", "if True or"),
        ("called: a lost value lengthens the step", "too_long = lost or", "too_long ="),
        ("called: one side is none", "elif isnan(self.column[i]):", "elif False:"),
    ],
    ("src/thalweg/fitting/by_trials.py", "test_every_call.py"): [
        (
            "every call: the fit is lost",
            "attach_result(error, problem, out, take_back)",
            "pass",
        ),
    ],
    ("src/thalweg/linear/alphas.py", "test_every_call.py"): [
        ("every call: a path of another scale", "error.result = of(error.result)", "pass"),
    ],
    ("src/thalweg/linear/image_descent.py", "test_every_call.py"): [
        ("every call: the image is lost", "error.result = self.result()", "pass"),
    ],
    ("src/thalweg/plot/maps.py", "test_plot_maps.py"): [
        ("maps: half pixels", "MaxNLocator(integer=True)", "MaxNLocator()"),
        ("maps: no data is failure", "~good & (result.n_used > 0)", "~good"),
        (
            "maps: one value has no bins",
            "if high - low <= _ALIKE * max(abs(low), abs(high)):",
            "if not low < high:",
        ),
    ],
}
