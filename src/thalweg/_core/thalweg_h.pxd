# Mirrors csrc/thalweg.h, the contracts of the families that it includes, and tape/opcodes.h.
# Nothing else in the package declares C symbols.
from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t


cdef extern from "thalweg.h" nogil:
    ctypedef struct tw_instruction:
        int32_t op
        int32_t out
        int32_t inputs "in" [3]

    ctypedef struct tw_function:
        void (*address)() noexcept nogil
        int32_t arity, flag, order
        int32_t wrt[2]

    double tw_gammainc_slope(double a, double x)

    enum:
        TW_TABLE_CURVE
        TW_TABLE_BAND
        TW_TABLE_DENSE
        TW_TABLE_SUMS
        TW_TABLE_TOTAL
        TW_TABLE_MOVED
        TW_TABLE_SLOPE
        TW_TABLE_LINES
        TW_TABLE_STEPS

    ctypedef struct tw_table:
        int32_t kind
        int64_t n_in, n_out, offset, n_values
        const double *values
        const float *floats

    ctypedef struct tw_mix:
        int32_t table, inputs "in", out, shift

    ctypedef struct tw_section:
        int64_t n_points
        int32_t n_lane_code, n_block_code, n_store_code, n_mixes

    ctypedef struct tw_tape:
        int32_t n_theta, n_x, n_const
        int32_t n_lane, n_point, n_block
        int32_t n_point_code, n_lane_code, n_block_code
        const tw_instruction *code
        const double *constants
        int32_t n_free
        const int32_t *free_theta
        const tw_function *functions
        const int32_t *output
        int64_t n_points
        int32_t n_sections, n_curve
        const tw_section *sections
        const tw_mix *mixes
        const int64_t *curve_points
        const int32_t *curve_table
        const tw_table *tables

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
        int scaled
        void *theta
        void *covariance
        void *chi2
        int32_t *n_iter
        int64_t *n_used
        int8_t *status
        int32_t *detail
        int32_t n_linear
        const int32_t *linear
        int eliminate
        int32_t most_attempts
        int8_t *next
        int8_t *attempts
        const tw_tape *curved
        int (*call)(void *context, const void *theta, void *f, void *J) noexcept
        void *context
        double jacobian_error
        int noise
        const void *f_scale
        Py_ssize_t f_scale_step

    ctypedef struct tw_fit_groups:
        Py_ssize_t n_groups
        const int64_t *begin
        int32_t n_shared
        const int32_t *shared
        int partial
        int8_t *status
        double *chi2
        int64_t *n_used
        int64_t *n_free

    ctypedef Py_ssize_t atomic_count "_Atomic ptrdiff_t"

    ctypedef struct tw_engine "struct tw_engine":
        size_t (*fit_work)(const tw_fit_job *job, int threads) noexcept nogil
        void (*fit)(const tw_fit_job *job, int threads, void *work, tw_watch *watch,
                    atomic_count *done) noexcept nogil
        size_t (*again_work)(const tw_fit_job *job, Py_ssize_t n, int threads) noexcept nogil
        void (*again)(const tw_fit_job *job, const Py_ssize_t *which, Py_ssize_t n, int threads,
                      void *work, tw_watch *watch, atomic_count *done) noexcept nogil
        size_t (*shared_work)(const tw_fit_job *job, const tw_fit_groups *groups,
                              int threads) noexcept nogil
        void (*shared)(const tw_fit_job *job, const tw_fit_groups *groups, int threads, void *work,
                       tw_watch *watch, atomic_count *done) noexcept nogil
        size_t (*tape_work)(const tw_tape *tape, Py_ssize_t n_points) noexcept nogil
        void (*tape_run)(const tw_tape *tape, Py_ssize_t n_points, const void *const *x,
                         const void *theta, void *work, void *out) noexcept nogil
        size_t (*trial_work)(const tw_fit_job *job) noexcept nogil
        int (*trial_begin)(const tw_fit_job *job, void *work, void *trial) noexcept nogil
        int (*trial_next)(const tw_fit_job *job, void *work, const void *f, const void *J,
                          int rough, void *trial) noexcept nogil

