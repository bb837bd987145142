"""Small dense linear problems, solved in one call: pointers in, GIL out.

`solve_small` takes arrays that its callers have checked.  `solve_plain` looks itself at what users
give most often, arrays of float64 or float32 and numbers, for with some hundred numbers each check
in Python takes as long as the solution.  It answers None to everything else, wrong input included,
and has then changed nothing, so that its caller can go the general way, which knows all messages.
"""
from libc.float cimport DBL_MAX
from libc.math cimport INFINITY, fabs
from libc.stdlib cimport free
from libc.string cimport memset

from cpython.buffer cimport PyBUF_STRIDES

from thalweg._core cimport thalweg_h as c
from thalweg._core.buffers cimport (
    USUAL_VIEWS,
    Views,
    has_format,
    times,
    whole_strides,
    workspace,
)
from thalweg._core.dispatch cimport Watch, threads_of
from thalweg._core.linear cimport coordinates, take_dense

from numpy import dtype, empty, ndarray, zeros

cdef object DOUBLE = dtype("f8"), FLOAT = dtype("f4")  # NumPy has one object for each of its types
cdef object EXACT = 1 << 53  # every whole number below this one is a float


cdef tuple state_of(const c.tw_small_state *state):
    cdef const c.tw_certificate *found = &state.found
    return (
        state.objective, found.scale, found.gap, found.kkt, found.conditional, found.unheld,
        state.working,
    )


cdef tuple run(c.tw_small_problem *p, const c.tw_linear *kernel, bint intercept):
    """Solve a problem whose fields are set but for ``mean``; return what `solve_small` does."""
    cdef Watch watch = Watch()
    cdef int status
    cdef Py_ssize_t P = p.columns.P
    times(P, times(P, sizeof(double)))  # bytes of the Gram matrix
    cdef size_t own = kernel.small_work(p), bytes_of_mean = P * sizeof(double)
    cdef void *work = workspace(own + bytes_of_mean)
    if intercept:
        p.mean = <double *> work
    with nogil:
        status = kernel.small(p, &watch.watch, <char *> work + bytes_of_mean)
    free(work)
    watch.raise_caught()
    states = [state_of(&p.state[k]) for k in range(p.n_iter + 1)]
    return status, p.n_iter, p.wanted, p.constant, p.sweeps, p.steps, states


def solve_small(A, b, weights, each, bint intercept, double tol, double part, double again,
                Py_ssize_t rounds, Py_ssize_t max_iter, theta, int threads=1):
    """Run a ``tw_small_problem`` on a dense A; theta (P,) is changed in place.

    Returns
    -------
    status, n_iter, wanted, intercept, sweeps, steps
    states : list of tuple
        (objective, scale, gap, kkt, conditional, unheld, working) of the start and of the result
        of each round.
    """
    cdef Views views = Views(USUAL_VIEWS)
    cdef c.tw_small_problem p
    memset(&p, 0, sizeof(p))
    cdef const c.tw_linear *kernel = take_dense(A, views, &p.columns)
    cdef Py_ssize_t n = p.columns.n, P = p.columns.P
    if n < 1 or P < 1:
        raise ValueError("A must not be empty")
    p.columns.weights = views.doubles_if_given(weights, n, False)
    p.b, p.each = views.doubles(b, n, False), coordinates(views, each, P)
    p.tol, p.part, p.again = tol, part, again
    p.rounds, p.max_iter, p.threads = rounds, max_iter, threads_of(threads)
    p.theta = views.doubles(theta, P, True)
    return run(&p, kernel, intercept)


# ---- what users give most often --------------------------------------------------------------


cdef class Limits:
    """The constants of `solve_plain`; see src/thalweg/linear/small.py.

    ``most`` columns, and the Gram matrix of no fewer than ``narrow`` columns takes at most
    ``operations`` multiplications; ``part``, ``again`` and ``rounds`` are those of `solve_small`.
    """

    cdef Py_ssize_t most, narrow, operations, rounds
    cdef double part, again

    def __cinit__(self, *, most, narrow, operations, rounds, part, again):
        self.most, self.narrow, self.operations = most, narrow, operations
        self.rounds, self.part, self.again = rounds, part, again

    cdef bint allow(self, Py_ssize_t n, Py_ssize_t P) noexcept:
        """Whether a matrix (n, P) is small; n and P are lengths of an array, so n P is exact."""
        if not (n > 0 and 0 < P <= self.most):
            return False
        return n * P <= self.operations // max(P, self.narrow)


cdef const double *plain_doubles(array, Py_ssize_t n, Views views) except? NULL:
    """The n contiguous doubles of one of NumPy's own arrays (n,); NULL for anything else."""
    cdef Py_buffer *view
    if type(array) is not ndarray or array.dtype is not DOUBLE:
        return NULL
    view = views.borrow(array, PyBUF_STRIDES)
    if view.ndim != 1 or view.shape[0] != n or not has_format(view, b"d"):
        return NULL
    if n > 1 and view.strides[0] != sizeof(double):
        return NULL
    return <const double *> view.buf


cdef bint put_number(value, double missing, double *to) except -1:
    """Write a number to ``to``, ``missing`` for None; return whether the value is one of these."""
    if value is None:
        to[0] = missing
    elif isinstance(value, float) or (isinstance(value, int) and -EXACT < value < EXACT):
        to[0] = value
    else:
        return False
    return True


