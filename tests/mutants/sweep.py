"""Edits of coordinate-descent sweeps over dense columns, and the tests that must notice them."""

EDITS = {
    ("csrc/coordinate.h", "test_sweep.py"): [
        ("soft threshold", "size > 0 ? copysign", "z != 0 ? copysign"),
        ("curvature without l2", "curvature = c + each->l2[j]", "curvature = c + 0 * each->l2[j]"),
        ("zero column", "each->l1[j] > 0 ? clipped(0,", "each->l1[j] < 0 ? clipped(0,"),
        ("relaxation", "theta + omega * (minimum - theta)", "minimum"),
        ("across the kink", "omega > 1 && each->l1[j] > 0", "omega > 2 && each->l1[j] > 0"),
        ("fall", "g - 0.5 * c * d", "g - c * d"),
        ("fall of l1", "each->l1[j] * (fabs(value) - fabs(theta)) -", "0 -"),
        ("fall of l2", "0.5 * each->l2[j] * d", "each->l2[j] * d"),
    ],
    ("csrc/columns.h", "test_sweep.py"): [
        (
            "weight twice",
            "weighted ? w_load(w + i) * column[k]",
            "weighted ? w_load(w + i) * w_load(w + i) * column[k]",
        ),
        ("last rows unweighted", "b->weights ? b->weights[i] : 1", "1"),
        ("lanes not turned back", "b->sum[k] = w_turn(s[k], (WL - turn) % WL)", "b->sum[k] = s[k]"),
        (
            "last rows lost",
            "    for (; i < end; i++)\n        walk_row(b, i);\n}",
            "    for (; i + 1 < end; i++)\n        walk_row(b, i);\n}",
        ),
        ("odd columns stay", "even += odd);", "even);"),
        ("packed by columns only", "from[k][i * step[k]]", "from[k][i]"),
    ],
    ("csrc/sweep.c", "test_sweep.py"): [
        ("gradient inside the block", "g[l] -= gram", "g[l] -= 0 * gram"),
        (
            "Gram matrix of the first block",
            "job->gram + number * WIDTH * WIDTH",
            "job->gram + 0 * number",
        ),
        (
            "Gram matrix taken as known",
            "!t->job->gram_known && phase < t->blocks",
            "0 && phase < t->blocks",
        ),
        (
            "one chunk",
            "for (ptrdiff_t c = 1; c < t->chunks; c++)",
            "for (ptrdiff_t c = 1; c < t->chunks - 1; c++)",
        ),
        ("change of all sweeps", "*fall = job->change[m] = 0;", "*fall = 0;"),
        ("step of one right-hand side", "t->step + m * WIDTH, b.residual", "t->step, b.residual"),
        ("greedy takes the least", "if (fall > most)", "if (fall < most || most < 0)"),
        ("greedy takes the last of equals", "if (fall > most)", "if (fall >= most)"),
        ("q stays", "q[k] -= row[k] * u.change", "q[k] -= 0 * u.change"),
    ],
    ("csrc/sweep.c", "test_sweep_refusals.py"): [
        ("not finite passes", "!(gram[k * WIDTH + k] <= DBL_MAX)", "0"),
    ],
    ("csrc/sweep.c", "test_giants.py"): [
        ("columns in 32 bits", "j * t->job->column_step", "(int32_t)(j * t->job->column_step)"),
    ],
    ("csrc/columns.h", "test_giants.py"): [
        ("rows in 32 bits", "from[k][i * step[k]]", "from[k][(int32_t)(i * step[k])]"),
    ],
}
