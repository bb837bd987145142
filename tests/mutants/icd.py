"""Edits of iterative coordinate descent for images, and the tests that must notice them."""

_KERNEL, _RUNS = "test_linear_icd_kernel.py", "test_linear_icd.py"

EDITS = {
    ("csrc/linear/icd.h", _KERNEL): [
        (
            "slope of the small differences for all",
            "t * (2 - p->power + p->power * t)",
            "t * (2 - p->power)",
        ),
        ("neighbours do not bend", "*curvature += scale * d_fold(bends);", "(void)bends;"),
        ("neighbours do not pull", "*slope += scale * d_fold(slopes);", "(void)slopes;"),
        (
            "width enters once",
            "scale = p->height / p->width / p->width;",
            "scale = p->height / p->width;",
        ),
        ("a pixel beyond the border", "at >= p->size[axis]", "at > p->size[axis]"),
        ("a pixel before the border", "if (at < 0 ||", "if (at < -1 ||"),
        ("the border is inside", "place[axis] >= g->span[axis] &&", "place[axis] >= 0 &&"),
        (
            "the far border is inside",
            "place[axis] < p->size[axis] - g->span[axis];",
            "place[axis] < p->size[axis];",
        ),
        ("rows of all slices are one", "line - place[0] * p->size[1];", "line;"),
        (
            "all neighbours weigh alike",
            "found->weight[found->count++] = p->weight[k];",
            "found->weight[found->count++] = p->weight[0];",
        ),
        ("the pull does not bend", "*curvature += p->pull;", "*curvature += 0 * p->pull;"),
        (
            "the pull is to 0",
            "*slope += p->pull * (x[j] - p->target[j]);",
            "*slope += p->pull * x[j];",
        ),
        ("the Gaussian counts twice", ": d_set(0.5);", ": d_set(1);"),
    ],
    ("csrc/linear/power.h", _KERNEL): [
        ("the logarithm ends too soon", "LOG_TERMS = 11", "LOG_TERMS = 8"),
        ("the exponential ends too soon", "EXP_TERMS = 14", "EXP_TERMS = 11"),
        ("digits of log 2 lost", "0x1.62e42fefa39efp-1", "0x1.62e42fefap-1"),
        ("power of its root", "d_exp2(a * d_log2(", "d_exp2(0.5 * a * d_log2("),
    ],
    ("csrc/linear/icd.c", _KERNEL): [
        (
            "pixels below the bound",
            "minimum = clipped(x - slope / curvature, job->lower, INFINITY);",
            "minimum = x - slope / curvature;",
        ),
        (
            "relaxed beyond the bound",
            "clipped(x + job->relaxation * (minimum - x), job->lower, INFINITY)",
            "x + job->relaxation * (minimum - x)",
        ),
        ("never relaxed", "job->relaxation == 1 ?", "1 ?"),
        (
            "e is left behind",
            "subtract(c, value - x, job->e, is_long);",
            "subtract(c, 0 * (value - x), job->e, is_long);",
        ),
        ("the way that was made", "return fabs(minimum - x);", "return fabs(value - x);"),
        (
            "the misfit does not bend",
            "slope = 0, curvature = job->curvature[j];",
            "slope = 0, curvature = 0;",
        ),
        ("weights left out", "c->weights ? update_all(run, c->weights, 0)", "0 ? (void)0"),
        ("the cost without weights", "0.5 * (w ? w[i] * e[i] : e[i])", "0.5 * e[i]"),
        ("pairs count twice", "p->neighbours / 2, &found", "0, &found"),
        ("the last pairs are lost", "return sum + take_potential(p, &found);", "return sum;"),
        ("the pull costs nothing", "sum += 0.5 * p->pull *", "sum += 0 * p->pull *"),
    ],
    ("csrc/linear/icd.c", _RUNS): [("a parabola above F is F", "SETTLED 64.0", "SETTLED 1.0")],
    ("csrc/linear/icd.c", f"{_RUNS} {_KERNEL}"): [
        ("what nothing is known of moves", "if (!(curvature > 0))", "if (curvature < 0)"),
        ("chunks of the cost overlap", "least(begin + COST_CHUNK, P)", "P"),
    ],
    ("src/thalweg/linear/image_descent.py", f"{_RUNS} test_linear_icd_refusals.py"): [
        (
            "success by what a sweep has seen",
            "change <= self.wanted and self._is_near()",
            "change <= self.wanted",
        ),
        ("the nearest more often", "P - size)[P - size :]", "size)[:size]"),
        ("half a sweep is kept", "self.done.x.reshape", "self.x.reshape"),
        ("no permutation", "self.how.rng.permutation(-(-P // _RUN))", "np.arange(-(-P // _RUN))"),
        ("never gives up", "if idle >= _PATIENCE:", "if idle >= 10**9:"),
        (
            "gives up while the cost falls",
            "0 if falls or change < nearest",
            "0 if change < nearest",
        ),
        ("looking moves", "self._update(None, 0.0)", "self._update(None, 0.5)"),
    ],
    ("src/thalweg/linear/priors.py", _RUNS): [
        ("neighbours sum to more than 1", "weight / weight.sum()", "weight"),
        (
            "weights as inverse squares",
            "1 / np.sqrt((offset**2).sum(axis=1))",
            "1 / (offset**2).sum(axis=1)",
        ),
        (
            "the potential without 1 / p",
            "= self.T * self.sigma, self.T**self.p / self.p",
            "= self.T * self.sigma, self.T**self.p",
        ),
        ("the pull of sigma, not of its square", "self.sigma**-2)", "1 / self.sigma)"),
    ],
}
