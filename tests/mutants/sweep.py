"""Edits of coordinate-descent sweeps over dense columns, and the tests that must notice them."""

EDITS = {
    ("csrc/sweep/coordinate.h", "test_sweep.py"): [
        ("soft threshold", "size > 0 ? copysign", "z != 0 ? copysign"),
        ("curvature without l2", "curvature = c + each->l2[j]", "curvature = c + 0 * each->l2[j]"),
        ("zero column", "each->l1[j] > 0 ? clipped(0,", "each->l1[j] < 0 ? clipped(0,"),
        ("relaxation", "theta + omega * (minimum - theta)", "minimum"),
        ("across the kink", "omega > 1 && each->l1[j] > 0", "omega > 2 && each->l1[j] > 0"),
        ("fall", "g - 0.5 * c * d", "g - c * d"),
        ("fall of l1", "each->l1[j] * (fabs(value) - fabs(theta)) -", "0 -"),
        ("fall of l2", "0.5 * each->l2[j] * d", "each->l2[j] * d"),
    ],
    ("csrc/sweep/columns.h", "test_sweep.py"): [
        (
            "weight twice",
            "weighted ? d_load(w + i) * column[k]",
            "weighted ? d_load(w + i) * d_load(w + i) * column[k]",
        ),
        ("last rows unweighted", "b->weights ? b->weights[i] : 1", "1"),
        ("lanes not turned back", "b->sum[k] = d_turn(s[k], (DL - turn) % DL)", "b->sum[k] = s[k]"),
        (
            "last rows lost",
            "    for (; i < end; i++)\n        walk_row(centered, b, i);\n}",
            "    for (; i + 1 < end; i++)\n        walk_row(centered, b, i);\n}",
        ),
        ("odd columns stay", "return r + less(centered, odd, step[WIDTH]);", "return r;"),
        ("packed by columns only", "from[k][i * step[k]]", "from[k][i]"),
    ],
    ("csrc/sweep/sweep.c", "test_sweep.py"): [
        ("gradient inside the block", "g[l] -= gram", "g[l] -= 0 * gram"),
        (
            "Gram matrix of the first block",
            "job->gram + number * BLOCK_GRAM",
            "job->gram + 0 * number",
        ),
        ("sums beyond the last vector", "for (; s < slots; s++)", "for (; s < slots - 1; s++)"),
        (
            "the block before is this one",
            "*before = &t->block[(phase - moves) & 1]",
            "*before = &t->block[phase & 1]",
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
        ("change of all sweeps", "fall[m] = job->change[m] = t->drift", "fall[m] = t->drift"),
        ("step of one right-hand side", "t->step + m * (WIDTH + 1), b.res", "t->step, b.res"),
    ],
    ("csrc/sweep/gram.h", "test_sweep.py"): [
        ("greedy takes the least", "if (fall > largest)", "if (fall < largest || largest < 0)"),
        ("greedy takes the last of equals", "if (fall > largest)", "if (fall >= largest)"),
        ("q stays", "q[k] -= row[k] * u.change", "q[k] -= 0 * u.change"),
    ],
    ("csrc/sweep/sweep.c", "test_sweep_centered.py"): [
        (
            "centered, curvature of the columns as they are",
            "pair[tri(k, l)] -",
            "pair[tri(k, l)] - 0 *",
        ),
        ("centered, mean of r", "g[k] -= g[WIDTH] * mean[k]", "g[k] -= 0 * mean[k]"),
        ("centered, means stay in r", "step[WIDTH] = way - with_means", "step[WIDTH] = way"),
        ("centered, pivots stay in r", "step[WIDTH] - with_pivots", "step[WIDTH]"),
        (
            "centered, no pivots",
            "b.pivot[k] = t->weight > 0 ?",
            "b.pivot[k] = 0 && t->weight > 0 ?",
        ),
        ("centered, the start", "if (phase > 0 && !t->moved)", "if (!t->moved)"),
        ("centered, change of the intercept", "t->drift[m] -= with_pivots + with_means", "(void)0"),
        ("centered, fall of the start", "return 0.5 * t->weight * way * way", "return 0"),
        ("centered, weight of a row", "t->weight += w[i]", "t->weight += 1"),
    ],
    ("csrc/sweep/columns.h", "test_sweep_centered.py"): [
        (
            "centered, sum of r",
            "sum[WIDTH] += weighted ? d_load(w + i) * r : r;",
            "sum[WIDTH] += r;",
        ),
        (
            "centered, sum of columns",
            "gram[PAIRS + k] += weighted_column",
            "gram[PAIRS + k] += column[k]",
        ),
        ("centered, last rows without their pivots", "(centered ? b->next_pivot[k] : 0)", "0"),
    ],
    ("csrc/sweep/sweep.c", "test_sweep_refusals.py"): [
        ("not finite passes", "!(gram[k * WIDTH + k] <= DBL_MAX)", "0"),
    ],
    ("csrc/sweep/sweep.c", "test_giants.py"): [
        ("columns in 32 bits", "j * t->job->column_step", "(int32_t)(j * t->job->column_step)"),
    ],
    ("csrc/sweep/columns.h", "test_giants.py"): [
        ("rows in 32 bits", "from[k][i * step[k]]", "from[k][(int32_t)(i * step[k])]"),
    ],
}
