/* linear/contract.h - the contract of linear models with penalties and bounds; block pivoting and images are
 * at the end.
 *
 * Reached by tw_active(is_float)->linear.  is_float tells the type of A's elements; everything else is
 * double. The rules of thalweg.h hold.  The problem is
 *
 *     F(theta) = 1/2 r'Wr + sum_j h_j(theta_j),    r = b - A theta - intercept,
 *     h_j(t) = l1_j |t| + 1/2 l2_j t^2 within lower_j <= t <= upper_j, infinite outside,
 *
 * with W = diag(weights).  Where there is an intercept, F is minimised over it as well.  This is the same as
 * taking the weighted mean out of b and of each column of A, which is what the functions below do.
 *
 * When the watch (NULL: there is none) asks to stop, a function returns early, and the arrays that it writes
 * hold no results.  Only theta and q of `solve` still belong together: they are as the last step left them.
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
    const void *indptr, *indices;    /* [P + 1] and [nnz]; NULL: dense.  The caller has checked them. */
    int is_long;                     /* indptr and indices are int64_t, else int32_t */
    const double *weights;           /* [n], NULL = 1 */
    const double *mean;              /* [P] what is subtracted from each column; NULL: nothing */
};

/* Some of the columns, in any order. */
struct tw_chosen {
    const ptrdiff_t *column; /* [m], NULL = 0 ... m - 1 */
    ptrdiff_t m;
};

/* The number of the k-th of them. */
static inline ptrdiff_t chosen_at(const struct tw_chosen *which, ptrdiff_t k) {
    return which->column ? which->column[k] : k;
}

/* The weighted sum of squares of a column, and of b, must be 0 or lie between these: this leaves a factor of
 * 1e38 to the largest number, and to the least one that has all its digits, for products with other columns.
 * A sum of 0 is that of zeros alone; one that is 0 because every square is below all numbers is too small. */
#define TW_SMALLEST_SQUARE 1e-270
#define TW_LARGEST_SQUARE 1e270

/* Whether the columns can be worked with. */
typedef enum {
    TW_LINEAR_OK = 0,
    TW_LINEAR_OVERFLOW, /* a column's weighted sum of squares overflows, or a value of it is not finite */
    TW_LINEAR_SCALE,    /* the weighted sum of squares of a column, or of the b of `small`, is larger than
                           TW_LARGEST_SQUARE or less than TW_SMALLEST_SQUARE.  Other units would help. */
} tw_linear_status;

/* What the first pass over all columns finds; [P] each, out. */
struct tw_moments {
    double *mean;     /* weighted; NULL: there is no intercept, and the mean counts as 0 */
    double *square;   /* sum_i w_i (A_ij - mean_j)^2; 0 for a column that is constant to rounding */
    double *product;  /* sum_i u_i (A_ij - mean_j) */
    ptrdiff_t *where; /* [1] the column that has led to a status other than OK */
};

/* The minimum over theta of 1/2 theta' G theta - (q + G theta_0)' theta + sum h_j(theta_j), given the Gram
 * matrix G of C columns and their products q with the residual at theta_0; M such problems share one G. */
struct tw_gram_problem {
    ptrdiff_t C, M, row_step;   /* the rows of gram are row_step elements apart */
    const double *gram;         /* [C][row_step]  in   symmetric */
    struct tw_coordinates each; /* [C]            in   `relaxation` is ignored */
    const double *reach;        /* [C]            in   the minimum is assumed to have |theta_j| of at most
                                                       reach_j + 2 |theta_j now|, where h_j* is infinite */
    ptrdiff_t rank;             /*                in   at most so many of the C columns are independent */
    const double *square;       /* [M]            in   r'Wr at the start */
    const double *target;       /* [M]            in   the duality gap at which to stop */
    ptrdiff_t rounds; /*                in   the most rounds, each of two sweeps and perhaps Newton steps */
    int again; /*                       in   the workspace is as the last call left it, which had the same C,
                                             gram, l2 and rank, and for which M was 1, as it is now: the
                                             factor that is there is used, and the start taken for near */
    double *theta;             /* [M][C]         in/out   inside the bounds */
    double *q;                 /* [M][C]         in/out   A'Wr, at the theta of the same row */
    double *gap;               /* [M]            out  the duality gap reached */
    ptrdiff_t *sweeps, *steps; /* [M]            out  sweeps and Newton steps made */
};

