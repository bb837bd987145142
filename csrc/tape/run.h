/* run.h - run a tape on blocks of points x lanes.
 *
 * Interpreting costs next to nothing when every instruction runs over a block that stays in the first cache:
 * the switch is paid once per block, and the loop below it is what a compiler would have made of a
 * hand-written kernel.  The interpreter sees groups of LANES numbers, so two layouts share it:
 *
 *   fits side by side    group p holds point p of LANES fits
 *   points side by side  group p holds points p LANES ... p LANES + LANES - 1 of one fit
 *
 * An operand of an instruction is the address of a slot with two distances: its step leads from group to
 * group (0: the slot has one group, for all points), and its advance, times the number of the block's first
 * group in the data, to the block (0: the slot holds the values of one block only).
 */
#ifndef TW_TAPE_H
#define TW_TAPE_H

#include "base/arena.h"
#include "base/numbers.h"
#include "tape/contract.h"
#include "tape/foreign.h"
#include "tape/lookup.h"
#include "tape/opcodes.h"
#include "vecmath/vecmath.h"

typedef struct {
    const real *base;
    ptrdiff_t step, advance; /* elements per group of points */
} operand;

typedef struct {
    int32_t op;
    real *out;
    operand in[3];
    const tw_function *function; /* of an instruction that is not one of operations.h */
    const tw_table *table;       /* of TW_LOOKUP */
} instruction;

/* A tape with its memory, in which slots are bound to addresses. */
typedef struct {
    const tw_tape *tape;
    ptrdiff_t block;      /* groups in a block */
    ptrdiff_t point_size; /* elements of a point slot */
    int width;       /* how many lanes the theta and the block stage compute: the first VL, or all LANES */
    real *lane;      /* [n_lane][LANES] */
    real *point;     /* [n_point][point_size] */
    real *registers; /* [n_block][block][LANES] */
    int abreast;     /* fits lie side by side, not points */
    real *curves;    /* the curve slots, one after the other, each of whole groups of points */
    real **curve;    /* [n_curve] */
    instruction *point_code, *lane_code, *block_code;
    instruction *section_code; /* of all sections, in order */
    operand *output;           /* [1 + F] */
} machine;

/* The block slots of a tape fill at most five eighths of a first cache of 32 KiB, and leave the rest to what
 * else a block reads.  (Tapes of many slots get blocks of 8 groups, whatever their size.)  Measured on AMD
 * Zen 4: a model of ten parameters takes 1.2 times as long with half the size, and 0.93 times as long with
 * twice the size; one of three parameters takes as long with either. */
enum { BLOCK_BYTES = 20 << 10 };

/* Groups of points per block.  It depends on the tape alone, because the order of the sums depends on it. */
static ptrdiff_t block_groups(const tw_tape *tape) {
    const ptrdiff_t groups = BLOCK_BYTES / (64 * ((ptrdiff_t)tape->n_block + 1));
    return groups < 8 ? 8 : groups > 64 ? 64 : groups & ~(ptrdiff_t)3;
}

TW_INLINE ptrdiff_t groups_of(ptrdiff_t n_points) { return pieces(n_points, LANES); }

/* Groups of n points in the layout of a machine. */
TW_INLINE ptrdiff_t groups_in(const machine *m, ptrdiff_t n_points) {
    return m->abreast ? n_points : groups_of(n_points);
}

static operand bind_slot(const machine *m, int32_t slot) {
    const tw_tape *t = m->tape;
    if (slot < t->n_lane)
        return (operand){m->lane + (ptrdiff_t)slot * LANES, 0, 0};
    slot -= t->n_lane;
    if (slot < t->n_point)
        return (operand){m->point + slot * m->point_size, LANES, LANES};
    slot -= t->n_point;
    if (slot < t->n_block)
        return (operand){m->registers + slot * m->block * LANES, LANES, 0};
    return (operand){m->curve[slot - t->n_block], LANES, LANES};
}

