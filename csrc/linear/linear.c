/* linear.c - linear models with penalties and bounds: passes over A, certificates, minima on a Gram matrix.
 */
#include "base/table.h"
#include "linear/contract.h"
#include "linear/gap.h"
#include "linear/moments.h"
#include "linear/products.h"
#include "linear/small.h"
#include "linear/solve.h"

extern const struct tw_linear TW_TABLE(tw_linear);
const struct tw_linear TW_TABLE(tw_linear) = {
    .moments_work = moments_work,
    .moments = moments,
    .products_work = products_work,
    .products = products,
    .move_work = move_work,
    .move = move,
    .residual_work = residual_work,
    .residual = residual,
    .gram_work = gram_work,
    .gram = gram,
    .solve_work = solve_work,
    .solve = solve,
    .certificate = certificate,
    .small_work = small_work,
    .small = solve_small,
};
