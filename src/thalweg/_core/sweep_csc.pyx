"""Coordinate-descent sweeps over sparse columns: pointers in, GIL out.

Arrays are raw buffers, C-contiguous and of exactly the sizes of the job; with the kernel's look at
the indices and the one at the order here, that is all that memory safety needs.  Everything else,
callers have checked.
"""
from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS,
    PyBUF_FORMAT,
    PyBUF_WRITABLE,
    PyBuffer_Release,
    PyObject_GetBuffer,
)
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from thalweg._core cimport thalweg_h as c
from thalweg._core.buffers cimport times
from thalweg._core.engine cimport Watch, active, threads_of

cdef enum:
    MAX_VIEWS = 16

INDPTR, ROW, ORDER = c.TW_CSC_INDPTR, c.TW_CSC_ROW, c.TW_CSC_ORDER
VALUE, OVERFLOW = c.TW_CSC_VALUE, c.TW_CSC_OVERFLOW


cdef class Views:
    """Buffers that stay valid as long as this object lives."""

    cdef Py_buffer view[MAX_VIEWS]
    cdef int n

    def __dealloc__(self):
        for i in range(self.n):
            PyBuffer_Release(&self.view[i])

    cdef Py_buffer *take(self, object array, bytes kinds, bint writable) except NULL:
        """A buffer whose elements have one of the struct formats in ``kinds``."""
        if self.n == MAX_VIEWS:
            raise ValueError("too many arrays")
        cdef Py_buffer *view = &self.view[self.n]
        cdef int flags = PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (PyBUF_WRITABLE if writable else 0)
        PyObject_GetBuffer(array, view, flags)
        self.n += 1
        if view.format == NULL or view.format[0] not in kinds or view.format[1] != 0:
            raise TypeError(f"an array of format {kinds!r} is needed, got {view.format!r}")
        return view

    cdef double *doubles(self, object array, Py_ssize_t count, bint writable) except? NULL:
        """Address of exactly ``count`` doubles."""
        if array is None:
            raise TypeError(f"an array of {count} doubles is needed, got None")
        cdef Py_buffer *view = self.take(array, b"d", writable)
        if view.len != times(count, sizeof(double)):
            raise ValueError(f"an array of {count} doubles is needed, got {view.len} bytes")
        return <double *> view.buf

    cdef double *if_given(self, object array, Py_ssize_t count, bint writable) except? NULL:
        """The same for what may be None: then NULL."""
        return NULL if array is None else self.doubles(array, count, writable)


cdef int take_matrix(c.tw_sweep_csc_job *job, Views views, indptr, indices, values) except -1:
    """A, and whether its values are float."""
    cdef Py_buffer *starts = views.take(indptr, b"ilq", False)
    cdef Py_buffer *rows = views.take(indices, b"ilq", False)
    cdef Py_buffer *numbers = views.take(values, b"df", False)
    job.nnz = numbers.len // numbers.itemsize
    if starts.itemsize != rows.itemsize:
        raise TypeError("indptr and indices must be of one type")
    if starts.len != (job.P + 1) * starts.itemsize or rows.len != job.nnz * rows.itemsize:
        raise ValueError("indptr needs one element more than columns, indices as many as values")
    job.indptr, job.indices, job.values = starts.buf, rows.buf, numbers.buf
    job.is_long = rows.itemsize == 8
    return numbers.itemsize == 4


cdef int take_order(c.tw_sweep_csc_job *job, Views views, order) except -1:
    """The coordinates (C,) or (sweeps, C), None for all of them as they come."""
    cdef Py_ssize_t k
    cdef Py_buffer *view
    job.n_order = job.P
    if order is None:
        return 0
    view = views.take(order, b"lq", False)
    if view.itemsize != sizeof(Py_ssize_t) or not (
        view.ndim == 1 or view.ndim == 2 and view.shape[0] == job.sweeps
    ):
        raise ValueError("order must hold one row of indices, or one for each sweep")
    job.order, job.n_order = <const Py_ssize_t *> view.buf, view.shape[view.ndim - 1]
    job.order_step = job.n_order if view.ndim == 2 else 0
    for k in range(view.len // view.itemsize):
        if not 0 <= job.order[k] < job.P:
            raise ValueError(f"order holds {job.order[k]}, which is no coordinate")
    return 0


def sweep(shape, indptr, indices, values, *, weights, l1, l2, lower, upper, double relaxation,
          order, bint greedy, Py_ssize_t sweeps, bint centered, theta, residual, intercept, b,
          change, fall, drift, int threads):
    """Run a ``tw_sweep_csc_job``; return its status and the column that is wrong, if any.

    Ctrl-C raises KeyboardInterrupt; theta, residual and intercept then hold what was reached.
    """
    cdef Watch watch = Watch()
    cdef c.tw_sweep_csc_job job
    cdef Views views = Views()
    cdef Py_ssize_t column = -1
    cdef c.tw_csc_status status
    memset(&job, 0, sizeof(job))
    job.n, job.P, job.M = shape
    job.greedy, job.sweeps, job.centered = greedy, sweeps, centered
    if min(job.n, job.P, job.M, sweeps) < 0 or (centered and (greedy or intercept is None)):
        raise ValueError("the job makes no sense")
    cdef bint is_float = take_matrix(&job, views, indptr, indices, values)
    take_order(&job, views, order)
    job.weights = views.if_given(weights, job.n, False)
    job.each = c.tw_coordinates(
        l1=views.doubles(l1, job.P, False), l2=views.doubles(l2, job.P, False),
        lower=views.doubles(lower, job.P, False), upper=views.doubles(upper, job.P, False),
        relaxation=relaxation,
    )
    job.theta = views.doubles(theta, times(job.P, job.M), True)
    job.residual = views.doubles(residual, times(job.n, job.M), True)
    job.intercept = views.if_given(intercept, job.M, True)
    job.b = views.if_given(b, times(job.n, job.M), False)
    job.change = views.doubles(change, job.M, True)
    job.fall = views.doubles(fall, times(sweeps, job.M), True)
    job.drift = views.if_given(drift, job.M, True)
    if job.b != NULL and job.drift == NULL:
        raise ValueError("drift is needed with b")
    cdef const c.tw_sweep_csc *kernel = active(is_float).sweep_csc
    cdef int n_threads = threads_of(threads)
    cdef void *work = malloc(kernel.work(&job, n_threads))
    if work == NULL:
        raise MemoryError(f"a sweep needs {kernel.work(&job, n_threads)} bytes of workspace")
    try:
        with nogil:
            status = kernel.run(&job, n_threads, &watch.watch, work, &column)
    finally:
        free(work)
    if watch.error is not None:
        raise watch.error
    return status, column