static void bind_code(const machine *m, const tw_instruction *code, int32_t n, instruction *bound) {
    for (int32_t i = 0; i < n; i++) {
        bound[i].op = code[i].op;
        bound[i].function =
            code[i].op < TW_FUNCTIONS ? NULL : m->tape->functions + (code[i].op - TW_FUNCTIONS);
        bound[i].out = (real *)bind_slot(m, code[i].out).base;
        const int looks_up = code[i].op == TW_LOOKUP;
        bound[i].table = looks_up ? m->tape->tables + code[i].in[1] : NULL;
        for (int k = 0; k < 3; k++)
            bound[i].in[k] = bind_slot(m, code[i].in[looks_up ? 0 : k]);
    }
}

/* How many instructions all sections have. */
static ptrdiff_t section_code(const tw_tape *tape) {
    ptrdiff_t n = 0;
    for (int32_t s = 0; s < tape->n_sections; s++)
        n += tape->sections[s].n_lane_code + tape->sections[s].n_block_code + tape->sections[s].n_store_code;
    return n;
}

/* Lay out the curve slots, at `curves` or if that is NULL in memory of their own, and write the numbers of
 * those that are fixed. */
static void lay_out_curves(machine *m, arena *a, real *curves) {
    const tw_tape *t = m->tape;
    ptrdiff_t size = 0;
    for (int32_t k = 0; k < t->n_curve; k++)
        size += groups_in(m, t->curve_points[k]) * LANES;
    m->curve = TAKE(a, real *, t->n_curve);
    m->curves = curves ? curves : TAKE(a, real, size);
    if (a->measuring)
        return;
    real *next = m->curves;
    for (int32_t k = 0; k < t->n_curve; k++) {
        const ptrdiff_t n = t->curve_points[k], all = groups_in(m, n) * LANES;
        m->curve[k] = next;
        for (ptrdiff_t i = 0; i < all && t->curve_table[k] >= 0; i++)
            next[i] = (real)t->tables[t->curve_table[k]].values[m->abreast ? i / LANES : i < n ? i : n - 1];
        next += all;
    }
}

/* Lay out and bind a machine, where `abreast` is not 0 for fits side by side.  Its point slots lie at `point`
 * and its curve slots at `curves`, which are those of another machine; NULL: take memory for them too. */
static machine machine_on(arena *a, const tw_tape *tape, int abreast, ptrdiff_t point_size, real *point,
                          real *curves) {
    machine m = {.tape = tape, .block = block_groups(tape), .point_size = point_size, .width = LANES};
    m.abreast = abreast;
    m.lane = TAKE(a, real, (ptrdiff_t)tape->n_lane * LANES);
    m.point = point ? point : TAKE(a, real, tape->n_point * point_size);
    m.registers = TAKE(a, real, tape->n_block * m.block * LANES);
    m.point_code = TAKE(a, instruction, tape->n_point_code);
    m.lane_code = TAKE(a, instruction, tape->n_lane_code);
    m.block_code = TAKE(a, instruction, tape->n_block_code);
    m.section_code = TAKE(a, instruction, section_code(tape));
    m.output = TAKE(a, operand, 1 + tape->n_free);
    lay_out_curves(&m, a, curves);
    if (a->measuring)
        return m;
    const tw_instruction *code = tape->code;
    bind_code(&m, code, tape->n_point_code, m.point_code);
    bind_code(&m, code += tape->n_point_code, tape->n_lane_code, m.lane_code);
    bind_code(&m, code += tape->n_lane_code, tape->n_block_code, m.block_code);
    bind_code(&m, code + tape->n_block_code, (int32_t)section_code(tape), m.section_code);
    for (int32_t k = 0; tape->output && k <= tape->n_free; k++)
        m.output[k] = bind_slot(&m, tape->output[k]);
    for (int32_t c = 0; c < tape->n_const; c++)
        for (int l = 0; l < LANES; l++)
            m.lane[c * LANES + l] = (real)tape->constants[c];
    return m;
}

TW_INLINE const real *operand_at(operand o, ptrdiff_t start) { return o.base + start * o.advance; }

/* One case of the switch: `value` of vectors a, b, c at every point of the block. */
#define TW_CASE(name, value, load)                                                                           \
    case TW_OP_##name:                                                                                       \
        for (ptrdiff_t p = 0; p < n; p++)                                                                    \
            for (int o = 0; o < width; o += VL) {                                                            \
                load v_store(out + p * LANES + o, value);                                                    \
            }                                                                                                \
        break;
