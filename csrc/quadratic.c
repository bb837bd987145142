/* quadratic.c - the quadratic loss, compiled once per instruction set and element type. */
#include "dispatch.h"

extern const struct tw_quadratic TW_TABLE(tw_quadratic);
const struct tw_quadratic TW_TABLE(tw_quadratic) = {.unused = 0};
