/* linear/contract.h - the contract of linear models with penalties and bounds; block pivoting and images are
 * at the end.
 *
 * Reached by tw_active(is_float)->linear; is_float is about the elements of A alone, all else is double.
 * The rules of thalweg.h hold.  The problem is
 *
 *     F(theta) = 1/2 r'Wr + sum_j h_j(theta_j),    r = b - A theta - intercept,
 *     h_j(t) = l1_j |t| + 1/2 l2_j t^2 within lower_j <= t <= upper_j, infinite outside,
 *
 * with W = diag(weights).  An intercept is at its minimum always, so that it acts on the columns alone: each
 * stands for itself less its weighted mean.
 *
 * Where the watch (NULL: none) asks to stop, arrays that are written mean nothing, but for theta and q of
 * `solve`: they belong together, after the last step that was made.
 */
#ifndef TW_LINEAR_H
#define TW_LINEAR_H

#include <stddef.h>
#include <stdint.h>

#include "base/pool.h"
#include "sweep/contract.h"

/* A matrix of n rows and P columns: dense, or sparse by columns where indptr is given. */
struct tw_columns {
    ptrdiff_t n, P;
    const void *A; /* dense: element (i, j) at A[i row_step + j column_step]; sparse: the stored values */
    ptrdiff_t row_step, column_step; /* in elements, of either sign */
    const void *indptr, *indices;    /* [P + 1] and [nnz]; NULL: dense.  They have been checked. */
    int is_long;                     /* they are int64_t, else int32_t */
    const double *weights;           /* [n], NULL = 1 */
    const double *mean;              /* [P] weighted means that are taken from the columns; NULL: none */
};

/* Some of the columns, in any order. */
struct tw_chosen {
    const ptrdiff_t *column; /* [m] */
    ptrdiff_t m;
};

/* What a look at the columns returns. */
typedef enum {
    TW_LINEAR_OK = 0,
    TW_LINEAR_OVERFLOW, /* a column's weighted sum of squares is not finite: so is a value, or it overflows */
    TW_LINEAR_SCALE,    /* it is at an end of the range of numbers, so that others' squares would overflow or
                           lose digits */
} tw_linear_status;

/* What a first look at the columns finds; [P] each, out. */
struct tw_moments {
    double *mean;     /* weighted; NULL: there is no intercept, and columns are as they are */
    double *square;   /* sum_i w_i (A_ij - mean_j)^2; 0 for a column that is constant to rounding */
    double *product;  /* sum_i u_i (A_ij - mean_j) */
    ptrdiff_t *where; /* [1] the first column that a status other than OK is about */
};

/* The minimum over theta of 1/2 theta' G theta - (q + G theta_0)' theta + sum h_j(theta_j), given the Gram
 * matrix G of C columns and their products with the residual, for M right-hand sides, each by itself. */
struct tw_gram_problem {
    ptrdiff_t C, M, row_step;   /* the rows of gram are row_step elements apart */
    const double *gram;         /* [C][row_step]  in   symmetric */
    struct tw_coordinates each; /* [C]            in   the relaxation is not looked at */
    const double *reach;       /* [C]            in   where h_j* would be infinite, |theta_j| is assumed to be
                                                      at most reach_j + 2 |theta_j| */
    ptrdiff_t rank;            /*                in   no more columns than that are independent */
    const double *square;      /* [M]            in   r'Wr at the start */
    const double *target;      /* [M]            in   the duality gap that is wanted */
    ptrdiff_t rounds;          /*                in   most rounds of two sweeps and a Newton step */
    double *theta;             /* [M][C]         in/out   inside the bounds */
    double *q;                 /* [M][C]         in/out   G's columns with the residual, A'Wr */
    double *gap;               /* [M]            out  the duality gap reached */
    ptrdiff_t *sweeps, *steps; /* [M]            out  sweeps and Newton steps made */
};

/* What makes theta a proof of itself. */
struct tw_certificate {
    double penalty; /* sum_j h_j(theta_j) */
    double scale;   /* s: the dual point is s r */
    double gap;     /* F(theta) less the dual value of s r: F(theta) is at most so far above the minimum */
    double kkt;     /* largest way that a minimum along one coordinate is off, times the column's norm */
    ptrdiff_t conditional; /* coordinates whose term assumes |theta_j| <= reach_j + 2 |theta_j| */
};

/* Where theta stands. */
struct tw_small_state {
    double objective; /* F(theta) */
    struct tw_certificate found;
    ptrdiff_t working; /* coordinates that were worked on; of the start, those that are not 0 */
};

/* All of a problem whose matrix is dense and small, n and P at least 1, in one call: its start is certified
 * and, if that is not enough, a round is made with the Gram matrix of all columns, or two. */
