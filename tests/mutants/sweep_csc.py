"""Edits of coordinate-descent sweeps over sparse columns, and the tests that must notice them."""

EDITS = {
    ("csrc/sweep/csc.h", "test_sweep_csc.py"): [
        (
            "last value of a column lost",
            "                    end - start};",
            "                    end - start - (end > start)};",
        ),
        (
            "values of the next column",
            "(const real *)job->values + start,",
            "(const real *)job->values + start + (end < job->nnz),",
        ),
        ("any column is a run of rows", " == c->n - 1;", " >= c->n - 1;"),
        (
            "rest of a run unweighted",
            "sum[0] += (double)a[k] * (w ? w[k] * r[k] : r[k]);",
            "sum[0] += (double)a[k] * r[k];",
        ),
        ("weights of a run from the first row", "w ? w + first : NULL", "w"),
        ("last value of a run lost", "for (; k < n; k++)", "for (; k + 1 < n; k++)"),
        (
            "last value of a product lost",
            "for (; k < c.n; k++)\n        sum[0]",
            "for (; k + 1 < c.n; k++)\n        sum[0]",
        ),
        (
            "short columns are added",
            "r[index_at(c.row, is_long, k)] -= d * (double)c.value[k];\n        return;",
            "r[index_at(c.row, is_long, k)] += d * (double)c.value[k];\n        return;",
        ),
        (
            "values of four rows turned round",
            "d * (double)c.value[k - 1 - l]",
            "d * (double)c.value[k - 4 + l]",
        ),
        ("first row of a column stays", "while (k-- > 0)", "while (--k > 0)"),
        (
            "many: weight dropped",
            "const double a = (double)c->value[k] * (w ? w[i] : 1);",
            "const double a = (double)c->value[k] * (w ? 1 : 1);",
        ),
        ("many: odd values lost", "even[v] + odd[v]", "even[v]"),
        (
            "many: first row of a column stays",
            "k = c.n; k-- > 0;) {\n        double",
            "k = c.n; --k > 0;) {\n        double",
        ),
    ],
    ("csrc/base/numbers.h", "test_sweep_csc_refusals.py"): [
        (
            "int64 index truncated",
            "(ptrdiff_t)((const int64_t *)indices)[k]",
            "(int32_t)((const int64_t *)indices)[k]",
        ),
    ],
    ("csrc/sweep/csc.h", "test_sweep_csc_refusals.py"): [
        (
            "duplicated rows accepted",
            "falls |= index_at(c.row, is_long, k - 1) >=",
            "falls |= index_at(c.row, is_long, k - 1) >",
        ),
        (
            "row n accepted",
            "index_at(c.row, is_long, c.n - 1) >= n;",
            "index_at(c.row, is_long, c.n - 1) > n;",
        ),
        ("negative rows of unsorted columns", "outside |= index_at", "outside |= 0 * index_at"),
        ("values before the first column", "(j == 0 && start != 0)", "(j == 0 && start < 0)"),
    ],
    ("csrc/sweep/greedy.h", "test_sweep_csc.py"): [
        (
            "last of equals",
            "t->promise[left] >= t->promise[right]",
            "t->promise[left] > t->promise[right]",
        ),
        (
            "worst of two",
            "t->promise[left] >= t->promise[right]",
            "t->promise[left] <= t->promise[right]",
        ),
        ("an old promise wins", "best == t->best[node] && best != j", "best == t->best[node]"),
        (
            "gradients spread unweighted",
            "d * (double)c.value[k] * (job->weights ? job->weights[i] : 1);",
            "d * (double)c.value[k];",
        ),
        ("gradients spread upwards", "t->g[other] -= moved", "t->g[other] += moved"),
        ("listed for ever", "t->listed[other] = 0;", "t->listed[other] = 1;"),
        ("an empty column keeps its promise", "ptrdiff_t listed = 1;", "ptrdiff_t listed = 0;"),
        ("last row lost", "pass == 0 && i < job->n; i++)", "pass == 0 && i + 1 < job->n; i++)"),
        ("gradients begin unweighted", "r, job->weights, AHEAD", "r, NULL, AHEAD"),
    ],
    ("csrc/sweep/sparse.c", "test_sweep_csc.py"): [
        ("curvature unweighted", "(w ? w[index_at(c.row, is_long, k)] * a : a) * a", "a * a"),
        ("weights counted, not added", "job->weights ? 0 : (double)job->n", "(double)job->n"),
        ("mean unweighted", "sum += weight * (double)c.value[k]", "sum += (double)c.value[k]"),
        ("rows that are not stored have no deviation", "rest * mean * mean : 0", "0 : 0"),
        (
            "constant columns compete with the intercept",
            "centered > noise * noise * curvature ? centered : 0",
            "centered",
        ),
        ("cyclic whatever the order", "order ? order[t] : t", "t % job->P"),
        ("known means forgotten", "job->curvature ? job->mean :", "job->curvature ? NULL :"),
        (
            "known curvatures unused, and none computed",
            "job->curvature ? job->curvature : TAKE",
            "TAKE",
        ),
        (
            "offset unweighted",
            "s->offset[l] * p->total_weight * p->mean[j]",
            "s->offset[l] * p->mean[j]",
        ),
        ("offset grows", "s->offset[l] -= p->mean[j] * d[l]", "s->offset[l] += p->mean[j] * d[l]"),
        ("the last right-hand side decides", "moves |= u.change", "moves = u.change"),
        (
            "change of the first right-hand side",
            "change[l] = larger(change[l]",
            "change[l] = larger(change[0]",
        ),
        ("greedy in one half", "s->t.best[1]", "s->t.best[job->P > 1 ? 2 : 1]"),
        ("intercept unweighted", "w ? w[k / W] * s->r[k] : s->r[k]", "s->r[k]"),
        ("intercept not relaxed", "d = relaxation * way", "d = way"),
        ("intercept moves back", "s->intercept[l] += shift[l]", "s->intercept[l] -= shift[l]"),
        ("offset stays", "s->offset[l] = 0;\n        s->change", "s->change"),
        (
            "change of the intercept not reported",
            "larger(s->change[l], fabs(shift[l]))",
            "s->change[l]",
        ),
        ("fall of the intercept", "(way - 0.5 * d)", "(way - d)"),
        (
            "r is computed without theta",
            "subtract(c, theta[0], s->exact",
            "subtract(c, 0 * theta[0], s->exact",
        ),
        (
            "drift of the last row",
            "larger(drift[k % W], fabs(s->r[k] - s->exact[k]))",
            "fabs(s->r[k] - s->exact[k])",
        ),
        (
            "drift not reported",
            "memcpy(job->drift + first, drift, (size_t)lanes * sizeof *drift)",
            "memset(job->drift + first, 0, (size_t)lanes * sizeof *drift)",
        ),
        (
            "b of the first block",
            "job->b[k / W * job->M + first + l]",
            "job->b[k / W * job->M + l]",
        ),
        ("order of the first sweep", "job->order + k * job->order_step", "job->order"),
        (
            "falls add up over the sweeps",
            "memset(s->fall, 0, sizeof s->fall)",
            "memset(s->fall, 0, k ? 0 : sizeof s->fall)",
        ),
        ("centered from where it was", "job->centered && k == 0", "job->centered && k < 0"),
    ],
    ("csrc/sweep/sparse.c", "test_sweep_csc_refusals.py"): [
        ("NaN passes", "!(curvature <= DBL_MAX)", "curvature > DBL_MAX"),
    ],
    ("csrc/sweep/csc.h", "test_giants.py"): [
        ("row numbers in 32 bits", "k * (is_long ? 8 : 4)", "(int32_t)(k * (is_long ? 8 : 4))"),
        (
            "starts in 32 bits",
            "(const real *)job->values + start,",
            "(const real *)job->values + (int32_t)start,",
        ),
    ],
    ("csrc/sweep/coordinate.h", "test_sweep_csc.py"): [
        (
            "sparse: no threshold below zero",
            "size = fabs(z) - each->l1[j];",
            "size = fabs(z) - (z > 0 ? each->l1[j] : 0);",
        ),
        (
            "sparse: minimum outside the bounds",
            "/ curvature : 0, each->lower[j], each->upper[j]",
            "/ curvature : 0, -INFINITY, INFINITY",
        ),
        ("sparse: no upper bound", "least > upper ? upper : least", "least"),
        (
            "sparse: relaxed out of the bounds",
            "value = clipped(theta + omega * (minimum - theta), each->lower[j], each->upper[j]);",
            "value = theta + omega * (minimum - theta);",
        ),
    ],
    ("csrc/sweep/sparse.c", "test_sweep_csc.py::test_greedy_matches_reference"): [
        ("greedy, gradients without the offset", "- (p->mean ? s->offset[0] *", "- (p->mean ? 0 *"),
        (
            "greedy, offset that stays",
            "s->offset[0] -= p->mean ?",
            "s->offset[0] -= 0 && p->mean ?",
        ),
        (
            "greedy, the last of the best",
            "if (s->t.promise[j] > s->t.promise[best])",
            "if (s->t.promise[j] < s->t.promise[best])",
        ),
    ],
    ("src/thalweg/kernels/_sweep_gram.py", "test_sweep_gram.py"): [
        ("columns without pivot forgotten", "G[product.row, product.col] += product.data", "pass"),
        ("ones beside sparse columns", "G[dense, :P] += side.T", "pass"),
        ("heaviest row of many values", "heaviest[np.argmin(", "heaviest[np.argmax("),
    ],
}
