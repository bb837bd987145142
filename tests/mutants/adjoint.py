"""Edits of sums over Jacobians, and the tests that must notice them."""

EDITS = {
    ("csrc/adjoint/rows.h", "test_adjoint.py test_adjoint_arrays.py"): [
        (
            "permutation of the stream",
            "lane[l] = (first + l) / P",
            "lane[l] = (first + l + 1) / P % DL",
        ),
        ("lanes sorted wrongly", "j = j + 1 == P ? 0 : j + 1", "j = j + 1 == P ? 0 : j"),
        ("stream over gaps", "A->P <= FEW && A->J_row == A->P", "A->P <= FEW"),
        ("rest of the stream lost", "c += whole, n -= whole", "c += whole, n = 0"),
        (
            "strip of the first columns",
            "q % A->Nx * A->J_row + c0 * A->J_column",
            "q % A->Nx * A->J_row",
        ),
        ("scale of the sum forgotten", "d[j] = s->scale * total[j]", "d[j] = total[j]"),
        (
            "second product, few columns",
            "for (int j = 1; j < P; j++)",
            "for (int j = 2; j < P; j++)",
        ),
        (
            "columns multiplied into what was there",
            "memset(y, 0, (size_t)n * sizeof *y)",
            "(void)y",
        ),
        (
            "blocks in 32 bits",
            "q / A->Nx * A->J_block + q % A->Nx * A->J_row + c0 * A->J_column",
            "(int32_t)(q / A->Nx * A->J_block) + q % A->Nx * A->J_row + c0 * A->J_column",
        ),
    ],
    ("csrc/base/doubles.h", "test_adjoint.py test_adjoint_arrays.py"): [
        ("NaN passes", "return rest == 0", "return !(rest > 0)"),
        ("rest of a dot product", "total += (double)x[i] * y[i]", "total -= (double)x[i] * y[i]"),
    ],
    ("csrc/adjoint/sums.h", "test_adjoint.py test_adjoint_arrays.py"): [
        ("splits added twice", "step < p->splits; step *= 2", "step < p->splits; step += 1"),
        ("last split lost", "r + step < p->splits", "r + 2 * step < p->splits"),
        ("rows across blocks", "is_flat ? n : least(n, Nx - q % Nx)", "n"),
        (
            "blocks take the rows of the first",
            "from = (const type *)x->at + q / Nx * x->block",
            "from = (const type *)x->at",
        ),
        ("weights forgotten", "c[r] = w[r] * e[r]", "c[r] = e[r]"),
        ("errors squared", "c[r] = w[r] * e[r]", "c[r] = w[r] * e[r] * e[r]"),
    ],
    ("csrc/adjoint/normal.h", "test_adjoint.py test_adjoint_arrays.py"): [
        ("tile of the wrong rows", "*x = A->x + i0", "*x = A->x + j0"),
        ("tile overwrites", "d_load(place) + sum[k / nv][k % nv]", "sum[k / nv][k % nv]"),
        (
            "normal equations without weights",
            "d_set(A->w[r]) * d_load(y + v * DL)",
            "d_load(y + v * DL)",
        ),
        (
            "e'We weighted twice",
            "total += w[r] * e[r] * e[r]",
            "total += w[r] * w[r] * e[r] * e[r]",
        ),
        ("upper triangle", "JtWJ[i * P + j] = JtWJ[j * P + i] = total", "JtWJ[i * P + j] = total"),
    ],
    ("csrc/adjoint/small.h", "test_adjoint_small.py"): [
        ("small: rest of the rows lost", "for (; i < n; i++) {", "for (; i + 1 < n; i++) {"),
        ("small: chains lost", "for (int u = 1; u < U; u++)", "for (int u = 2; u < U; u++)"),
        (
            "small: residuals of the first block",
            "c + k * Nx, scale, d + k * P);                              \\",
            "c, scale, d + k * P);                              \\",
        ),
        ("small: columns beyond the first", "Nx, J + j, A->J_row, c", "Nx, J, A->J_row, c"),
        ("small: blocks side by side taken as one", "d_dot(Nx, J + k * A->J_block", "d_dot(Nx, J"),
        (
            "small: NaN passes",
            "? 0 : TW_ADJOINT_NOT_FINITE;\n}\n\n/* Whether",
            "? 0 : 0;\n}\n\n/* Whether",
        ),
    ],
    ("csrc/adjoint/sparse.h", "test_adjoint.py test_adjoint_arrays.py"): [
        ("indices unchecked above", "(size_t)j >= (size_t)A->P", "j < 0"),
        (
            "indptr unchecked",
            "row.first <= row.end && row.end <= A->n_stored",
            "row.end <= A->n_stored",
        ),
        ("twice the same place", "if (j <= i)", "if (j < i || t == u)"),
        ("sparse weights", "weighted * e;", "(double)J[t] * e;"),
        ("rows without elements", "d_all_finite(m, c) ? 0 : TW_ADJOINT_NOT_FINITE", "0"),
    ],
    ("csrc/adjoint/chunks.h", "test_adjoint.py test_adjoint_arrays.py"): [
        (
            "gaps between rows are read",
            "chunk.x = (const double *)J, chunk.step = A->J_row",
            "chunk.x = (const double *)J, chunk.step = A->P",
        ),
        ("padding accuses", "finite &= d_all_finite(i + 1, total + i * width)", "finite = 0"),
        ("rows of the first, column by column", "J[j * A->J_column + r]", "J[j * A->J_column]"),
    ],
    ("csrc/adjoint/narrow.h", "test_adjoint_small.py test_adjoint.py test_adjoint_arrays.py"): [
        ("narrow: weight forgotten", "weighted ? h_set(A->w[r + u]) * h_load(x + v * HL) :", ""),
        ("narrow: e'We unweighted", "we = weighted ? A->w[r + u] * e : e", "we = e"),
        ("narrow: rest of four rows lost", "if (whole < A->n)", "if (whole > A->n)"),
        ("narrow: the rest begins anew", "A->n - whole, 0, S)", "A->n - whole, is_first, S)"),
        ("narrow: each chunk begins anew", "t->is_first = 0;", "t->is_first = 1;"),
        (
            "narrow: right of the diagonal as rounded",
            "JtWJ[i * P + j] = S[j * width + i]",
            "JtWJ[i * P + j] = S[i * width + j]",
        ),
        (
            "narrow: not finite passes",
            "return finite || finite_rows(P, 0, P, S) ? 0 : TW_ADJOINT_NOT_FINITE;",
            "return 0 * finite;",
        ),
        (
            "narrow: small problems that are not finite pass",
            "found |= finite_rows(P, 0, P, S) ? 0 : TW_ADJOINT_NOT_FINITE",
            "found |= 0",
        ),
        (
            "narrow: weights of the first problem",
            "A->weights.at + k * A->weights.block : NULL",
            "A->weights.at : NULL",
        ),
        (
            "narrow: errors with gaps taken as without",
            "x->row == 1 && !x->is_float",
            "!x->is_float",
        ),
    ],
    ("csrc/adjoint/small.h", "test_adjoint_plain.py"): [
        (
            "small: scale of elements",
            "d[k] = scale * (c[k] * (double)J[k])",
            "d[k] = c[k] * (double)J[k]",
        ),
        (
            "small: scale of rows",
            "d_set(scale) * (d_set(c[k]) * d_load_real(J + j))",
            "d_set(c[k]) * d_load_real(J + j)",
        ),
        ("small: rows side by side", "J += A->J_block, d += P", "J += P, d += P"),
        ("small: last columns of a row", "d[j] = scale * (c[k] * (double)J[j])", "d[j] = 0"),
    ],
    ("src/thalweg/_core/adjoint.pyx", "test_adjoint_plain.py"): [
        ("plain: rows of another number", "view.shape[i] != J.shape[i]", "view.shape[i] < 0"),
        (
            "plain: elements of any kind",
            'return view if has_format(view, b"df") and whole_strides(view) else NULL',
            "return view if whole_strides(view) else NULL",
        ),
        ("plain: columns with gaps", "return A.J_column == 1 or", "return A.J_column != 0 or"),
        ("plain: numbers that are none", "return None if found else d", "return d"),
        ("plain: weights forgotten", "matrix, &A.weights)", "matrix, &A.e)"),
        ("plain: block of one row", "(A.Nx > 1 and A.J_row == 1)", "A.J_row == 1"),
    ],
}
