# Mirrors csrc/thalweg.h, pool.h and dispatch.h.  Nothing else in the package declares C symbols.
from libc.stdint cimport int8_t, int16_t, int32_t, uint8_t


cdef extern from "thalweg.h" nogil:
    ctypedef struct tw_instruction:
        int32_t op
        int32_t out
        int32_t inputs "in" [3]

    ctypedef struct tw_tape:
        int32_t n_theta, n_x, n_const
        int32_t n_lane, n_point, n_block
        int32_t n_point_code, n_lane_code, n_block_code
        const tw_instruction *code
        const double *constants
        int32_t n_free
        const int32_t *free_theta
        const int32_t *output

    ctypedef struct tw_fit_job:
        const tw_tape *tape
        int is_float
        Py_ssize_t n_fits, n_points
        const void **x
        const Py_ssize_t *x_step
        const void *y
        const void *sigma
        Py_ssize_t sigma_step
        const uint8_t *mask
        Py_ssize_t mask_step
        const void *start
        Py_ssize_t start_step
        const void *lower
        const void *upper
        Py_ssize_t bound_step
        const uint8_t *fixed
        double xtol, ftol, gtol
        int32_t max_iter
        int absolute_sigma
        void *theta
        void *covariance
        void *chi2
        int32_t *n_iter
        int32_t *n_used
        int8_t *status
        int16_t *detail

    ctypedef Py_ssize_t atomic_count "_Atomic ptrdiff_t"

    int tw_operation(int number, const char **name)
    size_t tw_fit_work(const tw_fit_job *job, int threads)
    void tw_fit(const tw_fit_job *job, int threads, void *work, tw_watch *watch, atomic_count *done)
    size_t tw_tape_work(const tw_tape *tape, int is_float, Py_ssize_t n_points)
    void tw_tape_run(const tw_tape *tape, int is_float, Py_ssize_t n_points, const void *const *x,
                     const void *theta, void *work, void *out)
    size_t tw_trial_work(const tw_fit_job *job)
    int tw_trial_begin(const tw_fit_job *job, void *work, void *trial)
    int tw_trial_next(const tw_fit_job *job, void *work, const void *f, const void *J, void *trial)

cdef extern from "pool.h" nogil:
    ctypedef int atomic_flag_int "_Atomic int"
    ctypedef struct tw_watch "struct tw_watch":
        int (*poll)(void *context) noexcept nogil
        void *context
        double interval
        atomic_flag_int stop

    int tw_threads()
    void tw_set_threads(int n)

cdef extern from "adjoint.h" nogil:
    ctypedef struct tw_adjoint "struct tw_adjoint":
        pass

cdef extern from "quadratic.h" nogil:
    ctypedef struct tw_quadratic "struct tw_quadratic":
        pass

cdef extern from "sweep.h" nogil:
    ctypedef struct tw_sweep "struct tw_sweep":
        pass

cdef extern from "dispatch.h" nogil:
    ctypedef struct tw_kernels "struct tw_kernels":
        const char *name
        const tw_adjoint *adjoint
        const tw_quadratic *quadratic
        const tw_sweep *sweep

    int tw_select(const char *force)
    int tw_variants(const char **names, int max)
    const tw_kernels *tw_active(int is_float)
