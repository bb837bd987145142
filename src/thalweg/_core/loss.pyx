"""Sums over samples of what a tape computes: pointers in, GIL out.

`Terms` is a tape with the terms ``scale * a * b`` that are wanted of it, `Samples` the arrays that
it reads.  Samples need not be contiguous: each input has its step, so that the columns of an array
are read where they are.
"""
from cpython.buffer cimport (
    PyBUF_FORMAT,
    PyBUF_STRIDES,
    PyBuffer_Release,
    PyObject_GetBuffer,
)
from libc.stdint cimport int32_t, uint8_t
from libc.stdlib cimport calloc, free

from thalweg._core cimport thalweg_h as c
from thalweg._core.buffers cimport Views, times
from thalweg._core.engine cimport Tape, Watch, active, threads_of


cdef class Terms:
    """A tape and the terms wanted of it: rows ``(scale, a, b)`` of slots, -1 for 1."""

    cdef readonly Tape tape
    cdef c.tw_term *term
    cdef readonly int n

    def __cinit__(self, Tape tape not None, terms):
        cdef int32_t lanes = tape.tape.n_lane, end = lanes + tape.tape.n_point + tape.tape.n_block
        terms = list(terms)
        self.tape, self.n = tape, len(terms)
        self.term = <c.tw_term *> calloc(self.n + 1, sizeof(c.tw_term))
        if self.term == NULL:
            raise MemoryError
        for i, (scale, a, b) in enumerate(terms):
            if not (-1 <= scale < lanes and 0 <= a < end and -1 <= b < end):
                raise ValueError(f"term {i} uses a slot that the tape does not have")
            self.term[i] = c.tw_term(scale=scale, a=a, b=b)

    def __dealloc__(self):
        free(self.term)


cdef class Samples:
    """Columns of K samples each, float64 or float32 with any step, kept where they are."""

    cdef Py_buffer *view
    cdef const void **x
    cdef Py_ssize_t *step
    cdef uint8_t *is_float
    cdef readonly Py_ssize_t n_columns, n_samples

    def __cinit__(self, columns, Py_ssize_t n_samples):
        columns = list(columns)
        cdef Py_ssize_t n = len(columns)
        if n_samples < 0:
            raise ValueError("there cannot be less than no samples")
        self.n_samples = n_samples
        self.view = <Py_buffer *> calloc(n + 1, sizeof(Py_buffer))
        self.x = <const void **> calloc(n + 1, sizeof(void *))
        self.step = <Py_ssize_t *> calloc(n + 1, sizeof(Py_ssize_t))
        self.is_float = <uint8_t *> calloc(n + 1, 1)
        if self.view == NULL or self.x == NULL or self.step == NULL or self.is_float == NULL:
            raise MemoryError
        for column in columns:
            self.append(column)

    cdef int append(self, object column) except -1:
        cdef Py_ssize_t k = self.n_columns
        cdef Py_buffer *view = &self.view[k]
        PyObject_GetBuffer(column, view, PyBUF_STRIDES | PyBUF_FORMAT)
        self.n_columns += 1
        if view.ndim != 1 or view.shape[0] != self.n_samples or view.strides[0] % view.itemsize:
            raise ValueError(f"column {k} must have shape ({self.n_samples},)")
        if view.format == NULL or view.format[0] not in (c"d", c"f") or view.format[1] != 0:
            raise TypeError(f"column {k} must be float64 or float32, got {view.format!r}")
        self.x[k], self.step[k] = view.buf, view.strides[0] // view.itemsize
        self.is_float[k] = view.format[0] == c"f"
        return 0

    def __dealloc__(self):
        for k in range(self.n_columns):
            PyBuffer_Release(&self.view[k])
        free(self.view)
        free(self.x)
        free(self.step)
        free(self.is_float)


cdef int run(Terms terms, Samples samples, bint is_float, theta, int32_t n_rows, bint each,
             out, Py_ssize_t n_out, int threads) except -1:
    """One pass; KeyboardInterrupt where Ctrl-C stopped it."""
    cdef const c.tw_loss *kernel = active(is_float).loss
    cdef c.tw_tape *tape = &terms.tape.tape
    cdef Views views = Views()
    cdef Watch watch = Watch()
    if samples.n_columns != tape.n_x:
        raise ValueError(f"the tape reads {tape.n_x} columns, got {samples.n_columns}")
    cdef c.tw_samples job = c.tw_samples(
        tape=tape, n_samples=samples.n_samples, x=samples.x, x_step=samples.step,
        x_is_float=samples.is_float, n_terms=terms.n, terms=terms.term,
        theta=views.take(theta, c"f" if is_float else c"d", tape.n_theta, False),
    )
    cdef double *target = <double *> views.take(out, c"d", n_out, True)
    cdef int n_threads = threads_of(threads)
    cdef size_t size = kernel.work(&job, n_rows, n_threads)
    cdef void *work = calloc(size, 1)
    if work == NULL:
        raise MemoryError(f"a pass over the samples needs {size} bytes of workspace")
    try:
        with nogil:
            if n_rows:
                kernel.normal(&job, n_rows, n_threads, work, &watch.watch, target)
            elif each:
                kernel.values(&job, n_threads, work, &watch.watch, target)
            else:
                kernel.sums(&job, n_threads, work, &watch.watch, target)
    finally:
        free(work)
    if watch.error is not None:
        raise watch.error
    return 0


def sums(Terms terms not None, Samples samples not None, bint is_float, theta, out, int threads=0):
    """Write the sum over all samples of each term, float64 (n_terms,)."""
    run(terms, samples, is_float, theta, 0, False, out, terms.n, threads)


def values(Terms terms not None, Samples samples not None, bint is_float, theta, out,
           int threads=0):
    """Write each term of each sample, float64 (K, n_terms)."""
    run(terms, samples, is_float, theta, 0, True, out, times(samples.n_samples, terms.n), threads)


def normal(Terms terms not None, Samples samples not None, bint is_float, theta, int n_rows, out,
           int threads=0):
    """Write the lower triangle, by rows, of sum_k sum_i C_i' C_i; the terms are C's ``n_rows``
    rows."""
    cdef Py_ssize_t i, m
    if n_rows < 1 or terms.n % n_rows:
        raise ValueError(f"{terms.n} terms cannot be {n_rows} rows")
    for i in range(terms.n):
        if terms.term[i].scale >= 0 or terms.term[i].b >= 0:
            raise ValueError(f"term {i} of a matrix must be one slot")
    m = terms.n // n_rows
    run(terms, samples, is_float, theta, n_rows, False, out, m * (m + 1) // 2, threads)