cdef extern from "tape/opcodes.h" nogil:
    enum:  # the operations that rules name; others are passed as numbers
        NEG "TW_OP_neg"
        ABS "TW_OP_abs"
        FLOOR "TW_OP_floor"
        RECIP "TW_OP_recip"
        SQUARE "TW_OP_square"
        SQRT "TW_OP_sqrt"
        COS "TW_OP_cos"
        COSH "TW_OP_cosh"
        NOT "TW_OP_not"
        LESS "TW_OP_less"
        LESS_EQUAL "TW_OP_less_equal"
        ADD "TW_OP_add"
        SUB "TW_OP_sub"
        MUL "TW_OP_mul"
        DIV "TW_OP_div"
        POW "TW_OP_pow"
        HYPOT "TW_OP_hypot"
        FLOOR_DIVIDE "TW_OP_floor_divide"
        REMAINDER "TW_OP_remainder"
        MINIMUM "TW_OP_minimum"
        MAXIMUM "TW_OP_maximum"
        EQUAL "TW_OP_equal"
        NOT_EQUAL "TW_OP_not_equal"
        AND "TW_OP_and"
        OR "TW_OP_or"
        WHERE "TW_OP_where"
        COPY "TW_OP_copy"
        FMA "TW_OP_fma"
        FMS "TW_OP_fms"
        FNMA "TW_OP_fnma"
        TW_FIXED
        TW_CURVE
        TW_MIX
        TW_MOVED
        TW_TOTAL
        TW_LOOKUP
        TW_FUNCTIONS

cdef extern from "base/pool.h" nogil:
    ctypedef int atomic_flag_int "_Atomic int"
    ctypedef struct tw_watch "struct tw_watch":
        int (*poll)(void *context) noexcept nogil
        void *context
        double interval
        atomic_flag_int stop

    int tw_threads()
    enum:
        TW_MAX_THREADS
    void tw_set_threads(int n)

cdef extern from "adjoint/contract.h" nogil:
    ctypedef struct tw_per_row:
        const void *at
        int is_float
        Py_ssize_t block, row

    ctypedef struct tw_jacobian:
        Py_ssize_t K, Nx, P
        const void *J
        Py_ssize_t J_block, J_row, J_column
        const void *indptr
        const void *indices
        int is_long
        Py_ssize_t n_stored
        tw_per_row e, weights
        int per_block

    ctypedef enum tw_adjoint_status:
        TW_ADJOINT_OK
        TW_ADJOINT_NOT_FINITE
        TW_ADJOINT_BAD_INDEX
        TW_ADJOINT_BAD_INDPTR

    ctypedef struct tw_adjoint "struct tw_adjoint":
        size_t (*sum_work)(const tw_jacobian *A, int threads) noexcept nogil
        tw_adjoint_status (*sum)(const tw_jacobian *A, double scale, int threads, tw_watch *watch,
                                 void *work, double *d) noexcept nogil
        tw_adjoint_status (*jvp)(const tw_jacobian *A, const double *v, int threads,
                                 tw_watch *watch, double *y) noexcept nogil
        size_t (*normal_work)(const tw_jacobian *A, int threads) noexcept nogil
        tw_adjoint_status (*normal)(const tw_jacobian *A, int threads, tw_watch *watch, void *work,
                                    double *JtWJ, double *JtWe, double *etWe) noexcept nogil

cdef extern from "loss/contract.h" nogil:
    ctypedef struct tw_term:
        int32_t scale, a, b

    ctypedef struct tw_samples:
        const tw_tape *tape
        Py_ssize_t n_samples
        const void **x
        const Py_ssize_t *x_step
        const uint8_t *x_is_float
        const void *theta
        int32_t n_terms
        const tw_term *terms

    ctypedef struct tw_loss "struct tw_loss":
        size_t (*work)(const tw_samples *samples, int32_t n_rows, int threads) noexcept nogil
        void (*sums)(const tw_samples *samples, int threads, void *work, tw_watch *watch,
                     double *sum) noexcept nogil
        void (*values)(const tw_samples *samples, int threads, void *work, tw_watch *watch,
                       double *value) noexcept nogil
        void (*normal)(const tw_samples *samples, int32_t n_rows, int threads, void *work,
                       tw_watch *watch, double *triangle) noexcept nogil

cdef extern from "quadratic/contract.h" nogil:
    ctypedef struct tw_square:
        const void *B
        Py_ssize_t P, row_step
        int packed, upper, general

    ctypedef struct tw_square_csr:
        const void *data
        const void *index
        const void *start
        Py_ssize_t P, nnz
        int is_long, upper, general
        Py_ssize_t *where

    ctypedef enum tw_quadratic_status:
        TW_QUADRATIC_OK
        TW_QUADRATIC_BAD_ROW

    ctypedef struct tw_quadratic_job:
        Py_ssize_t M
        const double *theta
        const double *theta_star
        Py_ssize_t star_step
        double *value
        double *gradient

    ctypedef struct tw_quadratic "struct tw_quadratic":
        size_t (*one_work)(const tw_square *B, const tw_quadratic_job *job) noexcept nogil
        void (*one)(const tw_square *B, const tw_quadratic_job *job, int threads, tw_watch *watch,
                    void *work) noexcept nogil
        size_t (*many_work)(const tw_square *B, const tw_quadratic_job *job,
                            int threads) noexcept nogil
        void (*many)(const tw_square *B, const tw_quadratic_job *job, int threads, tw_watch *watch,
                     void *work) noexcept nogil
        int (*is_symmetric)(const tw_square *B, int threads, tw_watch *watch) noexcept nogil
        void (*symmetrise)(const tw_square *B, int threads, tw_watch *watch,
                           void *packed) noexcept nogil
        size_t (*csr_work)(const tw_square_csr *B, const tw_quadratic_job *job,
                           int threads) noexcept nogil
        tw_quadratic_status (*csr)(const tw_square_csr *B, const tw_quadratic_job *job, int threads,
                                   tw_watch *watch, void *work) noexcept nogil
        tw_quadratic_status (*csr_check)(const tw_square_csr *B,
                                         tw_watch *watch) noexcept nogil
        int (*csr_is_symmetric)(const tw_square_csr *B, tw_watch *watch,
                                Py_ssize_t *next) noexcept nogil

