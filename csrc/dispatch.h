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
 * same reason the files that are compiled once (dispatch.c, pool.c, ...) get the base flags.
 */
#ifndef TW_DISPATCH_H
#define TW_DISPATCH_H

#include "adjoint.h"
#include "loss.h"
#include "quadratic.h"
#include "sweep.h"
#include "sweep_csc.h"
#include "thalweg.h"

/* The functions of thalweg.h */
struct tw_engine {
    size_t (*fit_work)(const tw_fit_job *job, int threads);
    void (*fit)(const tw_fit_job *job, int threads, void *work, struct tw_watch *watch,
                _Atomic ptrdiff_t *done);
    size_t (*again_work)(const tw_fit_job *job, ptrdiff_t n, int threads);
    void (*again)(const tw_fit_job *job, const ptrdiff_t *which, ptrdiff_t n, int threads, void *work,
                  struct tw_watch *watch, _Atomic ptrdiff_t *done);
    size_t (*tape_work)(const tw_tape *tape, ptrdiff_t n_points);
    void (*tape_run)(const tw_tape *tape, ptrdiff_t n_points, const void *const *x, const void *theta,
                     void *work, void *out);
    size_t (*trial_work)(const tw_fit_job *job);
    int (*trial_begin)(const tw_fit_job *job, void *work, void *trial);
    int (*trial_next)(const tw_fit_job *job, void *work, const void *f, const void *J, void *trial);
};

/* All families of one variant and element type. */
struct tw_kernels {
    const char *name; /* of the variant */
    const struct tw_engine *engine;
    const struct tw_adjoint *adjoint;
    const struct tw_loss *loss;
    const struct tw_quadratic *quadratic;
    const struct tw_sweep *sweep;
    const struct tw_sweep_csc *sweep_csc;
};

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

/* The kernels in use, for double or for float; never NULL.  Before the first tw_select, the best. */
const struct tw_kernels *tw_active(int is_float);

#endif
