/* dispatch.h - the kernels of each instruction set and element type.
 *
 * The kernel files are compiled several times, once for each variant (v4 is AVX-512, v3 is AVX2
 * with FMA, base is what every processor of the kind has) and each element type.  One such
 * object exports one symbol, the table of its family of kernels,
 *
 *     const struct tw_<family> tw_<family>_<variant>_<f64|f32>
 *
 * and everything else in it is static: were a function shared by name between two objects, the
 * linker would keep one of them and could hand AVX-512 code to a processor without it.  For the
 * same reason the files that are compiled once (dispatch.c, base/pool.c, ...) get the base flags.
 */
#ifndef TW_DISPATCH_H
#define TW_DISPATCH_H

#include <stddef.h>

struct tw_engine;
struct tw_adjoint;
struct tw_pivot;
struct tw_loss;
struct tw_quadratic;
struct tw_sweep;
struct tw_sweep_csc;
struct tw_linear;
struct tw_icd;

/* All families of one variant and element type. */
struct tw_kernels {
    const char *name; /* the variant's */
    const struct tw_engine *engine;
    const struct tw_adjoint *adjoint;
    const struct tw_pivot *pivot;
    const struct tw_loss *loss;
    const struct tw_quadratic *quadratic;
    const struct tw_sweep *sweep;
    const struct tw_sweep_csc *sweep_csc;
    const struct tw_linear *linear;
    const struct tw_icd *icd;
};

/* Choose the variant that later calls run.
 *
 *   force  in  the variant's name, or NULL for the best this processor can run
 *
 * 0, or -1 when there is no such variant here; then the choice stays as it was.  Safe at any
 * time and from any thread: a call that is running keeps the table it began with.
 */
int tw_select(const char *force);

/* The variants this processor can run, best first.
 *
 *   names  [max]  out  their names, static text
 *
 * Returns how many were written.
 */
int tw_variants(const char **names, int max);

/* The kernels in use, for double or for float; never NULL.  Before the first tw_select they are the best that
 * this processor can run. */
const struct tw_kernels *tw_active(int is_float);

/* The arity of operation `number` of a tape (tape/operations.h), whose name goes to *name; 0 and no name
 * beyond the last. */
int tw_operation(int number, const char **name);

#endif
