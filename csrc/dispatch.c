/* dispatch.c - which kernels run.
 *
 * The build writes tw_variants.def: one line X(name, x86-64 level) for each variant that the
 * compiler could make, best first.  The choice is one atomic index, so that a switch is seen
 * whole by every thread, with the tables for double and float always of the same variant.
 */
#include "dispatch.h"

#include <stdatomic.h>
#include <string.h>

#include "base/cpu.h"

#define FAMILIES(F, variant, element)                                                                        \
    F(engine, variant, element)                                                                              \
    F(adjoint, variant, element)                                                                             \
    F(pivot, variant, element)                                                                               \
    F(loss, variant, element)                                                                                \
    F(quadratic, variant, element)                                                                           \
    F(sweep, variant, element)                                                                               \
    F(sweep_csc, variant, element) F(linear, variant, element) F(icd, variant, element)
#define DECLARE(family, variant, element) extern const struct tw_##family tw_##family##_##variant##_##element;
#define MEMBER(family, variant, element) .family = &tw_##family##_##variant##_##element,

#define X(variant, level) FAMILIES(DECLARE, variant, f64) FAMILIES(DECLARE, variant, f32)
#include "tw_variants.def"
#undef X

static const struct {
    const char *name;
    int level; /* the least tw_cpu_x86_level that can run it */
    struct tw_kernels f64, f32;
} variants[] = {
#define X(variant, level)                                                                                    \
    {#variant,                                                                                               \
     level,                                                                                                  \
     {.name = #variant, FAMILIES(MEMBER, variant, f64)},                                                     \
     {.name = #variant, FAMILIES(MEMBER, variant, f32)}},
#include "tw_variants.def"
#undef X
};
enum { VARIANTS = sizeof variants / sizeof *variants, NONE = -1 };

static _Atomic int chosen = NONE;

/* The first variant in the list that runs here and, where a name is given, has that name. */
static int find(const char *name) {
    const int level = tw_cpu_x86_level();
    for (int v = 0; v < VARIANTS; v++)
        if (variants[v].level <= level && (!name || strcmp(name, variants[v].name) == 0))
            return v;
    return NONE;
}

int tw_select(const char *force) {
    const int found = find(force);
    if (found == NONE)
        return -1;
    atomic_store(&chosen, found);
    return 0;
}

int tw_variants(const char **names, int max) {
    const int level = tw_cpu_x86_level();
    int count = 0;
    for (int v = 0; v < VARIANTS && count < max; v++)
        if (variants[v].level <= level)
            names[count++] = variants[v].name;
    return count;
}

const struct tw_kernels *tw_active(int is_float) {
    int v = atomic_load(&chosen);
    if (v == NONE) {
        /* two threads may both come here: they find the same variant, and a choice by tw_select stays */
        const int best = find(NULL);
        v = atomic_compare_exchange_strong(&chosen, &v, best) ? best : v;
    }
    return is_float ? &variants[v].f32 : &variants[v].f64;
}

static const struct {
    const char *name;
    int arity;
} operations[] = {
#define TW_OP1(name, value) {#name, 1},
#define TW_OP2(name, value) {#name, 2},
#define TW_OP3(name, value) {#name, 3},
#include "tape/operations.h"
};

int tw_operation(int number, const char **name) {
    if (number < 0 || number >= (int)(sizeof operations / sizeof *operations))
        return 0;
    *name = operations[number].name;
    return operations[number].arity;
}
