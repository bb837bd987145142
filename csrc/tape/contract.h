/* tape/contract.h - the contract of tapes: a model and its derivatives as a straight-line program.
 *
 * The rules of thalweg.h hold.  Tapes are run by functions of the engine (fit/contract.h) and of the losses
 * (loss/contract.h).
 */
#ifndef TW_TAPE_CONTRACT_H
#define TW_TAPE_CONTRACT_H

#include <stdint.h>

/* One instruction: slot[out] = op(slot[in[0]], ...), elementwise; op numbers as in tape/operations.h, and
 * from the number of these on as the functions of the tape. */
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

/* A model f(x; theta) and its derivatives as a straight-line program in three stages.
 *
 * Slots are numbered in three ranges, each a kind of value:
 *   lane slots   [0, n_lane)                        one value per fit: the constants, then theta,
 *                                                   then results that depend on theta alone
 *   point slots  [n_lane, n_lane + n_point)         one value per point of a data set: the x inputs,
 *                                                   then results that depend on x alone
 *   block slots  [n_lane + n_point, ... + n_block)  one value per point and fit, kept for one block
 * The code of a stage writes slots of its own kind only, inputs before outputs.
 */
typedef struct {
    int32_t n_theta, n_x, n_const;
    int32_t n_lane, n_point, n_block;
    int32_t n_point_code, n_lane_code, n_block_code;
    const tw_instruction *code;   /* [n_point_code + n_lane_code + n_block_code], in that order */
    const double *constants;      /* [n_const] */
    int32_t n_free;               /* derivatives, F */
    const int32_t *free_theta;    /* [F] the parameter of each derivative, ascending */
    const tw_function *functions; /* those of the instructions beyond tape/operations.h, by number */
    const int32_t *output;        /* [1 + F] slots of f and of its derivatives: lane or block slots */
} tw_tape;

#endif
