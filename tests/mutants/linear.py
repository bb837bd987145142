"""Edits of the kernels of linear models, and the tests that must notice them."""

_KERNELS, _MINIMA = "test_linear_kernels.py", "test_linear_minima.py"
_UNITS = "test_linear_units.py"

EDITS = {
    ("csrc/linear/gap.h", _KERNELS): [
        ("errors make no scale smaller", "q[j] + off, c.scale", "q[j], c.scale"),
        ("errors make no term larger", "return term > other ? term : other;", "return term;"),
        ("errors bring nothing to rest", "fabs(slope) + off)", "fabs(slope))"),
        ("gap without the scale's loss", "0.5 * (1 - c.scale) * (1 - c.scale) * rr", "0 * rr"),
        ("dual point not scaled", "return each->l1[j] / fabs(q);", "return s;"),
        ("conjugate without l2", "copysign(size, z) / l2", "copysign(INFINITY, z)"),
        ("conjugate beyond the bounds", "m = clipped(m, each->lower[j]", "m = clipped(m, m"),
        ("term without l1", "- l1 * (fabs(m) - fabs(t));", "- 0 * (fabs(m) - fabs(t));"),
        ("assumption not counted", "c.conditional += unheld ||", "c.conditional += 0 &&"),
        ("overflow is no gap", "return INFINITY;", "return 0;"),
        ("kkt without the norm", "* sqrt(square);", "* 1;"),
        (
            "coordinates that were not chosen",
            "        const ptrdiff_t j = chosen_at(which, k);\n        if (theta[j] != 0)",
            "        const ptrdiff_t j = k;\n        if (theta[j] != 0)",
        ),
        ("penalty without l2", "0.5 * each->l2[j] * theta[j] * theta[j]", "0 * theta[j]"),
    ],
    ("csrc/linear/factor.h", _MINIMA): [
        ("last columns not updated", "else if (j < m)", "else if (0)"),
        ("last two vectors are one", "if (j + DL < m)", "if (0)"),
        ("row above forgotten", "-row[i], row + j, u->U", "-0 * row[i], row + j, u->U"),
        ("rows of a panel alone", "        trailing_update(u, begin, next, end, from, m);\n", ""),
        (
            "old columns again",
            "tiles_update(u, first, end, i, most(i, from), m);",
            "tiles_update(u, first, end, i, i, m);",
        ),
        ("no root of the pivot", "row[k] = sqrt(row[k]);", "row[k] = row[k];"),
        ("back substitution", "x[k] - times(m - k - 1,", "x[k] - 0 * times(m - k - 1,"),
    ],
    ("csrc/linear/newton.h", _MINIMA): [
        (
            "l1 pushes the other way",
            "s->theta[j] > 0 ? l1 : s->theta[j] < 0 ? -l1",
            "s->theta[j] > 0 ? -l1 : s->theta[j] < 0 ? l1",
        ),
        ("l2 not in the factor", "to[k] += s->p->each.l2[s->order[k]] + ridge", "to[k] += ridge"),
        (
            "search ends at the first break",
            "        stop_at(s, heap_pop(",
            "        breaks = 0, stop_at(s, heap_pop(",
        ),
        ("stop goes on", "s->value[k] = stop, s->d[k] = 0;", "s->value[k] = stop;"),
        ("kink passed", "return has_kink ? 0 : bound;", "return bound;"),
        (
            "slopes not moved",
            "add_times(s->p->C, -way, s->v, s->q);",
            "add_times(s->p->C, 0, s->v, s->q);",
        ),
        (
            "bounded coordinates are free",
            "t > each->lower[j] && t < each->upper[j] &&",
            "t >= each->lower[j] &&",
        ),
        (
            "new order keeps the old rows",
            "        s->n_order = m;\n        return 0;",
            "        s->n_order = m;\n        return keep;",
        ),
    ],
    ("csrc/linear/solve.h", _MINIMA): [
        ("sweep leaves the slopes", "add_times(s->p->C, t - value,", "add_times(s->p->C, 0,"),
        ("no Newton step", "if (spent < WORTH * cost && settled", "if (1 || settled"),
        ("a Newton step each time", "if (spent < WORTH * cost && settled", "if (0 && settled"),
        (
            "sweeps are waited for however slow",
            "? log(target / gap) / log(gap / before) : INFINITY",
            "? 0 : 0",
        ),
        ("a factor from the beginning each time", "k * k * (3 * m - 2 * k)", "0 * k"),
        ("a factor is not kept", "if (p->again)\n", "if (0)\n"),
        ("a factor is no reason to begin by it", "if (s->n_order && p->rounds > 0)", "if (0)"),
        (
            "gap of the start's residual",
            "rr -= (s->theta[j] - s->theta_0[j])",
            "rr -= 0 * (s->theta[j] - s->theta_0[j])",
        ),
        (
            "right-hand sides share a start",
            "s->theta = p->theta + i * p->C, s->q = p->q + i * p->C;",
            "s->theta = p->theta, s->q = p->q;",
        ),
    ],
    ("csrc/linear/passes.h", _KERNELS): [
        (
            "mean stays in products",
            "(d_load_real(q->x[k] + i) - mean[k]);\n    for",
            "d_load_real(q->x[k] + i);\n    for",
        ),
        (
            "last rows of products lost",
            "sum[k] += u[i] * ((double)q->x[k][i] - q->mean[k]);",
            "sum[k] += 0 * u[i];",
        ),
        ("moments unweighted", "wy = w ? d_load(w + i) * y : y;", "wy = y;"),
        (
            "last rows are not taken",
            "way += step[k] * ((double)q->x[k][i]",
            "way += 0 * ((double)q->x[k][i]",
        ),
        (
            "one chunk",
            "for (ptrdiff_t chunk = 0; chunk < p->chunks; chunk++)",
            "for (ptrdiff_t chunk = 0; chunk < 1; chunk++)",
        ),
        ("rows of a tile beyond the first", "q->x[k][i * c->row_step];", "q->x[k][0];"),
        ("a residual is not weighted", "u[i] = w ? w[i] * r[i] : r[i];", "u[i] = r[i];"),
        (
            "a residual's products come first",
            "            pass_chunk(p->before, chunk, tile);\n            weigh_rows(",
            "            weigh_rows(",
        ),
    ],
    ("csrc/linear/gram_strip.h", "test_linear_small.py"): [
        ("products of the rest alone", "product[k] += v * a[k];", ""),
        ("products of squares alone", "u ? u[r] * y : 0;", "0;"),
        ("u of the first rows", "g->u ? g->u + i : NULL", "g->u"),
    ],
    ("csrc/linear/gram_strip.h", _KERNELS): [
        ("squares keep their means", "d_load_real(x[k] + r) - mean[k];", "d_load_real(x[k] + r);"),
        ("squares unweighted", "root ? d_load(root + r) * a[k] : a[k];", "a[k];"),
        ("squares as they are", "        transpose(a);\n", ""),
        (
            "columns keep their means",
            "(double)x[k][r * c->row_step] - mean[k];",
            "(double)x[k][r * c->row_step];",
        ),
        ("rows unweighted", "(element)(root ? root[r] * y : y)", "(element)y"),
        ("weights of the first block", "g->root + (i - g->begin) : NULL", "g->root : NULL"),
        ("what is known is added to", "k = most(0, g->known - i);", "k = 0;"),
        ("diagonal a vector short", "(i - first) / lanes + 1;", "(i - first) / lanes;"),
        ("one block of rows", "row < rows; row += BLOCK_ROWS", "row < 1; row += BLOCK_ROWS"),
        (
            "columns a vector short",
            "pieces(g->which.m - first, lanes) * lanes",
            "(g->which.m - first) / lanes * lanes",
        ),
    ],
    ("csrc/linear/dense_gram.h", _KERNELS): [
        ("one half alone", "g->gram[j * step + i] = g->gram[i * step + j];", ";"),
        ("new rows are mirrored once", "other < least(first + MIRRORED, m);", "other < first;"),
        ("known rows lack the new columns", "other = 0; other <", "other = g->known; other <"),
        ("rows that are copied at once, and no more", "g->begin = g->end) {", "g->begin = c->n) {"),
    ],
    ("csrc/linear/csc.h", _KERNELS): [
        ("last value lost", "if (k < s.end)\n        even +=", "if (0)\n        even +="),
        ("mean stays in products", "(p->c->mean ? p->c->mean[j] * p->total : 0)", "0"),
        ("weight of zeros forgotten", "weight > 0 ? weight * m * m : 0", "0 * weight"),
        ("means not given back", "r[i] += means;", "r[i] += 0 * means;"),
        (
            "Gram matrix of the columns as they are",
            "(c->mean ? c->mean[other] : 0)",
            "0",
        ),
        ("column stays scattered", "z[row_at(c, l)] = 0;", "z[row_at(c, l)] += 0;"),
        ("means are rounding", "some_cancel(&p) ? pivot_row(c) : -1", "-1"),
        ("rows that are not stored", "product - (sum - seen) * pivot", "product"),
        ("about the pivot, not the mean", "(z[i] - off), sum += z[i]", "z[i], sum += z[i]"),
        (
            "centred column stays",
            "    if (!about_zero)\n        memset",
            "    if (0)\n        memset",
        ),
    ],
    ("csrc/linear/csc.h", "test_linear_refusals.py"): [
        ("what overflows is constant", " || !(about_zero <= DBL_MAX);", ";"),
    ],
    ("csrc/linear/moments.h", _KERNELS): [
        ("no second look", "if (square > CANCELS * out->square[j])", "if (0)"),
        (
            "square about the pivot",
            "out->square[j] = square - first * off;",
            "out->square[j] = square;",
        ),
        (
            "overflow is constant",
            "!varies(out->square[j], whole)",
            "!(out->square[j] > CONSTANT * whole)",
        ),
        ("constant columns", "varies(square, weight * mean * mean) ? square : 0", "square"),
    ],
    ("csrc/linear/small.h", "test_linear_small.py"): [
        ("rounding has a Gram matrix", "k < P && s->square[j] == 0;", "k < 0;"),
        ("residual unweighted", "w ? w[i] * s->residual[i] : s->residual[i]", "s->residual[i]"),
        ("b keeps its mean", "p->b[i] - s->mean;", "p->b[i];"),
        ("the intercept of no column", "p->mean[j] * p->theta[j];", "0;"),
        (
            "start outside its bounds",
            "clipped(start, p->each.lower[j],",
            "clipped(start, -INFINITY,",
        ),
        ("the start's residual is b", "    if (placed)\n        renew(p, s, watch);", ""),
        (
            "certificate of the start once more",
            "    renew(p, s, watch);\n    return certified(",
            "    return certified(",
        ),
        ("rounding of the Gram matrix does not count", "s->error = additions *", "s->error = 0 *"),
        ("any digits are enough", "2 * way * s->error <= DIGITS * s->rr", "1"),
        ("an assumed gap is enough", " && !now.found.conditional)", ")"),
        ("products with b alone", "s->theta_0[j] - p->theta[j], s->G", "0, s->G"),
        (
            "a part never grows",
            "!s->inside[j] && s->square[j] > 0 && moves",
            "!p->n_iter && moves",
        ),
        ("any part is small", "WHOLE * s->part.m <= PART * p->columns.P", "1"),
        (
            "the part's slopes are the first ones",
            "s->q_of[k] = s->product[j];",
            "s->q_of[k] = s->product[k];",
        ),
        ("most columns move", "2 * moving >= c->P", "1"),
        ("a round in any case", "p->state[0].found.gap > p->wanted && p->max_iter > 0", "1"),
    ],
    ("csrc/linear/small.h", "test_linear_difficult.py"): [
        ("a conditional gap is enough", "if (!is_plain || now", "if (1 || now"),
    ],
    ("csrc/linear/moments.h", _UNITS): [
        ("lost squares are zeros", "(square == 0 && is_lost(c, j))", "0"),
        ("any value is lost", "return most_said == 1;", "return most_said > 0;"),
        ("the last value of a sparse column", "k < end && most_said < 2;", "k < first + 1;"),
    ],
    ("csrc/linear/small.h", _UNITS): [
        ("b of any size", "if (is_out_of_range(p, size, s->target))", "if (0)"),
        ("a start of any size", "if (size == 0 && is_out_of_range", "if (0 && is_out_of_range"),
    ],
}