struct tw_small_problem {
    struct tw_columns columns;  /* in; mean is written */
    const double *b;            /* [n]  in   0 where the weight is */
    struct tw_coordinates each; /* [P]  in   the relaxation is not looked at */
    double tol;                 /*      in   the gap is wanted below tol 1/2 b'Wb, b less its mean */
    double part;                /*      in   of the gap that is wanted: where to end on the Gram matrix */
    double again;               /*      in   of the gap of least squares: where to end in one more round */
    ptrdiff_t rounds, max_iter; /*      in   most rounds on the matrix; 0: no round, the start alone */
    double *theta;              /* [P]  in/out   in: any numbers; out: inside the bounds */
    double *mean;               /* [P]  out  of the columns; NULL: there is no intercept */
    double constant;            /*      out  the intercept */
    double wanted;              /*      out  the gap that is wanted; where b is 0, tol times F at the start */
    ptrdiff_t n_iter;           /*      out  rounds made, 0 ... 2; 0: the start is near enough */
    struct tw_small_state state[3]; /*  out  of the start, and after each round */
    ptrdiff_t sweeps, steps;        /*  out  on the Gram matrix */
};

struct tw_linear {
    /* Means, squares and products with u [n], which holds the weights already. */
    size_t (*moments_work)(const struct tw_columns *c, int threads);
    tw_linear_status (*moments)(const struct tw_columns *c, const double *u, int threads,
                                struct tw_watch *watch, void *work, struct tw_moments *out);

    /* out_k = sum_i u_i (A_ij - mean_j), j = column_k.  [n] in, [m] out */
    size_t (*products_work)(const struct tw_columns *c, const struct tw_chosen *which, int threads);
    void (*products)(const struct tw_columns *c, const struct tw_chosen *which, const double *u, int threads,
                     struct tw_watch *watch, void *work, double *out);

    /* r_i -= sum_k step_k (A_ij - mean_j), j = column_k.  [m] in, [n] in/out */
    size_t (*move_work)(const struct tw_columns *c, const struct tw_chosen *which, int threads);
    void (*move)(const struct tw_columns *c, const struct tw_chosen *which, const double *step, int threads,
                 struct tw_watch *watch, void *work, double *r);

    /* Both, in one walk where A is dense: r_i -= sum_k step_k (A_ij - mean_j), j = taken_k, and then
     * out_k = sum_i w_i r_i (A_ij - mean_j), j = which_k. */
    size_t (*residual_work)(const struct tw_columns *c, const struct tw_chosen *taken,
                            const struct tw_chosen *which, int threads);
    void (*residual)(const struct tw_columns *c, const struct tw_chosen *taken, const double *step,
                     const struct tw_chosen *which, int threads, struct tw_watch *watch, void *work,
                     double *r, double *out);

    /* Rows [known, m) and columns [known, m) of the Gram matrix, its rows row_step elements apart; what is
     * there of the first `known` stays.  Both halves are written.  A `rough` one of dense columns is made in
     * float, of columns whose lengths are within 1e-10 ... 1e10; see dense_gram.h. */
    size_t (*gram_work)(const struct tw_columns *c, const struct tw_chosen *which, int rough, int threads);
    void (*gram)(const struct tw_columns *c, const struct tw_chosen *which, ptrdiff_t known, int rough,
                 int threads, struct tw_watch *watch, void *work, double *gram, ptrdiff_t row_step);

    size_t (*solve_work)(const struct tw_gram_problem *p, int threads);
    void (*solve)(const struct tw_gram_problem *p, int threads, struct tw_watch *watch, void *work);

    /* The certificate of theta [m], given q_k = A_k'Wr and rr = r'Wr; a column with a square [m] of 0 has no
     * say.  The other coordinates of the problem are 0 and shown to be so in a minimum. */
    struct tw_certificate (*certificate)(ptrdiff_t m, const struct tw_coordinates *each, const double *reach,
                                         const double *square, const double *theta, const double *q,
                                         double rr);

    size_t (*small_work)(const struct tw_small_problem *p);
    tw_linear_status (*small)(struct tw_small_problem *p, struct tw_watch *watch, void *work);
};

/* ---- block principal pivoting: many small problems with one matrix ----------------------------------
 *
 * For each of M problems minimise over theta
 *
 *     1/2 theta' G theta - c' theta,     lower_j <= theta_j <= upper_j,
 *
 * G symmetric and positive semidefinite, with c in its range, as A'A and A'b are.  With y = c - G theta,
 * downhill, theta is a minimum if and only if
 *
 *     y_j <= 0 unless theta_j = upper_j,     y_j >= 0 unless theta_j = lower_j.
 *
 * The `violation` of the problem is the largest |y_j| / sqrt(G_jj) that breaks this; the unit is that of b in
 * A theta ~ b.  (A column of zeros, G_jj = 0, counts as one of length 1.)
 *
 * is_float is about c alone.  Where the watch (NULL: none) asks to stop, problems whose status is
 * TW_PIVOT_NOT_RUN were not finished, and nothing else was written of them.
 */

