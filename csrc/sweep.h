/* sweep.h - the contract of coordinate-descent sweeps.
 *
 * Reached by tw_active(is_float)->sweep.  The rules of thalweg.h hold.
 */
#ifndef TW_SWEEP_H
#define TW_SWEEP_H

#include "thalweg.h"

struct tw_sweep {
    int unused;
};

#endif
