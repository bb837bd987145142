"""Edits of fits that share parameters, and the tests that must notice them."""

EDITS = {
    ("csrc/fit/arrow.h", "test_shared.py"): [
        ("shared block not reduced", "shared[d], o) - explained(&p, c, d, o)", "shared[d], o)"),
        ("right side not reduced", "shared[c], o) - explained(&p, c, b->S, o)", "shared[c], o)"),
        ("damping forgotten", "a + lambda * scale_of(p, local[i], o)", "a"),
        ("held step not subtracted", "p->b->t.bounded && i < p->b->F", "0 && i < p->b->F"),
        (
            "local step alone",
            "d -= LOAD(p->at[SOLVED], c * L + i)",
            "d -= 0 * LOAD(p->at[SOLVED], c * L + i)",
        ),
        (
            "no cut at a bound",
            "outside = (below | above) & ~held",
            "outside = (below & above) & ~held",
        ),
        (
            "every lane held",
            "const ivec asked = (ivec)LOAD(p->at[KEEP], 0);",
            "const ivec asked = ~(ivec){0};",
        ),
        (
            "largest scale forgotten",
            "v_max(LOAD(p.at[SUM], tri(j, j)), LOAD(p.at[SCALE2], j))",
            "LOAD(p.at[SUM], tri(j, j))",
        ),
        (
            "x of the first member",
            "memcpy(g->m.point, p->at[POINTS],",
            "if (!k) memcpy(g->m.point, p->at[POINTS],",
        ),
        ("last step keeps chi2", "v_max(chi2 - LOAD(p.at[SHARE], 0), v_set(0))", "chi2"),
    ],
    ("csrc/fit/arrow.h", "test_shared_members.py"): [
        ("absent members count", "v_and(alive, trial)", "trial"),
        (
            "dim members unasked",
            "return v_and(~(promised <= v_max(little, noise_of_member(p, size2, o))), promised);",
            "return 0 * little;",
        ),
    ],
    ("csrc/fit/teams.h", "test_shared.py"): [
        (
            "members of a piece lost",
            "i < least(begin + PIECE, t->n); i++) {",
            "i < least(begin + PIECE, t->n) - (begin > 0); i++) {",
        ),
        ("members moved without data", "b->fit_at[to] = b->fit_at[from];", ""),
        (
            "first not moved",
            "t->first = b->n_places;\n        b->n_places += t->n;",
            "b->n_places += t->n;",
        ),
        (
            "packet not computed",
            "least(first + PACKETS_AT_ONCE, n); k++)",
            "least(first + PACKETS_AT_ONCE, n - 1); k++)",
        ),
    ],
    ("csrc/fit/team.h", "test_shared.py"): [
        ("slow unnoticed", "t->status = SLOW, t->state = TEAM_MAY_STOP;", ";"),
        ("rejected trials kept", "fall > 0 || (in_noise", "1 || (in_noise"),
        ("damping not adapted", "t->promised <= t->noise ? 0.1 : cubic", "1"),
        ("shared damping forgotten", "a += i == j && !t->held[i] ? D2 : 0;", ""),
        ("shared bound passed", "t->held[c] = cut = 1;", ""),
        (
            "step not measured",
            "t->small = t->sums[LONG] == 0 && is_small_step(b, t);",
            "t->small = 1;",
        ),
    ],
    ("csrc/fit/team_outcome.h", "test_shared.py"): [
        (
            "sign of the covariance",
            "return -w->WV[(-1 - q) * b->S + r];",
            "return w->WV[(-1 - q) * b->S + r];",
        ),
        (
            "shared uncertainty forgotten",
            "w->K[tri(i, j)] += w->WV",
            "w->K[tri(i, j)] += 0 * w->WV",
        ),
        ("dof of all points", "(double)(t->used - t->n_free), chi2", "(double)t->used, chi2"),
    ],
    ("csrc/fit/team_outcome.h", "test_shared_members.py"): [
        ("absent members without the shared", "(real)t->theta[c];", "(real)NAN;"),
        ("undetermined unnoticed", "if (*detail >= 0)\n        return TW_SINGULAR;", ""),
        (
            "shared undetermined unnoticed",
            "const int unknown = c == weak ||",
            "const int unknown =",
        ),
    ],
    ("csrc/fit/team_begin.h", "test_shared_members.py"): [
        ("points not counted", "data->used >= count_local(b, fit)", "1"),
        (
            "not finite members stay",
            "if (!mask_at(b, ALIVE, place, 0) || (finite && input < 0))",
            "if (1)",
        ),
    ],
    ("csrc/fit/teams.h", "test_shared_members.py"): [
        (
            "team of too few points",
            "return t->lead >= 0 && t->used >= t->n_free;",
            "return t->lead >= 0;",
        ),
    ],
    ("csrc/fit/team_confirm.h", "test_shared.py"): [
        (
            "no confirmation",
            "if (weak < 0 && !(level && unsettled == 0)) {",
            "if (0) {",
        ),
        ("nobody leaves", "const int leaves = asked && (i >= 0 || all);", "const int leaves = 0;"),
    ],
    ("src/thalweg/fitting/groups.py", "test_shared_members.py"): [
        ("nothing beyond infinity", "if places.size:", "if False:"),
        ("no second attempt", "if not failed.any() or not", "if True or not"),
    ],
    ("src/thalweg/fitting/shared.py", "test_shared.py test_shared_members.py"): [
        (
            "order of groups lost",
            'order = np.argsort(number, kind="stable")',
            "order = np.argsort(number)[::-1]",
        ),
        ("median of one", "ordered[low] / 2 + ordered[high] / 2", "ordered[high]"),
    ],
}