/* The numbers are those of thalweg.Status. */
typedef enum {
    TW_PIVOT_NOT_RUN = 0,
    TW_PIVOT_ROUNDING = 5,    /* a minimum: the violation is not above what rounding makes of it */
    TW_PIVOT_MAX_ITER = -1,   /* max_iter exchanges were not enough; theta is within the bounds */
    TW_PIVOT_SINGULAR = -3,   /* a violation is left at columns that depend on others: G has lost the digits
                                 that would tell them apart, or c is not in its range */
    TW_PIVOT_NOT_FINITE = -4, /* theta overflows; what is written of it means nothing */
} tw_pivot_outcome;

struct tw_pivot_job {
    ptrdiff_t M, P;
    const double *G;             /* [P][P]  in  the lower triangle is read; G_jj >= 0 */
    const void *c;               /* [M][P]  in  real */
    const double *lower, *upper; /* [P] or [M][P]  in  -INFINITY, INFINITY: no bound */
    ptrdiff_t bound_step;        /* 0, or P where each problem has bounds of its own */
    const double *noise;         /* [M], NULL = 0  in  >= 0: an error of c_j / sqrt(G_jj) that is known of */
    int32_t max_iter;            /* most exchanges of a problem, >= 0 */
    double *theta;               /* [M][P]  out  within the bounds */
    double *objective;           /* [M]     out  infinite where it overflows */
    double *violation;           /* [M]     out */
    double *reach;   /* [M]     out  sum_j sqrt(G_jj) |theta_j|: rounding of y is some eps of it */
    int32_t *n_iter; /* [M]     out  exchanges made */
    int8_t *status;  /* [M]     out  a tw_pivot_outcome */
};

struct tw_pivot {
    /* bytes of workspace */
    size_t (*work)(const struct tw_pivot_job *job, int threads);
    void (*run)(const struct tw_pivot_job *job, int threads, struct tw_watch *watch, void *work);
};

/* ---- iterative coordinate descent for images ---------------------------------------------------------
 *
 * x is an image of P pixels on a grid of one to three axes, and A maps it to measurements y.  Minimise
 *
 *     F(x) = 1/2 e'We + sum_{s,r} b_sr rho(x_s - x_r) + 1/2 pull ||x - target||^2,     e = y - A x,
 *     rho(D) = height u^2 / (1 + u^power),    u = |D| / width,    lower <= x_j,
 *
 * where the first sum is over all pairs of neighbours, once each, and in u^power a u below the normal
 * numbers, also 0, counts as the least of them.  icd.h has the update of one pixel.  y itself is not needed.
 * A is sparse by columns and is_float is about its values alone.
 *
 * Where the watch (NULL: none) asks to stop, x and e hold what the last update left, and belong together.
 */

/* The most neighbours of a pixel: all that touch it in three dimensions. */
enum { TW_NEIGHBOURS = 26 };

struct tw_image_prior {
    ptrdiff_t size[3]; /* slices, rows and columns of the grid: size[0] size[1] size[2] = P */
    int neighbours;    /* of a pixel that is not at the border, <= TW_NEIGHBOURS */
    const ptrdiff_t
        *offset; /* [neighbours][3] in  where they are; the first is opposite to the last, and so on */
    const double *weight; /* [neighbours]    in  b > 0, alike for opposite ones */
    double width, height; /*                 in  > 0 */
    double power;         /*                 in  2 - p in [0, 1] */
    const double *target; /* [P], NULL = no pull  in */
    double pull;          /*                 in  >= 0 */
};

struct tw_icd_job {
    const struct tw_columns *c; /* sparse; weights, but no mean */
    const double *curvature;    /* [P]      in  sum_i w_i A_ij^2 */
    struct tw_image_prior prior;
    double lower;           /*          in  -INFINITY: no bound */
    double relaxation;      /*          in  omega in [0, 2): 0 only looks, and moves no pixel */
    struct tw_chosen order; /*          in  pixels in the order of their updates */
    double *x;              /* [P]      in/out  not below `lower` */
    double *e;              /* [n]      in/out */
    double *way;            /* [P]      out  of each pixel in `order`, how far its minimum was */
};

/* The parts of F. */
struct tw_image_cost {
    double misfit;  /* 1/2 e'We */
    double penalty; /* the rest */
};

struct tw_icd {
    void (*sweep)(const struct tw_icd_job *job, struct tw_watch *watch);
    /* F(x), each part with a relative error of at most (4096 + (n + P) / 4096) eps, usually its root;
     * curvature, lower, relaxation, order and way of the job are not looked at. */
    struct tw_image_cost (*cost)(const struct tw_icd_job *job, struct tw_watch *watch);
};

#endif
