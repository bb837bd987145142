/* quadratic.h - the contract of the quadratic loss.
 *
 * Reached by tw_active(is_float)->quadratic.  The rules of thalweg.h hold.
 */
#ifndef TW_QUADRATIC_H
#define TW_QUADRATIC_H

#include "thalweg.h"

struct tw_quadratic {
    int unused;
};

#endif