/* How far theta can be from the minimum, shown by theta itself through a dual point (gap.h). */
struct tw_certificate {
    double penalty; /* sum_j h_j(theta_j) */
    double scale;   /* s in [0, 1]: the dual point is s r, r the residual */
    double gap;     /* F(theta) less the dual value of s r: F at the minimum is lower by at most this */
    double kkt;     /* max_j |t_j - theta_j| ||A_j||, t_j the minimum along coordinate j alone */
    ptrdiff_t conditional; /* how many terms of the gap rest on the assumption that `reach` makes */
    ptrdiff_t unheld; /* how many coordinates the data alone determine: no penalty, no bound met, one open */
};

/* What is known of theta after a round. */
struct tw_small_state {
    double objective; /* F(theta) */
    struct tw_certificate found;
    ptrdiff_t working; /* how many coordinates the round may move; of the start, how many are not 0 */
};

enum { TW_SMALL_ROUNDS = 4 }; /* the most rounds that tw_small_problem makes */

/* A whole problem with a small dense matrix, n and P at least 1, solved in one call: the start is certified,
 * and where its gap is too large, rounds on a Gram matrix follow: up to two on that of the coordinates that
 * are not at rest, if they are few, and up to two on that of all columns. */
struct tw_small_problem {
    struct tw_columns columns;  /* in; its `mean` is set by the call */
    const double *b;            /* [n]  in   0 where the weight is 0 */
    struct tw_coordinates each; /* [P]  in   `relaxation` is ignored */
    double tol;                 /*      in   the gap is to be at most tol 1/2 b'Wb, b less its mean */
    double part;                /*      in   the Gram matrix is left once the gap there is part times that */
    double again;               /*      in   a second round aims at `again` times the gap of the first */
    ptrdiff_t rounds, max_iter; /*      in   `rounds` of tw_gram_problem; most rounds here, 0: certify only */
    int threads;                /*      in   at most so many; they change no bit */
    double *theta;              /* [P]  in/out   in: any numbers; out: inside the bounds */
    double *mean;               /* [P]  out  of the columns; NULL: there is no intercept */
    double constant;            /*      out  the intercept */
    double wanted;    /*      out  the gap that tol stands for; where b is 0, it is tol F at the start */
    ptrdiff_t n_iter; /*      out  rounds made; 0: the gap of the start is small enough */
    struct tw_small_state state[1 + TW_SMALL_ROUNDS]; /* out  of the start, and after each round */
    ptrdiff_t sweeps, steps;                          /*  out  on the Gram matrix */
};

struct tw_linear {
    /* Means, squares and products of all columns; u [n] is weighted already, as Wr is. */
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

    /* `move`, then `products` with the new Wr, in one pass where A is dense: r_i -= sum_k step_k (A_ij -
     * mean_j), j = taken_k, and then out_k = sum_i w_i r_i (A_ij - mean_j), j = which_k. */
    size_t (*residual_work)(const struct tw_columns *c, const struct tw_chosen *taken,
                            const struct tw_chosen *which, int threads);
    void (*residual)(const struct tw_columns *c, const struct tw_chosen *taken, const double *step,
                     const struct tw_chosen *which, int threads, struct tw_watch *watch, void *work,
                     double *r, double *out);

    /* The Gram matrix of the chosen columns, both halves, rows row_step elements apart.  The products of the
     * first `known` columns with each other are there already and stay.  `rough`: dense columns, whose
     * lengths must lie within 1e-10 ... 1e10, are multiplied as floats; see dense_gram.h. */
    size_t (*gram_work)(const struct tw_columns *c, const struct tw_chosen *which, int rough, int threads);
    void (*gram)(const struct tw_columns *c, const struct tw_chosen *which, ptrdiff_t known, int rough,
                 int threads, struct tw_watch *watch, void *work, double *gram, ptrdiff_t row_step);

    size_t (*solve_work)(const struct tw_gram_problem *p, int threads);
    void (*solve)(const struct tw_gram_problem *p, int threads, struct tw_watch *watch, void *work);

