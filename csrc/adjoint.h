/* adjoint.h - the contract of batched adjoint accumulation and normal equations.
 *
 * Reached by tw_active(is_float)->adjoint.  The rules of thalweg.h hold.
 */
#ifndef TW_ADJOINT_H
#define TW_ADJOINT_H

#include "thalweg.h"

struct tw_adjoint {
    int unused;
};

#endif
