"""Break the engine on purpose and expect the tests to notice: ``python tests/mutants.py [name]``.

A test that has never failed proves nothing.  Each mutant is one edit of a file in csrc/ or in
src/thalweg/_core/.  It is built in a copy of the source, for the instruction set that every
processor has, and the tests of `SUITE` must fail there.  Mutants that survive are printed and make
the exit status 1; so does an edit whose text is no longer in the file.  The source tree itself is
not touched.

Needs what an editable install needs (cmake, ninja, cython, cython-cmake) and the extra ``test``.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import cython_cmake

ROOT = Path(__file__).resolve().parent.parent
SUITE = [
    "test_graph.py",
    "test_tape.py",
    "test_engine.py",
    "test_invariance.py",
    "test_certificates.py",
    "test_bounds.py",
    "test_peer_cases.py",
    "test_fit.py",
    "test_vecmath.py",
    "test_quadratic.py",
    "test_sweep.py",
    "test_sweep_csc.py",
    "test_adjoint.py",
    "test_mse.py",
]
PLACES = ("csrc", "src/thalweg/_core")
TIME_LIMIT = 120  # seconds; a mutant that never ends is noticed too


class Mutant(NamedTuple):
    """One edit: ``old``, which occurs once in ``file``, becomes ``new``."""

    name: str
    file: str
    old: str
    new: str


MUTANTS = [
    # sums
    Mutant("weight not squared", "normal.h",
           "w2 = v_load(weight + p * LANES + o) * v_load(weight + p * LANES + o)",
           "w2 = v_load(weight + p * LANES + o)"),
    Mutant("weightless NaN counted", "normal.h",
           "weight ? v_and(v_load(weight + p * LANES + o) > 0, value) : value", "value"),
    Mutant("triangle index", "normal.h",
           "return i * (i + 1) / 2 + j", "return i * (i - 1) / 2 + j"),
    Mutant("block not added", "normal.h", "v_load(s) + total[i][j]", "total[i][j]"),
    Mutant("residual sign, lanes", "lanes.h",
           "v_load(y + p * LANES + o) - v_load(f.base + p * f.step + o)",
           "v_load(f.base + p * f.step + o) - v_load(y + p * LANES + o)"),
    Mutant("residual sign, points", "points.h",
           "v_load(r->y + p * LANES + v) - v_load(f.base + p * f.step + v)",
           "v_load(f.base + p * f.step + v) - v_load(r->y + p * LANES + v)"),
    Mutant("last chunk lost", "points.h", "c < o->n_chunks; c++)\n            sum +=",
           "c < o->n_chunks - 1; c++)\n            sum +="),
    Mutant("chunk order", "points.h", "sum += o->chunk_sum[c * T + t]",
           "sum += o->chunk_sum[(o->threads > 1 ? o->n_chunks - 1 - c : c) * T + t]"),
    Mutant("padding weighs", "points.h",
           "r->y[i] = r->weight[i] = 0", "r->y[i] = 0, r->weight[i] = 1"),
    Mutant("partial forgotten", "lanes.h",
           "g->partial |= job->sigma != NULL || data.used < job->n_points", "g->partial |= 0"),
    # orthogonal factorisation
    Mutant("reflection sign", "orthogonal.h", "-copysign(sqrt(", "copysign(sqrt("),
    Mutant("diagonal not scaled back", "orthogonal.h",
           "*diagonal = beta * largest", "*diagonal = beta"),
    Mutant("reflection factor", "orthogonal.h", "* (-head / beta)", "* (head / beta)"),
    # steps
    Mutant("damping on no diagonal", "step.h", "LOAD(s->sum, tri(i, i)) + damping(s, i, o)",
           "LOAD(s->sum, tri(i, i))"),
    Mutant("lambda grows after success", "damped.h",
           "v_sel(kept, down, up)", "v_sel(kept, up, down)"),
    Mutant("nu does not double", "damped.h", "v_min(2 * nu, v_set((real)0x1p60))", "nu"),
    Mutant("cubic sign", "damped.h", "1 - q * q * q", "1 + q * q * q"),
    Mutant("scale is not the maximum", "damped.h", "v_max(trial, before)", "trial"),
    Mutant("noise rule", "damped.h", "(in_noise & (actual >= -noise))", "in_noise"),
    Mutant("rises are kept", "damped.h", "(actual > 0)", "(actual > -chi2)"),
    Mutant("rejected step converges", "damped.h", "stop(s, o, moved & small_step(",
           "stop(s, o, ~fresh & small_step("),
    Mutant("the undamped step is not asked", "covariance.h", "resume = met & ~poor",
           "resume = 0 & ~poor"),
    Mutant("the undamped step has no noise", "covariance.h",
           "v_max(SLACK * least * chi2, noise_of_chi2(s, o))", "SLACK * least * chi2"),
    Mutant("stopped lanes leave the box", "step.h", "(status >= RUNNING) & (status <= TW_GTOL)",
           "status == RUNNING"),
    Mutant("noise of the model forgotten", "damped.h",
           "size2 = v_max(theta * theta * LOAD(s->sum, tri(j, j)), size2)", "size2 += 0 * theta"),
    Mutant("xtol absolute", "damped.h", "xtol * v_abs(LOAD(s->theta, s->free_theta[j]))",
           "xtol"),
    Mutant("xtol without the residual", "damped.h", "limit = xtol * xtol * chi2",
           "limit = 0 * chi2"),
    Mutant("ftol ignores the promise", "damped.h", "(promised <= t->ftol * chi2) & ", ""),
    Mutant("ftol absolute", "damped.h",
           "(promised <= t->ftol * chi2) & (actual <= t->ftol * chi2)",
           "(promised <= t->ftol) & (actual <= t->ftol)"),
    Mutant("exact too early", "damped.h", "16 * REAL_EPS * REAL_EPS * LOAD", "REAL_EPS * LOAD"),
    Mutant("promise without damping", "step.h",
           "d * (g + LOAD(s->lambda, 0) * LOAD(s->scale2, i) * d)", "d * g"),
    Mutant("promise of a cut step", "step.h", "2 * gain - loss", "2 * gain + loss"),
    Mutant("gtol not squared", "step.h", "t->gtol * t->gtol", "t->gtol"),
    Mutant("gtol of a cut step", "step.h", "~cut & (LOAD(s->promised, 0) <= least)",
           "(LOAD(s->promised, 0) <= least)"),
    Mutant("substitution", "step.h", "LOAD(s->work, i) - r * LOAD(s->pivot, i)",
           "LOAD(s->work, i) + r * LOAD(s->pivot, i)"),
    Mutant("second attempt keeps the worse", "damped.h",
           "LOAD(s->first_sum, last) < LOAD(s->sum, last)",
           "LOAD(s->first_sum, last) > LOAD(s->sum, last)"),
    # bounds
    Mutant("held is ignored", "step.h", "v_sel(MASK(s->held, i), LOAD(s->step, i), d)", "d"),
    Mutant("bound sticks", "step.h", "(theta <= LOAD(s->lower, parameter)) & (descent <= 0)",
           "(theta <= LOAD(s->lower, parameter))"),
    Mutant("released outwards", "step.h", "& (descent >= 0)", "& (descent <= 0)"),
    Mutant("steps of held parameters forgotten", "step.h", "r -= v_and(MASK(s->held, j)",
           "r -= 0 * v_and(MASK(s->held, j)"),
    Mutant("lands beside the bound", "step.h",
           "v_sel(held & (d < 0), LOAD(s->lower, parameter), trial)", "trial"),
    Mutant("bounds of the first fit", "sample.h", "ROW(real, job->lower, job->bound_step)[j]",
           "((const real *)job->lower)[j]"),
    # data and results
    Mutant("NaN is used", "sample.h", "!(y[i] != y[i])", "1"),
    Mutant("sigma squared", "sample.h", "1 / error", "1 / (error * error)"),
    Mutant("fixed counted as free", "sample.h", "n -= ROW(uint8_t", "n -= 0 * ROW(uint8_t"),
    Mutant("covariance without chi2 / dof", "outcome.h", "job->absolute_sigma ? 1 :",
           "job->absolute_sigma || 1 ? 1 :"),
    Mutant("covariance factor", "covariance.h",
           "? 0 : factor * s->unit", "? 0 : 2 * factor * s->unit"),
    Mutant("covariance of a bound", "covariance.h",
           "(theta <= LOAD(s->lower, parameter))", "(theta != theta)"),
    Mutant("singular not noticed", "covariance.h", "!(inflation <= most)", "inflation < 0"),
    Mutant("poor pivots trusted", "covariance.h", "poor = factorise(s, POOR_PIVOT, o)",
           "factorise(s, POOR_PIVOT, o)"),
    # tapes and their layout
    Mutant("later blocks read the first", "tape.h", "o.base + start * o.advance", "o.base"),
    Mutant("x of the first fit", "points.h",
           "(const real *)x[k] + fit * x_step[k]", "(const real *)x[k]"),
    Mutant("fnma sign", "tape_ops.h", "c - a * b", "c + a * b"),
    Mutant("fms sign", "tape_ops.h", "a *b - c", "a *b + c"),
    Mutant("where swaps", "tape_ops.h", "v_sel(a != 0, b, c)", "v_sel(a != 0, c, b)"),
    Mutant("less or equal", "tape_ops.h",
           "TW_OP2(less, v_bool(a < b))", "TW_OP2(less, v_bool(a <= b))"),
    Mutant("stale lane", "lanes.h",
           "begin_fit(&g->s, lane);", "if (fit < LANES) begin_fit(&g->s, lane);"),
    # graphs and how they are lowered
    Mutant("constants are one", "graph.pyx",
           "and memcmp(&node.value, &other.value, sizeof(double)) == 0", ""),
    Mutant("operands as they come", "simplify.pxi", "    if g.at[a].order <= g.at[b].order:",
           "    if a <= b:"),
    Mutant("hash without operands", "graph.pyx", "at[node.ids[k]].order % INTEGERS", "k"),
    Mutant("sign of a factor", "simplify.pxi", "return _neg(g, _mul(g, a, right.ids[0]))",
           "return _mul(g, a, right.ids[0])"),
    Mutant("difference of constants", "simplify.pxi",
           "left.value - g.at[right.ids[0]].value", "left.value + g.at[right.ids[0]].value"),
    Mutant("scale of a higher stage", "simplify.pxi",
           "if node.depends | of_scale != whole:", "if node.depends | of_scale == whole:"),
    Mutant("condition twisted", "simplify.pxi",
           "c, a, b = g.at[c].ids[0], b, a", "c = g.at[c].ids[0]"),
    Mutant("a product fused twice", "lower.pyx", "or self.user[sum.ids[place]] != 1", ""),
    Mutant("fms for fnma", "lower.pyx", "FNMA if place else FMS", "FMS if place else FNMA"),
    Mutant("outputs overwritten", "lower.pyx",
           "self.user[self.walk.outputs[n]] = -1  # for ever", "pass"),
    Mutant("registers given back twice", "lower.pyx",
           "self.user[j] = -1  # given back once, even if it is both operands", "pass"),
    Mutant("registers given back early", "lower.pyx", "self.user[j] == i and", ""),
    Mutant("swapped difference", "value.pyx",
           "op, self.lift(other), self._id, 0)", "op, self._id, self.lift(other), 0)"),
    # the quadratic loss
    Mutant("quadratic: diagonal twice", "quadratic.c", "value = multiply_add(x[r], s_r + t, value)",
           "value = multiply_add(x[r], t + t, value)"),
    Mutant("quadratic: upper seen as lower", "quadratic.c",
           "upper ? r + 1 : 0; c < (upper ? R : r)", "0; c < r"),
    Mutant("quadratic: gradient without mirror", "quadratic.c",
           "y_j += b_rj * x_row[r]", "y_j += 0 * b_rj * x_row[r]"),
    Mutant("quadratic: gradient of the block", "quadratic.c",
           "y[i + c] = multiply_add(b[c], x[r], y[i + c])", "y[i + c] += 0"),
    Mutant("quadratic: gradient halved", "quadratic.c",
           "gradient[j] = 2 * sum", "gradient[j] = sum"),
    Mutant("quadratic: theta* forgotten", "quadratic.c", "job->theta[j] - job->theta_star[j]",
           "job->theta[j] - 0 * job->theta_star[j]"),
    Mutant("quadratic: last part lost", "quadratic.c",
           "for (ptrdiff_t part = 0; part < p->parts; part++)",
           "for (ptrdiff_t part = 0; part < p->parts - (p->parts > 1); part++)"),
    Mutant("quadratic: parts of the gradient lost", "quadratic.c", "sum += p->y[part * B->P + j]",
           "sum += 0"),
    Mutant("quadratic: parts by the threads", "quadratic.c",
           "tw_parallel(part_task, p, p->parts, threads, NULL)",
           "p->parts = p->parts > threads ? threads : p->parts, "
           "tw_parallel(part_task, p, p->parts, threads, NULL)"),
    Mutant("quadratic: remainder of a band skipped", "quadratic.c",
           "else\n        for (ptrdiff_t r = 0; r < count; r++)",
           "else\n        for (ptrdiff_t r = 1; r < count; r++)"),
    Mutant("quadratic: row of the packed upper triangle", "triangle.h", "(2 * B->P - i - 1) / 2",
           "(2 * B->P - i) / 2"),
    Mutant("quadratic: square compared with itself", "triangle.h", "b + j * step + k, step)",
           "b + k * step + j, step)"),
    Mutant("quadratic: remainder not compared", "triangle.h",
           "bits |= memcmp(", "bits |= 0 & memcmp("),
    Mutant("quadratic: segment not compared", "triangle.h", "j = from; j < least(to, whole)",
           "j = from + SQUARE; j < least(to, whole)"),
    Mutant("quadratic: verdict of a part lost", "quadratic.c",
           "symmetric &= check ? p->symmetric[part]",
           "symmetric &= check ? p->symmetric[0]"),
    Mutant("quadratic: symmetrised from one side", "quadratic.c",
           "row(B, i)[j] / 2 + row(B, j)[i] / 2",
           "row(B, i)[j]"),
    Mutant("quadratic: many, diagonal not halved", "quadratic_many.h", "(j == i + k ? 2 : 1)", "1"),
    Mutant("quadratic: many, the other triangle counted", "quadratic_many.h",
           "else if (j <= i + k)",
           "else"),
    Mutant("quadratic: many, own theta* shared", "quadratic_many.h",
           "r->job->theta_star + first * step", "r->job->theta_star"),
    Mutant("quadratic: many, theta* of the first point of a group", "quadratic_many.h",
           "w_load(star + m * step + j)", "w_load(star + j)"),
    Mutant("quadratic: many, factor two", "quadratic_many.h", "job->gradient ? 1 : 2",
           "job->gradient ? 1 : 1"),
    Mutant("quadratic: many, blocks lost", "quadratic_many.h", "value += r->partial[",
           "value = r->partial["),
    Mutant("quadratic: many, last tile of a chunk lost", "quadratic_many.h",
           "t < least(t0 + TILES, tiles)", "t < least(t0 + TILES - 1, tiles)"),
    Mutant("quadratic: many, second batch reads the first", "quadratic_many.h",
           "pack_points(r, r->first + t * THETAS + m",
           "pack_points(r, t * THETAS + m"),
    Mutant("quadratic: sparse, diagonal lost", "quadratic_csr.h", "on = data[k];", "on = 0;"),
    Mutant("quadratic: sparse, no mirror", "quadratic_csr.h",
           "y[j * L + l] = multiply_add(data[k], x[i * L + l], y[j * L + l])", "y[j * L + l] += 0"),
    Mutant("quadratic: sparse, bad rows trusted", "quadratic_csr.h",
           "B->upper ? j >= last || j < 0 : j <= last || j >= B->P", "j < 0 || j >= B->P"),
    Mutant("quadratic: sparse, unsorted accepted", "quadratic_csr.h", "!(last < j && j < B->P)",
           "!(0 <= j && j < B->P)"),
    Mutant("quadratic: sparse, values not compared", "quadratic_csr.h",
           "!(data[n] == data[k])", "0"),
    Mutant("quadratic: sparse, unmet partners", "quadratic_csr.h",
           "if (next[i] != index_at(is_long, B->start, i + 1))", "if (next[i] < 0)"),
    # sweeps
    Mutant("sweep: soft threshold", "coordinate.h",
           "size > 0 ? copysign", "z != 0 ? copysign"),
    Mutant("sweep: curvature without l2", "coordinate.h", "curvature = c + each->l2[j]",
           "curvature = c + 0 * each->l2[j]"),
    Mutant("sweep: zero column", "coordinate.h", "each->l1[j] > 0 ? clipped(0,",
           "each->l1[j] < 0 ? clipped(0,"),
    Mutant("sweep: relaxation", "coordinate.h", "theta + omega * (minimum - theta)", "minimum"),
    Mutant("sweep: across the kink", "coordinate.h", "omega > 1 && each->l1[j] > 0",
           "omega > 2 && each->l1[j] > 0"),
    Mutant("sweep: fall", "coordinate.h", "g - 0.5 * c * d", "g - c * d"),
    Mutant("sweep: fall of l1", "coordinate.h",
           "each->l1[j] * (fabs(value) - fabs(theta)) -", "0 -"),
    Mutant("sweep: fall of l2", "coordinate.h", "0.5 * each->l2[j] * d", "each->l2[j] * d"),
    Mutant("sweep: weight twice", "columns.h", "weighted ? w_load(w + i) * column[k]",
           "weighted ? w_load(w + i) * w_load(w + i) * column[k]"),
    Mutant("sweep: last rows unweighted", "columns.h", "b->weights ? b->weights[i] : 1", "1"),
    Mutant("sweep: lanes not turned back", "columns.h",
           "b->sum[k] = w_turn(s[k], (WL - turn) % WL)",
           "b->sum[k] = s[k]"),
    Mutant("sweep: last rows lost", "columns.h",
           "    for (; i < end; i++)\n        walk_row(b, i);\n}",
           "    for (; i + 1 < end; i++)\n        walk_row(b, i);\n}"),
    Mutant("sweep: odd columns stay", "columns.h", "even += odd);", "even);"),
    Mutant("sweep: packed by columns only", "columns.h", "from[k][i * step[k]]", "from[k][i]"),
    Mutant("sweep: gradient inside the block", "sweep.c", "g[l] -= gram", "g[l] -= 0 * gram"),
    Mutant("sweep: Gram matrix of the first block", "sweep.c",
           "job->gram + number * WIDTH * WIDTH", "job->gram + 0 * number"),
    Mutant("sweep: Gram matrix taken as known", "sweep.c",
           "!t->job->gram_known && phase < t->blocks", "0 && phase < t->blocks"),
    Mutant("sweep: one chunk", "sweep.c", "for (ptrdiff_t c = 1; c < t->chunks; c++)",
           "for (ptrdiff_t c = 1; c < t->chunks - 1; c++)"),
    Mutant("sweep: change of all sweeps", "sweep.c",
           "*fall = job->change[m] = 0;", "*fall = 0;"),
    Mutant("sweep: not finite passes", "sweep.c", "!(gram[k * WIDTH + k] <= DBL_MAX)", "0"),
    Mutant("sweep: step of one right-hand side", "sweep.c", "t->step + m * WIDTH, b.residual",
           "t->step, b.residual"),
    Mutant("sweep: greedy takes the least", "sweep.c", "if (fall > most)",
           "if (fall < most || most < 0)"),
    Mutant("sweep: q stays", "sweep.c", "q[k] -= row[k] * u.change", "q[k] -= 0 * u.change"),
    # sums over Jacobians
    Mutant("permutation of the stream", "adjoint_rows.h",
           "lane[l] = (first + l) / P", "lane[l] = (first + l + 1) / P % DL"),
    Mutant("lanes sorted wrongly", "adjoint_rows.h",
           "j = j + 1 == P ? 0 : j + 1", "j = j + 1 == P ? 0 : j"),
    Mutant("stream over gaps", "adjoint_rows.h", "A->P <= FEW && A->J_row == A->P", "A->P <= FEW"),
    Mutant("rest of the stream lost", "adjoint_rows.h",
           "c += whole, n -= whole", "c += whole, n = 0"),
    Mutant("strip of the first columns", "adjoint_rows.h",
           "q % A->Nx * A->J_row + c0 * A->J_column", "q % A->Nx * A->J_row"),
    Mutant("scale of the sum forgotten", "adjoint_rows.h",
           "d[j] = s->scale * total[j]", "d[j] = total[j]"),
    Mutant("NaN passes", "dense.h", "return rest == 0", "return !(rest > 0)"),
    Mutant("rest of a dot product", "dense.h",
           "total += (double)x[i] * y[i]", "total -= (double)x[i] * y[i]"),
    Mutant("second product, few columns", "adjoint_rows.h",
           "for (int j = 1; j < P; j++)", "for (int j = 2; j < P; j++)"),
    Mutant("columns multiplied into what was there", "adjoint_rows.h",
           "memset(y, 0, (size_t)n * sizeof *y)", "(void)y"),
    Mutant("splits added twice", "sums.h",
           "step < p->splits; step *= 2", "step < p->splits; step += 1"),
    Mutant("last split lost", "sums.h", "r + step < p->splits", "r + 2 * step < p->splits"),
    Mutant("rows across blocks", "sums.h", "is_flat ? n : least(n, Nx - q % Nx)", "n"),
    Mutant("blocks take the rows of the first", "sums.h",
           "from = (const type *)x->at + q / Nx * x->block",
           "from = (const type *)x->at"),
    Mutant("weights forgotten", "sums.h", "c[r] = w[r] * e[r]", "c[r] = e[r]"),
    Mutant("errors squared", "sums.h", "c[r] = w[r] * e[r]", "c[r] = w[r] * e[r] * e[r]"),
    Mutant("tile of the wrong rows", "adjoint_normal.h", "*x = A->x + i0", "*x = A->x + j0"),
    Mutant("tile overwrites", "adjoint_normal.h",
           "d_load(place) + sum[k / nv][k % nv]", "sum[k / nv][k % nv]"),
    Mutant("normal equations without weights", "adjoint_normal.h",
           "d_set(A->w[r]) * d_load(y + v * DL)", "d_load(y + v * DL)"),
    Mutant("e'We weighted twice", "adjoint_normal.h",
           "total += w[r] * e[r] * e[r]", "total += w[r] * w[r] * e[r] * e[r]"),
    Mutant("gaps between rows are read", "adjoint_normal.h",
           "part.step = A->J_row", "part.step = A->P"),
    Mutant("upper triangle", "adjoint_normal.h",
           "JtWJ[i * P + j] = JtWJ[j * P + i] = total",
           "JtWJ[i * P + j] = total"),
    Mutant("padding accuses", "adjoint_normal.h",
           "finite &= d_all_finite(i + 1, total + i * width)", "finite = 0"),
    Mutant("indices unchecked above", "adjoint_sparse.h", "(size_t)j >= (size_t)A->P", "j < 0"),
    Mutant("indptr unchecked", "adjoint_sparse.h",
           "row.first <= row.end && row.end <= A->n_stored", "row.end <= A->n_stored"),
    Mutant("twice the same place", "adjoint_sparse.h", "if (j <= i)", "if (j < i || t == u)"),
    Mutant("sparse weights", "adjoint_sparse.h", "weighted * e;", "(double)J[t] * e;"),
    Mutant("rows without elements", "adjoint_sparse.h",
           "d_all_finite(m, c) ? 0 : TW_FOUND_NOT_FINITE", "0"),
    Mutant("operand loaded once too often", "tape.h",
           "if (sa == 0 && sc == 0)", "if (sa == 0)"),
    # sums over samples
    Mutant("samples beyond the last are summed", "loss.c",
           "for (ptrdiff_t l = 0; l < rest; l++) {",
           "for (ptrdiff_t l = 0; rest && l < LANES; l++) {"),
    Mutant("last samples lost", "loss.c",
           "for (ptrdiff_t l = 0; l < rest; l++) {", "for (ptrdiff_t l = 1; l < rest; l++) {"),
    Mutant("last turn of a chain lost", "loss.c",
           "p < full; p += turns", "p + turns <= full; p += turns"),
    Mutant("chains forgotten", "loss.c",
           "(s[t][0] + s[t][1]) + (s[t][2] + s[t][3])", "(s[t][0] + s[t][1]) + s[t][2]"),
    Mutant("terms of other factors in a run", "loss.c",
           "terms[t].b.base && terms[t + n].b.base == terms[t].b.base", "terms[t].b.base"),
    Mutant("blocks not added up", "loss.c",
           "sum[t * LANES + l] += (double)total[t][l]", "sum[t * LANES + l] = (double)total[t][l]"),
    Mutant("scale forgotten", "loss.c", "sum[t] *= scale_of(r->workers->terms + t)", "sum[t] *= 1"),
    Mutant("scale of values forgotten", "loss.c",
           "scale_of(c) * (double)(c->a.base", "(double)(c->a.base"),
    Mutant("step of an input ignored", "loss.c", "slot[i] = (real)wide[i * step]",
           "slot[i] = (real)wide[i]"),
    Mutant("step of the block ignored", "loss.c", "first * s->x_step[k] * size", "first * size"),
    Mutant("float read as double", "loss.c", "} else if (is_float)", "} else if (is_float < 0)"),
    Mutant("last chunk of samples lost", "loss.c",
           "for (ptrdiff_t c = 0; c < r->n_chunks; c++)\n            sum[t] +=",
           "for (ptrdiff_t c = 0; c < r->n_chunks - (c > 0); c++)\n            sum[t] +="),
    Mutant("chunks depend on threads", "loss.c",
           "r->n_chunks = r->n_chunks < MOST_CHUNKS ?",
           "r->n_chunks = r->threads > 1 ? 1 + (r->n_chunks > 1) : r->n_chunks < MOST_CHUNKS ?"),
    Mutant("block of a chunk skipped", "loss.c", "for (ptrdiff_t block = begin; block < end;",
           "for (ptrdiff_t block = begin + (chunk > 0); block < end;"),
    Mutant("padding in J'J", "loss.c", "w->weight[i] = i < n", "w->weight[i] = 1"),
    Mutant("rows of other outputs forgotten", "loss.c",
           "add_block(w->column + i * m", "add_block(w->column"),
    Mutant("the watch is not asked", "loss.c", "if (r->watch && block % POLL_BLOCKS == 0)",
           "if (r->watch && block < 0)"),
]  # fmt: skip

# `python -c BOOT FOLDER ARGUMENTS` runs pytest on the package in FOLDER/src; the import hook of an
# editable install would prefer its own.
BOOT = """
import sys
folder, *arguments = sys.argv[1:]
sys.meta_path[:] = [f for f in sys.meta_path if "ScikitBuild" not in type(f).__name__]
sys.path[:0] = [folder + "/src"]
import pytest, thalweg
assert thalweg.__file__.startswith(folder), thalweg.__file__
sys.exit(pytest.main(arguments))
"""


def run(*command, folder, **options):
    """Run a command quietly in a folder."""
    return subprocess.run(
        [str(c) for c in command],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        **options,
    )


def prepare(folder):
    """Copy the source and configure a build of the base instruction set."""
    for name in ("csrc", "src", "tests"):
        ignored = shutil.ignore_patterns("__pycache__", "*.so", ".hypothesis")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    shutil.copy(ROOT / "pyproject.toml", folder)
    lines = (ROOT / "CMakeLists.txt").read_text().splitlines()
    kept = [
        line for line in lines if not line.strip().startswith(("tw_variant(v3", "tw_variant(v4"))
    ]
    (folder / "CMakeLists.txt").write_text("\n".join(kept).replace("-O3", "-O1"))
    modules = Path(cython_cmake.__file__).parent / "cmake"
    done = run(
        *("cmake", "-G", "Ninja", "-S", ".", "-B", "build"),
        *(f"-DPython_EXECUTABLE={sys.executable}", f"-DCMAKE_MODULE_PATH={modules}"),
        folder=folder,
    )
    if done.returncode:
        raise SystemExit(done.stdout)


def build(folder):
    """Compile, and put the modules where the copy of the package finds them."""
    done = run("ninja", "-C", "build", folder=folder)
    if done.returncode:
        return done.stdout
    for module in (folder / "build").glob("*.so"):
        shutil.copy(module, folder / "src" / "thalweg" / "_core")
    return ""


def fails(folder, keyword):
    """Whether the suite fails; and the first test that did."""
    arguments = ["-x", "-q", "--no-header", "-p", "no:cacheprovider", "-k", keyword]
    arguments += ["--hypothesis-profile", "mutants"]
    arguments += [f"tests/{name}" for name in SUITE if (folder / "tests" / name).exists()]
    environment = os.environ | {"THALWEG_NUM_THREADS": "2"}
    command = (sys.executable, "-c", BOOT, folder, *arguments)
    try:
        done = run(*command, folder=folder, timeout=TIME_LIMIT, env=environment)
    except subprocess.TimeoutExpired:
        return True, "it never ends"
    failed = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return done.returncode != 0, failed[0][:110] if failed else done.stdout[-300:].strip()


def try_mutant(folder, mutant, keyword):
    """Return whether the mutant was noticed, and by what."""
    [file] = [f for f in (folder / name / mutant.file for name in PLACES) if f.exists()]
    original = file.read_text()
    if original.count(mutant.old) != 1:
        return False, f"its text occurs {original.count(mutant.old)} times in {mutant.file}"
    try:
        file.write_text(original.replace(mutant.old, mutant.new))
        error = build(folder)
        return (False, f"it does not compile: {error[-300:]}") if error else fails(folder, keyword)
    finally:
        file.write_text(original)


def main():
    """Try the mutants named on the command line, or all; return how many survived."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="parts of names; all mutants if none")
    parser.add_argument("-k", dest="keyword", default="", help="as of pytest: the tests to run")
    arguments = parser.parse_args()
    names, keyword = arguments.names, arguments.keyword
    chosen = [m for m in MUTANTS if not names or any(name in m.name for name in names)]
    survivors = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary).resolve()
        prepare(folder)
        error = build(folder)
        if error:
            raise SystemExit(error)
        broken, why = fails(folder, keyword)
        if broken:
            raise SystemExit(f"the tests fail without any mutant: {why}")
        for mutant in chosen:
            start = time.perf_counter()
            noticed, why = try_mutant(folder, mutant, keyword)
            verdict = "noticed" if noticed else "SURVIVED"
            print(
                f"{verdict:8} {time.perf_counter() - start:5.1f} s  {mutant.name}: {why}",
                flush=True,
            )
            if not noticed:
                survivors.append(mutant.name)
    print(f"{len(chosen) - len(survivors)} of {len(chosen)} mutants noticed")
    return len(survivors)


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
