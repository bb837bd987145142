"""Edits of block pivoting and of many right-hand sides, and the tests that must notice them."""

EDITS = {
    ("csrc/linear/pivot_factor.h", "test_pivot.py"): [
        ("half of a matrix depends on the other", "DEPENDENT = 8,", "DEPENDENT = 1 << 30,"),
        (
            "held coordinates take nothing away",
            "for (ptrdiff_t i = 0; g->general && i < P; i++)",
            "for (ptrdiff_t i = 0; g->general && i < 0; i++)",
        ),
        (
            "what depends on others is not remembered",
            "either(lost, flags_at(g->dependent + kk * LINE))",
            "flags_at(g->dependent + kk * LINE)",
        ),
        (
            "no new solution where something went to a bound",
            "either(both(lost, away), flags_at(g->again))",
            "either(but_not(away, away), flags_at(g->again))",
        ),
    ],
    ("csrc/linear/pivot_factor.h", "test_sizes_pivot.py"): [
        ("a row of L lost", "for (; a <= n; a++)", "for (; a < n; a++)"),
    ],
    ("csrc/linear/pivot_exchange.h", "test_pivot.py"): [
        ("no tie", "line_of((double)(P + 1) * DBL_EPSILON / 4)", "line_of(0)"),
        ("the caller's noise ignored", "terms), line_at(g->noise));", "terms), line_of(0));"),
        (
            "what is at its upper bound rises",
            "both(below(zero, y), below(x, upper))",
            "below(zero, y)",
        ),
        (
            "what is at its lower bound falls",
            "both(below(y, zero), below(lower, x))",
            "below(y, zero)",
        ),
        (
            "above the bound is right",
            "either(below(x, lower), below(upper, x));\n    const flags inward",
            "below(x, lower);\n    const flags inward",
        ),
        (
            "full exchanges for ever",
            "const flags begins = but_not(flags_at(g->active), either(full, apart));",
            "const flags begins = none_of();",
        ),
        (
            "a descent at once",
            "put_line(g->tries, where(better, line_of(TRIES),",
            "put_line(g->tries, where(better, line_of(0),",
        ),
        (
            "a descent goes all the way",
            "share = where(both(met, below(room, share)), room, share);",
            "(void)met;",
        ),
        (
            "a descent frees all that is wrong",
            "either(full, but_not(descends, taken))",
            "either(full, descends)",
        ),
        ("the objective counts twice", "times(line_of(0.5), x)", "times(line_of(1), x)"),
        (
            "the reach is that of the scaled columns",
            "size_of(line_at(g->x + j * LINE)), line_of(r->length[j])",
            "size_of(line_at(g->x + j * LINE)), line_of(1)",
        ),
        (
            "the first of a descent's exchanges",
            "for (ptrdiff_t j = (P - 1) * LINE; j >= 0; j -= LINE) {",
            "for (ptrdiff_t j = 0; j < P * LINE; j += LINE) {",
        ),
    ],
    ("csrc/linear/pivot_group.h", "test_pivot.py"): [
        (
            "zeros are negative",
            "plus(line_within(x, line_at(g->low + k), line_at(g->high + k)), line_of(0))",
            "line_within(x, line_at(g->low + k), line_at(g->high + k))",
        ),
        (
            "theta in the unit of the scaled columns",
            "times(line_at(g->x + k), line_of(r->scale[j]))",
            "times(line_at(g->x + k), line_of(1))",
        ),
        ("bounds in the unit of theta", "lower = low[j] * r->inverse_scale[j]", "lower = low[j]"),
        (
            "nobody leaves its upper bound",
            "either(below(zero, upper), below(c, zero))",
            "none_of()",
        ),
        (
            "what is under way begins again",
            "where(fresh, line_at(g->home + k), line_at(g->x + k))",
            "line_at(g->home + k)",
        ),
        (
            "what depended still does",
            "but_not(flags_at(g->dependent + k), fresh)",
            "flags_at(g->dependent + k)",
        ),
        (
            "exchanges of the last problem count on",
            "g->tries[l] = TRIES, g->rounds[l] = 0;\n    g->again",
            "g->tries[l] = TRIES;\n    g->again",
        ),
        (
            "the bounds of the first problem for all",
            "job->lower + m * job->bound_step,",
            "job->lower,",
        ),
    ],
    ("csrc/linear/pivot_start.h", "test_pivot.py"): [
        (
            "what is outside stays free",
            "but_not(free, both(moves, either(under, above)))",
            "free",
        ),
        (
            "the first exchange does not count",
            "where(moves, line_of(1), line_at(g->rounds))",
            "line_at(g->rounds)",
        ),
        ("an exchange that is none counts", "both(whole, below(zero, count))", "whole"),
        ("an exchange beyond the limit", "r->job->max_iter < 1 || ", ""),
        ("columns that depend are no matter", " || list_free(g, P) < P)", ")"),
        ("u without d", "r->whole_L[tri(k, l)] * g->d[l * LINE]", "r->whole_L[tri(k, l)]"),
    ],
    ("csrc/linear/pivot.c", "test_pivot.py"): [
        (
            "whatever is left is a minimum",
            "f->violation[l] <= f->tie[l]         ? TW_PIVOT_ROUNDING",
            "f->violation[l] >= 0 ? TW_PIVOT_ROUNDING",
        ),
        ("overflow is a minimum", "f->tie[l] <= DBL_MAX && sum[l] == 0", "f->tie[l] <= DBL_MAX"),
        (
            "the upper triangle is read",
            "job->G[j * P + i] * r->scale[i]",
            "job->G[i * P + j] * r->scale[i]",
        ),
        (
            "one exchange more than allowed",
            "below(line_at(g->rounds), line_of(r->job->max_iter))",
            "below(line_at(g->rounds), line_of(r->job->max_iter + 1.0))",
        ),
    ],
    ("src/thalweg/linear/many.py", "test_many.py"): [
        (
            "no rounding of the Gram matrix",
            "done.violation + t.gamma * (norm + done.reach)",
            "done.violation",
        ),
        ("the gap of columns at right angles", "self.kkt**2 / t.least", "self.kkt**2"),
        (
            "a square that has no digits left",
            "rough = t.gamma * (s.norm + s.reach) ** 2 > _DIGITS * s.left",
            "rough = s.left < 0",
        ),
        ("corrections that make it worse", "better = after < before", "better = after > before"),
        (
            "a correction forgets where it started",
            "t.lower - theta, t.upper - theta",
            "t.lower, t.upper",
        ),
        (
            "weights left out of c",
            "C[part] = (t.WA.T @ b).T",
            "C[part] = (t.A.T @ b).T",
        ),
        ("l2 left out of the gradient", "y = r.T @ t.WA - theta * t.l2", "y = r.T @ t.WA"),
    ],
}
