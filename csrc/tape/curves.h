/* curves.h - run the sections of a tape, in which the points of a curve mix; see tw_tape.
 *
 * A section computes some curves at all their points, block by block, stores them, and applies tables to
 * them.  What comes out is there for the sections that follow, and for the theta and the block stage, which
 * then run like those of any other tape.
 */
#ifndef TW_CURVES_H
#define TW_CURVES_H

#include "tape/operators.h"
#include "tape/run.h"

static void run_mix(const machine *m, const tw_mix *mix, struct tw_watch *watch) {
    const tw_tape *t = m->tape;
    const real *in = bind_slot(m, mix->in).base, *shift = bind_slot(m, mix->shift).base;
    real *out = (real *)bind_slot(m, mix->out).base;
    const tw_table *table = t->tables + mix->table;
    const operation o = {table, in, out, m->abreast, m->width};
    run_operation(&o, shift, watch);
    const ptrdiff_t n = (ptrdiff_t)table->n_out;
    for (ptrdiff_t i = n; !m->abreast && table->kind != TW_TABLE_TOTAL && i < groups_of(n) * LANES; i++)
        out[i] = out[n - 1];
}

/* Run all sections, for the theta that is in its lane slots.  Where the watch, or NULL, asks to stop, what is
 * left in the curves has no meaning. */
static void run_sections(const machine *m, struct tw_watch *watch) {
    const tw_tape *t = m->tape;
    const instruction *code = m->section_code;
    const tw_mix *mix = t->mixes;
    for (const tw_section *s = t->sections; s < t->sections + t->n_sections && !tw_stopped(watch); s++) {
        const ptrdiff_t groups = groups_in(m, (ptrdiff_t)s->n_points);
        run_width(m, code, s->n_lane_code, 0, 1);
        code += s->n_lane_code;
        for (ptrdiff_t start = 0; start < groups; start += m->block) {
            const ptrdiff_t n = least(groups - start, m->block);
            run_width(m, code, s->n_block_code, start, n);
            run_width_to(m, code + s->n_block_code, s->n_store_code, start, n, start);
        }
        code += s->n_block_code + s->n_store_code;
        for (int32_t k = 0; k < s->n_mixes; k++)
            run_mix(m, mix++, watch);
    }
}

/* Run the theta stage, for the parameters that are in their lane slots, and before it the sections. */
static void run_lane_code(const machine *m, struct tw_watch *watch) {
    if (m->tape->n_sections)
        run_sections(m, watch);
    run_width(m, m->lane_code, m->tape->n_lane_code, 0, 1);
}

/* Put one theta, whose elements lie `step` apart, into every lane, and run the theta stage. */
static void set_theta(const machine *m, const real *theta, ptrdiff_t step, struct tw_watch *watch) {
    real *slot = m->lane + (ptrdiff_t)m->tape->n_const * LANES;
    for (int32_t j = 0; j < m->tape->n_theta; j++)
        for (int l = 0; l < LANES; l++)
            slot[j * LANES + l] = theta[j * step];
    run_lane_code(m, watch);
}

#endif