cdef bint put_numbers(value, double missing, Views views, double *to, Py_ssize_t P) except -1:
    """Write P numbers to ``to``: those of an array, or one number for all; return as above."""
    cdef Py_ssize_t j
    cdef const double *given = NULL
    cdef double number = 0
    if not put_number(value, missing, &number):
        given = plain_doubles(value, P, views)
        if given == NULL:
            return False
    for j in range(P):
        to[j] = given[j] if given != NULL else number
    return True


cdef bint are_penalties(const double *values, Py_ssize_t P) noexcept:
    """Whether none is negative or beyond all numbers."""
    cdef Py_ssize_t j
    for j in range(P):
        if not 0 <= values[j] <= DBL_MAX:
            return False
    return True


cdef bint are_bounds(const double *lower, const double *upper, Py_ssize_t P) noexcept:
    """Whether every interval holds a number."""
    cdef Py_ssize_t j
    for j in range(P):
        if not (lower[j] <= upper[j] and lower[j] < INFINITY and upper[j] > -INFINITY):
            return False
    return True


cdef bint put_each(l1, l2, bounds, Views views, double *to, c.tw_small_problem *p) except -1:
    """Let ``p`` have penalties and bounds, 4 P numbers at ``to``; return whether they are plain."""
    cdef Py_ssize_t P = p.columns.P
    lower, upper = None, None
    if type(bounds) is tuple and len(bounds) == 2:
        lower, upper = bounds
    elif bounds is not None:
        return False
    p.each = c.tw_coordinates(
        l1=to, l2=to + P, lower=to + 2 * P, upper=to + 3 * P, relaxation=1.0
    )
    return (
        l1 is not None and l2 is not None
        and put_numbers(l1, 0, views, to, P) and put_numbers(l2, 0, views, to + P, P)
        and are_penalties(to, 2 * P)
        and put_numbers(lower, -INFINITY, views, to + 2 * P, P)
        and put_numbers(upper, INFINITY, views, to + 3 * P, P)
        and are_bounds(p.each.lower, p.each.upper, P)
    )


cdef bint put_data(A, b, weights, Views views, Limits limits, c.tw_small_problem *p) except -1:
    """Let ``p`` have A, b and weights; return whether they are plain, and the problem small."""
    cdef Py_ssize_t n, i
    if type(A) is not ndarray or A.ndim != 2 or not (A.dtype is DOUBLE or A.dtype is FLOAT):
        return False
    cdef Py_buffer *view = views.borrow(A, PyBUF_STRIDES)
    n = view.shape[0]
    if not (has_format(view, b"df") and whole_strides(view) and limits.allow(n, view.shape[1])):
        return False
    p.b = plain_doubles(b, n, views)
    if p.b == NULL:
        return False
    if weights is not None:
        p.columns.weights = plain_doubles(weights, n, views)
        if p.columns.weights == NULL:
            return False
        for i in range(n):  # where a weight is 0, A and b need not be finite
            if not 0 < p.columns.weights[i] <= DBL_MAX:
                return False
    for i in range(n):
        if not fabs(p.b[i]) <= DBL_MAX:
            return False
    return True


cdef bint put_rules(intercept, tol, max_iter, threads, c.tw_small_problem *p) except -1:
    """Let ``p`` have its tolerance and most rounds; return whether the options are plain."""
    if type(intercept) is not bool or tol is None or not put_number(tol, 0, &p.tol):
        return False
    if not 0 <= p.tol <= DBL_MAX or type(max_iter) is not int or not 0 <= max_iter < EXACT:
        return False
    p.max_iter, p.threads = max_iter, 1
    return threads is None or (type(threads) is int and 1 <= threads <= c.TW_MAX_THREADS)


def solve_plain(Limits limits, A, b, l1, l2, bounds, weights, intercept, tol, max_iter, threads):
    """Solve a small problem for one right-hand side from theta = 0, if all arguments are plain.

    The arguments are those of `coordinate_descent`.  Plain are: A (n, P) and b (n,), NumPy's own
    arrays, b of float64 and finite; numbers or arrays of float64 for penalties and for each side of
    a tuple of bounds; such an array for weights.  None of them is wrong, and no weight is 0.

    Returns
    -------
    None, or theta followed by what `solve_small` returns
        A that is not finite has a status other than 0.
    """
    cdef Views views = Views(USUAL_VIEWS)
    cdef c.tw_small_problem p
    cdef const c.tw_linear *kernel
    memset(&p, 0, sizeof(p))
    if not put_data(A, b, weights, views, limits, &p):
        return None
    kernel = take_dense(A, views, &p.columns)
    each = empty(4 * p.columns.P)
    if not put_rules(intercept, tol, max_iter, threads, &p):
        return None
    if not put_each(l1, l2, bounds, views, views.doubles(each, 4 * p.columns.P, True), &p):
        return None
    theta = zeros(p.columns.P)
    p.theta = views.doubles(theta, p.columns.P, True)
    p.part, p.again, p.rounds = limits.part, limits.again, limits.rounds
    return (theta, *run(&p, kernel, intercept))
