/* orthogonal.h - orthogonal factorisation, for problems whose normal matrix is too ill-conditioned.
 *
 * J'J squares the condition number; C = [J | e] = Q R does not.  R is all that a step, a
 * covariance and chi2 need:  J'J = R'R,  J'e = R'z,  chi2 = |z|^2 + rho^2  with (z, rho) the last
 * column of R.  Rows are merged into R by Householder reflections, block by block, so that C is
 * never stored (Golub and Van Loan, Matrix Computations, 4th ed., sections 5.1.2 and 6.5.3).
 *
 * R is stored as a lower triangle by rows is for a symmetric matrix: column j of R lies together,
 * R[tri(j, 0)] ... R[tri(j, j)].
 */
#ifndef TW_ORTHOGONAL_H
#define TW_ORTHOGONAL_H

#include <math.h>

#include "tape/normal.h"

enum { PADDING = 2 * LANES }; /* numbers of rows are multiples of it, the step of the loop in dot */

TW_INLINE ptrdiff_t padded_rows(ptrdiff_t n) { return pieces(n, PADDING) * PADDING; }

/* u . v by two vectors of running sums, whose lanes are added in the order of v_fold */
TW_INLINE real dot(ptrdiff_t n, const real *u, const real *v) {
    vec even = {0}, odd = {0};
    for (ptrdiff_t i = 0; i < n; i += 2 * VL) {
        even += v_load(u + i) * v_load(v + i);
        odd += v_load(u + i + VL) * v_load(v + i + VL);
    }
    even += odd;
    real lane[VL];
    memcpy(lane, &even, sizeof lane);
    return v_fold(lane, VL);
}

TW_INLINE void subtract(ptrdiff_t n, real factor, const real *u, real *v) { /* v -= factor u */
    for (ptrdiff_t i = 0; i < n; i += VL)
        v_store(v + i, v_load(v + i) - factor * v_load(u + i));
}

/* The square of the length of a column of rows that are turned into zeros, if it is at least SURE_LENGTH2 and
 * no infinity, has not lost a digit to elements whose squares vanish. */
#define SURE_LENGTH2 (REAL_MIN / (REAL_EPS * REAL_EPS))

/* Divide a column and its diagonal element by the largest element, so that squares neither overflow nor
 * vanish; returns that element.  Where it is 0, or not finite, nothing is left to do: it returns 0, and if
 * not all elements are finite the diagonal becomes NaN. */
static real divide_by_largest(ptrdiff_t n, real *v, real *diagonal) {
    real largest = (real)fabs(*diagonal), finite = 0 * *diagonal;
    for (ptrdiff_t i = 0; i < n; i++) {
        largest = fabs(v[i]) > largest ? (real)fabs(v[i]) : largest;
        finite += 0 * v[i]; /* NaN as soon as one value is not finite */
    }
    *diagonal += finite;
    if (!(largest > 0) || !(finite == 0))
        return 0;
    for (ptrdiff_t i = 0; i < n; i++)
        v[i] /= largest;
    *diagonal /= largest;
    return largest;
}

/* R'R += rows'rows, by turning the rows into zeros one column at a time.
 *
 *   R     triangle of n_columns  in/out
 *   rows  [n_columns][n_rows]    in/out  by columns, 64-byte aligned; destroyed
 *   n_rows  a multiple of PADDING: the caller adds rows of zeros
 */
static void merge_rows(int n_columns, real *R, ptrdiff_t n_rows, real *rows) {
    for (int j = 0; j < n_columns; j++) {
        real *v = rows + j * n_rows, *diagonal = R + tri(j, j), unit = 1;
        real below = dot(n_rows, v, v), length2 = *diagonal * *diagonal + below;
        if (!(length2 >= SURE_LENGTH2 && length2 <= REAL_MAX)) {
            unit = divide_by_largest(n_rows, v, diagonal);
            if (unit == 0)
                continue; /* the column is 0 already, or is not finite: then the diagonal is NaN now */
            below = dot(n_rows, v, v), length2 = *diagonal * *diagonal + below;
        }
        const real alpha = *diagonal, beta = (real)-copysign(sqrt(length2), alpha), head = alpha - beta;
        *diagonal = (below > 0 ? beta : alpha) * unit;
        if (!(below > 0))
            continue;
        /* H = I - tau (1, v/head)(1, v/head)',  tau = (beta - alpha)/beta */
        const real inverse = 1 / head, tau = -head / beta;
        for (int k = j + 1; k < n_columns; k++) {
            real *w = rows + k * n_rows, *above = R + tri(k, j);
            const real s = (*above + dot(n_rows, v, w) * inverse) * tau;
            *above -= s;
            subtract(n_rows, s * inverse, v, w);
        }
    }
}

/* Put R'R, the triangle of the normal equations, into lane 0 of sum. */
static void normal_from_triangle(int n_columns, const real *R, real *sum) {
    for (int i = 0; i < n_columns; i++)
        for (int j = 0; j <= i; j++) {
            real s = 0;
            for (int k = 0; k <= j; k++)
                s += R[tri(i, k)] * R[tri(j, k)];
            sum[tri(i, j) * LANES] = s;
        }
}

#endif
