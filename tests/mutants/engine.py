"""Edits of damped least squares on tapes, and the tests that must notice them."""

EDITS = {
    ("csrc/tape/normal.h", "test_engine.py"): [
        (
            "weight not squared",
            "if (weight && kind == WEIGHTS)",
            "if (0)",
        ),
        (
            "weightless NaN counted",
            "weight ? v_and(v_load(weight + p * LANES + o) != 0, value) : value",
            "value",
        ),
        ("block not added", "v_load(s) + total[i][j]", "total[i][j]"),
    ],
    ("csrc/fit/step.h", "test_elimination.py"): [
        ("eliminate: nothing is", "begin_at_best(s, o + l);", ";"),
        (
            "eliminate: out of the box",
            "best < s->lower[at] ? s->lower[at] : best > s->upper[at] ? s->upper[at] : best",
            "best",
        ),
        (
            "eliminate: half a step",
            "s->theta[at] + s->covariance",
            "s->theta[at] + s->covariance[0] * 0 + 2 * s->covariance",
        ),
        (
            "eliminate: other columns",
            "tri(row, s->linear[j]), LOAD(s->sum",
            "tri(row, s->linear[j]), v_set(2) * LOAD(s->sum",
        ),
    ],
    ("csrc/fit/one.h", "test_elimination.py"): [
        ("eliminate: not for a fit alone", "-(one->job->eliminate != 0)", "0"),
    ],
    ("src/thalweg/fitting/elimination.py", "test_elimination.py"): [
        (
            "eliminate: starts count",
            "np.where(kept, start, nearest)",
            "np.where(True, start, nearest)",
        ),
        ("eliminate: any may be left out", "and j not in places", "and False"),
    ],
    ("csrc/base/numbers.h", "test_engine.py"): [
        ("triangle index", "return i * (i + 1) / 2 + j", "return i * (i - 1) / 2 + j"),
    ],
    ("csrc/base/simd.h", "test_engine.py test_sizes_sweeps.py"): [
        ("half of the lanes not added", "int half = (n) / 2;", "int half = (n) / 4;"),
    ],
    ("csrc/fit/lanes.h", "test_engine.py"): [
        (
            "residual sign, lanes",
            "v_load(y + p * LANES + o) - v_load(f.base + p * f.step + o)",
            "v_load(f.base + p * f.step + o) - v_load(y + p * LANES + o)",
        ),
        (
            "partial forgotten",
            "g->partial = 1;",
            "g->partial = 0;",
        ),
        ("stale lane", "begin_fit(&g->s, lane);", "if (fit < LANES) begin_fit(&g->s, lane);"),
    ],
    ("csrc/fit/lanes.h", "test_alone.py"): [
        ("alone: block begins early", "base[before + p]", "base[p]"),
        ("alone: last group lost", "groups_of(before + n)", "groups_of(n)"),
        (
            "alone: theta of the start",
            "if (g->alone)\n        set_theta",
            "if (0)\n        set_theta",
        ),
        ("alone: x of another fit", "last == 0 && !g->own_x &&", "last == 0 &&"),
    ],
    ("csrc/fit/points.h", "test_engine.py"): [
        (
            "residual sign, points",
            "v_load(w->y + p * LANES + v) - v_load(f.base + p * f.step + v)",
            "v_load(f.base + p * f.step + v) - v_load(w->y + p * LANES + v)",
        ),
        (
            "last chunk lost",
            "c < one->n_chunks; c++)\n            sum +=",
            "c < one->n_chunks - 1; c++)\n            sum +=",
        ),
        (
            "chunk order",
            "sum += one->chunk_sum[c * T + t]",
            "sum += one->chunk_sum[(one->threads > 1 ? one->n_chunks - 1 - c : c) * T + t]",
        ),
        ("padding weighs", "w->y[i] = w->weight[i] = 0", "w->y[i] = 0, w->weight[i] = 1"),
        ("x of the first fit", "(const real *)x[k] + fit * x_step[k]", "(const real *)x[k]"),
    ],
    ("csrc/fit/orthogonal.h", "test_engine.py"): [
        ("reflection factor", "tau = -head / beta", "tau = head / beta"),
    ],
    ("csrc/fit/orthogonal.h", "test_certificates.py"): [
        ("reflection sign", "-copysign(sqrt(", "copysign(sqrt("),
    ],
    ("csrc/fit/step.h", "test_engine.py"): [
        (
            "damping on no diagonal",
            "LOAD(s->sum, tri(i, i)) + LOAD(s->lambda, 0) * damping_scale(s, i, o)",
            "LOAD(s->sum, tri(i, i))",
        ),
        (
            "promise without damping",
            "g + LOAD(s->lambda, 0) * LOAD(s->scale2, i) * d : g",
            "g : g",
        ),
        ("promise of a cut step", "2 * gain - loss", "2 * gain + loss"),
        ("gtol not squared", "t->gtol * t->gtol", "t->gtol"),
        (
            "substitution",
            "LOAD(s->work, i) - r * LOAD(s->pivot, i)",
            "LOAD(s->work, i) + r * LOAD(s->pivot, i)",
        ),
        ("held is ignored", "v_sel(MASK(s->held, i), LOAD(s->step, i), d)", "d"),
        (
            "bound sticks",
            "(theta <= LOAD(s->lower, parameter)) & (descent <= 0)",
            "(theta <= LOAD(s->lower, parameter))",
        ),
        ("released outwards", "& (descent >= 0)", "& (descent <= 0)"),
        (
            "steps of held parameters forgotten",
            "r -= v_and(MASK(s->held, j)",
            "r -= 0 * v_and(MASK(s->held, j)",
        ),
        ("no step is shortened", "(real)1.21 * delta * delta", "(real)1e30 + delta"),
    ],
    ("csrc/fit/step.h", "test_bounds.py"): [
        (
            "lands beside the bound",
            "v_sel(held & (d < 0), LOAD(s->lower, parameter), trial)",
            "trial",
        ),
    ],
    ("csrc/fit/damped.h", "test_engine.py"): [
        (
            "lambda grows after success",
            "v_sel(v->kept, down, v_sel(v->rejected, up, lambda))",
            "v_sel(v->kept, up, v_sel(v->rejected, up, lambda))",
        ),
        ("lambda is not doubled", "v_min(2 * lambda,", "v_min(lambda,"),
        ("cubic sign", "1 - q * q * q", "1 + q * q * q"),
        ("noise rule", "(v.in_noise & level)", "v.in_noise"),
        ("rises are kept", "(v.actual > 0)", "(v.actual > -v.chi2)"),
        ("xtol absolute", "xtol * v_abs(LOAD(s->theta, s->free_theta[j]))", "xtol"),
        ("xtol without the residual", "limit = xtol * xtol * chi2", "limit = 0 * chi2"),
        ("exact too early", "16 * REAL_EPS * REAL_EPS * LOAD", "REAL_EPS * LOAD"),
        (
            "the region is not shortened",
            "v_sel(v->rejected, t * length,",
            "v_sel(v->rejected, delta,",
        ),
        (
            "a failed fit stays where it is",
            "LOAD(s->best_chi2, 0) < LOAD(s->sum, last)",
            "LOAD(s->best_chi2, 0) < 0 * LOAD(s->sum, last)",
        ),
    ],
    ("csrc/fit/damped.h", "test_promises.py"): [
        ("a slow fit goes on", "- now < slow_fall(s, t, now, o)", "- now < 0 * now"),
    ],
    ("csrc/fit/confirm.h", "test_engine.py"): [
        ("covariance of a bound", "(theta <= LOAD(s->lower, parameter))", "(theta != theta)"),
    ],
    ("csrc/fit/confirm.h", "test_certificates.py"): [
        (
            "the undamped step is not asked",
            "~(a.promised <= v_max(some * chi2, noise_of_promise(s, o)))",
            "(a.promised < 0)",
        ),
        (
            "the undamped step has no noise",
            "v_max(some * chi2, noise_of_promise(s, o))",
            "some * chi2",
        ),
        ("last step backwards", "1 / (1 - rate(s, o))", "-1 / (1 - rate(s, o))"),
    ],
    ("csrc/fit/confirm.h", "test_promises.py"): [
        ("a small step is enough", "~(a->small & a->level)", "~a->small"),
        (
            "columns are never lost",
            "(shrunk || vanished || (now > 0 && now < REAL_MIN / REAL_EPS))",
            "(shrunk && now < 0)",
        ),
        (
            "a column that shrinks is lost",
            "&& theta * theta * now <= NO_EFFECT * NO_EFFECT * chi2",
            "",
        ),
    ],
    ("csrc/fit/confirm.h", "test_flat_minima.py"): [
        ("asked for ever", "(MASK(s->in_vain, 0) > TRUST)", "(MASK(s->in_vain, 0) > 1000)"),
        ("a kink is a minimum", "vain & ~(flat & a->level)", "vain & 0"),
    ],
    ("csrc/fit/damped.h", "test_flat_minima.py"): [
        ("round and round", "stop(s, o, fine & v.in_noise & settled, TW_FTOL);", ""),
    ],
    ("csrc/fit/covariance.h", "test_engine.py"): [
        ("covariance factor", "scale = factor * s->work", "scale = 2 * factor * s->work"),
        ("singular not noticed", "!(inflation <= most)", "inflation < 0"),
        (
            "poor pivots trusted",
            "poor = factorise(s, POOR_PIVOT, o)",
            "factorise(s, POOR_PIVOT, o)",
        ),
    ],
    ("csrc/fit/covariance.h", "test_promises.py"): [
        (
            "a lost column is a success",
            "-1 : lost_effect(s, lane, RUN_OFF)",
            "-1 : lost_effect(s, lane, 0)",
        ),
    ],
    ("csrc/fit/certificate.h", "test_promises.py"): [
        ("nothing is ever proved", "where & (reduced > CANCELLED * chi2)", "where & (reduced < 0)"),
    ],
    ("csrc/fit/probes.h", "test_promises.py"): [
        ("what linear parameters start at", "trial[at] = 0;", "trial[at] = r->origin[i];"),
        ("the worst probe", "if (chi2[l] < least)", "if (least > 1e300 || chi2[l] > least)"),
    ],
    ("csrc/fit/attempts.h", "test_promises.py"): [
        ("the last attempt counts", "!(chi2 < r->chi2 * (1 - SAME) || as_low)", "chi2 < 0"),
        (
            "of equal attempts the last",
            "status > 0 && r->status <= 0;",
            "status > 0 || r->status <= 0;",
        ),
        ("no Newton steps", "k <= MOST_NEWTON", "k < 1"),
    ],
    ("csrc/fit/probes.h", "test_beyond_infinity.py"): [
        ("never beyond infinity", "return crossed < 0 || lowest < r->chi2 ||", "return 1 ||"),
        ("beyond infinity is here", "i == crossed ? -(real)pow", "i == crossed ? (real)pow"),
        ("only what was found to run off", "r->status <= 0; j++", "r->status == TW_DRIFT; j++"),
    ],
    ("csrc/fit/attempts.h", "test_beyond_infinity.py"): [
        ("a third attempt in vain", "r->alike = runs_off_alike(r)", "r->alike = 0"),
    ],
    ("csrc/fit/one.h", "test_poles.py"): [
        ("the last step is never undone", "    if (looks)\n", "    if (0)\n"),
    ],
    ("csrc/fit/one.h", "test_alone.py"): [
        (
            "the place before the last step is forgotten",
            "    if (looks) /* the last step may raise chi2 within its noise */\n",
            "    if (0)\n",
        ),
    ],
    ("csrc/fit/one.h", "test_called_leading.py"): [
        ("rough derivatives end a fit", "if (needs_renewal(one)) {", "if (0) {"),
        ("rough sums are remembered", "s->best_chi2[0] = (real)INFINITY;", ""),
        ("no status waits", "one->pending = small ? RUNNING : judged", "one->pending = RUNNING"),
    ],
    ("csrc/fit/one.h", "test_beyond_infinity.py"): [
        ("what runs off is not seen", "if (s->projecting && !first)\n", "if (0)\n"),
    ],
    ("csrc/fit/lanes.h", "test_beyond_infinity.py"): [
        (
            "what goes on is another fit",
            "copy_lane(&g->stopped, place, &g->s, lane, g->t.bounded);",
            "",
        ),
        ("weights of other lanes", "g->weight[i] = 1;", "g->weight[i] = 0;"),
        ("points counted wrongly", "g->stopped_used[place] = g->used[lane]", "(void)0"),
    ],
    ("csrc/fit/state.h", "test_beyond_infinity.py"): [
        ("damping stays behind", "COPY(lambda, 1);", ""),
        ("the step stays behind", "COPY(step, F);", ""),
    ],
    ("csrc/fit/engine.c", "test_beyond_infinity.py"): [
        (
            "the last wait for ever",
            "atomic_fetch_add(b->done, finish_stopped(g));\n            if",
            "if",
        ),
    ],
    ("csrc/fit/curvature.h", "test_promises.py"): [
        ("linear parameters stay", "LANES] += x[j];", "LANES] += 0 * x[j];"),
        ("what bends is no minimum", "<= NEWTON_STEP *", "< 0 *"),
    ],
    ("csrc/fit/curvature.h", "test_false_minima.py"): [
        ("a minimum that leads inwards", "    release_inwards(s);\n    int", "    int"),
    ],
    ("csrc/fit/curvature.h", "test_flat_minima.py"): [
        ("nothing bends", "return change2 > (size > 0", "return change2 < -(size > 0"),
    ],
    ("csrc/fit/confirm.h", "test_false_minima.py"): [
        ("held at a bound for good", "a.promised += promised_inwards(s, o);", ";"),
        (
            "a bound hides what its neighbours bring",
            "g * g / left_of_column(s, j, o)",
            "g * g / v_set(1)",
        ),
        ("a bound keeps what is nowhere", "brings <= NO_EFFECT * NO_EFFECT * chi2", "brings < 0"),
        ("a bound keeps what is flat", "!is_kept(s, lane, j) &&", "!s->held[j * LANES + lane] &&"),
    ],
    ("csrc/fit/confirm.h", "test_fuzz.py"): [
        ("a damped step is the last", "brief | (damped <=", "brief | (0 * damped <="),
        ("float rests on a slope", "a.slope = a.met &", "a.slope = a.met & ~a.met &"),
    ],
    ("csrc/fit/confirm.h", "test_promises_float32.py"): [
        ("rounding of chi2 hides a saddle", ": rounding));", ": v_max(COARSE * chi2, rounding)));"),
        ("a saddle beside smaller residuals", "POOR_POINTS ((real)640)", "POOR_POINTS ((real)200)"),
    ],
    ("csrc/fit/curvature.h", "test_promises_float32.py"): [
        ("far from a minimum in float", "PICK(1e-4, 1e-3)", "PICK(1e-4, 1)"),
    ],
    ("csrc/fit/outcome.h", "test_false_minima.py"): [
        ("any error is determined", "? largest / factor :", "? most :"),
    ],
    ("csrc/fit/outcome.h", "test_called_noise.py"): [
        ("errors of J tell all", "job->jacobian_error * TRUSTED > 1 ?", "0 ?"),
    ],
    ("csrc/fit/outcome.h", "test_saddles.py"): [
        (
            "what has stayed is not asked",
            "may_be_saddle(job, s, fit, lane, status) ? STAYED : DONE",
            "may_be_saddle(job, s, fit, lane, status) ? DONE : DONE",
        ),
        (
            "the last attempt may end at a saddle",
            "status > 0 ? status : TW_NOT_RUN) ? STAYED",
            "status > 0 ? status : TW_NOT_RUN) ? DONE",
        ),
        ("the noise of differences is a move", "? NO_MOVE : NO_MOVE_BY_CALLS", "? 0 : NO_MOVE"),
    ],
    ("csrc/fit/saddle.h", "test_saddles.py"): [
        ("all stays where it is", "- slope < -downwards", "- slope < -1 / downwards"),
        ("all is a saddle", "- slope < -downwards", "- slope < 1 / downwards"),
        ("calls know no curvature", "one->curved || one->job->call;", "one->curved != NULL;"),
        (
            "a second difference beyond a bound",
            "middle = theta < lower + h ? lower + h",
            "middle = 0 ? 0",
        ),
        (
            "the rounding of a second difference leads out",
            "below = middle - h > lower ?",
            "below = middle < INFINITY ?",
        ),
        ("a second difference in other units", "*w2 *= unit2 * unit2, *slope *= unit2;", ""),
        ("a step that bends nothing", "h *= factor < 1 / BENT ? factor : 1 / BENT;", "break;"),
        ("a step that bends too much", "h *= factor > 0 ? factor : 1 / ALIKE;", "break;"),
    ],
    ("csrc/fit/probes.h", "test_saddles.py"): [
        ("0 stays 0", "r->origin[i] == 0 ? probe_from_zero(r, j, k, factor) :", ""),
        ("a probe beyond its bound", "? -theta : theta;", "? theta : theta;"),
    ],
    ("csrc/fit/attempts.h", "test_saddles.py"): [
        ("a saddle is a success", "is_at_saddle(r->one, r->origin))", "0)"),
        ("one attempt is followed by others", "job->most_attempts > 1 && !settled", "!settled"),
    ],
    ("csrc/fit/sample.h", "test_engine.py"): [
        (
            "bounds of the first fit",
            "ROW(real, job->lower, job->bound_step)[j]",
            "((const real *)job->lower)[j]",
        ),
        ("NaN is used", "!(y[i] != y[i])", "1"),
        ("sigma squared", "1 / error", "1 / (error * error)"),
        ("fixed counted as free", "n -= ROW(uint8_t", "n -= 0 * ROW(uint8_t"),
    ],
    ("csrc/fit/outcome.h", "test_engine.py"): [
        (
            "covariance without chi2 / dof",
            "job->absolute_sigma ? 1 :",
            "job->absolute_sigma || 1 ? 1 :",
        ),
    ],
    ("src/thalweg/_core/buffers.pyx", "test_one_row.py"): [
        ("NaN of a row overlooked", "if value != value:", "if False:"),
        ("infinity of a row overlooked", 'found = "infinite"', 'found = "finite"'),
        ("rows of two lengths", " and of_x.shape[0] == of_y.shape[0]", ""),
    ],
    ("csrc/tape/run.h", "test_engine.py"): [
        ("later blocks read the first", "o.base + start * o.advance", "o.base"),
        ("operand loaded once too often", "if (sa == 0 && sc == 0)", "if (sa == 0)"),
        (
            "lanes of a fit alone not computed",
            "run_lanes(code, n_code, start, n, out_start, VL)",
            "run_lanes(code, n_code, start, n, out_start, 0)",
        ),
    ],
    ("csrc/tape/operations.h", "test_tape.py"): [
        ("fnma sign", "c - a * b", "c + a * b"),
        ("fms sign", "a *b - c", "a *b + c"),
        ("where swaps", "v_sel(a != 0, b, c)", "v_sel(a != 0, c, b)"),
        ("less or equal", "TW_OP2(less, v_bool(a < b))", "TW_OP2(less, v_bool(a <= b))"),
    ],
}
