"""Coordinate-descent sweeps over dense matrices, Gram matrices and sparse columns.

Arrays become pointers, and the GIL is released.  Arrays are raw buffers, of exactly the sizes of
the job; that, the kernel's check of sparse indices and the check of the order here are all that
memory safety needs.  Everything else has been checked by the callers.
"""
from cpython.buffer cimport PyBUF_C_CONTIGUOUS
from libc.stdlib cimport free
from libc.string cimport memset

from thalweg._core cimport thalweg_h as c
from thalweg._core.buffers cimport USUAL_VIEWS, Memory, Views, times, workspace
from thalweg._core.dispatch cimport Watch, active, threads_of

WIDTH = c.TW_SWEEP_WIDTH  # an order that is cut at a multiple of WIDTH gives the same bits


cdef c.tw_coordinates coordinates(Views views, object each, Py_ssize_t C) except *:
    """``(l1, l2, lower, upper, relaxation)``, arrays of C elements."""
    l1, l2, lower, upper, relaxation = each
    return c.tw_coordinates(
        l1=views.doubles(l1, C, False), l2=views.doubles(l2, C, False),
        lower=views.doubles(lower, C, False), upper=views.doubles(upper, C, False),
        relaxation=relaxation,
    )


cdef Py_buffer *coordinate_order(Views views, object array, Py_ssize_t least,
                                 Py_ssize_t end) except NULL:
    """The buffer of an order whose elements are in [least, end)."""
    cdef Py_buffer *view = views.elements(array, b"lqn", PyBUF_C_CONTIGUOUS)
    cdef const Py_ssize_t *order = <const Py_ssize_t *> view.buf
    cdef Py_ssize_t i
    if view.itemsize != sizeof(Py_ssize_t):
        raise TypeError("an order of intp is needed")
    for i in range(view.len // view.itemsize):
        if not least <= order[i] < end:
            raise IndexError(f"there is no coordinate {order[i]}: there are {end}, from 0 on")
    return view


cdef class Sweeper:
    """A ``tw_sweep_job`` with the arrays it points to; see csrc/sweep/contract.h.

    A (n, P) of double or float, any strides that are whole elements; theta (M, C), residual (M, n).
    """

    cdef c.tw_sweep_job job
    cdef const c.tw_sweep *kernel
    cdef Views views
    cdef int threads
    cdef Memory gram
    cdef Py_ssize_t most_order

    def __cinit__(self, A, theta, residual, weights, each, Py_ssize_t M, bint intercept,
                  Py_ssize_t most_order, int threads, bint centered=False):
        cdef Views views = Views(USUAL_VIEWS)
        cdef Py_buffer *matrix = views.strided(A, b"df")
        cdef c.tw_sweep_job *job = &self.job
        cdef Py_ssize_t size = matrix.itemsize, C
        self.views, self.threads, self.most_order = views, threads_of(threads), most_order
        self.kernel = active(size == sizeof(float)).sweep
        memset(job, 0, sizeof(c.tw_sweep_job))
        if matrix.ndim != 2 or M < 0:
            raise ValueError("a matrix is needed")
        job.n, job.P, job.M, job.A = matrix.shape[0], matrix.shape[1], M, matrix.buf
        job.row_step, job.column_step = matrix.strides[0] // size, matrix.strides[1] // size
        job.intercept, C = intercept, job.P + intercept
        job.centered = centered
        if centered and not intercept:
            raise ValueError("there is no intercept to center")
        job.weights = views.doubles_if_given(weights, job.n, False)
        job.each = coordinates(views, each, C)
        job.theta = views.doubles(theta, times(M, C), True)
        job.residual = views.doubles(residual, times(M, job.n), True)
        job.n_order = most_order
        self.gram = Memory(self.kernel.gram(job), sizeof(double))

    def run(self, order, Py_ssize_t begin, Py_ssize_t end, Py_ssize_t sweeps, bint gram_known,
            change, fall):
        """Go ``sweeps`` times through ``order[begin:end]``, ``begin`` a multiple of WIDTH.

        ``gram_known`` says that the last run at this place had the same order.  ``change`` (M,) and
        ``fall`` (sweeps, M) are written.  Returns the status, one of `failures.Sweep`, and the
        column that is wrong, if any.  Ctrl-C raises KeyboardInterrupt, and leaves theta and
        residual without meaning.
        """
        cdef Views views = Views(USUAL_VIEWS)
        cdef Watch watch = Watch()
        cdef c.tw_sweep_job job = self.job
        cdef Py_ssize_t where = -1
        cdef int status
        cdef Py_ssize_t n_coordinates = job.P + (job.intercept and not job.centered)
        cdef Py_buffer *places = coordinate_order(views, order, 0, n_coordinates)
        job.order, job.n_order = <const Py_ssize_t *> places.buf, places.len // places.itemsize
        if not 0 <= begin <= end <= min(self.most_order, job.n_order) or begin % WIDTH:
            raise ValueError(
                f"the order is cut at the wrong place: begin={begin} must be a multiple of "
                f"{WIDTH}, and end={end} neither less than begin nor beyond the order"
            )
        job.order += begin
        job.sweeps, job.gram_known, job.where = sweeps, gram_known, &where
        job.change = views.doubles(change, job.M, True)
        job.fall = views.doubles(fall, times(sweeps, job.M), True)
        job.n_order = begin  # so that `gram` returns the size for the blocks before this one
        job.gram = <double *> self.gram.at + self.kernel.gram(&job)
        job.n_order = end - begin
        cdef size_t size = self.kernel.work(&job, self.threads)
        cdef void *work = workspace(size)
        with nogil:
            status = self.kernel.run(&job, self.threads, &watch.watch, work)
        free(work)
        watch.raise_caught()
        return status, where


def gram_sweeps(gram, theta, q, each, order, Py_ssize_t M, Py_ssize_t sweeps, Py_ssize_t choices,
                change, fall, int threads):
    """Run a ``tw_gram_job``; see csrc/sweep/contract.h.  Gram (C, C), theta and q (M, C).

    Ctrl-C raises KeyboardInterrupt; theta and q are then as the last update has left them.
    """
    cdef Views views = Views(USUAL_VIEWS)
    cdef Watch watch = Watch()
    cdef c.tw_gram_job job
    cdef Py_ssize_t C = len(gram)
    cdef const c.tw_sweep *kernel = active(0).sweep
    cdef int n_threads = threads_of(threads)
    if not 0 <= choices <= C:
        raise ValueError(f"choices must be from 0 to the number of coordinates, {C}, got {choices}")
    job.C, job.M, job.sweeps, job.choices = C, M, sweeps, choices
    job.gram = views.doubles(gram, times(C, C), False)
    job.each = coordinates(views, each, C)
    cdef Py_buffer *places = coordinate_order(views, order, -1 if choices else 0, C)
    job.order, job.n_order = <const Py_ssize_t *> places.buf, places.len // places.itemsize
    job.theta = views.doubles(theta, times(M, C), True)
    job.q = views.doubles(q, times(M, C), True)
    job.change = views.doubles(change, M, True)
    job.fall = views.doubles(fall, times(sweeps, M), True)
    with nogil:
        kernel.gram_run(&job, n_threads, &watch.watch)
    watch.raise_caught()


# ---- sparse columns -----------------------------------------------------------------------------


cdef int take_matrix(c.tw_sweep_csc_job *job, Views views, indptr, indices, values) except -1:
    """Take the arrays of A; return whether its values are float."""
    cdef Py_buffer *starts = views.elements(indptr, b"ilq", PyBUF_C_CONTIGUOUS)
    cdef Py_buffer *rows = views.elements(indices, b"ilq", PyBUF_C_CONTIGUOUS)
    cdef Py_buffer *numbers = views.elements(values, b"df", PyBUF_C_CONTIGUOUS)
    job.nnz = numbers.len // numbers.itemsize
    if starts.itemsize != rows.itemsize:
        raise TypeError("indptr and indices must be of one type")
    if starts.len != (job.P + 1) * starts.itemsize or rows.len != job.nnz * rows.itemsize:
        raise ValueError("indptr needs one element more than columns, indices as many as values")
    job.indptr, job.indices, job.values = starts.buf, rows.buf, numbers.buf
    job.is_long = rows.itemsize == 8
    return numbers.itemsize == 4


cdef int take_order(c.tw_sweep_csc_job *job, Views views, order) except -1:
    """Take the order of the updates, (C,) or (sweeps, C); None stands for 0, 1, ..., P - 1."""
    cdef Py_buffer *view
    job.n_order = job.P
    if order is None:
        return 0
    view = coordinate_order(views, order, 0, job.P)
    if not (view.ndim == 1 or view.ndim == 2 and view.shape[0] == job.sweeps):
        raise ValueError("order must hold one row of indices, or one for each sweep")
    job.order, job.n_order = <const Py_ssize_t *> view.buf, view.shape[view.ndim - 1]
    job.order_step = job.n_order if view.ndim == 2 else 0
    return 0


def sparse_sweep(shape, indptr, indices, values, *, weights, each, order, bint greedy,
                 Py_ssize_t sweeps, bint centered, theta, residual, intercept, b, change, fall,
                 drift, int threads, curvature=None, mean=None):
    """Run a ``tw_sweep_csc_job``; return its status, one of `failures.Sweep`, and the column
    that is wrong, if any.

    With the ``curvature`` of each column, and if the sweeps are centered its ``mean``, both (P,), A
    is taken for one that has been checked before.

    Ctrl-C raises KeyboardInterrupt; theta, residual and intercept are then as the last update has
    left them.
    """
    cdef Watch watch = Watch()
    cdef c.tw_sweep_csc_job job
    cdef Views views = Views(USUAL_VIEWS + 2)  # b and mean included
    cdef Py_ssize_t where = -1
    cdef int status
    memset(&job, 0, sizeof(job))
    job.where = &where
    job.n, job.P, job.M = shape
    job.greedy, job.sweeps, job.centered = greedy, sweeps, centered
    if min(job.n, job.P, job.M, sweeps) < 0 or (centered and intercept is None):
        raise ValueError("sizes must not be negative, and centered needs an intercept")
    cdef bint is_float = take_matrix(&job, views, indptr, indices, values)
    take_order(&job, views, order)
    job.weights = views.doubles_if_given(weights, job.n, False)
    job.curvature = views.doubles_if_given(curvature, job.P, False)
    job.mean = views.doubles_if_given(mean, job.P, False)
    if centered and job.curvature != NULL and job.mean == NULL:
        raise ValueError("centered sweeps with a curvature need the mean, too")
    job.each = coordinates(views, each, job.P)
    job.theta = views.doubles(theta, times(job.P, job.M), True)
    job.residual = views.doubles(residual, times(job.n, job.M), True)
    job.intercept = views.doubles_if_given(intercept, job.M, True)
    job.b = views.doubles_if_given(b, times(job.n, job.M), False)
    job.change = views.doubles(change, job.M, True)
    job.fall = views.doubles(fall, times(sweeps, job.M), True)
    job.drift = views.doubles_if_given(drift, job.M, True)
    if job.b != NULL and job.drift == NULL:
        raise ValueError("drift is needed with b")
    cdef const c.tw_sweep_csc *kernel = active(is_float).sweep_csc
    cdef int n_threads = threads_of(threads)
    cdef void *work = workspace(kernel.work(&job, n_threads))
    with nogil:
        status = kernel.run(&job, n_threads, &watch.watch, work)
    free(work)
    watch.raise_caught()
    return status, where
