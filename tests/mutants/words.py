"""Edits of the words of the public API, of what a loss declares, and the tests that must notice."""

EDITS = {
    ("src/thalweg/_arguments/spelling.py", "test_spelling.py"): [
        ("names: nothing refused", "if kwargs.keys() <= known:", "if True:"),
        ("names: no other library's", "meant = _MEANT.get(bare, ())", "meant = ()"),
        ("names: no owners", "        if owned:", "        if False:"),
        ("names: nothing close", "get_close_matches(name.lower(), known, n=1)", "[]"),
        ("names: case counts", 'name.replace("_", "").lower()', 'name.replace("_", "")'),
        ("names: signatures hidden", "    @wraps(function)\n", ""),
    ],
    ("src/thalweg/losses/base.py", "test_declared_curvature.py"): [
        ("has: products are none", ' or self._overrides("hessian_vector")', ""),
        ("has: no Gauss-Newton matrix", 'self.is_quadratic or self._overrides("gauss_newton")',
         "self.is_quadratic"),
    ],
    ("src/thalweg/losses/curvature.py", "test_declared_curvature.py"): [
        ("has: Gauss-Newton for all", "loss.hessian(theta) if loss.has_hessian else",
         "loss.hessian(theta) if loss.is_quadratic else"),
    ],
    ("src/thalweg/optimizers/newton.py", "test_declared_curvature.py"): [
        ("has: a mistake is none", "if problem.loss.has_hessian:\n", "if False:\n"),
    ],
    ("src/thalweg/descent/loop.py", "test_declared_curvature.py"): [
        ("has: the result lost", "error.result = self._result(Status.INTERRUPTED)",
         "error.results = self._result(Status.INTERRUPTED)"),
    ],
    ("src/thalweg/_showing.py", "test_reprs.py"): [
        ("shown: large arrays", "value.size > _MOST_ELEMENTS", "value.size > 1000"),
        ("shown: defaults", "if not _is_same(value, field.default):", "if True:"),
        ("shown: functions", "if callable(value) and", "if False and"),
    ],
    ("src/thalweg/_core/dispatch.pyx", "test_threads.py"): [
        ("threads of a call unheard", "else <int> most", "else c.tw_threads()"),
        ("inner limits above outer ones", "else min(threads, most))", "else threads)"),
    ],
    ("src/thalweg/machine.py", "test_threads.py"): [
        ("a limit that stays", "        taken_back.var.reset(taken_back)", "        pass"),
    ],
    ("src/thalweg/status.py", "test_status.py"): [
        ("status: a number of C", "DRIFT = -9", "DRIFT = -18"),
        ("status: a success below 0", "ROUNDING = 5", "ROUNDING = -18"),
    ],
}  # fmt: skip
