"""Edits of losses other than squares, and the tests that must notice them."""

EDITS = {
    ("csrc/fit/noise.h", "test_noise.py"): [
        ("far counts without their powers of two", "2 * far + difference", "difference"),
        (
            "zero counts without their mean",
            "deviance_of(y, f), 2 * f)",
            "deviance_of(y, f), f)",
        ),
        ("negative means have a likelihood", "return (f >= REAL_MIN) &", "return (f == f) &"),
        (
            "counts left out counted",
            "n->weight > 0 : ~(ivec){0}, means",
            "n->weight >= 0 : ~(ivec){0}, means",
        ),
        (
            "weights of least squares",
            "n->square = v_and(means, inverse);",
            "n->square = v_and(means, 1 + 0 * inverse);",
        ),
        ("Huber's root", "v_sel(near, z, 2 * r - 1)", "v_sel(near, z, 2 * r)"),
        ("curvature may be negative", ".least = least}", ".least = v_set(-1)}"),
        ("the scale forgotten", "e * n->weight * n->inverse : e", "e * n->weight : e"),
        ("covariance without psi", "correction * psi2 / (n - F)", "correction / (n - F)"),
        (
            "slopes not squared",
            "n->sum[SUM_SLOPE2] += v_and(summed, second * second)",
            "n->sum[SUM_SLOPE2] += v_and(summed, second)",
        ),
    ],
    ("csrc/fit/noise.h", "test_noise_sums.py"): [
        ("logarithms added by their arguments", "t + n->folded * t", "t"),
        ("a product too many", "p % FOLD == FOLD - 1 || p == n - 1", "p == n - 1"),
        (
            "logarithms of the last points lost",
            "p % FOLD == FOLD - 1 || p == n - 1",
            "p % FOLD == 3",
        ),
        ("points apart forgotten", "if (v_any(at.apart))", "if (0)"),
        ("counts apart squared", "f * quotient_exponent(y, f, &k)", "f; k = v_set(0)"),
    ],
    ("csrc/vecmath/core.h", "test_noise_sums.py"): [
        ("exponents cut, not rounded", "(uvec)x + (one + half)", "(uvec)x + one"),
    ],
    ("csrc/fit/state.h", "test_noise_sums.py"): [
        (
            "never far",
            "v_sel(far, v_set(1), v_set(LEAST",
            "v_sel(far, v_set(LEAST_CURVATURE), v_set(LEAST",
        ),
        ("always far", "first | (promised > FAR * chi2)", "~(ivec){0}"),
        ("never near", "near & ~first &", "near & first &"),
        (
            "coarse sums end a fit",
            "return (share_of_sums(s, o) > LEAST_CURVATURE) | is_true(s, o);",
            "return is_true(s, o);",
        ),
        (
            "second derivatives end a fit",
            "return (share_of_sums(s, o) > LEAST_CURVATURE) | is_true(s, o);",
            "return share_of_sums(s, o) > LEAST_CURVATURE;",
        ),
    ],
    ("csrc/fit/step.h", "test_noise_sums.py"): [
        ("indefinite matrices stay", "damp_more(s, indefinite, o);", ""),
    ],
    ("csrc/tape/normal.h", "test_noise.py"): [
        ("h has weights", "last && i == ni - 1", "0 * last"),
    ],
    ("csrc/fit/noise.h", "test_noise_edge.py"): [
        ("means at the edge not steep", "STEEP * n->square, n->square", "n->square, n->square"),
    ],
    ("csrc/fit/state.h", "test_noise_edge.py"): [
        ("steep from the start", "v_and(steep, v_set(EDGE))", "v_set(1)"),
    ],
    ("csrc/fit/covariance.h", "test_noise_edge.py"): [
        ("means at the edge drift", "t->last || s->counts ?", "t->last ?"),
    ],
    ("csrc/fit/confirm.h", "test_noise_edge.py"): [
        (
            "falls at the edge are noise",
            "LOAD(s->resumed, 0) - noise_of_promise(s, o)",
            "LOAD(s->resumed, 0) - LOAD(s->noise, 0)",
        ),
    ],
    ("csrc/fit/points.h", "test_noise_sums.py"): [
        ("far for second derivatives", "one->bends ? last_share(noise) :", "one->bends ? 1 :"),
    ],
    ("csrc/fit/lanes.h", "test_noise.py"): [
        (
            "points left out taken for used",
            "g->square, whole, m->width",
            "g->square, 1, m->width",
        ),
    ],
    ("csrc/fit/sample.h", "test_noise.py"): [
        ("an outlier sets the size of y", "data->magnitude > most &&", "0 &&"),
    ],
    ("csrc/fit/points.h", "test_noise.py"): [
        ("weights of rows not rooted", "v_store(w->square + i, v_sqrt(a));", ""),
        (
            "residuals of rows have weights",
            "v_load(w->residual + i) / a)",
            "v_load(w->residual + i))",
        ),
    ],
    ("src/thalweg/fitting/f_scale.py", "test_noise.py"): [
        ("one round", "ROUNDS = 4", "ROUNDS = 1"),
    ],
}
