/* table.h - the one table that a kernel file exports (see dispatch.h for why it is one). */
#ifndef TW_TABLE_H
#define TW_TABLE_H

/* For a kernel file: the name of the table that this compilation exports.  TW_VARIANT, and TW_F32
 * for float, come from the compiler's command line.
 *
 *     extern const struct tw_engine TW_TABLE(tw_engine);
 *     const struct tw_engine TW_TABLE(tw_engine) = {.fit_work = ...};
 */
#ifdef TW_F32
#define TW_ELEMENT f32
#else
#define TW_ELEMENT f64
#endif
#define TW_JOIN_(a, b, c) a##_##b##_##c
#define TW_JOIN(a, b, c) TW_JOIN_(a, b, c)
#define TW_TABLE(family) TW_JOIN(family, TW_VARIANT, TW_ELEMENT)

#endif