cdef extern from "sweep/contract.h" nogil:
    enum:
        TW_SWEEP_WIDTH

    ctypedef enum tw_sweep_status:
        TW_SWEEP_OK
        TW_SWEEP_BAD_INDPTR
        TW_SWEEP_BAD_ROW
        TW_SWEEP_BAD_ORDER
        TW_SWEEP_NOT_FINITE
        TW_SWEEP_OVERFLOW

    ctypedef struct tw_coordinates "struct tw_coordinates":
        const double *l1
        const double *l2
        const double *lower
        const double *upper
        double relaxation

    ctypedef struct tw_sweep_job "struct tw_sweep_job":
        Py_ssize_t n, P, M
        const void *A
        Py_ssize_t row_step, column_step
        const double *weights
        int intercept, centered
        tw_coordinates each
        const Py_ssize_t *order
        Py_ssize_t n_order, sweeps
        double *theta
        double *residual
        double *gram
        int gram_known
        double *change
        double *fall
        Py_ssize_t *where

    ctypedef struct tw_gram_job "struct tw_gram_job":
        Py_ssize_t C, M
        const double *gram
        tw_coordinates each
        const Py_ssize_t *order
        Py_ssize_t n_order, sweeps, choices
        double *theta
        double *q
        double *change
        double *fall

    ctypedef struct tw_sweep "struct tw_sweep":
        size_t (*gram)(const tw_sweep_job *job) noexcept nogil
        size_t (*work)(const tw_sweep_job *job, int threads) noexcept nogil
        tw_sweep_status (*run)(const tw_sweep_job *job, int threads, tw_watch *watch,
                               void *work) noexcept nogil
        void (*gram_run)(const tw_gram_job *job, int threads, tw_watch *watch) noexcept nogil

    ctypedef struct tw_sweep_csc_job "struct tw_sweep_csc_job":
        Py_ssize_t n, P, M, nnz
        int is_long
        const void *indptr
        const void *indices
        const void *values
        const double *weights
        double *curvature
        double *mean
        tw_coordinates each
        const Py_ssize_t *order
        Py_ssize_t n_order, order_step
        int greedy
        Py_ssize_t sweeps
        int centered
        double *theta
        double *residual
        double *intercept
        const double *b
        double *change
        double *fall
        double *drift
        Py_ssize_t *where

    ctypedef struct tw_sweep_csc "struct tw_sweep_csc":
        size_t (*work)(const tw_sweep_csc_job *job, int threads) noexcept nogil
        tw_sweep_status (*run)(const tw_sweep_csc_job *job, int threads, tw_watch *watch,
                               void *work) noexcept nogil

