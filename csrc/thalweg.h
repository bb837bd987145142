/* thalweg.h - the whole C interface: the rules common to all, and the contracts of the families.
 *
 * Rules that hold for every function of a contract:
 *   arrays   row-major and contiguous along the last axis, aligned to an element, not overlapping;
 *            where a `step` is given it is the distance between the rows of two fits in elements,
 *            and 0 means that all fits share one row
 *   real     `void *` arrays hold double, or float when `is_float` is set; all of a job alike
 *   sizes    non-negative; ptrdiff_t everywhere, so that 2^31 elements are nothing special
 *   memory   nothing is allocated or kept; the caller owns every array and the workspace, whose
 *            size the function of the same name ending in _work gives in bytes
 *   threads  re-entrant; the only state is the thread pool (base/pool.h) and the table of the instruction
 *            set in use (dispatch.h)
 *   bits     a result depends on its own inputs, the instruction set and the element type, never on
 *            its neighbours, its place in the batch or the number of threads
 */
#ifndef THALWEG_H
#define THALWEG_H

#include "adjoint/contract.h"
#include "base/pool.h"
#include "dispatch.h"
#include "fit/contract.h"
#include "linear/contract.h"
#include "loss/contract.h"
#include "quadratic/contract.h"
#include "sweep/contract.h"
#include "tape/contract.h"
#include "tape/incomplete.h"

#endif
