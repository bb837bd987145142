"""Edits of damped least squares on tapes, and the tests that must notice them."""

EDITS = {
    ("csrc/normal.h", "test_engine.py"): [
        (
            "weight not squared",
            "w2 = v_load(weight + p * LANES + o) * v_load(weight + p * LANES + o)",
            "w2 = v_load(weight + p * LANES + o)",
        ),
        (
            "weightless NaN counted",
            "weight ? v_and(v_load(weight + p * LANES + o) > 0, value) : value",
            "value",
        ),
        ("triangle index", "return i * (i + 1) / 2 + j", "return i * (i - 1) / 2 + j"),
        ("block not added", "v_load(s) + total[i][j]", "total[i][j]"),
    ],
    ("csrc/lanes.h", "test_engine.py"): [
        (
            "residual sign, lanes",
            "v_load(y + p * LANES + o) - v_load(f.base + p * f.step + o)",
            "v_load(f.base + p * f.step + o) - v_load(y + p * LANES + o)",
        ),
        (
            "partial forgotten",
            "g->partial |= job->sigma != NULL || data.used < job->n_points",
            "g->partial |= 0",
        ),
        ("stale lane", "begin_fit(&g->s, lane);", "if (fit < LANES) begin_fit(&g->s, lane);"),
    ],
    ("csrc/points.h", "test_engine.py"): [
        (
            "residual sign, points",
            "v_load(r->y + p * LANES + v) - v_load(f.base + p * f.step + v)",
            "v_load(f.base + p * f.step + v) - v_load(r->y + p * LANES + v)",
        ),
        (
            "last chunk lost",
            "c < o->n_chunks; c++)\n            sum +=",
            "c < o->n_chunks - 1; c++)\n            sum +=",
        ),
        (
            "chunk order",
            "sum += o->chunk_sum[c * T + t]",
            "sum += o->chunk_sum[(o->threads > 1 ? o->n_chunks - 1 - c : c) * T + t]",
        ),
        ("padding weighs", "r->y[i] = r->weight[i] = 0", "r->y[i] = 0, r->weight[i] = 1"),
        ("x of the first fit", "(const real *)x[k] + fit * x_step[k]", "(const real *)x[k]"),
    ],
    ("csrc/orthogonal.h", "test_engine.py"): [
        ("diagonal not scaled back", "*diagonal = beta * largest", "*diagonal = beta"),
        ("reflection factor", "* (-head / beta)", "* (head / beta)"),
    ],
    ("csrc/orthogonal.h", "test_certificates.py"): [
        ("reflection sign", "-copysign(sqrt(", "copysign(sqrt("),
    ],
    ("csrc/step.h", "test_engine.py"): [
        (
            "damping on no diagonal",
            "LOAD(s->sum, tri(i, i)) + damping(s, i, o)",
            "LOAD(s->sum, tri(i, i))",
        ),
        (
            "promise without damping",
            "d * (g + LOAD(s->lambda, 0) * LOAD(s->scale2, i) * d)",
            "d * g",
        ),
        ("promise of a cut step", "2 * gain - loss", "2 * gain + loss"),
        ("gtol not squared", "t->gtol * t->gtol", "t->gtol"),
        (
            "gtol of a cut step",
            "~cut & (LOAD(s->promised, 0) <= least)",
            "(LOAD(s->promised, 0) <= least)",
        ),
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
    ],
    ("csrc/step.h", "test_bounds.py"): [
        (
            "stopped lanes leave the box",
            "(status >= RUNNING) & (status <= TW_GTOL)",
            "status == RUNNING",
        ),
        (
            "lands beside the bound",
            "v_sel(held & (d < 0), LOAD(s->lower, parameter), trial)",
            "trial",
        ),
    ],
    ("csrc/damped.h", "test_engine.py"): [
        ("lambda grows after success", "v_sel(kept, down, up)", "v_sel(kept, up, down)"),
        ("nu does not double", "v_min(2 * nu, v_set((real)0x1p60))", "nu"),
        ("cubic sign", "1 - q * q * q", "1 + q * q * q"),
        ("scale is not the maximum", "v_max(trial, before)", "trial"),
        ("noise rule", "(in_noise & (actual >= -noise))", "in_noise"),
        ("rises are kept", "(actual > 0)", "(actual > -chi2)"),
        (
            "noise of the model forgotten",
            "size2 = v_max(theta * theta * LOAD(s->sum, tri(j, j)), size2)",
            "size2 += 0 * theta",
        ),
        ("xtol absolute", "xtol * v_abs(LOAD(s->theta, s->free_theta[j]))", "xtol"),
        ("xtol without the residual", "limit = xtol * xtol * chi2", "limit = 0 * chi2"),
        ("ftol ignores the promise", "(promised <= t->ftol * chi2) & ", ""),
        (
            "ftol absolute",
            "(promised <= t->ftol * chi2) & (actual <= t->ftol * chi2)",
            "(promised <= t->ftol) & (actual <= t->ftol)",
        ),
        ("exact too early", "16 * REAL_EPS * REAL_EPS * LOAD", "REAL_EPS * LOAD"),
        (
            "second attempt keeps the worse",
            "LOAD(s->first_sum, last) < LOAD(s->sum, last)",
            "LOAD(s->first_sum, last) > LOAD(s->sum, last)",
        ),
    ],
    ("csrc/damped.h", "test_fit.py"): [
        (
            "rejected step converges",
            "stop(s, o, moved & small_step(",
            "stop(s, o, ~fresh & small_step(",
        ),
    ],
    ("csrc/covariance.h", "test_engine.py"): [
        ("covariance factor", "? 0 : factor * s->unit", "? 0 : 2 * factor * s->unit"),
        ("covariance of a bound", "(theta <= LOAD(s->lower, parameter))", "(theta != theta)"),
        ("singular not noticed", "!(inflation <= most)", "inflation < 0"),
        (
            "poor pivots trusted",
            "poor = factorise(s, POOR_PIVOT, o)",
            "factorise(s, POOR_PIVOT, o)",
        ),
    ],
    ("csrc/covariance.h", "test_certificates.py"): [
        ("the undamped step is not asked", "asked = met & ~poor", "asked = 0 & ~poor"),
        (
            "the undamped step has no noise",
            "v_max(SLACK * least * chi2, noise)",
            "SLACK * least * chi2",
        ),
    ],
    ("csrc/covariance.h", "test_flat_minima.py"): [
        ("asked for ever", "(MASK(s->in_vain, 0) > TRUST)", "(MASK(s->in_vain, 0) > 1000)"),
        ("a kink is a minimum", "g * g <= FLAT *", "0 * g <="),
        ("a flat place is a kink", "g * g <= FLAT *", "g * g <= 0 *"),
    ],
    ("csrc/damped.h", "test_flat_minima.py"): [
        ("round and round", "stop(s, o, moved & in_noise & settled, TW_FTOL);", ""),
    ],
    ("csrc/sample.h", "test_engine.py"): [
        (
            "bounds of the first fit",
            "ROW(real, job->lower, job->bound_step)[j]",
            "((const real *)job->lower)[j]",
        ),
        ("NaN is used", "!(y[i] != y[i])", "1"),
        ("sigma squared", "1 / error", "1 / (error * error)"),
        ("fixed counted as free", "n -= ROW(uint8_t", "n -= 0 * ROW(uint8_t"),
    ],
    ("csrc/outcome.h", "test_engine.py"): [
        (
            "covariance without chi2 / dof",
            "job->absolute_sigma ? 1 :",
            "job->absolute_sigma || 1 ? 1 :",
        ),
    ],
    ("csrc/tape.h", "test_engine.py"): [
        ("later blocks read the first", "o.base + start * o.advance", "o.base"),
        ("operand loaded once too often", "if (sa == 0 && sc == 0)", "if (sa == 0)"),
    ],
    ("csrc/tape_ops.h", "test_tape.py"): [
        ("fnma sign", "c - a * b", "c + a * b"),
        ("fms sign", "a *b - c", "a *b + c"),
        ("where swaps", "v_sel(a != 0, b, c)", "v_sel(a != 0, c, b)"),
        ("less or equal", "TW_OP2(less, v_bool(a < b))", "TW_OP2(less, v_bool(a <= b))"),
    ],
}
