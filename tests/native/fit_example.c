/* fit_example.c - fit two decays y = a exp(k x) with the C library alone: how its interface is used.
 *
 * The model and its derivatives are a tape (tape/contract.h), here written by hand:
 *
 *     slot  0 a    1 k    2 x    3 k x    4 exp(k x) = df/da    5 a exp(k x) = f    6 x f = df/dk
 *
 * Parameters are lane slots, x is a point slot, and what depends on both is computed block by block.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "tape/opcodes.h"
#include "thalweg.h"

enum { FITS = 2, POINTS = 20, PARAMETERS = 2 };

static const tw_instruction code[] = {
    {TW_OP_mul, 3, {1, 2, 1}},
    {TW_OP_exp, 4, {3, 3, 3}},
    {TW_OP_mul, 5, {0, 4, 0}},
    {TW_OP_mul, 6, {2, 5, 2}},
};
static const int32_t free_theta[] = {0, 1}, output[] = {5, 4, 6};
static const tw_tape tape = {.n_theta = PARAMETERS,
                             .n_x = 1,
                             .n_lane = PARAMETERS,
                             .n_point = 1,
                             .n_block = 4,
                             .n_block_code = 4,
                             .code = code,
                             .n_free = PARAMETERS,
                             .free_theta = free_theta,
                             .output = output};

int main(void) {
    const double truth[FITS][PARAMETERS] = {{2, -0.5}, {7, -1.5}}, start[PARAMETERS] = {1, -1};
    double x[POINTS], y[FITS][POINTS], theta[FITS][PARAMETERS], covariance[FITS][3], chi2[FITS];
    int32_t n_iter[FITS], detail[FITS];
    int64_t n_used[FITS];
    int8_t status[FITS] = {TW_NOT_RUN, TW_NOT_RUN};
    for (int i = 0; i < POINTS; i++) {
        x[i] = 0.2 * i;
        for (int b = 0; b < FITS; b++)
            y[b][i] = truth[b][0] * exp(truth[b][1] * x[i]) + 1e-3 * sin(17 * i + b);
    }
    const void *inputs[] = {x};
    const ptrdiff_t shared[] = {0};
    const tw_fit_job job = {.tape = &tape,
                            .n_fits = FITS,
                            .n_points = POINTS,
                            .x = inputs,
                            .x_step = shared,
                            .y = y,
                            .start = start,
                            .xtol = 1e-9,
                            .ftol = 1e-15,
                            .gtol = 1e-9,
                            .max_iter = 600,
                            .theta = theta,
                            .covariance = covariance,
                            .chi2 = chi2,
                            .n_iter = n_iter,
                            .n_used = n_used,
                            .status = status,
                            .detail = detail,
                            .most_attempts = 1};

    const struct tw_engine *engine = tw_active(0)->engine; /* of double, best instruction set here */
    void *work = malloc(engine->fit_work(&job, 1));
    _Atomic ptrdiff_t done = 0;
    if (!work)
        return 2;
    engine->fit(&job, 1, work, NULL, &done);
    free(work);

    int wrong = done != FITS;
    for (int b = 0; b < FITS; b++) {
        const double error = sqrt(covariance[b][2]); /* of k: the last of the triangle a a, k a, k k */
        printf("a = %.4f, k = %.4f +- %.4f: status %d after %d steps\n", theta[b][0], theta[b][1], error,
               status[b], n_iter[b]);
        wrong |= status[b] <= 0 || !(fabs(theta[b][1] - truth[b][1]) < 5 * error);
    }
    return wrong;
}