/* The same for three operands, of which the first or the last often is one number for all points.  Loading is
 * most of the work, so such an operand is loaded once. */
#define TW_CASE_3(name, value)                                                                               \
    case TW_OP_##name:                                                                                       \
        if (sa == 0 && sc == 0)                                                                              \
            TW_LOOP_3(value, TW_A_ONCE TW_C_ONCE, TW_B)                                                      \
        else if (sa == 0)                                                                                    \
            TW_LOOP_3(value, TW_A_ONCE, TW_B TW_C)                                                           \
        else if (sc == 0)                                                                                    \
            TW_LOOP_3(value, TW_C_ONCE, TW_A TW_B)                                                           \
        else                                                                                                 \
            TW_LOOP_3(value, , TW_A TW_B TW_C)                                                               \
        break;
#define TW_LOOP_3(value, once, load)                                                                         \
    for (int o = 0; o < width; o += VL) {                                                                    \
        once for (ptrdiff_t p = 0; p < n; p++) { load v_store(out + p * LANES + o, value); }                 \
    }
#define TW_A_ONCE const vec a = v_load(pa + o);
#define TW_C_ONCE const vec c = v_load(pc + o);
#define TW_A const vec a = v_load(pa + p * sa + o);
#define TW_B const vec b = v_load(pb + p * sb + o);
#define TW_C const vec c = v_load(pc + p * sc + o);

/* Run code on the first `width` lanes of n groups of points, the first of which is `start`; results are
 * written from group `out_start` of their slots on.  Compiled for each width, VL and LANES. */
TW_INLINE void run_lanes(const instruction *code, int32_t n_code, ptrdiff_t start, ptrdiff_t n,
                         ptrdiff_t out_start, const int width) {
    for (const instruction *i = code; i < code + n_code; i++) {
        const real *pa = operand_at(i->in[0], start), *pb = operand_at(i->in[1], start),
                   *pc = operand_at(i->in[2], start);
        const ptrdiff_t sa = i->in[0].step, sb = i->in[1].step, sc = i->in[2].step;
        real *out = i->out + out_start * LANES;
        switch (i->op) {
#define TW_OP1(name, value) TW_CASE(name, value, TW_A)
#define TW_OP2(name, value) TW_CASE(name, value, TW_A TW_B)
#define TW_OP3(name, value) TW_CASE_3(name, value)
#include "tape/operations.h"
#undef TW_OP1
#undef TW_OP2
#undef TW_OP3
        default:
            if (i->op == TW_LOOKUP) {
                run_lookup(i->table, pa, sa, out, n, width);
                break;
            }
            run_foreign(i->function, (const real *const[]){pa, pb, pc}, (const ptrdiff_t[]){sa, sb, sc}, out,
                        n, width);
        }
    }
}

static void run_code_to(const instruction *code, int32_t n_code, ptrdiff_t start, ptrdiff_t n,
                        ptrdiff_t out_start) {
    run_lanes(code, n_code, start, n, out_start, LANES);
}

/* The same for results in block or lane slots, which are written from their first group on. */
static void run_code(const instruction *code, int32_t n_code, ptrdiff_t start, ptrdiff_t n) {
    run_code_to(code, n_code, start, n, 0);
}

/* The same for the lanes that a machine computes, with results from group `out_start` of their slots on. */
static void run_width_to(const machine *m, const instruction *code, int32_t n_code, ptrdiff_t start,
                         ptrdiff_t n, ptrdiff_t out_start) {
    if (m->width == LANES)
        run_code_to(code, n_code, start, n, out_start);
    else
        run_lanes(code, n_code, start, n, out_start, VL);
}

static void run_width(const machine *m, const instruction *code, int32_t n_code, ptrdiff_t start,
                      ptrdiff_t n) {
    run_width_to(m, code, n_code, start, n, 0);
}

/* Compute the block slots, value and derivatives among them, of n groups of points from `start` on. */
static void run_block_code(const machine *m, ptrdiff_t start, ptrdiff_t n) {
    run_width(m, m->block_code, m->tape->n_block_code, start, n);
}

#endif
