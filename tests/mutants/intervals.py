"""Edits of intervals, profiles, resampling and comparison; the tests that notice."""

EDITS = {
    ("src/thalweg/fitting/distributions.py", "test_distributions.py"): [
        ("t: one-sided", "wanted, log_scale = 1 - level,", "wanted, log_scale = (1 - level) / 2,"),
        ("beta: no half step", "rise += _half_step(a + whole)", "pass"),
        ("series: too few", "_SERIES_FROM = 20.0", "_SERIES_FROM = 0.5"),
        ("chi2: even for odd", "power = k + 0.5 if m % 2 else float(k)", "power = float(k)"),
    ],
    ("src/thalweg/fitting/likelihood.py", "test_intervals.py"): [
        (
            "quantile: always t",
            "    if result.problem.absolute_sigma:\n        return np.full",
            "    if False:\n        return np.full",
        ),
    ],
    ("src/thalweg/fitting/goodness.py", "test_intervals.py"): [
        ("scale: always 1", "np.asarray(totals(result).chi2 / dof)", "np.ones(dof.shape)"),
    ],
    ("src/thalweg/fitting/goodness.py", "test_shared_results.py"): [
        (
            "scale: of the data set alone",
            "np.asarray(totals(result).chi2 / dof)",
            "np.asarray(result.chi2 / dof)",
        ),
    ],
    ("src/thalweg/fitting/intervals.py", "test_intervals.py"): [
        ("interval: bounds do not matter", "~at_bound & result.success", "result.success"),
        ("interval: failed ones, too", "~at_bound & result.success[..., None]", "~at_bound"),
        ("interval: ties to a bound", "(slopes != 0) & bound", "(slopes == 2) & bound"),
        ("band: no correlation", 'np.einsum("bnf,bnf->bn", u @ correlation, u)', "(u * u).sum(-1)"),
        ("band: noise twice", "factor * np.square(noise)", "2 * factor * np.square(noise)"),
    ],
    ("src/thalweg/fitting/profile.py", "test_profile.py"): [
        ("profile: nothing held", "if k != j)", "if True)"),
        ("profile: bounds missed", "trial = np.where(beyond, self.bound[at], trial)", "pass"),
        ("profile: a lower minimum unseen", "gain < -self.low", "gain < -np.inf"),
        ("profile: never far enough", "endless = below & ~bound", "endless = below & bound"),
        ("profile: rough", "_CLOSE = {8: 1e-5,", "_CLOSE = {8: 1e-2,"),
        ("profile: held fits, too", "self.status[fixed[:, j] != 0] = Limit.HELD", "pass"),
    ],
    ("src/thalweg/fitting/resampling.py", "test_resampling.py"): [
        ("residual: not centred", "(self.u - self.mean)[", "(self.u + 0.1)["),
        ("residual: too small", "of_dof = np.sqrt(self.f.size / dof) if", "of_dof = 0.9 if"),
        (
            "wild: one sign",
            "self._draws(m) < 0.5, -1, 1)",
            "self._draws(m) < 2, -1, 1)",
        ),
        ("sigma forgotten", "self.f + self.sigma * u", "self.f + u"),
        ("one stream for all", "(seed, int(k)), kind", "(seed, 0), kind"),
        ("jackknife: all points", "& (number != left_out[:, None])", "& (number >= 0)"),
        (
            "jackknife: factor",
            '(n - 1) / n if self.kind == "jackknife"',
            '1 / n if self.kind == "jackknife"',
        ),
        ("bca: no acceleration", "(1 - a * z)", "(1 + a * z)"),
    ],
    ("src/thalweg/fitting/comparison.py", "test_resampling.py"): [
        ("F: of the smaller", "larger = np.argmax(k, axis=-1)", "larger = np.argmin(k, axis=-1)"),
        ("aicc: scale not counted", "k = free + (not result.problem.absolute_sigma)", "k = free"),
        ("compare: other y", "if not np.array_equal(first.y[used], second.y[used]):", "if False:"),
        ("compare: other x", "if not _same_x(first, second):", "if False:"),
    ],
}
EDITS |= {
    ("src/thalweg/fitting/multistart.py", "test_starts.py"): [
        ("starts: any is better", "lower = (new < chi2 * (1 - self.same))", "lower = (new > 0)"),
        ("starts: failures count", "alike = new_good & good &", "alike ="),
        ("starts: fixed ones move", "np.where(held, start[:, free], of_free)", "of_free"),
        ("halton: one base", "share /= base", "share /= 2"),
        ("neighbours: one axis", "for axis in range(len(batch)):", "for axis in range(1):"),
        ("interrupted: first alone", "self.take(every, partly)", "pass"),
    ],
    ("src/thalweg/fitting/guessed.py", "test_starts.py"): [
        (
            "guess: the first data set",
            "self.data.argument(fit), y)",
            "self.data.argument(0), y)",
        ),
    ],
}
