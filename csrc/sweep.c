/* sweep.c - coordinate-descent sweeps, compiled once per instruction set and element type. */
#include "dispatch.h"

extern const struct tw_sweep TW_TABLE(tw_sweep);
const struct tw_sweep TW_TABLE(tw_sweep) = {.unused = 0};
