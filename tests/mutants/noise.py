"""Edits of losses other than squares, and the tests that must notice them."""

EDITS = {
    ("csrc/fit/noise.h", "test_noise.py"): [
        ("far counts without their powers of two", "2 * far + difference", "difference"),
        (
            "zero counts without their mean",
            "deviance_of(y, f), 2 * f)",
            "deviance_of(y, f), f)",
        ),
        ("negative means have a likelihood", "used & (f >= REAL_MIN) &", "used & (f == f) &"),
        (
            "counts left out counted",
            "const ivec used = n->weight > 0, means",
            "const ivec used = n->weight >= 0, means",
        ),
        (
            "weights of least squares",
            "n->square = v_and(means, inverse);",
            "n->square = v_and(means, 1 + 0 * inverse);",
        ),
        ("Huber's root", "v_sel(near, z, 2 * root - 1)", "v_sel(near, z, 2 * root)"),
        ("curvature may be negative", "v_max(1 - z, least * q)", "(1 - z)"),
        ("the scale forgotten", "r = e * n->weight * inverse", "r = e * n->weight"),
        ("covariance without psi", "correction * psi2 / (n - F)", "correction / (n - F)"),
        (
            "slopes not squared",
            "n->sum[SUM_SLOPE2] += v_and(used, second * second)",
            "n->sum[SUM_SLOPE2] += v_and(used, second)",
        ),
    ],
    ("csrc/fit/sample.h", "test_noise.py"): [
        ("an outlier sets the size of y", "data->magnitude > most &&", "0 &&"),
    ],
    ("csrc/fit/points.h", "test_noise.py"): [
        ("weights of rows not rooted", "v_sqrt(v_load(w->weight + i))", "v_load(w->weight + i)"),
    ],
    ("src/thalweg/fitting/f_scale.py", "test_noise.py"): [
        ("one round", "ROUNDS = 4", "ROUNDS = 1"),
    ],
}
