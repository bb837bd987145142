"""Coordinate-descent sweeps: pointers in, GIL out.

Arrays are raw buffers, checked here for what memory safety needs; everything else, callers have
checked.
"""
from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS,
    PyBUF_FORMAT,
    PyBUF_STRIDES,
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
    MAX_VIEWS = 12

WIDTH = c.TW_SWEEP_WIDTH  # an order may be cut at multiples of it without changing a bit


cdef class Views:
    """Buffers that stay valid as long as this object lives."""

    cdef Py_buffer view[MAX_VIEWS]
    cdef int n

    def __dealloc__(self):
        for i in range(self.n):
            PyBuffer_Release(&self.view[i])

    cdef Py_buffer *take(self, object array, bytes kinds, int flags) except NULL:
        """A buffer whose elements have one of the struct formats in ``kinds``."""
        if self.n == MAX_VIEWS:
            raise ValueError("too many arrays")
        cdef Py_buffer *view = &self.view[self.n]
        PyObject_GetBuffer(array, view, flags | PyBUF_FORMAT)
        self.n += 1
        if view.format == NULL or view.format[0] not in kinds or view.format[1] != 0:
            raise TypeError(f"an array of format {kinds!r} is needed, got {view.format!r}")
        return view

    cdef double *doubles(self, object array, Py_ssize_t count, int flags=0) except? NULL:
        """Address of exactly ``count`` contiguous doubles."""
        if array is None:
            raise TypeError(f"an array of {count} doubles is needed, got None")
        cdef Py_buffer *view = self.take(array, b"d", PyBUF_C_CONTIGUOUS | flags)
        if view.len != times(count, sizeof(double)):
            raise ValueError(f"an array of {count} doubles is needed, got {view.len} bytes")
        return <double *> view.buf

    cdef c.tw_coordinates coordinates(self, object each, Py_ssize_t C) except *:
        """``(l1, l2, lower, upper, relaxation)``, arrays of C elements."""
        l1, l2, lower, upper, relaxation = each
        return c.tw_coordinates(
            l1=self.doubles(l1, C), l2=self.doubles(l2, C),
            lower=self.doubles(lower, C), upper=self.doubles(upper, C), relaxation=relaxation,
        )

    cdef const Py_ssize_t *order(self, object array, Py_ssize_t least, Py_ssize_t end,
                                 Py_ssize_t *count) except? NULL:
        """Address of an order whose ``count`` elements are in [least, end)."""
        cdef Py_buffer *view = self.take(array, b"lqn", PyBUF_C_CONTIGUOUS)
        cdef const Py_ssize_t *order = <const Py_ssize_t *> view.buf
        if view.itemsize != sizeof(Py_ssize_t):
            raise TypeError("an order of intp is needed")
        count[0] = view.len // view.itemsize
        for i in range(count[0]):
            if not least <= order[i] < end:
                raise IndexError(f"there is no coordinate {order[i]}")
        return order


