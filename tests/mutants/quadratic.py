"""Edits of the quadratic loss, and the tests that must notice them."""

EDITS = {
    ("csrc/quadratic.c", "test_quadratic.py"): [
        (
            "diagonal twice",
            "value = multiply_add(x[r], s_r + t, value)",
            "value = multiply_add(x[r], t + t, value)",
        ),
        ("upper seen as lower", "upper ? r + 1 : 0; c < (upper ? R : r)", "0; c < r"),
        ("gradient without mirror", "y_j += b_rj * x_row[r]", "y_j += 0 * b_rj * x_row[r]"),
        ("gradient of the block", "y[i + c] = multiply_add(b[c], x[r], y[i + c])", "y[i + c] += 0"),
        ("gradient halved", "gradient[j] = 2 * sum", "gradient[j] = sum"),
        (
            "theta* forgotten",
            "job->theta[j] - job->theta_star[j]",
            "job->theta[j] - 0 * job->theta_star[j]",
        ),
        (
            "last part lost",
            "for (ptrdiff_t part = 0; part < p->parts; part++)",
            "for (ptrdiff_t part = 0; part < p->parts - (p->parts > 1); part++)",
        ),
        ("parts of the gradient lost", "sum += p->y[part * B->P + j]", "sum += 0"),
        (
            "parts by the threads",
            "tw_parallel(part_task, p, p->parts, threads, NULL)",
            "p->parts = p->parts > threads ? threads : p->parts, "
            "tw_parallel(part_task, p, p->parts, threads, NULL)",
        ),
        (
            "remainder of a band skipped",
            "else\n        for (ptrdiff_t r = 0; r < count; r++)",
            "else\n        for (ptrdiff_t r = 1; r < count; r++)",
        ),
        (
            "verdict of a part lost",
            "symmetric &= check ? p->symmetric[part]",
            "symmetric &= check ? p->symmetric[0]",
        ),
        ("symmetrised from one side", "row(B, i)[j] / 2 + row(B, j)[i] / 2", "row(B, i)[j]"),
    ],
    ("csrc/triangle.h", "test_quadratic.py"): [
        ("row of the packed upper triangle", "(2 * B->P - i - 1) / 2", "(2 * B->P - i) / 2"),
        ("square compared with itself", "b + j * step + k, step)", "b + k * step + j, step)"),
        ("remainder not compared", "bits |= memcmp(", "bits |= 0 & memcmp("),
        (
            "segment not compared",
            "j = from; j < least(to, whole)",
            "j = from + SQUARE; j < least(to, whole)",
        ),
    ],
    ("csrc/quadratic_many.h", "test_quadratic.py"): [
        ("many, diagonal not halved", "(j == i + k ? 2 : 1)", "1"),
        ("many, the other triangle counted", "else if (j <= i + k)", "else"),
        ("many, own theta* shared", "r->job->theta_star + first * step", "r->job->theta_star"),
        (
            "many, theta* of the first point of a group",
            "w_load(star + m * step + j)",
            "w_load(star + j)",
        ),
        ("many, factor two", "job->gradient ? 1 : 2", "job->gradient ? 1 : 1"),
        ("many, blocks lost", "value += r->partial[", "value = r->partial["),
        (
            "many, last tile of a chunk lost",
            "t < least(t0 + TILES, tiles)",
            "t < least(t0 + TILES - 1, tiles)",
        ),
        (
            "many, second batch reads the first",
            "pack_points(r, r->first + t * THETAS + m",
            "pack_points(r, t * THETAS + m",
        ),
    ],
    ("csrc/quadratic_csr.h", "test_quadratic.py"): [
        ("sparse, diagonal lost", "on = data[k];", "on = 0;"),
        (
            "sparse, no mirror",
            "y[j * L + l] = multiply_add(data[k], x[i * L + l], y[j * L + l])",
            "y[j * L + l] += 0",
        ),
        (
            "sparse, bad rows trusted",
            "B->upper ? j >= last || j < 0 : j <= last || j >= B->P",
            "j < 0 || j >= B->P",
        ),
        ("sparse, unsorted accepted", "!(last < j && j < B->P)", "!(0 <= j && j < B->P)"),
        ("sparse, values not compared", "!(data[n] == data[k])", "0"),
        (
            "sparse, unmet partners",
            "if (next[i] != index_at(is_long, B->start, i + 1))",
            "if (next[i] < 0)",
        ),
    ],
    ("csrc/triangle.h", "test_giants.py"): [
        ("packed rows in 32 bits", "i * (i + 1) / 2)", "(int32_t)(i * (i + 1) / 2))"),
        (
            "packed upper rows in 32 bits",
            "i * (2 * B->P - i - 1) / 2",
            "(int32_t)(i * (2 * B->P - i - 1) / 2)",
        ),
        ("rows in 32 bits", "first + i * B->row_step", "first + (int32_t)(i * B->row_step)"),
    ],
}
