"""Edits of the quadratic loss, and the tests that must notice them."""

EDITS = {
    ("csrc/quadratic/quadratic.c", "test_quadratic.py test_quadratic_certificates.py"): [
        (
            "diagonal twice",
            "value = multiply_add(x[r], s_r + t, value)",
            "value = multiply_add(x[r], t + t, value)",
        ),
        ("upper seen as lower", "upper ? r + 1 : 0; c < (upper ? R : r)", "0; c < r"),
        ("gradient without mirror", "y_j += b_rj * x_row[r]", "y_j += 0 * b_rj * x_row[r]"),
        ("gradient of the block", "y[i + c] = multiply_add(b[c], x[r], y[i + c])", "y[i + c] += 0"),
        ("gradient halved", "p->B->general ? 1 : 2", "1"),
        ("gradient of any matrix doubled", "p->B->general ? 1 : 2", "2"),
        (
            "theta* forgotten",
            "star ? theta[j] - star[j] : theta[j]",
            "theta[j]",
        ),
        (
            "last part lost",
            "for (ptrdiff_t part = 0; part < p->parts; part++)",
            "for (ptrdiff_t part = 0; part < p->parts - (p->parts > 1); part++)",
        ),
        ("parts of the gradient lost", "sum += p->y[part * p->y_step + j]", "sum += 0"),
        (
            "parts by the threads",
            "tw_parallel(part_task, p, p->parts, threads, watch)",
            "p->parts = p->parts > threads ? threads : p->parts, "
            "tw_parallel(part_task, p, p->parts, threads, watch)",
        ),
        (
            "remainder of a band skipped",
            "else\n        for (ptrdiff_t r = 0; r < count; r++)",
            "else\n        for (ptrdiff_t r = 1; r < count; r++)",
        ),
        ("symmetrised from one side", "row(B, i)[j] / 2 + row(B, j)[i] / 2", "row(B, i)[j]"),
    ],
    ("csrc/quadratic/full.h", "test_quadratic.py test_quadratic_certificates.py"): [
        ("any matrix, lanes of the neighbours", "(dvec)((divec)element & *keep)", "element"),
        ("any matrix, no second product", "t + element * x_row[r] :", "t :"),
        ("any matrix, own sums lost", "y[i + r * step] += s_row[r]", "y[i + r * step] += 0"),
        ("any matrix, rows of one place", "EVEN_ROWS, x, y, sums + r)", "EVEN_ROWS, x, y, sums)"),
    ],
    # What is read before the first row, or beside one of overlapping rows, lies in a line of memory
    # that belongs to the matrix: only the sanitizers notice, so no mutant takes that care away.
    ("csrc/quadratic/full.h", "test_quadratic_memory.py"): [
        ("any matrix, last row beyond its end", "i + (R - 1) * step == B->P - 1", "0"),
    ],
    ("csrc/quadratic/quadratic.c", "test_quadratic_memory.py"): [
        ("rows of any matrix cut as of a triangle", "B->general ? share : ", ""),
    ],
    ("csrc/quadratic/sparse.h", "test_quadratic_memory.py"): [
        ("a bad row somewhere else", "*B->where = row;", "*B->where = 0;"),
        ("a bad row unheard", "return TW_QUADRATIC_BAD_ROW;", "return TW_QUADRATIC_OK;"),
        ("sparse, any matrix trusted", "if (j < 0 || j >= B->P)\n            return 0;", ""),
    ],
    ("csrc/quadratic/triangle.h", "test_quadratic.py test_quadratic_certificates.py"): [
        ("row of the packed upper triangle", "(2 * B->P - i - 1) / 2", "(2 * B->P - i) / 2"),
        ("square compared with itself", "b + j * step + k, step)", "b + k * step + j, step)"),
        ("remainder not compared", "bits |= memcmp(", "bits |= 0 & memcmp("),
        (
            "segment not compared",
            "j = from; j < least(to, whole)",
            "j = from + SQUARE; j < least(to, whole)",
        ),
    ],
    ("csrc/quadratic/many.h", "test_quadratic.py test_quadratic_certificates.py"): [
        ("many, diagonal not halved", "(j == i + k ? 2 : 1)", "1"),
        ("many, the other triangle counted", "else if (j <= i + k)", "else"),
        ("many, own theta* shared", "r->job->theta_star + first * step", "r->job->theta_star"),
        (
            "many, theta* of the first point of a group",
            "d_load(star + m * step + j)",
            "d_load(star + j)",
        ),
        ("many, factor two", "job->gradient ? 1 : 2", "job->gradient ? 1 : 1"),
        ("many, blocks lost", "value += r->partial[", "value = r->partial["),
        (
            "many, last tile of a chunk lost",
            "t < least(t0 + TILES, tiles)",
            "t < least(t0 + TILES - 1, tiles)",
        ),
        ("many, one half of any matrix", "+= (double)row(B, j)[i + k] / 2", "+= 0"),
        ("many, the diagonal of any matrix", "j == i + k ? b[j * PANEL + k] / 2 : 0", "0"),
        (
            "many, second batch reads the first",
            "pack_points(r, r->first + t * THETAS + m",
            "pack_points(r, t * THETAS + m",
        ),
    ],
    ("csrc/quadratic/sparse.h", "test_quadratic.py test_quadratic_certificates.py"): [
        ("sparse, diagonal lost", "*on = data[k];", "*on = 0;"),
        ("sparse, any matrix twice", "general ? t : s[l] + t", "s[l] + t"),
        (
            "sparse, no mirror",
            "*on = data[k];\n        if (B->upper ? j <= i : j >= i)",
            "*on = data[k];\n        if (1)",
        ),
        (
            "sparse, bad rows trusted",
            "B->upper ? j >= last || j < 0 : j <= last || j >= B->P",
            "j < 0 || j >= B->P",
        ),
        ("sparse, unsorted accepted", ": last < j && j < B->P)", ": 0 <= j && j < B->P)"),
        ("sparse, values not compared", "!(data[n] == data[k])", "0"),
        (
            "sparse, unmet partners",
            "if (c->next[i] != index_at(B->start, B->is_long, i + 1))",
            "if (c->next[i] < 0)",
        ),
    ],
    ("csrc/quadratic/triangle.h", "test_giants.py"): [
        ("packed rows in 32 bits", ": tri(i, 0))", ": (int32_t)tri(i, 0))"),
        (
            "packed upper rows in 32 bits",
            "i * (2 * B->P - i - 1) / 2",
            "(int32_t)(i * (2 * B->P - i - 1) / 2)",
        ),
        ("rows in 32 bits", "first + i * B->row_step", "first + (int32_t)(i * B->row_step)"),
    ],
    ("src/thalweg/_core/failures.pyx", "test_failures.py"): [
        ("a status without a meaning", "if sentence is None:", "if sentence == 0:"),
    ],
}