cdef class Sweeper:
    """A ``tw_sweep_job`` with the arrays it points to; see csrc/sweep/contract.h.

    A (n, P) of double or float, any strides that are whole elements; theta (M, C), residual (M, n).
    """

    cdef c.tw_sweep_job job
    cdef const c.tw_sweep *kernel
    cdef Views views
    cdef int threads
    cdef double *gram
    cdef Py_ssize_t most_order

    def __cinit__(self, A, theta, residual, weights, each, Py_ssize_t M, bint intercept,
                  Py_ssize_t most_order, int threads, bint centered=False):
        cdef Views views = Views()
        cdef Py_buffer *matrix = views.take(A, b"df", PyBUF_STRIDES)
        cdef c.tw_sweep_job *job = &self.job
        cdef Py_ssize_t size = matrix.itemsize, C
        self.views, self.threads, self.most_order = views, threads_of(threads), most_order
        self.kernel = active(size == sizeof(float)).sweep
        memset(job, 0, sizeof(c.tw_sweep_job))
        if matrix.ndim != 2 or matrix.strides[0] % size or matrix.strides[1] % size or M < 0:
            raise ValueError("a matrix with strides of whole elements is needed")
        job.n, job.P, job.M, job.A = matrix.shape[0], matrix.shape[1], M, matrix.buf
        job.row_step, job.column_step = matrix.strides[0] // size, matrix.strides[1] // size
        job.intercept, C = intercept, job.P + intercept
        job.centered = centered
        if centered and not intercept:
            raise ValueError("there is no intercept to center")
        job.weights = NULL if weights is None else views.doubles(weights, job.n)
        job.each = views.coordinates(each, C)
        job.theta = views.doubles(theta, times(M, C), PyBUF_WRITABLE)
        job.residual = views.doubles(residual, times(M, job.n), PyBUF_WRITABLE)
        job.n_order = most_order
        cdef size_t numbers = self.kernel.gram(job)
        self.gram = <double *> malloc(numbers * sizeof(double) + 1)
        if self.gram == NULL:
            raise MemoryError(f"the sweep needs {numbers} numbers of workspace")

    def __dealloc__(self):
        free(self.gram)

    def run(self, order, Py_ssize_t begin, Py_ssize_t end, Py_ssize_t sweeps, bint gram_known,
            change, fall):
        """Go ``sweeps`` times through ``order[begin:end]``, ``begin`` a multiple of WIDTH.

        ``gram_known`` says that the last run at this place had the same order.  ``change`` (M,) and
        ``fall`` (sweeps, M) are written.  Returns the first coordinate whose column is not finite,
        or -1.  Ctrl-C raises KeyboardInterrupt; theta and residual then hold no answer.
        """
        cdef Views views = Views()
        cdef Watch watch = Watch()
        cdef c.tw_sweep_job job = self.job
        cdef Py_ssize_t bad
        cdef Py_ssize_t coordinates = job.P + (job.intercept and not job.centered)
        job.order = views.order(order, 0, coordinates, &job.n_order)
        if not 0 <= begin <= end <= min(self.most_order, job.n_order) or begin % WIDTH:
            raise ValueError("the order is cut at the wrong place")
        job.order += begin
        job.sweeps, job.gram_known = sweeps, gram_known
        job.change = views.doubles(change, job.M, PyBUF_WRITABLE)
        job.fall = views.doubles(fall, times(sweeps, job.M), PyBUF_WRITABLE)
        job.n_order = begin
        job.gram = self.gram + self.kernel.gram(&job)  # what the blocks before this one take
        job.n_order = end - begin
        cdef size_t size = self.kernel.work(&job, self.threads)
        cdef void *work = malloc(size)
        if work == NULL:
            raise MemoryError(f"the sweep needs {size} bytes of workspace")
        with nogil:
            bad = self.kernel.run(&job, self.threads, &watch.watch, work)
        free(work)
        if watch.error is not None:
            raise watch.error
        return bad


def gram_sweeps(gram, theta, q, each, order, Py_ssize_t M, Py_ssize_t sweeps, Py_ssize_t choices,
                change, fall, int threads):
    """Run a ``tw_gram_job``; see csrc/sweep/contract.h.  Gram (C, C), theta and q (M, C).

    Ctrl-C raises KeyboardInterrupt; theta and q then hold what the last update left.
    """
    cdef Views views = Views()
    cdef Watch watch = Watch()
    cdef c.tw_gram_job job
    cdef Py_ssize_t C = len(gram)
    cdef const c.tw_sweep *kernel = active(0).sweep
    cdef int n_threads = threads_of(threads)
    if not 0 <= choices <= C:
        raise ValueError("there are more choices than coordinates")
    job.C, job.M, job.sweeps, job.choices = C, M, sweeps, choices
    job.gram = views.doubles(gram, times(C, C))
    job.each = views.coordinates(each, C)
    job.order = views.order(order, -1 if choices else 0, C, &job.n_order)
    job.theta = views.doubles(theta, times(M, C), PyBUF_WRITABLE)
    job.q = views.doubles(q, times(M, C), PyBUF_WRITABLE)
    job.change = views.doubles(change, M, PyBUF_WRITABLE)
    job.fall = views.doubles(fall, times(sweeps, M), PyBUF_WRITABLE)
    with nogil:
        kernel.gram_run(&job, n_threads, &watch.watch)
    if watch.error is not None:
        raise watch.error
