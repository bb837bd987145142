/* adjoint.c - batched adjoint accumulation and normal equations, compiled once per instruction set and
 * element type. */
#include "dispatch.h"

extern const struct tw_adjoint TW_TABLE(tw_adjoint);
const struct tw_adjoint TW_TABLE(tw_adjoint) = {.unused = 0};