cdef extern from "linear/contract.h" nogil:
    ctypedef struct tw_columns "struct tw_columns":
        Py_ssize_t n, P
        const void *A
        Py_ssize_t row_step, column_step
        const void *indptr
        const void *indices
        int is_long
        const double *weights
        const double *mean

    ctypedef struct tw_chosen "struct tw_chosen":
        const Py_ssize_t *column
        Py_ssize_t m

    double TW_SMALLEST_SQUARE, TW_LARGEST_SQUARE

    ctypedef enum tw_linear_status:
        TW_LINEAR_OK
        TW_LINEAR_OVERFLOW
        TW_LINEAR_SCALE

    ctypedef struct tw_moments "struct tw_moments":
        double *mean
        double *square
        double *product
        Py_ssize_t *where

    ctypedef struct tw_gram_problem "struct tw_gram_problem":
        Py_ssize_t C, M, row_step
        const double *gram
        tw_coordinates each
        const double *reach
        Py_ssize_t rank
        const double *square
        const double *target
        Py_ssize_t rounds
        bint again
        double *theta
        double *q
        double *gap
        Py_ssize_t *sweeps
        Py_ssize_t *steps

    ctypedef struct tw_certificate "struct tw_certificate":
        double penalty, scale, gap, kkt
        Py_ssize_t conditional
        Py_ssize_t unheld

    ctypedef struct tw_small_state "struct tw_small_state":
        double objective
        tw_certificate found
        Py_ssize_t working

    ctypedef struct tw_small_problem "struct tw_small_problem":
        tw_columns columns
        const double *b
        tw_coordinates each
        double tol, part, again
        Py_ssize_t rounds, max_iter
        int threads
        double *theta
        double *mean
        double constant, wanted
        Py_ssize_t n_iter
        tw_small_state state[5]
        Py_ssize_t sweeps, steps

    ctypedef struct tw_linear "struct tw_linear":
        size_t (*moments_work)(const tw_columns *c, int threads) noexcept nogil
        tw_linear_status (*moments)(const tw_columns *c, const double *u, int threads,
                                    tw_watch *watch, void *work, tw_moments *out) noexcept nogil
        size_t (*products_work)(const tw_columns *c, const tw_chosen *which,
                                int threads) noexcept nogil
        void (*products)(const tw_columns *c, const tw_chosen *which, const double *u, int threads,
                         tw_watch *watch, void *work, double *out) noexcept nogil
        size_t (*move_work)(const tw_columns *c, const tw_chosen *which, int threads) noexcept nogil
        void (*move)(const tw_columns *c, const tw_chosen *which, const double *step, int threads,
                     tw_watch *watch, void *work, double *r) noexcept nogil
        size_t (*residual_work)(const tw_columns *c, const tw_chosen *taken,
                                const tw_chosen *which, int threads) noexcept nogil
        void (*residual)(const tw_columns *c, const tw_chosen *taken, const double *step,
                         const tw_chosen *which, int threads, tw_watch *watch, void *work,
                         double *r, double *out) noexcept nogil
        size_t (*gram_work)(const tw_columns *c, const tw_chosen *which, int rough,
                            int threads) noexcept nogil
        void (*gram)(const tw_columns *c, const tw_chosen *which, Py_ssize_t known, int rough,
                     int threads, tw_watch *watch, void *work, double *gram,
                     Py_ssize_t row_step) noexcept nogil
        size_t (*solve_work)(const tw_gram_problem *p, int threads) noexcept nogil
        void (*solve)(const tw_gram_problem *p, int threads, tw_watch *watch,
                      void *work) noexcept nogil
        tw_certificate (*certificate)(const tw_chosen *which, const tw_coordinates *each,
                                      const double *reach, const double *square,
                                      const double *theta, const double *q, double rr,
                                      double error) noexcept nogil
        size_t (*small_work)(const tw_small_problem *p) noexcept nogil
        tw_linear_status (*small)(tw_small_problem *p, tw_watch *watch, void *work) noexcept nogil

    ctypedef struct tw_pivot_job "struct tw_pivot_job":
        Py_ssize_t M, P
        const double *G
        const void *c
        const double *lower
        const double *upper
        Py_ssize_t bound_step
        const double *noise
        int32_t max_iter
        double *theta
        double *objective
        double *violation
        double *reach
        int32_t *n_iter
        int8_t *status

    ctypedef struct tw_pivot "struct tw_pivot":
        size_t (*work)(const tw_pivot_job *job, int threads) noexcept nogil
        void (*run)(const tw_pivot_job *job, int threads, tw_watch *watch,
                    void *work) noexcept nogil

    ctypedef struct tw_image_prior "struct tw_image_prior":
        Py_ssize_t size[3]
        int neighbours
        const Py_ssize_t *offset
        const double *weight
        double width, height, power
        const double *target
        double pull

    ctypedef struct tw_icd_job "struct tw_icd_job":
        const tw_columns *c
        const double *curvature
        tw_image_prior prior
        double lower, relaxation
        tw_chosen order
        double *x
        double *e
        double *way

    ctypedef struct tw_image_cost "struct tw_image_cost":
        double misfit, penalty

    ctypedef struct tw_icd "struct tw_icd":
        void (*sweep)(const tw_icd_job *job, tw_watch *watch) noexcept nogil
        tw_image_cost (*cost)(const tw_icd_job *job, tw_watch *watch) noexcept nogil

    enum: TW_NEIGHBOURS

cdef extern from "dispatch.h" nogil:
    ctypedef struct tw_kernels "struct tw_kernels":
        const char *name
        const tw_engine *engine
        const tw_adjoint *adjoint
        const tw_pivot *pivot
        const tw_loss *loss
        const tw_quadratic *quadratic
        const tw_sweep *sweep
        const tw_sweep_csc *sweep_csc
        const tw_linear *linear
        const tw_icd *icd

    int tw_operation(int number, const char **name)
    int tw_select(const char *force)
    int tw_variants(const char **names, int max)
    const tw_kernels *tw_active(int is_float)