    /* The certificate of the chosen coordinates of theta, given rr = r'Wr, the squares A_k'WA_k, and q_k that
     * is within `error` times the root of square_k of A_k'Wr: gap and kkt hold for each such q.  A column
     * whose square is 0 has q_k = 0.  Further coordinates must be 0 and have no term in the gap. */
    struct tw_certificate (*certificate)(const struct tw_chosen *which, const struct tw_coordinates *each,
                                         const double *reach, const double *square, const double *theta,
                                         const double *q, double rr, double error);

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
 * which points downhill, theta is a minimum if and only if
 *
 *     y_j <= 0 unless theta_j = upper_j,     y_j >= 0 unless theta_j = lower_j.
 *
 * The `violation` of the problem is the largest |y_j| / sqrt(G_jj) that breaks this; the unit is that of b in
 * A theta ~ b.  (A column of zeros, G_jj = 0, counts as one of length 1.)
 *
 * is_float tells the type of c alone.  When the watch (NULL: there is none) asks to stop, the problems that
 * are not finished have the status TW_PIVOT_NOT_RUN, and nothing else is written for them.
 */

/* The numbers are those of thalweg.Status. */
typedef enum {
    TW_PIVOT_NOT_RUN = 0,
    TW_PIVOT_ROUNDING = 5,    /* a minimum: the violation is no larger than rounding can make it */
    TW_PIVOT_MAX_ITER = -1,   /* max_iter exchanges were not enough; theta is within the bounds */
    TW_PIVOT_SINGULAR = -3,   /* a violation is left at columns that depend on others: they differ by less
                                 than the rounding of G, or c is not in G's range */
    TW_PIVOT_NOT_FINITE = -4, /* theta overflows; the results of this problem hold no meaning */
} tw_pivot_outcome;

struct tw_pivot_job {
    ptrdiff_t M, P;
    const double *G;             /* [P][P]  in  only the lower triangle is read; G_jj >= 0 */
    const void *c;               /* [M][P]  in  real */
    const double *lower, *upper; /* [P] or [M][P]  in  -INFINITY, INFINITY: no bound */
    ptrdiff_t bound_step;        /* 0, or P where each problem has bounds of its own */
    const double *noise; /* [M], NULL = 0  in  >= 0: how wrong c_j / sqrt(G_jj) may be; adds to rounding */
    int32_t max_iter;    /* the most exchanges of a problem, >= 0 */
    double *theta;       /* [M][P]  out  within the bounds */
    double *objective;   /* [M]     out  infinite where it overflows */
    double *violation;   /* [M]     out */
    double *reach;   /* [M]     out  sum_j sqrt(G_jj) |theta_j|: y has rounding errors of a few eps of it */
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
 * where the first sum takes each pair of neighbours once.  In u^power a u of 0, or below the normal numbers,
 * counts as the least normal number.  icd.h has the update of one pixel.  y itself is not needed.
 * A is sparse by columns, and is_float tells the type of its values alone.
 *
 * When the watch (NULL: there is none) asks to stop, x and e are as the last update left them: e = y - A x.
 */

/* The most neighbours of a pixel: all that touch it in three dimensions. */
enum { TW_NEIGHBOURS = 26 };

struct tw_image_prior {
    ptrdiff_t size[3]; /* slices, rows and columns of the grid: size[0] size[1] size[2] = P */
    int neighbours;    /* how many an inner pixel has, <= TW_NEIGHBOURS */
    const ptrdiff_t
        *offset; /* [neighbours][3] in  steps to them; the first is opposite to the last, and so on */
    const double *weight; /* [neighbours]    in  b > 0, the same for opposite ones */
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
    double relaxation;      /*          in  omega in [0, 2); with 0 no pixel moves */
    struct tw_chosen order; /*          in  pixels in the order of their updates */
    double *x;              /* [P]      in/out  not below `lower` */
    double *e;              /* [n]      in/out */
    double *way;            /* [P]      out  |minimum - x_j| of each pixel of `order`, before its update:
                                         that of the parabola above F; with omega = 0 that of F itself */
};

/* The parts of F. */
struct tw_image_cost {
    double misfit;  /* 1/2 e'We */
    double penalty; /* F less the misfit */
};

struct tw_icd {
    void (*sweep)(const struct tw_icd_job *job, struct tw_watch *watch);
    /* F(x), each part with a relative error of at most (4096 + (n + P) / 4096) eps, and usually about the
     * square root of that number of eps.  Of the job, c, prior, x and e are read. */
    struct tw_image_cost (*cost)(const struct tw_icd_job *job, struct tw_watch *watch);
};

#endif
