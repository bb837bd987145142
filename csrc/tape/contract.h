/* tape/contract.h - the contract of tapes: a model and its derivatives as a straight-line program.
 *
 * The rules of thalweg.h hold.  Tapes are run by functions of the engine (fit/contract.h) and of the losses
 * (loss/contract.h).
 */
#ifndef TW_TAPE_CONTRACT_H
#define TW_TAPE_CONTRACT_H

#include <stdint.h>

/* One instruction: slot[out] = op(slot[in[0]], ...), elementwise; op numbers as in tape/operations.h, and
 * from TW_FUNCTIONS (tape/opcodes.h) on as the functions of the tape. */
typedef struct {
    int32_t op;
    int32_t out;
    int32_t in[3]; /* unused inputs repeat in[0] */
} tw_instruction;

/* A function of doubles that is not of this library, or one of its derivatives by differences.  It is called
 * number by number, by any thread, and must not keep state. */
typedef struct {
    void (*address)(void);
    int32_t arity; /* how many doubles it takes: 1, 2 or 3 */
    int32_t flag;  /* whether it takes an int after these, as a cpdef function of Cython does: it gets 0 */
    int32_t order; /* 0: its value; 1 or 2: its derivative with respect to operands wrt[0], wrt[1] */
    int32_t wrt[2];
} tw_function;

/* Fixed numbers that a tape holds, and what they do.  Curves are values at n points, of one fit or lane each;
 * a curve is 0 beyond its ends.  c = values, s = a lane slot.
 *
 *   TW_TABLE_CURVE   out_i = c_i                                       a curve of numbers, n_in = 0
 *   TW_TABLE_BAND    out_i = sum_k c_k in_{i + offset - k}             convolution, differences, pieces
 *   TW_TABLE_DENSE   out_i = sum_j c_ij in_j                           c [n_out][n_in]
 *   TW_TABLE_SUMS    out_i = sum_{j <= i} in_j                         running sums
 *   TW_TABLE_TOTAL   out = sum_j in_j                                  one number for all points
 *   TW_TABLE_MOVED   out_i = in(i + offset - s)                        in(t): straight lines between points
 *   TW_TABLE_SLOPE   out_i = in'(i + offset - s)                       its slope, of the piece on the right
 *
 * and of numbers, not of curves, for the instruction TW_LOOKUP, whose in[1] is the number of the table:
 *
 *   TW_TABLE_LINES   straight lines through n_in knots: c = their n_in places, n_in values, and the values
 *                    to the left and to the right of all
 *   TW_TABLE_STEPS   n_in - 1 constants between n_in places, laid out in the same way: the k-th value holds
 *                    from the k-th place on
 */
typedef enum {
    TW_TABLE_CURVE,
    TW_TABLE_BAND,
    TW_TABLE_DENSE,
    TW_TABLE_SUMS,
    TW_TABLE_TOTAL,
    TW_TABLE_MOVED,
    TW_TABLE_SLOPE,
    TW_TABLE_LINES,
    TW_TABLE_STEPS,
} tw_table_kind;

typedef struct {
    int32_t kind;                /* a tw_table_kind */
    int64_t n_in, n_out, offset; /* points of the curves */
    int64_t n_values;
    const double *values; /* [n_values] */
    const float *floats;  /* [n_values] the same numbers */
} tw_table;

/* Do what a table does to the curve of slot `in`; the result goes to slot `out`, a curve or, of
 * TW_TABLE_TOTAL, a lane slot. */
typedef struct {
    int32_t table, in, out, shift; /* shift: a lane slot, where the table has an s, else 0 */
} tw_mix;

/* A part of a program that is run over all points of a curve before what needs its curves as wholes: lane
 * code, block code, instructions that store block slots in curves, and then the mixes. */
typedef struct {
    int64_t n_points;
    int32_t n_lane_code, n_block_code, n_store_code, n_mixes;
} tw_section;

/* A model f(x; theta) and its derivatives as a straight-line program in three stages.
 *
 * Models whose points mix, as in a convolution, have sections, which are run before the theta stage, in
 * order.  Such a tape is for data sets of `n_points` points alone.
 *
 * Slots are numbered in four ranges, each a kind of value:
 *   lane slots   [0, n_lane)                        one value per fit: the constants, then theta,
 *                                                   then results that depend on theta or mixes alone
 *   point slots  [n_lane, n_lane + n_point)         one value per point of a data set: the x inputs,
 *                                                   then results that depend on x alone
 *   block slots  [n_lane + n_point, ... + n_block)  one value per point and fit, kept for one block
 *   curve slots  [..., ... + n_curve)               one value per point of a curve and fit
 * The code of a stage writes slots of its own kind only, inputs before outputs.
 */
typedef struct {
    int32_t n_theta, n_x, n_const;
    int32_t n_lane, n_point, n_block;
    int32_t n_point_code, n_lane_code, n_block_code;
    const tw_instruction *code;   /* [n_point_code + n_lane_code + n_block_code], in that order, then that
                                     of each section */
    const double *constants;      /* [n_const] */
    int32_t n_free;               /* derivatives, F */
    const int32_t *free_theta;    /* [F] the parameter of each derivative, ascending */
    const tw_function *functions; /* those of instructions from TW_FUNCTIONS on, by number */
    const int32_t *output;        /* [1 + F] slots of f and of its derivatives: lane or block slots */
    int64_t n_points;             /* 0 if there are neither sections nor curves */
    int32_t n_sections, n_curve;
    const tw_section *sections;  /* [n_sections] */
    const tw_mix *mixes;         /* of all sections, in order */
    const int64_t *curve_points; /* [n_curve] */
    const int32_t *curve_table; /* [n_curve] the table of kind TW_TABLE_CURVE whose numbers it holds, or -1 */
    const tw_table *tables;
} tw_tape;

#endif
